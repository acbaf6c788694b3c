//! Names and passwords: what a Secret and the annotations beside it say, and what closes the paths.
#![allow(clippy::unwrap_used, reason = "a panic fails the test")]
#![cfg(feature = "manifests")]

mod common;

use common::annotated::{class, config_map, ingress, ours, services};
use common::findings;
use ingress_core::{BasicAuth, Policy, RouteTable};
use ingress_kube::manifests::parse_manifests;
use ingress_kube::{Config, translate};
use serde_json::json;

const PREFIX: (&str, &str) = ("Prefix", "/a");
const HASH: &str = "{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ=";

fn secret(key: &str, text: &str) -> String {
    format!(
        "---\napiVersion: v1\nkind: Secret\nmetadata: {{name: users}}\nstringData: {{{key}: {}}}\n",
        json!(text)
    )
}

fn policy(table: &RouteTable) -> Policy {
    table.routes().next().unwrap().route.policy().map(|policy| (**policy).clone()).unwrap_or_default()
}

fn with(pairs: &[(&str, &str)], objects: &str) -> RouteTable {
    ours(&(services() + objects + &ingress(pairs, PREFIX, None)))
}

fn wanted(change: impl FnOnce(&mut BasicAuth)) -> Option<BasicAuth> {
    let mut basic = BasicAuth::new(format!("ada:{HASH}").parse().unwrap());
    change(&mut basic);
    Some(basic)
}

#[test]
fn users_and_what_is_said_beside_them() {
    let users = secret("auth", &format!("# staff\r\nada:{HASH}\r\n"));
    let own = ("basic-auth-secret", "users");
    let field = || "X-User".parse().ok();
    for (pairs, want) in [
        (vec![own], wanted(|_| {})),
        (vec![own, ("basic-auth-realm", " The shop ")], wanted(|basic| basic.realm = "The shop".into())),
        (vec![own, ("basic-auth-realm", "off")], wanted(|basic| basic.realm = "off".into())),
        (vec![own, ("basic-auth-user-header", "X-User")], wanted(|basic| basic.user_field = field())),
        (vec![own, ("basic-auth-forward", "true")], wanted(|basic| basic.forward = true)),
        (vec![own, ("basic-auth-forward", "False")], wanted(|_| {})),
    ] {
        let table = with(&pairs, &users);
        let policy = policy(&table);
        assert_eq!((policy.authentication.basic, policy.access.closed), (want, false), "{pairs:?}");
        assert_eq!(findings(&table), <[&str; 0]>::default());
    }
    let parameters = class("{kind: ConfigMap, name: settings, scope: Namespace, namespace: gateway}")
        + &config_map("data: {basic-auth-realm: Everything, basic-auth-user-header: X-User}");
    let table = ours(&(services() + &users + &parameters + &ingress(&[own], PREFIX, Some("public"))));
    let want = wanted(|basic| (basic.realm, basic.user_field) = ("Everything".into(), field()));
    assert_eq!(policy(&table).authentication.basic, want);
    // The class says what holds where there is a password, not that there is one.
    let table = ours(&(services() + &parameters + &ingress(&[], PREFIX, Some("public"))));
    assert_eq!((policy(&table).authentication.is_needed(), findings(&table).len()), (false, 0));
}

#[test]
fn what_cannot_be_used_closes_the_paths() {
    let at = "error[ING023]: Ingress default/web metadata.annotations[ingress.gateway/";
    let help = "write a line NAME:HASH for each user into auth, as htpasswd -B makes it";
    let own = ("basic-auth-secret", "users");
    let good = secret("auth", &format!("ada:{HASH}"));
    for (pairs, objects, want) in [
        (
            vec![own],
            String::new(),
            "basic-auth-secret]: Secret default/users does not exist, so these paths answer 503; add the Secret to this namespace, with auth in it".to_owned(),
        ),
        (
            vec![own],
            secret("users", "x"),
            format!("basic-auth-secret]: Secret default/users: there is no auth in it, so these paths answer 503; {help}"),
        ),
        (
            vec![own],
            secret("auth", ""),
            format!("basic-auth-secret]: Secret default/users: auth: no user is named, so these paths answer 503; {help}"),
        ),
        (
            vec![own],
            secret("auth", &format!("ada:{HASH}\nbob:hunter2")),
            format!("basic-auth-secret]: Secret default/users: auth: line 2: the password is plain text, or hashed in a way that is not accepted, such as DES crypt, so these paths answer 503; {help}"),
        ),
        (
            vec![("basic-auth-secret", "other/users")],
            good.clone(),
            "basic-auth-secret]: the Secret must be in the same namespace: \"other/users\"; write just its name; until then these paths answer 503".to_owned(),
        ),
        (
            vec![own, ("basic-auth-user-header", "Host")],
            good.clone(),
            "basic-auth-user-header]: the field host has a meaning already; write the name of a field such as X-User; until then these paths answer 503".to_owned(),
        ),
    ] {
        let table = with(&pairs, &objects);
        let policy = policy(&table);
        assert!(policy.access.closed, "{pairs:?}");
        assert_eq!(findings(&table), [format!("{at}{want}")]);
    }
}

#[test]
fn what_is_merely_odd_does_not() {
    let at = "Ingress default/web metadata.annotations[ingress.gateway/";
    let good = secret("auth", &format!("ada:{HASH}"));
    let own = ("basic-auth-secret", "users");
    let long = "x".repeat(129);
    for (pairs, finding) in [
        (
            vec![own, ("basic-auth-realm", &*long)],
            "basic-auth-realm]: the realm has control characters, or is too long; write up to 128 characters in one line",
        ),
        (
            vec![own, ("basic-auth-realm", "a|b")],
            "basic-auth-realm]: the realm has control characters, or is too long; write up to 128 characters in one line",
        ),
        (
            vec![own, ("basic-auth-forward", "yes")],
            "basic-auth-forward]: \"yes\" is neither true nor false; write true or false",
        ),
    ] {
        let table = with(&pairs, &good);
        let policy = policy(&table);
        assert_eq!((policy.authentication.basic, policy.access.closed), (wanted(|_| {}), false));
        assert_eq!(findings(&table), [format!("error[ING023]: {at}{finding}")]);
    }
    for pair in
        [("basic-auth-realm", "shop"), ("basic-auth-user-header", "X-User"), ("basic-auth-forward", "true")]
    {
        let found = findings(&with(&[pair], &good));
        let want = format!(
            "{at}{}]: the annotation has no effect: nobody needs a password; write ingress.gateway/basic-auth-secret, too",
            pair.0
        );
        assert!(found.len() == 1 && found[0].ends_with(&want), "{found:?}");
    }
}

#[test]
fn a_route_follows_its_secret() {
    let mut store = common::store(&(services() + &ingress(&[("basic-auth-secret", "users")], PREFIX, None)));
    let mut apply = |text: &str| {
        let (manifests, _) = parse_manifests(text, "x.yaml");
        manifests.into_iter().for_each(|manifest| _ = store.apply(manifest.object, None));
        let policy = policy(&translate(&store, &Config::default()).build().0);
        (policy.access.closed, policy.authentication.basic.map(|basic| basic.users.len()))
    };
    assert_eq!(apply(""), (true, None));
    assert_eq!(apply(&secret("auth", &format!("ada:{HASH}"))), (false, Some(1)));
    assert_eq!(apply(&secret("auth", &format!("ada:{HASH}\nbob:{HASH}"))), (false, Some(2)));
    assert_eq!(apply(&secret("auth", "ada:secret")), (true, None));
}
