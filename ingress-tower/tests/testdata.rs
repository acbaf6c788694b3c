//! The shared matching cases, through the tower service, with services in this process for backends.
#![allow(clippy::unwrap_used)]

#[path = "../../ingress-core/testdata/cases.rs"]
mod cases;

use std::convert::Infallible;

use cases::{Expect, Group, Kind, PORT};
use http::{Request, Response};
use http_body_util::BodyExt;
use ingress_core::{BackendRef, ObjectRef, PathMatch, PortRef, RouteTable, Rule, Source};
use ingress_tower::{Body, IngressLayer, IngressService, ResourceRegistry};
use tower::ServiceExt;

fn backend(namespace: &str, name: &str) -> BackendRef {
    BackendRef::service(namespace, name, PortRef::Number(PORT))
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
    let object = std::sync::Arc::new(ObjectRef {
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

/// Every Service with an endpoint is one of this process, which answers with the Service's name.
fn service(group: &Group) -> IngressService {
    let mut builder = RouteTable::builder();
    for rule in group.ingresses().iter().flat_map(rules) {
        builder.rule(rule);
    }
    let mut registry = ResourceRegistry::new();
    for (namespace, name) in group.services().into_iter().filter(|(_, name)| group.has_endpoint(name)) {
        let answer = name.clone();
        let echo = tower::service_fn(move |_: Request<Body>| {
            std::future::ready(Ok::<_, Infallible>(Response::new(Body::from(answer.clone()))))
        });
        registry = registry.with(backend(&namespace, &name), echo);
    }
    IngressLayer::new(ingress_core::table(builder.build().0).0).resources(registry).into_service()
}

async fn answer(service: &IngressService, request: &cases::Request) -> Expect {
    let sent = Request::get(&request.path).header("host", &request.host).body(Body::empty()).unwrap();
    let response = service.clone().oneshot(sent).await.unwrap();
    if response.status() != 200 {
        return Expect::Status(response.status().as_u16());
    }
    let name = response.into_body().collect().await.unwrap().to_bytes();
    Expect::Service(String::from_utf8(name.to_vec()).unwrap())
}

#[tokio::test]
async fn every_case() {
    let groups = cases::all();
    let mut wrong = Vec::new();
    let mut requests = 0;
    for group in &groups {
        let service = service(group);
        for request in &group.requests {
            requests += 1;
            let answer = answer(&service, request).await;
            if answer != request.expect {
                wrong.push(format!("{}: {answer:?} instead of {:?}", group.label(request), request.expect));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(requests >= 200, "only {requests} requests");
}
