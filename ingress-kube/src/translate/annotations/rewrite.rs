//! Other paths and hosts, for endpoints and for clients that are sent there. What cannot be read is left out: none of it
//! keeps anybody out.

use ingress_core::{
    HttpsRedirect, Part, PathRewrite, Policy, RedirectScheme, RedirectStatus, RequestHost, RequestPath,
    SignIn, Template, Variable, Www,
};

use super::list::{Annotation, Scope, Unreadable, ValueKind, treat};
use super::{Fault, Vain, values};

const STATUS_HELP: &str = "write 301, 302, 303, 307 or 308";
const HOST_HELP: &str = "write a host, such as next.example; {host} is the one that was asked for";

pub(super) const ANNOTATIONS: &[Annotation] = &[
    Annotation {
        name: "rewrite-prefix",
        policy: "rewrite",
        meaning: "what endpoints are asked for in place of the elements that a Prefix path names, such as /; of other paths, in place of the whole",
        default: "the path of the request",
        value: ValueKind::Text,
        scope: Scope::Class,
        unreadable: Unreadable::LeftOut,
        read: treat!(policy.rewrite.path, prefix),
    },
    Annotation {
        name: "rewrite-path",
        policy: "rewrite",
        meaning: "the path that endpoints are asked for, such as /v2/{rest}; with a ? in it also the query",
        default: "the path of the request",
        value: ValueKind::Text,
        scope: Scope::Class,
        unreadable: Unreadable::LeftOut,
        read: treat!(policy.rewrite.path, path),
    },
    Annotation {
        name: "rewrite-host",
        policy: "rewrite",
        meaning: "the Host that endpoints are asked for",
        default: "that of the request",
        value: ValueKind::Text,
        scope: Scope::Class,
        unreadable: Unreadable::LeftOut,
        read: treat!(policy.rewrite.host, rewrite_host),
    },
    Annotation {
        name: "https-redirect",
        policy: "https redirect",
        meaning: "whether clients that came without TLS are sent to https, but for ACME challenges: true (308), false, 301, 302, 307 or 308",
        default: "`false`",
        value: ValueKind::Switch,
        scope: Scope::Gateway,
        unreadable: Unreadable::LeftOut,
        read: treat!(policy.https_redirect, https),
    },
    Annotation {
        name: "www",
        policy: "www",
        meaning: "whether clients are sent to the host's name with www., add, or to that without, remove",
        default: "neither",
        value: ValueKind::Text,
        scope: Scope::Class,
        unreadable: Unreadable::LeftOut,
        read: treat!(policy.www, www),
    },
    Annotation {
        name: "redirect-scheme",
        policy: "redirect",
        meaning: "the scheme that clients are sent to: http or https",
        default: "that of the request",
        value: ValueKind::Text,
        scope: Scope::Class,
        unreadable: Unreadable::LeftOut,
        read: treat!(policy.redirect.scheme, scheme),
    },
    Annotation {
        name: "redirect-host",
        policy: "redirect",
        meaning: "the host that clients are sent to, such as next.example",
        default: "that of the request",
        value: ValueKind::Text,
        scope: Scope::Class,
        unreadable: Unreadable::LeftOut,
        read: treat!(policy.redirect.host, redirect_host),
    },
    Annotation {
        name: "redirect-port",
        policy: "redirect",
        meaning: "the port that clients are sent to",
        default: "the usual one of `redirect-scheme`, or that of the request",
        value: ValueKind::Count,
        scope: Scope::Class,
        unreadable: Unreadable::LeftOut,
        read: treat!(policy.redirect.port, port),
    },
    Annotation {
        name: "redirect-prefix",
        policy: "redirect",
        meaning: "as rewrite-prefix, for the path that clients are sent to",
        default: "the path of the request",
        value: ValueKind::Text,
        scope: Scope::Class,
        unreadable: Unreadable::LeftOut,
        read: treat!(policy.redirect.path, prefix),
    },
    Annotation {
        name: "redirect-path",
        policy: "redirect",
        meaning: "the path that clients are sent to, such as /new{path}; with a ? in it also the query",
        default: "that of the request",
        value: ValueKind::Text,
        scope: Scope::Class,
        unreadable: Unreadable::LeftOut,
        read: treat!(policy.redirect.path, path),
    },
    Annotation {
        name: "redirect-status",
        policy: "redirect",
        meaning: "the status of a redirect: 301, 302, 303, 307 or 308",
        default: "`302`",
        value: ValueKind::Count,
        scope: Scope::Class,
        unreadable: Unreadable::LeftOut,
        read: treat!(policy.redirect.status, status),
    },
];

/// What has no effect for want of something else.
pub(super) fn in_vain(policy: &Policy) -> Option<Vain> {
    let redirect = &policy.redirect;
    (redirect.status.is_some() && !redirect.leads_elsewhere()).then(|| Vain {
        name: "redirect-status",
        why: "nothing says where to".into(),
        write: "redirect-host or another redirect-*, too",
    })
}

