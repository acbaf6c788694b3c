//! Ruling R5: a path is normalised once; that text is matched, and that text is forwarded.

use std::borrow::Cow;

/// The path of one request, normalised; the query is no part of it.
///
/// Escapes of unreserved characters are decoded and the others written in capitals (RFC 3986 section
/// 6.2.2), dot segments are removed (section 5.2.4). Nothing is decoded twice and no slash is merged. A
/// path that needs none of this is borrowed as it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestPath<'a> {
    normal: Cow<'a, str>,
    /// Set when application servers read the path in different ways: the text before dot segments went.
    ambiguous: Option<Box<str>>,
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
}

/// One way in which an application server may read a path: a set of the four bits below.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reading(u8);

/// `//` is one slash (nginx, Go's ServeMux, most frameworks).
const MERGE: u8 = 1;
/// `%2F`, `%5C` and a backslash are slashes (IIS, some Java containers).
const SLASHES: u8 = 2;
/// `;name=value` is a parameter of its element and falls away (Java servlets).
const PARAMETERS: u8 = 4;
/// Escapes are decoded before parameters fall away, so that an escaped slash ends one.
const DECODE_FIRST: u8 = 8;

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
            return Ok(Self { normal: Cow::Borrowed("/"), ambiguous: None });
        }
        if !path.starts_with('/') {
            return Err(PathError::NotAbsolute);
        }
        let scan = scan(path.as_bytes())?;
        if !scan.rewrite {
            let ambiguous = scan.ambiguous.then(|| path.into());
            return Ok(Self { normal: Cow::Borrowed(path), ambiguous });
        }
        let (decoded, escaped_slash) = decode(path)?;
        let normal = remove_dot_segments(&decoded)?;
        let ambiguous = (scan.ambiguous || escaped_slash).then(|| decoded.into());
        Ok(Self { normal: Cow::Owned(normal), ambiguous })
    }

    /// The normalised path: what is matched, and what is forwarded.
    pub fn as_str(&self) -> &str {
        &self.normal
    }

    /// Whether [`RequestPath::as_str`] differs from the text that was parsed.
    pub fn is_rewritten(&self) -> bool {
        matches!(self.normal, Cow::Owned(_))
    }

    /// Whether application servers read this path in different ways: it holds `//`, `%2F`, `%5C`, a
    /// backslash or `;`.
    pub fn is_ambiguous(&self) -> bool {
        self.ambiguous.is_some()
    }

    /// The path as a server with these habits reads it.
    pub(crate) fn read_as(&self, reading: Reading) -> Result<String, PathError> {
        remove_dot_segments(&reading.apply(self.ambiguous.as_deref().unwrap_or(&self.normal)))
    }
}

// ===== impl Reading =====

impl Reading {
    /// Every way to read an ambiguous path but the one as it is written.
    pub(crate) fn all() -> impl Iterator<Item = Self> {
        (1..=MERGE | SLASHES | PARAMETERS | DECODE_FIRST).map(Self)
    }

    fn has(self, bits: u8) -> bool {
        self.0 & bits == bits
    }

    /// `text` has its escapes in capitals already.
    fn apply(self, text: &str) -> String {
        let mut out = String::with_capacity(text.len());
        let mut rest = text;
        let mut parameter = false;
        while let Some(c) = rest.chars().next() {
            let slash = slash_len(rest, self.has(SLASHES) && (!parameter || self.has(DECODE_FIRST)));
            parameter = slash.is_none() && (parameter || (self.has(PARAMETERS) && c == ';'));
            match slash {
                Some(_) if self.has(MERGE) && out.ends_with('/') => {}
                Some(_) => out.push('/'),
                None if parameter => {}
                None => out.push(c),
            }
            rest = &rest[slash.unwrap_or(c.len_utf8())..];
        }
        out
    }
}

/// The length of the slash that `text` begins with, if it does.
fn slash_len(text: &str, escapes: bool) -> Option<usize> {
    if text.starts_with('/') || (escapes && text.starts_with('\\')) {
        Some(1)
    } else if escapes && (text.starts_with("%2F") || text.starts_with("%5C")) {
        Some(3)
    } else {
        None
    }
}

