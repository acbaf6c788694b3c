//! Signed tokens: which are accepted, what others are told, and what an endpoint sees of them.
#![allow(clippy::unwrap_used, reason = "a panic fails the test")]

#[path = "support/seen.rs"]
mod seen;
mod support;

use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use http::header::{AUTHORIZATION, WWW_AUTHENTICATE};
use http::{Request, Response};
use ingress_core::{
    BackendRef, Callee, CalleeAddress, Endpoint, Jwt, JwtKeys, PathMatch, Policy, RouteTable, Rule,
    TokenSource,
};
use ingress_tower::{Body, Error, IngressLayer, IngressService, ResourceRegistry};
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair};
use seen::Seen;
use serde_json::{Value, json};
use support::*;
use tower::ServiceExt;

// ===== keys and tokens =====

enum Signer {
    Ec(EcdsaKeyPair),
    Ed(Ed25519KeyPair),
}

impl Signer {
    fn ec() -> Self {
        let random = SystemRandom::new();
        let pkcs8 = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random).unwrap();
        Self::Ec(EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, pkcs8.as_ref(), &random).unwrap())
    }

    fn ed() -> Self {
        let pkcs8 = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).unwrap();
        Self::Ed(Ed25519KeyPair::from_pkcs8(pkcs8.as_ref()).unwrap())
    }

    fn algorithm(&self) -> &'static str {
        match self {
            Self::Ec(_) => "ES256",
            Self::Ed(_) => "EdDSA",
        }
    }

    /// The public half, with a name.
    fn jwk(&self, id: &str) -> Value {
        let encode = |bytes: &[u8]| BASE64_URL_SAFE_NO_PAD.encode(bytes);
        match self {
            Self::Ec(pair) => {
                let point = pair.public_key().as_ref();
                json!({"kty": "EC", "crv": "P-256", "kid": id, "x": encode(&point[1..33]), "y": encode(&point[33..])})
            }
            Self::Ed(pair) => {
                json!({"kty": "OKP", "crv": "Ed25519", "kid": id, "x": encode(pair.public_key().as_ref())})
            }
        }
    }

    fn sign(&self, header: &Value, claims: &Value) -> String {
        let encode = |json: &Value| BASE64_URL_SAFE_NO_PAD.encode(json.to_string());
        let text = format!("{}.{}", encode(header), encode(claims));
        let signature = match self {
            Self::Ec(pair) => pair.sign(&SystemRandom::new(), text.as_bytes()).unwrap().as_ref().to_vec(),
            Self::Ed(pair) => pair.sign(text.as_bytes()).as_ref().to_vec(),
        };
        format!("{text}.{}", BASE64_URL_SAFE_NO_PAD.encode(signature))
    }

    fn token(&self, id: &str, claims: &Value) -> String {
        self.sign(&json!({"alg": self.algorithm(), "kid": id}), claims)
    }
}

fn set(keys: &[Value]) -> String {
    json!({"keys": keys}).to_string()
}

fn soon() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs() + 600
}

fn claims() -> Value {
    json!({"iss": "https://issuer.example", "aud": "shop", "sub": "ada", "exp": soon(), "groups": ["a", "b"]})
}

fn needed(keys: JwtKeys) -> Jwt {
    let mut jwt = Jwt::new(keys);
    jwt.realm = "shop".into();
    jwt.issuer = Some("https://issuer.example".into());
    jwt.audiences = vec!["shop".into()];
    jwt.claims = vec![
        ("sub".into(), "X-User".parse().unwrap()),
        ("groups".into(), "X-Groups".parse().unwrap()),
        ("email".into(), "X-Email".parse().unwrap()),
    ];
    jwt
}

// ===== the gateway =====

fn layer(server: &Seen, jwt: Jwt, others: &[(&str, Vec<Endpoint>)]) -> IngressLayer {
    let mut policy = Policy::default();
    policy.authentication.jwt = Some(jwt);
    treated(server, policy, others)
}

