//! Ruling R5: a path is normalised once; that text is matched, and that text is forwarded.

use std::borrow::Cow;

use super::borders::{Borders, MarkedPath};
use super::reading::{Spellings, readings};

/// The path of one request, normalised; the query is no part of it.
///
/// Escapes of unreserved characters are decoded and the others written in capitals (RFC 3986 section
/// 6.2.2), dot segments are removed (section 5.2.4). Nothing is decoded twice and no slash is merged. A
/// path that needs none of this is borrowed as it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestPath<'a> {
    normal: Cow<'a, str>,
    borders: Borders,
    ambiguous: Spellings,
    /// Of an ambiguous path: the text before dot segments went, if that made a difference.
    dotted: Option<Box<str>>,
}

/// Why a text is not a path, or is not one that a rule may ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PathError {
    /// Does not start with `/`.
    #[error("the path does not start with '/'")]
    NotAbsolute,
    /// Holds a raw space or control character, or an escaped NUL.
    #[error("the path holds a space, a control character or NUL")]
    Control,
    /// A `%` that two hexadecimal digits do not follow.
    #[error("a '%' in the path is not followed by two hexadecimal digits")]
    BadEscape,
    /// Its `..` elements climb above the root.
    #[error("the path climbs above '/'")]
    AboveRoot,
    /// A rule's path holds `//`.
    #[error("the path holds '//'")]
    EmptyElement,
    /// A rule's path holds `.` or `..` as an element.
    #[error("the path holds '.' or '..' as an element")]
    DotElement,
    /// A rule's path holds an escaped slash.
    #[error("the path holds an escaped slash ('%2F')")]
    EscapedSlash,
    /// A template's braces are not a whole element with a name of its own.
    #[error("a name in braces is not a whole element, not of letters, digits and '_', or used twice")]
    Template,
}

// ===== impl RequestPath =====

impl<'a> RequestPath<'a> {
    /// Normalises the path of a request target. An empty path is `/` (RFC 9110 section 4.2.3).
    ///
    /// # Errors
    ///
    /// [`PathError::NotAbsolute`], [`PathError::Control`], [`PathError::BadEscape`] and
    /// [`PathError::AboveRoot`]; a server answers them with 400.
    pub fn parse(path: &'a str) -> Result<Self, PathError> {
        if path.is_empty() {
            return Ok(Self::borrowed("/", Spellings::NONE));
        }
        if !path.starts_with('/') {
            return Err(PathError::NotAbsolute);
        }
        let Scan { rewrite, mut ambiguous } = scan(path.as_bytes())?;
        if !rewrite {
            return Ok(Self::borrowed(path, ambiguous));
        }
        let decoded = decode(path, &mut ambiguous)?;
        let normal = remove_dot_segments(&decoded)?;
        let dotted = (!ambiguous.is_none() && decoded != normal).then(|| decoded.into());
        let normal = if normal == path { Cow::Borrowed(path) } else { Cow::Owned(normal) };
        Ok(Self { borders: Borders::of(&normal), normal, ambiguous, dotted })
    }

    fn borrowed(path: &'a str, ambiguous: Spellings) -> Self {
        Self { normal: Cow::Borrowed(path), borders: Borders::of(path), ambiguous, dotted: None }
    }

    #[inline]
    pub(crate) fn marked(&self) -> MarkedPath<'_> {
        MarkedPath { text: &self.normal, borders: self.borders }
    }

    /// The normalised path: what is matched, and what is forwarded.
    #[inline]
    pub fn as_str(&self) -> &str {
        &self.normal
    }

    /// Whether [`RequestPath::as_str`] differs from the text that was parsed.
    pub fn is_rewritten(&self) -> bool {
        matches!(self.normal, Cow::Owned(_))
    }

    /// Whether application servers read this path in different ways: it holds `//`, `%2F`, `%5C`, a
    /// backslash or `;`.
    #[inline]
    pub fn is_ambiguous(&self) -> bool {
        !self.ambiguous.is_none()
    }

    /// Whether `reaches` holds for every path that an application server may read this one as, besides the
    /// path as it is written.
    pub(crate) fn all_readings(&self, reaches: impl Fn(&str) -> bool) -> bool {
        self.readings().all(|path| path.is_some_and(|path| reaches(&path)))
    }

    /// All such paths; both what was received and what is forwarded are read. `None` stands for one that
    /// climbs above the root, and for all of them where they are more than one request may cost.
    pub(crate) fn readings(&self) -> impl Iterator<Item = Option<String>> {
        readings(self.ambiguous, std::iter::once(&*self.normal).chain(self.dotted.as_deref()))
    }
}