/// What the annotations' templates name of the path of a route, and in which annotation.
pub(super) fn captures(policy: &Policy) -> impl Iterator<Item = (&'static str, &str)> {
    fn full(path: &Option<PathRewrite>) -> Option<&Template> {
        match path {
            Some(PathRewrite::Full(template)) => Some(template),
            _ => None,
        }
    }
    let external = policy.authentication.external.as_ref();
    let sign_in = external.and_then(|external| external.options.sign_in.as_ref());
    let templates = [
        ("rewrite-path", full(&policy.rewrite.path)),
        ("rewrite-host", policy.rewrite.host.as_ref()),
        ("redirect-path", full(&policy.redirect.path)),
        ("redirect-host", policy.redirect.host.as_ref()),
        ("external-auth", external.map(|external| &external.callee.path)),
        ("external-auth-sign-in", sign_in.map(SignIn::path)),
    ];
    let names = |(name, template): (_, Option<_>)| {
        template.into_iter().flat_map(Template::captures).map(move |part| (name, part))
    };
    templates.into_iter().flat_map(names)
}

/// Elements that stand for those that a route names.
fn prefix(text: &str) -> Result<PathRewrite, Fault> {
    let text = text.trim();
    let help = "write a path without variables, such as / or /v2";
    let of = |why: &str| Fault::new(format!("{why}: {text:?}"), help);
    if text.contains(['{', '}']) {
        return Err(of("the prefix has braces"));
    }
    absolute(text).map_err(|why| of(&why))?;
    if text.contains('?') {
        return Err(of("the prefix has a query"));
    }
    Ok(PathRewrite::Prefix(text.into()))
}

/// A whole path, and perhaps a query.
pub(super) fn path(text: &str) -> Result<PathRewrite, Fault> {
    let text = text.trim();
    let help = "write a path such as /v2/{rest}, where rest is a name in the path of the route";
    let of = |why: &str| Fault::new(format!("{why}: {text:?}"), help);
    let template: Template = text.parse().map_err(|error| of(&format!("{error}")))?;
    // Whatever stands in the braces, the rest must be a path.
    let sample: String = template.parts().iter().map(sample).collect();
    absolute(&sample).map_err(|why| of(&why))?;
    Ok(PathRewrite::Full(template))
}

fn sample(part: &Part) -> &str {
    match part {
        Part::Text(text) => text,
        Part::Variable(Variable::Path) => "/x",
        _ => "x",
    }
}

/// Whether the text is a path, perhaps with a query, in which nothing must be escaped and no element climbs.
fn absolute(text: &str) -> Result<(), String> {
    let path = text.split('?').next().unwrap_or_default();
    if !text.bytes().all(|byte| byte.is_ascii_graphic()) || text.contains(['#', '\\']) {
        return Err("the path has a character that must be escaped".into());
    }
    if !path.starts_with('/') {
        return Err("the path does not start with '/'".into());
    }
    let plain = path.to_ascii_lowercase().replace("%2e", ".");
    if plain.split('/').any(|element| matches!(element, "." | "..")) {
        return Err("the path has '.' or '..' as an element".into());
    }
    RequestPath::parse(path).map(|_| ()).map_err(|error| error.to_string())
}

fn rewrite_host(text: &str) -> Result<Template, Fault> {
    host(text, HOST_HELP)
}

/// The client must not choose where it is sent to, or anybody who makes a link could.
fn redirect_host(text: &str) -> Result<Template, Fault> {
    let template = host(text, HOST_HELP)?;
    let of = |why: &str| Fault::new(format!("{why}: {:?}", text.trim()), HOST_HELP);
    let has_port =
        |part: &Part| matches!(part, Part::Text(text) if text.contains(':') && !text.contains(']'));
    if template.parts().iter().any(has_port) {
        return Err(of("the port is said by redirect-port"));
    }
    let own = |part: &Part| matches!(part, Part::Text(_) | Part::Variable(Variable::Host));
    let chosen = template.parts().iter().rposition(|part| !own(part));
    let behind = chosen.and_then(|at| template.parts().get(at + 1));
    let is_below = |part: &Part| match part {
        Part::Text(text) => text.strip_prefix('.').is_some_and(|rest| rest.contains('.')),
        _ => false,
    };
    match (chosen, behind) {
        (None, _) => Ok(template),
        (Some(_), Some(behind)) if is_below(behind) => Ok(template),
        _ => Err(of("the client could choose the host")),
    }
}

fn host(text: &str, help: &str) -> Result<Template, Fault> {
    let text = text.trim();
    let of = |why: &str| Fault::new(format!("{why}: {text:?}"), help);
    let template: Template = text.parse().map_err(|error| of(&format!("{error}")))?;
    let sample: String = template.parts().iter().map(sample).collect();
    match RequestHost::parse(&sample) {
        Ok(host) if host.as_str().is_empty() => Err(of("there is no host")),
        Ok(_) => Ok(template),
        Err(error) => Err(of(&error.to_string())),
    }
}

