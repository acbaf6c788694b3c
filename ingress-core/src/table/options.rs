//! What an embedder may decide about matching that the Ingress API leaves open.

/// What happens to a request that no path of its host takes (ruling R3).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize), serde(rename_all = "lowercase"))]
pub enum HostFallthrough {
    /// A host that matches owns the request: its own default backend serves it, then that of the host-less
    /// rules, then nothing.
    #[default]
    Never,
    /// A host without a default backend leaves the request to the paths of its wildcard, and that one to
    /// those of the host-less rules. Reserved hosts never do.
    Always,
}

/// What happens to a path that application servers read in different ways (ruling R5): it holds `//`, `%2F`,
/// `%5C`, a backslash or `;`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize), serde(rename_all = "lowercase"))]
pub enum AmbiguousPaths {
    /// It is refused when two readings of it lead to different routes.
    #[default]
    Compare,
    /// It is always refused.
    Reject,
    /// It is matched as it is written. Guards that are paths, such as one on `/admin`, can then be walked
    /// around wherever a server reads the path in another way.
    Trust,
}

/// All of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Options {
    pub(super) fallthrough: HostFallthrough,
    pub(super) ambiguous: AmbiguousPaths,
}