// ===== helpers =====

struct Scan {
    /// Has an escape, a byte outside ASCII or what may be a dot segment.
    rewrite: bool,
    ambiguous: Spellings,
}

/// Bits for what a byte of a path may be.
const SLASH: u8 = 1;
const DOT: u8 = 2;
/// Has to be decoded or written in another way.
const ESCAPED: u8 = 4;
const BACKSLASH: u8 = 8;
const SEMICOLON: u8 = 16;
const CONTROL: u8 = 32;

const CLASSES: [u8; 256] = {
    let mut classes = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        classes[byte] = match byte as u8 {
            b'/' => SLASH,
            b'.' => DOT,
            b'%' | 0x80.. => ESCAPED,
            b'\\' => BACKSLASH,
            b';' => SEMICOLON,
            0..=b' ' | 0x7f => CONTROL,
            _ => 0,
        };
        byte += 1;
    }
    classes
};

/// One pass over the bytes, without branches; nearly every path ends here.
fn scan(path: &[u8]) -> Result<Scan, PathError> {
    let (mut all, mut after_slash, mut before) = (0, 0, 0);
    for &byte in path {
        let class = CLASSES[usize::from(byte)];
        all |= class;
        after_slash |= class & (before & SLASH).wrapping_neg();
        before = class;
    }
    if all & CONTROL != 0 {
        return Err(PathError::Control);
    }
    let mut ambiguous = Spellings::NONE;
    let spellings = [
        (after_slash & SLASH, Spellings::DOUBLE_SLASH),
        (all & BACKSLASH, Spellings::BACKSLASH),
        (all & SEMICOLON, Spellings::PARAMETER),
    ];
    for (_, spelling) in spellings.into_iter().filter(|(found, _)| *found != 0) {
        ambiguous.add(spelling);
    }
    Ok(Scan { rewrite: all & ESCAPED != 0 || after_slash & DOT != 0, ambiguous })
}

/// Decodes escapes of unreserved characters and writes the others in capitals; notes escaped slashes.
fn decode(path: &str, ambiguous: &mut Spellings) -> Result<String, PathError> {
    let bytes = path.as_bytes();
    let mut out = String::with_capacity(path.len());
    let mut at = 0;
    while at < bytes.len() {
        let byte = if bytes[at] == b'%' {
            let digits = bytes.get(at + 1..at + 3).ok_or(PathError::BadEscape)?;
            at += 3;
            hex(digits[0])
                .zip(hex(digits[1]))
                .map(|(high, low)| high << 4 | low)
                .ok_or(PathError::BadEscape)?
        } else {
            at += 1;
            if bytes[at - 1].is_ascii() {
                out.push(char::from(bytes[at - 1]));
                continue;
            }
            bytes[at - 1]
        };
        match byte {
            0 => return Err(PathError::Control),
            b'-' | b'.' | b'_' | b'~' | b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' => out.push(char::from(byte)),
            _ => {
                match byte {
                    b'/' => ambiguous.add(Spellings::ESCAPED_SLASH),
                    b'\\' => ambiguous.add(Spellings::ESCAPED_BACKSLASH),
                    _ => {}
                }
                push_escape(&mut out, byte);
            }
        }
    }
    Ok(out)
}

fn push_escape(out: &mut String, byte: u8) {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    out.push('%');
    out.push(char::from(DIGITS[usize::from(byte >> 4)]));
    out.push(char::from(DIGITS[usize::from(byte & 15)]));
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).map(|value| value as u8)
}

