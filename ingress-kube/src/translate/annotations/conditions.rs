//! `match-method`, `match-header` and `match-query`: what a request must meet.
//!
//! Methods stand in a list. A header field or query parameter stands on a line of its own:
//!
//! ```text
//! x-env = canary
//! x-version ~ v[0-9]+
//! x-debug
//! ```
//!
//! A value goes to the end of its line, without the white space around it, and is compared with letter case. An
//! expression is for the whole value. A name alone takes any value. A name holds no white space, no `=` and no `~`.

use http::{HeaderName, Method, header};
use ingress_core::{Pattern, ValueMatch};

use super::{Fault, lines};

/// The most conditions of one kind, as in an HTTPRoute.
const MAX: usize = 16;

const HELP: &str = "write NAME = VALUE, NAME ~ REGEX, or NAME alone for any value";

/// A condition as it is written.
struct Line<'a> {
    number: usize,
    name: &'a str,
    value: ValueMatch,
}

pub(super) fn methods(text: &str) -> Result<Vec<Method>, Fault> {
    let mut methods = Vec::new();
    for word in text.split([',', ' ', '\t', '\n', '\r']).filter(|word| !word.is_empty()) {
        let upper = word.to_ascii_uppercase();
        match Method::from_bytes(word.as_bytes()) {
            Ok(method) if word == upper => methods.push(method),
            Ok(_) => {
                let message = unserved(&format!("methods are case-sensitive: {word:?}"));
                return Err(Fault::new(message, format!("write {upper}")));
            }
            Err(_) => {
                let message = unserved(&format!("{word:?} is no method"));
                return Err(Fault::new(message, "write methods with commas between them: GET, HEAD"));
            }
        }
    }
    bounded(methods, "write methods with commas between them: GET, HEAD")
}

pub(super) fn headers(text: &str) -> Result<Vec<(HeaderName, ValueMatch)>, Fault> {
    let mut headers: Vec<(HeaderName, ValueMatch)> = Vec::new();
    for line in lines(text).map(condition) {
        let Line { number, name, value } = line?;
        let fault =
            |what: &str, help: &str| Fault::new(unserved(&format!("line {number}: {name:?} {what}")), help);
        let Ok(header) = HeaderName::from_bytes(name.as_bytes()) else {
            return Err(fault("is no name of a header field", HELP));
        };
        if header == header::HOST {
            return Err(fault("is decided by the rule's host", "leave it out"));
        }
        if headers.iter().any(|(known, _)| *known == header) {
            return Err(fault("has a condition already", "write each name once"));
        }
        headers.push((header, value));
    }
    bounded(headers, HELP)
}

pub(super) fn queries(text: &str) -> Result<Vec<(Box<str>, ValueMatch)>, Fault> {
    let mut queries: Vec<(Box<str>, ValueMatch)> = Vec::new();
    for line in lines(text).map(condition) {
        let Line { number, name, value } = line?;
        if queries.iter().any(|(known, _)| **known == *name) {
            let message = unserved(&format!("line {number}: {name:?} has a condition already"));
            return Err(Fault::new(message, "write each name once"));
        }
        queries.push((name.into(), value));
    }
    bounded(queries, HELP)
}

fn condition((number, line): (usize, &str)) -> Result<Line<'_>, Fault> {
    let fault = |what: &str, help: &str| {
        Err(Fault::new(unserved(&format!("line {number}: {what}: {line:?}")), help.to_owned()))
    };
    let (name, operator, text) = match line.find(['=', '~']) {
        Some(at) => (line[..at].trim_end(), &line[at..=at], line[at + 1..].trim_start()),
        None => (line, "", ""),
    };
    if name.is_empty() {
        return fault("the name is missing", HELP);
    }
    if name.ends_with('!') || name.contains(char::is_whitespace) || line.contains(char::is_control) {
        return fault("this is no condition", HELP);
    }
    if !operator.is_empty() && (text.is_empty() || text.starts_with(['=', '~'])) {
        return fault("the value is missing", HELP);
    }
    let value = match operator {
        "=" => ValueMatch::Exact(text.into()),
        "~" => match Pattern::new(text) {
            Ok(pattern) => ValueMatch::Pattern(pattern),
            Err(error) => return fault(&error.to_string(), "correct the regular expression"),
        },
        _ => ValueMatch::Present,
    };
    Ok(Line { number, name, value })
}

