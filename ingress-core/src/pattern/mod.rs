//! Regular expressions of other people: bounded in size, and matched in linear time.

mod sample;

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};

use regex::bytes::{Regex, RegexBuilder};

/// The longest expression, in bytes.
const MAX_LEN: usize = 1024;
/// The largest compiled program, and the largest cache of one search, in bytes.
const MAX_COMPILED: usize = 1 << 18;

/// A regular expression for a whole text: it is anchored at both ends.
///
/// The syntax is that of the `regex` crate over bytes: no look-around and no back references, so a search
/// takes time in proportion to the text. Classes such as `\w` are ASCII; `(?i)` ignores ASCII case.
///
/// Equality and order are those of the expression's text.
#[derive(Clone)]
pub struct Pattern {
    text: Box<str>,
    regex: Regex,
}

/// Why a text is not a [`Pattern`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PatternError {
    /// Longer than 1024 bytes.
    #[error("the expression is longer than {MAX_LEN} bytes")]
    TooLong,
    /// Its compiled form takes more than 256 KiB; repetitions of repetitions do that.
    #[error("the expression is too large once it is compiled; lower its repetition counts")]
    TooLarge,
    /// Not a regular expression; says where and why.
    #[error("{0}")]
    Syntax(Box<str>),
}

// ===== impl Pattern =====

impl Pattern {
    /// Compiles an expression.
    ///
    /// # Errors
    ///
    /// See [`PatternError`].
    pub fn new(text: &str) -> Result<Self, PatternError> {
        if text.len() > MAX_LEN {
            return Err(PatternError::TooLong);
        }
        // Alone first: `a)(b` would be whole inside the group.
        compile(text)?;
        // A comment of the verbose mode would swallow the bracket; a line break ends it.
        let verbose = text.contains('#') && compile(&format!("^(?:{text})$")).is_err();
        let regex = compile(&format!("^(?:{text}{})$", if verbose { "\n" } else { "" }))?;
        Ok(Self { text: text.into(), regex })
    }

    /// The expression as it was written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether the whole of `text` is what the expression describes.
    #[inline]
    pub fn is_match(&self, text: &[u8]) -> bool {
        self.regex.is_match(text)
    }

    /// A text that the expression describes, if one is easily found; variants from 0 on differ where they can.
    pub(crate) fn sample(&self, variant: usize) -> Option<String> {
        sample::sample(&self.text, variant).filter(|text| self.is_match(text.as_bytes()))
    }

    /// The names of its groups, in order; unnamed groups have the empty one.
    pub(crate) fn groups(&self) -> impl Iterator<Item = &str> {
        self.regex.capture_names().skip(1).map(Option::unwrap_or_default)
    }

    /// What each group holds, in order; `None` where the text does not match.
    pub(crate) fn captures<'t>(&self, text: &'t str) -> Option<Vec<Option<&'t str>>> {
        let found = self.regex.captures(text.as_bytes())?;
        let group = |group: Option<regex::bytes::Match<'_>>| text.get(group?.range());
        Some(found.iter().skip(1).map(group).collect())
    }
}

fn compile(text: &str) -> Result<Regex, PatternError> {
    let regex =
        RegexBuilder::new(text).unicode(false).size_limit(MAX_COMPILED).dfa_size_limit(MAX_COMPILED).build();
    regex.map_err(|error| match error {
        regex::Error::CompiledTooBig(_) => PatternError::TooLarge,
        // The last line says what is wrong, those before it draw where.
        error => {
            let text = error.to_string();
            let reason = text.lines().last().unwrap_or_default();
            PatternError::Syntax(reason.strip_prefix("error: ").unwrap_or(reason).into())
        }
    })
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for Pattern {}

impl Ord for Pattern {
    fn cmp(&self, other: &Self) -> Ordering {
        self.text.cmp(&other.text)
    }
}

impl PartialOrd for Pattern {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Hash for Pattern {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.text.hash(state);
    }
}

impl fmt::Debug for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Pattern").field(&self.text).finish()
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_whole_text_is_meant() {
        let table = [
            ("/v[0-9]+", "/v1", true),
            ("/v[0-9]+", "/v1/x", false),
            ("/v[0-9]+(/.*)?", "/v1/x", true),
            ("/a|/b", "/bc", false),
            ("/a|/b", "/b", true),
            ("(?i)/admin", "/ADMIN", true),
            ("/admin", "/ADMIN", false),
            ("", "", true),
            ("/a # x", "/a # x", true),
            ("(?x) /a # x", "/a", true),
        ];
        for (pattern, text, want) in table {
            assert_eq!(Pattern::new(pattern).unwrap().is_match(text.as_bytes()), want, "{pattern} {text}");
        }
    }

    #[test]
    fn what_is_no_pattern() {
        assert_eq!(Pattern::new(&"a".repeat(1025)), Err(PatternError::TooLong));
        assert_eq!(Pattern::new("((a{1000}){1000}){1000}"), Err(PatternError::TooLarge));
        for text in ["(", "a)(b", "[z-a]", "*", r"(?=a)", r"(a)\1"] {
            let Err(PatternError::Syntax(reason)) = Pattern::new(text) else { panic!("{text}") };
            assert!(!reason.is_empty() && !reason.contains('\n'), "{text}: {reason}");
        }
    }
}