// ===== helpers =====

struct Scan {
    /// Has an escape, a byte outside ASCII or what may be a dot segment.
    rewrite: bool,
    ambiguous: bool,
}

/// One pass over the bytes; nearly every path ends here.
fn scan(path: &[u8]) -> Result<Scan, PathError> {
    let mut scan = Scan { rewrite: false, ambiguous: false };
    let mut after_slash = false;
    for &byte in path {
        match byte {
            b'/' => {
                scan.ambiguous |= after_slash;
                after_slash = true;
                continue;
            }
            b'.' => scan.rewrite |= after_slash,
            b'%' | 0x80.. => scan.rewrite = true,
            b'\\' | b';' => scan.ambiguous = true,
            0..=b' ' | 0x7f => return Err(PathError::Control),
            _ => {}
        }
        after_slash = false;
    }
    Ok(scan)
}

/// Decodes escapes of unreserved characters and writes the others in capitals; also says whether an
/// escaped slash or backslash is left.
fn decode(path: &str) -> Result<(String, bool), PathError> {
    let bytes = path.as_bytes();
    let mut out = String::with_capacity(path.len());
    let mut escaped_slash = false;
    let mut at = 0;
    while at < bytes.len() {
        let byte = if bytes[at] == b'%' {
            let digits = bytes.get(at + 1..at + 3).ok_or(PathError::BadEscape)?;
            at += 3;
            hex(digits[0]).zip(hex(digits[1])).map(|(high, low)| high << 4 | low).ok_or(PathError::BadEscape)?
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
                escaped_slash |= matches!(byte, b'/' | b'\\');
                const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
                out.push('%');
                out.push(char::from(DIGITS[usize::from(byte >> 4)]));
                out.push(char::from(DIGITS[usize::from(byte & 15)]));
            }
        }
    }
    Ok((out, escaped_slash))
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).map(|value| value as u8)
}

/// RFC 3986 section 5.2.4, with an error where it would climb above the root in silence.
fn remove_dot_segments(path: &str) -> Result<String, PathError> {
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
        for path in ["/", "/a/b", "/a//b", "/a;x", "/a\\b"] {
            assert!(!RequestPath::parse(path).unwrap().is_rewritten(), "{path:?}");
        }
        for path in ["/%61/../b%2f", "/ä/./x", "/a//..;/b", "/a/%5c.."] {
            let once = RequestPath::parse(path).unwrap().as_str().to_owned();
            assert_eq!(RequestPath::parse(&once).unwrap().as_str(), once, "{path:?}");
        }
    }

    #[test]
    fn ambiguous_paths_and_their_readings() {
        let read = |path: &str, bits: u8| RequestPath::parse(path).unwrap().read_as(Reading(bits));
        for path in ["/a//b", "/a%2fb", "/a%5Cb", "/a\\b", "/a;x=1", "/a//../b"] {
            assert!(RequestPath::parse(path).unwrap().is_ambiguous(), "{path:?}");
        }
        for path in ["/a/b/", "/a%20b", "/%61", "/a/../b", "/a%3Bb"] {
            assert!(!RequestPath::parse(path).unwrap().is_ambiguous(), "{path:?}");
        }
        assert_eq!(read("//admin", MERGE).unwrap(), "/admin");
        assert_eq!(read("/a//../b", MERGE).unwrap(), "/b");
        assert_eq!(read("/x%2fadmin", SLASHES).unwrap(), "/x/admin");
        assert_eq!(read("/x%5c..%5cadmin", SLASHES).unwrap(), "/admin");
        assert_eq!(read("/x/..;a=b/admin", PARAMETERS).unwrap(), "/admin");
        assert_eq!(read("/x;a%2f..%2fadmin", PARAMETERS | SLASHES).unwrap(), "/x");
        assert_eq!(read("/x;a%2f..%2fadmin", PARAMETERS | SLASHES | DECODE_FIRST).unwrap(), "/admin");
        assert_eq!(read("/;/admin", PARAMETERS | MERGE).unwrap(), "/admin");
        assert_eq!(read("/..%2fadmin", SLASHES), Err(PathError::AboveRoot));
    }
}