fn bounded<T>(list: Vec<T>, help: &str) -> Result<Vec<T>, Fault> {
    match list.len() {
        0 => Err(Fault::new(unserved("there is no condition"), help)),
        count if count > MAX => {
            let message = unserved(&format!("{count} conditions are more than {MAX}"));
            Err(Fault::new(message, "leave some out"))
        }
        _ => Ok(list),
    }
}

fn unserved(what: &str) -> String {
    format!("no rule with this condition is served, because it cannot be read: {what}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown<N: AsRef<str>>(result: Result<Vec<(N, ValueMatch)>, Fault>) -> String {
        match result {
            Ok(list) => {
                let texts: Vec<_> =
                    list.iter().map(|(name, value)| format!("{}{value}", name.as_ref())).collect();
                texts.join(", ")
            }
            Err(fault) => fault.message.replace(&unserved(""), "! "),
        }
    }

    #[test]
    fn lists_of_methods() {
        let table = [
            ("GET, HEAD", "GET HEAD"),
            ("GET HEAD\nPURGE", "GET HEAD PURGE"),
            (" GET,", "GET"),
            ("get", "! methods are case-sensitive: \"get\""),
            ("GET; HEAD", "! \"GET;\" is no method"),
            ("", "! there is no condition"),
            (" , ", "! there is no condition"),
        ];
        for (text, want) in table {
            let got = match methods(text) {
                Ok(methods) => methods.iter().map(Method::as_str).collect::<Vec<_>>().join(" "),
                Err(fault) => fault.message.replace(&unserved(""), "! "),
            };
            assert_eq!(got, want, "{text:?}");
        }
    }

    #[test]
    fn lines_of_conditions() {
        let both = [
            ("x-env = canary\nx-v ~ v[0-9]+\n\n  x-debug  \n", "x-env = canary, x-v ~ v[0-9]+, x-debug"),
            ("a=b=c~d", "a = b=c~d"),
            ("a~b=c", "a ~ b=c"),
            ("a = canary; b", "a = canary; b"),
            ("a = ä b", "a = ä b"),
            ("", "! there is no condition"),
            ("a =", "! line 1: the value is missing: \"a =\""),
            ("a == b", "! line 1: the value is missing: \"a == b\""),
            ("a =~ b", "! line 1: the value is missing: \"a =~ b\""),
            ("a != b", "! line 1: this is no condition: \"a != b\""),
            ("a: b", "! line 1: this is no condition: \"a: b\""),
            ("\n= b", "! line 2: the name is missing: \"= b\""),
            ("a ~ (", "! line 1: unclosed group: \"a ~ (\""),
            ("a = x\u{7}y", "! line 1: this is no condition: \"a = x\\u{7}y\""),
            ("a\nb\na = 1", "! line 3: \"a\" has a condition already"),
        ];
        for (text, want) in both {
            assert_eq!(shown(headers(text)), want, "{text:?}");
            assert_eq!(shown(queries(text)), want, "{text:?}");
        }
        for (text, header, query) in [
            ("A = B", "a = B", "A = B"),
            ("a\nA", "! line 2: \"A\" has a condition already", "a, A"),
            ("ä = 1", "! line 1: \"ä\" is no name of a header field", "ä = 1"),
            ("Host = x", "! line 1: \"Host\" is decided by the rule's host", "Host = x"),
        ] {
            assert_eq!(shown(headers(text)), header, "{text:?}");
            assert_eq!(shown(queries(text)), query, "{text:?}");
        }
        let many: String = (0..17).map(|number| format!("a{number}\n")).collect();
        assert_eq!(shown(queries(&many)), "! 17 conditions are more than 16");
    }
}
