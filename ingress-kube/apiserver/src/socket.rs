//! Connections, and the switch that closes or freezes all of them.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::watch;

use crate::dispatch;
use crate::state::Shared;

/// Closes or freezes all connections.
#[derive(Debug)]
pub(crate) struct Switch {
    state: Mutex<SwitchState>,
    /// Goes up whenever all connections are closed.
    epoch: watch::Sender<u64>,
}

#[derive(Debug, Default)]
struct SwitchState {
    frozen: bool,
    waiting: Vec<Waker>,
}

/// A connection that reads and writes nothing while the switch is frozen, and nothing more once it is closed.
struct Gate {
    stream: TcpStream,
    shared: Arc<Shared>,
    epoch: u64,
}

/// A bound socket that doesn't listen: nobody else gets the port while the server is down.
pub(crate) fn reserve() -> io::Result<(TcpSocket, SocketAddr)> {
    let socket = bind(SocketAddr::from(([127, 0, 0, 1], 0)))?;
    let address = socket.local_addr()?;
    Ok((socket, address))
}

pub(crate) fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    bind(address)?.listen(1024)
}

fn bind(address: SocketAddr) -> io::Result<TcpSocket> {
    let socket = TcpSocket::new_v4()?;
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    Ok(socket)
}

/// Accepts for ever.
pub(crate) async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    loop {
        // What fails here is the one connection that went away again.
        let Ok((stream, _)) = listener.accept().await else { continue };
        stream.set_nodelay(true).ok();
        let epoch = *shared.switch.epoch.borrow();
        let gate = Gate { stream, shared: shared.clone(), epoch };
        tokio::spawn(connection(gate, shared.clone()));
    }
}

async fn connection(gate: Gate, shared: Arc<Shared>) {
    let epoch = gate.epoch;
    let mut epochs = shared.switch.epoch.subscribe();
    let service = {
        let shared = shared.clone();
        service_fn(move |request| dispatch::serve(shared.clone(), request))
    };
    let serving = http1::Builder::new().serve_connection(TokioIo::new(gate), service);
    tokio::select! {
        // An error is a client that went away, or a fault.
        _ = serving => {}
        _ = epochs.wait_for(|now| *now != epoch) => {}
    }
}

impl Switch {
    pub(crate) fn new() -> Self {
        Self { state: Mutex::default(), epoch: watch::Sender::new(0) }
    }

    fn lock(&self) -> MutexGuard<'_, SwitchState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Freezes all connections, those to come as well, or lets them go on.
    pub(crate) fn freeze(&self, frozen: bool) {
        let mut state = self.lock();
        state.frozen = frozen;
        state.waiting.drain(..).for_each(Waker::wake);
    }

    /// Closes all connections that there are.
    pub(crate) fn close_all(&self) {
        self.epoch.send_modify(|epoch| *epoch += 1);
    }
}

impl Gate {
    fn poll_open(&self, cx: &Context<'_>) -> Poll<io::Result<()>> {
        let switch = &self.shared.switch;
        if *switch.epoch.borrow() != self.epoch {
            return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()));
        }
        let mut state = switch.lock();
        if !state.frozen {
            return Poll::Ready(Ok(()));
        }
        if !state.waiting.iter().any(|waker| waker.will_wake(cx.waker())) {
            state.waiting.push(cx.waker().clone());
        }
        Poll::Pending
    }
}

impl AsyncRead for Gate {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.poll_open(cx) {
            Poll::Ready(Ok(())) => Pin::new(&mut self.stream).poll_read(cx, buf),
            other => other,
        }
    }
}

impl AsyncWrite for Gate {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match self.poll_open(cx) {
            Poll::Ready(Ok(())) => Pin::new(&mut self.stream).poll_write(cx, bytes),
            other => other.map_ok(|()| 0),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.poll_open(cx) {
            Poll::Ready(Ok(())) => Pin::new(&mut self.stream).poll_flush(cx),
            other => other,
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.poll_open(cx) {
            Poll::Ready(Ok(())) => Pin::new(&mut self.stream).poll_shutdown(cx),
            other => other,
        }
    }
}
