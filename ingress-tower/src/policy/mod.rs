//! What a route's policy asks for, one file each. Requests of other routes pass none of it.
//!
//! [`serve`] is the order in which it happens.

mod access;
mod aside;
mod authentication;
mod bandwidth;
mod basic_auth;
mod body_size;
mod challenge;
mod client_certificate;
mod client_limits;
#[cfg_attr(not(feature = "compression"), path = "no_compression.rs")]
mod compression;
mod cors;
mod custom;
mod deadline;
mod error_pages;
mod external_auth;
mod fixed;
mod forward;
mod headers;
mod jwt;
#[cfg(feature = "jwt")]
mod jwt_keys;
#[cfg(feature = "jwt")]
mod jwt_source;
#[cfg(feature = "jwt")]
mod jwt_token;
mod mirror;
mod next;
mod open;
mod own_fields;
#[cfg(feature = "auth")]
mod password_hash;
#[cfg(feature = "auth")]
mod passwords;
mod prepared;
#[cfg(feature = "rate-limit")]
mod rated;
#[cfg(not(feature = "rate-limit"))]
#[path = "no_rated.rs"]
mod rated;
mod redirect;
mod retry;
mod rewrite;
mod serve;
mod tee;
mod treated;
mod verdicts;

use rewrite::Facts;

pub(crate) use client_limits::Counts;
pub use custom::PolicyRegistry;
pub(crate) use deadline::by;
pub(crate) use external_auth::Said;
pub(crate) use forward::forward;
#[cfg(feature = "jwt")]
pub(crate) use jwt_keys::KeySets;
#[cfg(feature = "jwt")]
pub use jwt_keys::check_key_set;
#[cfg(feature = "jwt")]
pub(crate) use jwt_source::KeySources;
pub(crate) use mirror::Mirrors;
pub use next::Next;
pub(crate) use open::Permit;
#[cfg(feature = "auth")]
pub(crate) use passwords::Passwords;
pub(crate) use prepared::Prepared;
pub(crate) use retry::{Budgets, Retry};
pub(crate) use rewrite::prefix;
pub(crate) use serve::{Call, serve};
pub(crate) use treated::{Combinations, Treated, of};
pub(crate) use verdicts::Verdicts;
