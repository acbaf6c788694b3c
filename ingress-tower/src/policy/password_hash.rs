//! Whether a password is the one that was hashed.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use ingress_core::{PasswordHash, PasswordScheme};
use md5::Md5;
use sha_crypt::Params;
use sha1::{Digest, Sha1};
use subtle::ConstantTimeEq;

/// The digits of `crypt`, the least significant first.
const DIGITS: &[u8; 64] = b"./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// Whether the password is the one. This takes as long as the hash says: up to a second.
pub(super) fn verify(hash: &PasswordHash, password: &[u8]) -> bool {
    let (found, want) = match hash.scheme() {
        PasswordScheme::Bcrypt => return bcrypt::verify(password, hash.as_str()).unwrap_or(false),
        PasswordScheme::Sha1 => {
            let mut found = String::from("{SHA}");
            BASE64_STANDARD.encode_string(Sha1::digest(password), &mut found);
            (found, hash.as_str())
        }
        scheme => {
            let Some((rounds, salt, want)) = hash.crypt() else { return false };
            let found = match scheme {
                PasswordScheme::Apr1 => Some(apr1(password, salt.as_bytes())),
                PasswordScheme::Sha256Crypt => Params::new(rounds)
                    .ok()
                    .map(|rounds| sha256_text(&sha_crypt::sha256_crypt(password, salt.as_bytes(), rounds))),
                PasswordScheme::Sha512Crypt => Params::new(rounds)
                    .ok()
                    .map(|rounds| sha512_text(&sha_crypt::sha512_crypt(password, salt.as_bytes(), rounds))),
                _ => None,
            };
            let Some(found) = found else { return false };
            (found, want)
        }
    };
    found.as_bytes().ct_eq(want.as_bytes()).into()
}

/// A thousand rounds of MD5, as Apache made them of those of FreeBSD.
fn apr1(password: &[u8], salt: &[u8]) -> String {
    let inner = Md5::new().chain_update(password).chain_update(salt).chain_update(password).finalize();
    let mut outer = Md5::new().chain_update(password).chain_update(b"$apr1$").chain_update(salt);
    for chunk in password.chunks(inner.len()) {
        outer.update(&inner[..chunk.len()]);
    }
    let mut bits = password.len();
    while bits > 0 {
        outer.update(if bits & 1 == 1 { b"\0" } else { password.get(..1).unwrap_or_default() });
        bits >>= 1;
    }
    let mut sum = outer.finalize();
    for round in 0..1000 {
        let mut next = Md5::new();
        let odd = round % 2 == 1;
        next.update(if odd { password } else { &sum[..] });
        if round % 3 != 0 {
            next.update(salt);
        }
        if round % 7 != 0 {
            next.update(password);
        }
        next.update(if odd { &sum[..] } else { password });
        sum = next.finalize();
    }
    let sum: [u8; 16] = sum.into();
    let mut text = String::with_capacity(22);
    for at in 0..5 {
        let last = if at == 4 { 5 } else { at + 12 };
        push(&mut text, [sum[at], sum[at + 6], sum[last]], 4);
    }
    push(&mut text, [0, 0, sum[11]], 2);
    text
}

fn sha256_text(sum: &[u8; 32]) -> String {
    let mut text = String::with_capacity(43);
    for at in 0..10 {
        let mut bytes = [sum[at], sum[at + 10], sum[at + 20]];
        bytes.rotate_right(at % 3);
        push(&mut text, bytes, 4);
    }
    push(&mut text, [0, sum[31], sum[30]], 3);
    text
}

fn sha512_text(sum: &[u8; 64]) -> String {
    let mut text = String::with_capacity(86);
    for at in 0..21 {
        let mut bytes = [sum[at], sum[at + 21], sum[at + 42]];
        bytes.rotate_left(at % 3);
        push(&mut text, bytes, 4);
    }
    push(&mut text, [0, 0, sum[63]], 2);
    text
}

/// So many digits of three bytes.
fn push(text: &mut String, [high, middle, low]: [u8; 3], digits: usize) {
    let mut bits = u32::from_be_bytes([0, high, middle, low]);
    for _ in 0..digits {
        text.push(DIGITS[bits as usize % DIGITS.len()].into());
        bits /= DIGITS.len() as u32;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Made with `openssl passwd` and the C library's `crypt`.
    const VECTORS: [(&str, &str); 14] = [
        ("pw", "$apr1$salt$dIQSC7CZVMfwYUarWFsjy0"),
        ("hunter2", "$apr1$abcdefgh$ckT15POyCRlen.h6XtGAZ1"),
        ("x", "$apr1$Zz./$Oc9ww.cnBmz27wdliFbd70"),
        (LONG, "$apr1$pepper$q6UYSPzvYoSzy1BHTsBkp1"),
        ("pw", "$5$salt$Oo0nc86Ktkc05wTAggFOZIQJhfxhAZY1mlIogZJN.i."),
        ("hunter2", "$5$abcdefgh$XEPmEiAJvPG31m/DaIsyckkv.Sxd.8NrmElXxCKFQr/"),
        ("x", "$5$rounds=12345$pepper$PkPIZAuPmP4OlwjC/rAH7VF66KTUVBwZQOgpSx8EAv/"),
        (
            "hunter2",
            "$6$abcdefgh$M/eYsB4rVXAm3ZNc88J.UD9rCKAT6FB1rahiwJCHtEndQNORCub5qhjxn50qbqVVthkM.9HpEwtf0t.iV9uH0/",
        ),
        (
            LONG,
            "$6$pepper$xzdp7ZuqSUEJ1NwlcacDMWl.4FQ5W7.zoBuRjvsOLV7StyMp/.IIa0MiYJ3XYB1kYBM96kJrhQPMJOjTY0Ldi.",
        ),
        (
            "x",
            "$6$rounds=1000$sixteencharslong$HO89WkatJA0x/0PHIwIir4Cu9prrifLqfHgdLjwxQcxTLv17qOwqLtc3PNEYlZUF9xP8T36/P0eldXXMvU1aX/",
        ),
        ("secret", "$2b$05$abcdefghijklmnopqrstuuOQiyCxlgf/oeuTqixKmWdcYUh4Hjl0a"),
        ("secret", "$2y$05$abcdefghijklmnopqrstuuOQiyCxlgf/oeuTqixKmWdcYUh4Hjl0a"),
        ("secret", "$2a$05$abcdefghijklmnopqrstuuOQiyCxlgf/oeuTqixKmWdcYUh4Hjl0a"),
        ("secret", "{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ="),
    ];
    const LONG: &str = "a password of more than sixteen bytes, ünd UTF-8";

    #[test]
    fn known_hashes() {
        for (password, text) in VECTORS {
            let hash = text.parse().unwrap();
            assert!(verify(&hash, password.as_bytes()), "{text}");
            let others = ["", "PW", "secret ", "hunter", &format!("{password}x"), &format!("{password}\0")];
            for other in others {
                assert!(!verify(&hash, other.as_bytes()), "{text} {other:?}");
            }
        }
    }

    #[test]
    fn hashes_of_nothing() {
        // As above, of an empty password.
        for text in
            ["$apr1$salt$AnXM5PAEa9T4ruYbwPoUh/", "$5$salt$HrcUzzoef72uxM/YhTU5BAi419Fblqlq//zyM.rIOG0"]
        {
            assert!(verify(&text.parse().unwrap(), b""), "{text}");
        }
    }
}
