//! How application servers read ambiguous paths (ruling R5).
//!
//! Servers differ in what is a slash to them, in whether they cut parameters off, and in whether they merge
//! slashes; what they do one after another, they do in different orders. Here every combination that makes a
//! difference for a path is tried.

use super::normalize::{PathError, remove_dot_segments};

/// The readings of one path are together at most this long, in bytes: a limit to the work that one request
/// can cause. It takes ten kilobytes with `%2F` alone, and four hundred bytes with every odd spelling at once.
const MAX_WORK: usize = 1 << 15;

/// The ambiguous spellings in a path, or those of them that a server acts upon.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Spellings(u8);

/// One way to read a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Reading {
    /// What is a slash besides the slash.
    slashes: Spellings,
    parameters: Parameters,
    merge: Merge,
}

/// `;name=value` is a parameter of its element to servlets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Parameters {
    Kept,
    /// Cut off before escapes are decoded: only a raw slash ends a parameter.
    CutFirst,
    /// Cut off after escapes are decoded: any slash ends a parameter.
    CutLast,
}

/// `//` is one slash to nginx, Go and most frameworks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Merge {
    Never,
    BeforeDots,
    AfterDots,
}

// ===== impl Spellings =====

impl Spellings {
    pub(super) const NONE: Self = Self(0);
    pub(super) const DOUBLE_SLASH: Self = Self(1);
    pub(super) const PARAMETER: Self = Self(2);
    pub(super) const BACKSLASH: Self = Self(4);
    pub(super) const ESCAPED_SLASH: Self = Self(8);
    pub(super) const ESCAPED_BACKSLASH: Self = Self(16);
    const SLASHES: Self = Self(4 | 8 | 16);

    pub(super) fn add(&mut self, other: Self) {
        self.0 |= other.0;
    }

    pub(super) fn is_none(self) -> bool {
        self == Self::NONE
    }

    fn has(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// Every set of those slashes that occur.
    fn slash_sets(self) -> impl Iterator<Item = Self> {
        (0..=Self::SLASHES.0).map(Self).filter(move |&set| Self(self.0 & Self::SLASHES.0).has(set))
    }
}

// ===== impl Reading =====

impl Reading {
    /// The ways to read a path with these spellings but the one as it is written, each once.
    fn all(found: Spellings) -> impl Iterator<Item = Self> {
        let readings = found.slash_sets().flat_map(move |slashes| {
            let parameters = [Parameters::Kept, Parameters::CutFirst, Parameters::CutLast];
            let parameters = parameters.into_iter().filter(move |parameters| match parameters {
                Parameters::Kept => true,
                Parameters::CutFirst => found.has(Spellings::PARAMETER),
                Parameters::CutLast => found.has(Spellings::PARAMETER) && !slashes.is_none(),
            });
            parameters.flat_map(move |parameters| {
                let merges = [Merge::Never, Merge::BeforeDots, Merge::AfterDots].into_iter();
                merges.map(move |merge| Self { slashes, parameters, merge })
            })
        });
        readings.filter(move |reading| {
            let changes_nothing_else = reading.slashes.is_none() && reading.parameters == Parameters::Kept;
            !changes_nothing_else || (reading.merge != Merge::Never && found.has(Spellings::DOUBLE_SLASH))
        })
    }

    /// `text` is ASCII and has its escapes in capitals.
    fn apply(self, text: &str) -> Result<String, PathError> {
        let mut out = String::with_capacity(text.len());
        let mut rest = text.as_bytes();
        let mut parameter = false;
        while let [byte, ..] = *rest {
            let any_slash = !parameter || self.parameters == Parameters::CutLast;
            let len = self.slash_len(rest).filter(|_| any_slash || byte == b'/');
            match len {
                Some(_) => {
                    parameter = false;
                    push_slash(&mut out, self.merge == Merge::BeforeDots);
                }
                None => {
                    parameter |= byte == b';' && self.parameters != Parameters::Kept;
                    out.extend((!parameter).then_some(char::from(byte)));
                }
            }
            rest = &rest[len.unwrap_or(1)..];
        }
        let resolved = remove_dot_segments(&out)?;
        Ok(if self.merge == Merge::AfterDots { merged(&resolved) } else { resolved })
    }

