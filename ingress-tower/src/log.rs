//! What is said of failures, and how often: an outage must not become a flood of lines, each of which a
//! thread that serves traffic has to wait for.

use std::collections::HashMap;
use std::error::Error as StdError;
use std::sync::{LazyLock, Mutex, PoisonError};
use std::time::{Duration, Instant};

use ingress_core::BackendRef;
use tracing::field::display;

use crate::Error;

/// The least time between two lines about one thing.
const INTERVAL: Duration = Duration::from_secs(1);
/// How many things are remembered. Backends are configuration, so there are seldom as many that fail.
const MAX: usize = 1024;

/// Asked only when something has failed, so that the lock costs good requests nothing.
static LIMITER: LazyLock<Mutex<Limiter>> = LazyLock::new(Mutex::default);

/// What a line is about: a reason, and the backend if there is one.
type Subject = (&'static str, Option<BackendRef>);

/// Lets the first line about a subject pass, and then one for each interval.
#[derive(Debug, Default)]
struct Limiter {
    subjects: HashMap<Subject, Last>,
}

#[derive(Debug)]
struct Last {
    at: Instant,
    suppressed: u64,
}

/// An answer of the data plane's own.
pub(crate) fn answered(error: &Error) {
    let (reason, status) = (error.reason(), error.status().as_u16());
    if !error.status().is_server_error() {
        tracing::debug!(status, reason, source = error.source().map(innermost), "{error}");
    } else if let Some(suppressed) = admit((reason, error.backend().cloned())) {
        let (backend, endpoint) = (error.backend().map(display), error.endpoint().map(display));
        let source = error.source().map(innermost);
        tracing::warn!(status, reason, backend, endpoint, source, suppressed, "{error}");
    }
}

/// An endpoint is ejected, or is back. Ejections grow longer each time, so that such lines are few.
pub(crate) fn endpoint_changed(
    backend: &BackendRef,
    endpoint: Option<&ingress_core::Endpoint>,
    change: ingress_core::EndpointChange,
) {
    let endpoint = endpoint.map(|endpoint| display(endpoint.authority()));
    match change {
        ingress_core::EndpointChange::Ejected(time) => {
            tracing::warn!(%backend, endpoint, ?time, "an endpoint is left out, because requests to it fail");
        }
        ingress_core::EndpointChange::Returned => {
            tracing::info!(%backend, endpoint, "an endpoint is back");
        }
    }
}

/// Health checks think otherwise of an endpoint than before. That takes several in a row, so that such lines are few.
#[cfg(feature = "client")]
pub(crate) fn health_changed(
    backend: &BackendRef,
    endpoint: &ingress_core::Endpoint,
    failure: Option<&(dyn StdError + 'static)>,
) {
    let endpoint = display(endpoint.authority());
    match failure.map(innermost) {
        Some(source) => {
            tracing::warn!(%backend, endpoint, source, "an endpoint is left out, because health checks of it fail");
        }
        None => tracing::info!(%backend, endpoint, "an endpoint is well again"),
    }
}

/// The system has no more descriptors or memory for connections.
#[cfg(feature = "server")]
pub(crate) fn accept_failed(error: &std::io::Error) {
    if let Some(suppressed) = admit(("accept_failed", None)) {
        tracing::error!(%error, suppressed, "no connection can be accepted");
    }
}

/// There is no place for a connection.
#[cfg(feature = "server")]
pub(crate) fn connection_refused(client: std::net::IpAddr) {
    if let Some(suppressed) = admit(("connection_refused", None)) {
        tracing::warn!(%client, suppressed, "a connection was refused, because too many are open");
    }
}

/// The cause at the end of the chain: "connection refused" rather than "error sending request".
fn innermost(mut error: &(dyn StdError + 'static)) -> String {
    while let Some(source) = error.source() {
        error = source;
    }
    error.to_string()
}

/// Whether a line may be written, and then how many were not since the last: `None` within for none, so that
/// the field is absent.
fn admit(subject: Subject) -> Option<Option<u64>> {
    let mut limiter = LIMITER.lock().unwrap_or_else(PoisonError::into_inner);
    limiter.admit(subject, Instant::now()).map(|suppressed| Some(suppressed).filter(|&count| count > 0))
}

impl Limiter {
    fn admit(&mut self, subject: Subject, now: Instant) -> Option<u64> {
        if let Some(last) = self.subjects.get_mut(&subject) {
            if now.saturating_duration_since(last.at) < INTERVAL {
                last.suppressed += 1;
                return None;
            }
            last.at = now;
            return Some(std::mem::take(&mut last.suppressed));
        }
        if self.subjects.len() >= MAX {
            // Some lines more are better than a map without bound.
            self.subjects.clear();
        }
        self.subjects.insert(subject, Last { at: now, suppressed: 0 });
        Some(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn subject(number: usize) -> Subject {
        ("no_endpoint", Some(format!("default/a{number}:80").parse().unwrap()))
    }

    #[test]
    fn the_first_line_passes_and_then_one_a_second_with_the_count_of_the_others() {
        let (mut limiter, start) = (Limiter::default(), Instant::now());
        let table = [
            (0, 0, Some(0)),
            (0, 0, None),
            (999, 0, None),
            (999, 1, Some(0)),
            (1000, 0, Some(2)),
            (1500, 0, None),
            (2000, 0, Some(1)),
            (9000, 0, Some(0)),
        ];
        for (millis, number, want) in table {
            let now = start + Duration::from_millis(millis);
            assert_eq!(limiter.admit(subject(number), now), want, "{number} at {millis}");
        }
    }

    #[test]
    fn reasons_are_told_apart() {
        let (mut limiter, now) = (Limiter::default(), Instant::now());
        assert_eq!(limiter.admit(("a", None), now), Some(0));
        assert_eq!(limiter.admit(("b", None), now), Some(0));
        assert_eq!(limiter.admit(("a", None), now), None);
    }

    #[test]
    fn no_number_of_backends_grows_it_without_bound() {
        let (mut limiter, now) = (Limiter::default(), Instant::now());
        for number in 0..3 * MAX {
            limiter.admit(subject(number), now);
            assert!(limiter.subjects.len() <= MAX);
        }
    }
}
