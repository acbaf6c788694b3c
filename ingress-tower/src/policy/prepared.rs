//! What is made of a policy once, before any request meets it.

use ingress_core::Policy;

use super::{client_limits, compression, cors, custom, fixed, headers, mirror};
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
    pub(super) mirror: Option<mirror::Copies>,
}

impl Prepared {
    pub(super) fn new(policy: &Policy, state: &State) -> Self {
        Self {
            client_limits: client_limits::Limits::new(policy, state),
            cors: policy.cors.as_ref().map(cors::Layer::new),
            compression: compression::Layer::new(&policy.compression),
            headers: headers::Plans::new(&policy.headers),
            custom: custom::Layers::new(&policy.custom, state),
            fixed: fixed::Contents::new(policy),
            mirror: policy.mirror.as_ref().map(|mirror| state.mirrors.of(&mirror.backend)),
        }
    }
}
