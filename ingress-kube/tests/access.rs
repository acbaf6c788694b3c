//! Who may send requests: what is said and cannot be read closes the paths, wherever it is said.
#![allow(clippy::unwrap_used, reason = "a panic fails the test")]
#![cfg(feature = "manifests")]

mod common;

use common::annotated::{class, config_map, ingress, ours, services};
use common::findings;
use ingress_core::{Access, RouteTable};
use ingress_kube::Defaults;

const PREFIX: (&str, &str) = ("Prefix", "/a");

fn of_route(table: &RouteTable) -> Access {
    table.routes().next().unwrap().route.policy().map(|policy| policy.access.clone()).unwrap_or_default()
}

fn classy(data: &str) -> String {
    class("{kind: ConfigMap, name: settings, scope: Namespace, namespace: gateway}")
        + &config_map(&format!("data: {{{data}}}"))
}

fn access(allow: Option<&str>, deny: Option<&str>, closed: bool) -> Access {
    let mut access = Access::default();
    access.allow = allow.map(|text| text.parse().unwrap());
    access.deny = deny.map(|text| text.parse().unwrap());
    access.closed = closed;
    access
}

#[test]
fn ranges_are_read_wherever_they_may_stand() {
    let both = [("allow-source-range", "10.0.0.0/8|192.0.2.1"), ("deny-source-range", "10.9.0.0/16")];
    let want = access(Some("10.0.0.0/8, 192.0.2.1"), Some("10.9.0.0/16"), false);
    let table = ours(&(services() + &ingress(&both, PREFIX, None)));
    assert_eq!((of_route(&table), findings(&table)), (want.clone(), vec![]));

    let parameters = classy("allow-source-range: '10.0.0.0/8, 192.0.2.1', deny-source-range: 10.9.0.0/16");
    let table = ours(&(services() + &parameters + &ingress(&[], PREFIX, Some("public"))));
    assert_eq!((of_route(&table), findings(&table)), (want.clone(), vec![]));
    // What the Ingress says itself comes before.
    let own = [("allow-source-range", "198.51.100.0/24")];
    let table = ours(&(services() + &parameters + &ingress(&own, PREFIX, Some("public"))));
    assert_eq!(of_route(&table), access(Some("198.51.100.0/24"), Some("10.9.0.0/16"), false));

    let mut defaults = Defaults::default();
    defaults.set("deny-source-range", "10.9.0.0/16").unwrap();
    defaults.set("deny-source-range", "everybody").unwrap_err();
    assert_eq!(defaults.policy().unwrap().access, access(None, Some("10.9.0.0/16"), false));
}

#[test]
fn ranges_that_cannot_be_read_close_the_paths() {
    for (name, text) in [
        ("allow-source-range", ""),
        ("allow-source-range", "10.0.0.0/33"),
        ("deny-source-range", "office.example"),
        ("deny-source-range", "10.0.0.0/8;"),
    ] {
        let table = ours(&(services() + &ingress(&[(name, text)], PREFIX, None)));
        assert!(of_route(&table).closed && !of_route(&table).admits(Some([10, 0, 0, 1].into())));
        let found = findings(&table);
        let at = format!("error[ING023]: Ingress default/web metadata.annotations[ingress.gateway/{name}]: ");
        assert!(found.len() == 1 && found[0].starts_with(&at), "{found:?}");
        assert!(found[0].ends_with("until then these paths answer 503"), "{found:?}");

        let parameters = classy(&format!("{name}: '{text}'"));
        let own = [("allow-source-range", "0.0.0.0/0")];
        let table = ours(&(services() + &parameters + &ingress(&own, PREFIX, Some("public"))));
        assert!(of_route(&table).closed, "a class that is closed is not opened by an Ingress");
    }
}

#[test]
fn one_of_all_or_all_of_them() {
    let any = |table: &RouteTable| {
        let routes = table.routes().next().unwrap();
        routes.route.policy().and_then(|policy| policy.authentication.any)
    };
    for (text, want) in [("any", Some(true)), (" All ", Some(false)), ("either", Some(false))] {
        let table = ours(&(services() + &ingress(&[("access-require", text)], PREFIX, None)));
        assert_eq!((any(&table), findings(&table).len()), (want, usize::from(text == "either")), "{text:?}");
    }
    // What cannot be read is the stricter word, whatever the class says.
    let parameters = classy("access-require: any");
    let own = [("access-require", "or")];
    let table = ours(&(services() + &parameters + &ingress(&own, PREFIX, Some("public"))));
    assert_eq!(any(&table), Some(false));
}

/// A misspelt name, or one where it has no effect, may have been meant to keep somebody out.
#[test]
fn what_was_most_likely_a_protection_closes_the_paths() {
    for (name, closed) in [
        ("allow-source-ranges", true),
        ("deny_source_range", true),
        ("basic-auth-secrets", true),
        ("external-auths", true),
        ("retrys", false),
        ("snippet", false),
    ] {
        let table = ours(&(services() + &ingress(&[(name, "10.0.0.0/8")], PREFIX, None)));
        let found = findings(&table);
        assert!(found.len() == 1 && found[0].contains("ING024"), "{found:?}");
        assert_eq!(found[0].ends_with("until then these paths answer 503"), closed, "{found:?}");
        assert_eq!(of_route(&table).closed, closed, "{name}");
    }
    for (key, closed) in [("basic-auth-secret", true), ("allow-source-ranges", true), ("split", false)] {
        let parameters = classy(&format!("{key}: '10.0.0.0/8'"));
        let table = ours(&(services() + &parameters + &ingress(&[], PREFIX, Some("public"))));
        assert_eq!((of_route(&table).closed, findings(&table).len()), (closed, 1), "{key}");
    }
}
