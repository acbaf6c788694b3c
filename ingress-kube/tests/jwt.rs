//! Signed tokens: what the annotations say, and what closes the paths.
#![allow(clippy::unwrap_used, reason = "a panic fails the test")]
#![cfg(feature = "manifests")]

mod common;

use common::annotated::{ingress, services};
use common::findings;
use ingress_core::{
    Callee, CalleeAddress, EndpointAddress, Jwt, JwtKeys, Policy, Protocol, RouteTable, TokenSource,
};
use ingress_kube::Config;
use serde_json::json;

const PREFIX: (&str, &str) = ("Prefix", "/a");
const KEYS: &str = r#"{"keys":[]}"#;
const OWN: (&str, &str) = ("jwt-keys-secret", "keys");

fn secret(key: &str, text: &str) -> String {
    format!(
        "---\napiVersion: v1\nkind: Secret\nmetadata: {{name: keys}}\nstringData: {{{key}: {}}}\n",
        json!(text)
    )
}

fn policy(table: &RouteTable) -> Policy {
    table.routes().next().unwrap().route.policy().map(|policy| (**policy).clone()).unwrap_or_default()
}

fn with(pairs: &[(&str, &str)], objects: &str) -> RouteTable {
    let config = Config::default().check_keys(|json| match json {
        b"bad" => Err("it has no key".into()),
        _ => Ok(()),
    });
    common::table(&(services() + objects + &ingress(pairs, PREFIX, None)), &config)
}

fn wanted(change: impl FnOnce(&mut Jwt)) -> Option<Jwt> {
    let mut jwt = Jwt::new(JwtKeys::Set(KEYS.into()));
    change(&mut jwt);
    Some(jwt)
}

#[test]
fn keys_and_what_is_said_beside_them() {
    let keys = secret("jwks.json", KEYS);
    let claims =
        || vec![("sub".into(), "X-User".parse().unwrap()), ("email".into(), "X-Email".parse().unwrap())];
    for (pairs, want) in [
        (vec![OWN], wanted(|_| {})),
        (
            vec![OWN, ("jwt-issuer", "https://issuer.example"), ("jwt-audience", "shop, api")],
            wanted(|jwt| {
                jwt.issuer = Some("https://issuer.example".into());
                jwt.audiences = vec!["shop".into(), "api".into()];
            }),
        ),
        (vec![OWN, ("jwt-audience", "*")], wanted(|jwt| jwt.any_audience = true)),
        (
            vec![OWN, ("jwt-token-from", "cookie session")],
            wanted(|jwt| jwt.source = TokenSource::Cookie("session".into())),
        ),
        (vec![OWN, ("jwt-claim-headers", "sub=X-User|email=X-Email")], wanted(|jwt| jwt.claims = claims())),
    ] {
        let table = with(&pairs, &keys);
        let policy = policy(&table);
        assert_eq!((policy.authentication.jwt, policy.access.closed), (want, false), "{pairs:?}");
        assert_eq!(findings(&table), <[&str; 0]>::default());
    }
}

#[test]
fn what_cannot_be_used_closes_the_paths() {
    let at = "error[ING023]: Ingress default/web metadata.annotations[ingress.gateway/";
    let good = secret("jwks.json", KEYS);
    let none = String::new();
    for (pairs, objects, want) in [
        (
            vec![OWN],
            &none,
            "jwt-keys-secret]: Secret default/keys does not exist, so these paths answer 503; add the Secret to this namespace, with jwks.json in it",
        ),
        (
            vec![OWN],
            &secret("keys", KEYS),
            "jwt-keys-secret]: Secret default/keys: there is no jwks.json in it, so these paths answer 503; write the public keys into jwks.json, a JSON Web Key Set",
        ),
        (
            vec![OWN],
            &secret("jwks.json", "bad"),
            "jwt-keys-secret]: Secret default/keys: it has no key, so these paths answer 503; write the public keys into jwks.json, a JSON Web Key Set",
        ),
        (
            vec![("jwt-keys-secret", "other/keys")],
            &good,
            "jwt-keys-secret]: the Secret must be in the same namespace: \"other/keys\"; write just its name; until then these paths answer 503",
        ),
        (
            vec![OWN, ("jwt-issuer", "")],
            &good,
            "jwt-issuer]: the issuer cannot be used: \"\"; write what the claim iss of its tokens is, such as https://issuer.example; until then these paths answer 503",
        ),
        (
            vec![OWN, ("jwt-audience", "*, shop")],
            &good,
            "jwt-audience]: * is everybody, and there are others beside it; write either * or a list of audiences; until then these paths answer 503",
        ),
        (
            vec![OWN, ("jwt-token-from", "query token")],
            &good,
            "jwt-token-from]: \"query token\" is no place of a token; write authorization, cookie NAME or header NAME; until then these paths answer 503",
        ),
        (
            vec![OWN, ("jwt-claim-headers", "sub=Host")],
            &good,
            "jwt-claim-headers]: the field host has a meaning already; write pairs such as sub=X-User, email=X-Email; until then these paths answer 503",
        ),
    ] {
        let table = with(&pairs, objects);
        assert!(policy(&table).access.closed, "{pairs:?}");
        assert_eq!(findings(&table), [format!("{at}{want}")]);
    }
}

