//! Which endpoint of a backend a request goes to: how they share requests, and how clients stay with one.

use std::time::Duration;

use http::HeaderName;
use ingress_core::{Affinity, AffinityCookie, Algorithm, HashKey, Policy};

use super::list::{Annotation, Scope, Unreadable, ValueKind, treat};
use super::values::{self, DAY, keyword, keyword_and_rest};
use super::{Fault, Vain, affinity_cookie};

const KEY_HELP: &str = "write source-address, host, path, header NAME, cookie NAME or query NAME";
const AFFINITY_HELP: &str = "write none, cookie, source-address or header NAME";

pub(super) const ANNOTATIONS: &[Annotation] = &[
    Annotation {
        name: "load-balance",
        policy: "balance",
        meaning: "how endpoints share requests: round-robin, random, least-request, peak-ewma, maglev or rendezvous",
        default: "`round-robin`",
        value: ValueKind::Text,
        scope: Scope::Service,
        unreadable: Unreadable::LeftOut,
        read: treat!(balancing.algorithm, algorithm),
    },
    Annotation {
        name: "hash-key",
        policy: "balance",
        meaning: "what maglev and rendezvous, and the shares of a split, go by: source-address, host, path, header NAME, cookie NAME or query NAME; without load-balance it is maglev",
        default: "`source-address`; shares go by nothing",
        value: ValueKind::Text,
        scope: Scope::Service,
        unreadable: Unreadable::LeftOut,
        read: treat!(balancing.hash_key, hash_key),
    },
    Annotation {
        name: "affinity",
        policy: "balance",
        meaning: "by what a client stays with the endpoint that it met first: none, cookie, source-address or header NAME",
        default: "`none`",
        value: ValueKind::Text,
        scope: Scope::Service,
        unreadable: Unreadable::LeftOut,
        read: treat!(balancing.affinity, affinity),
    },
    Annotation {
        name: "affinity-cookie",
        policy: "balance",
        meaning: "the cookie of affinity cookie: its name, and attributes such as Path=/; Max-Age=3600; SameSite=Lax; Secure (always HttpOnly)",
        default: "`ingress-affinity; Path=/; SameSite=Lax`",
        value: ValueKind::Text,
        scope: Scope::Service,
        unreadable: Unreadable::LeftOut,
        read: treat!(balancing.cookie, affinity_cookie::parse),
    },
    Annotation {
        name: "affinity-on-failure",
        policy: "balance",
        meaning: "whether a client of affinity cookie is given another endpoint for good where its own fails: keep, or move",
        default: "`keep`",
        value: ValueKind::Text,
        scope: Scope::Service,
        unreadable: Unreadable::LeftOut,
        read: treat!(balancing.moves_on_failure, moves_on_failure),
    },
    Annotation {
        name: "slow-start",
        policy: "balance",
        meaning: "for how long a new endpoint gets less than its share of requests, such as 30s; 0 is not at all",
        default: "`0`",
        value: ValueKind::Duration,
        scope: Scope::Service,
        unreadable: Unreadable::LeftOut,
        read: treat!(policy.slow_start.window, |text| values::time(text, Duration::ZERO..=DAY)),
    },
    Annotation {
        name: "slow-start-minimum",
        policy: "balance",
        meaning: "the part of its share that it begins with, such as 10%",
        default: "`10%`",
        value: ValueKind::Percent,
        scope: Scope::Service,
        unreadable: Unreadable::LeftOut,
        read: treat!(policy.slow_start.minimum, values::percent),
    },
];

/// What depends on each other of what is said here.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Balancing {
    pub(super) algorithm: Option<Algorithm>,
    pub(super) hash_key: Option<HashKey>,
    /// With any cookie, in the place of which [`Balancing::cookie`] is put.
    pub(super) affinity: Option<Affinity>,
    pub(super) cookie: Option<AffinityCookie>,
    pub(super) moves_on_failure: Option<bool>,
}

impl Balancing {
    /// What is said here, and what it leaves open as the place below says it. A key that is named here without an
    /// algorithm means one that hashes, whatever algorithm is named below.
    pub(super) fn over(self, below: Self) -> Self {
        let algorithm = match (self.algorithm, &self.hash_key) {
            (None, Some(_)) => Some(Algorithm::Maglev),
            (None, None) => below.algorithm(),
            (some, _) => some,
        };
        Self {
            algorithm,
            hash_key: self.hash_key.or(below.hash_key),
            affinity: self.affinity.or(below.affinity),
            cookie: self.cookie.or(below.cookie),
            moves_on_failure: self.moves_on_failure.or(below.moves_on_failure),
        }
    }

