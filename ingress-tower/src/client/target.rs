//! What a connection leads to.

use std::sync::Arc;

use http::uri::Authority;
use ingress_core::UpstreamTls;

/// An endpoint, and how TLS with it is spoken if it is. Requests that agree in both may share connections.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Target {
    pub(super) authority: Authority,
    pub(super) tls: Option<Arc<UpstreamTls>>,
}
