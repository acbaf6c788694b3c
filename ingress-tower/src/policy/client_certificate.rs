//! `authentication.certificate`: certificates of clients.

use http::Request;
use ingress_core::ClientCertificate;

use super::authentication::Verdict;
use crate::error::Kind;
use crate::{Body, Error};

/// Whether the client has the certificate that it needs; `optional` says whether it may do without.
#[cfg(feature = "tls")]
pub(super) fn check(needed: &ClientCertificate, optional: bool, request: &mut Request<Body>) -> Verdict {
    use rustls_pki_types::UnixTime;

    use crate::ConnectionInfo;
    use crate::tls::ClientChain;

    let extensions = request.extensions();
    let chain = extensions.get::<ClientChain>().cloned();
    match chain.filter(|chain| !chain.certificates().is_empty()) {
        Some(chain) => match chain.verify(&needed.trust, UnixTime::now()) {
            Ok(()) => {
                if needed.forwarded {
                    chain.introduce(request.headers_mut());
                }
                Verdict::Proved
            }
            Err(error) => Verdict::Refused(Error::with_source(Kind::NoCertificate, error)),
        },
        None if optional => Verdict::Proved,
        // On another connection the client will be asked.
        None if extensions.get::<ClientChain>().is_none()
            && extensions.get::<ConnectionInfo>().is_some_and(|info| info.tls) =>
        {
            Verdict::Refused(Error::new(Kind::Misdirected))
        }
        None => Verdict::Refused(Error::new(Kind::NoCertificate)),
    }
}

/// Without TLS nobody has one.
#[cfg(not(feature = "tls"))]
pub(super) fn check(_: &ClientCertificate, _: bool, _: &mut Request<Body>) -> Verdict {
    Verdict::Refused(Error::new(Kind::Closed))
}
