//! Where traffic comes in, how much of it, and whom it is believed.

use std::net::SocketAddr;
use std::time::Duration;

use clap::ValueEnum;
use clap::builder::FalseyValueParser;
use http::uri::Authority;
use ingress_tower::server::Server;
use ingress_tower::{IngressLayer, TrustedProxies};

use crate::access_log::AccessLogOptions;
use crate::descriptors;
use crate::policies::PolicyOptions;

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
