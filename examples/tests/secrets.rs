//! Nothing that the gateway tells about what it serves has a secret in it.

#![allow(clippy::unwrap_used, reason = "a test may")]

mod support;

use serde_json::{Value, json};
use support::{Gateway, client, command, manifests, services};

const HASH: &str =
    "$6$shopsalt0$DK2vZEE2GGCNLkvf7NmS73ffG5/3ambD90irNflmycY9X8.bdjh4cClLcjLtXXIi4Mxr17Jmf.6eJAHNrm3xZ.";
/// The private part of the key of RFC 7517 appendix A.2, which is in the Secret by mistake.
const PRIVATE: &str = "870MB6gfuTJ4HtUnUvYMyJpr5eUZNP4Bk43bVdj3eAE";
const PLAIN: &str = "hunter2";

fn secret(name: &str, key: &str, text: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "stringData": {key: text}})
}

#[test]
fn what_is_told_of_policies_has_no_secret_in_it() {
    let directory = tempfile::tempdir().unwrap();
    let made = rcgen::generate_simple_self_signed(["web.example".to_owned()]).unwrap();
    let key = made.signing_key.serialize_pem();
    let keys = json!({"keys": [{
        "kty": "EC", "crv": "P-256", "kid": "one", "d": PRIVATE,
        "x": "MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4", "y": "4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM",
    }]});
    let mut web = manifests::served("web", services::start("web"));
    web[0]["spec"]["tls"] = json!([{"hosts": ["web.example"], "secretName": "web"}]);
    web[0]["metadata"]["annotations"] = json!({
        "ingress.gateway/basic-auth-secret": "users",
        "ingress.gateway/jwt-keys-secret": "keys",
        "ingress.gateway/client-ca-secret": "authority",
    });
    let mut other = manifests::ingress("other", "other.example", "/", "web");
    other["metadata"]["annotations"] = json!({"ingress.gateway/basic-auth-secret": "broken"});
    let tls = json!({
        "apiVersion": "v1", "kind": "Secret", "metadata": {"name": "web"}, "type": "kubernetes.io/tls",
        "stringData": {"tls.crt": made.cert.pem(), "tls.key": key},
    });
    let secrets = [
        other,
        tls,
        secret("users", "auth", &format!("clerk:{HASH}\n")),
        secret("broken", "auth", &format!("smith:{PLAIN}\n")),
        secret("keys", "jwks.json", &keys.to_string()),
        secret("authority", "ca.crt", &made.cert.pem()),
    ];
    manifests::write(directory.path(), "all.yaml", &[&web[..], &secrets[..]].concat());

    let gateway = Gateway::run(directory.path(), &["--https", "127.0.0.1:0"]);
    let mut told: Vec<_> = ["/config_dump", "/metrics", "/readyz?verbose"]
        .map(|path| (path.to_owned(), client::get(gateway.admin, "admin", path).body))
        .into();
    told.push(("the log".into(), json!(gateway.seen).to_string()));
    let directory = directory.path().to_str().unwrap();
    let explain = ["explain", "--manifests", directory, "GET", "http://web.example/"];
    for arguments in [
        &["check", directory][..],
        &["check", directory, "--format", "json"],
        &["check", directory, "--format", "sarif"],
        &["routes", "--manifests", directory, "--format", "json"],
        &explain,
        &[&explain[..], &["--format", "json"]].concat(),
    ] {
        let output = command(arguments).output().unwrap();
        told.push((arguments.join(" "), String::from_utf8(output.stdout).unwrap()));
    }
    let line = key.lines().nth(1).unwrap();
    let (salt, digest) = HASH[3..].split_once('$').unwrap();
    for (where_, text) in &told {
        for secret in [salt, digest, PRIVATE, PLAIN, line] {
            assert!(!text.contains(secret), "{where_} tells {secret}: {text}");
        }
    }
    // They do tell that there is something.
    let dump = &told[0].1;
    for word in ["\"basic\"", "\"jwt\"", "Secret default/broken"] {
        assert!(dump.contains(word), "{word}: {dump}");
    }
}
