//! Policies that the embedding program knows.

use std::collections::BTreeMap;

/// Policies that the embedding program adds, by name, each with the text that is said for it. Whoever serves the table must
/// know each of them, and how to read its text: a route with one that it does not know is closed, for nobody knows whether
/// it was a protection.
///
/// The texts stand in dumps of a table and in logs: they are no place for secrets, but may say where one is.
///
/// ```
/// use ingress_core::Policy;
///
/// let mut policy = Policy::default();
/// policy.custom.set("example.com/api-key", "partners");
/// assert_eq!(policy.custom.get("example.com/api-key"), Some("partners"));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[cfg_attr(feature = "serde", derive(serde::Serialize), serde(transparent))]
pub struct Custom(BTreeMap<Box<str>, Box<str>>);

impl Custom {
    /// Sets the text of a policy.
    pub fn set(&mut self, name: impl Into<Box<str>>, text: impl Into<Box<str>>) {
        self.0.insert(name.into(), text.into());
    }

    /// The text of a policy, if anything is said of it.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(|text| &**text)
    }

    /// Each name and its text, in the order of the names.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, text)| (&**name, &**text))
    }

    /// What it says, and what it leaves open as `other` says it.
    pub(super) fn or(&self, other: &Self) -> Self {
        let mut all = other.0.clone();
        all.extend(self.0.clone());
        Self(all)
    }

    /// Whether it says nothing.
    pub fn is_default(&self) -> bool {
        self.0.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_policy_is_said_once() {
        let (mut own, mut other) = (Custom::default(), Custom::default());
        own.set("b", "own");
        other.set("b", "other");
        other.set("a", "other");
        assert_eq!(own.or(&other).iter().collect::<Vec<_>>(), [("a", "other"), ("b", "own")]);
        assert!(Custom::default().is_default() && own.get("a").is_none());
    }
}
