//! `affinity-cookie`: a name, and attributes of `Set-Cookie` (RFC 6265 section 4.1.1; `SameSite` of its successor).
//!
//! ```text
//! shop-affinity; Path=/shop; Max-Age=3600; SameSite=Strict; Secure
//! ```
//!
//! What is not written is as without the annotation: `Path=/` and `SameSite=Lax`. No script may read the cookie:
//! `HttpOnly` is always among the attributes.

use ingress_core::{AffinityCookie, HostName};

use super::Fault;
use super::values::is_token;

/// The name where none is written.
const NAME: &str = "ingress-affinity";

const HELP: &str =
    "write NAME; Path=/; Max-Age=3600; SameSite=Lax; Domain=shop.example; Secure, of these what is needed";

/// The attributes that may be written.
#[derive(Debug, Default)]
struct Attributes<'a> {
    path: Option<&'a str>,
    max_age: Option<u32>,
    same_site: Option<&'static str>,
    domain: Option<HostName>,
    secure: bool,
    http_only: bool,
}

/// The cookie where nothing is written.
pub(super) fn default() -> AffinityCookie {
    let mut cookie = AffinityCookie::new(NAME);
    cookie.of_backend = true;
    cookie
}

/// A cookie that does not move on failure.
pub(super) fn parse(text: &str) -> Result<AffinityCookie, Fault> {
    let mut parts = text.split(';').map(str::trim);
    let name = parts.next().filter(|name| !name.is_empty());
    let parts: Vec<_> = parts.filter(|part| !part.is_empty()).collect();
    if name.is_none() && parts.is_empty() {
        return Err(Fault::new("there is neither a name nor an attribute", HELP));
    }
    let name = name.unwrap_or(NAME);
    if !is_token(name) {
        return Err(Fault::new(format!("{name:?} is no name of a cookie"), HELP));
    }
    let mut attributes = Attributes::default();
    for part in parts {
        attributes.add(part)?;
    }
    attributes.check(name)?;
    let mut cookie = AffinityCookie::new(name);
    cookie.attributes = attributes.text().into();
    Ok(cookie)
}

impl<'a> Attributes<'a> {
    fn add(&mut self, part: &'a str) -> Result<(), Fault> {
        let (name, value) = match part.split_once('=') {
            Some((name, value)) => (name.trim(), Some(value.trim())),
            None => (part, None),
        };
        let new = match (name.to_ascii_lowercase().as_str(), value) {
            ("path", Some(value)) => set(&mut self.path, path(value)?),
            ("max-age", Some(value)) => set(&mut self.max_age, max_age(value)?),
            ("samesite", Some(value)) => set(&mut self.same_site, same_site(value)?),
            ("domain", Some(value)) => set(&mut self.domain, domain(value)?),
            ("secure", None) => !std::mem::replace(&mut self.secure, true),
            ("httponly", None) => !std::mem::replace(&mut self.http_only, true),
            ("path" | "max-age" | "samesite" | "domain", None) => {
                return Err(Fault::new(
                    format!("the attribute has no value: {part:?}"),
                    format!("write {name}=VALUE"),
                ));
            }
            ("secure" | "httponly", Some(_)) => {
                return Err(Fault::new(
                    format!("the attribute takes no value: {part:?}"),
                    format!("write {name}"),
                ));
            }
            _ => {
                let message = format!("there is no attribute {name:?} that the cookie may have");
                return Err(Fault::new(message, "write Path, Max-Age, SameSite, Domain, Secure or HttpOnly"));
            }
        };
        match new {
            true => Ok(()),
            false => Err(Fault::new(format!("{name} is written twice"), "write each attribute once")),
        }
    }

    /// What browsers would not take.
    fn check(&self, name: &str) -> Result<(), Fault> {
        if self.same_site == Some("None") && !self.secure {
            return Err(Fault::new(
                "browsers refuse SameSite=None without Secure",
                "write SameSite=None; Secure",
            ));
        }
        let is_prefixed =
            |prefix: &str| name.get(..prefix.len()).is_some_and(|start| start.eq_ignore_ascii_case(prefix));
        if is_prefixed("__Secure-") && !self.secure {
            let message = format!("browsers refuse {name:?} without Secure");
            return Err(Fault::new(message, format!("write {name}; Secure")));
        }
        let is_of_host = self.secure && self.domain.is_none() && self.path.is_none_or(|path| path == "/");
        if is_prefixed("__Host-") && !is_of_host {
            let message = format!(
                "browsers refuse {name:?} without Secure, with a Domain, or with another Path than /"
            );
            return Err(Fault::new(message, format!("write {name}; Secure")));
        }
        Ok(())
    }

    /// As it stands behind the value in `Set-Cookie`.
    fn text(&self) -> String {
        let (path, same_site) = (self.path.unwrap_or("/"), self.same_site.unwrap_or("Lax"));
        let mut text = format!("; Path={path}; HttpOnly; SameSite={same_site}");
        if let Some(domain) = &self.domain {
            text += &format!("; Domain={domain}");
        }
        if let Some(seconds) = self.max_age {
            text += &format!("; Max-Age={seconds}");
        }
        if self.secure {
            text += "; Secure";
        }
        text
    }
}

