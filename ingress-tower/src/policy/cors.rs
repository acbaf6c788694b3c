//! `cors`.

use std::future::Future;
use std::pin::Pin;

use http::{Request, Response};
use ingress_core::Cors;

use crate::Body;

/// What is made of the value once.
#[derive(Debug)]
pub(super) struct Layer;

impl Layer {
    pub(super) fn new(_value: &Cors) -> Self {
        Self
    }

    /// Sends a request through the layer.
    pub(super) async fn around(
        &self,
        request: Request<Body>,
        rest: impl FnOnce(Request<Body>) -> Pin<Box<dyn Future<Output = Response<Body>> + Send>> + Send + 'static,
    ) -> Response<Body> {
        rest(request).await
    }
}
