//! Each annotation with a value that can be read and with some that cannot, alone, in pairs, and on two Ingresses of one host.
#![allow(clippy::unwrap_used, reason = "a panic fails the test")]
#![cfg(feature = "manifests")]

mod common;

use std::collections::BTreeSet;
use std::net::IpAddr;

use common::findings;
use common::samples::{SAMPLES, Said, Sample, built, ingress, objects, policies, whole};
use ingress_core::{Policy, RouteTable};
use ingress_kube::{Annotation, Unreadable, annotations};
use proptest::prelude::*;
use proptest::sample::{Index, select};

fn known(sample: &Sample) -> &'static Annotation {
    annotations().iter().find(|known| known.name == sample.name).unwrap()
}

/// The findings that say that an annotation's value cannot be used.
fn invalid(table: &RouteTable) -> Vec<String> {
    findings(table).into_iter().filter(|finding| finding.starts_with("error[ING023]")).collect()
}

/// What stands in place of a value that cannot be read where that is the strictest: another value, or nothing at all.
fn strictest(name: &str) -> Option<&'static str> {
    match name {
        "access-require" => Some("all"),
        "client-certificate" => Some("required"),
        "rate-limit-exempt" => Some(""),
        "mirror-share" => Some("0"),
        "backend-verify" => Some("true"),
        "backend-ca-secret" => Some("missing"),
        "cors-allow-origin" => None,
        _ => panic!("{name}: what is the strictest?"),
    }
}

#[test]
fn there_is_one_sample_of_each_annotation() {
    let samples: BTreeSet<_> = SAMPLES.iter().map(|sample| sample.name).collect();
    let known: BTreeSet<_> = annotations().iter().map(|known| known.name).collect();
    assert_eq!((&samples, SAMPLES.len()), (&known, known.len()));
}

#[test]
fn what_can_be_read_says_something() {
    for sample in SAMPLES {
        let table = sample.table(&sample.said(Some(sample.value)));
        assert_eq!(findings(&table), <[&str; 0]>::default(), "{}", sample.name);
        let without = sample.table(&sample.said(None));
        assert!(whole(&table) != whole(&without), "{} says nothing", sample.name);
        assert!(policies(&table).iter().all(|policy| !policy.access.closed), "{}", sample.name);
    }
}

