//! TLS with endpoints.

use std::sync::{Arc, OnceLock};

use ingress_core::UpstreamTls;
use rustls::ClientConfig;
use rustls_pki_types::ServerName;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::BoxError;
use crate::tls::trust::{self, Roots};

/// The settings of handshakes that no route's policy brings along, made when they are first asked for.
#[derive(Debug, Default)]
pub(super) struct Connector {
    system: OnceLock<Result<Roots, String>>,
    unverified: OnceLock<Roots>,
}

impl Connector {
    pub(super) fn new() -> Self {
        Self::default()
    }

    /// Makes the handshake and agrees upon the version of HTTP.
    pub(super) async fn secure(
        &self,
        stream: TcpStream,
        tls: &UpstreamTls,
        http2: bool,
    ) -> Result<TlsStream<TcpStream>, BoxError> {
        let name = tls.server_name.as_deref().unwrap_or_default();
        let name = ServerName::try_from(name.to_owned())?;
        let config = self.config(tls, http2)?;
        let stream = TlsConnector::from(config).connect(name, stream).await?;
        if http2 && stream.get_ref().1.alpn_protocol() != Some(b"h2") {
            return Err("the endpoint does not speak HTTP/2".into());
        }
        Ok(stream)
    }

    fn config(&self, tls: &UpstreamTls, http2: bool) -> Result<Arc<ClientConfig>, BoxError> {
        let roots = if tls.verify == Some(false) {
            self.unverified.get_or_init(trust::unverified)
        } else {
            match &tls.trust {
                Some(trust) => trust.roots().ok_or("nobody is trusted to have issued the certificate")?,
                None => self.system.get_or_init(trust::system).as_ref().map_err(|why| why.clone())?,
            }
        };
        Ok(roots.config(http2))
    }
}
