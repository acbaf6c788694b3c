//! Routes whose requests a service is asked about, and servers for both.

use std::net::SocketAddr;

use http::Response;
use ingress_core::{
    BackendRef, Callee, CalleeAddress, Endpoint, ExternalAuth, FieldNames, PathMatch, Policy, RouteTable,
    Rule, TableReader, TableWriter,
};
use ingress_tower::{IngressLayer, IngressService};

use super::{Asked, Gateway, HOST, full};

pub fn backend(name: &str) -> BackendRef {
    format!("default/{name}:80").parse().unwrap()
}

/// The service of this namespace is asked for a path.
pub fn auth(path: &str) -> ExternalAuth {
    ExternalAuth::new(Callee::new(CalleeAddress::Backend(backend("auth")), path.parse().unwrap()))
}

pub fn names(names: &[&str]) -> FieldNames {
    names.iter().map(|name| name.parse().unwrap()).collect()
}

pub fn policy(external: ExternalAuth) -> Policy {
    let mut policy = Policy::default();
    policy.authentication.external = Some(external);
    policy
}

pub fn guarded_table(
    shop: SocketAddr,
    auth: Option<SocketAddr>,
    policy: Policy,
) -> (TableReader, TableWriter) {
    ingress_core::table(routes(shop, auth, policy))
}

pub fn routes(shop: SocketAddr, auth: Option<SocketAddr>, policy: Policy) -> RouteTable {
    let mut rules = RouteTable::builder();
    let rule = Rule::new(HOST.parse().unwrap(), PathMatch::prefix("/").unwrap(), backend("shop"));
    rules.rule(rule.with_policy(policy));
    rules.endpoints(backend("shop"), [Endpoint::new(shop)]);
    rules.endpoints(backend("auth"), auth.map(Endpoint::new));
    rules.build().0
}

pub fn service(shop: SocketAddr, auth: SocketAddr, external: ExternalAuth) -> IngressService {
    IngressLayer::new(guarded_table(shop, Some(auth), policy(external)).0).into_service()
}

pub async fn gateway(shop: &Asked, auth: &Asked, external: ExternalAuth) -> Gateway {
    Gateway::start(Default::default(), service(shop.addr, auth.addr, external)).await
}

/// Answers what it was sent.
pub async fn shop() -> Asked {
    Asked::start(|seen| Response::new(full(seen.body.clone().unwrap_or_default()))).await
}

pub async fn answering(
    status: u16,
    fields: &'static [(&'static str, &'static str)],
    body: &'static str,
) -> Asked {
    Asked::start(move |_| {
        let response = Response::builder().status(status);
        let response = fields.iter().fold(response, |response, (name, value)| response.header(*name, *value));
        response.body(full(body)).unwrap()
    })
    .await
}
