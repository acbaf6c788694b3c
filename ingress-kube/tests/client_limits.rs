//! How much each client may ask for: what is read, whose it is, and what closes the paths.
#![allow(clippy::unwrap_used, reason = "a panic fails the test")]
#![cfg(feature = "manifests")]

mod common;

use std::num::{NonZeroU32, NonZeroU64};

use common::annotated::{class, config_map, ingress, ours, services};
use common::findings;
use ingress_core::{ClientKey, ClientLimits, Networks, Policy, RateLimit, RouteTable};
use ingress_kube::Defaults;
use serde_json::json;

const PREFIX: (&str, &str) = ("Prefix", "/a");
const ALL: [(&str, &str); 7] = [
    ("rate-limit", "600/m"),
    ("rate-limit-burst", "20"),
    ("rate-limit-key", "header X-User"),
    ("rate-limit-exempt", "10.0.0.0/8, 192.0.2.1"),
    ("concurrency-limit", "5"),
    ("bandwidth-limit", "1MiB"),
    ("bandwidth-limit-after", "10MiB"),
];

fn of_route(table: &RouteTable) -> Policy {
    table.routes().next().unwrap().route.policy().map(|policy| (**policy).clone()).unwrap_or_default()
}

fn classy(pairs: &[(&str, &str)]) -> String {
    let pairs = pairs.iter().map(|(name, value)| format!("{name}: {}", json!(value)));
    let data = format!("data: {{{}}}", pairs.collect::<Vec<_>>().join(", "));
    class("{kind: ConfigMap, name: settings, scope: Namespace, namespace: gateway}") + &config_map(&data)
}

fn all(name: &str) -> ClientLimits {
    let mut limits = ClientLimits::default();
    limits.name = Some(name.into());
    limits.rate = Some("600/m".parse().unwrap());
    limits.burst = NonZeroU32::new(20);
    limits.key = Some(ClientKey::Header("x-user".into()));
    limits.exempt = Some("10.0.0.0/8, 192.0.2.1".parse().unwrap());
    limits.concurrency = Some(5);
    limits.bandwidth = NonZeroU64::new(1 << 20);
    limits.bandwidth_after = Some(10 << 20);
    limits
}

#[test]
fn limits_are_read_wherever_they_may_stand() {
    let table = ours(&(services() + &ingress(&ALL, PREFIX, None)));
    assert_eq!((of_route(&table).client_limits, findings(&table)), (all("default/web"), vec![]));
    let table = ours(&(services() + &classy(&ALL) + &ingress(&[], PREFIX, Some("public"))));
    assert_eq!((of_route(&table).client_limits, findings(&table)), (all("default/web"), vec![]));
    // What the Ingress says itself comes before, one by one.
    let own = [
        ("rate-limit", "0"),
        ("concurrency-limit", "0"),
        ("bandwidth-limit", "0"),
        ("rate-limit-exempt", ""),
    ];
    let table = ours(&(services() + &classy(&ALL) + &ingress(&own, PREFIX, Some("public"))));
    let mut want = all("default/web");
    (want.rate, want.concurrency) = (Some(RateLimit::Unlimited), Some(0));
    (want.bandwidth, want.exempt) = (Some(NonZeroU64::MAX), Some(Networks::default()));
    assert_eq!(of_route(&table).client_limits, want);

    let mut defaults = Defaults::default();
    for (name, value) in ALL {
        defaults.set(name, value).unwrap();
    }
    assert_eq!(defaults.policy().unwrap().client_limits, all("gateway"));
}

#[test]
fn two_ingresses_with_equal_limits_have_their_own() {
    let limits = [("rate-limit", "10/s")];
    let other = ingress(&limits, ("Prefix", "/b"), None).replacen("name: web", "name: other", 1);
    let table = ours(&(services() + &ingress(&limits, PREFIX, None) + &other));
    let names: Vec<_> = table
        .routes()
        .map(|found| found.route.policy().unwrap().client_limits.name.clone().unwrap().into_string())
        .collect();
    assert_eq!((names.len(), names.contains(&"default/web".into())), (2, true));
    assert!(names.contains(&"default/other".into()));
    // What is counted for each answer has no name, and nothing else has one either.
    for pairs in [&[("bandwidth-limit", "1MiB")][..], &[("max-body-size", "1MiB")]] {
        let table = ours(&(services() + &ingress(pairs, PREFIX, None)));
        assert_eq!(of_route(&table).client_limits.name, None, "{pairs:?}");
    }
}

