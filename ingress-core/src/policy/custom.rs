//! Policies that the embedding program knows.

use std::collections::BTreeMap;

/// Policies that the embedding program adds, by name, each with the text that is said for it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[cfg_attr(feature = "serde", derive(serde::Serialize), serde(transparent))]
pub struct Custom(BTreeMap<Box<str>, Box<str>>);

impl Custom {
    /// Sets the text of a policy.
    pub fn set(&mut self, name: impl Into<Box<str>>, text: impl Into<Box<str>>) {
        self.0.insert(name.into(), text.into());
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
