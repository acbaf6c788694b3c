//! Which certificate a client sees.

use std::sync::Arc;

use ingress_core::{Certificate, TableReader};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;

/// Asks the present table.
#[derive(Debug)]
pub(super) struct CertResolver {
    reader: TableReader,
    default: Option<Certificate>,
}

impl CertResolver {
    pub(super) fn new(reader: TableReader, default: Option<Certificate>) -> Self {
        Self { reader, default }
    }
}

impl ResolvesServerCert for CertResolver {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let key = |certificate: &Certificate| certificate.key::<Arc<CertifiedKey>>().cloned();
        let found = self.reader.with(|table| table.certificate(hello.server_name()).and_then(key));
        found.or_else(|| self.default.as_ref().and_then(key))
    }
}
