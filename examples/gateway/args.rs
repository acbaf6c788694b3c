//! The command line. Each flag has a twin in the environment; the flag wins.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use clap::builder::FalseyValueParser;
use clap::{Parser, Subcommand, ValueEnum};
use http::uri::Authority;
use ingress_core::{AmbiguousPaths, HostFallthrough, Locality};
use ingress_kube::{Config, HostOwnership, Upstream};
use ingress_tower::server::Server;
use ingress_tower::{IngressLayer, TrustedProxies};

use crate::access_log::AccessLogOptions;
use crate::certificate;
use crate::check::CheckOptions;
use crate::cluster::ClusterOptions;
use crate::descriptors;
use crate::diff::DiffOptions;
use crate::explain::ExplainOptions;
use crate::policies::PolicyOptions;
use crate::replay::ReplayOptions;
use crate::routes::RoutesOptions;

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

    /// Follow Services of type ExternalName, so that whoever may write one decides where the gateway connects
    /// to
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

#[derive(Clone, Debug, clap::Args)]
pub(crate) struct ListenOptions {
    /// Address for HTTP traffic (HTTP/1.1, and HTTP/2 with prior knowledge)
    #[arg(long, env = "INGRESS_HTTP", value_name = "ADDR", default_value = "127.0.0.1:8080")]
    pub(crate) http: SocketAddr,

    /// Address for HTTPS traffic (HTTP/1.1 and HTTP/2), with the certificates of the Secrets in spec.tls; without
    /// it there is none
    #[arg(long, env = "INGRESS_HTTPS", value_name = "ADDR")]
    pub(crate) https: Option<SocketAddr>,

    /// Oldest version of TLS that clients may speak
    #[arg(long, env = "INGRESS_TLS_MIN_VERSION", value_enum, default_value_t = TlsVersionArg::Tls12)]
    pub(crate) tls_min_version: TlsVersionArg,

    /// Address for /healthz, /readyz, /metrics and /config_dump
    #[arg(long, env = "INGRESS_ADMIN", value_name = "ADDR", default_value = "127.0.0.1:10254")]
    pub(crate) admin: SocketAddr,

    /// Addresses and ranges of proxies whose X-Forwarded-For, -Proto, -Host, -Port and X-Request-ID are believed, such as
    /// 10.0.0.0/8; from all others they are replaced
    #[arg(
        long,
        env = "INGRESS_TRUSTED_PROXIES",
        value_name = "CIDR,...",
        default_value = "",
        hide_default_value = true
    )]
    pub(crate) trusted_proxies: TrustedProxies,

    /// Addresses and ranges of load balancers that pass bytes on and say first from whom they are, by the PROXY
    /// protocol in version 1 or 2; from these it is required
    #[arg(
        long,
        env = "INGRESS_PROXY_PROTOCOL",
        value_name = "CIDR,...",
        default_value = "",
        hide_default_value = true
    )]
    pub(crate) proxy_protocol: TrustedProxies,

    /// Tell endpoints of the client by Forwarded (RFC 7239), too
    #[arg(long, env = "INGRESS_FORWARDED", value_parser = FalseyValueParser::new())]
    pub(crate) forwarded: bool,

    /// Sign requests by this name in Via (RFC 9110)
    #[arg(long, env = "INGRESS_VIA", value_name = "HOST[:PORT]")]
    pub(crate) via: Option<String>,

    #[command(flatten)]
    pub(crate) access_log: AccessLogOptions,

    #[command(flatten)]
    pub(crate) policies: PolicyOptions,

    #[command(flatten)]
    pub(crate) limits: LimitOptions,

    /// Threads that serve traffic [default: one for each core]
    #[arg(long, env = "INGRESS_WORKERS", value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) workers: Option<u16>,

    /// How long to go on as before after SIGTERM, only that /readyz fails, until load balancers have seen that
    #[arg(long, env = "INGRESS_SHUTDOWN_DELAY", value_name = "TIME", default_value = "0s",
          value_parser = humantime::parse_duration)]
    pub(crate) shutdown_delay: Duration,

    /// How long open requests may take to finish after SIGTERM and the delay
    #[arg(long, env = "INGRESS_SHUTDOWN_GRACE_PERIOD", value_name = "TIME", default_value = "30s",
          value_parser = humantime::parse_duration)]
    pub(crate) shutdown_grace_period: Duration,
}

/// What clients may take.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct LimitOptions {
    /// Connections that may be open at a time; more are answered with 503 [default: 10000, or half of the
    /// descriptors that the process may have if that is less]
    #[arg(long, env = "INGRESS_MAX_CONNECTIONS", value_name = "N")]
    pub(crate) max_connections: Option<usize>,

    /// Connections that one client address (of IPv6: a /64 network) may have open [default: half of
    /// --max-connections]
    #[arg(long, env = "INGRESS_MAX_CONNECTIONS_PER_CLIENT", value_name = "N")]
    pub(crate) max_connections_per_client: Option<usize>,

    /// How old a connection may become, give or take a tenth, so that long-lived ones spread again [default: any age]
    #[arg(long, env = "INGRESS_MAX_CONNECTION_AGE", value_name = "TIME", value_parser = humantime::parse_duration)]
    pub(crate) max_connection_age: Option<Duration>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum TlsVersionArg {
    #[value(name = "1.2")]
    Tls12,
    #[value(name = "1.3")]
    Tls13,
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

impl LimitOptions {
    /// A server with these limits.
    pub(crate) fn server(&self) -> Server {
        let room = descriptors::connections();
        let all = self.max_connections.unwrap_or(room);
        Server::new()
            .max_connections(all)
            .max_connections_per_client(self.max_connections_per_client.unwrap_or(all.div_ceil(2)))
            .max_connection_age(self.max_connection_age)
    }
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
        config = config.load_certificate(certificate::load).load_trust(certificate::load_trust);
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

impl ListenOptions {
    /// Puts what clients' requests become into the layer.
    ///
    /// # Errors
    ///
    /// A flag whose value cannot be used, in one line that names it.
    pub(crate) fn layer(&self, layer: IngressLayer) -> Result<IngressLayer, String> {
        let name = self.via.as_ref().filter(|name| !name.is_empty());
        let parse = |name: &String| {
            name.parse::<Authority>().map_err(|_| format!("--via: {name:?} is not HOST or HOST:PORT"))
        };
        let via = name.map(parse).transpose()?;
        let layer = layer.trusted_proxies(self.trusted_proxies.clone()).policy(self.policies.policy()?);
        let layer = layer.forwarded(self.forwarded).via(via);
        Ok(match self.policies.affinity_secret()? {
            Some(secret) => layer.affinity_secret(secret),
            None => layer,
        })
    }

    /// How many threads serve traffic.
    pub(crate) fn workers(&self) -> usize {
        let cores = || std::thread::available_parallelism().map_or(1, usize::from);
        self.workers.map_or_else(cores, usize::from)
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
