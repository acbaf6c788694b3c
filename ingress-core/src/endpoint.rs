//! Who answers for a backend.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;

use http::uri::Authority;

use crate::{Hints, HostName};

/// One address of a backend.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    address: EndpointAddress,
    weight: u32,
    state: EndpointState,
    protocol: Protocol,
    authority: Authority,
    zone: Option<Arc<str>>,
    hints: Option<Arc<Hints>>,
}

/// Where an endpoint is.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum EndpointAddress {
    /// An IP address and a port.
    Socket(SocketAddr),
    /// A DNS name, to be looked up by whoever connects, and a port.
    Name(HostName, u16),
}

/// Whether an endpoint may be used: the `conditions` of an EndpointSlice's endpoint.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[cfg_attr(feature = "serde", derive(serde::Serialize), serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum EndpointState {
    /// `ready`: used.
    #[default]
    Ready,
    /// `serving` and `terminating`: used only where no endpoint of the backend is ready (KEP-1669).
    Terminating,
    /// Not `serving`: never used.
    NotServing,
}

/// What an endpoint speaks: `appProtocol` of a Service's port (KEP-2433, KEP-3726).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[cfg_attr(feature = "serde", derive(serde::Serialize), serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum Protocol {
    /// HTTP/1.1.
    #[default]
    Http1,
    /// HTTP/2 without TLS, with prior knowledge (RFC 9113 section 3.3). gRPC needs it.
    H2c,
    /// HTTP/1.1 over TLS.
    Https,
    /// HTTP/2 over TLS (RFC 9113 section 3.2).
    H2,
}

// ===== impl Endpoint =====

impl Endpoint {
    /// An address with weight 1 that is ready.
    pub fn new(address: SocketAddr) -> Self {
        Self::at(EndpointAddress::Socket(address))
    }

    /// A DNS name and a port, with weight 1 and ready.
    pub fn named(name: HostName, port: u16) -> Self {
        Self::at(EndpointAddress::Name(name, port))
    }

    fn at(address: EndpointAddress) -> Self {
        let authority: Authority = address.to_string().parse().expect("an address or name is an authority");
        // The first clone of a text moves it behind a shared count, which allocates: better here than in a
        // request.
        drop(authority.clone());
        let (state, protocol) = Default::default();
        Self { address, weight: 1, state, protocol, authority, zone: None, hints: None }
    }

    /// Sets the endpoint's share relative to the weights of the others; with 0 it is never chosen.
    #[must_use]
    pub fn with_weight(mut self, weight: u32) -> Self {
        self.weight = weight;
        self
    }

    /// Sets whether the endpoint may be used.
    #[must_use]
    pub fn with_state(mut self, state: EndpointState) -> Self {
        self.state = state;
        self
    }

    /// Sets what it speaks.
    #[must_use]
    pub fn with_protocol(mut self, protocol: Protocol) -> Self {
        self.protocol = protocol;
        self
    }

    /// Sets the zone that it is in.
    #[must_use]
    pub fn with_zone(mut self, zone: impl Into<Option<Arc<str>>>) -> Self {
        self.zone = zone.into();
        self
    }

    /// Sets for whom it is meant.
    #[must_use]
    pub fn with_hints(mut self, hints: impl Into<Option<Arc<Hints>>>) -> Self {
        self.hints = hints.into();
        self
    }

    /// Where it is.
    pub fn address(&self) -> &EndpointAddress {
        &self.address
    }

    /// The share relative to the weights of the others.
    pub fn weight(&self) -> u32 {
        self.weight
    }

    /// Whether it may be used.
    pub fn state(&self) -> EndpointState {
        self.state
    }

    /// What it speaks.
    pub fn protocol(&self) -> Protocol {
        self.protocol
    }

    /// The zone that it is in, if that is known.
    pub fn zone(&self) -> Option<&str> {
        self.zone.as_deref()
    }

    /// For whom it is meant, if anything is said of that.
    pub fn hints(&self) -> Option<&Hints> {
        self.hints.as_deref()
    }

    /// Address or name, and port, as the authority of a URI, made once: cloning it allocates nothing.
    pub fn authority(&self) -> &Authority {
        &self.authority
    }
}

impl EndpointAddress {
    /// The port.
    pub fn port(&self) -> u16 {
        match self {
            Self::Socket(address) => address.port(),
            Self::Name(_, port) => *port,
        }
    }
}

impl fmt::Display for EndpointAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Socket(address) => address.fmt(f),
            Self::Name(name, port) => write!(f, "{name}:{port}"),
        }
    }
}

impl fmt::Display for EndpointState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ready => "ready",
            Self::Terminating => "terminating",
            Self::NotServing => "not serving",
        })
    }
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Http1 => "HTTP/1.1",
            Self::H2c => "HTTP/2",
            Self::Https => "HTTP/1.1 over TLS",
            Self::H2 => "HTTP/2 over TLS",
        })
    }
}

impl Protocol {
    /// Whether TLS is below it.
    pub fn is_tls(self) -> bool {
        matches!(self, Self::Https | Self::H2)
    }
}
