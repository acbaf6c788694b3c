//! What endpoints speak: `appProtocol` of a port (KEP-3726, IANA service names).

use ingress_core::Protocol;

/// What a port with this `appProtocol` is spoken to in. A name that says nothing about it means HTTP/1.1.
pub(super) fn spoken(app_protocol: Option<&str>) -> Protocol {
    match app_protocol {
        Some("kubernetes.io/h2c" | "h2c" | "http2" | "grpc") => Protocol::H2c,
        _ => Protocol::Http1,
    }
}

/// What it asks for beyond that.
pub(super) fn unspoken(app_protocol: Option<&str>) -> Option<&'static str> {
    match app_protocol {
        Some("https" | "kubernetes.io/wss" | "wss") => Some("TLS"),
        Some("grpcs") => Some("HTTP/2 over TLS"),
        _ => None,
    }
}
