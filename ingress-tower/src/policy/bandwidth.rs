//! `client_limits.bandwidth`: how fast answers are sent.

use std::future::Future;
use std::num::NonZeroU64;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http::{Response, StatusCode};
use http_body::{Body as HttpBody, Frame, SizeHint};
use ingress_core::ClientLimits;
use tokio::time::{Instant, Sleep};

use crate::{Body, BodyError};

/// What is sent at once is the share of this time, so that a low rate is smooth. As much may be caught up with, since timers
/// are late by up to a millisecond.
const SLICE: Duration = Duration::from_millis(100);
const SLICES_A_SECOND: u64 = 10;

/// A body that is passed on no faster than its rate. Nothing more is read of it than what is sent next.
struct Paced {
    body: Body,
    /// What is left of a frame that is too large to be sent at once.
    rest: Bytes,
    rate: NonZeroU64,
    /// How many bytes may be sent first.
    free: u64,
    /// When what was sent has taken its time.
    due: Instant,
    /// Made when something is waited for.
    sleep: Option<Pin<Box<Sleep>>>,
}

/// Lets the body of an answer pass no faster than its rate, after a first amount. What has left HTTP is not concerned.
pub(super) fn limit(limits: &ClientLimits, answer: Response<Body>) -> Response<Body> {
    let rate = limits.bandwidth.filter(|rate| *rate < NonZeroU64::MAX);
    let Some(rate) = rate else { return answer };
    if answer.status() == StatusCode::SWITCHING_PROTOCOLS || answer.body().is_end_stream() {
        return answer;
    }
    let free = limits.bandwidth_after.unwrap_or(0);
    answer.map(|body| {
        Body::new(Paced { body, rest: Bytes::new(), rate, free, due: Instant::now(), sleep: None })
    })
}

impl Paced {
    /// Waits until what was sent has taken its time.
    fn poll_due(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.due <= Instant::now() {
            return Poll::Ready(());
        }
        let due = self.due;
        let sleep = self.sleep.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(due)));
        if sleep.deadline() != due {
            sleep.as_mut().reset(due);
        }
        sleep.as_mut().poll(cx)
    }

    /// As much of the bytes as may be sent now.
    fn slice(&mut self, mut bytes: Bytes) -> Bytes {
        let max = match self.free {
            0 => (self.rate.get() / SLICES_A_SECOND).max(1),
            free => free,
        };
        let max = usize::try_from(max).unwrap_or(usize::MAX).min(bytes.len());
        self.rest = bytes.split_off(max);
        let len = bytes.len() as u64;
        if self.free > 0 {
            self.free = self.free.saturating_sub(len);
        } else {
            let now = Instant::now();
            let since = now.checked_sub(SLICE).map_or(self.due, |since| since.max(self.due));
            self.due = since + time(len, self.rate);
        }
        bytes
    }
}

/// How long so many bytes take.
fn time(bytes: u64, rate: NonZeroU64) -> Duration {
    let nanos = u128::from(bytes) * 1_000_000_000 / u128::from(rate.get());
    Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
}

