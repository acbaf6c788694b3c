//! For each annotation a value that can be read, and some that cannot.

use std::collections::BTreeMap;

use ingress_core::{Policy, RouteTable, Trust};
use ingress_kube::{Config, Scope, annotations};
use serde_json::{Value, json};

use super::{routes, table};

/// An annotation with values.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sample {
    pub(crate) name: &'static str,
    /// What it has no effect without.
    pub(crate) with: &'static [(&'static str, &'static str)],
    pub(crate) value: &'static str,
    pub(crate) unreadable: &'static [&'static str],
}

const fn plain(name: &'static str, value: &'static str, unreadable: &'static [&'static str]) -> Sample {
    Sample { name, with: &[], value, unreadable }
}

const fn beside(
    name: &'static str,
    with: &'static [(&'static str, &'static str)],
    value: &'static str,
    unreadable: &'static [&'static str],
) -> Sample {
    Sample { name, with, value, unreadable }
}

const RETRIES: (&str, &str) = ("retries", "2");
const BY_COOKIE: (&str, &str) = ("affinity", "cookie");
const CA: (&str, &str) = ("client-ca-secret", "ca");
const USERS: (&str, &str) = ("basic-auth-secret", "users");
const KEYS: (&str, &str) = ("jwt-keys-secret", "keys");
const ASKS: (&str, &str) = ("external-auth", "next:80/check");
const PAGE: (&str, &str) = ("external-auth-sign-in", "/in");
const RATE: (&str, &str) = ("rate-limit", "10/s");
const SLOW: (&str, &str) = ("bandwidth-limit", "1MiB");
const ELSEWHERE: (&str, &str) = ("redirect-host", "next.example");
const SCRIPTS: (&str, &str) = ("cors-allow-origin", "https://shop.example");
const SMALL: (&str, &str) = ("compression", "true");
const ERRORS: (&str, &str) = ("error-pages", "5xx");
const SORRY: (&str, &str) = ("error-pages-body", "Sorry");
const PAUSE: (&str, &str) = ("maintenance", "true");
const CANARY: (&str, &str) = ("canary-service", "next");
const ASKED: (&str, &str) = ("health-check-path", "/healthz");

const NUMBERS: &[&str] = &["", "-1", "many"];
const TIMES: &[&str] = &["", "30", "soon"];
const SIZES: &[&str] = &["", "-1", "8 lots"];
const PERCENT: &[&str] = &["", "101%", "half"];
const SWITCHES: &[&str] = &["", "yes", "tru"];
const SECRETS: &[&str] = &["", "other/name", "missing"];
const SERVICES: &[&str] = &["", "next", "other/next:80"];
const RANGES: &[&str] = &["10.0.0.0/33", "office.example", "10.0.0.0/8; 192.0.2.1"];
const LINES: &[&str] = &["", "X-A", "Host: a"];
const NAMES: &[&str] = &["", "a b:", "Connection"];
const PATHS: &[&str] = &["", "v2", "/a/../b"];
const HOSTS: &[&str] = &["", "a b", "https://a.example"];
const TYPES: &[&str] = &["", "json", "text/html\nX: y"];

