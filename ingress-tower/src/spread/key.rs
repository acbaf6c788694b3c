//! What a request hashes to.

use std::net::IpAddr;

use http::HeaderMap;
use http::header::COOKIE;
use ingress_core::{HashKey, Policy, hash_key};

use super::Asked;

/// The hash of the part of a request that its policy names; nothing where the request has no such part, or endpoints are
/// not chosen by any.
pub(super) fn of(policy: &Policy, asked: Asked<'_>) -> Option<u64> {
    let Asked { parts, host, path, client } = asked;
    match policy.key()? {
        HashKey::SourceAddress => client.map(of_address),
        HashKey::Host => Some(hash_key(host.as_str().as_bytes())),
        HashKey::Path => Some(hash_key(path.as_str().as_bytes())),
        HashKey::Header(name) => parts.headers.get(&**name).map(|value| hash_key(value.as_bytes())),
        HashKey::Cookie(name) => cookies(&parts.headers, name).next().map(hash_key),
        HashKey::Query(name) => parameter(parts.uri.query()?, name).map(|value| hash_key(value.as_bytes())),
        _ => None,
    }
}

fn of_address(client: IpAddr) -> u64 {
    match client.to_canonical() {
        IpAddr::V4(address) => hash_key(&address.octets()),
        IpAddr::V6(address) => hash_key(&address.octets()),
    }
}

/// The same for a connection that is not decrypted, whose client asks for this name.
#[cfg(feature = "tls")]
pub(crate) fn of_connection(policy: &Policy, client: IpAddr, server_name: &str) -> Option<u64> {
    match policy.key()? {
        HashKey::SourceAddress => Some(of_address(client)),
        HashKey::Host => Some(hash_key(server_name.to_ascii_lowercase().as_bytes())),
        _ => None,
    }
}

/// The values of the cookies with a name (RFC 6265 section 4.2.1), in all fields, whatever bytes are in them. White space
/// around a name or a value is no part of it, as servers read it (section 5.2).
pub(crate) fn cookies<'h>(headers: &'h HeaderMap, name: &str) -> impl Iterator<Item = &'h [u8]> {
    let pairs = headers.get_all(COOKIE).iter().flat_map(|line| line.as_bytes().split(|&byte| byte == b';'));
    pairs.filter_map(move |pair| {
        let value = pair.trim_ascii_start().strip_prefix(name.as_bytes())?;
        Some(value.trim_ascii_start().strip_prefix(b"=")?.trim_ascii())
    })
}

fn parameter<'q>(query: &'q str, name: &str) -> Option<&'q str> {
    query.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='))
}

#[cfg(test)]
mod tests {
    use http::Request;
    use ingress_core::{Algorithm, RequestHost, RequestPath};

    use super::*;

    type Row<'r> = (HashKey, Option<&'r str>, Option<&'r [u8]>);

    fn key(hash_key: HashKey, client: Option<&str>, request: &Request<()>) -> Option<u64> {
        let mut policy = Policy::default();
        (policy.load_balance, policy.hash_key) = (Some(Algorithm::Maglev), Some(hash_key));
        let (parts, ()) = request.clone().into_parts();
        let (host, path) = (RequestHost::parse("shop.example"), RequestPath::parse(parts.uri.path()));
        let asked = Asked {
            parts: &parts,
            host: &host.unwrap(),
            path: &path.unwrap(),
            client: client.map(|client| client.parse().unwrap()),
        };
        of(&policy, asked)
    }

    #[test]
    fn each_part_tells_requests_apart() {
        let request = Request::builder()
            .uri("/cart/a?user=7&name=x&user=8")
            .header("x-user", "Jane")
            .header("x-user", "Joe")
            .header("cookie", "a=1; session=abc ;b=2; spaced \t= x y ")
            .header("cookie", "session=def")
            .body(())
            .unwrap();
        let v4 = [198, 51, 100, 7];
        let table: [Row<'_>; 13] = [
            (HashKey::SourceAddress, Some("198.51.100.7"), Some(&v4)),
            (HashKey::SourceAddress, Some("::ffff:198.51.100.7"), Some(&v4)),
            (HashKey::SourceAddress, None, None),
            (HashKey::Host, None, Some(b"shop.example")),
            (HashKey::Path, None, Some(b"/cart/a")),
            (HashKey::Header("x-user".into()), None, Some(b"Jane")),
            (HashKey::Header("x-other".into()), None, None),
            (HashKey::Cookie("session".into()), None, Some(b"abc")),
            (HashKey::Cookie("ession".into()), None, None),
            (HashKey::Cookie("spaced".into()), None, Some(b"x y")),
            (HashKey::Query("user".into()), None, Some(b"7")),
            (HashKey::Query("name".into()), None, Some(b"x")),
            (HashKey::Query("use".into()), None, None),
        ];
        for (part, client, want) in table {
            assert_eq!(key(part.clone(), client, &request), want.map(hash_key), "{part:?}");
        }
    }
}