    /// The length of the slash that `text` begins with, if it does.
    fn slash_len(self, text: &[u8]) -> Option<usize> {
        let (spelling, len) = match text {
            [b'/', ..] => return Some(1),
            [b'\\', ..] => (Spellings::BACKSLASH, 1),
            [b'%', b'2', b'F', ..] => (Spellings::ESCAPED_SLASH, 3),
            [b'%', b'5', b'C', ..] => (Spellings::ESCAPED_BACKSLASH, 3),
            _ => return None,
        };
        self.slashes.has(spelling).then_some(len)
    }
}

// ===== helpers =====

/// The other readings of `texts`, all of which are the same path; `None` stands for a reading that is no path,
/// and for all of them when they are too many.
pub(super) fn readings<'t>(
    found: Spellings,
    texts: impl Iterator<Item = &'t str> + Clone + 't,
) -> impl Iterator<Item = Option<String>> + 't {
    let length: usize = texts.clone().map(str::len).sum();
    let too_long = length.saturating_mul(Reading::all(found).count()) > MAX_WORK;
    let readings = Reading::all(found).filter(move |_| !too_long);
    let each = readings.flat_map(move |reading| texts.clone().map(move |text| reading.apply(text).ok()));
    too_long.then_some(None).into_iter().chain(each)
}

fn push_slash(out: &mut String, merge: bool) {
    if !(merge && out.ends_with('/')) {
        out.push('/');
    }
}

fn merged(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if c == '/' { push_slash(&mut out, true) } else { out.push(c) }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str, slashes: u8, parameters: Parameters, merge: Merge) -> Result<String, PathError> {
        Reading { slashes: Spellings(slashes), parameters, merge }.apply(text)
    }

    #[test]
    fn each_habit() {
        use Merge::{AfterDots, BeforeDots, Never};
        use Parameters::{CutFirst, CutLast, Kept};
        let all = Spellings::SLASHES.0;
        let table = [
            ("//admin", 0, Kept, BeforeDots, "/admin"),
            ("/a//../b", 0, Kept, Never, "/a/b"),
            ("/a//../b", 0, Kept, BeforeDots, "/b"),
            ("/a//..//b", 0, Kept, AfterDots, "/a/b"),
            ("/x%2Fadmin", all, Kept, Never, "/x/admin"),
            ("/x%5C..%5Cadmin", all, Kept, Never, "/admin"),
            ("/x\\..%2Fb", Spellings::BACKSLASH.0, Kept, Never, "/x/..%2Fb"),
            ("/x/..;a=b/admin", 0, CutFirst, Never, "/admin"),
            ("/x;a%2F..%2Fadmin", all, CutFirst, Never, "/x"),
            ("/x;a%2F..%2Fadmin", all, CutLast, Never, "/admin"),
            ("/;/admin", 0, CutFirst, BeforeDots, "/admin"),
            ("/x%3Ba", all, CutLast, BeforeDots, "/x%3Ba"),
        ];
        for (text, slashes, parameters, merge, want) in table {
            assert_eq!(
                read(text, slashes, parameters, merge).as_deref(),
                Ok(want),
                "{text:?} {slashes} {merge:?}"
            );
        }
        assert_eq!(read("/..%2Fadmin", all, Kept, Never), Err(PathError::AboveRoot));
    }

    #[test]
    fn only_readings_that_make_a_difference() {
        let count = |found: &[Spellings]| {
            let mut all = Spellings::NONE;
            found.iter().for_each(|&one| all.add(one));
            Reading::all(all).count()
        };
        assert_eq!(count(&[]), 0);
        assert_eq!(count(&[Spellings::DOUBLE_SLASH]), 2);
        assert_eq!(count(&[Spellings::PARAMETER]), 3);
        assert_eq!(count(&[Spellings::ESCAPED_SLASH]), 3);
        assert_eq!(count(&[Spellings::ESCAPED_SLASH, Spellings::DOUBLE_SLASH]), 5);
        assert_eq!(count(&[Spellings::ESCAPED_SLASH, Spellings::PARAMETER]), 12);
        assert_eq!(count(&[Spellings(31)]), 68);
    }
}
