//! One side of a connection, as bytes.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream};

use super::within;

/// One side of a connection, as bytes.
pub struct Peer {
    pub stream: TcpStream,
    buffer: Vec<u8>,
}

/// A message as it came: its head with the empty line, and its body without the framing.
#[derive(Debug)]
pub struct Message {
    pub head: String,
    pub body: Vec<u8>,
    /// The trailer section, where the body was chunked.
    pub trailers: String,
}

impl Peer {
    pub async fn connect(addr: SocketAddr) -> Self {
        Self::new(within("connect", TcpStream::connect(addr)).await.unwrap())
    }

    /// A connection whose receive buffer is small, so that what is not read soon stops the sender.
    pub async fn connect_small(addr: SocketAddr) -> Self {
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_recv_buffer_size(16 * 1024).unwrap();
        Self::new(within("connect", socket.connect(addr)).await.unwrap())
    }

    pub fn new(stream: TcpStream) -> Self {
        Self { stream, buffer: Vec::new() }
    }

    pub async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        within("send", self.stream.write_all(bytes.as_ref())).await.unwrap();
    }

    /// Reads more; `false` at the end of the stream, be it clean or a reset.
    async fn fill(&mut self) -> bool {
        let read = within("bytes from the peer", self.stream.read_buf(&mut self.buffer)).await;
        matches!(read, Ok(read) if read > 0)
    }

    async fn until(&mut self, mark: &[u8]) -> Option<Vec<u8>> {
        loop {
            if let Some(at) = self.buffer.windows(mark.len()).position(|window| window == mark) {
                return Some(self.buffer.drain(..at + mark.len()).collect());
            }
            if !self.fill().await {
                return None;
            }
        }
    }

    /// The next head, or `None` when the peer closed first.
    pub async fn try_head(&mut self) -> Option<String> {
        self.until(b"\r\n\r\n").await.map(|head| String::from_utf8_lossy(&head).into_owned())
    }

    pub async fn head(&mut self) -> String {
        self.try_head().await.expect("a head, not the end")
    }

    pub async fn bytes(&mut self, len: usize) -> Vec<u8> {
        let bytes = self.try_bytes(len).await;
        bytes.unwrap_or_else(|| panic!("ended after {:?}", String::from_utf8_lossy(&self.buffer)))
    }

    /// So many bytes, or `None` when the peer closed first.
    pub async fn try_bytes(&mut self, len: usize) -> Option<Vec<u8>> {
        while self.buffer.len() < len {
            if !self.fill().await {
                return None;
            }
        }
        Some(self.buffer.drain(..len).collect())
    }

    /// Sends, unless the peer has closed.
    pub async fn try_send(&mut self, bytes: impl AsRef<[u8]>) -> bool {
        within("send", self.stream.write_all(bytes.as_ref())).await.is_ok()
    }

    /// Reads a message whose length is in its head; `None` when it ends early or never begins.
    pub async fn try_message(&mut self) -> Option<Message> {
        let head = self.try_head().await?;
        let mut message = Message { head, body: Vec::new(), trailers: String::new() };
        if message.field("transfer-encoding").as_deref() == Some("chunked") {
            loop {
                let line = String::from_utf8(self.until(b"\r\n").await?).unwrap();
                match usize::from_str_radix(line.trim(), 16).unwrap() {
                    0 => break,
                    len => {
                        while self.buffer.len() < len + 2 {
                            if !self.fill().await {
                                return None;
                            }
                        }
                        message.body.extend(self.buffer.drain(..len));
                        self.buffer.drain(..2);
                    }
                }
            }
            while let Some(line) = self.until(b"\r\n").await.filter(|line| line != b"\r\n") {
                message.trailers.push_str(std::str::from_utf8(&line).unwrap());
            }
        } else if let Some(len) = message.field("content-length") {
            let len: usize = len.parse().unwrap();
            while self.buffer.len() < len {
                if !self.fill().await {
                    return None;
                }
            }
            message.body.extend(self.buffer.drain(..len));
        }
        Some(message)
    }

    pub async fn message(&mut self) -> Message {
        self.try_message().await.expect("a whole message")
    }

    /// The next answer, without a 100 before it.
    pub async fn response(&mut self) -> Message {
        loop {
            let message = self.message().await;
            if message.status() != 100 {
                return message;
            }
        }
    }

    /// Everything up to the end of the stream.
    pub async fn rest(&mut self) -> Vec<u8> {
        while self.fill().await {}
        std::mem::take(&mut self.buffer)
    }

    /// Asserts that the peer closes, or resets, without another byte.
    pub async fn closed(&mut self) {
        let rest = self.rest().await;
        assert!(rest.is_empty(), "before the end came {:?}", String::from_utf8_lossy(&rest));
    }

    /// Asserts that nothing comes for some time, not even the end.
    pub async fn silent_for(&mut self, time: Duration) {
        let read = tokio::time::timeout(time, self.stream.read_buf(&mut self.buffer)).await;
        assert!(read.is_err(), "{read:?}: {:?}", String::from_utf8_lossy(&self.buffer));
    }

    /// Whether nothing more has come, now that everything on the other side is done.
    pub async fn no_more(&mut self) -> bool {
        let read = self.stream.try_read_buf(&mut self.buffer);
        self.buffer.is_empty() && !matches!(read, Ok(1..))
    }

    /// Closes with a reset instead of an orderly end.
    pub fn reset(self) {
        self.stream.set_zero_linger().unwrap();
    }
}

