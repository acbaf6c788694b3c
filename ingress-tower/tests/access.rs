//! Who may send requests: what an endpoint never sees.
#![allow(clippy::unwrap_used, reason = "a panic fails the test")]

mod support;

use http::{Request, Response};
use ingress_core::{Endpoint, PathMatch, Policy, RouteTable, Rule};
use ingress_tower::{Body, ConnectionInfo, Error, IngressLayer, IngressService};
use support::*;
use tower::ServiceExt;

fn service(server: &Moody, policy: Policy) -> IngressService {
    let mut rules = RouteTable::builder();
    let backend: ingress_core::BackendRef = "default/shop:80".parse().unwrap();
    let rule = Rule::new(HOST.parse().unwrap(), PathMatch::prefix("/").unwrap(), backend.clone());
    rules.rule(rule.with_policy(policy));
    rules.endpoints(backend, [Endpoint::new(server.addr)]);
    let reader = ingress_core::table(rules.build().0).0;
    IngressLayer::new(reader).trusted_proxies("10.0.0.0/8".parse().unwrap()).into_service()
}

fn lists(allow: Option<&str>, deny: Option<&str>) -> Policy {
    let mut policy = Policy::default();
    policy.access.allow = allow.map(|text| text.parse().unwrap());
    policy.access.deny = deny.map(|text| text.parse().unwrap());
    policy
}

/// Asks from an address, or from nowhere that is known, with what it says about its client.
async fn ask(service: &IngressService, peer: Option<[u8; 4]>, told: &str, grpc: bool) -> Response<Body> {
    let mut request = Request::get("/").header("host", HOST).header("x-forwarded-for", told);
    if grpc {
        request = request.header("content-type", "application/grpc");
    }
    if let Some(peer) = peer {
        request = request.extension(ConnectionInfo::new((peer, 4711).into()));
    }
    within("answer", service.clone().oneshot(request.body(Body::empty()).unwrap())).await.unwrap()
}

#[tokio::test]
async fn the_clients_address_decides_as_trusted_proxies_tell_it() {
    let server = Moody::start("a").await;
    let (office, proxy, stranger) = ([192, 0, 2, 7], [10, 0, 0, 1], [198, 51, 100, 1]);
    let table = [
        (lists(Some("192.0.2.0/24"), None), Some(office), "", 200),
        (lists(Some("192.0.2.0/24"), None), Some(stranger), "192.0.2.7", 403),
        (lists(Some("192.0.2.0/24"), None), Some(proxy), "192.0.2.7", 200),
        (lists(Some("192.0.2.0/24"), None), Some(proxy), "192.0.2.7, 198.51.100.1", 403),
        (lists(Some("192.0.2.0/24"), None), None, "192.0.2.7", 403),
        (lists(None, Some("198.51.100.0/24")), Some(office), "", 200),
        (lists(None, Some("198.51.100.0/24")), Some(stranger), "", 403),
        (lists(None, Some("198.51.100.0/24")), Some(proxy), "198.51.100.1", 403),
        (lists(None, Some("198.51.100.0/24")), None, "", 403),
        (lists(Some("192.0.2.0/24"), Some("192.0.2.7")), Some(office), "", 403),
    ];
    for (policy, peer, told, status) in table {
        let before = server.requests();
        let answer = ask(&service(&server, policy.clone()), peer, told, false).await;
        assert_eq!(answer.status(), status, "{:?} {peer:?} {told:?}", policy.access);
        assert_eq!(server.requests() - before, usize::from(status == 200));
        let reason = answer.extensions().get::<Error>().map(Error::reason);
        assert_eq!(reason, (status == 403).then_some("forbidden"));
    }
}

#[tokio::test]
async fn what_cannot_be_used_closes_the_route() {
    let server = Moody::start("a").await;
    let mut policy = lists(Some("0.0.0.0/0"), None);
    policy.access.closed = true;
    let service = service(&server, policy);
    let answer = ask(&service, Some([192, 0, 2, 7]), "", false).await;
    assert_eq!(answer.status(), 503);
    assert_eq!(answer.extensions().get::<Error>().map(Error::reason), Some("closed"));
    assert_eq!(server.requests(), 0);
    let call = ask(&service, Some([192, 0, 2, 7]), "", true).await;
    assert_eq!((call.status().as_u16(), &call.headers()["grpc-status"]), (200, &"14".parse().unwrap()));
}

#[tokio::test]
async fn it_holds_for_each_request_of_a_connection_of_http2() {
    let server = Moody::start("a").await;
    let gateway =
        Gateway::start(Default::default(), service(&server, lists(None, Some("127.0.0.0/8")))).await;
    let mut client = http2_client(gateway.addr).await;
    for _ in 0..3 {
        let request = Request::get(format!("http://{HOST}/")).body(empty()).unwrap();
        assert_eq!(within("answer", client.send_request(request)).await.unwrap().status(), 403);
    }
    assert_eq!(server.requests(), 0);
}
