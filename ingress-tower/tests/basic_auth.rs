//! Names and passwords: who gets past, what others are told, and what an endpoint sees of it.
#![allow(clippy::unwrap_used, reason = "a panic fails the test")]

#[path = "support/seen.rs"]
mod seen;
mod support;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use http::header::{AUTHORIZATION, WWW_AUTHENTICATE};
use http::{Request, Response};
use http_body_util::BodyExt;
use ingress_core::{
    BasicAuth, Endpoint, PathMatch, Policy, RouteTable, Rule, TableReader, TableWriter, table,
};
use ingress_tower::{Body, ConnectionInfo, Error, IngressLayer, IngressService};
use seen::Seen;
use support::*;
use tower::ServiceExt;

/// `secret` is ada's password and `pw` bob's.
const USERS: &str = "ada:$2y$05$abcdefghijklmnopqrstuuOQiyCxlgf/oeuTqixKmWdcYUh4Hjl0a\nbob:$apr1$salt$dIQSC7CZVMfwYUarWFsjy0\nDörte:{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ=\n";

fn needed() -> BasicAuth {
    let mut basic = BasicAuth::new(USERS.parse().unwrap());
    basic.realm = "The \"shop\"".into();
    basic
}

fn policy(basic: BasicAuth) -> Policy {
    let mut policy = Policy::default();
    policy.authentication.basic = Some(basic);
    policy
}

fn rules(server: &Seen, policy: Policy) -> RouteTable {
    let mut rules = RouteTable::builder();
    let backend: ingress_core::BackendRef = "default/shop:80".parse().unwrap();
    let rule = Rule::new(HOST.parse().unwrap(), PathMatch::prefix("/").unwrap(), backend.clone());
    rules.rule(rule.with_policy(policy));
    rules.endpoints(backend, [Endpoint::new(server.addr)]);
    rules.build().0
}

fn serve(server: &Seen, policy: Policy) -> (IngressService, TableWriter) {
    let (reader, writer): (TableReader, TableWriter) = table(rules(server, policy));
    (IngressLayer::new(reader).into_service(), writer)
}

fn basic(name: &str, password: &str) -> String {
    format!("Basic {}", BASE64_STANDARD.encode(format!("{name}:{password}")))
}

async fn ask(service: &IngressService, fields: &[(&str, &str)]) -> Response<Body> {
    let mut request = Request::get("/").header("host", HOST);
    for (name, value) in fields {
        request = request.header(*name, *value);
    }
    let request = request.extension(ConnectionInfo::new(([192, 0, 2, 7], 4711).into()));
    within("answer", service.clone().oneshot(request.body(Body::empty()).unwrap())).await.unwrap()
}

#[tokio::test]
async fn who_knows_a_password_gets_past_and_others_do_not() {
    let server = Seen::start().await;
    let (service, _writer) = serve(&server, policy(needed()));
    let table = [
        (Some(basic("ada", "secret")), 200),
        (Some(basic("ada", "secret")), 200),
        (Some(basic("bob", "pw")), 200),
        (Some(basic("Dörte", "secret")), 200),
        (Some(basic("ada", "secret").replace("Basic", "bASIC")), 200),
        (Some(basic("ada", "Secret")), 401),
        (Some(basic("ada", "pw")), 401),
        (Some(basic("bob", "secret")), 401),
        (Some(basic("Ada", "secret")), 401),
        (Some(basic("eve", "secret")), 401),
        (Some(basic("", "")), 401),
        (Some(basic("ada", "")), 401),
        (Some(basic("ada", "secret\0")), 401),
        (Some("Basic".into()), 401),
        (Some("Basic =".into()), 401),
        (Some(basic("ada", "secret").replace("Basic", "Bearer")), 401),
        (None, 401),
    ];
    for (authorization, status) in table {
        let field = authorization.as_deref().map(|value| ("authorization", value));
        let answer = ask(&service, field.as_slice()).await;
        assert_eq!(answer.status(), status, "{authorization:?}");
        let challenge = answer.headers().get(WWW_AUTHENTICATE).map(|value| value.to_str().unwrap());
        let want = r#"Basic realm="The \"shop\"", charset="UTF-8""#;
        assert_eq!(challenge, (status == 401).then_some(want));
        let reason = answer.extensions().get::<Error>().map(Error::reason);
        assert_eq!(reason, (status == 401).then_some("unauthorized"));
        let heads = server.take();
        assert_eq!(heads.len(), usize::from(status == 200));
        assert!(heads.iter().all(|head| !head.headers.contains_key(AUTHORIZATION)));
    }
    let twice = basic("ada", "secret");
    assert_eq!(ask(&service, &[("authorization", &twice), ("authorization", &twice)]).await.status(), 401);
    assert_eq!(server.take().len(), 0);
}

#[tokio::test]
async fn a_call_is_refused_as_a_call() {
    let server = Seen::start().await;
    let (service, _writer) = serve(&server, policy(needed()));
    let answer = ask(&service, &[("content-type", "application/grpc")]).await;
    assert_eq!((answer.status().as_u16(), &answer.headers()["grpc-status"]), (200, &"16".parse().unwrap()));
    assert_eq!(server.take().len(), 0);
}