#[test]
fn limits_that_cannot_be_read_close_the_paths() {
    for (name, text, why) in [
        ("rate-limit", "10", "the rate cannot be used: \"10\""),
        ("rate-limit", "0/s", "the rate cannot be used: \"0/s\""),
        ("rate-limit", "", "the rate cannot be used: \"\""),
        ("rate-limit-burst", "0", "the number cannot be used: \"0\""),
        ("rate-limit-burst", "1000001", "the number cannot be used: \"1000001\""),
        ("rate-limit-key", "user", "clients are not told apart by \"user\""),
        ("rate-limit-key", "header", "\"\" is no name of a header field"),
        ("rate-limit-key", "cookie a;b", "\"a;b\" is no name of a cookie"),
        ("concurrency-limit", "-1", "the number cannot be used: \"-1\""),
    ] {
        let table = ours(&(services() + &ingress(&[(name, text)], PREFIX, None)));
        assert!(of_route(&table).access.closed, "{name} {text}");
        let found = findings(&table);
        let at = format!(
            "error[ING023]: Ingress default/web metadata.annotations[ingress.gateway/{name}]: {why}; "
        );
        assert!(found.len() == 1 && found[0].starts_with(&at), "{found:?}");
        assert!(found[0].ends_with("; until then these paths answer 503"), "{found:?}");

        let sound = ALL.iter().find(|(other, _)| *other == name).copied().unwrap();
        let table =
            ours(&(services() + &classy(&[(name, text)]) + &ingress(&[sound], PREFIX, Some("public"))));
        assert!(of_route(&table).access.closed, "a class that is closed is not opened by an Ingress");
        Defaults::default().set(name, text).unwrap_err();
    }
}

#[test]
fn what_harms_nobody_is_left_out() {
    for (name, text, why) in [
        ("bandwidth-limit", "fast", "the size cannot be read: \"fast\""),
        ("bandwidth-limit", "1MiB/s", "the size cannot be read: \"1MiB/s\""),
        ("bandwidth-limit-after", "-1", "the size cannot be read: \"-1\""),
        (
            "rate-limit-exempt",
            "office",
            "\"office\" is neither an IP address nor a range such as 10.0.0.0/8, so nobody is exempt",
        ),
    ] {
        let pairs: Vec<_> =
            ALL.into_iter().filter(|(other, _)| *other != name).chain([(name, text)]).collect();
        let table = ours(
            &(services()
                + &classy(&[("rate-limit-exempt", "0.0.0.0/0")])
                + &ingress(&pairs, PREFIX, Some("public"))),
        );
        let policy = of_route(&table);
        let mut want = all("default/web");
        match name {
            "bandwidth-limit" => want.bandwidth = None,
            "bandwidth-limit-after" => want.bandwidth_after = None,
            _ => want.exempt = Some(Networks::default()),
        }
        assert_eq!((policy.client_limits, policy.access.closed), (want, false), "{name}");
        let found = findings(&table);
        let at = format!(
            "error[ING023]: Ingress default/web metadata.annotations[ingress.gateway/{name}]: {why}; "
        );
        assert!(found.iter().any(|found| found.starts_with(&at)), "{found:?}");
    }
}

#[test]
fn what_has_no_effect_for_want_of_a_limit_is_said() {
    for (name, text, missing) in [
        ("rate-limit-burst", "5", "rate-limit, too"),
        ("rate-limit-key", "cookie sid", "rate-limit or concurrency-limit, too"),
        ("rate-limit-exempt", "10.0.0.0/8", "rate-limit or concurrency-limit, too"),
        ("bandwidth-limit-after", "1MiB", "bandwidth-limit, too"),
    ] {
        for more in [&[][..], &[("rate-limit", "0"), ("concurrency-limit", "0"), ("bandwidth-limit", "0")]] {
            let pairs = [&[(name, text)], more].concat();
            let table = ours(&(services() + &ingress(&pairs, PREFIX, None)));
            let found = findings(&table);
            assert!(
                found.len() == 1 && found[0].contains("the annotation has no effect: there is n"),
                "{found:?}"
            );
            assert!(found[0].ends_with(&format!("; write ingress.gateway/{missing}")), "{found:?}");
        }
        // Ingresses may have the limits for which a gateway says it.
        let mut defaults = Defaults::default();
        defaults.set(name, text).unwrap();
        defaults.policy().unwrap();
    }
    for pairs in [
        [("rate-limit-key", "cookie sid"), ("concurrency-limit", "1")],
        [("rate-limit-exempt", "10.0.0.0/8"), ("concurrency-limit", "1")],
    ] {
        assert!(findings(&ours(&(services() + &ingress(&pairs, PREFIX, None)))).is_empty());
    }
}

#[test]
fn nothing_is_in_vain_beside_a_limit_that_cannot_be_read() {
    let pairs = [("rate-limit", "3 per fortnight"), ("rate-limit-burst", "5")];
    let found = findings(&ours(&(services() + &ingress(&pairs, PREFIX, None))));
    assert!(found.len() == 1 && found[0].contains("the rate cannot be used"), "{found:?}");
}