impl HttpBody for Paced {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let this = self.get_mut();
        if this.free == 0 {
            ready!(this.poll_due(cx));
        }
        let bytes = match std::mem::take(&mut this.rest) {
            rest if !rest.is_empty() => rest,
            _ => match ready!(Pin::new(&mut this.body).poll_frame(cx)) {
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(bytes) => bytes,
                    Err(other) => return Poll::Ready(Some(Ok(other))),
                },
                other => return Poll::Ready(other),
            },
        };
        Poll::Ready(Some(Ok(Frame::data(this.slice(bytes)))))
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let (own, rest) = (self.body.size_hint(), self.rest.len() as u64);
        let mut hint = SizeHint::new();
        if let Some(upper) = own.upper().and_then(|upper| upper.checked_add(rest)) {
            hint.set_upper(upper);
        }
        hint.set_lower(own.lower().saturating_add(rest).min(hint.upper().unwrap_or(u64::MAX)));
        hint
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;
    use std::convert::Infallible;

    use http::HeaderMap;
    use http_body_util::{BodyExt, StreamBody};

    use super::*;

    type Frames = VecDeque<Frame<Bytes>>;

    fn paced(rate: u64, after: u64, frames: impl IntoIterator<Item = Frame<Bytes>>) -> Body {
        let mut limits = ClientLimits::default();
        (limits.bandwidth, limits.bandwidth_after) = (NonZeroU64::new(rate), Some(after));
        let frames: Frames = frames.into_iter().collect();
        let frames = futures_util::stream::iter(frames.into_iter().map(Ok::<_, Infallible>));
        limit(&limits, Response::new(Body::new(StreamBody::new(frames)))).into_body()
    }

    fn data(len: usize) -> Frame<Bytes> {
        Frame::data((0..len).map(|at| at as u8).collect())
    }

    /// Each frame's length, and after how many milliseconds it came.
    async fn lengths(mut body: Body) -> Vec<(usize, u128)> {
        let (start, mut lengths, mut all) = (Instant::now(), Vec::new(), Vec::new());
        while let Some(frame) = body.frame().await {
            let bytes = frame.unwrap().into_data().unwrap();
            lengths.push((bytes.len(), start.elapsed().as_millis()));
            all.extend(bytes);
        }
        assert!(all.iter().enumerate().all(|(at, byte)| *byte == at as u8), "the bytes are in order");
        lengths
    }

    #[tokio::test(start_paused = true)]
    async fn a_low_rate_is_smooth() {
        let sent = lengths(paced(1000, 0, [data(1000)])).await;
        assert!(sent.iter().all(|(len, _)| *len == 100), "{sent:?}");
        assert_eq!(sent.len(), 10);
        assert!(sent.last().unwrap().1.abs_diff(900) <= 100, "{sent:?}");
        let gaps = sent.windows(2).map(|pair| pair[1].1 - pair[0].1);
        assert!(gaps.clone().skip(1).all(|gap| (99..=102).contains(&gap)), "{sent:?}");
        let sent = lengths(paced(1, 0, [data(5)])).await;
        assert_eq!(sent.iter().map(|sent| sent.0).collect::<Vec<_>>(), [1; 5]);
        assert!((3000..=5000).contains(&sent[4].1), "{sent:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn small_frames_of_a_high_rate_are_not_held_up_by_timers() {
        let frames = (0..1000).map(|_| data(256 * 40));
        let sent = lengths(paced(10_240_000, 0, frames)).await;
        assert!((850..=1010).contains(&sent.last().unwrap().1), "{:?}", sent.last());
    }

    #[tokio::test(start_paused = true)]
    async fn a_first_amount_is_sent_at_once() {
        let sent = lengths(paced(100, 1024, [data(512), data(1024)])).await;
        assert_eq!(sent[..2], [(512, 0), (512, 0)]);
        assert!(sent[2..].iter().all(|(len, _)| *len <= 10), "{sent:?}");
        assert!((4900..=5200).contains(&sent.last().unwrap().1), "{:?}", sent.last());
    }

    #[tokio::test(start_paused = true)]
    async fn lengths_trailers_and_errors_are_kept() {
        let mut trailers = HeaderMap::new();
        trailers.insert("grpc-status", "0".parse().unwrap());
        let body = paced(1000, 0, [data(150), Frame::trailers(trailers.clone())]);
        let whole = body.collect().await.unwrap();
        assert_eq!(whole.trailers(), Some(&trailers));
        assert_eq!(whole.to_bytes().len(), 150);

        let mut limits = ClientLimits::default();
        limits.bandwidth = NonZeroU64::new(1000);
        let mut body = limit(&limits, Response::new(Body::from(vec![0; 250]))).into_body();
        for left in [250, 150, 50] {
            assert_eq!((body.size_hint().exact(), body.is_end_stream()), (Some(left), false));
            body.frame().await.unwrap().unwrap();
        }
        assert!(body.is_end_stream() && body.size_hint().exact() == Some(0));

        let broken = futures_util::stream::iter([Ok(data(1)), Err("broken")]);
        let mut body = limit(&limits, Response::new(Body::new(StreamBody::new(broken)))).into_body();
        assert!(body.frame().await.unwrap().is_ok());
        assert!(body.frame().await.unwrap().is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn nothing_is_read_ahead() {
        let (sender, receiver) = tokio::sync::mpsc::channel::<Result<Frame<Bytes>, Infallible>>(1);
        let stream = futures_util::stream::unfold(receiver, |mut receiver| async {
            Some((receiver.recv().await?, receiver))
        });
        let mut limits = ClientLimits::default();
        limits.bandwidth = NonZeroU64::new(100);
        let mut body =
            limit(&limits, Response::new(Body::new(StreamBody::new(Box::pin(stream))))).into_body();
        sender.try_send(Ok(data(20))).unwrap();
        body.frame().await.unwrap().unwrap();
        sender.try_send(Ok(data(20))).unwrap();
        // Ten bytes of the first frame are left; the second waits in the channel.
        assert!(tokio::time::timeout(Duration::from_millis(1), body.frame()).await.is_err());
        assert!(sender.try_send(Ok(data(20))).is_err());
    }

    #[test]
    fn what_needs_no_limit_has_none() {
        let mut limits = ClientLimits::default();
        limits.bandwidth = Some(NonZeroU64::MAX);
        let answer = limit(&limits, Response::new(Body::from("x")));
        assert_eq!(answer.body().size_hint().exact(), Some(1));
        assert_eq!(time(u64::MAX, NonZeroU64::MIN), Duration::from_nanos(u64::MAX));
    }
}
