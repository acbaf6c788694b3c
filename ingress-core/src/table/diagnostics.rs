//! All findings about a table.

use std::cmp::Ordering;
use std::iter;

use super::multiset::Multiset;
use crate::{Diagnostic, Source};

/// All findings about the configuration of a table, each once, in the order of objects and fields.
///
/// A clone costs nothing; those of tables that a [`TableEditor`](crate::TableEditor) makes one after another share what
/// did not change.
///
/// ```
/// use ingress_core::{Code, Diagnostic, RouteTable};
///
/// let mut rules = RouteTable::builder();
/// rules.diagnostic(Diagnostic::new(Code::NoHttp, None, "there are no paths", ""));
/// let (table, diagnostics) = rules.build();
/// assert_eq!(table.diagnostics(), &diagnostics);
/// for diagnostic in &diagnostics {
///     assert_eq!(diagnostic.code, Code::NoHttp);
/// }
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Diagnostics(pub(super) Multiset<Diagnostic>);

impl Diagnostics {
    /// The findings.
    pub fn iter(&self) -> impl Iterator<Item = &Diagnostic> {
        self.0.iter()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether nothing was found.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The findings that are not among those of `before`. It goes through both, unless they are clones.
    pub fn since<'d>(&'d self, before: &'d Self) -> impl Iterator<Item = &'d Diagnostic> {
        let same = self.0.is_same(&before.0);
        let mut now = self.iter();
        let mut known = before.iter().peekable();
        iter::from_fn(move || if same { None } else { now.next() }).filter(move |found| {
            while known.next_if(|known| known < found).is_some() {}
            known.peek().map(|known| Ord::cmp(*known, found)) != Some(Ordering::Equal)
        })
    }

    /// As these, with the lines that `locate` knows of the fields that they name.
    pub(super) fn located(&self, mut locate: impl FnMut(&Source) -> Option<u32>) -> Self {
        let located = |finding: &Diagnostic| {
            let mut finding = finding.clone();
            finding.locate(&mut locate);
            finding
        };
        self.iter().map(located).collect()
    }
}

impl FromIterator<Diagnostic> for Diagnostics {
    fn from_iter<I: IntoIterator<Item = Diagnostic>>(findings: I) -> Self {
        Self(findings.into_iter().collect())
    }
}

impl<'d> IntoIterator for &'d Diagnostics {
    type Item = &'d Diagnostic;
    type IntoIter = Box<dyn Iterator<Item = &'d Diagnostic> + 'd>;

    fn into_iter(self) -> Self::IntoIter {
        Box::new(self.iter())
    }
}

#[cfg(feature = "serde")]
impl serde::Serialize for Diagnostics {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.iter())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Code;

    #[test]
    fn what_is_new() {
        let of = |texts: &str| -> Diagnostics {
            texts.split_whitespace().map(|text| Diagnostic::new(Code::NoHttp, None, text, "")).collect()
        };
        let table = [
            ("", "", ""),
            ("a b c", "a b c", ""),
            ("a b c", "", "a b c"),
            ("", "a b", ""),
            ("a c e", "b c d", "a e"),
            ("b d", "a b c d e", ""),
        ];
        for (now, before, want) in table {
            let (now, before) = (of(now), of(before));
            let news: Vec<_> = now.since(&before).map(|found| &*found.message).collect();
            assert_eq!(news.join(" "), want);
            assert_eq!(now.since(&now.clone()).count(), 0);
        }
    }
}
