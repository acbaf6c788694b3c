//! What is made of a policy once, before any request meets it.

use ingress_core::Policy;

use super::{client_limits, compression, cors, custom};
use crate::layer::State;

/// What is made of a policy once. Equal values of two policies share what is made of them.
#[derive(Debug)]
pub(crate) struct Prepared {
    pub(super) client_limits: Option<client_limits::Limits>,
    pub(super) cors: Option<cors::Layer>,
    pub(super) compression: Option<compression::Layer>,
    pub(super) custom: custom::Layers,
}

impl Prepared {
    pub(super) fn new(policy: &Policy, state: &State) -> Self {
        Self {
            client_limits: client_limits::Limits::new(policy, state),
            cors: policy.cors.as_ref().map(cors::Layer::new),
            compression: policy.compression.as_ref().map(compression::Layer::new),
            custom: custom::Layers::new(&policy.custom, state),
        }
    }
}
