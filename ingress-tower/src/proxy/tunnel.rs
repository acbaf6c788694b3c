//! Two connections that have left HTTP, joined.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use ingress_core::Timeout;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf, copy_bidirectional_with_sizes};
use tokio::time::Instant;

use crate::client::Progress;
use crate::connection::Held;

/// How long neither side may say anything, unless the route's policy says otherwise. A peer that vanished without a word would otherwise be waited for without
/// end.
const IDLE_TIMEOUT: Duration = Duration::from_secs(60 * 60);

/// How much of each direction is on its way.
const BUFFER: usize = 16 * 1024;

/// A side whose reads and writes are noted.
struct Watched<T> {
    inner: T,
    progress: Progress,
}

/// Passes bytes both ways until both sides have ended, one breaks, nothing is said for too long, or the server that the
/// client is connected to has waited long enough.
pub(super) async fn run(
    client: OnUpgrade,
    endpoint: OnUpgrade,
    held: Option<Held>,
    idle_timeout: Option<Timeout>,
) {
    let Ok((client, endpoint)) = tokio::try_join!(client, endpoint) else { return };
    let (client, endpoint) = (TokioIo::new(client), TokioIo::new(endpoint));
    join(client, endpoint, idle_timeout, cut(held)).await;
}

/// Passes bytes both ways until both sides have ended, one breaks, nothing is said for too long, or `cut` is done.
pub(crate) async fn join(
    client: impl AsyncRead + AsyncWrite + Unpin,
    mut endpoint: impl AsyncRead + AsyncWrite + Unpin,
    idle_timeout: Option<Timeout>,
    cut: impl Future<Output = ()>,
) {
    let progress = Progress::new();
    let mut client = Watched { inner: client, progress: progress.clone() };
    tokio::select! {
        // What breaks here concerns both sides alone: each sees that the other is gone.
        _ = copy_bidirectional_with_sizes(&mut client, &mut endpoint, BUFFER, BUFFER) => {}
        () = silence(&progress, idle_timeout.map_or(Some(IDLE_TIMEOUT), Timeout::limit)) => {}
        () = cut => {}
    }
}

async fn silence(progress: &Progress, limit: Option<Duration>) {
    let Some(limit) = limit else { return std::future::pending().await };
    let mut until = progress.last() + limit;
    while Instant::now() < until {
        tokio::time::sleep_until(until).await;
        until = progress.last() + limit;
    }
}

async fn cut(held: Option<Held>) {
    match held {
        Some(held) => held.cut().await,
        None => std::future::pending().await,
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for Watched<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        ready!(Pin::new(&mut self.inner).poll_read(cx, buf))?;
        self.progress.note();
        Poll::Ready(Ok(()))
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for Watched<T> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let written = ready!(Pin::new(&mut self.inner).poll_write(cx, buf))?;
        self.progress.note();
        Poll::Ready(Ok(written))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}
