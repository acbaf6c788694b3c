//! The requests of one watch: not too many, and none that waits for ever.
//!
//! The watcher of `kube` asks again at once when a watch ends in order, waits without a limit for the head of an answer,
//! and says nothing when a watch begins. All three are seen only where requests pass.

use std::error::Error;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use http::{Request, Response};
use kube::Client;
use kube::client::Body;
use tokio::sync::watch;
use tokio::time::Instant;
use tower_service::Service;

/// From the beginning of one watch to that of the next.
const BETWEEN: Duration = Duration::from_secs(1);
/// For how long a watch may wait for its answer; a server may queue it for 15 s.
const ANSWER: Duration = Duration::from_secs(20);

/// A client through which nothing but one watch goes, and where it says that a watch was accepted.
pub(super) fn client(client: &Client, timeout: Duration) -> (Client, watch::Receiver<()>) {
    let (accepted, receiver) = watch::channel(());
    let namespace = client.default_namespace().to_owned();
    let limit = ANSWER.min(timeout + Duration::from_secs(5));
    (Client::new(Wire { client: client.clone(), limit, next: None, accepted }, namespace), receiver)
}

struct Wire {
    client: Client,
    limit: Duration,
    /// When the next watch may begin.
    next: Option<Instant>,
    accepted: watch::Sender<()>,
}

impl Service<Request<Body>> for Wire {
    type Response = Response<Body>;
    type Error = Box<dyn Error + Send + Sync>;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Self::Error>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let client = self.client.clone();
        let query = request.uri().query().unwrap_or_default();
        if !query.split('&').any(|pair| pair == "watch=true") {
            return Box::pin(async move { Ok(client.send(request).await?) });
        }
        let now = Instant::now();
        let due = self.next.map_or(now, |next| next.max(now));
        self.next = Some(due + BETWEEN);
        let (limit, accepted) = (self.limit, self.accepted.clone());
        Box::pin(async move {
            tokio::time::sleep_until(due).await;
            let answer = tokio::time::timeout(limit, client.send(request)).await;
            let answer = answer.map_err(|_| format!("no answer within {} s", limit.as_secs()))??;
            if answer.status().is_success() {
                accepted.send_replace(());
            }
            Ok(answer)
        })
    }
}
