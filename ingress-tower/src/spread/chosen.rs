//! Where a request went, for whoever made the layer.

use std::fmt;
use std::sync::Arc;

use http::HeaderValue;
use http::uri::Authority;
use ingress_core::{Backend, BackendRef, ChoiceRecord};

/// Which endpoint a request went to, and what it takes to choose that one again.
///
/// It is in the extensions of responses if [`IngressLayer::record_choices`](crate::IngressLayer::record_choices) says so:
/// of all that came from an endpoint, and of those that the data plane made because an endpoint failed. Where the time for
/// the whole request was up, it is missing. Cheap to clone.
///
/// [`EndpointSet::repeat`](ingress_core::EndpointSet::repeat) of the backend's endpoints, in the table of this
/// [`Chosen::generation`], gives the endpoint again.
#[derive(Clone)]
pub struct Chosen {
    pub(super) generation: u64,
    pub(super) backend: Arc<Backend>,
    pub(super) endpoint: Authority,
    pub(super) algorithm: &'static str,
    pub(super) choice: ChoiceRecord,
    pub(super) attempts: u32,
    pub(super) request_id: Option<HeaderValue>,
}

/// What is written down of a request before its endpoint is chosen.
#[derive(Clone, Debug)]
pub(crate) struct Recording {
    pub(crate) generation: u64,
    pub(crate) request_id: Option<HeaderValue>,
}

impl Chosen {
    /// The generation of the table that the request was matched in.
    pub fn generation(&self) -> u64 {
        self.generation
    }

    /// The backend of the route that took the request.
    pub fn backend(&self) -> &BackendRef {
        self.backend.reference()
    }

    /// The endpoint that the request was sent to last: its address or name, and its port.
    pub fn endpoint(&self) -> &Authority {
        &self.endpoint
    }

    /// The name of the algorithm by which it was chosen; see [`Algorithm::name`](ingress_core::Algorithm::name).
    pub fn algorithm(&self) -> &'static str {
        self.algorithm
    }

    /// What repeats the choice of that endpoint.
    pub fn choice(&self) -> ChoiceRecord {
        self.choice
    }

    /// How many endpoints the request was sent to, this one included.
    pub fn attempts(&self) -> u32 {
        self.attempts
    }

    /// The `X-Request-ID` that the endpoint was told.
    pub fn request_id(&self) -> Option<&HeaderValue> {
        self.request_id.as_ref()
    }
}

impl fmt::Debug for Chosen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Chosen")
            .field("generation", &self.generation)
            .field("backend", self.backend())
            .field("endpoint", &self.endpoint)
            .field("algorithm", &self.algorithm)
            .field("choice", &self.choice)
            .field("attempts", &self.attempts)
            .finish_non_exhaustive()
    }
}
