//! What endpoints speak: `appProtocol` of a port (KEP-3726, IANA service names).

use ingress_core::Protocol;

/// What the annotation `backend-protocol` may say, in any letter case.
pub(super) const NAMES: &str = "http, https, h2c, grpc, grpcs, ws or wss";

/// What a port with this `appProtocol` is spoken to in. A name that says nothing about it means HTTP/1.1.
pub(super) fn spoken(app_protocol: Option<&str>) -> Protocol {
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
