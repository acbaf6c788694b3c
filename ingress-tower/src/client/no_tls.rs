//! Without the feature `tls`, endpoints that speak it cannot be reached.

use ingress_core::UpstreamTls;
use tokio::net::TcpStream;

use crate::BoxError;

#[derive(Debug)]
pub(super) struct Connector;

impl Connector {
    pub(super) fn new() -> Self {
        Self
    }

    pub(super) async fn secure(&self, _: TcpStream, _: &UpstreamTls, _: bool) -> Result<TcpStream, BoxError> {
        Err("the endpoint speaks TLS, for which the feature `tls` is needed".into())
    }
}
