//! A client that sends exactly what a test says.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};

use super::PATIENCE;

/// What came back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    pub status: u16,
    /// The head after the status line, in lower case.
    pub head: String,
    pub body: String,
}

/// A connection on which requests follow each other.
pub struct Connection {
    reader: BufReader<TcpStream>,
}

/// One GET on a connection of its own.
pub fn get(address: SocketAddr, host: &str, path: &str) -> Answer {
    try_get(address, host, path).unwrap_or_else(|error| panic!("GET {host}{path}: {error}"))
}

/// The same where it may fail.
pub fn try_get(address: SocketAddr, host: &str, path: &str) -> std::io::Result<Answer> {
    Connection::open(address)?.get(host, path)
}

impl Connection {
    pub fn open(address: SocketAddr) -> std::io::Result<Self> {
        let stream = TcpStream::connect_timeout(&address, PATIENCE)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_nodelay(true)?;
        Ok(Self { reader: BufReader::new(stream) })
    }

    pub fn get(&mut self, host: &str, path: &str) -> std::io::Result<Answer> {
        self.send(&format!("GET {path} HTTP/1.1\r\nHost: {host}\r\n\r\n"))?;
        self.answer()
    }

    pub fn send(&mut self, bytes: &str) -> std::io::Result<()> {
        self.reader.get_mut().write_all(bytes.as_bytes())
    }

    /// Reads one response; its length must be given.
    pub fn answer(&mut self) -> std::io::Result<Answer> {
        self.read(true)
    }

    /// Reads the response to a HEAD request: a length, and nothing that long.
    pub fn answer_to_head(&mut self) -> std::io::Result<Answer> {
        self.read(false)
    }

    fn read(&mut self, has_body: bool) -> std::io::Result<Answer> {
        let invalid = |what: &str| std::io::Error::other(what.to_owned());
        let mut line = String::new();
        if self.reader.read_line(&mut line)? == 0 {
            return Err(invalid("the connection was closed"));
        }
        let status = line.split(' ').nth(1).and_then(|status| status.parse().ok());
        let mut head = String::new();
        while self.reader.read_line(&mut head)? > 2 {}
        let head = head.to_ascii_lowercase();
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")?.trim().parse().ok());
        let length: usize = length.ok_or_else(|| invalid("no content-length"))?;
        let mut body = vec![0; if has_body { length } else { 0 }];
        self.reader.read_exact(&mut body)?;
        let body = String::from_utf8_lossy(&body).into_owned();
        Ok(Answer { status: status.ok_or_else(|| invalid("no status"))?, head, body })
    }
}
