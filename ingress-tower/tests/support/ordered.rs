//! Policies that end a request and those that do not, and a gateway in this process that says whom it asked.
#![allow(dead_code, unreachable_pub, clippy::unwrap_used, reason = "each test uses what it needs")]

use std::collections::BTreeSet;
use std::future::{Ready, ready};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::header::{LOCATION, WWW_AUTHENTICATE};
use http::{Request, Response};
use http_body_util::Full;
use ingress_core::{
    BackendRef, Backends, BasicAuth, Callee, CalleeAddress, Canary, ClientCertificate, Coding, Cors,
    Endpoint, ExternalAuth, FixedAnswer, HttpsRedirect, Jwt, JwtKeys, Mirror, PathMatch, PathRewrite, Policy,
    RateLimit, RedirectStatus, Retries, RouteTable, Rule, Timeout, Trust, Www,
};
use ingress_tower::{Body, ConnectionInfo, Error, IngressLayer, IngressService, Next, PolicyRegistry};
use tower::layer::layer_fn;
use tower::{Service, ServiceExt};

use super::support::HOST;

pub const ORIGIN: &str = "https://other.example";
/// `ada` with the password `secret`.
pub const ADA: &str = "Basic YWRhOnNlY3JldA==";
const USERS: &str = "ada:$2y$05$abcdefghijklmnopqrstuuOQiyCxlgf/oeuTqixKmWdcYUh4Hjl0a\n";
const CLIENT: [u8; 4] = [192, 0, 2, 7];

// ===== policies =====

/// A policy that ends the request of these tests.
pub struct Ending {
    pub name: &'static str,
    /// Two with the same say different things about one policy, so that there is only one of them.
    pub slot: &'static str,
    pub set: fn(&mut Policy),
    /// Status and what else the client is told.
    pub told: &'static str,
    /// Who is asked by then, all others besides.
    pub asked: &'static [&'static str],
}

/// A policy that lets it pass.
pub struct Passing {
    pub name: &'static str,
    pub slot: &'static str,
    pub set: fn(&mut Policy),
}

const fn ending(
    name: &'static str,
    slot: &'static str,
    told: &'static str,
    asked: &'static [&'static str],
    set: fn(&mut Policy),
) -> Ending {
    Ending { name, slot, set, told, asked }
}

const fn passing(name: &'static str, slot: &'static str, set: fn(&mut Policy)) -> Passing {
    Passing { name, slot, set }
}

/// In the order of the table in POLICIES.md, and in that of one step.
pub const ENDINGS: [Ending; 18] = [
    ending("closed", "closed", "503 closed", &[], |policy| policy.access.closed = true),
    ending("deny", "deny", "403 forbidden", &[], |policy| {
        policy.access.deny = "192.0.2.0/24".parse().ok();
    }),
    ending("allow", "allow", "403 forbidden", &[], |policy| {
        policy.access.allow = "198.51.100.0/24".parse().ok();
    }),
    ending("unknown layer", "unknown", "503 closed", &[], |policy| policy.custom.set("unknown", "x")),
    ending("https redirect", "https", "308 https://shop.example/a?..", &[], |policy| {
        policy.https_redirect = Some(HttpsRedirect::With(RedirectStatus::PermanentRedirect));
    }),
    ending("www", "www", "308 http://www.shop.example/a?..", &[], |policy| policy.www = Some(Www::Add)),
    ending("maintenance", "maintenance", "503 maintenance", &[], |policy| {
        policy.maintenance.on = Some(true);
    }),
    ending("rate", "rate", "429 rate_limited", &[], |policy| {
        policy.client_limits.name = Some("shop".into());
        policy.client_limits.rate = "1/h".parse().ok().map(RateLimit::UpTo);
    }),
    ending("concurrency", "concurrency", "429 too_many_requests", &[], |policy| {
        policy.client_limits.name = Some("shop".into());
        policy.client_limits.concurrency = Some(1);
    }),
    ending("certificate", "certificate", "403 no_client_certificate", &[], |policy| {
        policy.authentication.certificate = Some(ClientCertificate::new(Trust::none()));
    }),
    ending("token", "token", "401 unauthorized Bearer", &[], |policy| {
        policy.authentication.jwt = Some(Jwt::new(JwtKeys::Set("{\"keys\": []}".into())));
    }),
    ending("basic", "basic", "401 unauthorized Basic", &[], |policy| {
        policy.authentication.basic =
            Some(BasicAuth::new("bob:{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g=".parse().unwrap()));
    }),
    ending("external no", "external", "418", &["no"], |policy| {
        policy.authentication.external = Some(auth("no"));
    }),
    ending("external down", "external", "503 auth_failed", &["down"], |policy| {
        policy.authentication.external = Some(auth("down"));
    }),
    ending("redirect", "redirect", "302 http://next.example/a?..", &[], |policy| {
        policy.redirect.host = "next.example".parse().ok();
    }),
    ending("answer", "answer", "299", &[], |policy| {
        policy.answer = FixedAnswer::new(299, Default::default(), "fixed").ok();
    }),
    ending("body", "body", "413 large_body", &["layer"], |policy| policy.max_body_size = Some(10)),
    ending("rewrite", "rewrite", "400 bad_rewrite", &["layer"], |policy| {
        policy.rewrite.path = Some(PathRewrite::Full("/{query}".parse().unwrap()));
    }),
];

