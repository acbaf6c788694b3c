#![doc = include_str!("../MATCHING.md")]
#![cfg_attr(test, allow(clippy::unwrap_used))]

mod backend;
mod balance;
mod certificate;
mod condition;
mod diagnostic;
mod endpoint;
mod endpoint_id;
mod endpoint_set;
mod head;
mod host;
mod locality;
mod path;
mod pattern;
mod policy;
mod publish;
mod rule;
mod source;
mod split;
mod table;
mod vitals;

pub use backend::{Backend, BackendRef, BackendRefError, PortRef, ResourceRef, ServiceRef};
pub use balance::{Algorithm, Balance, CustomBalance, Draw, Members, Moment, hash_key};
pub use certificate::Certificate;
pub use condition::{Conditions, Unmet, ValueMatch};
pub use diagnostic::{Code, Diagnostic, Severity};
pub use endpoint::{Endpoint, EndpointAddress, EndpointState, Protocol};
pub use endpoint_id::{EndpointId, EndpointIdKey, endpoint_id_key};
pub use endpoint_set::{Choice, ChoiceRecord, ChoiceRecordError, EndpointSet, Unchosen};
pub use head::RequestHead;
pub use host::{HostError, HostMatch, HostName, MAX_HOST_LEN, RequestHost};
pub use locality::{Hints, Locality};
pub use path::{PathError, PathMatch, PathTemplate, PathText, RequestPath};
pub use pattern::{Pattern, PatternError};
pub use policy::{
    Access, Affinity, AffinityCookie, AuthMethod, Authentication, BasicAuth, Callee, CalleeAddress, Canary,
    CanaryHeader, CanaryHeaderError, ClientCertificate, ClientKey, ClientLimits, Coding, Compression, Cors,
    CorsError, CorsNames, CorsNamesError, CorsOrigins, CorsOriginsError, Custom, ErrorPages, ExternalAuth,
    ExternalAuthOptions, Failures, FieldEdits, FieldName, FieldNameError, FieldNames, FieldUse, FixedAnswer,
    FixedAnswerError, HashKey, Headers, HealthCheck, HealthProtocol, HttpsRedirect, Jwt, JwtKeySet, JwtKeys,
    Limits, Maintenance, MediaType, MediaTypeError, MediaTypes, MediaTypesError, Mirror, MirrorShare,
    Networks, NetworksError, Outlier, OwnField, OwnFieldError, Part, PasswordHash, PasswordScheme,
    PathRewrite, Period, Policy, Rate, RateError, RateLimit, Redirect, RedirectScheme, RedirectStatus,
    Retries, Rewrite, SignIn, SignInError, SlowStart, Template, TemplateError, Timeout, TokenSource, Trust,
    UpstreamTls, UserFault, Users, UsersError, Variable, Www,
};
pub use publish::{TableReader, TableWriter, table};
pub use rule::Rule;
pub use source::{ObjectRef, Source};
pub use split::{Backends, SplitRef, Turn};
#[cfg(feature = "serde")]
pub use table::TableDump;
pub use table::diff::{BackendChange, RouteChange, SampleRequest, Served, Share, TableDiff};
pub use table::explain::{
    BackendStep, EndpointStep, Explanation, HostStep, HostVerdict, Outcome, ReadingStep, RuleStep, Verdict,
};
pub use table::{
    AmbiguousPath, AmbiguousPaths, Diagnostics, HostFallthrough, Passthrough, Route, RouteMatch, RouteTable,
    RouteTableBuilder, TableEditor, UnservedRule,
};
pub use vitals::{Ending, EndpointChange, Vitals};

/// Every public type may be sent to and shared between threads, and says what it is.
#[allow(dead_code, reason = "checked by the compiler, never called")]
fn assert_auto_traits() {
    fn assert<T: std::fmt::Debug + Send + Sync>() {}
    assert::<(Algorithm, Backend, BackendRef, Certificate, Code, Diagnostic, Endpoint, EndpointSet, HostMatch)>(
    );
    assert::<(ObjectRef, PathMatch, RequestHost<'_>, RequestPath<'_>, Route<'_>, RouteMatch<'_>)>();
    assert::<(Diagnostics, RouteTable, RouteTableBuilder, Rule, Source, TableEditor, TableReader, TableWriter)>(
    );
    assert::<(
        Backends,
        Conditions,
        Pattern,
        PathTemplate,
        Policy,
        RequestHead<'_>,
        Trust,
        UnservedRule,
        ValueMatch,
    )>();
    assert::<(Choice<'_>, CustomBalance, Draw, EndpointId, Locality, Members<'_>, Moment, Vitals)>();
    assert::<(ChoiceRecord, ChoiceRecordError)>();
}
