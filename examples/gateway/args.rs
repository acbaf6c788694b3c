//! The command line. Each flag has a twin in the environment; the flag wins.

mod listen;

use std::path::PathBuf;
use std::sync::Arc;

use clap::builder::FalseyValueParser;
use clap::{Parser, Subcommand, ValueEnum};
use ingress_core::{AmbiguousPaths, HostFallthrough, Locality};
use ingress_kube::{Config, HostOwnership, Upstream};

use crate::certificate;
use crate::check::CheckOptions;
use crate::cluster::ClusterOptions;
use crate::diff::DiffOptions;
use crate::explain::ExplainOptions;
use crate::replay::ReplayOptions;
use crate::routes::RoutesOptions;

pub(crate) use listen::{ListenOptions, TlsVersionArg};

/// Routes HTTP traffic by Kubernetes Ingress objects.
#[derive(Debug, Parser)]
#[command(name = "gateway", version, max_term_width = 100)]
pub(crate) struct Args {
    #[command(subcommand)]
    pub(crate) command: Command,

    /// How logs are written to stderr; RUST_LOG chooses what is logged (default: info)
    #[arg(long, global = true, env = "INGRESS_LOG_FORMAT", value_enum, default_value_t = LogFormat::Auto)]
    pub(crate) log_format: LogFormat,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Serve a Kubernetes cluster, or a directory of manifests, and follow its changes
    Run(Box<RunOptions>),
    /// Serve the manifests of examples/shop with echo services in this process, and print what to try
    Demo(DemoOptions),
    /// Say what is wrong with manifests, without serving them
    Check(CheckOptions),
    /// List the routes that manifests make, without serving them
    Routes(RoutesOptions),
    /// Say where a request would go, and why, without sending it
    Explain(ExplainOptions),
    /// Say what changes for requests from one directory of manifests to another
    Diff(DiffOptions),
    /// Say on which endpoints logged choices fall, from a saved table
    Replay(ReplayOptions),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogFormat {
    /// Text on a terminal, JSON otherwise
    Auto,
    /// Lines for people
    Text,
    /// One JSON object a line
    Json,
}

const RUN_EXAMPLE: &str = "\
Examples:
  gateway run --http 0.0.0.0:8080 --https 0.0.0.0:8443 --admin 0.0.0.0:10254 --publish-service ingress/gateway
  gateway run --manifests manifests/ --http 0.0.0.0:8080 --https 0.0.0.0:8443 --admin 127.0.0.1:10254";

const DEMO_EXAMPLE: &str = "\
Example:
  gateway demo --http 127.0.0.1:8081";

#[derive(Clone, Debug, clap::Args)]
#[command(after_help = RUN_EXAMPLE)]
pub(crate) struct RunOptions {
    /// Directory of Ingress, IngressClass, ConfigMap, Secret, Service and EndpointSlice manifests (YAML or JSON),
    /// read with its subdirectories and watched; without it a cluster is followed
    #[arg(long, env = "INGRESS_MANIFESTS", value_name = "DIR")]
    pub(crate) manifests: Option<PathBuf>,

    #[command(flatten)]
    pub(crate) cluster: ClusterOptions,

    #[command(flatten)]
    pub(crate) listen: ListenOptions,

    #[command(flatten)]
    pub(crate) translation: TranslationOptions,
}

/// Which objects are served, and how.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct TranslationOptions {
    /// Serve only this IngressClass, by name
    #[arg(long, env = "INGRESS_CLASS", value_name = "NAME")]
    pub(crate) ingress_class: Option<String>,

