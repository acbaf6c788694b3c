//! `custom`: layers of the embedding program.

use http::{Request, Response};
use ingress_core::Custom;

use super::Call;
use super::serve::send;
use crate::Body;
use crate::bounds::{Client, UpstreamBody};
use crate::layer::State;
use crate::respond::Shape;

/// The layers that a policy names.
#[derive(Debug)]
pub(super) struct Layers;

impl Layers {
    pub(super) fn new(_custom: &Custom, _state: &State) -> Self {
        Self
    }
}

/// Sends a request through the layers of its policy.
pub(super) async fn around<C, B>(call: Call<C>, request: Request<Body>, shape: Shape) -> Response<Body>
where
    C: Client<B>,
    B: UpstreamBody,
{
    send(call, request, shape).await
}