#[test]
fn what_cannot_be_read_is_found_and_becomes_what_the_annotation_says() {
    let mut faults = Vec::new();
    for sample in SAMPLES {
        let unreadable = known(sample).unreadable;
        assert_eq!(sample.unreadable.is_empty(), unreadable == Unreadable::Never, "{}", sample.name);
        let stands_in = match unreadable {
            Unreadable::Strictest => strictest(sample.name),
            _ => None,
        };
        let stands_in = whole(&sample.table(&sample.said(stands_in)));
        for value in sample.unreadable {
            let table = sample.table(&sample.said(Some(value)));
            let found = invalid(&table);
            let at = format!("metadata.annotations[ingress.gateway/{}]:", sample.name);
            let is_said = !found.is_empty() && found.iter().all(|finding| finding.contains(&at));
            let says_closed = found.iter().all(|finding| finding.contains("these paths answer 503"));
            let is_closed = policies(&table).iter().any(|policy| policy.access.closed);
            let is_right = match unreadable {
                Unreadable::LeftOut | Unreadable::Strictest => whole(&table) == stands_in,
                Unreadable::Closed => is_closed && says_closed && table.route_count() == 1,
                Unreadable::NotServed => policies(&table).is_empty(),
                _ => false,
            };
            if !is_said || !is_right || (is_closed && unreadable != Unreadable::Closed) {
                faults.push(format!("{}: {value:?}: {found:?} {:?}", sample.name, whole(&table)));
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

/// A sample, and one of its values.
fn one(of: Vec<Sample>) -> impl Strategy<Value = (Sample, &'static str)> {
    (select(of), any::<Index>()).prop_map(|(sample, index)| {
        let values: Vec<_> = sample.values().collect();
        (sample, values[index.index(values.len())])
    })
}

fn all() -> Vec<Sample> {
    SAMPLES.to_vec()
}

/// Those that keep somebody out.
fn guards() -> Vec<Sample> {
    let guarding = ["access", "client certificates", "basic authentication", "token authentication"];
    let more = ["external authentication", "client limits", "static answers", "matching", "TLS passthrough"];
    let is_guard = |sample: &Sample| {
        let policy = known(sample).policy;
        guarding.contains(&policy) || more.contains(&policy)
    };
    all().into_iter().filter(is_guard).collect()
}

/// The one that makes most of a request invisible.
fn passthrough() -> Vec<Sample> {
    all().into_iter().filter(|sample| sample.name == "tls-passthrough").collect()
}

/// Clients on whom address lists of the samples differ.
fn clients() -> [Option<IpAddr>; 4] {
    [Some([10, 0, 0, 1].into()), Some([192, 0, 2, 1].into()), Some([203, 0, 113, 1].into()), None]
}

/// What a policy keeps out, of what `said` says.
fn opens(before: &Policy, after: &Policy, said: &Said) -> Option<String> {
    let access = (&before.access, &after.access);
    if access.0.closed && !access.1.closed {
        return Some("closed".into());
    }
    if let Some(client) = clients().into_iter().find(|client| {
        (access.1.admits(*client) && !access.0.admits(*client))
            || (access.0.denies(*client) && !access.1.denies(*client))
    }) {
        return Some(format!("{client:?}"));
    }
    let (authentication, now) = (&before.authentication, &after.authentication);
    let lost = (authentication.certificate.is_some() && now.certificate.is_none())
        || (authentication.basic.is_some() && now.basic.is_none())
        || (authentication.jwt.is_some() && now.jwt.is_none())
        || (authentication.external.is_some() && now.external.is_none());
    if lost && !after.access.closed {
        return Some("authentication".into());
    }
    let any = now.any == Some(true) && said.get("access-require") != Some(&"any");
    any.then(|| "one is enough".into())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1024, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever is written beside an annotation, nobody is let in whom it keeps out.
    #[test]
    fn no_annotation_opens_what_another_closes(
        (first, value) in prop_oneof![one(guards()), one(all())],
        (second, other) in prop_oneof![one(guards()), one(all()), one(passthrough())],
    ) {
        let before = first.said(Some(value));
        let mut both = second.said(Some(other));
        both.extend(before.clone());
        let (alone, together) = (first.table(&before), built(&[objects(&Said::new()), ingress("web", "/", &both)]));
        if first.table(&before).route_count() == 0 && alone.passthroughs().next().is_none() {
            prop_assert_eq!(policies(&together).len(), 0, "{:?} opens {:?}", both, before);
        }
        for before_policy in policies(&alone) {
            for policy in policies(&together) {
                prop_assert_eq!(opens(&before_policy, &policy, &both), None, "{:?} {:?}", before, both);
            }
        }
    }

    /// What one Ingress says of its paths concerns no other Ingress of the host, in whatever order they come.
    #[test]
    fn an_ingress_says_nothing_of_the_paths_of_another((first, value) in one(all()), (second, other) in one(all())) {
        // This one is about the host as a whole.
        prop_assume!(first.name != "tls-passthrough" && second.name != "tls-passthrough");
        let objects = objects(&Said::new());
        let texts = [
            ingress("web", "/", &first.said(Some(value))),
            ingress("other", "/other", &second.said(Some(other))),
        ];
        let by_path = |table: &RouteTable| {
            let mut routes: Vec<_> = table
                .routes()
                .map(|found| (found.route.path().to_string(), found.route.conditions().to_string(), found.route.policy().cloned()))
                .collect();
            routes.sort();
            routes
        };
        let mut alone: Vec<_> =
            texts.iter().flat_map(|text| by_path(&built(&[objects.clone(), text.clone()]))).collect();
        alone.sort();
        let [web, other] = texts;
        for texts in [[objects.clone(), web.clone(), other.clone()], [other, web, objects]] {
            prop_assert_eq!(&by_path(&built(&texts)), &alone);
        }
    }
}