/// Returns whether nothing stood there before.
fn set<T>(place: &mut Option<T>, value: T) -> bool {
    place.replace(value).is_none()
}

fn path(value: &str) -> Result<&str, Fault> {
    let is_sound =
        value.starts_with('/') && value.bytes().all(|byte| byte.is_ascii() && !byte.is_ascii_control());
    is_sound.then_some(value).ok_or_else(|| {
        Fault::new(
            format!("the Path does not begin with '/', or has a character that it may not have: {value:?}"),
            "write Path=/, or another path in ASCII",
        )
    })
}

/// At least a second: browsers take less for the cookie's end.
fn max_age(value: &str) -> Result<u32, Fault> {
    let seconds = value.parse().ok().filter(|&seconds| seconds > 0 && !value.starts_with('+'));
    seconds.ok_or_else(|| {
        let message = format!("Max-Age is no number of seconds: {value:?}");
        Fault::new(message, "write Max-Age=3600 for an hour, or leave it out for as long as the browser runs")
    })
}

fn same_site(value: &str) -> Result<&'static str, Fault> {
    let known = ["Strict", "Lax", "None"].into_iter().find(|known| known.eq_ignore_ascii_case(value));
    known.ok_or_else(|| {
        Fault::new(
            format!("there is no SameSite={value}"),
            "write SameSite=Strict, SameSite=Lax or SameSite=None",
        )
    })
}

/// A leading dot makes no difference (RFC 6265 section 5.2.3).
fn domain(value: &str) -> Result<HostName, Fault> {
    value.strip_prefix('.').unwrap_or(value).parse::<HostName>().map_err(|error| {
        Fault::new(
            format!("the Domain cannot be used: {error}: {value:?}"),
            "write Domain=shop.example, or leave it out",
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_attributes() {
        let default = "; Path=/; HttpOnly; SameSite=Lax";
        assert_eq!(&*AffinityCookie::new("a").attributes, default);
        for (text, name, attributes) in [
            ("sid", "sid", default.to_owned()),
            ("; Secure", NAME, format!("{default}; Secure")),
            ("sid; HttpOnly", "sid", default.to_owned()),
            ("sid;max-age=60;", "sid", format!("{default}; Max-Age=60")),
            ("sid; path = /shop", "sid", default.replace("Path=/", "Path=/shop")),
            ("sid; SameSite=none; Secure", "sid", default.replace("Lax", "None; Secure")),
            (
                "sid; Domain=.Shop.Example; SAMESITE=Strict; Secure; Max-Age=1",
                "sid",
                "; Path=/; HttpOnly; SameSite=Strict; Domain=shop.example; Max-Age=1; Secure".into(),
            ),
            ("__Host-sid; Secure; Path=/", "__Host-sid", format!("{default}; Secure")),
        ] {
            let cookie = parse(text).unwrap();
            assert_eq!((&*cookie.name, &*cookie.attributes), (name, &*attributes), "{text:?}");
            assert!(!cookie.moves_on_failure);
        }
    }

    #[test]
    fn faults() {
        for (text, want) in [
            ("", "there is neither a name nor an attribute"),
            (" ; ", "there is neither a name nor an attribute"),
            ("a b", "\"a b\" is no name of a cookie"),
            ("Path=/", "\"Path=/\" is no name of a cookie"),
            (
                "sid; Path=shop",
                "the Path does not begin with '/', or has a character that it may not have: \"shop\"",
            ),
            (
                "sid; Path=/ä",
                "the Path does not begin with '/', or has a character that it may not have: \"/ä\"",
            ),
            (
                "sid; Path=/a\nb",
                "the Path does not begin with '/', or has a character that it may not have: \"/a\\nb\"",
            ),
            ("sid; Path", "the attribute has no value: \"Path\""),
            ("sid; Secure=1", "the attribute takes no value: \"Secure=1\""),
            ("sid; Max-Age=0", "Max-Age is no number of seconds: \"0\""),
            ("sid; Max-Age=1h", "Max-Age is no number of seconds: \"1h\""),
            ("sid; SameSite=Loose", "there is no SameSite=Loose"),
            ("sid; SameSite=None", "browsers refuse SameSite=None without Secure"),
            ("sid; Domain=10.0.0.1", "the Domain cannot be used: "),
            ("sid; Expires=never", "there is no attribute \"Expires\" that the cookie may have"),
            ("sid; Path=/; path=/", "path is written twice"),
            ("sid; Secure; secure", "secure is written twice"),
            ("__Secure-sid", "browsers refuse \"__Secure-sid\" without Secure"),
            ("__host-sid; Secure; Path=/a", "browsers refuse \"__host-sid\" without Secure"),
            ("__Host-sid; Secure; Domain=a.example", "browsers refuse \"__Host-sid\" without Secure"),
        ] {
            let message = parse(text).unwrap_err().message;
            assert!(message.starts_with(want), "{text:?}: {message}");
        }
    }
}