impl Message {
    pub fn status(&self) -> u16 {
        self.head[9..12].parse().unwrap()
    }

    /// A field's value; it must not stand there twice.
    pub fn field(&self, name: &str) -> Option<String> {
        let mut values = self.head.lines().skip(1).filter_map(|line| {
            let (field, value) = line.split_once(':')?;
            field.eq_ignore_ascii_case(name).then(|| value.trim().to_owned())
        });
        let value = values.next();
        assert!(values.next().is_none(), "{name} stands twice in {:?}", self.head);
        value
    }

    /// The lines of the head, sorted but for the first.
    pub fn lines(&self) -> Vec<&str> {
        let mut lines: Vec<_> = self.head.lines().filter(|line| !line.is_empty()).collect();
        lines[1..].sort_unstable();
        lines
    }

    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }
}

/// An endpoint whose bytes the test writes.
pub struct Upstream {
    pub addr: SocketAddr,
    listener: TcpListener,
}

impl Upstream {
    pub async fn bind() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        Self { addr: listener.local_addr().unwrap(), listener }
    }

    pub async fn accept(&self) -> Peer {
        Peer::new(within("a connection to the upstream", self.listener.accept()).await.unwrap().0)
    }

    /// Whether nobody has connected.
    pub async fn nobody(&self) -> bool {
        self.waiting().await.is_none()
    }

    /// The connection that is there already, if there is one.
    pub async fn waiting(&self) -> Option<Peer> {
        let accept = std::future::poll_fn(|cx| std::task::Poll::Ready(self.listener.poll_accept(cx)));
        match accept.await {
            std::task::Poll::Ready(accepted) => Some(Peer::new(accepted.unwrap().0)),
            std::task::Poll::Pending => None,
        }
    }

    /// Answers each connection's first request with these bytes and closes.
    pub fn always(self, answer: &'static [u8]) -> SocketAddr {
        let addr = self.addr;
        tokio::spawn(async move {
            loop {
                let mut peer = self.accept().await;
                tokio::spawn(async move {
                    if peer.try_message().await.is_some() {
                        peer.send(answer).await;
                    }
                });
            }
        });
        addr
    }
}

/// An address on which nobody listens; it stays taken, so that nobody else comes to listen there.
pub fn refusing() -> SocketAddr {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind(SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
    let addr = socket.local_addr().unwrap();
    std::mem::forget(socket);
    addr
}
