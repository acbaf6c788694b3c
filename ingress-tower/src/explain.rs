//! Why a request goes where it goes.

use http::request::Parts;
use ingress_core::{Explanation, RouteTable};

use crate::error::Kind;
use crate::{Error, match_route};

/// What the data plane does with a request under this table, and why: the same reading of its host, path,
/// fields and query, and the same lookup.
///
/// # Errors
///
/// What the data plane answers without asking the table: a host or path that cannot be taken for what it says and
/// the like ([`Error::is_refused`]), and `OPTIONS *`, which no route takes ([`Error::is_not_routed`]).
pub fn explain(table: &RouteTable, request: &Parts) -> Result<Explanation, Error> {
    let target = match_route::target(request)?.ok_or_else(|| Error::new(Kind::NotRouted))?;
    Ok(table.explain(&match_route::head(request, &target)))
}
