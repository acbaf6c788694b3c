//! Backends that are served by this process.

use std::collections::HashMap;
use std::fmt;

use http::{Request, Response};
use ingress_core::BackendRef;
use tower::ServiceExt;
use tower::util::BoxCloneSyncService;
use tower_service::Service;

use crate::{Body, BoxError};

/// Services of this process that answer for backends: for `backend.resource` of an Ingress (ruling R8), and,
/// when named so, in place of a Service's endpoints.
#[derive(Clone, Default)]
pub struct ResourceRegistry {
    services: HashMap<BackendRef, BoxCloneSyncService<Request<Body>, Response<Body>, BoxError>>,
}

impl ResourceRegistry {
    /// A registry without services.
    pub fn new() -> Self {
        Self::default()
    }

    /// Answers requests for `backend` with `service`. An error of the service becomes status 500.
    #[must_use]
    pub fn with<S, B>(mut self, backend: BackendRef, service: S) -> Self
    where
        S: Service<Request<Body>, Response = Response<B>> + Clone + Send + Sync + 'static,
        S::Error: Into<BoxError>,
        S::Future: Send,
        B: http_body::Body<Data = bytes::Bytes> + Send + 'static,
        B::Error: Into<BoxError>,
    {
        let service =
            service.map_response(|response: Response<B>| response.map(Body::new)).map_err(Into::into);
        self.services.insert(backend, BoxCloneSyncService::new(service));
        self
    }

    /// The backends that have a service.
    pub fn backends(&self) -> impl Iterator<Item = &BackendRef> {
        self.services.keys()
    }

    pub(crate) fn get(
        &self,
        backend: &BackendRef,
    ) -> Option<&BoxCloneSyncService<Request<Body>, Response<Body>, BoxError>> {
        if self.services.is_empty() { None } else { self.services.get(backend) }
    }
}

impl fmt::Debug for ResourceRegistry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.services.keys().map(ToString::to_string)).finish()
    }
}
