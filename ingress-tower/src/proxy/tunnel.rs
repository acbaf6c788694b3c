//! Two connections that have left HTTP, joined.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::TokioIo;
use ingress_core::Timeout;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf, copy_bidirectional};
use tokio::time::Instant;

use crate::client::Progress;
use crate::connection::Held;

/// How long neither side may say anything, unless the route's policy says otherwise. A peer that vanished without a word would otherwise be waited for without
/// end.
const IDLE_TIMEOUT: Duration = Duration::from_secs(60 * 60);

/// A side whose reads and writes are noted.
struct Watched {
    inner: TokioIo<Upgraded>,
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
    let progress = Progress::new();
    let mut client = Watched { inner: TokioIo::new(client), progress: progress.clone() };
    let mut endpoint = TokioIo::new(endpoint);
    tokio::select! {
        // What breaks here concerns both sides alone: each sees that the other is gone.
        _ = copy_bidirectional(&mut client, &mut endpoint) => {}
        () = silence(&progress, idle_timeout.map_or(Some(IDLE_TIMEOUT), Timeout::limit)) => {}
        () = cut(held) => {}
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

impl AsyncRead for Watched {
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

impl AsyncWrite for Watched {
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
