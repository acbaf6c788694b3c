//! The shared matching cases, through the tower service, with endpoints in this process.
#![allow(clippy::unwrap_used, reason = "a test may")]

#[path = "../../ingress-core/testdata/cases.rs"]
mod cases;
#[path = "../../ingress-core/testdata/compile.rs"]
mod compile;

use std::collections::HashMap;
use std::future::{Ready, ready};
use std::sync::Arc;
use std::task::{Context, Poll};

use cases::{Answer, Group};
use http::{Request, Response};
use http_body_util::BodyExt;
use ingress_tower::{Body, BoxError, IngressLayer, IngressService, Unsent};
use tower::{Service, ServiceExt};

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
    let (table, endpoints) = compile::table(group);
    let address = |port| format!("127.0.0.1:{port}");
    let endpoints =
        endpoints.into_iter().enumerate().map(|(port, endpoint)| (address(port), endpoint)).collect();
    IngressLayer::with_client(ingress_core::table(table).0, Endpoints(Arc::new(endpoints))).into_service()
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
    for group in cases::all().iter().chain(&cases::conditional()) {
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
    assert!(requests >= 350, "only {requests} requests");
}
