//! How endpoints share requests, what becomes of those that fail, and where that may be said.
#![allow(clippy::unwrap_used, reason = "a panic fails the test")]
#![cfg(feature = "manifests")]

mod common;

use std::time::Duration;

use common::annotated::{NONE, class, config_map, ingress, ours};
use common::findings;
use ingress_core::{
    Affinity, AffinityCookie, Algorithm, Failures, HashKey, HealthProtocol, Policy, RouteTable,
};
use ingress_kube::{Defaults, Scope, annotations};
use serde_json::json;

const PREFIX: (&str, &str) = ("Prefix", "/a");

/// Annotations, and what they make of a policy that says nothing.
type Case = (&'static [(&'static str, &'static str)], fn(&mut Policy));

/// Those that may stand on an Ingress, in a class, on a Service, and among the defaults of a gateway.
const ANYWHERE: [Case; 12] = [
    (&[("load-balance", "Least_Request")], |policy| policy.load_balance = Some(Algorithm::LeastRequest)),
    (&[("hash-key", "header X-User")], |policy| {
        (policy.load_balance, policy.hash_key) =
            (Some(Algorithm::Maglev), Some(HashKey::Header("x-user".into())));
    }),
    (&[("hash-key", "cookie sid"), ("load-balance", "rendezvous")], |policy| {
        (policy.load_balance, policy.hash_key) =
            (Some(Algorithm::Rendezvous), Some(HashKey::Cookie("sid".into())));
    }),
    (&[("affinity", "none")], |policy| policy.affinity = Some(Affinity::None)),
    (&[("affinity", "cookie")], |policy| {
        let mut cookie = AffinityCookie::new("ingress-affinity");
        cookie.of_backend = true;
        policy.affinity = Some(Affinity::Cookie(cookie));
    }),
    (&[("affinity", "header X-User")], |policy| {
        policy.affinity = Some(Affinity::Key(HashKey::Header("x-user".into())));
    }),
    (
        &[("affinity", "cookie"), ("affinity-cookie", "sid; Max-Age=60"), ("affinity-on-failure", "move")],
        |policy| {
            let mut cookie = AffinityCookie::new("sid");
            cookie.attributes = "; Path=/; HttpOnly; SameSite=Lax; Max-Age=60".into();
            cookie.moves_on_failure = true;
            policy.affinity = Some(Affinity::Cookie(cookie));
        },
    ),
    (&[("slow-start", "30s"), ("slow-start-minimum", "5%")], |policy| {
        (policy.slow_start.window, policy.slow_start.minimum) = (Some(Duration::from_secs(30)), Some(5));
    }),
    (&[("slow-start", "0")], |policy| policy.slow_start.window = Some(Duration::ZERO)),
    (
        &[
            ("outlier-failures", "3"),
            ("outlier-on", "reset, 5xx"),
            ("outlier-time", "1s"),
            ("outlier-max-time", "1m"),
        ],
        |policy| {
            (policy.outlier.failures, policy.outlier.on) =
                (Some(3), Some(Failures::new(true, false, vec![(500, 599)])));
            policy.outlier.time = Some(Duration::from_secs(1));
            policy.outlier.max_time = Some(Duration::from_secs(60));
        },
    ),
    (&[("outlier-max-ejected", "20"), ("outlier-panic", "0%"), ("outlier-success-rate", "1.9")], |policy| {
        (policy.outlier.max_ejected, policy.outlier.panic) = (Some(20), Some(0));
        policy.outlier.success_rate = Some(1900);
    }),
    (
        &[("max-connections", "0"), ("max-requests", "100"), ("max-pending", "0"), ("retry-budget", "10%")],
        |policy| {
            (policy.limits.max_connections, policy.limits.max_requests) = (Some(0), Some(100));
            (policy.limits.max_pending, policy.limits.retry_budget) = (Some(0), Some(10));
        },
    ),
];

/// Those about endpoints as all routes share them.
const OF_ENDPOINTS: [Case; 3] = [
    (&[("health-check-protocol", "off")], |policy| policy.health_check.protocol = Some(HealthProtocol::Off)),
    (
        &[
            ("health-check-path", "/healthz"),
            ("health-check-status", "200, 300-399"),
            ("health-check-interval", "5s"),
        ],
        |policy| {
            policy.health_check.path = Some("/healthz".into());
            policy.health_check.statuses = vec![(200, 200), (300, 399)];
            policy.health_check.interval = Some(Duration::from_secs(5));
        },
    ),
    (
        &[
            ("health-check-protocol", "grpc"),
            ("health-check-service", "shop.Cart"),
            ("health-check-timeout", "500ms"),
            ("health-check-failures", "2"),
            ("health-check-successes", "1"),
        ],
        |policy| {
            policy.health_check.protocol = Some(HealthProtocol::Grpc);
            policy.health_check.service = Some("shop.Cart".into());
            policy.health_check.timeout = Some(Duration::from_millis(500));
            (policy.health_check.failures, policy.health_check.successes) = (Some(2), Some(1));
        },
    ),
];

fn service(pairs: &[(&str, &str)]) -> String {
    let pairs = pairs.iter().map(|(name, value)| format!("ingress.gateway/{name}: {}", json!(value)));
    let pairs = pairs.collect::<Vec<_>>().join(", ");
    format!(
        "---\napiVersion: v1\nkind: Service\nmetadata: {{name: web, annotations: {{{pairs}}}}}\n\
         spec: {{clusterIP: 10.0.0.1, ports: [{{port: 80}}]}}\n"
    )
}

/// A class with these parameters.
fn classy(pairs: &[(&str, &str)]) -> String {
    let pairs = pairs.iter().map(|(name, value)| format!("{name}: {}", json!(value)));
    let data = format!("data: {{{}}}", pairs.collect::<Vec<_>>().join(", "));
    class("{kind: ConfigMap, name: settings, scope: Namespace, namespace: gateway}") + &config_map(&data)
}

fn of_route(table: &RouteTable) -> Policy {
    table.routes().next().unwrap().route.policy().map(|policy| (**policy).clone()).unwrap_or_default()
}

fn of_backend(table: &RouteTable) -> Policy {
    table.backends().next().unwrap().policy().map(|policy| (**policy).clone()).unwrap_or_default()
}

fn of_gateway(pairs: &[(&str, &str)]) -> Result<Policy, String> {
    let mut defaults = Defaults::default();
    for (name, value) in pairs {
        defaults.set(name, value).map_err(|error| error.to_string())?;
    }
    defaults.policy().map_err(|error| error.to_string())
}

#[test]
fn what_may_be_said_anywhere() {
    for (pairs, set) in ANYWHERE {
        let mut want = Policy::default();
        set(&mut want);
        let table = ours(&(service(&[]) + &ingress(pairs, PREFIX, None)));
        assert_eq!((of_route(&table), of_backend(&table)), (want.clone(), Policy::default()), "{pairs:?}");
        assert_eq!(findings(&table), NONE, "{pairs:?}");
        let table = ours(&(service(&[]) + &classy(pairs) + &ingress(&[], PREFIX, Some("public"))));
        assert_eq!((of_route(&table), findings(&table)), (want.clone(), vec![]), "{pairs:?}");
        let table = ours(&(service(pairs) + &ingress(&[], PREFIX, None)));
        assert_eq!((of_route(&table), of_backend(&table)), (Policy::default(), want.clone()), "{pairs:?}");
        assert_eq!(findings(&table), NONE, "{pairs:?}");
        assert_eq!(of_gateway(pairs), Ok(want), "{pairs:?}");
    }
}

#[test]
fn what_is_said_of_endpoints() {
    for (pairs, set) in OF_ENDPOINTS {
        let mut want = Policy::default();
        set(&mut want);
        let table = ours(&(service(pairs) + &ingress(&[], PREFIX, None)));
        assert_eq!((of_backend(&table), findings(&table)), (want.clone(), vec![]), "{pairs:?}");
        assert_eq!(of_gateway(pairs), Ok(want), "{pairs:?}");
        let table = ours(&(service(&[]) + &ingress(pairs, PREFIX, None)));
        assert_eq!(
            (of_route(&table), of_backend(&table)),
            (Policy::default(), Policy::default()),
            "{pairs:?}"
        );
        let mut faults: Vec<_> = pairs
            .iter()
            .map(|(name, _)| {
                format!(
                    "error[ING023]: Ingress default/web metadata.annotations[ingress.gateway/{name}]: ingress.gateway/{name} is about endpoints, which all routes to a Service share, so an Ingress cannot have it; write it on the Service"
                )
            })
            .collect();
        faults.sort();
        assert_eq!(findings(&table), faults);
        let table = ours(&(service(&[]) + &classy(pairs) + &ingress(&[], PREFIX, Some("public"))));
        assert_eq!(of_route(&table), Policy::default(), "{pairs:?}");
        let mut faults: Vec<_> = pairs
            .iter()
            .map(|(name, _)| {
                format!(
                    "error[ING023]: ConfigMap gateway/settings data.{name}: {name} is about endpoints, which all routes to a Service share, so a class cannot have it; write the annotation ingress.gateway/{name} on the Service"
                )
            })
            .collect();
        faults.sort();
        assert_eq!(findings(&table), faults);
    }
}

/// No family is forgotten above.
#[test]
fn every_annotation_about_endpoints_is_tried() {
    let tried: Vec<_> = ANYWHERE
        .iter()
        .chain(&OF_ENDPOINTS)
        .flat_map(|(pairs, _)| pairs.iter())
        .map(|(name, _)| *name)
        .collect();
    let elsewhere = ["connect-timeout", "response-timeout", "idle-timeout"];
    for known in annotations() {
        let is_ours = matches!(known.scope, Scope::Service | Scope::Endpoints)
            && !known.name.starts_with("backend-")
            && !elsewhere.contains(&known.name);
        assert_eq!(tried.contains(&known.name), is_ours, "{}", known.name);
    }
}

/// A value that cannot be used leaves what the class says, or the Service, or the gateway.
#[test]
fn what_cannot_be_used() {
    let at = "error[ING023]: Ingress default/web metadata.annotations[ingress.gateway/";
    for (name, sound, bad, want) in [
        (
            "load-balance",
            "random",
            "fastest",
            "there is no algorithm that is called \"fastest\"; write round-robin, random, least-request, peak-ewma, maglev or rendezvous",
        ),
        (
            "hash-key",
            "host",
            "ip",
            "no part of a request is called \"ip\"; write source-address, host, path, header NAME, cookie NAME or query NAME",
        ),
        (
            "affinity",
            "none",
            "sticky",
            "there is no affinity \"sticky\"; write none, cookie, source-address or header NAME",
        ),
        (
            "slow-start",
            "30s",
            "30",
            "the duration has no unit: \"30\"; write 30s for seconds, or 30ms for milliseconds",
        ),
        (
            "slow-start-minimum",
            "10%",
            "110%",
            "the percentage cannot be used: \"110%\"; write a whole number from 0% to 100%, such as 10%",
        ),
        (
            "outlier-failures",
            "3",
            "-1",
            "the number cannot be used: \"-1\"; write a whole number from 0 to 4294967295",
        ),
        (
            "outlier-on",
            "5xx",
            "2xx",
            "there is no failure that is called \"2xx\"; write a list of reset, timeout, 5xx, and statuses such as 503",
        ),
        (
            "outlier-time",
            "5s",
            "0",
            "the duration cannot be used: \"0\"; write a time from 100ms to 1day, such as 10s",
        ),
        (
            "outlier-success-rate",
            "1.9",
            "1,9",
            "the number cannot be used: \"1,9\"; write a number from 0 to 10 with at most three decimals, such as 1.9",
        ),
        (
            "max-requests",
            "10",
            "many",
            "the number cannot be used: \"many\"; write a whole number from 0 to 4294967295",
        ),
    ] {
        let of_class = classy(&[(name, sound)]);
        let table = ours(&(service(&[]) + &of_class + &ingress(&[(name, bad)], PREFIX, Some("public"))));
        assert_eq!(Ok(of_route(&table)), of_gateway(&[(name, sound)]), "{name}");
        assert_eq!(findings(&table), [format!("{at}{name}]: {want}")]);
        let table = ours(&(service(&[(name, bad)]) + &ingress(&[], PREFIX, None)));
        assert_eq!(of_backend(&table), Policy::default(), "{name}");
        assert_eq!(of_gateway(&[(name, bad)]), Err(format!("{name}: {want}")));
    }
}

const NO_KEY: &str = "the annotation has no effect: random goes by no key; write ingress.gateway/load-balance: maglev, or rendezvous";
const NO_COOKIE: &str = "the annotation has no effect: there is no affinity by cookie; write ingress.gateway/affinity: cookie, too";

/// What has no effect for want of something else changes nothing.
#[test]
fn in_vain() {
    /// With what is found about which annotation.
    type InVain = (Case, &'static [(&'static str, &'static str)]);
    let cases: [InVain; 4] = [
        (
            (&[("hash-key", "host"), ("load-balance", "random")], |policy| {
                policy.load_balance = Some(Algorithm::Random);
            }),
            &[("hash-key", NO_KEY)],
        ),
        ((&[("affinity-cookie", "sid")], |_| ()), &[("affinity-cookie", NO_COOKIE)]),
        ((&[("affinity-on-failure", "move")], |_| ()), &[("affinity-on-failure", NO_COOKIE)]),
        (
            (
                &[("affinity", "none"), ("affinity-cookie", "sid"), ("affinity-on-failure", "keep")],
                |policy| {
                    policy.affinity = Some(Affinity::None);
                },
            ),
            &[("affinity-cookie", NO_COOKIE), ("affinity-on-failure", NO_COOKIE)],
        ),
    ];
    for ((pairs, set), vain) in cases {
        let mut want = Policy::default();
        set(&mut want);
        let found = |kind: &str| -> Vec<_> {
            let at = format!("warning[ING016]: {kind} default/web metadata.annotations[ingress.gateway/");
            vain.iter().map(|(name, why)| format!("{at}{name}]: {why}")).collect()
        };
        let table = ours(&(service(&[]) + &ingress(pairs, PREFIX, None)));
        assert_eq!((of_route(&table), findings(&table)), (want.clone(), found("Ingress")), "{pairs:?}");
        let table = ours(&(service(pairs) + &ingress(&[], PREFIX, None)));
        assert_eq!((of_backend(&table), findings(&table)), (want.clone(), found("Service")), "{pairs:?}");
    }
    assert_eq!(
        of_gateway(&[("affinity-cookie", "sid")]),
        Err("affinity-cookie: there is no affinity by cookie; set affinity: cookie, too".into())
    );
}

/// The shares of a split go by the key, whatever the algorithm, and any Ingress may have one.
#[test]
fn the_key_of_a_split() {
    let pairs = [("hash-key", "host"), ("load-balance", "random"), ("split", "web: web=1")];
    let table = ours(&(service(&[]) + &ingress(&pairs, PREFIX, None)));
    let mut want = Policy::default();
    (want.load_balance, want.hash_key) = (Some(Algorithm::Random), Some(HashKey::Host));
    assert_eq!((of_route(&table), findings(&table)), (want.clone(), vec![]));
    assert_eq!(of_gateway(&pairs[..2]), Ok(want.clone()));
    let table = ours(&(service(&[]) + &classy(&pairs[..2]) + &ingress(&pairs[2..], PREFIX, Some("public"))));
    assert_eq!((of_route(&table), findings(&table)), (want, vec![]));
    // Without a split nothing goes by the key of the class, of which the Ingress is not to be told.
    let table = ours(&(service(&[]) + &classy(&pairs[..2]) + &ingress(&[], PREFIX, Some("public"))));
    assert_eq!((of_route(&table).hash_key, findings(&table)), (None, vec![]));
}

/// A key alone means an algorithm that hashes, in the place where it is said.
#[test]
fn a_key_over_the_algorithm_of_the_class() {
    let route = |of_class: &[(&str, &str)], own: &[(&str, &str)]| {
        let table = ours(&(service(&[]) + &classy(of_class) + &ingress(own, PREFIX, Some("public"))));
        assert_eq!(findings(&table), NONE);
        let policy = of_route(&table);
        (policy.load_balance, policy.hash_key)
    };
    let (maglev, random) = (Some(Algorithm::Maglev), Some(Algorithm::Random));
    assert_eq!(
        route(&[("load-balance", "random")], &[("hash-key", "host")]),
        (maglev.clone(), Some(HashKey::Host))
    );
    assert_eq!(route(&[("hash-key", "host")], &[("load-balance", "random")]), (random, None));
    assert_eq!(route(&[("hash-key", "host")], &[("load-balance", "maglev")]), (maglev, Some(HashKey::Host)));
    let cookie = |name: &str| {
        let mut cookie = AffinityCookie::new(name);
        cookie.moves_on_failure = true;
        Some(Affinity::Cookie(cookie))
    };
    let own = [("affinity-on-failure", "move")];
    let of_class = classy(&[("affinity", "cookie"), ("affinity-cookie", "sid")]);
    let table = ours(&(service(&[]) + &of_class + &ingress(&own, PREFIX, Some("public"))));
    assert_eq!((of_route(&table).affinity, findings(&table)), (cookie("sid"), vec![]));
}