pub(crate) const SAMPLES: &[Sample] = &[
    plain("path-syntax", "regex", &["", "regexp", "glob"]),
    plain("match-method", "GET, HEAD", &["", "get", "GET()"]),
    plain("match-header", "X-Env = canary", &["", "a ~ (", "a b = c"]),
    plain("match-query", "v = 1", &["", "a ~ (", "= 1"]),
    plain("split", "web: web=90, next=10", &["", "web", "web: web"]),
    plain("connect-timeout", "2s", TIMES),
    plain("response-timeout", "2s", TIMES),
    plain("idle-timeout", "2s", TIMES),
    plain("request-timeout", "2s", TIMES),
    plain("retries", "2", &["", "11", "-1"]),
    beside("retry-on", &[RETRIES], "503", &["", "6xx", "non-idempotent"]),
    plain("max-body-size", "1MiB", SIZES),
    plain("backend-protocol", "https", &["", "fcgi", "http/3"]),
    plain("backend-server-name", "own.example", &["", "a b", "*.example"]),
    plain("backend-verify", "false", SWITCHES),
    plain("backend-ca-secret", "ca", SECRETS),
    plain("load-balance", "random", &["", "ewma", "least request"]),
    plain("hash-key", "header X-User", &["", "ip", "cookie a;b"]),
    plain("affinity", "cookie", &["", "true", "header"]),
    beside("affinity-cookie", &[BY_COOKIE], "sid; Max-Age=60", &["", "a b", "sid; Domain"]),
    beside("affinity-on-failure", &[BY_COOKIE], "move", &["", "stay", "true"]),
    plain("slow-start", "30s", TIMES),
    plain("slow-start-minimum", "5%", PERCENT),
    plain("outlier-failures", "3", NUMBERS),
    plain("outlier-on", "reset, 5xx", &["", "200", "non-idempotent"]),
    plain("outlier-time", "10s", TIMES),
    plain("outlier-max-time", "10m", TIMES),
    plain("outlier-max-ejected", "20%", PERCENT),
    plain("outlier-panic", "10%", PERCENT),
    plain("outlier-success-rate", "1.9", &["", "-1", "1.99999"]),
    plain("max-connections", "10", NUMBERS),
    plain("max-requests", "10", NUMBERS),
    plain("max-pending", "10", NUMBERS),
    plain("retry-budget", "10%", PERCENT),
    beside("health-check-protocol", &[], "tcp", &["", "https", "ping"]),
    plain("health-check-path", "/healthz", &["", "healthz", "/a b"]),
    beside("health-check-service", &[("health-check-protocol", "grpc")], "shop.Cart", &["a b", "a\tb"]),
    beside("health-check-status", &[ASKED], "200, 204", &["", "100", "ok"]),
    beside("health-check-interval", &[ASKED], "5s", &["", "0", "500ms"]),
    beside("health-check-timeout", &[ASKED], "1s", &["", "0", "2m"]),
    beside("health-check-failures", &[ASKED], "5", &["", "0", "101"]),
    beside("health-check-successes", &[ASKED], "5", &["", "0", "101"]),
    plain("allow-source-range", "10.0.0.0/8, 192.0.2.1", RANGES),
    plain("deny-source-range", "192.0.2.0/24", RANGES),
    beside("access-require", &[USERS, ("allow-source-range", "10.0.0.0/8")], "any", &["", "some", "or"]),
    plain("client-ca-secret", "ca", SECRETS),
    beside("client-certificate", &[CA], "optional", &["", "off", "optional_no_ca"]),
    beside("client-certificate-headers", &[CA], "false", SWITCHES),
    plain("basic-auth-secret", "users", SECRETS),
    beside("basic-auth-realm", &[USERS], "The shop", &["a\tb", "a\u{7}b"]),
    beside("basic-auth-user-header", &[USERS], "X-User", &["", "Host", "a b"]),
    beside("basic-auth-forward", &[USERS], "true", SWITCHES),
    plain("jwt-keys-secret", "keys", SECRETS),
    plain("jwt-keys-url", "next:80/keys", &["", "next", "http://issuer.example/keys"]),
    beside("jwt-issuer", &[KEYS], "https://issuer.example", &["", "a b", " "]),
    beside("jwt-audience", &[KEYS], "shop, api", &["", "*, shop", " , "]),
    beside("jwt-token-from", &[KEYS], "cookie session", &["", "query token", "header Host"]),
    beside("jwt-claim-headers", &[KEYS], "sub=X-User", &["", "sub", "sub=Host"]),
    plain("external-auth", "next:80/check", &["", "next", "http://auth.example/"]),
    beside("external-auth-method", &[ASKS], "HEAD", &["", "CONNECT", "TRACE"]),
    beside("external-auth-request-headers", &[ASKS], "Cookie", &["", "Host", "Content-Length"]),
    beside("external-auth-response-headers", &[ASKS], "X-User", &["", "X-Forwarded-For", "a b:"]),
    beside("external-auth-sign-in", &[ASKS], "/in", &["", "//login.example/", "https://{query}/"]),
    beside("external-auth-sign-in-parameter", &[ASKS, PAGE], "next", &["a=b", "a b", "a&b"]),
    beside("external-auth-timeout", &[ASKS], "1s", &["", "0", "2m"]),
    beside("external-auth-cache", &[ASKS], "1m", &["", "2h", "60"]),
    plain("rate-limit", "600/m", &["", "10", "10r/s"]),
    beside("rate-limit-burst", &[RATE], "20", &["", "0", "many"]),
    plain("concurrency-limit", "5", NUMBERS),
    beside("rate-limit-key", &[RATE], "header X-User", &["", "host", "cookie a=b"]),
    beside("rate-limit-exempt", &[RATE], "10.0.0.0/8", RANGES),
    plain("bandwidth-limit", "1MiB", SIZES),
    beside("bandwidth-limit-after", &[SLOW], "10MiB", SIZES),
    plain("rewrite-prefix", "/v2", &["", "v2", "/{a}"]),
    plain("rewrite-path", "/v2{path}", PATHS),
    plain("rewrite-host", "next.example", HOSTS),
    plain("https-redirect", "true", &["", "yes", "303"]),
    plain("www", "add", &["", "both", "true"]),
    plain("redirect-scheme", "https", &["", "ftp", "https://"]),
    plain("redirect-host", "next.example", &["", "{path}", "next.example:81"]),
    plain("redirect-port", "8443", &["", "0", "65536"]),
    plain("redirect-prefix", "/new", &["", "new", "/{a}"]),
    plain("redirect-path", "/new{path}", PATHS),
    beside("redirect-status", &[ELSEWHERE], "301", &["", "304", "200"]),
    plain("request-headers-set", "X-Env: blue", LINES),
    plain("request-headers-add", "X-Env: blue", LINES),
    plain("request-headers-remove", "X-Env", NAMES),
    plain("response-headers-set", "X-Env: blue", LINES),
    plain("response-headers-add", "Set-Cookie: a=1", LINES),
    plain("response-headers-remove", "Server", NAMES),
    plain("cors-allow-origin", "https://shop.example", &["", "shop.example", "null"]),
    beside("cors-allow-methods", &[SCRIPTS], "PUT", &["", "get", "GET, *"]),
    beside("cors-allow-headers", &[SCRIPTS], "X-Key", &["", "a:", "a b:"]),
    beside("cors-expose-headers", &[SCRIPTS], "X-Key", &["", "a:", "a b:"]),
    beside("cors-allow-credentials", &[SCRIPTS], "true", SWITCHES),
    beside("cors-max-age", &[SCRIPTS], "1h", &["", "25h", "60"]),
    plain("compression", "true", &["", "zstd", "yes"]),
    beside("compression-min-size", &[SMALL], "4KiB", SIZES),
    beside("compression-types", &[SMALL], "text/html", &["", "text", "a b"]),
    plain("mirror", "next:80", SERVICES),
    beside("mirror-share", &[("mirror", "next:80")], "10%", &["", "101", "1/2"]),
    beside("error-pages", &[SORRY], "404, 5xx", &["", "200", "teapot"]),
    beside("error-pages-service", &[ERRORS], "next:80", SERVICES),
    beside("error-pages-body", &[ERRORS], "Sorry", &["", " ", "\n"]),
    beside("error-pages-content-type", &[ERRORS, SORRY], "text/plain", TYPES),
    plain("maintenance", "true", SWITCHES),
    beside("maintenance-retry-after", &[PAUSE], "10m", &["", "0", "2d"]),
    beside("maintenance-body", &[PAUSE], "Soon", &[]),
    beside("maintenance-content-type", &[PAUSE, ("maintenance-body", "Soon")], "text/html", TYPES),
    beside("maintenance-exempt", &[PAUSE], "10.0.0.0/8", RANGES),
    plain("respond-status", "410", &["", "100", "2xx"]),
    plain("respond-body", "gone", &[]),
    beside("respond-content-type", &[("respond-body", "{}")], "application/json", TYPES),
    beside("canary-service", &[("canary-weight", "10%")], "next", &["", "other/next", "next:80"]),
    beside("canary-weight", &[CANARY], "10%", PERCENT),
    beside("canary-header", &[CANARY], "X-Canary=next", &["", "X Canary", "a b=c"]),
    beside("canary-cookie", &[CANARY], "canary", &["", "a=b", "a;b"]),
    plain("tls-passthrough", "true", SWITCHES),
];

