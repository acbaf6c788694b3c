//! Certificates of clients. What cannot be read leaves nobody in.

use ingress_core::{ClientCertificate, Policy};

use super::list::{Annotation, Scope, Unreadable, ValueKind, read_to};
use super::named::{self, NamedSecret};
use super::{CLOSED, Fault, Vain, values};

const SECRET: &str = "client-ca-secret";

pub(super) const ANNOTATIONS: &[Annotation] = &[
    Annotation {
        name: SECRET,
        policy: "client certificates",
        meaning: "the Secret whose ca.crt says who may have issued the certificates of clients; with it a client needs one",
        default: "no client is asked for a certificate",
        value: ValueKind::Text,
        scope: Scope::Ingress,
        unreadable: Unreadable::Closed,
        read: |settings, text, report| match named::secret_name(text) {
            Ok(name) => {
                settings.treatment.client_certificate.ca_is_named = true;
                settings.treatment.secrets.push(client_ca(name));
            }
            Err(fault) => {
                report(fault.closing());
                settings.treatment.client_certificate.ca_is_named = true;
                settings.treatment.policy.access.closed = true;
            }
        },
    },
    Annotation {
        name: "client-certificate",
        policy: "client certificates",
        meaning: "whether clients without a certificate are refused, required, or served like those with a good one, optional",
        default: "`required`",
        value: ValueKind::Text,
        scope: Scope::Ingress,
        unreadable: Unreadable::Strictest,
        read: |settings, text, report| {
            let optional = optional(text).unwrap_or_else(|fault| {
                report(fault);
                false
            });
            settings.treatment.client_certificate.optional = Some(optional);
        },
    },
    Annotation {
        name: "client-certificate-headers",
        policy: "client certificates",
        meaning: "whether endpoints are told of the certificate in Client-Cert, X-Client-Cert-Subject, X-Client-Cert-SAN and X-Client-Cert-Fingerprint: true or false",
        default: "`true`",
        value: ValueKind::Switch,
        scope: Scope::Ingress,
        unreadable: Unreadable::LeftOut,
        read: |settings, text, report| {
            read_to(&mut settings.treatment.client_certificate.forwarded, text, forwarded, report);
        },
    },
];

/// What is said besides who may have issued the certificates.
#[derive(Clone, Debug, Default)]
pub(super) struct Wanted {
    /// Whether the Secret is named, readable or not.
    ca_is_named: bool,
    optional: Option<bool>,
    forwarded: Option<bool>,
}

impl Wanted {
    /// Completes a policy into which the Secret has been read. Who requires certificates and does not say whose lets nobody
    /// in.
    pub(super) fn complete(&self, policy: &mut Policy) {
        if let Some(certificate) = &mut policy.authentication.certificate {
            certificate.optional = self.optional.unwrap_or(certificate.optional);
            certificate.forwarded = self.forwarded.unwrap_or(certificate.forwarded);
        }
        policy.access.closed |= self.is_incomplete();
    }

    fn is_incomplete(&self) -> bool {
        !self.ca_is_named && self.optional == Some(false)
    }

    /// What has no effect for want of the Secret.
    pub(super) fn in_vain(&self) -> Vec<Vain> {
        if self.ca_is_named {
            return Vec::new();
        }
        let vain = |name, is_incomplete: bool| Vain {
            name,
            why: match is_incomplete {
                true => format!("nothing says who may issue certificates, so {CLOSED}").into(),
                false => "nothing says who may issue certificates".into(),
            },
            write: "client-ca-secret, too",
        };
        let stance = self.optional.map(|_| vain("client-certificate", self.is_incomplete()));
        stance.into_iter().chain(self.forwarded.map(|_| vain("client-certificate-headers", false))).collect()
    }
}

/// The Secret of `client-ca-secret`.
fn client_ca(name: Box<str>) -> NamedSecret {
    NamedSecret {
        annotation: SECRET,
        name,
        content: "ca.crt",
        load: |secret, config, policy| {
            policy.authentication.certificate = Some(ClientCertificate::new(named::trust(secret, config)?));
            Ok(())
        },
        without: |policy| policy.access.closed = true,
        consequence: CLOSED,
    }
}

/// What cannot be read is taken for the stricter word.
fn optional(text: &str) -> Result<bool, Fault> {
    match values::keyword(text).as_str() {
        "required" => Ok(false),
        "optional" => Ok(true),
        _ => Err(Fault::new(
            format!("{text:?} is neither required nor optional, so certificates are required"),
            "write required or optional",
        )),
    }
}

fn forwarded(text: &str) -> Result<bool, Fault> {
    values::switch(text, ", so it has no effect")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words() {
        for (text, want) in [
            ("required", Some(false)),
            (" Optional\n", Some(true)),
            ("on", None),
            ("", None),
            ("optional_no_ca", None),
        ] {
            assert_eq!(optional(text).ok(), want, "{text:?}");
        }
        assert_eq!(
            ["true", " false ", "yes", ""].map(|text| forwarded(text).ok()),
            [Some(true), Some(false), None, None]
        );
    }
}
