//! `split`: Services that share the requests of a backend.
//!
//! A line for each backend, by the Service's name: `web: web=90, web-next=10`.

use std::collections::BTreeMap;

use super::{Fault, lines};

/// The largest weight, as in an HTTPRoute.
const MAX_WEIGHT: u32 = 1_000_000;
/// The most backends of an Ingress whose requests are shared.
const MAX_BACKENDS: usize = 256;
/// The most Services behind one backend, as in an HTTPRoute.
const MAX_SHARES: usize = 16;

/// The backends, by Service, whose requests are shared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::translate) struct Splits<'a>(BTreeMap<&'a str, Shares<'a>>);

/// Services and their weights.
type Shares<'a> = Vec<(&'a str, u32)>;

impl<'a> Splits<'a> {
    pub(super) fn parse(text: &'a str) -> Result<Self, Fault> {
        let mut splits = BTreeMap::new();
        for (number, line) in lines(text) {
            let fault = |what: &str, help: &str| {
                let message = format!("nothing is split, because this cannot be read: line {number}: {what}");
                Fault::new(message, help)
            };
            let Some((service, rest)) = line.split_once(':') else {
                return Err(fault(&format!("a ':' is missing: {line:?}"), HELP));
            };
            let service = service.trim();
            if service.is_empty() {
                return Err(fault(&format!("the Service is missing: {line:?}"), HELP));
            }
            if splits.len() == MAX_BACKENDS {
                return Err(fault(
                    &format!("an Ingress splits no more than {MAX_BACKENDS} backends"),
                    "share the paths out to several Ingresses",
                ));
            }
            if splits.insert(service, shares(rest).map_err(|what| fault(&what, HELP))?).is_some() {
                return Err(fault(
                    &format!("{service:?} is split already"),
                    "write one line for each Service",
                ));
            }
        }
        match splits.is_empty() {
            true => Err(Fault::new("there is nothing to split", HELP)),
            false => Ok(Self(splits)),
        }
    }

    /// The Services that share the requests of this one.
    pub(in crate::translate) fn of(&self, service: &str) -> Option<&[(&'a str, u32)]> {
        self.0.get(service).map(|shares| &**shares)
    }

    /// The Services whose requests are shared.
    pub(in crate::translate) fn services(&self) -> impl Iterator<Item = &'a str> {
        self.0.keys().copied()
    }
}

const HELP: &str = "write SERVICE: SERVICE=WEIGHT, SERVICE=WEIGHT, such as web: web=90, web-next=10";

fn shares(text: &str) -> Result<Shares<'_>, String> {
    let mut shares: Shares<'_> = Vec::new();
    for part in text.split(',').map(str::trim) {
        let Some((name, weight)) = part.split_once('=') else {
            return Err(format!("a weight is missing: {part:?}"));
        };
        let (name, weight) = (name.trim(), weight.trim());
        if name.is_empty() {
            return Err(format!("a Service is missing: {part:?}"));
        }
        let number = weight.parse().ok().filter(|&number| number <= MAX_WEIGHT);
        let Some(number) = number else {
            return Err(format!("{weight:?} is no weight from 0 to {MAX_WEIGHT}"));
        };
        if shares.iter().any(|(known, _)| *known == name) {
            return Err(format!("{name:?} has a weight already"));
        }
        shares.push((name, number));
    }
    match shares.len() {
        count if count > MAX_SHARES => Err(format!("{count} Services are more than {MAX_SHARES}")),
        _ => Ok(shares),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_a_split() {
        let splits = Splits::parse("web: web=90, web-next=10\n\n api : api-2 = 1 \n").unwrap();
        assert_eq!(splits.of("web"), Some(&[("web", 90), ("web-next", 10)][..]));
        assert_eq!(splits.of("api"), Some(&[("api-2", 1)][..]));
        assert_eq!(splits.of("api-2"), None);
        assert_eq!(splits.services().collect::<Vec<_>>(), ["api", "web"]);
    }

    #[test]
    fn what_is_no_split() {
        let table = [
            ("", "there is nothing to split"),
            ("web", "line 1: a ':' is missing: \"web\""),
            (": a=1", "line 1: the Service is missing: \": a=1\""),
            ("web:", "line 1: a weight is missing: \"\""),
            ("web: a=1,", "line 1: a weight is missing: \"\""),
            ("web: a", "line 1: a weight is missing: \"a\""),
            ("web: =1", "line 1: a Service is missing: \"=1\""),
            ("web: a=-1", "line 1: \"-1\" is no weight from 0 to 1000000"),
            ("web: a=1000001", "line 1: \"1000001\" is no weight from 0 to 1000000"),
            ("web: a=90%", "line 1: \"90%\" is no weight from 0 to 1000000"),
            ("web: a=1, a=2", "line 1: \"a\" has a weight already"),
            ("web: a=1\nweb: b=1", "line 2: \"web\" is split already"),
        ];
        for (text, want) in table {
            let message = Splits::parse(text).unwrap_err().message;
            assert!(message.ends_with(want), "{text:?}: {message}");
        }
        let many: Vec<_> = (0..17).map(|number| format!("a{number}=1")).collect();
        let message = Splits::parse(&format!("web: {}", many.join(", "))).unwrap_err().message;
        assert!(message.ends_with("17 Services are more than 16"), "{message}");
        let lines = |count| (0..count).map(|number| format!("a{number}: b=1\n")).collect::<String>();
        assert!(Splits::parse(&lines(256)).is_ok());
        let message = Splits::parse(&lines(257)).unwrap_err().message;
        assert!(message.ends_with("line 257: an Ingress splits no more than 256 backends"), "{message}");
    }
}
