//! Objects that annotations name.

use ingress_core::{BackendRef, Policy, PortRef, Trust};
use k8s_openapi::api::core::v1::Secret;

use super::Fault;
use crate::{Config, secret};

/// What comes of a Secret that cannot be used, where it says who may have issued the certificates of endpoints.
pub(super) const UNTRUSTED: &str = "no endpoint is trusted";

/// A Secret that an annotation names, in the namespace of the object that it stands on.
#[derive(Clone, Debug)]
pub(in crate::translate) struct NamedSecret {
    pub(in crate::translate) annotation: &'static str,
    pub(in crate::translate) name: Box<str>,
    /// The keys that are read, for a help text.
    pub(in crate::translate) content: &'static str,
    pub(in crate::translate) load: LoadSecret,
    /// What becomes of the policy if that fails.
    pub(in crate::translate) without: fn(&mut Policy),
    /// The same in words, behind `so`.
    pub(in crate::translate) consequence: &'static str,
}

/// Puts what is in a Secret into a policy, or says what is wrong with it, and what to write instead.
pub(in crate::translate) type LoadSecret = fn(&Secret, &Config, &mut Policy) -> Result<(), (String, String)>;

/// A Service that an annotation names, in the namespace of the object that it stands on.
#[derive(Clone, Debug)]
pub(in crate::translate) struct NamedService {
    pub(in crate::translate) annotation: &'static str,
    pub(in crate::translate) name: Box<str>,
    pub(in crate::translate) port: PortRef,
    /// Puts the backend into the policy, in which the rest of the annotation's value is.
    pub(in crate::translate) put: fn(&mut Policy, BackendRef),
}

/// The name of a Secret.
pub(super) fn secret_name(text: &str) -> Result<Box<str>, Fault> {
    match text.trim() {
        "" => Err(Fault::new("no Secret is named", "write the name of a Secret")),
        name if name.contains('/') => Err(Fault::new(
            format!("the Secret must be in the same namespace: {name:?}"),
            "write just its name",
        )),
        name => Ok(name.into()),
    }
}

/// The Secret of `backend-ca-secret`. Where it cannot be read, no endpoint is trusted: requests for those that speak TLS
/// are answered with 502.
pub(super) fn backend_ca(name: Box<str>) -> NamedSecret {
    NamedSecret {
        annotation: "backend-ca-secret",
        name,
        content: "ca.crt",
        load: |secret, config, policy| {
            policy.tls.trust = Some(trust(secret, config)?);
            Ok(())
        },
        without: |policy| policy.tls.trust = Some(Trust::none()),
        consequence: UNTRUSTED,
    }
}

/// The authorities in a Secret.
pub(super) fn trust(secret: &Secret, config: &Config) -> Result<Trust, (String, String)> {
    let Some(load) = config.load_trust else {
        return Err(("TLS is not spoken here".into(), "leave the annotation out".into()));
    };
    let help = || "write the certificates of the authorities into ca.crt, as PEM".into();
    let pem = secret::authorities(secret).ok_or_else(|| ("there is no ca.crt in it".into(), help()))?;
    load(pem).map_err(|error| (crate::translate::causes(&*error), help()))
}
