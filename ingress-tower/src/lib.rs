//! The data plane: a tower [`Layer`](tower_layer::Layer) and [`Service`](tower_service::Service) that serve
//! traffic from the routing table of `ingress_core`, inside any axum, hyper or tonic server.
//!
//! | type | what it is |
//! |---|---|
//! | [`IngressLayer`] | in front of your application: what a route takes is proxied, the rest is yours |
//! | [`IngressService`] | the whole server: what no route takes is answered with 404 |
//! | [`HttpClient`] | carries requests to endpoints; any other `tower::Service` can take its place |
//! | [`HealthChecker`] | asks endpoints whether they are well, and has those left out that are not |
//! | [`explain`] | what is done with a request under a table, and why |
//! | [`ResourceRegistry`] | services of this process that answer for backends |
//! | [`PolicyRegistry`] | layers of this process that routes ask for by name |
//! | [`server::Server`] | an accept loop with deadlines and a graceful end, where the host has none |
//! | [`tls::Tls`] | TLS for it, with the certificates of the table |
//!
//! # What happens to a request
//!
//! 1. Host and path are taken from it and normalised; what cannot be taken for what it says is answered
//!    with 400 (rulings R4 and R5 of `ingress_core`), a transfer coding other than `chunked` with 501. HTTP/1
//!    connections are closed then. On a connection whose TLS certificate is not for the host: 421.
//! 2. The table is asked. No route: the inner service, or 404.
//! 3. Fields that are about the connection go, the gateway's own (`X-Forwarded-For`, `-Proto`, `-Host`, `-Port`,
//!    `X-Real-IP`, `X-Request-ID`) replace whatever the client claimed, unless it is one of the
//!    [`TrustedProxies`], and the normalised path is what is forwarded.
//!    `X-Forwarded-For` and `X-Real-IP` need the client's address, from a [`ConnectionInfo`] or where
//!    [`IngressLayer::client_addr`] finds it: without it they are absent. `X-Forwarded-Proto` is `http`
//!    unless a [`ConnectionInfo`] says that the connection is encrypted, and `X-Forwarded-Port` needs one that knows to
//!    which address the client connected.
//!    [`Captures`] of a template or regular expression path are put into the request's extensions.
//!    The [`Policy`](ingress_core::Policy) of the route is asked: it may refuse the request (401, 403, 429, 503), answer it,
//!    or give it another path and other fields. `POLICIES.md` of `ingress-kube` has the order.
//! 4. An endpoint of the backend is chosen; none: 503. It is sent the request over HTTP/1.1,
//!    or over HTTP/2 with prior knowledge where that is its protocol; both also over TLS, with an endpoint that has proved
//!    who it is unless the route's policy asks for no proof. Where nothing could be sent, the next endpoint is tried; none left: 502. An endpoint that fails: 502, and 504 if it
//!    does not begin to answer in time. A body of the client's that breaks off: 400.
//!    A request of HTTP/1.1 that asks for another protocol (`Upgrade`, as WebSocket does) is sent on a connection of
//!    its own; so is a WebSocket of HTTP/2 (extended CONNECT, RFC 8441). After the endpoint's 101 bytes pass both ways
//!    until both sides have ended, or say nothing for an hour.
//!    The policy sets other timeouts, retries, what endpoints speak, and how large a body may be: 413 beyond.
//! 5. Bodies stream both ways, each frame when the other side asks for it. Trailers of a response reach HTTP/2
//!    clients, gRPC's among them, as they come. Over HTTP/1.1 hyper sends only trailers that the `Trailer`
//!    field announced, and to a client only if its request said `TE: trailers`; others are dropped. That is
//!    so for every request that [`HttpClient`] sends over HTTP/1.1, also where the client's was HTTP/2 and announced
//!    nothing: its trailers are not known before the head is sent. To endpoints that speak HTTP/2 all trailers pass,
//!    so all kinds of gRPC calls do.
//!
//! Answers of the data plane itself carry an [`Error`] in their extensions. To a gRPC call they are a status of gRPC.
//! With [`IngressLayer::record_choices`] answers carry a [`Chosen`], too.
//!
//! # Features
//!
//! - `client` (default): [`HttpClient`] and [`HealthChecker`].
//! - `server`: [`server`].
//! - `tls`: [`tls`], with rustls and ring.
//! - `tracing`: a warning for answers of 500 and above that the data plane makes, debug for the rest. Of each
//!   reason and backend the first is told at once, and then at most one a second, with how many were not
//!   (`suppressed`).
//! - `auth`: passwords ([`BasicAuth`](ingress_core::BasicAuth)); without it a route that asks for one is closed.
//! - `jwt`: signed tokens ([`Jwt`](ingress_core::Jwt)), checked with ring; without it a route that asks for one is closed.
//! - `rate-limit`: limits of each client ([`ClientLimits`](ingress_core::ClientLimits)), and [`RateLimiter`]; without it a
//!   route that has one is closed.
//! - `compression`: compressed answers ([`Compression`](ingress_core::Compression)); without it they are sent as they are.
//!
#![doc = include_str!("../PROMISES.md")]
#![cfg_attr(test, allow(clippy::unwrap_used))]

