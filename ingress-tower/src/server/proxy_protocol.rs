//! The PROXY protocol, by which load balancers that pass bytes on say from whom they are
//! (<https://www.haproxy.org/download/3.2/doc/proxy-protocol.txt>).

use std::io;
use std::net::SocketAddr;

use ppp::v2::{self, Addresses};
use ppp::{HeaderResult, v1};
use tokio::io::{AsyncRead, AsyncReadExt};

/// What every header of version 2 begins with.
const SIGNATURE: &[u8; 12] = b"\r\n\r\n\0\r\nQUIT\n";
/// The longest line of version 1, its end included (section 2.1).
const MAX_LINE: usize = 107;

/// Who connected to whom, or nothing where the load balancer speaks for itself.
pub(super) type Origin = Option<(SocketAddr, SocketAddr)>;

/// Reads the header and not a byte more.
///
/// # Errors
///
/// Those of the stream, and `InvalidData` for what is no header of version 1 or 2.
pub(super) async fn read(stream: &mut (impl AsyncRead + Unpin)) -> io::Result<Origin> {
    let mut header = vec![0; SIGNATURE.len()];
    stream.read_exact(&mut header).await?;
    if header == SIGNATURE {
        header.resize(16, 0);
        stream.read_exact(&mut header[12..]).await?;
        let length = usize::from(u16::from_be_bytes([header[14], header[15]]));
        header.resize(16 + length, 0);
        stream.read_exact(&mut header[16..]).await?;
    } else {
        while !header.ends_with(b"\r\n") {
            if header.len() == MAX_LINE || !header.starts_with(b"PROXY ") {
                return Err(no_header());
            }
            header.push(stream.read_u8().await?);
        }
    }
    origin(&header)
}

fn origin(header: &[u8]) -> io::Result<Origin> {
    let addresses = match HeaderResult::parse(header) {
        HeaderResult::V1(Ok(header)) => match header.addresses {
            v1::Addresses::Unknown => Addresses::Unspecified,
            v1::Addresses::Tcp4(tcp) => Addresses::IPv4(tcp),
            v1::Addresses::Tcp6(tcp) => Addresses::IPv6(tcp),
        },
        HeaderResult::V2(Ok(header)) if header.command == v2::Command::Local => Addresses::Unspecified,
        HeaderResult::V2(Ok(header)) => header.addresses,
        HeaderResult::V1(Err(_)) | HeaderResult::V2(Err(_)) => return Err(no_header()),
    };
    Ok(match addresses {
        Addresses::IPv4(tcp) => Some((
            (tcp.source_address, tcp.source_port).into(),
            (tcp.destination_address, tcp.destination_port).into(),
        )),
        Addresses::IPv6(tcp) => Some((
            (tcp.source_address, tcp.source_port).into(),
            (tcp.destination_address, tcp.destination_port).into(),
        )),
        Addresses::Unspecified | Addresses::Unix(_) => None,
    })
}

fn no_header() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "the load balancer does not say from whom the connection is")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn version2(command: u8, family: u8, addresses: &[u8]) -> Vec<u8> {
        let length = u16::try_from(addresses.len()).unwrap().to_be_bytes();
        [&SIGNATURE[..], &[0x20 | command, family], &length, addresses].concat()
    }

    #[tokio::test]
    async fn headers() {
        let v4 = [192, 0, 2, 1, 192, 0, 2, 9, 0x10, 0x00, 0x00, 0x50];
        let v6 = [[0x20; 16].as_slice(), &[0x30; 16], &[0x10, 0x00, 0x00, 0x50]].concat();
        let with_more = [&v4[..], &[0x04, 0x00, 0x01, 0xff]].concat();
        let four = Some("192.0.2.1:4096 192.0.2.9:80");
        let six =
            "[2020:2020:2020:2020:2020:2020:2020:2020]:4096 [3030:3030:3030:3030:3030:3030:3030:3030]:80";
        let table: [(Vec<u8>, Option<Option<&str>>); 15] = [
            (b"PROXY TCP4 192.0.2.1 192.0.2.9 4096 80\r\n".into(), Some(four)),
            (
                b"PROXY TCP6 2001:db8::1 2001:db8::9 4096 80\r\n".into(),
                Some(Some("[2001:db8::1]:4096 [2001:db8::9]:80")),
            ),
            (b"PROXY UNKNOWN\r\n".into(), Some(None)),
            (b"PROXY UNKNOWN ffff::1 ffff::2 1 2\r\n".into(), Some(None)),
            (version2(1, 0x11, &v4), Some(four)),
            (version2(1, 0x11, &with_more), Some(four)),
            (version2(1, 0x21, &v6), Some(Some(six))),
            (version2(0, 0x00, &[]), Some(None)),
            (version2(1, 0x00, &[]), Some(None)),
            (b"PROXY TCP4 192.0.2.1 192.0.2.9 4096\r\n".into(), None),
            (b"PROXY TCP4 192.0.2.1 2001:db8::9 4096 80\r\n".into(), None),
            ([b"PROXY TCP4 ".as_slice(), &[b'1'; 200]].concat(), None),
            (b"GET / HTTP/1.1\r\n\r\n".into(), None),
            (version2(1, 0x11, &v4[..8]), None),
            (version2(7, 0x11, &v4), None),
        ];
        for (header, want) in table {
            let what = String::from_utf8_lossy(&header).into_owned();
            let mut stream = io::Cursor::new([&header[..], b"rest"].concat());
            let read = read(&mut stream).await;
            let said = |origin: Origin| origin.map(|(client, local)| format!("{client} {local}"));
            assert_eq!(
                read.as_ref().ok().map(|&origin| said(origin)),
                want.map(|want| want.map(str::to_owned)),
                "{what:?}"
            );
            if read.is_ok() {
                assert_eq!(stream.position(), header.len() as u64, "{what:?}");
            }
        }
    }
}