#[tokio::test]
async fn a_changed_secret_ends_what_was_let_in_by_the_old_one() {
    let server = Seen::start().await;
    let (service, mut writer) = serve(&server, policy(needed()));
    let authorization = basic("ada", "secret");
    let fields = [("authorization", &*authorization)];
    assert_eq!(ask(&service, &fields).await.status(), 200);
    let other = "ada:$apr1$salt$dIQSC7CZVMfwYUarWFsjy0".parse().unwrap();
    writer.publish(rules(&server, policy(BasicAuth::new(other))));
    assert_eq!(ask(&service, &fields).await.status(), 401);
    assert_eq!(ask(&service, &[("authorization", &basic("ada", "pw"))]).await.status(), 200);
    writer.publish(rules(&server, policy(needed())));
    assert_eq!(ask(&service, &fields).await.status(), 200);
}

#[tokio::test]
async fn an_endpoint_is_told_who_it_is_and_clients_cannot() {
    let server = Seen::start().await;
    let mut told = needed();
    told.user_field = Some("X-Auth-User".parse().unwrap());
    let (service, _writer) = serve(&server, policy(told.clone()));
    let forged = [("x-auth-user", "root"), ("x_auth_user", "root"), ("x-auth_user", "root")];
    let authorization = basic("Dörte", "secret");
    let fields = [&forged[..], &[("authorization", &*authorization)]].concat();
    assert_eq!(ask(&service, &fields).await.status(), 200);
    let heads = server.take();
    let names: Vec<_> = heads[0].headers.keys().filter(|name| name.as_str().contains("auth")).collect();
    assert_eq!(names, ["x-auth-user"]);
    assert_eq!(heads[0].headers["x-auth-user"].as_bytes(), "Dörte".as_bytes());

    // An address that may pass without a password is nobody.
    let mut either = policy(told.clone());
    either.authentication.any = Some(true);
    either.access.allow = Some("192.0.2.0/24".parse().unwrap());
    let (service, _writer) = serve(&server, either);
    assert_eq!(ask(&service, &fields).await.status(), 200);
    let heads = server.take();
    assert!(heads[0].headers.keys().all(|name| !name.as_str().contains("auth")), "{:?}", heads[0].headers);

    told.forward = true;
    let (service, _writer) = serve(&server, policy(told));
    assert_eq!(ask(&service, &fields).await.status(), 200);
    assert_eq!(server.only("authorization").unwrap(), authorization.as_bytes());
}

#[tokio::test]
async fn over_http1_and_http2_and_bodies_stream_on() {
    let server = Seen::start().await;
    let (service, _writer) = serve(&server, policy(needed()));
    let gateway = Gateway::start(Default::default(), service).await;
    let authorization = basic("bob", "pw");
    for (fields, want) in [("", "401"), (&*format!("authorization: {authorization}\r\n"), "200")] {
        let mut client = gateway.client().await;
        client
            .send(format!("POST / HTTP/1.1\r\nhost: {HOST}\r\n{fields}content-length: 4\r\n\r\nbody"))
            .await;
        let answer = client.response().await;
        assert_eq!(answer.status().to_string(), want);
        assert_eq!(server.take().len(), usize::from(want == "200"));
        assert_eq!(answer.body == b"body", want == "200");
    }
    let mut client = http2_client(gateway.addr).await;
    for authorization in [Some(&*authorization), None, Some("Basic x"), Some(&*authorization)] {
        let mut request = Request::post(format!("http://{HOST}/"));
        if let Some(authorization) = authorization {
            request = request.header(AUTHORIZATION, authorization);
        }
        let answer =
            within("answer", client.send_request(request.body(full("body")).unwrap())).await.unwrap();
        let passes = authorization.is_some_and(|authorization| authorization.len() > 8);
        assert_eq!(answer.status(), if passes { 200 } else { 401 });
        assert_eq!(answer.headers().contains_key(WWW_AUTHENTICATE), !passes);
        assert_eq!(server.take().len(), usize::from(passes));
        let body = within("body", answer.into_body().collect()).await.unwrap().to_bytes();
        assert_eq!(body == "body", passes);
    }
}

/// Wrong passwords by the dozen, each of which takes a while, neither keep the right one out for long nor stop the rest.
#[tokio::test]
async fn a_flood_of_wrong_passwords_is_bounded() {
    let server = Seen::start().await;
    let (service, _writer) = serve(&server, policy(needed()));
    let right = basic("ada", "secret");
    assert_eq!(ask(&service, &[("authorization", &right)]).await.status(), 200);
    let mut flood = tokio::task::JoinSet::new();
    for number in 0..200 {
        let (service, guess) = (service.clone(), basic("ada", &format!("guess {number}")));
        flood.spawn(async move { ask(&service, &[("authorization", &guess)]).await });
    }
    for _ in 0..50 {
        assert_eq!(ask(&service, &[("authorization", &right)]).await.status(), 200);
    }
    let answers = within("answers", flood.join_all()).await;
    let count = |status| answers.iter().filter(|answer| answer.status() == status).count();
    assert!(count(401) >= 64 && count(503) > 0 && count(401) + count(503) == 200, "{}", count(401));
    let full = answers.iter().find(|answer| answer.status() == 503).unwrap();
    assert_eq!(full.extensions().get::<Error>().map(Error::reason), Some("auth_failed"));
    assert_eq!(server.take().len(), 51);
}