    /// Serve IngressClasses whose spec.controller is this
    #[arg(long, env = "INGRESS_CONTROLLER_CLASS", value_name = "NAME",
          default_value = ingress_kube::DEFAULT_CONTROLLER)]
    pub(crate) controller_class: String,

    /// Serve Ingresses that name no class, although there are IngressClasses and none is the default
    #[arg(long, env = "INGRESS_WATCH_INGRESS_WITHOUT_CLASS", value_parser = FalseyValueParser::new())]
    pub(crate) watch_ingress_without_class: bool,

    /// Where requests for a Service go: to its endpoints, or to its clusterIP
    #[arg(long, env = "INGRESS_UPSTREAM", value_enum, default_value_t = UpstreamArg::Endpoints)]
    pub(crate) upstream: UpstreamArg,

    /// Zone in which this runs, the label topology.kubernetes.io/zone of its node: endpoints that are meant for it come
    /// first
    #[arg(long, env = "INGRESS_ZONE", value_name = "ZONE")]
    pub(crate) zone: Option<String>,

    /// Node on which this runs: endpoints that are meant for it come before those for the zone
    #[arg(long, env = "INGRESS_NODE", value_name = "NAME")]
    pub(crate) node: Option<String>,

    /// Whether a request that no path of its host takes goes on to the paths of its wildcard, and then to
    /// those of rules without a host
    #[arg(long, env = "INGRESS_HOST_FALLTHROUGH", value_parser = FalseyValueParser::new())]
    pub(crate) host_fallthrough: bool,

    /// What happens to a path that servers read in different ways, such as one with '//' or '%2F'
    #[arg(long, env = "INGRESS_AMBIGUOUS_PATHS", value_enum, default_value_t = AmbiguousPathsArg::Compare)]
    pub(crate) ambiguous_paths: AmbiguousPathsArg,

    /// Service for requests that no Ingress takes; without a port its first TCP port
    #[arg(long, env = "INGRESS_DEFAULT_BACKEND_SERVICE", value_name = "NAMESPACE/NAME[:PORT]")]
    pub(crate) default_backend_service: Option<String>,

    /// Secret of the certificate for clients that ask for a host without one
    #[arg(long, env = "INGRESS_DEFAULT_CERTIFICATE", value_name = "NAMESPACE/NAME")]
    pub(crate) default_certificate: Option<String>,

    /// File that says which namespaces may claim which hosts; without it all may claim all
    #[arg(long, env = "INGRESS_HOST_OWNERSHIP", value_name = "FILE")]
    pub(crate) host_ownership: Option<PathBuf>,

    /// Follow Services of type ExternalName, and URLs in annotations that lead elsewhere than to a Service of the
    /// namespace, so that whoever may write one decides where the gateway connects to
    #[arg(long, env = "INGRESS_ALLOW_EXTERNAL_NAME", value_parser = FalseyValueParser::new())]
    pub(crate) allow_external_name: bool,
}

#[derive(Clone, Debug, clap::Args)]
#[command(after_help = DEMO_EXAMPLE)]
pub(crate) struct DemoOptions {
    #[command(flatten)]
    pub(crate) listen: ListenOptions,