    /// Puts it into a policy, without a key that has no effect.
    pub(super) fn complete(&self, policy: &mut Policy, splits: bool) {
        policy.load_balance = self.algorithm();
        policy.hash_key = self.hash_key.clone().filter(|_| splits || self.idle_algorithm().is_none());
        policy.affinity = match &self.affinity {
            Some(Affinity::Cookie(default)) => {
                let mut cookie = self.cookie.clone().unwrap_or_else(|| default.clone());
                cookie.moves_on_failure = self.moves_on_failure.unwrap_or_default();
                Some(Affinity::Cookie(cookie))
            }
            other => other.clone(),
        };
    }

    /// What has no effect for want of something else; `splits` says whether shares of a split may go by the key.
    pub(super) fn in_vain(&self, splits: bool) -> Vec<Vain> {
        let mut vain = Vec::new();
        if let Some(algorithm) = self.idle_algorithm().filter(|_| !splits) {
            let why = format!("{algorithm} goes by no key").into();
            vain.push(Vain { name: "hash-key", why, write: "load-balance: maglev, or rendezvous" });
        }
        if !matches!(self.affinity, Some(Affinity::Cookie(_))) {
            let given = [
                ("affinity-cookie", self.cookie.is_some()),
                ("affinity-on-failure", self.moves_on_failure.is_some()),
            ];
            for (name, _) in given.into_iter().filter(|(_, given)| *given) {
                vain.push(Vain {
                    name,
                    why: "there is no affinity by cookie".into(),
                    write: "affinity: cookie, too",
                });
            }
        }
        vain
    }

    fn algorithm(&self) -> Option<Algorithm> {
        self.algorithm.clone().or_else(|| self.hash_key.as_ref().map(|_| Algorithm::Maglev))
    }

    /// The algorithm beside which the key has no effect.
    fn idle_algorithm(&self) -> Option<&Algorithm> {
        self.algorithm.as_ref().filter(|algorithm| self.hash_key.is_some() && !algorithm.is_by_key())
    }
}

fn algorithm(text: &str) -> Result<Algorithm, Fault> {
    let name = keyword(text);
    let known = Algorithm::ALL.into_iter().find(|known| known.name() == name);
    known.ok_or_else(|| {
        let names = Algorithm::ALL.map(|known| known.name());
        let (last, others) = names.split_last().unwrap_or((&"", &[]));
        let message = format!("there is no algorithm that is called {text:?}");
        Fault::new(message, format!("write {} or {last}", others.join(", ")))
    })
}

fn hash_key(text: &str) -> Result<HashKey, Fault> {
    let (word, name) = keyword_and_rest(text);
    let key = match (word.as_str(), name) {
        ("source-address", "") => HashKey::SourceAddress,
        ("host", "") => HashKey::Host,
        ("path", "") => HashKey::Path,
        ("header", name) => HashKey::Header(header(name)?),
        ("cookie", name) if values::is_token(name) => HashKey::Cookie(name.into()),
        ("cookie", name) => {
            return Err(Fault::new(format!("{name:?} is no name of a cookie"), "write cookie NAME"));
        }
        ("query", name) if is_parameter(name) => HashKey::Query(name.into()),
        ("query", name) => {
            return Err(Fault::new(format!("{name:?} is no name of a query parameter"), "write query NAME"));
        }
        _ => {
            let message = format!("no part of a request is called {:?}", text.trim());
            return Err(Fault::new(message, KEY_HELP));
        }
    };
    Ok(key)
}

fn affinity(text: &str) -> Result<Affinity, Fault> {
    match keyword_and_rest(text) {
        (word, "") if word == "none" => Ok(Affinity::None),
        (word, "") if word == "cookie" => Ok(Affinity::Cookie(affinity_cookie::default())),
        (word, "") if word == "source-address" => Ok(Affinity::Key(HashKey::SourceAddress)),
        (word, name) if word == "header" => Ok(Affinity::Key(HashKey::Header(header(name)?))),
        _ => Err(Fault::new(format!("there is no affinity {:?}", text.trim()), AFFINITY_HELP)),
    }
}

/// The name of a header field, in lower case.
fn header(name: &str) -> Result<Box<str>, Fault> {
    match HeaderName::from_bytes(name.as_bytes()) {
        Ok(name) => Ok(name.as_str().into()),
        Err(_) => Err(Fault::new(
            format!("{name:?} is no name of a header field"),
            "write header NAME, such as header X-User",
        )),
    }
}

/// Whether the text may be the name of a query parameter as it is written.
fn is_parameter(name: &str) -> bool {
    let is_other = |char: char| char.is_whitespace() || char.is_control() || "&=#".contains(char);
    !name.is_empty() && !name.contains(is_other)
}

