//! `mirror`: copies of requests.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use http::header::UPGRADE;
use http::{HeaderName, HeaderValue, Request};
use ingress_core::{BackendRef, MirrorShare};
use tokio::runtime::Handle;
use tokio::sync::Semaphore;

use super::{Call, aside, tee};
use crate::Body;
use crate::bounds::{Client, UpstreamBody};
use crate::respond::Shape;

/// Copies that are under way to one backend. What would be one more is dropped.
const MAX_COPIES: usize = 64;
/// How far the body of a copy may fall behind that of its request, in bytes.
const MAX_BEHIND: usize = 1024 * 1024;
/// How long a copy may be under way, and how much of its answer is read.
const MAX_TIME: Duration = Duration::from_secs(60);
const MAX_ANSWER: usize = 1024 * 1024;
/// Backends that get copies and are remembered.
const MAX_BACKENDS: usize = 4096;

const X_MIRRORED: HeaderName = HeaderName::from_static("x-mirrored");

/// The copies that are under way, by backend.
#[derive(Debug, Default)]
pub(crate) struct Mirrors(Mutex<HashMap<BackendRef, Copies>>);

/// Room for copies to one backend.
pub(super) type Copies = Arc<Semaphore>;

impl Mirrors {
    pub(super) fn of(&self, backend: &BackendRef) -> Copies {
        let mut backends = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if backends.len() >= MAX_BACKENDS && !backends.contains_key(backend) {
            // What nobody else holds is not in use.
            backends.retain(|_, copies| Arc::strong_count(copies) > 1);
        }
        backends.entry(backend.clone()).or_insert_with(|| Arc::new(Semaphore::new(MAX_COPIES))).clone()
    }
}

/// Sends a copy of the request to another backend, if it is its turn and there is room.
pub(super) fn copy<C, B>(call: &Call<C>, request: &mut Request<Body>)
where
    C: Client<B>,
    B: UpstreamBody,
{
    let treated = &call.treated;
    let (Some(mirror), Some(copies)) = (&treated.mirror, &treated.prepared.mirror) else { return };
    if !is_chosen(mirror.share) || !may_be_copied(request) {
        return;
    }
    let Ok(runtime) = Handle::try_current() else { return };
    let Ok(permit) = copies.clone().try_acquire_owned() else { return };
    let (body, copied) = tee::split(std::mem::take(request.body_mut()), MAX_BEHIND);
    *request.body_mut() = body;
    let mut copy = Request::new(copied);
    *copy.method_mut() = request.method().clone();
    *copy.headers_mut() = request.headers().clone();
    copy.headers_mut().insert(X_MIRRORED, HeaderValue::from_static("true"));
    let (shared, path, backend) = (call.shared.clone(), call.matched.path.clone(), mirror.backend.clone());
    let others: Vec<_> =
        call.matched.others.iter().filter(|other| *other.reference() == backend).cloned().collect();
    let sent = async move {
        if let Ok(answer) = aside::ask_backend::<C, B>(&shared, &others, &backend, path, copy).await {
            aside::read_away(answer.into_body(), MAX_ANSWER).await;
        }
    };
    runtime.spawn(async move {
        // Nobody learns what became of it.
        drop(tokio::time::timeout(MAX_TIME, sent).await);
        drop(permit);
    });
}

fn is_chosen(share: MirrorShare) -> bool {
    share == MirrorShare::ALL || fastrand::u32(0..MirrorShare::ALL.thousandths()) < share.thousandths()
}

/// Whoever leaves HTTP, or makes a call that may go on for ever both ways, does so with one endpoint.
fn may_be_copied(request: &Request<Body>) -> bool {
    let shape = Shape::of(request.method(), request.headers());
    shape != Shape::Grpc && !request.headers().contains_key(UPGRADE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_met() {
        fastrand::seed(7);
        for (thousandths, want) in
            [(0, 0..=0), (500, 30..=70), (10_000, 900..=1100), (100_000, 10_000..=10_000)]
        {
            let share = MirrorShare::of_thousandths(thousandths).unwrap();
            let chosen = (0..10_000).filter(|_| is_chosen(share)).count();
            assert!(want.contains(&chosen), "{share}: {chosen} of 10000");
        }
    }

    #[test]
    fn backends_share_no_room_and_are_forgotten() {
        let mirrors = Mirrors::default();
        let backend = |number: usize| -> BackendRef { format!("default/next{number}:80").parse().unwrap() };
        let kept = mirrors.of(&backend(0));
        assert!(Arc::ptr_eq(&kept, &mirrors.of(&backend(0))));
        assert!(!Arc::ptr_eq(&kept, &mirrors.of(&backend(1))));
        for number in 0..2 * MAX_BACKENDS {
            mirrors.of(&backend(number));
        }
        assert!(mirrors.0.lock().unwrap().len() <= MAX_BACKENDS);
        assert!(Arc::ptr_eq(&kept, &mirrors.of(&backend(0))));
    }
}
