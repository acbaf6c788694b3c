//! One question, and its answer.

use std::time::Duration;

use ::http::{Request, Response};
use bytes::Bytes;
use ingress_core::HealthProtocol;
use tower_service::Service;

use super::checked::Question;
use super::{grpc, http, tcp};
use crate::{Body, BoxError};

/// Why an endpoint does not count as well.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    #[error("status {0}")]
    Status(u16),
    #[error("no answer within {0:?}")]
    TimedOut(Duration),
    #[error("status {0} of gRPC")]
    GrpcStatus(u32),
    #[error("an answer without a status of gRPC")]
    NoGrpcStatus,
    #[error("a message that is no HealthCheckResponse")]
    Malformed,
    #[error("serving status {0}, which is not SERVING")]
    NotServing(u64),
    #[error("the client panicked")]
    Panicked,
    #[error("no answer")]
    Failed(#[source] BoxError),
}

impl Failure {
    pub(super) fn new(error: impl Into<BoxError>) -> Self {
        Self::Failed(error.into())
    }
}

/// Asks an endpoint whether it is well.
pub(super) async fn ask<C, B>(mut client: C, question: Question, local_names: bool) -> Result<(), Failure>
where
    C: Service<Request<Body>, Response = Response<B>, Error: Into<BoxError>, Future: Send>,
    B: http_body::Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
{
    let limit = question.timeout();
    let answer = async {
        match question.check().asked() {
            Some(HealthProtocol::Http) => http::ask(&mut client, &question).await,
            Some(HealthProtocol::Tcp) => tcp::ask(&question, local_names).await,
            Some(HealthProtocol::Grpc) => grpc::ask(&mut client, &question).await,
            // Nobody is asked.
            _ => Ok(()),
        }
    };
    tokio::time::timeout(limit, answer).await.unwrap_or(Err(Failure::TimedOut(limit)))
}