fn https(text: &str) -> Result<HttpsRedirect, Fault> {
    let status = match values::keyword(text).as_str() {
        "true" => RedirectStatus::PermanentRedirect,
        "false" => return Ok(HttpsRedirect::Off),
        // A 303 would turn every method to GET.
        other => match status(other) {
            Ok(status) if status != RedirectStatus::SeeOther => status,
            _ => {
                let message = format!("it says neither whether nor how: {text:?}");
                return Err(Fault::new(message, "write true, false, 301, 302, 307 or 308"));
            }
        },
    };
    Ok(HttpsRedirect::With(status))
}

fn status(text: &str) -> Result<RedirectStatus, Fault> {
    let known = RedirectStatus::ALL.into_iter().find(|status| status.code().to_string() == text.trim());
    known.ok_or_else(|| Fault::new(format!("{text:?} is no status of a redirect"), STATUS_HELP))
}

fn www(text: &str) -> Result<Www, Fault> {
    match values::keyword(text).as_str() {
        "add" => Ok(Www::Add),
        "remove" => Ok(Www::Remove),
        _ => Err(Fault::new(format!("{text:?} is neither add nor remove"), "write add or remove")),
    }
}

fn scheme(text: &str) -> Result<RedirectScheme, Fault> {
    match values::keyword(text).as_str() {
        "http" => Ok(RedirectScheme::Http),
        "https" => Ok(RedirectScheme::Https),
        _ => Err(Fault::new(format!("{text:?} is neither http nor https"), "write http or https")),
    }
}

fn port(text: &str) -> Result<u16, Fault> {
    let port = values::count(text, 1..=u32::from(u16::MAX))?;
    u16::try_from(port).map_err(|_| Fault::new("the port is too large", "write a port"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths() {
        for (text, want) in [
            ("/", true),
            (" /v2/{rest}\n", true),
            ("/v2?x={1}", true),
            ("/v2?", true),
            ("{path}", true),
            ("/a/..b/{id}", true),
            ("", false),
            ("v2", false),
            ("{rest}", false),
            ("?a", false),
            ("/{", false),
            ("/{a b}", false),
            ("/a b", false),
            ("/a\r\nX: y", false),
            ("/ä", false),
            ("/a#b", false),
            ("/a\\b", false),
            ("/a/../b", false),
            ("/%2E%2e/b", false),
            ("/a%zz", false),
        ] {
            assert_eq!(path(text).is_ok(), want, "{text:?}");
        }
        for (text, want) in [
            ("/", true),
            ("/v2", true),
            ("", false),
            ("v2", false),
            ("/{a}", false),
            ("/?a", false),
            ("/..", false),
        ] {
            assert_eq!(prefix(text).is_ok(), want, "{text:?}");
        }
    }

    #[test]
    fn hosts() {
        for (text, rewrites, redirects) in [
            ("next.example", true, true),
            (" {host} ", true, true),
            ("www.{host}", true, true),
            ("[2001:db8::1]", true, true),
            ("next.example:81", true, false),
            ("{tenant}.shop.example", true, true),
            ("{tenant}", true, false),
            ("shop.{tenant}", true, false),
            ("{tenant}.example", true, false),
            ("{tenant}example.com", true, false),
            ("{path}", false, false),
            ("", false, false),
            ("a b", false, false),
            ("a/b", false, false),
            ("user@a", false, false),
            ("https://a.example", false, false),
            ("a\r\nb", false, false),
            ("{", false, false),
        ] {
            let found = (rewrite_host(text).is_ok(), redirect_host(text).is_ok());
            assert_eq!(found, (rewrites, redirects), "{text:?}");
        }
    }

    #[test]
    fn words_and_numbers() {
        let with = |status| Some(HttpsRedirect::With(status));
        for (text, want) in [
            ("true", with(RedirectStatus::PermanentRedirect)),
            ("301", with(RedirectStatus::MovedPermanently)),
            ("False", Some(HttpsRedirect::Off)),
            ("303", None),
            ("200", None),
            ("yes", None),
            ("", None),
        ] {
            assert_eq!(https(text).ok(), want, "{text:?}");
        }
        assert_eq!(["add", "Remove", "", "both"].map(|text| www(text).is_ok()), [true, true, false, false]);
        assert_eq!(["https", "HTTP", "ftp"].map(|text| scheme(text).is_ok()), [true, true, false]);
        assert_eq!(["1", "65535", "0", "65536"].map(|text| port(text).is_ok()), [true, true, false, false]);
        assert_eq!(
            ["302", "308", "304", "+302"].map(|text| status(text).is_ok()),
            [true, true, false, false]
        );
    }
}
