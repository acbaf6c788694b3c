//! Answers that no endpoint is asked for: what annotations say of them, and what is found about it.
#![allow(clippy::unwrap_used, reason = "a panic fails the test")]
#![cfg(feature = "manifests")]

mod common;

use std::time::Duration;

use common::annotated::{NONE, class, config_map, ingress, ours, services};
use common::findings;
use ingress_core::{FixedAnswer, Maintenance, Policy, RouteTable};
use ingress_kube::Defaults;

const PREFIX: (&str, &str) = ("Prefix", "/a");

fn of_route(table: &RouteTable) -> Policy {
    table.routes().next().unwrap().route.policy().map(|policy| (**policy).clone()).unwrap_or_default()
}

fn of_ingress(pairs: &[(&str, &str)]) -> RouteTable {
    ours(&(services() + &ingress(pairs, PREFIX, None)))
}

fn of_class(data: &str, pairs: &[(&str, &str)]) -> RouteTable {
    let class = class("{kind: ConfigMap, name: settings, scope: Namespace, namespace: gateway}");
    ours(&(services() + &class + &config_map(data) + &ingress(pairs, PREFIX, Some("public"))))
}

fn answer(status: u16, kind: &str, body: &str) -> Option<FixedAnswer> {
    Some(FixedAnswer::new(status, kind.parse().unwrap(), body).unwrap())
}

const MAINTENANCE: [(&str, &str); 5] = [
    ("maintenance", "true"),
    ("maintenance-retry-after", "10m"),
    ("maintenance-body", "<h1>Back soon</h1>"),
    ("maintenance-content-type", "text/html"),
    ("maintenance-exempt", "10.0.0.0/8, 192.0.2.1"),
];

fn maintenance() -> Maintenance {
    let mut maintenance = Maintenance::default();
    maintenance.on = Some(true);
    maintenance.retry_after = Some(Duration::from_secs(600));
    maintenance.body = Some("<h1>Back soon</h1>".into());
    maintenance.content_type = Some("text/html".parse().unwrap());
    maintenance.exempt = Some("10.0.0.0/8, 192.0.2.1".parse().unwrap());
    maintenance
}

#[test]
fn maintenance_is_said_anywhere() {
    let table = of_ingress(&MAINTENANCE);
    assert_eq!((of_route(&table).maintenance, findings(&table)), (maintenance(), vec![]));

    let data: Vec<_> = MAINTENANCE.iter().map(|(name, text)| format!("{name}: '{text}'")).collect();
    let data = format!("data: {{{}}}", data.join(", "));
    let table = of_class(&data, &[]);
    assert_eq!((of_route(&table).maintenance, findings(&table)), (maintenance(), vec![]));
    let table = of_class(&data, &[("maintenance", "False")]);
    let off = of_route(&table).maintenance;
    assert_eq!(
        (off.on, off.retry_after, findings(&table)),
        (Some(false), Some(Duration::from_secs(600)), vec![])
    );

    let mut defaults = Defaults::default();
    MAINTENANCE.iter().for_each(|(name, text)| defaults.set(name, text).unwrap());
    assert_eq!(defaults.policy().unwrap().maintenance, maintenance());
    // Ingresses may say later that there is maintenance.
    let mut defaults = Defaults::default();
    MAINTENANCE[1..].iter().for_each(|(name, text)| defaults.set(name, text).unwrap());
    assert_eq!(defaults.policy().unwrap().maintenance.on, None);
}

#[test]
fn what_cannot_be_read_of_maintenance_is_left_out() {
    let at = |name: &str| {
        format!("error[ING023]: Ingress default/web metadata.annotations[ingress.gateway/{name}]: ")
    };
    for (name, text, want) in [
        ("maintenance", "on", "\"on\" is neither true nor false, so it has no effect; write true or false"),
        (
            "maintenance-retry-after",
            "10",
            "the duration has no unit: \"10\"; write 10s for seconds, or 10ms for milliseconds",
        ),
        (
            "maintenance-content-type",
            "html",
            "\"html\" is no media type such as text/html; charset=utf-8, so it has no effect; write a type and a subtype, such as text/html; charset=utf-8",
        ),
        (
            "maintenance-exempt",
            "office",
            "\"office\" is neither an IP address nor a range such as 10.0.0.0/8, so nobody is exempt; write IP addresses and ranges, such as 10.0.0.0/8, 192.0.2.1",
        ),
        (
            "maintenance-exempt",
            "",
            "no address is named, so nobody is exempt; write IP addresses and ranges, such as 10.0.0.0/8, 192.0.2.1",
        ),
    ] {
        let mut pairs: Vec<_> = MAINTENANCE.into_iter().filter(|(known, _)| *known != name).collect();
        pairs.push((name, text));
        let table = of_ingress(&pairs);
        assert!(findings(&table).contains(&(at(name) + want)), "{:#?}", findings(&table));
        let mut want = maintenance();
        match name {
            "maintenance" => want.on = None,
            "maintenance-retry-after" => want.retry_after = None,
            "maintenance-content-type" => want.content_type = None,
            _ => want.exempt = None,
        }
        assert_eq!((of_route(&table).maintenance, of_route(&table).access.closed), (want, false));
    }
}

