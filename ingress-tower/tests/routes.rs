//! What a route may have beyond an Ingress: conditions, captures, splits, endpoints with names.
#![allow(clippy::unwrap_used)]

mod support;

use std::collections::BTreeMap;
use std::convert::Infallible;

use http::{Method, Request, Response};
use http_body_util::BodyExt;
use ingress_core::{
    BackendRef, Backends, Conditions, Endpoint, HostMatch, PathMatch, RouteTable, Rule, ValueMatch,
};
use ingress_tower::server::Server;
use ingress_tower::{Body, Captures, HttpClient, IngressLayer, IngressService, ResourceRegistry};
use support::*;
use tower::ServiceExt;

fn backend(name: &str) -> BackendRef {
    format!("default/{name}:80").parse().unwrap()
}

/// Every backend answers with its name and what the path captured.
fn service(rules: impl IntoIterator<Item = Rule>) -> IngressService {
    let mut builder = RouteTable::builder();
    let mut registry = ResourceRegistry::new();
    for rule in rules {
        for (backend, _) in rule.backends.iter() {
            let name = backend.to_string();
            let answer = tower::service_fn(move |request: Request<Body>| {
                let captures = request.extensions().get::<Captures>();
                let captures = captures.into_iter().flat_map(Captures::iter);
                let text =
                    captures.fold(name.clone(), |text, (name, value)| format!("{text} {name}={value}"));
                std::future::ready(Ok::<_, Infallible>(Response::new(Body::from(text))))
            });
            registry = registry.with(backend.clone(), answer);
        }
        builder.rule(rule);
    }
    IngressLayer::new(ingress_core::table(builder.build().0).0).resources(registry).into_service()
}

async fn answer(service: &IngressService, request: Request<Body>) -> String {
    let response = service.clone().oneshot(request).await.unwrap();
    if response.status() != 200 {
        return response.status().as_str().to_owned();
    }
    String::from_utf8(response.into_body().collect().await.unwrap().to_bytes().to_vec()).unwrap()
}

fn get(target: &str) -> Request<Body> {
    Request::get(target).header("host", HOST).body(Body::empty()).unwrap()
}

#[tokio::test]
async fn method_header_and_query_decide() {
    let path = || PathMatch::prefix("/").unwrap();
    let canary = Conditions::default()
        .header(&"x-env".parse().unwrap(), ValueMatch::Exact("canary".into()))
        .query("v", ValueMatch::Present);
    let service = service([
        Rule::new(HostMatch::Any, path(), backend("all")),
        Rule::new(HostMatch::Any, path(), backend("post"))
            .with_conditions(Conditions::default().method(&Method::POST)),
        Rule::new(HostMatch::Any, path(), backend("canary")).with_conditions(canary),
    ]);
    let mut post = get("/");
    *post.method_mut() = Method::POST;
    let mut canary = get("/?v");
    canary.headers_mut().insert("x-env", "canary".parse().unwrap());
    let mut half = get("/");
    half.headers_mut().insert("x-env", "canary".parse().unwrap());
    for (request, want) in [(get("/"), "all"), (post, "post"), (canary, "canary"), (half, "all")] {
        assert_eq!(answer(&service, request).await, format!("default/{want}:80"));
    }
}

#[tokio::test]
async fn captures_are_in_the_extensions() {
    let service = service([
        Rule::new(HostMatch::Any, PathMatch::template("/users/{id}/{*rest}").unwrap(), backend("users")),
        Rule::new(HostMatch::Any, PathMatch::regex("/v([0-9]+)(?<tail>/.*)?").unwrap(), backend("versions")),
        Rule::new(HostMatch::Any, PathMatch::prefix("/").unwrap(), backend("plain")),
    ]);
    for (path, want) in [
        ("/users/%37/a/b%2Fc", "default/users:80 id=7 rest=a/b%2Fc"),
        ("/users/%37/a/b%20c", "default/users:80 id=7 rest=a/b%20c"),
        ("/v12/x?y", "default/versions:80 1=12 tail=/x"),
        ("/v12", "default/versions:80 1=12"),
        ("/other", "default/plain:80"),
    ] {
        assert_eq!(answer(&service, get(path)).await, want, "{path}");
    }
}

#[tokio::test]
async fn a_split_shares_exactly() {
    let split = Backends::split([(backend("a"), 5), (backend("b"), 3), (backend("c"), 0)]);
    let service = service([Rule::with_backends(HostMatch::Any, PathMatch::prefix("/").unwrap(), split)]);
    let mut counts = BTreeMap::new();
    for _ in 0..80 {
        *counts.entry(answer(&service, get("/")).await).or_insert(0) += 1;
    }
    assert_eq!(counts, [("default/a:80".into(), 50), ("default/b:80".into(), 30)].into());
}

#[tokio::test]
async fn names_of_this_machine_are_dialled_only_by_leave() {
    let answer = b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\nok";
    let port = Upstream::bind().await.always(answer).port();
    for (client, want) in
        [(HttpClient::default(), 502), (HttpClient::builder().local_names(true).build(), 200)]
    {
        let endpoint = Endpoint::named("localhost".parse().unwrap(), port);
        let service = IngressLayer::with_client(weighted_table([endpoint]), client).into_service();
        let gateway = Gateway::start(Server::new(), service).await;
        assert_eq!(gateway.status(&format!("GET / HTTP/1.1\r\nHost: {HOST}\r\n\r\n")).await, want);
    }
}
