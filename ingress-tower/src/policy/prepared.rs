//! What is made of a policy once, before any request meets it.

use std::sync::Arc;

use http::HeaderName;
use ingress_core::{BackendRef, Policy};
use tokio::sync::Semaphore;

use super::{basic_auth, client_limits, compression, cors, custom, error_pages, fixed, headers, jwt, mirror};
use crate::layer::State;

/// What is made of a policy once. Equal values of two policies share what is made of them.
#[derive(Debug)]
pub(crate) struct Prepared {
    pub(super) client_limits: Option<client_limits::Limits>,
    pub(super) cors: Option<cors::Layer>,
    pub(super) compression: Option<compression::Layer>,
    pub(super) headers: headers::Plans,
    pub(super) custom: custom::Layers,
    pub(super) fixed: fixed::Contents,
    pub(super) basic_auth: Option<basic_auth::Gatekeeper>,
    pub(super) jwt: Option<jwt::Gatekeeper>,
    pub(super) mirror: Option<mirror::Copies>,
    /// Room for pages of the backend that has them.
    pub(super) pages: Option<Arc<Semaphore>>,
}

impl Prepared {
    pub(super) fn new(policy: &Policy, state: &State) -> Self {
        let (basic, jwt) = (policy.authentication.basic.as_ref(), policy.authentication.jwt.as_ref());
        let room = |backend: &BackendRef| {
            state.pages.get(backend.clone(), || Semaphore::new(error_pages::MAX_PAGES), |_| true)
        };
        Self {
            client_limits: client_limits::Limits::new(policy, state),
            cors: policy.cors.as_ref().map(cors::Layer::new),
            compression: compression::Layer::new(&policy.compression),
            headers: headers::Plans::new(&policy.headers),
            custom: custom::Layers::new(&policy.custom, state),
            fixed: fixed::Contents::new(policy),
            basic_auth: basic.map(|basic| basic_auth::Gatekeeper::new(basic, state)),
            jwt: jwt.map(|jwt| jwt::Gatekeeper::new(jwt, state)),
            mirror: policy.mirror.as_ref().map(|mirror| state.mirrors.of(&mirror.backend)),
            pages: policy.error_pages.backend.as_ref().map(room),
        }
    }

    /// Whether layers of tower stand between what decides and the endpoint.
    pub(super) fn has_layers(&self) -> bool {
        self.compression.is_some() || !self.custom.is_empty()
    }

    /// The fields that only the gateway writes, as it knows who the client is.
    pub(super) fn own_fields(&self) -> impl Iterator<Item = &HeaderName> {
        let user = self.basic_auth.iter().filter_map(basic_auth::Gatekeeper::own_field);
        user.chain(self.jwt.iter().flat_map(jwt::Gatekeeper::own_fields))
    }
}
