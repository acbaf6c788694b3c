#![doc = include_str!("../MATCHING.md")]
#![cfg_attr(test, allow(clippy::unwrap_used))]

mod backend;
mod balance;
mod diagnostic;
mod endpoint;
mod host;
mod path;
mod publish;
mod rule;
mod source;
mod table;

pub use backend::{Backend, BackendRef, BackendRefError, PortRef, ResourceRef, ServiceRef};
pub use balance::{Algorithm, Balance};
pub use diagnostic::{Code, Diagnostic, Severity};
pub use endpoint::{Endpoint, EndpointSet};
pub use host::{HostError, HostMatch, HostName, MAX_HOST_LEN, RequestHost};
pub use path::{PathError, PathMatch, PathText, RequestPath};
pub use publish::{TableReader, TableWriter, table};
pub use rule::Rule;
pub use source::{ObjectRef, Source};
#[cfg(feature = "serde")]
pub use table::TableDump;
pub use table::{AmbiguousPath, Route, RouteMatch, RouteTable, RouteTableBuilder};

/// Every public type may be sent to and shared between threads, and says what it is.
#[allow(dead_code, reason = "checked by the compiler, never called")]
fn assert_auto_traits() {
    fn assert<T: std::fmt::Debug + Send + Sync>() {}
    assert::<(Algorithm, Backend, BackendRef, Code, Diagnostic, Endpoint, EndpointSet, HostMatch)>();
    assert::<(ObjectRef, PathMatch, RequestHost, RequestPath<'_>, Route, RouteMatch<'_>, RouteTable)>();
    assert::<(RouteTableBuilder, Rule, Source, TableReader, TableWriter)>();
}
