//! The shared matching cases, through the tower service, with endpoints in this process.
#![allow(clippy::unwrap_used, reason = "a test may")]

#[path = "../../ingress-core/testdata/cases.rs"]
mod cases;

use std::collections::HashMap;
use std::future::{Ready, ready};
use std::net::SocketAddr;
use std::sync::Arc;
use std::task::{Context, Poll};

use cases::{Answer, Group, Kind, PORT};
use http::{Request, Response};
use http_body_util::BodyExt;
use ingress_core::{BackendRef, Endpoint, ObjectRef, PathMatch, PortRef, RouteTable, Rule, Source};
use ingress_tower::{Body, BoxError, IngressLayer, IngressService, Unsent};
use tower::{Service, ServiceExt};

fn backend(namespace: &str, name: &str) -> BackendRef {
    match cases::resource(name) {
        Some((group, kind, name)) => BackendRef::resource(namespace, group, kind, name),
        None => BackendRef::service(namespace, name, PortRef::Number(PORT)),
    }
}

fn path(rule: &cases::Rule) -> PathMatch {
    let parsed = match rule.kind {
        Kind::Exact => PathMatch::exact(&rule.path),
        Kind::Prefix => PathMatch::prefix(&rule.path),
        Kind::ImplementationSpecific => PathMatch::implementation_specific(&rule.path),
        Kind::Default => Ok(PathMatch::Default),
    };
    parsed.unwrap_or_else(|error| panic!("{:?}: {error}", rule.path))
}

/// A default backend serves the hosts of its own Ingress, or every host when it has none.
fn rules(ingress: &cases::Ingress) -> Vec<Rule> {
    let object = Arc::new(ObjectRef {
        kind: "Ingress".into(),
        namespace: ingress.namespace.as_str().into(),
        name: ingress.name.as_str().into(),
        created: ingress.created,
        ..ObjectRef::default()
    });
    let rule = |host: &str, path, service: &str| {
        let source = Source::new(object.clone(), "spec".to_owned());
        Rule::new(host.parse().unwrap(), path, backend(&ingress.namespace, service)).with_source(source)
    };
    let mut rules: Vec<_> =
        ingress.rules.iter().map(|case| rule(&case.host, path(case), &case.backend)).collect();
    if let Some(default) = &ingress.default_backend {
        let hosts = if ingress.rules.is_empty() { vec![""] } else { ingress.hosts() };
        rules.extend(hosts.into_iter().map(|host| rule(host, PathMatch::Default, default)));
    }
    rules
}

/// Carries requests to the endpoints of a group, which answer in this process.
#[derive(Clone)]
struct Endpoints(Arc<HashMap<String, cases::Endpoint>>);

impl Service<Request<Body>> for Endpoints {
    type Response = Response<Body>;
    type Error = BoxError;
    type Future = Ready<Result<Self::Response, BoxError>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let endpoint = request.uri().authority().and_then(|authority| self.0.get(authority.as_str()));
        let endpoint = endpoint.unwrap().clone();
        ready(if endpoint.state.dead {
            Err(Unsent::new(request, "connection refused").into())
        } else {
            Ok(Response::new(Body::from(endpoint.answer)))
        })
    }
}

/// The service of a group.
fn service(group: &Group) -> IngressService<Endpoints> {
    let mut builder = RouteTable::builder();
    for rule in group.served_ingresses().iter().flat_map(rules) {
        builder.rule(rule);
    }
    let mut endpoints = HashMap::new();
    for (namespace, name) in group.services() {
        let used = group.used_endpoints(&name).into_iter().map(|endpoint| {
            let address = SocketAddr::from(([127, 0, 0, 1], 1 + endpoints.len() as u16));
            endpoints.insert(address.to_string(), endpoint);
            Endpoint::new(address)
        });
        let used: Vec<_> = used.collect();
        builder.endpoints(backend(&namespace, &name), used);
    }
    let reader = ingress_core::table(builder.build().0).0;
    IngressLayer::with_client(reader, Endpoints(Arc::new(endpoints))).into_service()
}

async fn answer(service: &IngressService<Endpoints>, request: &cases::Request) -> Answer {
    let mut sent = Request::builder().method(&*request.method).uri(&request.path);
    sent = sent.header("host", &request.host);
    for (name, value) in &request.headers {
        sent = sent.header(name, value);
    }
    let response = service.clone().oneshot(sent.body(Body::empty()).unwrap()).await.unwrap();
    if response.status() != 200 {
        return Answer::Status(response.status().as_u16());
    }
    let body = response.into_body().collect().await.unwrap().to_bytes();
    Answer::Body(String::from_utf8(body.to_vec()).unwrap())
}

#[tokio::test]
async fn every_case() {
    let mut wrong = Vec::new();
    let mut requests = 0;
    for group in &cases::all() {
        let service = service(group);
        for request in &group.requests {
            requests += 1;
            let mut answers = Vec::new();
            for _ in 0..request.times {
                answers.push(answer(&service, request).await);
            }
            wrong.extend(group.fault(request, &answers));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    println!("{requests} cases through the tower service");
    assert!(requests >= 250, "only {requests} requests");
}