#[test]
fn without_keys_nobody_gets_past() {
    for (name, value) in [
        ("jwt-issuer", "https://issuer.example"),
        ("jwt-audience", "shop"),
        ("jwt-token-from", "authorization"),
        ("jwt-claim-headers", "sub=X-User"),
    ] {
        let table = with(&[(name, value)], "");
        assert!(policy(&table).access.closed, "{name}");
        let found = findings(&table);
        let why = format!(
            "Ingress default/web metadata.annotations[ingress.gateway/{name}]: the annotation has no effect: nothing says which keys tokens are signed with, so these paths answer 503; write ingress.gateway/jwt-keys-secret or ingress.gateway/jwt-keys-url, too"
        );
        assert!(found.len() == 1 && found[0].ends_with(&why), "{found:?}");
    }
}

#[test]
fn keys_of_a_service_or_a_url() {
    let wanted = |to, path: &str| {
        let mut jwt = Jwt::new(JwtKeys::At(Callee::new(to, path.parse().unwrap())));
        jwt.issuer = Some("https://issuer.example".into());
        Some(jwt)
    };
    let backend = || CalleeAddress::Backend("default/next:80".parse().unwrap());
    let name = EndpointAddress::Name("issuer.example".parse().unwrap(), 443);
    let at = "error[ING023]: Ingress default/web metadata.annotations[ingress.gateway/jwt-keys-url]: ";
    for (url, elsewhere, want) in [
        ("next:80/keys", false, Ok(wanted(backend(), "/keys"))),
        ("http://next.default.svc/keys?a=b", false, Ok(wanted(backend(), "/keys?a=b"))),
        (
            "https://issuer.example/.well-known/jwks.json",
            true,
            Ok(wanted(CalleeAddress::Url(name, Protocol::Https), "/.well-known/jwks.json")),
        ),
        ("https://issuer.example/jwks.json", false, Err("issuer.example is no Service of this namespace")),
        (
            "http://issuer.example/jwks.json",
            true,
            Err("whoever is between here and issuer.example could answer in its place"),
        ),
        ("next/keys", false, Err("no port is named")),
        (
            "next:80/{host}",
            false,
            Err("keys are asked for on no request's behalf, so there is nothing for braces"),
        ),
        ("", false, Err("no port is named")),
    ] {
        let pairs = [("jwt-keys-url", url), ("jwt-issuer", "https://issuer.example")];
        let text = services() + &ingress(&pairs, PREFIX, None);
        let table = common::table(&text, &Config::default().allow_external_name(elsewhere));
        let (policy, found) = (policy(&table), findings(&table));
        match want {
            Ok(want) => {
                assert_eq!((policy.authentication.jwt, policy.access.closed), (want, false));
                assert_eq!(found, <[&str; 0]>::default());
            }
            Err(why) => {
                assert!(policy.access.closed, "{url}");
                assert!(found.len() == 1 && found[0].starts_with(&format!("{at}{why}")), "{found:?}");
                assert!(found[0].ends_with("; until then these paths answer 503"), "{found:?}");
            }
        }
    }
    let table = with(&[OWN, ("jwt-keys-url", "next:80/keys")], &secret("jwks.json", KEYS));
    assert!(policy(&table).access.closed);
    let want = format!(
        "{at}jwt-keys-secret is written, too; leave one of the two out; until then these paths answer 503"
    );
    assert_eq!(findings(&table), [want]);
}
