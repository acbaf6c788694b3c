//! A stream whose first bytes were looked at, and which counts what it reads.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncReadExt};

use crate::stall::Stall;

/// What every HTTP/2 connection begins with (RFC 9113 section 3.4).
const PREFACE: &[u8; 24] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

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
    first: [u8; PREFACE.len()],
    /// Which of `first` is still to be read.
    unread: std::ops::Range<usize>,
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
        let mut first = [0; PREFACE.len()];
        let mut len = 0;
        while len < first.len() && first[..len] == PREFACE[..len] {
            match stream.read(&mut first[len..]).await? {
                0 if len == 0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                0 => break,
                read => len += read,
            }
        }
        let protocol = if first == *PREFACE { Protocol::Http2 } else { Protocol::Http1 };
        let (inner, unwritten) = (TokioIo::new(stream), Stall::new(write_timeout));
        let io = Self { inner, first, unread: 0..len, activity: Activity::default(), unwritten };
        Ok((io, protocol))
    }

    pub(super) fn activity(&self) -> Activity {
        self.activity.clone()
    }
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
        if !this.unread.is_empty() {
            let len = this.unread.len().min(buf.remaining());
            buf.put_slice(&this.first[this.unread.start..this.unread.start + len]);
            this.unread.start += len;
            this.activity.note();
            return Poll::Ready(Ok(()));
        }
        let read = Pin::new(&mut this.inner).poll_read(cx, buf);
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