fn treated(server: &Seen, policy: Policy, others: &[(&str, Vec<Endpoint>)]) -> IngressLayer {
    let mut rules = RouteTable::builder();
    let backend: BackendRef = "default/shop:80".parse().unwrap();
    let rule = Rule::new(HOST.parse().unwrap(), PathMatch::prefix("/").unwrap(), backend.clone());
    rules.rule(rule.with_policy(policy));
    rules.endpoints(backend, [Endpoint::new(server.addr)]);
    for (other, endpoints) in others {
        rules.endpoints(other.parse().unwrap(), endpoints.clone());
    }
    IngressLayer::new(ingress_core::table(rules.build().0).0)
}

async fn ask(service: &IngressService, fields: &[(&str, &str)]) -> Response<Body> {
    let mut request = Request::get("/").header("host", HOST);
    for (name, value) in fields {
        request = request.header(*name, *value);
    }
    service.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap()
}

async fn status(service: &IngressService, token: &str) -> u16 {
    ask(service, &[("authorization", &format!("Bearer {token}"))]).await.status().as_u16()
}

#[tokio::test]
async fn tokens_that_are_accepted_and_others() {
    let server = Seen::start().await;
    let (ec, ed, stranger) = (Signer::ec(), Signer::ed(), Signer::ec());
    let keys = set(&[ec.jwk("a"), ed.jwk("b")]);
    let service = layer(&server, needed(JwtKeys::Set(keys.into())), &[]).into_service();
    let changed = |name: &str, value: Value| {
        let mut claims = claims();
        claims[name] = value;
        claims
    };
    let good = ec.token("a", &claims());
    let (head, signature) = good.rsplit_once('.').unwrap();
    let (header, payload) = head.split_once('.').unwrap();
    let other = BASE64_URL_SAFE_NO_PAD.encode(changed("sub", "root".into()).to_string());
    let none = BASE64_URL_SAFE_NO_PAD.encode(r#"{"alg":"none"}"#);
    // What a careless server takes for a secret: the public key as it is published, with an HMAC.
    let confused = {
        let text = format!("{}.{payload}", BASE64_URL_SAFE_NO_PAD.encode(r#"{"alg":"HS256","kid":"a"}"#));
        let Signer::Ec(pair) = &ec else { unreachable!() };
        let secret = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, pair.public_key().as_ref());
        let signature = ring::hmac::sign(&secret, text.as_bytes());
        format!("{text}.{}", BASE64_URL_SAFE_NO_PAD.encode(signature))
    };
    let table = [
        (good.clone(), None),
        (ed.token("b", &claims()), None),
        (ec.sign(&json!({"alg": "ES256"}), &claims()), None),
        (ec.token("a", &changed("aud", json!(["x", "shop"]))), None),
        (ec.token("b", &claims()), Some("the token is not signed with a key that is known")),
        (ec.token("c", &claims()), Some("the token is not signed with a key that is known")),
        (stranger.token("a", &claims()), Some("the token is not signed with a key that is known")),
        (format!("{header}.{other}.{signature}"), Some("the token is not signed with a key that is known")),
        (format!("{header}.{payload}."), Some("the token is not signed with a key that is known")),
        (format!("{none}.{payload}."), Some("the token is not signed with a key that is known")),
        (format!("{none}.{payload}.{signature}"), Some("the token is not signed with a key that is known")),
        (confused, Some("the token is not signed with a key that is known")),
        (
            ec.sign(&json!({"alg": "EdDSA", "kid": "a"}), &claims()),
            Some("the token is not signed with a key that is known"),
        ),
        (ec.sign(&json!({"alg": "ES256", "crit": ["x"], "x": 1}), &claims()), Some("the token is malformed")),
        (format!("{good}.x"), Some("the token is malformed")),
        ("x".into(), Some("the token is malformed")),
        (ec.token("a", &changed("exp", json!(soon() - 700))), Some("the token has expired")),
        (ec.token("a", &changed("exp", Value::Null)), Some("the token is malformed")),
        (ec.token("a", &changed("nbf", json!(soon()))), Some("the token is not valid yet")),
        (
            ec.token("a", &changed("iss", "https://other.example".into())),
            Some("the token is from another issuer"),
        ),
        (ec.token("a", &changed("aud", "bank".into())), Some("the token is for another audience")),
    ];
    for (token, why) in table {
        let answer = ask(&service, &[("authorization", &format!("Bearer {token}"))]).await;
        assert_eq!(answer.status(), if why.is_none() { 200 } else { 401 }, "{why:?}");
        assert_eq!(server.take().len(), usize::from(why.is_none()));
        let challenge =
            answer.headers().get(WWW_AUTHENTICATE).map(|value| value.to_str().unwrap().to_owned());
        let want = |why| format!(r#"Bearer realm="shop", error="invalid_token", error_description="{why}""#);
        assert_eq!(challenge, why.map(want));
        let reason = answer.extensions().get::<Error>().map(Error::reason);
        assert_eq!(reason, why.map(|_| "unauthorized"));
    }
    for fields in [vec![], vec![("authorization", "Basic YTpi")], vec![("authorization", "Bearer")]] {
        let answer = ask(&service, &fields).await;
        assert_eq!(
            (answer.status().as_u16(), &answer.headers()[WWW_AUTHENTICATE]),
            (401, &r#"Bearer realm="shop""#.parse().unwrap())
        );
    }
    let call = ask(&service, &[("content-type", "application/grpc")]).await;
    assert_eq!((call.status().as_u16(), &call.headers()["grpc-status"]), (200, &"16".parse().unwrap()));
    assert_eq!(server.take().len(), 0);
}

#[tokio::test]
async fn an_endpoint_is_told_what_the_token_says_and_clients_cannot() {
    let server = Seen::start().await;
    let signer = Signer::ec();
    let mut jwt = needed(JwtKeys::Set(set(&[signer.jwk("a")]).into()));
    jwt.source = TokenSource::Cookie("session".into());
    let service = layer(&server, jwt, &[]).into_service();
    let token = signer.token("a", &claims());
    let cookie = format!("a=b; session={token}");
    let forged =
        [("x-user", "root"), ("x_user", "root"), ("x-groups", "root"), ("x-email", "root@shop.example")];
    let fields = [&forged[..], &[("cookie", &*cookie)]].concat();
    assert_eq!(ask(&service, &fields).await.status(), 200);
    let head = server.take().remove(0).headers;
    assert_eq!(
        (&head["x-user"], &head["x-groups"]),
        (&"ada".parse().unwrap(), &r#"["a","b"]"#.parse().unwrap())
    );
    assert_eq!(head.get_all("x-user").iter().count(), 1);
    assert!(!head.contains_key("x_user") && !head.contains_key("x-email"));
    assert_eq!(head["cookie"], cookie, "the token goes on");

    let mut split = claims();
    split["sub"] = "ada\r\nx-admin: 1".into();
    let cookie = format!("session={}", signer.token("a", &split));
    assert_eq!(ask(&service, &[("cookie", &cookie)]).await.status(), 200);
    let head = server.take().remove(0).headers;
    assert!(!head.contains_key("x-user") && !head.contains_key("x-admin"));
}

#[tokio::test]
async fn where_a_password_is_enough_both_are_asked_for() {
    let server = Seen::start().await;
    let signer = Signer::ec();
    let users = "ada:{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ=".parse().unwrap();
    let mut policy = Policy::default();
    policy.authentication.jwt = Some(needed(JwtKeys::Set(set(&[signer.jwk("a")]).into())));
    policy.authentication.basic = Some(ingress_core::BasicAuth::new(users));
    policy.authentication.any = Some(true);
    let service = treated(&server, policy, &[]).into_service();
    let token = format!("Bearer {}", signer.token("a", &claims()));
    for (authorization, told, want) in
        [("Basic YWRhOnNlY3JldA==", None, None), (&*token, Some(&*token), Some("ada"))]
    {
        let fields = [("authorization", authorization), ("x-user", "root")];
        assert_eq!(ask(&service, &fields).await.status(), 200);
        let head = server.take().remove(0).headers;
        let field = |name: &str| head.get(name).map(|value| value.to_str().unwrap());
        assert_eq!((field("authorization"), field("x-user")), (told, want));
    }
    for fields in [vec![], vec![("authorization", "Basic YWRhOnB3")]] {
        let answer = ask(&service, &fields).await;
        assert_eq!(answer.status(), 401);
        let challenges: Vec<_> = answer.headers().get_all(WWW_AUTHENTICATE).iter().collect();
        assert_eq!(challenges, [r#"Bearer realm="shop""#, r#"Basic realm="Restricted", charset="UTF-8""#]);
    }
    assert_eq!(server.take().len(), 0);
}

#[tokio::test]
async fn over_http1_and_http2() {
    let server = Seen::start().await;
    let signer = Signer::ed();
    let service = layer(&server, needed(JwtKeys::Set(set(&[signer.jwk("a")]).into())), &[]).into_service();
    let gateway = Gateway::start(Default::default(), service).await;
    let token = signer.token("a", &claims());
    for (fields, want) in [(String::new(), 401), (format!("authorization: Bearer {token}\r\n"), 200)] {
        let mut client = gateway.client().await;
        client
            .send(format!("POST / HTTP/1.1\r\nhost: {HOST}\r\n{fields}content-length: 4\r\n\r\nbody"))
            .await;
        let answer = client.response().await;
        assert_eq!((answer.status(), server.take().len()), (want, usize::from(want == 200)));
        assert_eq!(answer.body == b"body", want == 200);
    }
    let mut client = http2_client(gateway.addr).await;
    for (token, want) in [(Some(&*token), 200), (None, 401), (Some("x"), 401), (Some(&*token), 200)] {
        let mut request = Request::post(format!("http://{HOST}/"));
        if let Some(token) = token {
            request = request.header(AUTHORIZATION, format!("Bearer {token}"));
        }
        let answer =
            within("answer", client.send_request(request.body(full("body")).unwrap())).await.unwrap();
        assert_eq!((answer.status().as_u16(), server.take().len()), (want, usize::from(want == 200)));
    }
}

#[tokio::test]
async fn keys_that_cannot_be_used_close_the_route() {
    let server = Seen::start().await;
    let token = Signer::ec().token("a", &claims());
    for keys in ["", "{}", r#"{"keys":[]}"#, r#"{"keys":[{"kty":"oct","k":"c2VjcmV0"}]}"#] {
        let service = layer(&server, needed(JwtKeys::Set(keys.into())), &[]).into_service();
        let answer = ask(&service, &[("authorization", &format!("Bearer {token}"))]).await;
        assert_eq!(answer.status(), 503);
        assert_eq!(answer.extensions().get::<Error>().map(Error::reason), Some("closed"));
    }
    assert_eq!(server.take().len(), 0);
}

// ===== keys that somebody is asked for =====

/// Someone in this process who has keys.
#[derive(Clone, Default)]
struct Issuer {
    asked: Arc<AtomicUsize>,
    answer: Arc<Mutex<Option<String>>>,
}

impl Issuer {
    fn set(&self, keys: Option<String>) {
        *self.answer.lock().unwrap() = keys;
    }

    fn asked(&self) -> usize {
        self.asked.load(SeqCst)
    }

    /// A gateway whose routes need keys of this one.
    fn gateway(&self, server: &Seen) -> IngressService {
        let callee = Callee::new(
            CalleeAddress::Backend("default/issuer:80".parse().unwrap()),
            "/keys".parse().unwrap(),
        );
        let issuer = self.clone();
        let service = tower::service_fn(move |request: Request<Body>| {
            let issuer = issuer.clone();
            async move {
                assert_eq!(
                    (request.uri().path(), request.headers().contains_key(AUTHORIZATION)),
                    ("/keys", false)
                );
                issuer.asked.fetch_add(1, SeqCst);
                let answer = issuer.answer.lock().unwrap().clone();
                let status = if answer.is_some() { 200 } else { 500 };
                let body = Body::from(answer.unwrap_or_default());
                Ok::<_, std::convert::Infallible>(Response::builder().status(status).body(body).unwrap())
            }
        });
        let resources = ResourceRegistry::new().with("default/issuer:80".parse().unwrap(), service);
        layer(server, needed(JwtKeys::At(callee)), &[("default/issuer:80", vec![])])
            .resources(resources)
            .into_service()
    }
}

async fn pass(seconds: u64) {
    tokio::time::advance(Duration::from_secs(seconds)).await;
}

#[tokio::test]
async fn keys_are_asked_for_once_and_again_for_names_that_are_not_there() {
    let server = Seen::start().await;
    let (issuer, old, new) = (Issuer::default(), Signer::ec(), Signer::ec());
    let service = issuer.gateway(&server);
    tokio::time::pause();
    issuer.set(Some(set(&[old.jwk("old")])));
    let token = old.token("old", &claims());
    let both = [status(&service, &token).await, status(&service, &token).await];
    assert_eq!((both, issuer.asked()), ([200, 200], 1));
    // Whoever makes up names has nobody asked: that was just done.
    for _ in 0..5 {
        assert_eq!(status(&service, &new.token("new", &claims())).await, 401);
    }
    assert_eq!(issuer.asked(), 1);
    pass(6).await;
    issuer.set(Some(set(&[new.jwk("new")])));
    assert_eq!(status(&service, &new.token("new", &claims())).await, 200);
    assert_eq!(status(&service, &old.token("old", &claims())).await, 401);
    assert_eq!(issuer.asked(), 2);
}

#[tokio::test]
async fn keys_are_asked_for_again_and_old_ones_kept_if_nothing_comes() {
    let server = Seen::start().await;
    let (issuer, signer) = (Issuer::default(), Signer::ec());
    let service = issuer.gateway(&server);
    let token = signer.token("a", &claims());
    tokio::time::pause();
    issuer.set(Some(set(&[signer.jwk("a")])));
    assert_eq!(status(&service, &token).await, 200);
    issuer.set(None);
    for (seconds, asked) in [(200, 1), (101, 2), (1, 2), (5, 3), (1000, 4)] {
        pass(seconds).await;
        assert_eq!(status(&service, &token).await, 200);
        tokio::task::yield_now().await;
        assert_eq!(issuer.asked(), asked, "after {seconds} more");
    }
    // A key that has gone is gone once that is known.
    issuer.set(Some(set(&[Signer::ec().jwk("b")])));
    pass(700).await;
    assert_eq!(status(&service, &token).await, 401);
}

#[tokio::test]
async fn without_keys_nobody_gets_past() {
    let server = Seen::start().await;
    let (issuer, signer) = (Issuer::default(), Signer::ec());
    let service = issuer.gateway(&server);
    let token = signer.token("a", &claims());
    tokio::time::pause();
    for (answer, seconds) in
        [(None, 0), (None, 1), (Some("nothing".into()), 5), (Some("x".repeat(1 << 20)), 5)]
    {
        pass(seconds).await;
        issuer.set(answer);
        let answer = ask(&service, &[("authorization", &format!("Bearer {token}"))]).await;
        assert_eq!(answer.status(), 503);
        assert_eq!(answer.extensions().get::<Error>().map(Error::reason), Some("auth_failed"));
    }
    assert_eq!(issuer.asked(), 3);
    // Without a token there is nothing to check.
    assert_eq!(ask(&service, &[]).await.status(), 401);
    pass(5).await;
    issuer.set(Some(set(&[signer.jwk("a")])));
    assert_eq!(server.take().len(), 0);
    assert_eq!(status(&service, &token).await, 200);
}

#[tokio::test]
async fn keys_of_a_server_and_of_a_backend() {
    let server = Seen::start().await;
    let signer = Signer::ec();
    let keys = set(&[signer.jwk("a")]);
    let app = axum::Router::new().route("/jwks", axum::routing::get(move || async move { keys }));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, app).await });
    let url = CalleeAddress::Url(Endpoint::new(addr).address().clone(), ingress_core::Protocol::Http1);
    let backend = CalleeAddress::Backend("default/issuer:80".parse().unwrap());
    for (to, path, want) in [(url.clone(), "/jwks", 200), (backend, "/jwks", 200), (url, "/other", 503)] {
        let jwt = needed(JwtKeys::At(Callee::new(to, path.parse().unwrap())));
        let service = layer(&server, jwt, &[("default/issuer:80", vec![Endpoint::new(addr)])]).into_service();
        assert_eq!(within("answer", status(&service, &signer.token("a", &claims()))).await, want, "{path}");
        assert_eq!(server.take().len(), usize::from(want == 200));
    }
}
