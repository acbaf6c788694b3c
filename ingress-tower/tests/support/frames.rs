//! HTTP/2 as frames, so that what is wrong can be written (RFC 9113 section 4).

use super::Peer;

pub(crate) const DATA: u8 = 0;
pub(crate) const HEADERS: u8 = 1;
pub(crate) const RST_STREAM: u8 = 3;
pub(crate) const SETTINGS: u8 = 4;
pub(crate) const PING: u8 = 6;
pub(crate) const GOAWAY: u8 = 7;
pub(crate) const WINDOW_UPDATE: u8 = 8;
pub(crate) const CONTINUATION: u8 = 9;

pub(crate) const END_STREAM: u8 = 1;
pub(crate) const END_HEADERS: u8 = 4;

/// What a server says about a stream, or about the connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Said {
    /// The first byte of the head of an answer, which is its status if that is 200 or another frequent one.
    Head(u8),
    /// RST_STREAM with an error code.
    Reset(u32),
    /// GOAWAY with an error code.
    GoAway(u32),
    /// The end of the connection.
    End,
}

/// `:status: 200` in the static table of HPACK (RFC 7541 appendix A).
pub(crate) const OK: Said = Said::Head(0x88);

pub(crate) fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

/// Fields as literals that are not indexed, without Huffman codes (RFC 7541 section 6.2.2).
pub(crate) fn fields(fields: &[(&str, &str)]) -> Vec<u8> {
    let text = |text: &str| {
        let mut bytes = match text.len() {
            short @ ..127 => vec![short as u8],
            long => {
                let (mut rest, mut bytes) = (long - 127, vec![127]);
                while rest >= 128 {
                    bytes.push((rest % 128 + 128) as u8);
                    rest /= 128;
                }
                bytes.push(rest as u8);
                bytes
            }
        };
        bytes.extend(text.as_bytes());
        bytes
    };
    fields.iter().flat_map(|(name, value)| [vec![0], text(name), text(value)].concat()).collect()
}

/// A connection whose preface is sent.
pub(crate) async fn connect(addr: std::net::SocketAddr) -> Peer {
    let mut peer = Peer::connect(addr).await;
    peer.send("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await;
    peer.send(frame(SETTINGS, 0, 0, &[])).await;
    peer
}

/// The next thing that is said about this stream or the connection.
pub(crate) async fn said(peer: &mut Peer, stream: u32) -> Said {
    loop {
        let Some((kind, flags, about, payload)) = next(peer).await else { return Said::End };
        let code = |at: usize| u32::from_be_bytes(payload[at..at + 4].try_into().unwrap());
        match kind {
            HEADERS if about == stream => return Said::Head(payload[0]),
            RST_STREAM if about == stream => return Said::Reset(code(0)),
            GOAWAY => return Said::GoAway(code(4)),
            SETTINGS if flags & 1 == 0 => drop(peer.try_send(frame(SETTINGS, 1, 0, &[])).await),
            _ => {}
        }
    }
}

pub(crate) async fn next(peer: &mut Peer) -> Option<(u8, u8, u32, Vec<u8>)> {
    let head = peer.try_bytes(9).await?;
    let length = u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize;
    let payload = peer.try_bytes(length).await?;
    let stream = u32::from_be_bytes(head[5..9].try_into().unwrap());
    Some((head[3], head[4], stream, payload))
}