/// Names and values on one object.
pub(crate) type Said = BTreeMap<&'static str, &'static str>;

impl Sample {
    /// What it has no effect without, and this value, if any.
    pub(crate) fn said(&self, value: Option<&'static str>) -> Said {
        self.with.iter().copied().chain(value.map(|value| (self.name, value))).collect()
    }

    /// The value that can be read, and those that cannot.
    pub(crate) fn values(&self) -> impl Iterator<Item = &'static str> {
        std::iter::once(self.value).chain(self.unreadable.iter().copied())
    }

    fn is_of_endpoints(&self) -> bool {
        annotations().iter().any(|known| known.name == self.name && known.scope == Scope::Endpoints)
    }

    /// The table of an Ingress that says this, or of a Service where that is about endpoints.
    pub(crate) fn table(&self, said: &Said) -> RouteTable {
        let none = Said::new();
        let (ingress_says, service_says) = if self.is_of_endpoints() { (&none, said) } else { (said, &none) };
        built(&[objects(service_says), ingress("web", "/", ingress_says)])
    }
}

/// The table of texts of objects, with a gateway that can read all Secrets but those of `bad`.
pub(crate) fn built(texts: &[String]) -> RouteTable {
    let config = Config::default()
        .load_trust(|pem| match pem {
            b"bad" => Err("it is no PEM".into()),
            pem => Ok(Trust::new(pem, ())),
        })
        .check_keys(|_| Ok(()));
    table(&texts.concat(), &config)
}

