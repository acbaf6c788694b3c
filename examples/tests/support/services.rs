//! Services that answer every GET with a text of their own.

use std::io::{BufRead, BufReader, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

/// Answers with `text` on a free port of the loopback until the test process ends.
pub fn start(text: &str) -> SocketAddr {
    start_at(SocketAddr::from(([127, 0, 0, 1], 0)), text)
}

/// The same at another address.
pub fn start_at(address: SocketAddr, text: &str) -> SocketAddr {
    let listener = TcpListener::bind(address).expect("a free port");
    let address = listener.local_addr().expect("a bound socket has an address");
    let text = text.to_owned();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let text = text.clone();
            std::thread::spawn(move || serve(stream, &text));
        }
    });
    address
}

/// A server that ends as a Pod does: it takes no more connections, answers what was asked, and closes.
pub struct Pod {
    pub address: SocketAddr,
    state: Arc<PodState>,
}

#[derive(Default)]
struct PodState {
    stopped: AtomicBool,
    connections: Mutex<Vec<TcpStream>>,
}

impl Pod {
    pub fn start(address: SocketAddr, text: &'static str) -> Self {
        let listener = TcpListener::bind(address).expect("a free address");
        let state = Arc::<PodState>::default();
        let shared = state.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let mut connections = shared.connections.lock().expect("no thread panics");
                if shared.stopped.load(Ordering::Relaxed) {
                    return;
                }
                connections.push(stream.try_clone().expect("a descriptor"));
                std::thread::spawn(move || serve(stream, text));
            }
        });
        Self { address, state }
    }

    pub fn stop(&self) {
        let connections = self.state.connections.lock().expect("no thread panics");
        self.state.stopped.store(true, Ordering::Relaxed);
        // Whoever waits for a request sees the end of the stream; an answer is still written.
        connections.iter().for_each(|connection| drop(connection.shutdown(Shutdown::Read)));
        // Wakes the listener, so that it closes.
        drop(TcpStream::connect(self.address));
    }
}

/// An address of the loopback that refuses connections, and that nobody else gets until the test process ends.
pub fn refusing() -> SocketAddr {
    let socket = tokio::net::TcpSocket::new_v4().expect("a socket");
    socket.bind(SocketAddr::from(([127, 0, 0, 1], 0))).expect("a free port");
    let address = socket.local_addr().expect("a bound socket has an address");
    std::mem::forget(socket);
    address
}

fn serve(stream: TcpStream, text: &str) -> Option<()> {
    stream.set_nodelay(true).ok()?;
    let mut reader = BufReader::new(stream);
    loop {
        let mut head = String::new();
        loop {
            match reader.read_line(&mut head).ok()? {
                0 => return None,
                2 => break,
                _ => {}
            }
        }
        let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{text}", text.len());
        reader.get_mut().write_all(answer.as_bytes()).ok()?;
    }
}
