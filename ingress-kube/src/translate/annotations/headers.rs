//! Fields of requests and answers: one a line, as they stand in a message.
//!
//! ```text
//! Strict-Transport-Security: max-age=31536000; includeSubDomains
//! X-Tenant: {tenant}
//! ```
//!
//! A name that an Ingress names is no more treated as its class says, nor as the gateway does.

use http::HeaderValue;
use ingress_core::{FieldName, Part, Policy, Template};

use super::list::{Annotation, Report, Scope, Unreadable, ValueKind};
use super::{Fault, lines, values};

/// The most fields of one annotation.
const MAX: usize = 64;

const HELP: &str = "write NAME: VALUE, one a line, such as X-Env: blue";

type Fields = Vec<(FieldName, Template)>;

pub(super) const ANNOTATIONS: &[Annotation] = &[
    Annotation {
        name: "request-headers-set",
        policy: "headers",
        meaning: "fields that endpoints are sent in place of what clients sent, one a line: NAME: VALUE",
        default: "none",
        value: ValueKind::Text,
        scope: Scope::Gateway,
        unreadable: Unreadable::LeftOut,
        read: |settings, text, report| {
            read(&mut settings.treatment.policy.headers.request.set, text, set, report)
        },
    },
    Annotation {
        name: "request-headers-add",
        policy: "headers",
        meaning: "fields that endpoints are sent besides what clients sent, one a line: NAME: VALUE",
        default: "none",
        value: ValueKind::Text,
        scope: Scope::Gateway,
        unreadable: Unreadable::LeftOut,
        read: |settings, text, report| {
            read(&mut settings.treatment.policy.headers.request.add, text, fields, report);
        },
    },
    Annotation {
        name: "request-headers-remove",
        policy: "headers",
        meaning: "fields that endpoints are not sent, such as Accept-Encoding",
        default: "none",
        value: ValueKind::Text,
        scope: Scope::Gateway,
        unreadable: Unreadable::LeftOut,
        read: |settings, text, report| {
            read(&mut settings.treatment.policy.headers.request.remove, text, names, report);
        },
    },
    Annotation {
        name: "response-headers-set",
        policy: "headers",
        meaning: "fields of answers in place of what endpoints sent, of errors of the gateway, too, one a line: NAME: VALUE",
        default: "none",
        value: ValueKind::Text,
        scope: Scope::Gateway,
        unreadable: Unreadable::LeftOut,
        read: |settings, text, report| {
            read(&mut settings.treatment.policy.headers.response.set, text, set, report);
        },
    },
    Annotation {
        name: "response-headers-add",
        policy: "headers",
        meaning: "fields of answers besides what endpoints sent, Set-Cookie, too, one a line: NAME: VALUE",
        default: "none",
        value: ValueKind::Text,
        scope: Scope::Gateway,
        unreadable: Unreadable::LeftOut,
        read: |settings, text, report| match fields_and_cookies(text) {
            Ok((fields, cookies)) => {
                let headers = &mut settings.treatment.policy.headers;
                (headers.response.add, headers.response_cookies) = (fields, cookies);
            }
            Err(fault) => _ = report(fault),
        },
    },
    Annotation {
        name: "response-headers-remove",
        policy: "headers",
        meaning: "fields that clients are not sent, such as Server, X-Powered-By",
        default: "none",
        value: ValueKind::Text,
        scope: Scope::Gateway,
        unreadable: Unreadable::LeftOut,
        read: |settings, text, report| {
            read(&mut settings.treatment.policy.headers.response.remove, text, names, report);
        },
    },
];

/// What the annotations' templates name of the path of a route, and in which annotation.
pub(super) fn captures(policy: &Policy) -> impl Iterator<Item = (&'static str, &str)> {
    let headers = &policy.headers;
    let lists = [
        ("request-headers-set", &headers.request.set),
        ("request-headers-add", &headers.request.add),
        ("response-headers-set", &headers.response.set),
        ("response-headers-add", &headers.response.add),
    ];
    let of_fields = lists
        .into_iter()
        .flat_map(|(annotation, fields)| fields.iter().map(move |(_, value)| (annotation, value)));
    let of_cookies = headers.response_cookies.iter().map(|value| ("response-headers-add", value));
    of_fields
        .chain(of_cookies)
        .flat_map(|(annotation, value)| value.captures().map(move |part| (annotation, part)))
}

