//! A server that can be told to misbehave.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use http::{Request, Response};
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpSocket};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::{TestBody, full};

/// How it behaves.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Mood {
    /// It answers 200 at once.
    Well,
    /// It answers 200 after so long.
    Slow(Duration),
    /// It answers with this status at once.
    Failing(u16),
    /// It accepts connections and requests, and says nothing.
    Frozen,
    /// It closes each connection on the first request.
    Resetting,
}

/// An HTTP/1.1 server whose answers name it in `x-upstream`.
pub struct Moody {
    pub addr: SocketAddr,
    mood: watch::Sender<Mood>,
    requests: Arc<AtomicUsize>,
    listening: Mutex<Option<JoinHandle<()>>>,
    name: &'static str,
}

impl Moody {
    pub async fn start(name: &'static str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        let server = Self {
            addr,
            mood: watch::channel(Mood::Well).0,
            requests: Arc::default(),
            listening: Mutex::default(),
            name,
        };
        server.listen(listener);
        server
    }

    pub fn set(&self, mood: Mood) {
        self.mood.send_replace(mood);
    }

    /// The number of requests that came so far.
    pub fn requests(&self) -> usize {
        self.requests.load(SeqCst)
    }

    /// Ends as a process does that is killed: nobody listens, and connections are closed in the middle of requests.
    pub fn kill(&self) {
        if let Some(listening) = self.listening.lock().unwrap().take() {
            listening.abort();
        }
    }

    /// Listens again, at the same address.
    pub fn revive(&self) {
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_reuseaddr(true).unwrap();
        socket.bind(self.addr).unwrap();
        self.listen(socket.listen(64).unwrap());
    }

    fn listen(&self, listener: TcpListener) {
        let (mood, requests, name) = (self.mood.subscribe(), self.requests.clone(), self.name);
        let accept = async move {
            let mut connections = tokio::task::JoinSet::new();
            loop {
                let Ok((stream, _)) = listener.accept().await else { return };
                stream.set_nodelay(true).unwrap();
                let (mood, requests) = (mood.clone(), requests.clone());
                let service = hyper::service::service_fn(move |_: Request<Incoming>| {
                    requests.fetch_add(1, SeqCst);
                    answer(*mood.borrow(), name)
                });
                let connection = hyper::server::conn::http1::Builder::new()
                    .serve_connection(TokioIo::new(stream), service);
                connections.spawn(async move { drop(connection.await) });
            }
        };
        *self.listening.lock().unwrap() = Some(tokio::spawn(accept));
    }
}

async fn answer(mood: Mood, name: &'static str) -> Result<Response<TestBody>, std::io::Error> {
    let status = match mood {
        Mood::Well => 200,
        Mood::Slow(time) => {
            tokio::time::sleep(time).await;
            200
        }
        Mood::Failing(status) => status,
        Mood::Frozen => std::future::pending().await,
        Mood::Resetting => return Err(std::io::Error::other("a bad mood")),
    };
    let response = Response::builder().status(status).header("x-upstream", name);
    Ok(response.body(full(name)).unwrap())
}
