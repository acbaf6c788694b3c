//! What a certificate says of a client, as endpoints are told it.

use std::fmt::Write;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderMap, HeaderName, HeaderValue};
use rustls::SupportedCipherSuite;
use rustls::crypto::ring::cipher_suite::TLS13_AES_128_GCM_SHA256;
use rustls_pki_types::CertificateDer;
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::GeneralName;
use x509_parser::x509::{AttributeTypeAndValue, X509Name};

const CLIENT_CERT: HeaderName = HeaderName::from_static("client-cert");
const SUBJECT: HeaderName = HeaderName::from_static("x-client-cert-subject");
const SAN: HeaderName = HeaderName::from_static("x-client-cert-san");
const FINGERPRINT: HeaderName = HeaderName::from_static("x-client-cert-fingerprint");

/// The longest text that is told; one that is longer is left out, for half of it would say something else.
const MAX_TEXT: usize = 4096;

/// The names of RFC 4514 section 3 and of RFC 4519, by their object identifiers. Others are told by the number.
const NAMES: [(&str, &str); 10] = [
    ("2.5.4.3", "CN"),
    ("2.5.4.7", "L"),
    ("2.5.4.8", "ST"),
    ("2.5.4.10", "O"),
    ("2.5.4.11", "OU"),
    ("2.5.4.6", "C"),
    ("2.5.4.9", "STREET"),
    ("2.5.4.5", "serialNumber"),
    ("0.9.2342.19200300.100.1.25", "DC"),
    ("0.9.2342.19200300.100.1.1", "UID"),
];

/// Fields of a request.
#[derive(Debug)]
pub(super) struct Identity {
    certificate: Option<HeaderValue>,
    subject: Option<HeaderValue>,
    san: Option<HeaderValue>,
    fingerprint: Option<HeaderValue>,
}

impl Identity {
    pub(super) fn of(certificate: &CertificateDer<'_>) -> Self {
        let value = |text: String| HeaderValue::try_from(text).ok();
        let short = |text: String| value(text).filter(|text| !text.is_empty() && text.len() <= MAX_TEXT);
        let parsed = x509_parser::parse_x509_certificate(certificate).ok().map(|(_, parsed)| parsed);
        Self {
            // A byte sequence of RFC 8941, as RFC 9440 section 2.2 has it.
            certificate: value(format!(":{}:", STANDARD.encode(certificate))),
            subject: parsed.as_ref().and_then(|parsed| subject(parsed.subject())).and_then(short),
            san: parsed.as_ref().map(alternatives).and_then(short),
            fingerprint: fingerprint(certificate).and_then(value),
        }
    }

    pub(super) fn write(&self, headers: &mut HeaderMap) {
        for (name, value) in [
            (CLIENT_CERT, &self.certificate),
            (SUBJECT, &self.subject),
            (SAN, &self.san),
            (FINGERPRINT, &self.fingerprint),
        ] {
            if let Some(value) = value {
                headers.insert(name, value.clone());
            }
        }
    }
}

/// The SHA-256 of the certificate, in hexadecimal digits.
fn fingerprint(certificate: &[u8]) -> Option<String> {
    let SupportedCipherSuite::Tls13(suite) = TLS13_AES_128_GCM_SHA256 else { return None };
    let mut text = String::with_capacity(64);
    for byte in suite.common.hash_provider.hash(certificate).as_ref() {
        let _ = write!(text, "{byte:02x}");
    }
    Some(text)
}

/// As RFC 4514 has it, in ASCII: the last part of the name first.
fn subject(name: &X509Name<'_>) -> Option<String> {
    let mut text = String::new();
    let parts: Vec<_> = name.iter_rdn().collect();
    for (index, part) in parts.into_iter().rev().enumerate() {
        if index > 0 {
            text.push(',');
        }
        for (index, attribute) in part.iter().enumerate() {
            if index > 0 {
                text.push('+');
            }
            push_attribute(&mut text, attribute)?;
        }
    }
    Some(text)
}

fn push_attribute(text: &mut String, attribute: &AttributeTypeAndValue<'_>) -> Option<()> {
    let id = attribute.attr_type().to_id_string();
    text.push_str(NAMES.iter().find(|(known, _)| *known == id).map_or(&id, |(_, name)| name));
    text.push('=');
    match attribute.as_str() {
        Ok(value) => push_escaped(text, value),
        // What is no text is told as it is encoded (section 2.4).
        Err(_) => {
            let value = attribute.attr_value();
            let tag = u8::try_from(value.tag().0).ok().filter(|tag| *tag < 31)?;
            let length = u8::try_from(value.data.len()).ok().filter(|length| *length < 128)?;
            text.push('#');
            for byte in [tag, length].iter().chain(value.data) {
                let _ = write!(text, "{byte:02X}");
            }
        }
    }
    Some(())
}

/// Section 2.4: what means something is escaped, and here also what is not ASCII, so that it can stand in a field.
fn push_escaped(text: &mut String, value: &str) {
    let last = value.len().saturating_sub(1);
    for (index, byte) in value.bytes().enumerate() {
        match byte {
            b'"' | b'+' | b',' | b';' | b'<' | b'>' | b'\\' | b'=' => {
                text.push('\\');
                text.push(char::from(byte));
            }
            b'#' if index == 0 => text.push_str("\\#"),
            b' ' if index == 0 || index == last => text.push_str("\\ "),
            b' '..=b'~' => text.push(char::from(byte)),
            _ => _ = write!(text, "\\{byte:02X}"),
        }
    }
}