    /// Directory of manifests to serve [default: examples/shop, or a copy of it where there is none]
    #[arg(long, env = "INGRESS_MANIFESTS", value_name = "DIR")]
    pub(crate) manifests: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum UpstreamArg {
    Endpoints,
    ClusterIp,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum AmbiguousPathsArg {
    /// Refuse it when two readings of it lead to different rules
    Compare,
    /// Refuse it
    Reject,
    /// Take it as it is written; a rule for /admin is then no guard
    Trust,
}

impl Default for TranslationOptions {
    fn default() -> Self {
        Self {
            ingress_class: None,
            controller_class: ingress_kube::DEFAULT_CONTROLLER.into(),
            watch_ingress_without_class: false,
            upstream: UpstreamArg::Endpoints,
            zone: None,
            node: None,
            host_fallthrough: false,
            ambiguous_paths: AmbiguousPathsArg::Compare,
            default_backend_service: None,
            default_certificate: None,
            host_ownership: None,
            allow_external_name: false,
        }
    }
}

impl TranslationOptions {
    /// What the translation of objects needs to know. An empty text, as templates of Deployments leave it, is
    /// none.
    ///
    /// # Errors
    ///
    /// A flag whose value cannot be used, in one line that names it.
    pub(crate) fn config(&self) -> Result<Config, String> {
        let given = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
        let mut config = Config::default()
            .watch_ingress_without_class(self.watch_ingress_without_class)
            .allow_external_name(self.allow_external_name)
            .locality(Locality::new(given(&self.zone).map(Arc::from), given(&self.node).map(Arc::from)))
            .upstream(match self.upstream {
                UpstreamArg::Endpoints => Upstream::Endpoints,
                UpstreamArg::ClusterIp => Upstream::ClusterIp,
            })
            .host_fallthrough(match self.host_fallthrough {
                false => HostFallthrough::Never,
                true => HostFallthrough::Always,
            })
            .ambiguous_paths(match self.ambiguous_paths {
                AmbiguousPathsArg::Compare => AmbiguousPaths::Compare,
                AmbiguousPathsArg::Reject => AmbiguousPaths::Reject,
                AmbiguousPathsArg::Trust => AmbiguousPaths::Trust,
            });
        config = config
            .load_certificate(certificate::load)
            .load_trust(certificate::load_trust)
            .check_keys(ingress_tower::check_key_set);
        if let Some(text) = given(&self.default_certificate) {
            let (namespace, name) =
                text.split_once('/').filter(|(_, name)| !name.contains('/')).ok_or_else(|| {
                    format!("--default-certificate: {text:?} is not NAMESPACE/NAME, as in default/wildcard")
                })?;
            config = config.default_certificate(namespace, name);
        }
        if !self.controller_class.is_empty() {
            config = config.controller_class(&self.controller_class);
        }
        if let Some(name) = given(&self.ingress_class) {
            config = config.ingress_class(name);
        }
        if let Some(text) = given(&self.default_backend_service) {
            let service = text.parse().map_err(|error| format!("--default-backend-service: {error}"))?;
            config = config.default_backend_service(service);
        }
        // An empty path is no policy forgotten: whoever names one wants to be held to it.
        if let Some(path) = &self.host_ownership {
            let policy = HostOwnership::read(path);
            let policy = policy.map_err(|error| format!("--host-ownership {}: {error}", path.display()))?;
            config = config.host_ownership(policy);
        }
        Ok(config)
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    /// A template leaves an empty text where nothing is known.
    #[test]
    fn where_the_gateway_runs() {
        let place = |zone: Option<&str>, node: Option<&str>| {
            let options = TranslationOptions {
                zone: zone.map(Into::into),
                node: node.map(Into::into),
                ..TranslationOptions::default()
            };
            options.config().unwrap().locality
        };
        assert_eq!(place(Some(""), None), Locality::default());
        assert_eq!(place(Some("a"), Some("")), Locality::new(Some("a".into()), None));
        assert_eq!(place(None, Some("n1")), Locality::new(None, Some("n1".into())));
    }

    #[test]
    fn every_flag_has_a_twin_in_the_environment_and_a_help() {
        let mut command = Args::command();
        command.build();
        command.clone().debug_assert();
        let mut flags = 0;
        for subcommand in command.get_subcommands().filter(|command| command.get_name() != "help") {
            let help = subcommand.get_after_help().map(ToString::to_string).unwrap_or_default();
            assert!(help.starts_with("Example"), "{} has no example", subcommand.get_name());
            for arg in
                subcommand.get_arguments().filter(|arg| !["help", "version"].contains(&arg.get_id().as_str()))
            {
                assert!(arg.get_help().is_some(), "{arg:?} has no help");
                // What says what is asked for is no setting: it has no twin.
                if arg.is_positional()
                    || ["fields", "backend", "algorithm", "choice"].contains(&arg.get_id().as_str())
                {
                    continue;
                }
                let env = arg.get_env().and_then(|name| name.to_str()).unwrap_or_default();
                assert!(env.starts_with("INGRESS_"), "{arg:?} has no twin");
                flags += 1;
            }
        }
        assert!(flags >= 15, "{flags}");
    }
}
