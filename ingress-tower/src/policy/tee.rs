//! A body that is copied while it passes. Who reads the copy keeps nobody waiting.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::{HeaderName, HeaderValue};
use http_body::{Body as HttpBody, Frame, SizeHint};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use crate::{Body, BodyError, BoxError};

/// A body that is on its way, and whoever gets a copy of it.
struct Tee {
    body: Body,
    copy: Option<Copy>,
}

struct Copy {
    pieces: UnboundedSender<Piece>,
    /// What the pieces cost that were passed on and are not yet read.
    waiting: Arc<AtomicUsize>,
    most: usize,
}

enum Piece {
    Frame(Frame<Bytes>),
    End,
}

/// The copy of a body; it breaks off where the body does, or where it falls too far behind.
struct Copied {
    pieces: UnboundedReceiver<Piece>,
    waiting: Arc<AtomicUsize>,
    left: Option<u64>,
    ended: bool,
}

/// A body, and its copy, which may fall behind by so many bytes, those counted that each frame takes itself.
pub(super) fn split(body: Body, most: usize) -> (Body, Body) {
    if body.is_end_stream() {
        return (body, Body::empty());
    }
    let (sender, pieces) = unbounded_channel();
    let waiting = Arc::<AtomicUsize>::default();
    let left = body.size_hint().exact();
    let copied = Copied { pieces, waiting: waiting.clone(), left, ended: false };
    let copy = Some(Copy { pieces: sender, waiting, most });
    (Body::new(Tee { body, copy }), Body::new(copied))
}

impl Tee {
    /// Hands over a piece; nobody gets more if that is too much.
    fn hand_over(&mut self, piece: Piece) {
        let Some(copy) = &self.copy else { return };
        let cost = piece.cost();
        let waiting = copy.waiting.fetch_add(cost, Ordering::Relaxed) + cost;
        if waiting > copy.most || copy.pieces.send(piece).is_err() {
            self.copy = None;
        }
    }

    fn end(&mut self) {
        self.hand_over(Piece::End);
        self.copy = None;
    }
}

impl HttpBody for Tee {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let this = self.get_mut();
        let frame = Pin::new(&mut this.body).poll_frame(cx);
        match &frame {
            Poll::Ready(Some(Ok(frame))) => {
                if let Some(piece) = Piece::copy(frame) {
                    this.hand_over(piece);
                }
                if this.body.is_end_stream() {
                    this.end();
                }
            }
            Poll::Ready(Some(Err(_))) => this.copy = None,
            Poll::Ready(None) => this.end(),
            Poll::Pending => {}
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl HttpBody for Copied {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let this = self.get_mut();
        if this.ended {
            return Poll::Ready(None);
        }
        let piece = ready!(this.pieces.poll_recv(cx));
        this.waiting.fetch_sub(piece.as_ref().map_or(0, Piece::cost), Ordering::Relaxed);
        Poll::Ready(match piece {
            Some(Piece::Frame(frame)) => {
                let len = frame.data_ref().map_or(0, Bytes::len);
                this.left = this.left.map(|left| left.saturating_sub(len as u64));
                Some(Ok(frame))
            }
            Some(Piece::End) => {
                this.ended = true;
                None
            }
            None => {
                this.ended = true;
                Some(Err("the copy broke off".into()))
            }
        })
    }

    fn is_end_stream(&self) -> bool {
        self.ended || self.left == Some(0)
    }

    fn size_hint(&self) -> SizeHint {
        self.left.map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}

impl Piece {
    /// The same bytes or trailers once more; nothing, if there are no bytes.
    fn copy(frame: &Frame<Bytes>) -> Option<Self> {
        let data = frame.data_ref().filter(|data| !data.is_empty()).cloned().map(Frame::data);
        data.or_else(|| frame.trailers_ref().cloned().map(Frame::trailers)).map(Self::Frame)
    }

    /// Its bytes, and the room that it takes itself: of many small ones that is the most.
    fn cost(&self) -> usize {
        let Self::Frame(frame) = self else { return 0 };
        let field = |(name, value): (&HeaderName, &HeaderValue)| name.as_str().len() + value.len();
        let trailers = || frame.trailers_ref().into_iter().flatten().map(field).sum();
        size_of::<Self>() + frame.data_ref().map_or_else(trailers, Bytes::len)
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::{BodyExt, StreamBody};

    use super::*;

    fn streamed(pieces: &'static [&'static str]) -> Body {
        let frames = pieces.iter().map(|piece| match *piece {
            "!" => Err("broken"),
            piece => Ok(Frame::data(Bytes::from_static(piece.as_bytes()))),
        });
        Body::new(StreamBody::new(futures_util::stream::iter(frames)))
    }

    #[tokio::test]
    async fn both_get_the_same() {
        let (body, copy) = split(streamed(&["a", "bc"]), 1000);
        assert_eq!(body.collect().await.unwrap().to_bytes(), "abc");
        assert_eq!(copy.collect().await.unwrap().to_bytes(), "abc");
        let (body, copy) = split(Body::from("abc"), 1000);
        assert_eq!((body.size_hint().exact(), copy.size_hint().exact()), (Some(3), Some(3)));
        assert_eq!(body.collect().await.unwrap().to_bytes(), "abc");
        assert_eq!(copy.collect().await.unwrap().to_bytes(), "abc");
        let (body, copy) = split(Body::empty(), 100);
        assert!(body.is_end_stream() && copy.is_end_stream());
    }

    #[tokio::test]
    async fn a_copy_that_falls_behind_breaks_off() {
        let (frame, both) = (size_of::<Piece>(), ["abc", "def"].concat());
        for (most, is_whole) in [(2 * frame + 6, true), (2 * frame + 5, false), (6, false)] {
            let (body, copy) = split(streamed(&["abc", "def"]), most);
            assert_eq!(body.collect().await.unwrap().to_bytes(), both);
            assert_eq!(copy.collect().await.is_ok(), is_whole);
        }
        // What was read makes room.
        let (mut body, mut copy) = split(streamed(&["abc", "", "", "def"]), frame + 3);
        for want in ["abc", "def"] {
            let data = loop {
                match body.frame().await.unwrap().unwrap().into_data().unwrap() {
                    data if data.is_empty() => {}
                    data => break data,
                }
            };
            assert_eq!(data, want);
            assert_eq!(copy.frame().await.unwrap().unwrap().into_data().unwrap(), want);
        }
    }

    #[tokio::test]
    async fn a_copy_ends_as_the_body_does() {
        let (body, copy) = split(streamed(&["abc", "!"]), 1000);
        body.collect().await.unwrap_err();
        assert!(copy.collect().await.is_err());
        let (body, copy) = split(streamed(&["abc", "def"]), 1000);
        drop(body);
        assert!(copy.collect().await.is_err());
        let (body, copy) = split(streamed(&["abc", "def"]), 1000);
        drop(copy);
        assert_eq!(body.collect().await.unwrap().to_bytes(), "abcdef");
    }
}