pub const PASSING: [Passing; 20] = [
    passing("nothing", "", |_| {}),
    passing("headers", "headers", |policy| {
        policy.headers.response.set.push(("X-Edit".parse().unwrap(), "1".parse().unwrap()));
        policy.headers.request.set.push(("X-Edit".parse().unwrap(), "1".parse().unwrap()));
    }),
    passing("cors", "cors", |policy| policy.cors = Some(Cors::new(ORIGIN.parse().unwrap()))),
    passing("compression", "compression", |policy| policy.compression.codings = Some(vec![Coding::Gzip])),
    passing("error pages", "pages", |policy| {
        policy.error_pages.statuses = vec![(400, 599)];
        policy.error_pages.backend = Some(backend("pages"));
    }),
    passing("bandwidth", "bandwidth", |policy| {
        policy.client_limits.bandwidth = std::num::NonZeroU64::new(1 << 20);
    }),
    passing("canary", "canary", |policy| {
        let mut canary = Canary::new("canary");
        canary.header = "x-canary".parse().ok();
        policy.canary = Some(canary);
    }),
    passing("timeouts", "timeouts", |policy| {
        policy.request_timeout = Some(Timeout::After(Duration::from_secs(9)));
        policy.response_timeout = Some(Timeout::After(Duration::from_secs(9)));
    }),
    passing("retries", "retries", |policy| policy.retries = Some(Retries::up_to(2))),
    passing("optional certificate", "certificate", |policy| {
        let mut certificate = ClientCertificate::new(Trust::none());
        certificate.optional = true;
        policy.authentication.certificate = Some(certificate);
    }),
    passing("no https redirect", "https", |policy| policy.https_redirect = Some(HttpsRedirect::Off)),
    passing("www that it is not", "www", |policy| policy.www = Some(Www::Remove)),
    passing("another layer", "layer", |policy| policy.custom.set("other", "x")),
    passing("allowed", "allow", |policy| policy.access.allow = "192.0.2.0/24".parse().ok()),
    passing("not denied", "deny", |policy| policy.access.deny = "198.51.100.0/24".parse().ok()),
    passing("exempt", "maintenance", |policy| {
        policy.maintenance.on = Some(true);
        policy.maintenance.exempt = "192.0.2.0/24".parse().ok();
    }),
    passing("right password", "basic", |policy| {
        policy.authentication.basic = Some(BasicAuth::new(USERS.parse().unwrap()));
    }),
    passing("external yes", "external", |policy| policy.authentication.external = Some(auth("yes"))),
    passing("large bodies", "body", |policy| policy.max_body_size = Some(1 << 20)),
    passing("rewrite", "rewrite", |policy| {
        policy.rewrite.path = Some(PathRewrite::Full("/new{path}".parse().unwrap()));
    }),
];

pub fn backend(name: &str) -> BackendRef {
    format!("default/{name}:80").parse().unwrap()
}

pub fn auth(name: &str) -> ExternalAuth {
    ExternalAuth::new(Callee::new(CalleeAddress::Backend(backend(name)), "/".parse().unwrap()))
}

// ===== the gateway =====

/// Whom the gateway may ask, by the last byte of the address.
const SERVERS: [&str; 7] = ["shop", "canary", "mirror", "yes", "no", "down", "pages"];

#[derive(Clone, Default)]
pub struct Asked(Arc<Mutex<BTreeSet<&'static str>>>);

impl Asked {
    fn note(&self, name: &'static str) {
        self.0.lock().unwrap().insert(name);
    }

    /// Who was asked since this was last called, in the order of names.
    pub async fn take(&self) -> Vec<&'static str> {
        // Copies are sent by tasks of their own.
        for _ in 0..10 {
            tokio::task::yield_now().await;
        }
        std::mem::take(&mut *self.0.lock().unwrap()).into_iter().collect()
    }
}

impl Service<Request<Body>> for Asked {
    type Response = Response<Full<Bytes>>;
    type Error = std::io::Error;
    type Future = Ready<Result<Self::Response, Self::Error>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let host = request.uri().host().unwrap();
        let name = SERVERS[host.rsplit('.').next().unwrap().parse::<usize>().unwrap()];
        self.note(name);
        let status = match name {
            "down" => return ready(Err(std::io::ErrorKind::ConnectionReset.into())),
            "no" => 418,
            _ => 200,
        };
        let answer = Response::builder().status(status).header("content-type", "text/plain");
        ready(Ok(answer.body(Full::from(name.repeat(1000))).unwrap()))
    }
}

