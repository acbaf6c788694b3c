//! What a change costs grows no faster than the objects it concerns, by the number of allocations: twice the objects may
//! cost little more than twice as much. Comparing all with all would cost four times as much.
#![allow(clippy::unwrap_used, reason = "a panic fails the test")]
#![cfg(feature = "manifests")]

use ingress_core::RouteTable;
use ingress_kube::manifests::parse_manifests;
use ingress_kube::{Config, IngressController};

const INGRESS: &str = "---\napiVersion: networking.k8s.io/v1\nkind: Ingress\n";

fn rule(host: &str, path: &str, service: &str) -> String {
    format!(
        "  - host: {host}\n    http:\n      paths: [{{path: {path}, pathType: Prefix, backend: {{service: {{name: {service}, port: {{number: 80}}}}}}}}]\n"
    )
}

/// An Ingress with a rule for each of these hosts.
fn of_hosts(name: &str, path: &str, hosts: usize) -> String {
    let rules: String = (0..hosts).map(|host| rule(&format!("h{host}.example"), path, "web")).collect();
    format!("{INGRESS}metadata: {{name: {name}}}\nspec:\n  rules:\n{rules}")
}

/// A name as long as all others, and near to none of them.
fn far(number: usize) -> String {
    let mut bits = (number as u64 + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    let letter = |_| {
        bits = bits.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        char::from(b'a' + u8::try_from((bits >> 33) % 26).unwrap())
    };
    (0..16).map(letter).collect()
}

fn service(name: &str) -> String {
    format!(
        "---\napiVersion: v1\nkind: Service\nmetadata: {{name: {name}}}\nspec: {{clusterIP: 10.0.0.1, ports: [{{port: 80}}]}}\n"
    )
}

fn apply(controller: &mut IngressController, text: &str) {
    let (manifests, findings) = parse_manifests(text, "x.yaml");
    assert_eq!(findings, []);
    for manifest in manifests {
        controller.apply(manifest.object, None);
    }
}

/// How many allocations it takes to publish the change of what is there.
fn cost(before: &str, change: &str) -> u64 {
    let (_, writer) = ingress_core::table(RouteTable::default());
    let mut controller = IngressController::new(Config::default(), writer);
    apply(&mut controller, before);
    controller.publish();
    apply(&mut controller, change);
    allocation_counter::measure(|| drop(controller.publish())).count_total
}

type Objects = fn(usize) -> String;

#[test]
fn a_change_costs_what_it_concerns() {
    let table: [(&str, Objects, Objects); 3] = [
        (
            "an Ingress that shares all its hosts with another one",
            |count| of_hosts("a", "/a", count) + &of_hosts("b", "/b", count),
            |count| of_hosts("a", "/other", count),
        ),
        (
            "a Service, where many Services are missing and many are there",
            |count| {
                let missing = |number| rule("example.com", &format!("/{number}"), &far(number));
                let ingress = |number| {
                    format!("{INGRESS}metadata: {{name: i{number}}}\nspec:\n  rules:\n{}", missing(number))
                };
                (0..count).map(|number| ingress(number) + &service(&far(1000 + number))).collect()
            },
            |_| service("aaaaaaaaaaaaaaaa"),
        ),
        (
            "an Ingress that splits backends it does not have",
            |_| String::new(),
            |count| {
                let lines: String =
                    (0..count).map(|number| format!("      {}: web=1\n", far(number))).collect();
                let rules: String = (0..count)
                    .map(|number| rule("example.com", &format!("/{number}"), &far(1000 + number)))
                    .collect();
                format!(
                    "{INGRESS}metadata:\n  name: web\n  annotations:\n    ingress.gateway/split: |\n{lines}spec:\n  rules:\n{rules}"
                )
            },
        ),
    ];
    for (what, before, change) in table {
        let of = |count| cost(&before(count), &change(count));
        let (few, many) = (of(400), of(800));
        println!("{what}: {few} and {many} allocations");
        assert!(many < 3 * few, "{what}: {few} and {many} allocations");
    }
}
