//! One connection, from its first byte to its last.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use hyper::server::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::Instant;

use super::io::{Protocol, ServerIo};
use super::requests::{Client, Closing, Flag, PerConnection};
use super::timer::HeadTimer;
use super::{Handler, ResponseBody, Server};
use crate::ConnectionInfo;
use crate::connection::Held;

/// How often a silent HTTP/2 peer is asked whether it is still there.
const PING_INTERVAL: Duration = Duration::from_secs(30);
const MAX_STREAMS: u32 = 100;
/// Streams that a client may reset before they were looked at (CVE-2023-44487), and those that it may have reset by its
/// own faults (CVE-2025-8671).
const MAX_RESETS: usize = 20;
const MAX_ERRORS: usize = 100;
/// What waits for a client on one stream.
const SEND_BUFFER: usize = 64 * 1024;
const STREAM_WINDOW: u32 = 64 * 1024;
const CONNECTION_WINDOW: u32 = 1024 * 1024;

/// The two steps in which a server ends, for all of its connections.
#[derive(Debug)]
pub(super) struct Ending {
    closing: Arc<AtomicBool>,
    stop: watch::Sender<bool>,
}

/// What a connection sees of an [`Ending`].
#[derive(Clone, Debug)]
pub(super) struct Signals {
    /// The first step: answers of HTTP/1 close their connections.
    closing: Arc<AtomicBool>,
    /// The second: the connection is to end soon.
    stopped: watch::Receiver<bool>,
}

impl Ending {
    pub(super) fn new() -> Self {
        Self { closing: Arc::default(), stop: watch::Sender::new(false) }
    }

    pub(super) fn signals(&self) -> Signals {
        Signals { closing: self.closing.clone(), stopped: self.stop.subscribe() }
    }

    pub(super) fn begin(&self) {
        self.closing.store(true, Ordering::Relaxed);
    }

    pub(super) fn stop(self) {
        self.stop.send_replace(true);
    }
}

impl Signals {
    /// Waits for the second step. Asked again afterwards, it has come.
    async fn stopped(&mut self) {
        // An error means that the sender is gone, and that is the end, too.
        let _ = self.stopped.wait_for(|&stopped| stopped).await;
    }
}

/// How bytes are carried.
#[derive(Clone)]
pub(super) enum Transport {
    Plain,
    #[cfg(feature = "tls")]
    Tls(crate::tls::Acceptor),
}

/// Serves a connection to its end. Its errors are the peer's or the network's and concern nobody else.
///
/// What each step needs is boxed, so that a connection takes no memory for those that are behind it.
pub(super) async fn serve<S, B>(
    stream: TcpStream,
    transport: Transport,
    info: ConnectionInfo,
    service: S,
    settings: Arc<Server>,
    signals: Signals,
) where
    S: Handler<B>,
    B: ResponseBody,
{
    match transport {
        Transport::Plain => {
            let client = Client::plain(info);
            speak(stream, None, client, service, settings, signals).await;
        }
        #[cfg(feature = "tls")]
        Transport::Tls(acceptor) => {
            Box::pin(serve_tls(stream, acceptor, info, service, settings, signals)).await;
        }
    }
}

/// Makes the handshake first.
#[cfg(feature = "tls")]
async fn serve_tls<S, B>(
    stream: TcpStream,
    acceptor: crate::tls::Acceptor,
    info: ConnectionInfo,
    service: S,
    settings: Arc<Server>,
    mut signals: Signals,
) where
    S: Handler<B>,
    B: ResponseBody,
{
    use crate::tls::Met;

    let accept = Box::pin(acceptor.accept(stream));
    let handshake = tokio::time::timeout(acceptor.handshake_timeout, accept);
    let accepted = match unless_stopped(handshake, &settings, &mut signals).await {
        Some(Ok(Ok(Met::Ended(accepted)))) => accepted,
        Some(Ok(Ok(Met::Passed(stream, first, passing)))) => {
            if let Err(error) = Box::pin(passing.run(stream, first, info.client.ip())).await {
                log(info, &error);
            }
            return;
        }
        Some(Ok(Err(error))) => return log(info, &error),
        Some(Err(_)) | None => return,
    };
    let protocol = if accepted.http2 { Protocol::Http2 } else { Protocol::Http1 };
    let (server_name, chain) = (accepted.server_name, accepted.chain);
    let client = Client { info: info.with_tls(true), server_name, chain };
    speak(accepted.stream, Some(protocol), client, service, settings, signals).await;
}