fn document(object: &Value) -> String {
    format!("---\n{object}\n")
}

fn written(said: &Said) -> Value {
    said.iter().map(|(name, value)| (format!("ingress.gateway/{name}"), json!(value))).collect()
}

/// An Ingress of one host, for one path that the annotation `path-syntax` is about.
pub(crate) fn ingress(name: &str, path: &str, said: &Said) -> String {
    let backend = json!({"service": {"name": "web", "port": {"number": 80}}});
    let paths = json!([{"path": path, "pathType": "ImplementationSpecific", "backend": backend}]);
    document(&json!({
        "apiVersion": "networking.k8s.io/v1", "kind": "Ingress",
        "metadata": {"name": name, "annotations": written(said)},
        "spec": {"rules": [{"host": "a.example", "http": {"paths": paths}}]},
    }))
}

/// The Services and Secrets that annotations name; the Service `web` says this.
pub(crate) fn objects(said: &Said) -> String {
    let service = |name: &str, address: &str, said: &Said| {
        document(&json!({
            "apiVersion": "v1", "kind": "Service", "metadata": {"name": name, "annotations": written(said)},
            "spec": {"clusterIP": address, "ports": [{"port": 80}]},
        }))
    };
    let secret = |name: &str, key: &str, text: &str| {
        document(&json!({
            "apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "stringData": {key: text},
        }))
    };
    [
        service("web", "10.0.0.1", said),
        service("next", "10.0.0.2", &Said::new()),
        secret("ca", "ca.crt", "good"),
        secret("users", "auth", "ada:{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ="),
        secret("keys", "jwks.json", r#"{"keys":[]}"#),
    ]
    .concat()
}

/// The policies of all routes, and of hosts that are not decrypted.
pub(crate) fn policies(table: &RouteTable) -> Vec<Policy> {
    let routes = table.routes().map(|found| found.route.policy());
    let passed = table.passthroughs().map(|(_, passed)| passed.policy);
    routes.chain(passed).map(|policy| policy.map(|policy| (**policy).clone()).unwrap_or_default()).collect()
}

/// All that a table says of requests, to be compared.
pub(crate) fn whole(table: &RouteTable) -> (Vec<String>, Vec<Policy>, Vec<Policy>) {
    let conditions = table.routes().map(|found| found.route.conditions().to_string());
    let passed = table.passthroughs().map(|(host, _)| host.to_string());
    let backends = table.backends().map(|backend| backend.policy().map(|policy| (**policy).clone()));
    let backends = backends.map(Option::unwrap_or_default).collect();
    (routes(table).into_iter().chain(conditions).chain(passed).collect(), policies(table), backends)
}