/// RFC 3986 section 5.2.4, with an error where it would climb above the root in silence.
pub(super) fn remove_dot_segments(path: &str) -> Result<String, PathError> {
    let mut out = String::with_capacity(path.len());
    let mut segments = path.split('/').skip(1).peekable();
    while let Some(segment) = segments.next() {
        let last = segments.peek().is_none();
        match segment {
            "." => {}
            ".." => {
                let parent = out.rfind('/').ok_or(PathError::AboveRoot)?;
                out.truncate(parent);
            }
            _ => {
                out.push('/');
                out.push_str(segment);
                continue;
            }
        }
        if last {
            out.push('/');
        }
    }
    if out.is_empty() {
        out.push('/');
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn normal_forms() {
        let table = [
            ("", "/"),
            ("/", "/"),
            ("/a/b", "/a/b"),
            ("/a/b/", "/a/b/"),
            ("/%61dmin", "/admin"),
            ("/%7Euser", "/~user"),
            ("/a/./b", "/a/b"),
            ("/a/%2e/b", "/a/b"),
            ("/a/../b", "/b"),
            ("/a/%2E%2e/b", "/b"),
            ("/a/.%2e/b", "/b"),
            ("/a/..", "/"),
            ("/a/b/..", "/a/"),
            ("/a/.", "/a/"),
            ("/.", "/"),
            ("/.hidden", "/.hidden"),
            ("/a...", "/a..."),
            ("/...", "/..."),
            ("/a%2fb", "/a%2Fb"),
            ("/a%2520b", "/a%2520b"),
            ("/%2561", "/%2561"),
            ("/a//b", "/a//b"),
            ("/a//../b", "/a/b"),
            ("/ä", "/%C3%A4"),
            ("/%c3%a4", "/%C3%A4"),
            ("/a%20b", "/a%20b"),
            ("/a;v=1/b", "/a;v=1/b"),
        ];
        for (path, want) in table {
            assert_eq!(RequestPath::parse(path).unwrap().as_str(), want, "{path:?}");
        }
    }

    #[test]
    fn refused_paths() {
        let table = [
            ("a", PathError::NotAbsolute),
            ("*", PathError::NotAbsolute),
            ("/..", PathError::AboveRoot),
            ("/../a", PathError::AboveRoot),
            ("/a/../../b", PathError::AboveRoot),
            ("/%2e%2e/a", PathError::AboveRoot),
            ("/a%00", PathError::Control),
            ("/a\0", PathError::Control),
            ("/a\tb", PathError::Control),
            ("/a\x7f", PathError::Control),
            ("/a%", PathError::BadEscape),
            ("/a%2", PathError::BadEscape),
            ("/a%zz", PathError::BadEscape),
            ("/a%+1", PathError::BadEscape),
        ];
        for (path, want) in table {
            assert_eq!(RequestPath::parse(path), Err(want), "{path:?}");
        }
    }

    #[test]
    fn a_normal_path_is_borrowed_and_stays_the_same() {
        for path in ["/", "/a/b", "/a//b", "/a;x", "/a\\b", "/a%20b", "/.well-known/x"] {
            assert!(!RequestPath::parse(path).unwrap().is_rewritten(), "{path:?}");
        }
        for path in ["/%61/../b%2f", "/ä/./x", "/a//..;/b", "/a/%5c.."] {
            let once = RequestPath::parse(path).unwrap().as_str().to_owned();
            assert_eq!(RequestPath::parse(&once).unwrap().as_str(), once, "{path:?}");
        }
    }

    #[test]
    fn ambiguous_paths() {
        for path in ["/a//b", "/a%2fb", "/a%5Cb", "/a\\b", "/a;x=1", "/a//../b"] {
            assert!(RequestPath::parse(path).unwrap().is_ambiguous(), "{path:?}");
        }
        for path in ["/a/b/", "/a%20b", "/%61", "/a/../b", "/a%3Bb"] {
            assert!(!RequestPath::parse(path).unwrap().is_ambiguous(), "{path:?}");
        }
    }

    #[test]
    fn what_was_received_and_what_is_forwarded_are_both_read() {
        let path = RequestPath::parse("/a//..//b").unwrap();
        let read = std::cell::RefCell::new(Vec::new());
        assert!(path.all_readings(|path| {
            read.borrow_mut().push(path.to_owned());
            true
        }));
        for want in ["/b", "/a/b"] {
            assert!(read.borrow().iter().any(|path| path == want), "{want:?} in {read:?}");
        }
    }
}