mod body;
mod bounds;
mod captures;
#[cfg(feature = "client")]
mod client;
mod clock;
mod connection;
mod error;
mod explain;
mod future;
#[cfg(feature = "client")]
mod health;
#[cfg_attr(not(any(feature = "auth", feature = "jwt")), allow(dead_code, reason = "nothing lasts"))]
mod lasting;
mod layer;
#[cfg(feature = "tracing")]
mod log;
mod match_route;
mod policy;
mod proxy;
#[cfg(feature = "rate-limit")]
mod rate_limiter;
mod registry;
mod resource;
mod respond;
#[cfg(feature = "server")]
pub mod server;
mod service;
mod spread;
#[cfg(any(feature = "client", feature = "server"))]
mod stall;
#[cfg(feature = "tls")]
pub mod tls;
mod trusted;

pub use body::{Body, BodyError};
pub use captures::Captures;
#[cfg(feature = "client")]
pub use client::{HttpClient, HttpClientBuilder};
pub use connection::{ConnectionInfo, ServerName};
pub use error::{BoxError, Error};
pub use explain::explain;
pub use future::ResponseFuture;
#[cfg(feature = "client")]
pub use health::HealthChecker;
pub use layer::IngressLayer;
#[cfg(feature = "jwt")]
pub use policy::check_key_set;
pub use policy::{Next, PolicyRegistry};
pub use proxy::{Stalled, TimedOut, Timeouts, Unsent};
#[cfg(feature = "rate-limit")]
pub use rate_limiter::{Allowed, RateLimiter, Refused};
pub use resource::ResourceRegistry;
pub use service::{Ingress, IngressService, NotFound};
pub use spread::Chosen;
pub use trusted::TrustedProxies;

/// The client of a layer or service for which no other is named.
#[cfg(feature = "client")]
pub type DefaultClient = HttpClient;
/// The client of a layer or service for which no other is named: none without the feature `client`.
#[cfg(not(feature = "client"))]
pub type DefaultClient = std::convert::Infallible;

/// Every public type may be sent to and shared between threads, and says what it is.
#[allow(dead_code, reason = "checked by the compiler, never called")]
fn assert_auto_traits() {
    fn assert<T: std::fmt::Debug + Send + Sync>() {}
    assert::<(Body, BodyError, Captures, Chosen, ConnectionInfo, Error)>();
    assert::<(IngressLayer<()>, IngressService<()>)>();
    assert::<(
        Ingress<(), ()>,
        Next,
        NotFound,
        PolicyRegistry,
        ResourceRegistry,
        Stalled,
        TimedOut,
        Timeouts,
        TrustedProxies,
        Unsent,
    )>();
    assert::<(ResponseFuture<NotFound, Body>, ServerName)>();
    #[cfg(feature = "client")]
    assert::<(HealthChecker, HttpClient, HttpClientBuilder, IngressLayer, IngressService)>();
    #[cfg(feature = "rate-limit")]
    assert::<(Allowed, RateLimiter, Refused)>();
    #[cfg(feature = "server")]
    assert::<(server::Server, server::Drained, server::ServerStats)>();
    #[cfg(feature = "tls")]
    assert::<(tls::Tls, tls::TlsVersion, tls::CertificateError)>();
}

/// The embedding that the repository's README shows, compiled as a test.
#[cfg(all(doctest, feature = "client"))]
#[doc = include_str!("../../README.md")]
struct Readme;
