//! What endpoints speak: `appProtocol` of a port (KEP-3726, IANA service names), or an annotation of the Service.

use ingress_core::{Diagnostic, Protocol, Source};
use k8s_openapi::api::core::v1::Service;

use super::annotations;
use crate::store::Stored;

const ANNOTATION: &str = "backend-protocol";

/// What the annotation `backend-protocol` may say, in any letter case.
pub(super) const NAMES: &str = "http, https, h2c, grpc, grpcs, ws or wss";

/// What a Service's port with this `appProtocol` is spoken to in, unless an annotation of the Service says otherwise. A
/// name that says nothing about it means HTTP/1.1.
pub(super) fn spoken(service: &Stored<Service>, app_protocol: Option<&str>) -> Protocol {
    if let Some(Ok(protocol)) = annotation(service) {
        return protocol;
    }
    match app_protocol {
        Some("kubernetes.io/h2c" | "http2") => Protocol::H2c,
        Some("kubernetes.io/wss") => Protocol::Https,
        Some(name) => named(name).unwrap_or_default(),
        None => Protocol::Http1,
    }
}

/// A protocol by its name, in small letters.
pub(super) fn named(name: &str) -> Option<Protocol> {
    Some(match name {
        "http" | "ws" => Protocol::Http1,
        "h2c" | "grpc" => Protocol::H2c,
        "https" | "wss" => Protocol::Https,
        "grpcs" => Protocol::H2,
        _ => return None,
    })
}

/// What is wrong with the annotation of the Service.
pub(super) fn finding(service: &Stored<Service>) -> Option<Diagnostic> {
    let (message, help) = annotation(service)?.err()?;
    let source = Source::new(service.source.clone(), annotations::field(ANNOTATION));
    Some(Diagnostic::new(ingress_core::Code::InvalidAnnotation, source, message, help))
}

fn annotation(service: &Stored<Service>) -> Option<Result<Protocol, (String, String)>> {
    let all = service.object.metadata.annotations.as_ref()?;
    let (_, text) = all.iter().find(|(name, _)| annotations::own_name(name) == Some(ANNOTATION))?;
    let fault =
        || (format!("{text:?} is no protocol, so the port says what is spoken"), format!("write {NAMES}"));
    Some(named(&text.trim().to_ascii_lowercase()).ok_or_else(fault))
}