/// Speaks HTTP, the one that was agreed upon if there is one.
async fn speak<T, S, B>(
    stream: T,
    agreed: Option<Protocol>,
    client: Client,
    service: S,
    settings: Arc<Server>,
    mut signals: Signals,
) where
    T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    S: Handler<B>,
    B: ResponseBody,
{
    let detected = Box::pin(detect(stream, &settings, &mut signals)).await;
    let Some((io, protocol)) = detected else { return };
    if agreed.is_some_and(|agreed| agreed != protocol) {
        return;
    }
    let info = client.info;
    let old_at =
        settings.max_connection_age.map(|age| Instant::now() + age.mul_f64(0.9 + 0.2 * fastrand::f64()));
    let ended = match protocol {
        Protocol::Http1 => {
            let (held, mut tunnels) = Held::new();
            let closing = Closing { ending: signals.closing.clone(), old_at };
            let service = PerConnection { service, client, flag: Flag::Closing(closing, held) };
            let builder = http1_builder(&io, &settings);
            let mut connection = Box::pin(builder.serve_connection(io, service).with_upgrades());
            let stopped = signals.stopped();
            let ended =
                run(connection.as_mut(), http1::UpgradeableConnection::graceful_shutdown, stopped).await;
            // Closes what is open, and lets go of what its requests hold.
            drop(connection);
            // Done when the last tunnel is.
            tunnels.recv().await;
            ended
        }
        Protocol::Http2 => {
            let asked = Arc::<AtomicBool>::default();
            let service = PerConnection { service, client, flag: Flag::Asked(asked.clone()) };
            let mut connection = Box::pin(http2_builder(&settings).serve_connection(io, service));
            let stopped_or_old = async {
                tokio::select! {
                    () = signals.stopped() => {}
                    () = until(old_at) => {}
                }
            };
            tokio::select! {
                biased;
                ended = run(connection.as_mut(), http2::Connection::graceful_shutdown, stopped_or_old) => ended,
                () = silence(&asked, settings.idle_timeout) => return,
            }
        }
    };
    if let Err(error) = ended {
        log(info, &error);
    }
}

/// Waits for the first bytes, as long as it may.
async fn detect<T: AsyncRead + Unpin>(
    stream: T,
    settings: &Server,
    signals: &mut Signals,
) -> Option<(ServerIo<T>, Protocol)> {
    let detect = ServerIo::detect(stream, settings.write_timeout);
    let detect = tokio::time::timeout(settings.header_timeout, detect);
    unless_stopped(detect, settings, signals).await?.ok()?.ok()
}

/// Waits for something on a new connection, unless the server has stopped.
async fn unless_stopped<F: Future>(future: F, settings: &Server, signals: &mut Signals) -> Option<F::Output> {
    tokio::select! {
        biased;
        output = future => Some(output),
        () = async {
            signals.stopped().await;
            // The client of a connection made just before may be about to say something.
            tokio::time::sleep(settings.lingers() / 2).await;
        } => None,
    }
}

fn http1_builder<T: AsyncRead + Unpin>(io: &ServerIo<T>, settings: &Server) -> http1::Builder {
    let mut builder = http1::Builder::new();
    builder
        .timer(HeadTimer::new(io.activity(), settings.header_timeout, settings.idle_timeout))
        .header_read_timeout(settings.idle_timeout)
        .max_header_size(settings.max_head_size)
        .max_headers(super::MAX_FIELDS);
    builder
}

fn http2_builder(settings: &Server) -> http2::Builder<TokioExecutor> {
    let mut builder = http2::Builder::new(TokioExecutor::new());
    // Somebody has to join the stream and the endpoint's connection.
    #[cfg(feature = "client")]
    builder.enable_connect_protocol();
    builder
        .timer(TokioTimer::new())
        .keep_alive_interval(PING_INTERVAL)
        .keep_alive_timeout(settings.idle_timeout)
        .max_concurrent_streams(MAX_STREAMS)
        .max_pending_accept_reset_streams(MAX_RESETS)
        .max_local_error_reset_streams(MAX_ERRORS)
        .max_send_buf_size(SEND_BUFFER)
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_header_list_size(u32::try_from(settings.max_head_size).unwrap_or(u32::MAX));
    builder
}

/// Done when a client has said that it speaks HTTP/2 and has asked for nothing: hyper's pings only tell whether
/// it is there.
async fn silence(asked: &AtomicBool, limit: Duration) {
    tokio::time::sleep(limit).await;
    if asked.load(Ordering::Relaxed) {
        std::future::pending().await
    }
}

async fn until(time: Option<Instant>) {
    match time {
        Some(time) => tokio::time::sleep_until(time).await,
        None => std::future::pending().await,
    }
}

/// Runs a connection to its end, which is to be soon once `stopped` is done.
async fn run<C: Future>(
    mut connection: Pin<&mut C>,
    shut_down: fn(Pin<&mut C>),
    stopped: impl Future<Output = ()>,
) -> C::Output {
    tokio::select! {
        // The connection comes first, so that a request that is already here counts as open.
        biased;
        ended = &mut connection => return ended,
        () = stopped => shut_down(connection.as_mut()),
    }
    connection.await
}

#[cfg(feature = "tracing")]
pub(super) fn log(info: ConnectionInfo, error: &dyn std::error::Error) {
    let source = error.source().map(ToString::to_string);
    tracing::debug!(client = %info.client, %error, source, "a connection ended early");
}

#[cfg(not(feature = "tracing"))]
pub(super) fn log(_: ConnectionInfo, _: &dyn std::error::Error) {}
