//! Names and passwords. What cannot be read closes the paths: nobody may send requests then.

use ingress_core::{BasicAuth, OwnField, Policy, Users};
use k8s_openapi::api::core::v1::Secret;

use super::list::{Annotation, Scope, Unreadable, ValueKind, treat};
use super::named::{self, NamedSecret};
use super::{CLOSED, Fault, Vain, values};
use crate::secret;

const SECRET: &str = "basic-auth-secret";
/// Longer ones are no title of a dialog.
const MAX_REALM_LEN: usize = 128;

pub(super) const ANNOTATIONS: &[Annotation] = &[
    Annotation {
        name: SECRET,
        policy: "basic authentication",
        meaning: "the Secret whose key auth says who may send requests, a line NAME:HASH for each, as htpasswd writes it",
        default: "nobody needs a password",
        value: ValueKind::Text,
        scope: Scope::Ingress,
        unreadable: Unreadable::Closed,
        read: |settings, text, report| {
            settings.treatment.basic.is_named = true;
            match named::secret_name(text) {
                Ok(name) => settings.treatment.secrets.push(users(name)),
                Err(fault) => {
                    report(fault.closing());
                    settings.treatment.policy.access.closed = true;
                }
            }
        },
    },
    Annotation {
        name: "basic-auth-realm",
        policy: "basic authentication",
        meaning: "what clients are told that the password is for",
        default: "`Restricted`",
        value: ValueKind::Text,
        scope: Scope::Class,
        unreadable: Unreadable::LeftOut,
        read: treat!(basic.realm, realm),
    },
    Annotation {
        name: "basic-auth-user-header",
        policy: "basic authentication",
        meaning: "the header field in which the endpoint is told the name, such as X-User; what clients write there is taken out",
        default: "it is not told",
        value: ValueKind::Text,
        scope: Scope::Class,
        unreadable: Unreadable::Closed,
        read: |settings, text, report| match user_header(text) {
            Ok(field) => settings.treatment.basic.user_field = Some(field),
            Err(fault) => {
                report(fault.closing());
                settings.treatment.policy.access.closed = true;
            }
        },
    },
    Annotation {
        name: "basic-auth-forward",
        policy: "basic authentication",
        meaning: "whether the endpoint gets name and password, too: true or false",
        default: "`false`",
        value: ValueKind::Switch,
        scope: Scope::Class,
        unreadable: Unreadable::LeftOut,
        read: treat!(basic.forward, forward),
    },
];

/// What is said besides the Secret.
#[derive(Clone, Debug, Default)]
pub(super) struct BasicParts {
    /// Whether a Secret is named, be it that it can be used or not.
    is_named: bool,
    realm: Option<Box<str>>,
    user_field: Option<OwnField>,
    forward: Option<bool>,
}

impl BasicParts {
    /// Puts it beside the users of the Secret.
    pub(super) fn complete(&self, policy: &mut Policy) {
        let Some(basic) = &mut policy.authentication.basic else { return };
        if let Some(realm) = &self.realm {
            basic.realm = realm.clone();
        }
        basic.user_field = self.user_field.clone();
        basic.forward = self.forward.unwrap_or_default();
    }

    pub(super) fn in_vain(&self) -> impl Iterator<Item = Vain> {
        let said = [
            ("basic-auth-realm", self.realm.is_some()),
            ("basic-auth-user-header", self.user_field.is_some()),
            ("basic-auth-forward", self.forward.is_some()),
        ];
        let vain =
            |name| Vain { name, why: "nobody needs a password".into(), write: "basic-auth-secret, too" };
        let is_named = self.is_named;
        said.into_iter().filter(move |(_, said)| *said && !is_named).map(move |(name, _)| vain(name))
    }
}

fn users(name: Box<str>) -> NamedSecret {
    NamedSecret {
        annotation: SECRET,
        name,
        content: "auth",
        load: |secret, _, policy| {
            policy.authentication.basic = Some(BasicAuth::new(read(secret)?));
            Ok(())
        },
        without: |policy| policy.access.closed = true,
        consequence: CLOSED,
    }
}

fn read(secret: &Secret) -> Result<Users, (String, String)> {
    let help = "write a line NAME:HASH for each user into auth, as htpasswd -B makes it";
    let Some(text) = secret::users(secret) else {
        return Err(("there is no auth in it".into(), help.into()));
    };
    Users::parse(text).map_err(|error| (format!("auth: {error}"), help.into()))
}

fn realm(text: &str) -> Result<Box<str>, Fault> {
    match text.trim() {
        text if text.len() <= MAX_REALM_LEN && !text.chars().any(char::is_control) => Ok(text.into()),
        _ => Err(Fault::new(
            "the realm has control characters, or is too long",
            format!("write up to {MAX_REALM_LEN} characters in one line"),
        )),
    }
}

fn user_header(text: &str) -> Result<OwnField, Fault> {
    text.parse::<OwnField>()
        .map_err(|error| Fault::new(error.to_string(), "write the name of a field such as X-User"))
}

fn forward(text: &str) -> Result<bool, Fault> {
    values::switch(text, "")
}