/// Its other names, such as `DNS:a.example, URI:spiffe://a/b, email:a@a.example, IP:192.0.2.1`. What would part them, and
/// what is not ASCII, is percent-encoded.
fn alternatives(certificate: &X509Certificate<'_>) -> String {
    let names = certificate.subject_alternative_name().ok().flatten();
    let mut text = String::new();
    for name in names.iter().flat_map(|names| &names.value.general_names) {
        let (kind, name) = match name {
            GeneralName::DNSName(name) => ("DNS", (*name).to_owned()),
            GeneralName::URI(uri) => ("URI", (*uri).to_owned()),
            GeneralName::RFC822Name(address) => ("email", (*address).to_owned()),
            GeneralName::IPAddress(bytes) => match address(bytes) {
                Some(address) => ("IP", address),
                None => continue,
            },
            _ => continue,
        };
        if !text.is_empty() {
            text.push_str(", ");
        }
        text.push_str(kind);
        text.push(':');
        for byte in name.bytes() {
            match byte {
                b',' => text.push_str("%2C"),
                b'!'..=b'~' => text.push(char::from(byte)),
                _ => _ = write!(text, "%{byte:02X}"),
            }
        }
    }
    text
}

fn address(bytes: &[u8]) -> Option<String> {
    let four = <[u8; 4]>::try_from(bytes).map(|bytes| std::net::IpAddr::from(bytes).to_string());
    let sixteen = || <[u8; 16]>::try_from(bytes).map(|bytes| std::net::IpAddr::from(bytes).to_string());
    four.or_else(|_| sixteen()).ok()
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, DistinguishedName, DnType, DnValue, KeyPair, SanType};

    use super::*;

    fn fields(subject: &[(DnType, &str)], names: Vec<SanType>) -> HeaderMap {
        let mut params = CertificateParams::new([]).unwrap();
        params.distinguished_name = DistinguishedName::new();
        for (kind, value) in subject {
            params.distinguished_name.push(kind.clone(), DnValue::Utf8String((*value).to_owned()));
        }
        params.subject_alt_names = names;
        let certificate = params.self_signed(&KeyPair::generate().unwrap()).unwrap();
        let mut headers = HeaderMap::new();
        Identity::of(certificate.der()).write(&mut headers);
        assert_eq!(headers["client-cert"].as_bytes().first(), Some(&b':'));
        assert_eq!(headers["x-client-cert-fingerprint"].len(), 64);
        headers
    }

    fn text<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
        headers.get(name).map(|value| value.to_str().unwrap())
    }

    #[test]
    fn subjects_are_texts_of_rfc_4514() {
        let custom = DnType::CustomDnType(vec![1, 2, 3, 4]);
        for (subject, want) in [
            (&[(DnType::OrganizationName, "Shop"), (DnType::CommonName, "ann")][..], "CN=ann,O=Shop"),
            (&[(DnType::CommonName, "a,b+c=\"d\"<e>;\\")], "CN=a\\,b\\+c\\=\\\"d\\\"\\<e\\>\\;\\\\"),
            (&[(DnType::CommonName, "#x ")], "CN=\\#x\\ "),
            (&[(DnType::CommonName, " x")], "CN=\\ x"),
            (&[(DnType::CommonName, "J\u{fc}rg\r\nX-Admin: 1")], "CN=J\\C3\\BCrg\\0D\\0AX-Admin: 1"),
            (&[(custom, "x")], "1.2.3.4=x"),
        ] {
            assert_eq!(text(&fields(subject, vec![]), "x-client-cert-subject"), Some(want));
        }
        let long = "x".repeat(MAX_TEXT);
        for none in [&[][..], &[(DnType::CommonName, &*long)]] {
            assert_eq!(text(&fields(none, vec![]), "x-client-cert-subject"), None);
        }
    }

    #[test]
    fn other_names_cannot_be_mistaken_for_several() {
        let names = vec![
            SanType::DnsName("a.example".try_into().unwrap()),
            SanType::URI("spiffe://a/b, DNS:admin".try_into().unwrap()),
            SanType::Rfc822Name("ann@a.example".try_into().unwrap()),
            SanType::IpAddress([192, 0, 2, 1].into()),
            SanType::IpAddress("2001:db8::1".parse().unwrap()),
        ];
        let want = "DNS:a.example, URI:spiffe://a/b%2C%20DNS:admin, email:ann@a.example, IP:192.0.2.1, IP:2001:db8::1";
        assert_eq!(text(&fields(&[], names), "x-client-cert-san"), Some(want));
        assert_eq!(text(&fields(&[], vec![]), "x-client-cert-san"), None);
    }

    #[test]
    fn fingerprints_are_sha_256() {
        // RFC 6234 section 8.5, TEST1.
        let want = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(fingerprint(b"abc").as_deref(), Some(want));
    }
}