#[test]
fn answers_that_are_always_the_same() {
    let plain = "text/plain; charset=utf-8";
    let table: [(&[(&str, &str)], _); 5] = [
        (&[("respond-status", "410")], answer(410, plain, "")),
        (
            &[("respond-body", "User-agent: *|Disallow: /|")],
            answer(200, plain, "User-agent: *\nDisallow: /\n"),
        ),
        (&[("respond-status", "204")], answer(204, plain, "")),
        (
            &[
                ("respond-status", "404"),
                ("respond-body", "{\"path\": \"{path}\"}"),
                ("respond-content-type", "application/json"),
            ],
            answer(404, "application/json", "{\"path\": \"{path}\"}"),
        ),
        (&[("respond-body", "")], answer(200, plain, "")),
    ];
    for (pairs, want) in table {
        let table = of_ingress(pairs);
        assert_eq!((of_route(&table).answer, findings(&table)), (want, vec![]), "{pairs:?}");
    }
    let data = "data: {respond-status: '503', respond-body: class, respond-content-type: text/html}";
    let table = of_class(data, &[("respond-body", "own")]);
    assert_eq!((of_route(&table).answer, findings(&table)), (answer(503, "text/html", "own"), vec![]));
    assert_eq!(findings(&of_class(data, &[])), NONE);
    Defaults::default().set("respond-status", "200").unwrap_err();
}

/// Endpoints are not asked for what they were not to be asked.
#[test]
fn a_status_that_cannot_be_read_closes_the_paths() {
    for text in ["", "99", "100", "101", "199", "600", "4O3", "2xx"] {
        let table = of_ingress(&[("respond-status", text), ("respond-body", "x")]);
        assert!(of_route(&table).access.closed, "{text:?}");
        let want = format!(
            "error[ING023]: Ingress default/web metadata.annotations[ingress.gateway/respond-status]: {text:?} is no status of an answer; write a number from 200 to 599, such as 410; until then these paths answer 503"
        );
        assert_eq!(findings(&table), [want]);
        let table = of_class(&format!("data: {{respond-status: '{text}'}}"), &[("respond-status", "200")]);
        assert!(of_route(&table).access.closed, "a class that is closed is not opened by an Ingress");
    }
    let table = of_ingress(&[("respond-body", "x"), ("respond-content-type", "html")]);
    let policy = of_route(&table);
    assert!(
        !policy.access.closed && policy.answer.unwrap().content_type().as_str().starts_with("text/plain")
    );
    assert_eq!(findings(&table).len(), 1);
}

#[test]
fn what_has_no_effect_is_said() {
    let found = |name: &str, what: &str| {
        format!(
            "warning[ING016]: Ingress default/web metadata.annotations[ingress.gateway/{name}]: the annotation has no effect: {what}"
        )
    };
    for (name, text) in &MAINTENANCE[1..] {
        let what = "nothing says whether there is maintenance; write ingress.gateway/maintenance: \"true\", or \"false\" until then";
        assert_eq!(findings(&of_ingress(&[(name, text)])), [found(name, what)]);
    }
    let kind = [("maintenance", "true"), ("maintenance-content-type", "text/html")];
    let what = "there is no body of one's own; write ingress.gateway/maintenance-body, too";
    assert_eq!(findings(&of_ingress(&kind)), [found("maintenance-content-type", what)]);
    let until_then = [("maintenance", "false"), ("maintenance-body", "x")];
    assert_eq!(findings(&of_ingress(&until_then)), NONE);

    let kind = [("respond-status", "200"), ("respond-content-type", "text/html")];
    let what = "there is no body; write ingress.gateway/respond-body, too";
    assert_eq!(findings(&of_ingress(&kind)), [found("respond-content-type", what)]);
    assert_eq!(of_route(&of_ingress(&kind[1..])).answer, None);
    for status in ["204", "205", "304"] {
        let table = of_ingress(&[("respond-status", status), ("respond-body", "x")]);
        let what = format!(
            "an answer with status {status} has no body; write ingress.gateway/respond-status with a status that has one, such as 200"
        );
        assert_eq!(findings(&table), [found("respond-body", &what)]);
        assert_eq!(of_route(&table).answer.unwrap().body(), "");
    }
}
