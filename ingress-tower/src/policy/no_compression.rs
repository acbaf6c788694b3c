//! `compression`, where it is left out of the build: answers stay as they are.

use std::future::Future;
use std::pin::Pin;

use http::{Request, Response};
use ingress_core::Compression;

use crate::Body;

/// What is made of the value once: nothing.
#[derive(Debug)]
pub(super) enum Layer {}

impl Layer {
    pub(super) fn new(_value: &Compression) -> Option<Self> {
        None
    }

    pub(super) async fn around(
        &self,
        _request: Request<Body>,
        _rest: impl FnOnce(Request<Body>) -> Pin<Box<dyn Future<Output = Response<Body>> + Send>> + Send + 'static,
    ) -> Response<Body> {
        match *self {}
    }
}