fn moves_on_failure(text: &str) -> Result<bool, Fault> {
    match keyword(text).as_str() {
        "keep" => Ok(false),
        "move" => Ok(true),
        _ => Err(Fault::new(format!("{text:?} is neither keep nor move"), "write keep or move")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn algorithms() {
        for known in Algorithm::ALL {
            assert_eq!(algorithm(known.name()), Ok(known));
        }
        for (text, want) in [
            (" Least_Request ", Some(Algorithm::LeastRequest)),
            ("PEAK-EWMA", Some(Algorithm::PeakEwma)),
            ("custom", None),
            ("least request", None),
            ("", None),
        ] {
            assert_eq!(algorithm(text).ok(), want, "{text:?}");
        }
        assert_eq!(
            algorithm("ewma").unwrap_err(),
            Fault::new(
                "there is no algorithm that is called \"ewma\"",
                "write round-robin, random, least-request, peak-ewma, maglev or rendezvous"
            )
        );
    }

    #[test]
    fn keys() {
        for (text, want) in [
            ("source-address", Ok(HashKey::SourceAddress)),
            (" Source_Address ", Ok(HashKey::SourceAddress)),
            ("host", Ok(HashKey::Host)),
            ("path", Ok(HashKey::Path)),
            ("header  X-User", Ok(HashKey::Header("x-user".into()))),
            ("cookie Session_ID", Ok(HashKey::Cookie("Session_ID".into()))),
            ("query user[id]", Ok(HashKey::Query("user[id]".into()))),
            ("header", Err("\"\" is no name of a header field")),
            ("header a b", Err("\"a b\" is no name of a header field")),
            ("cookie a;b", Err("\"a;b\" is no name of a cookie")),
            ("query a=b", Err("\"a=b\" is no name of a query parameter")),
            ("query", Err("\"\" is no name of a query parameter")),
            ("host a.example", Err("no part of a request is called \"host a.example\"")),
            ("ip", Err("no part of a request is called \"ip\"")),
            ("", Err("no part of a request is called \"\"")),
        ] {
            assert_eq!(
                hash_key(text).map_err(|fault| fault.message),
                want.map_err(str::to_owned),
                "{text:?}"
            );
        }
    }

    #[test]
    fn affinities() {
        for (text, want) in [
            ("none", Some(Affinity::None)),
            ("Cookie", Some(Affinity::Cookie(affinity_cookie::default()))),
            ("source_address", Some(Affinity::Key(HashKey::SourceAddress))),
            ("header X-User", Some(Affinity::Key(HashKey::Header("x-user".into())))),
            ("cookie sid", None),
            ("header", None),
            ("host", None),
            ("true", None),
            ("", None),
        ] {
            assert_eq!(affinity(text).ok(), want, "{text:?}");
        }
        for (text, want) in [("keep", Some(false)), (" Move\n", Some(true)), ("stay", None), ("", None)] {
            assert_eq!(moves_on_failure(text).ok(), want, "{text:?}");
        }
    }

    /// What an Ingress says over what its class says: algorithm and key.
    #[test]
    fn one_place_over_another() {
        use Algorithm::{Maglev, Random, Rendezvous};
        let said = |algorithm: Option<Algorithm>, key: Option<HashKey>| Balancing {
            algorithm,
            hash_key: key,
            ..Balancing::default()
        };
        let (host, path) = (Some(HashKey::Host), Some(HashKey::Path));
        for (number, (here, below, want)) in [
            ((None, None), (None, None), (None, None)),
            ((None, host.clone()), (None, None), (Some(Maglev), host.clone())),
            ((None, host.clone()), (Some(Random), None), (Some(Maglev), host.clone())),
            ((None, host.clone()), (Some(Rendezvous), path.clone()), (Some(Maglev), host.clone())),
            ((None, None), (None, path.clone()), (Some(Maglev), path.clone())),
            ((None, None), (Some(Rendezvous), path.clone()), (Some(Rendezvous), path.clone())),
            ((Some(Rendezvous), None), (None, path.clone()), (Some(Rendezvous), path.clone())),
            ((Some(Random), None), (None, path.clone()), (Some(Random), None)),
            ((Some(Random), host.clone()), (None, None), (Some(Random), None)),
        ]
        .into_iter()
        .enumerate()
        {
            let balancing = said(here.0, here.1).over(said(below.0, below.1));
            let mut policy = Policy::default();
            balancing.complete(&mut policy, false);
            assert_eq!((policy.load_balance.clone(), policy.hash_key.clone()), want, "{number}");
            balancing.complete(&mut policy, true);
            assert_eq!(policy.hash_key, balancing.hash_key, "{number}");
            let vain: Vec<_> = balancing.in_vain(false).into_iter().map(|vain| vain.name).collect();
            assert_eq!(vain.is_empty(), policy.hash_key == want.1, "{number}: {vain:?}");
        }
    }
}
