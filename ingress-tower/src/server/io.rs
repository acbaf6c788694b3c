//! A stream whose first bytes were looked at, and which counts what it reads.

use std::future::poll_fn;
use std::io;
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, ReadBuf};

use crate::stall::Stall;

/// What every HTTP/2 connection begins with (RFC 9113 section 3.4).
const PREFACE: &[u8; 24] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// How many bytes are read at once until the protocol is known: most requests fit.
const FIRST: usize = 1024;

/// The protocol that a client speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Protocol {
    Http1,
    Http2,
}

/// How often bytes have come from the client.
#[derive(Clone, Debug, Default)]
pub(super) struct Activity(Arc<AtomicU64>);

/// A stream that gives back the bytes by which its protocol was told.
#[derive(Debug)]
pub(super) struct ServerIo<T> {
    inner: TokioIo<T>,
    /// What of them is still to be read.
    first: Bytes,
    /// Whether the stream is likely to hold more.
    more: bool,
    /// What the stream said after what was read before.
    failed: Option<io::Error>,
    activity: Activity,
    /// How long the client has not taken what it is sent.
    unwritten: Stall,
}

impl<T: AsyncRead + Unpin> ServerIo<T> {
    /// Reads until it is clear which protocol the client speaks: one byte for nearly every HTTP/1.1 request.
    ///
    /// # Errors
    ///
    /// Those of the stream, and `UnexpectedEof` when it ends before anything was sent.
    pub(super) async fn detect(mut stream: T, write_timeout: Duration) -> io::Result<(Self, Protocol)> {
        let mut first = BytesMut::new();
        let mut more = false;
        while PREFACE.starts_with(&first) && first.len() < PREFACE.len() {
            match poll_fn(|cx| read_to(&mut stream, &mut first, cx)).await? {
                0 if first.is_empty() => return Err(io::ErrorKind::UnexpectedEof.into()),
                0 => break,
                read => more = read == FIRST,
            }
        }
        let protocol = if first.starts_with(PREFACE) { Protocol::Http2 } else { Protocol::Http1 };
        let (inner, unwritten) = (TokioIo::new(stream), Stall::new(write_timeout));
        let (first, activity) = (first.freeze(), Activity::default());
        Ok((Self { inner, first, more, failed: None, activity, unwritten }, protocol))
    }

    pub(super) fn activity(&self) -> Activity {
        self.activity.clone()
    }
}

/// Adds what the stream has to `bytes`. While it has nothing, no memory is held for it.
fn read_to<T: AsyncRead + Unpin>(
    stream: &mut T,
    bytes: &mut BytesMut,
    cx: &mut Context<'_>,
) -> Poll<io::Result<usize>> {
    let mut room = [MaybeUninit::uninit(); FIRST];
    let mut read = ReadBuf::uninit(&mut room);
    ready!(Pin::new(stream).poll_read(cx, &mut read))?;
    bytes.extend_from_slice(read.filled());
    Poll::Ready(Ok(read.filled().len()))
}

impl Activity {
    pub(super) fn count(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    fn note(&self) {
        // One task reads and counts; nobody else writes.
        self.0.store(self.count() + 1, Ordering::Relaxed);
    }
}

impl<T: AsyncRead + Unpin> hyper::rt::Read for ServerIo<T> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        mut buf: hyper::rt::ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if let Some(error) = this.failed.take() {
            return Poll::Ready(Err(error));
        }
        let again = !this.first.is_empty();
        if again {
            let len = this.first.len().min(buf.remaining());
            buf.put_slice(&this.first.split_to(len));
            this.activity.note();
            if !this.first.is_empty() || !this.more {
                return Poll::Ready(Ok(()));
            }
            // The rest belongs to the same read: whoever reads a little first makes room for much more.
            this.first = Bytes::new();
        }
        let read = Pin::new(&mut this.inner).poll_read(cx, buf);
        if again {
            if let Poll::Ready(Err(error)) = read {
                this.failed = Some(error);
            }
            return Poll::Ready(Ok(()));
        }
        if read.is_ready() {
            this.activity.note();
        }
        read
    }
}

impl<T> ServerIo<T> {
    /// Fails what has waited too long for the client.
    fn timed<R>(&mut self, cx: &mut Context<'_>, written: Poll<io::Result<R>>) -> Poll<io::Result<R>> {
        if written.is_ready() {
            self.unwritten.stop();
            return written;
        }
        ready!(self.unwritten.wait(cx));
        Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, "the client does not read")))
    }
}

impl<T: tokio::io::AsyncWrite + Unpin> hyper::rt::Write for ServerIo<T> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let written = Pin::new(&mut this.inner).poll_write(cx, buf);
        this.timed(cx, written)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let flushed = Pin::new(&mut this.inner).poll_flush(cx);
        this.timed(cx, flushed)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let shut_down = Pin::new(&mut this.inner).poll_shutdown(cx);
        this.timed(cx, shut_down)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let written = Pin::new(&mut this.inner).poll_write_vectored(cx, bufs);
        this.timed(cx, written)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncReadExt;

    use super::*;

    #[tokio::test]
    async fn the_first_bytes_tell_the_protocol_and_stay() {
        let table: [(&[u8], Option<Protocol>); 6] = [
            (b"GET / HTTP/1.1\r\n\r\n", Some(Protocol::Http1)),
            (b"POST / HTTP/1.1\r\n\r\n", Some(Protocol::Http1)),
            (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\nmore", Some(Protocol::Http2)),
            (b"PRI * HTTP/1.1\r\n\r\n", Some(Protocol::Http1)),
            (b"P", Some(Protocol::Http1)),
            (b"", None),
        ];
        for (bytes, want) in table {
            for chunk in [1, 7, 64] {
                let mut stream = tokio_test::io::Builder::new();
                for part in bytes.chunks(chunk) {
                    stream.read(part);
                }
                let found = ServerIo::detect(stream.build(), Duration::from_secs(1)).await.ok();
                assert_eq!(found.as_ref().map(|(_, protocol)| *protocol), want);
                let Some((io, _)) = found else { continue };
                let mut all = Vec::new();
                TokioIo::new(io).read_to_end(&mut all).await.unwrap();
                assert_eq!(all, bytes);
            }
        }
    }
}
