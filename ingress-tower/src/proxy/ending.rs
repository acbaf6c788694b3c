//! What an exchange says of its endpoint.

use http::{Response, StatusCode};
use ingress_core::{Ending, Failures, Policy};

use super::{Unsent, classify_kind};
use crate::BoxError;
use crate::error::Kind;

/// How a request ended for its endpoint; nothing where it was the client's doing.
pub(super) fn of<B>(sent: &Result<Response<B>, BoxError>, policy: Option<&Policy>) -> Option<Ending> {
    let on = policy.and_then(|policy| policy.outlier.on.as_ref());
    let unless = |is_failure: bool| Some(if is_failure { Ending::Failure } else { Ending::Error });
    match sent {
        Ok(response) => match meant(response) {
            status if !is_error(status) && on.is_none_or(|on| !on.has_status(status.as_u16())) => {
                Some(Ending::Success)
            }
            status => unless(has_status(on, status)),
        },
        Err(error) if error.is::<Unsent>() => Some(Ending::Failure),
        Err(error) => match classify_kind(&**error) {
            Kind::Upstream => unless(on.is_none_or(|on| on.reset)),
            Kind::Timeout => unless(on.is_none_or(|on| on.timeout)),
            _ => None,
        },
    }
}

fn is_error(status: StatusCode) -> bool {
    status.is_server_error()
}

/// Without a policy of its own, those of [`Failures::default`].
fn has_status(on: Option<&Failures>, status: StatusCode) -> bool {
    match on {
        Some(on) => on.has_status(status.as_u16()),
        None => (502..=504).contains(&status.as_u16()),
    }
}

/// The status of an answer; that of a gRPC call which ended as it began is `grpc-status`, where 14 is "unavailable".
fn meant<B>(response: &Response<B>) -> StatusCode {
    match response.headers().get("grpc-status").map(|status| status.as_bytes()) {
        Some(b"14") => StatusCode::SERVICE_UNAVAILABLE,
        _ => response.status(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Stalled, TimedOut};

    type Row = (Result<Response<()>, BoxError>, Option<Policy>, Option<Ending>);

    fn failures(reset: bool, timeout: bool, statuses: &[(u16, u16)]) -> Option<Policy> {
        let mut policy = Policy::default();
        policy.outlier.on = Some(Failures::new(reset, timeout, statuses.to_vec()));
        Some(policy)
    }

    #[test]
    fn who_failed() {
        let status = |status: u16| Response::builder().status(status).body(()).map_err(Into::into);
        let call = |code: &str| Response::builder().header("grpc-status", code).body(()).map_err(Into::into);
        use Ending::{Error, Failure, Success};
        let table: [Row; 14] = [
            (status(200), None, Some(Success)),
            (status(404), None, Some(Success)),
            (status(500), None, Some(Error)),
            (status(503), None, Some(Failure)),
            (call("0"), None, Some(Success)),
            (call("14"), None, Some(Failure)),
            (status(503), failures(true, true, &[(500, 500)]), Some(Error)),
            (status(429), failures(true, true, &[(429, 429)]), Some(Failure)),
            (Err("reset".into()), None, Some(Failure)),
            (Err("reset".into()), failures(false, true, &[]), Some(Error)),
            (Err(TimedOut.into()), None, Some(Failure)),
            (Err(TimedOut.into()), failures(true, false, &[]), Some(Error)),
            (Err(Stalled.into()), None, None),
            (
                Err(Unsent::new(Default::default(), "refused").into()),
                failures(false, false, &[]),
                Some(Failure),
            ),
        ];
        for (sent, policy, want) in table {
            assert_eq!(of(&sent, policy.as_ref()), want, "{sent:?} {policy:?}");
        }
    }
}
