//! Accepting connections, and the moment when that ends.

use std::future::Future;
use std::io;
use std::io::ErrorKind;
use std::net::SocketAddr;
use std::pin::pin;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

/// How long the loop rests when no connection can be accepted for want of descriptors or memory.
const PAUSE: Duration = Duration::from_millis(50);
/// How many waiting connections are taken when accepting ends, lest it never ends under a flood.
const LAST: usize = 4096;

/// Runs `open` as a task for each connection.
pub(super) struct Acceptor<F> {
    listener: TcpListener,
    open: F,
    connections: JoinSet<()>,
}

impl<F, C> Acceptor<F>
where
    F: Fn(TcpStream, SocketAddr) -> C,
    C: Future<Output = ()> + Send + 'static,
{
    pub(super) fn new(listener: TcpListener, open: F) -> Self {
        Self { listener, open, connections: JoinSet::new() }
    }

    /// Accepts connections until `end` is done.
    pub(super) async fn until(&mut self, end: impl Future<Output = ()>) {
        let mut end = pin!(end);
        loop {
            let accepted = tokio::select! {
                biased;
                () = &mut end => return,
                Some(_) = self.connections.join_next() => continue,
                accepted = self.listener.accept() => accepted,
            };
            match accepted {
                Ok((stream, client)) => drop(self.connections.spawn((self.open)(stream, client))),
                Err(error) if is_of_one_connection(&error) => {}
                Err(error) => {
                    log(&error);
                    tokio::time::sleep(PAUSE).await;
                }
            }
        }
    }

    /// Takes the connections that the system has made and nobody has accepted yet, since their clients may
    /// have sent a request already, and closes the listener.
    pub(super) fn close(self) -> JoinSet<()> {
        let Self { listener, open, mut connections } = self;
        // Tokio's own `accept` asks the system only after an event, which may be on its way.
        let Ok(listener) = listener.into_std() else { return connections };
        for _ in 0..LAST {
            let (stream, client) = match listener.accept() {
                Ok(accepted) => accepted,
                Err(error) if is_of_one_connection(&error) => continue,
                Err(_) => break,
            };
            let stream = stream.set_nonblocking(true).and_then(|()| TcpStream::from_std(stream));
            if let Ok(stream) = stream {
                connections.spawn(open(stream, client));
            }
        }
        connections
    }
}

/// The client gave up while it waited to be accepted; the next one is not concerned.
fn is_of_one_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::ConnectionAborted | ErrorKind::ConnectionReset | ErrorKind::ConnectionRefused
    )
}

#[cfg(feature = "tracing")]
fn log(error: &io::Error) {
    crate::log::accept_failed(error);
}

#[cfg(not(feature = "tracing"))]
fn log(_: &io::Error) {}
