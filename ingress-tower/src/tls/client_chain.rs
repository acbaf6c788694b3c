//! The certificates of clients, and whether they are good.

use std::fmt;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use http::HeaderMap;
use ingress_core::Trust;
use rustls_pki_types::{CertificateDer, UnixTime};
use webpki::{EndEntityCert, KeyUsage};

use super::identity::Identity;
use super::provider;
use super::trust::Roots;

/// The most certificates that may come with a client's own. A chain has fewer.
const MAX_OTHERS: usize = 8;
/// How many verdicts a connection remembers: one for each set of authorities that its requests are checked with.
const MAX_KNOWN: usize = 8;
/// For how long a certificate is taken for bad, in seconds: it may become valid.
const BAD_FOR: u64 = 10;

/// The certificates that a client presented in its TLS handshake, its own first; it stands in the extensions of the
/// connection's requests.
///
/// [`server`](crate::server) puts it there where the client was asked for one, and then without any certificate if it gave
/// none. That the client has the key of its own was proved in the handshake; everything else about the certificates is
/// looked at when a route wants one ([`ClientCertificate`](ingress_core::ClientCertificate)). Another server that ends TLS
/// can do the same.
#[derive(Clone)]
pub struct ClientChain(Arc<Inner>);

struct Inner {
    chain: Box<[CertificateDer<'static>]>,
    known: Mutex<Vec<Known>>,
    identity: OnceLock<Identity>,
}

/// What was found out about the chain, from a second on and until before another.
struct Known {
    trust: Trust,
    verdict: Result<(), webpki::Error>,
    since: u64,
    until: u64,
}

impl ClientChain {
    /// These, the client's own first; none where it was asked and gave none.
    pub fn new(chain: impl Into<Box<[CertificateDer<'static>]>>) -> Self {
        Self(Arc::new(Inner { chain: chain.into(), known: Mutex::default(), identity: OnceLock::new() }))
    }

    /// All of them, the client's own first.
    pub fn certificates(&self) -> &[CertificateDer<'static>] {
        &self.0.chain
    }

    /// Whether these authorities have issued the certificate to a client, and it is valid at this time. Asked again, it
    /// is known for as long as all of the chain is valid.
    pub(crate) fn verify(&self, trust: &Trust, now: UnixTime) -> Result<(), webpki::Error> {
        let second = now.as_secs();
        {
            let known = self.0.known.lock().unwrap_or_else(PoisonError::into_inner);
            let mut current = known.iter().filter(|known| (known.since..known.until).contains(&second));
            if let Some(known) = current.find(|known| known.trust == *trust) {
                return known.verdict.clone();
            }
        }
        let verdict = self.check(trust, now);
        let until = match verdict {
            Ok(()) => self.valid_until(second),
            Err(_) => second.saturating_add(BAD_FOR),
        };
        let mut known = self.0.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.retain(|known| known.trust != *trust);
        if known.len() >= MAX_KNOWN {
            known.remove(0);
        }
        known.push(Known { trust: trust.clone(), verdict: verdict.clone(), since: second, until });
        verdict
    }

    fn check(&self, trust: &Trust, now: UnixTime) -> Result<(), webpki::Error> {
        let (own, others) = self.0.chain.split_first().ok_or(webpki::Error::UnknownIssuer)?;
        let roots = trust.roots::<Roots>().and_then(Roots::store).ok_or(webpki::Error::UnknownIssuer)?;
        if others.len() > MAX_OTHERS {
            return Err(webpki::Error::MaximumPathDepthExceeded);
        }
        let algorithms = provider().signature_verification_algorithms.all;
        let usage = KeyUsage::client_auth();
        let own = EndEntityCert::try_from(own)?;
        own.verify_for_usage(algorithms, &roots.roots, others, now, usage, None, None).map(drop)
    }

    /// When the first certificate ends that has not ended yet; those that have are not what it was accepted for.
    fn valid_until(&self, now: u64) -> u64 {
        let ends =
            self.0.chain.iter().map(|certificate| match x509_parser::parse_x509_certificate(certificate) {
                Ok((_, parsed)) => u64::try_from(parsed.validity().not_after.timestamp()).unwrap_or(0),
                // Asked again soon.
                Err(_) => now.saturating_add(BAD_FOR),
            });
        ends.filter(|end| *end >= now).min().unwrap_or(now).saturating_add(1)
    }

    /// Says in the fields of a request who the client is.
    pub(crate) fn introduce(&self, headers: &mut HeaderMap) {
        let Some(own) = self.0.chain.first() else { return };
        self.0.identity.get_or_init(|| Identity::of(own)).write(headers);
    }
}

impl fmt::Debug for ClientChain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientChain").field("certificates", &self.0.chain.len()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
