//! Copies of requests.

use std::fmt;

use crate::BackendRef;

/// That a copy of some requests is sent to another backend, whose answers nobody sees. A copy has the method, the path, the
/// fields and the body of the request as its endpoint gets it, and says so in `X-Mirrored: true`.
///
/// Copies are for trying things out: they are dropped rather than have a request wait for them.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Mirror {
    /// To which.
    #[cfg_attr(feature = "serde", serde(serialize_with = "super::callee::as_text"))]
    pub backend: BackendRef,
    /// How many of the requests are copied, chosen at random.
    pub share: MirrorShare,
}

/// A share of the requests, from none to all, in thousandths of a percent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct MirrorShare(u32);

impl Mirror {
    /// Copies all requests.
    pub fn to(backend: BackendRef) -> Self {
        Self { backend, share: MirrorShare::ALL }
    }
}

impl MirrorShare {
    /// All of them.
    pub const ALL: Self = Self(100_000);
    /// None of them.
    pub const NONE: Self = Self(0);

    /// So many thousandths of a percent; nothing beyond 100%.
    ///
    /// ```
    /// use ingress_core::MirrorShare;
    ///
    /// assert_eq!(MirrorShare::of_thousandths(2_500).unwrap().to_string(), "2.5%");
    /// assert_eq!(MirrorShare::of_thousandths(100_001), None);
    /// ```
    pub fn of_thousandths(thousandths: u32) -> Option<Self> {
        Some(Self(thousandths)).filter(|share| *share <= Self::ALL)
    }

    /// In thousandths of a percent.
    pub fn thousandths(self) -> u32 {
        self.0
    }
}

impl fmt::Display for MirrorShare {
    /// `2.5%`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (whole, decimals) = (self.0 / 1000, format!("{:03}", self.0 % 1000));
        match decimals.trim_end_matches('0') {
            "" => write!(f, "{whole}%"),
            decimals => write!(f, "{whole}.{decimals}%"),
        }
    }
}

#[cfg(feature = "serde")]
impl serde::Serialize for MirrorShare {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares() {
        for (thousandths, want) in [
            (0, Some("0%")),
            (1, Some("0.001%")),
            (10_000, Some("10%")),
            (33_300, Some("33.3%")),
            (100_000, Some("100%")),
            (100_001, None),
            (u32::MAX, None),
        ] {
            let share = MirrorShare::of_thousandths(thousandths).map(|share| share.to_string());
            assert_eq!(share.as_deref(), want);
        }
    }
}
