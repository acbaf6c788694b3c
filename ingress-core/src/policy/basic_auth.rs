//! Names and passwords.

use super::{OwnField, Users};

/// That a client sends a name and its password (RFC 7617). Without them, and with wrong ones, it is answered with 401.
///
/// ```
/// use ingress_core::{BasicAuth, Policy, Users};
///
/// let users: Users = "ada:$2y$10$Zn0iFHw6M4UMspdmGb7wx.YMAOVHJcZKXGTIvtmtKxtwWQIOxcWbC".parse()?;
/// let mut policy = Policy::default();
/// policy.authentication.basic = Some(BasicAuth::new(users));
/// # Ok::<(), ingress_core::UsersError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct BasicAuth {
    /// What clients are told that the password is for. Any text; control characters are left out.
    pub realm: Box<str>,
    /// Who may.
    pub users: Users,
    /// The field in which an endpoint is told the user's name; `None` is not at all.
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "Option::is_none"))]
    pub user_field: Option<OwnField>,
    /// Whether the endpoint gets the name and the password, too.
    pub forward: bool,
}

impl BasicAuth {
    /// What clients are told where nothing else is said.
    pub const REALM: &'static str = "Restricted";

    /// For these users, with the realm [`REALM`](Self::REALM). The endpoint gets neither names nor passwords.
    pub fn new(users: Users) -> Self {
        Self { realm: Self::REALM.into(), users, user_field: None, forward: false }
    }
}