/// What cannot be read leaves the place as it is.
fn read<T>(place: &mut T, text: &str, parse: fn(&str) -> Result<T, Fault>, report: Report<'_>) {
    match parse(text) {
        Ok(value) => *place = value,
        Err(fault) => _ = report(fault),
    }
}

/// Fields of which each has one value.
fn set(text: &str) -> Result<Fields, Fault> {
    let fields = fields(text)?;
    let twice = (1..fields.len()).find(|&at| fields[..at].iter().any(|(name, _)| *name == fields[at].0));
    match twice {
        Some(at) => {
            let message = format!("{} is set twice", fields[at].0);
            Err(Fault::new(message, "write each name once, or add what is more"))
        }
        None => Ok(fields),
    }
}

fn fields(text: &str) -> Result<Fields, Fault> {
    bounded(lines(text).map(|line| {
        let (fault, name, value) = field(line)?;
        let name = name.parse::<FieldName>().map_err(|error| fault(&error.to_string()))?;
        Ok((name, value))
    }))
}

/// Fields, and values of `Set-Cookie`.
fn fields_and_cookies(text: &str) -> Result<(Fields, Vec<Template>), Fault> {
    let is_cookie = |line: &str| {
        line.split_once(':').is_some_and(|(name, _)| name.trim().eq_ignore_ascii_case("set-cookie"))
    };
    let (cookies, others): (Vec<_>, Vec<_>) = lines(text).partition(|(_, line)| is_cookie(line));
    if cookies.is_empty() {
        return Ok((fields(text)?, Vec::new()));
    }
    let cookies = bounded(cookies.into_iter().map(|line| Ok(field(line)?.2)))?;
    match others.is_empty() {
        true => Ok((Vec::new(), cookies)),
        false => {
            // With empty lines in place of the cookies, the others keep their numbers.
            let text: Vec<_> = text.lines().map(|line| if is_cookie(line) { "" } else { line }).collect();
            Ok((fields(&text.join("\n"))?, cookies))
        }
    }
}

fn names(text: &str) -> Result<Vec<FieldName>, Fault> {
    let help = "write names of fields with commas between them, such as Server, X-Powered-By";
    bounded(
        values::words(text)
            .map(|word| word.parse::<FieldName>().map_err(|error| Fault::new(error.to_string(), help))),
    )
    .map_err(|fault| Fault { help: help.into(), ..fault })
}

/// Name and value of a line, and what makes a finding of what is wrong with it.
fn field<'a>(
    (number, line): (usize, &'a str),
) -> Result<(impl Fn(&str) -> Fault + use<'a>, &'a str, Template), Fault> {
    let fault = move |why: &str| Fault::new(format!("line {number}: {why}: {line:?}"), HELP);
    let Some((name, text)) = line.split_once(':') else { return Err(fault("there is no colon")) };
    let template: Template = text.trim().parse().map_err(|error| fault(&format!("{error}")))?;
    if template.parts().is_empty() {
        return Err(fault("the value is missing"));
    }
    let texts = template.parts().iter().filter_map(|part| match part {
        Part::Text(text) => Some(text),
        _ => None,
    });
    match texts.into_iter().all(|text| text.is_ascii() && HeaderValue::from_str(text).is_ok()) {
        true => Ok((fault, name.trim_end(), template)),
        false => Err(fault("the value has a character that no field may have")),
    }
}

