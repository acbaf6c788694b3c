//! Which annotation a name is, or was most likely meant to be.

use super::list::{ANNOTATIONS, Annotation, Scope, Unreadable};
use crate::translate::hints;

/// The annotation of this name.
pub(super) fn find(name: &str) -> Option<&'static Annotation> {
    ANNOTATIONS.iter().find(|known| known.name == name)
}

/// The names of annotations that may stand somewhere.
pub(super) fn names(may: fn(Scope) -> bool) -> impl Iterator<Item = &'static str> + Clone {
    ANNOTATIONS.iter().filter(move |known| may(known.scope)).map(|known| known.name)
}

/// What becomes of the annotation that a name was most likely meant to be.
pub(super) fn meant(name: &str) -> Unreadable {
    let similar = hints::similar(name, names(|_| true)).and_then(find);
    similar.map_or(Unreadable::LeftOut, |known| known.unreadable)
}

/// What to write instead of a name that nobody knows.
pub(super) fn instead(name: &str, domain: &str, known: impl Iterator<Item = &'static str> + Clone) -> String {
    let same = known.clone().find(|known| known.eq_ignore_ascii_case(name));
    if let Some(similar) = same.or_else(|| hints::similar(name, known.clone())) {
        return format!("write {domain}{similar}");
    }
    // What begins with the same word is what somebody looks for who guesses.
    let word = |name: &str| name.split(['-', '_']).next().unwrap_or_default().to_ascii_lowercase();
    let family = hints::list(known.clone().filter(|known| word(known) == word(name)));
    format!("leave it out; there are {}", family.or_else(|| hints::list(known)).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::super::DOMAIN;
    use super::*;

    #[test]
    fn what_a_name_was_meant_to_be() {
        for (name, want) in [
            ("allow-source-ranges", Unreadable::Closed),
            ("basic-auth-secrets", Unreadable::Closed),
            ("external-auths", Unreadable::Closed),
            ("retrys", Unreadable::LeftOut),
            ("snippet", Unreadable::LeftOut),
        ] {
            assert_eq!(meant(name), want, "{name}");
        }
    }

    #[test]
    fn names_and_meanings() {
        for (index, known) in ANNOTATIONS.iter().enumerate() {
            assert!(!known.meaning.is_empty() && !known.meaning.ends_with('.'), "{}", known.name);
            assert!(ANNOTATIONS[..index].iter().all(|other| other.name != known.name), "{}", known.name);
        }
        for (name, want) in [
            ("path_syntax", "write ingress.gateway/path-syntax"),
            ("Split", "write ingress.gateway/split"),
            ("match-headers", "write ingress.gateway/match-header"),
            ("rewrite", "leave it out; there are rewrite-prefix, rewrite-path, rewrite-host"),
            (
                "snippet",
                "leave it out; there are path-syntax, match-method, match-header, match-query, split and others",
            ),
        ] {
            assert_eq!(instead(name, DOMAIN, names(|_| true)), want);
        }
    }
}