/// A gateway for one set of policies: those of the route, of its backends, and of the layer.
pub struct World {
    pub service: IngressService<Asked>,
    pub asked: Asked,
    /// What keeps requests open.
    held: Option<Response<Body>>,
}

impl World {
    pub async fn new(policies: [Policy; 3]) -> Self {
        let [route, of_backend, layer] = policies;
        let mut rules = RouteTable::builder();
        let limits = route.or(&of_backend).or(&layer).client_limits;
        let rule = |host: &str, backends: Backends, policy: Policy| {
            let path = PathMatch::prefix("/").unwrap();
            Rule::with_backends(host.parse().unwrap(), path, backends).with_policy(policy)
        };
        let split = Backends::split([(backend("shop"), 1), (backend("canary"), 0)]);
        rules.rule(rule(HOST, split, base().or(&route)));
        // Uses up what a client may, by the same name.
        for (host, rate, open) in
            [("rate.example", limits.rate, None), ("open.example", None, limits.concurrency)]
        {
            let mut policy = Policy::default();
            policy.client_limits = limits.clone();
            (policy.client_limits.rate, policy.client_limits.concurrency) = (rate, open);
            rules.rule(rule(host, backend("yes").into(), policy));
        }
        // Policies of backends and of the layer only find what a rule names.
        let mut naming = Policy::default();
        naming.error_pages.statuses = vec![(599, 599)];
        naming.error_pages.backend = Some(backend("pages"));
        for name in ["yes", "no", "down"] {
            naming.authentication.external = Some(auth(name));
            rules.rule(rule(&format!("{name}.example"), backend("yes").into(), naming.clone()));
        }
        for (number, name) in SERVERS.into_iter().enumerate() {
            let address = std::net::SocketAddr::from(([10, 0, 0, number as u8], 80));
            rules.endpoints(backend(name), [Endpoint::new(address)]);
        }
        for name in ["shop", "canary"] {
            rules.backend_policy(backend(name), of_backend.clone());
        }
        let asked = Asked::default();
        let noted = asked.clone();
        let registry = PolicyRegistry::new().with("other", |_| Ok(tower::layer::util::Identity::new()));
        let registry = registry.with("seen", move |_| {
            let noted = noted.clone();
            Ok(layer_fn(move |next: Next| {
                noted.note("layer");
                next
            }))
        });
        let gateway = IngressLayer::with_client(ingress_core::table(rules.build().0).0, asked.clone());
        let gateway = gateway.policies(registry);
        // What the layer says is not for these requests.
        let mut world = Self { service: gateway.clone().into_service(), asked, held: None };
        if limits.rate.is_some() {
            world.ask(world.get("rate.example")).await;
        }
        if limits.concurrency.is_some() {
            world.held = Some(world.ask(world.get("open.example")).await);
        }
        world.asked.take().await;
        world.service = gateway.policy(layer).into_service();
        world
    }

    fn get(&self, host: &str) -> Request<Body> {
        let request = Request::get("/").header("host", host);
        request.extension(ConnectionInfo::new((CLIENT, 4711).into())).body(Body::empty()).unwrap()
    }

    pub async fn ask(&self, request: Request<Body>) -> Response<Body> {
        self.service.clone().oneshot(request).await.unwrap()
    }

    /// Sends the request that all of [`ENDINGS`] end.
    pub async fn send(&self) -> Response<Body> {
        self.ask(request("POST", &[])).await
    }
}

/// What every route of these tests has: a mirror and a layer.
fn base() -> Policy {
    let mut policy = Policy::default();
    policy.custom.set("seen", "x");
    policy.mirror = Some(Mirror::to(backend("mirror")));
    policy
}

pub fn request(method: &str, fields: &[(&str, &str)]) -> Request<Body> {
    let mut request = Request::builder().method(method).uri("/a?..");
    for (name, value) in [
        ("host", HOST),
        ("origin", ORIGIN),
        ("accept-encoding", "gzip"),
        ("x-canary", "always"),
        ("authorization", ADA),
    ] {
        request = request.header(name, value);
    }
    for (name, value) in fields {
        request = request.header(*name, *value);
    }
    let info = ConnectionInfo::new((CLIENT, 4711).into());
    let body = Body::new(Full::from(vec![b'x'; 100]));
    request.extension(info).body(body).unwrap()
}

/// Status, and what else tells why.
pub fn told(answer: &Response<Body>) -> String {
    let text = |name| answer.headers().get(name).map(|value| value.to_str().unwrap());
    let reason = answer.extensions().get::<Error>().map(Error::reason);
    let scheme = text(WWW_AUTHENTICATE).and_then(|challenge| challenge.split(' ').next());
    let status = answer.status().as_u16().to_string();
    let words = [Some(&*status), reason.or_else(|| text(LOCATION)), scheme];
    words.into_iter().flatten().collect::<Vec<_>>().join(" ")
}