fn bounded<T>(items: impl Iterator<Item = Result<T, Fault>>) -> Result<Vec<T>, Fault> {
    let items = items.collect::<Result<Vec<_>, _>>()?;
    match items.len() {
        0 => Err(Fault::new("no field is named", HELP)),
        count if count > MAX => {
            Err(Fault::new(format!("{count} fields are more than {MAX}"), "leave some out"))
        }
        _ => Ok(items),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(result: Result<Fields, Fault>) -> String {
        match result {
            Ok(fields) => {
                let texts: Vec<_> = fields.iter().map(|(name, value)| format!("{name}: {value}")).collect();
                texts.join(" | ")
            }
            Err(fault) => format!("! {}", fault.message),
        }
    }

    #[test]
    fn lines_of_fields() {
        for (text, want) in [
            ("X-Env: blue", "x-env: blue"),
            ("\n X-Env :  a: b \n\nx-tenant:{tenant}-{host}\n", "x-env: a: b | x-tenant: {tenant}-{host}"),
            ("X-A: {{b}}", "x-a: {{b}}"),
            ("X-A: 1\nX-A: 2", "! x-a is set twice"),
            ("", "! no field is named"),
            ("X-A", "! line 1: there is no colon: \"X-A\""),
            ("X-A:", "! line 1: the value is missing: \"X-A:\""),
            (": b", "! line 1: \"\" is no name of a header field: \": b\""),
            ("X A: b", "! line 1: \"X A\" is no name of a header field: \"X A: b\""),
            ("\nX-A: ä", "! line 2: the value has a character that no field may have: \"X-A: ä\""),
            (
                "X-A: {",
                "! line 1: a brace without its other half; write {{ or }} for a brace itself: \"X-A: {\"",
            ),
            ("X-A: a\u{7}b", "! line 1: the value has a character that no field may have: \"X-A: a\\u{7}b\""),
            ("Host: a", "! line 1: Host is changed by a rewrite only: \"Host: a\""),
            (
                "X_Forwarded_For: a",
                "! line 1: X_Forwarded_For is the gateway's to say, and cannot be changed: \"X_Forwarded_For: a\"",
            ),
            (
                "Set-Cookie: a=1",
                "! line 1: Set-Cookie holds all cookies, those of the gateway, too, and cannot be changed: \"Set-Cookie: a=1\"",
            ),
        ] {
            assert_eq!(shown(set(text)), want, "{text:?}");
        }
        assert_eq!(shown(fields("X-A: 1\nX-A: 2")), "x-a: 1 | x-a: 2");
        let many: String = (0..65).map(|number| format!("x{number}: a\n")).collect();
        assert_eq!(shown(fields(&many)), "! 65 fields are more than 64");
    }

    #[test]
    fn cookies_may_be_added() {
        let read = |text: &str| {
            let (fields, cookies) = fields_and_cookies(text).map_err(|fault| fault.message)?;
            let cookies: Vec<_> = cookies.iter().map(Template::to_string).collect();
            Ok::<_, String>((shown(Ok(fields)), cookies.join(" | ")))
        };
        let some = |fields: &str, cookies: &str| Ok((fields.to_owned(), cookies.to_owned()));
        assert_eq!(read("Set-Cookie: a=1; Secure"), some("", "a=1; Secure"));
        assert_eq!(read("x-a: 1\nset-cookie : a={host}\nSet-Cookie: b=1"), some("x-a: 1", "a={host} | b=1"));
        assert_eq!(read("Set-Cookie: a=1\nb"), Err("line 2: there is no colon: \"b\"".into()));
        assert_eq!(read("Set-Cookie:"), Err("line 1: the value is missing: \"Set-Cookie:\"".into()));
    }

    #[test]
    fn lists_of_names() {
        let read = |text: &str| names(text).map(|names| names.len()).map_err(|fault| fault.message);
        assert_eq!(read("Server, X-Powered-By\nvia-x"), Ok(3));
        assert_eq!(read(" , "), Err("no field is named".into()));
        assert_eq!(read("Server: a"), Err("\"Server:\" is no name of a header field".into()));
        assert_eq!(
            read("Connection"),
            Err("Connection is about a connection or frames messages, and cannot be changed".into())
        );
    }
}
