//! Keys by which tokens are checked (RFC 7517, RFC 7518 section 6, RFC 8037).

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use ingress_core::{Jwt, JwtKeySet};
use ring::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P384_SHA384_FIXED, ED25519, RSA_PKCS1_2048_8192_SHA256,
    RSA_PKCS1_2048_8192_SHA384, RSA_PKCS1_2048_8192_SHA512, RSA_PSS_2048_8192_SHA256,
    RSA_PSS_2048_8192_SHA384, RSA_PSS_2048_8192_SHA512, RsaParameters, RsaPublicKeyComponents,
    UnparsedPublicKey,
};
use serde_json::Value;

use crate::lasting::Lasting;

/// How many keys are tried for one token.
const TRIALS: usize = 4;

/// The keys of a set that can be used.
#[derive(Debug)]
pub(crate) struct KeySet(Vec<Key>);

/// What was made of each text that keys are in.
pub(crate) type KeySets = Lasting<JwtKeySet, Result<KeySet, KeySetError>>;

/// Why a text is no set of keys.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum KeySetError {
    #[error("the key set has more than {} bytes", Jwt::MAX_KEYS_LEN)]
    Size,
    #[error("the key set is no JSON object with a list of keys")]
    Form,
    #[error("the key set has more than {} keys that can be used", Jwt::MAX_KEYS)]
    Count,
    #[error(
        "the key set has no key that can be used: RSA of 2048 to 4096 bits, P-256, P-384 or Ed25519, for signatures"
    )]
    Empty,
}

/// What is known of a signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Signed {
    Well,
    /// By none of the keys that it may be by.
    Badly,
    /// The key that the token names is not there.
    Unknown,
}

#[derive(Debug)]
struct Key {
    id: Option<Box<str>>,
    /// The only algorithm it is for, where it says so.
    algorithm: Option<Box<str>>,
    material: Material,
}

#[derive(Debug)]
enum Material {
    Rsa(RsaPublicKeyComponents<Vec<u8>>),
    P256(Vec<u8>),
    P384(Vec<u8>),
    Ed25519(Vec<u8>),
}

/// Says what is wrong with a JSON Web Key Set (RFC 7517) by which tokens are to be checked, if anything is: none of its keys
/// can be used, or there are too many.
pub fn check_key_set(json: &[u8]) -> Result<(), crate::BoxError> {
    Ok(KeySet::parse(json).map(drop)?)
}

impl KeySet {
    pub(super) fn parse(json: &[u8]) -> Result<Self, KeySetError> {
        if json.len() > Jwt::MAX_KEYS_LEN {
            return Err(KeySetError::Size);
        }
        let set: Value = serde_json::from_slice(json).map_err(|_| KeySetError::Form)?;
        let keys = set.get("keys").and_then(Value::as_array).ok_or(KeySetError::Form)?;
        // "Implementations SHOULD ignore JWKs within a JWK Set that use [types] that are not understood" (RFC 7517
        // section 5).
        let keys: Vec<_> = keys.iter().filter_map(Key::of).take(Jwt::MAX_KEYS + 1).collect();
        match keys.len() {
            0 => Err(KeySetError::Empty),
            count if count > Jwt::MAX_KEYS => Err(KeySetError::Count),
            _ => Ok(Self(keys)),
        }
    }

    /// Whether the signature is one of the text, by a key of this name if there are any. So that no token costs much, no more
    /// than the first [`TRIALS`] of the keys that it may be by are tried.
    pub(super) fn verify(&self, algorithm: &str, id: Option<&str>, text: &[u8], signature: &[u8]) -> Signed {
        let named = |key: &&Key| id.is_none() || key.id.as_deref() == id;
        let is_known = self.0.iter().any(|key| named(&key));
        // A key without a name may be the one that is meant.
        let may_be = |key: &&Key| if is_known { named(key) } else { key.id.is_none() };
        let fits = |key: &&Key| key.fits(algorithm);
        let mut tried = self.0.iter().filter(may_be).filter(fits).take(TRIALS);
        match tried.any(|key| key.verifies(algorithm, text, signature)) {
            true => Signed::Well,
            false if is_known => Signed::Badly,
            false => Signed::Unknown,
        }
    }
}

impl Key {
    /// The key, if it is one for signatures of which only the public half is known.
    fn of(json: &Value) -> Option<Self> {
        let text = |name: &str| json.get(name).and_then(Value::as_str);
        let bytes = |name: &str| BASE64_URL_SAFE_NO_PAD.decode(text(name)?).ok();
        let operations = json.get("key_ops").map(|operations| operations.as_array().map(Vec::as_slice));
        let verifies =
            operations.is_none_or(|list| list.is_some_and(|list| list.iter().any(|name| name == "verify")));
        if json.get("use").is_some_and(|usage| usage != "sig") || !verifies {
            return None;
        }
        let material = match (text("kty")?, text("crv")) {
            ("RSA", _) => {
                let strip =
                    |bytes: Vec<u8>| bytes.into_iter().skip_while(|byte| *byte == 0).collect::<Vec<_>>();
                let (n, e) = (strip(bytes("n")?), strip(bytes("e")?));
                if !(256..=512).contains(&n.len()) || !(1..=4).contains(&e.len()) {
                    return None;
                }
                Material::Rsa(RsaPublicKeyComponents { n, e })
            }
            ("EC", Some("P-256")) => Material::P256(point(bytes("x")?, bytes("y")?, 32)?),
            ("EC", Some("P-384")) => Material::P384(point(bytes("x")?, bytes("y")?, 48)?),
            ("OKP", Some("Ed25519")) => Material::Ed25519(bytes("x").filter(|x| x.len() == 32)?),
            _ => return None,
        };
        let key = Self { id: text("kid").map(Into::into), algorithm: text("alg").map(Into::into), material };
        // One that is for something else, such as encryption, is not among those that may have signed.
        let fits = key.algorithm.as_deref().is_none_or(|algorithm| key.material.fits(algorithm));
        fits.then_some(key)
    }

    /// Whether signatures of this kind are made with it.
    fn fits(&self, algorithm: &str) -> bool {
        self.algorithm.as_deref().is_none_or(|own| own == algorithm) && self.material.fits(algorithm)
    }

    /// The key is one that fits.
    fn verifies(&self, algorithm: &str, text: &[u8], signature: &[u8]) -> bool {
        let verified = match &self.material {
            Material::Rsa(key) => match rsa(algorithm) {
                Some(parameters) => key.verify(parameters, text, signature),
                None => return false,
            },
            Material::P256(key) => {
                UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, key).verify(text, signature)
            }
            Material::P384(key) => {
                UnparsedPublicKey::new(&ECDSA_P384_SHA384_FIXED, key).verify(text, signature)
            }
            Material::Ed25519(key) => UnparsedPublicKey::new(&ED25519, key).verify(text, signature),
        };
        verified.is_ok()
    }
}

impl Material {
    /// Whether a key of this kind makes signatures of this kind.
    fn fits(&self, algorithm: &str) -> bool {
        match self {
            Self::Rsa(_) => rsa(algorithm).is_some(),
            Self::P256(_) => algorithm == "ES256",
            Self::P384(_) => algorithm == "ES384",
            // The second name is that of RFC 9864.
            Self::Ed25519(_) => matches!(algorithm, "EdDSA" | "Ed25519"),
        }
    }
}

fn rsa(algorithm: &str) -> Option<&'static RsaParameters> {
    Some(match algorithm {
        "RS256" => &RSA_PKCS1_2048_8192_SHA256,
        "RS384" => &RSA_PKCS1_2048_8192_SHA384,
        "RS512" => &RSA_PKCS1_2048_8192_SHA512,
        "PS256" => &RSA_PSS_2048_8192_SHA256,
        "PS384" => &RSA_PSS_2048_8192_SHA384,
        "PS512" => &RSA_PSS_2048_8192_SHA512,
        _ => return None,
    })
}

/// A point in the uncompressed form.
fn point(x: Vec<u8>, y: Vec<u8>, len: usize) -> Option<Vec<u8>> {
    (x.len() == len && y.len() == len).then(|| [vec![4], x, y].concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 7515 appendices A.3.1 and A.2.1, RFC 8037 appendix A.2.
    const X: &str = "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU";
    const Y: &str = "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0";
    const N: &str = "ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ";
    const ED: &str = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";

    fn ec(more: &str) -> String {
        format!(r#"{{"kty":"EC","crv":"P-256","x":"{X}","y":"{Y}"{more}}}"#)
    }

    fn rsa_key(more: &str) -> String {
        format!(r#"{{"kty":"RSA","n":"{N}","e":"AQAB"{more}}}"#)
    }

    fn ed(more: &str) -> String {
        format!(r#"{{"kty":"OKP","crv":"Ed25519","x":"{ED}"{more}}}"#)
    }

    fn set(keys: &[String]) -> Result<KeySet, KeySetError> {
        KeySet::parse(format!(r#"{{"keys":[{}]}}"#, keys.join(",")).as_bytes())
    }

    #[test]
    fn sets() {
        let oct = r#"{"kty":"oct","k":"c2VjcmV0"}"#.to_owned();
        let table = [
            (vec![ec("")], Ok(1)),
            (vec![ec(""), rsa_key(""), ed("")], Ok(3)),
            (vec![oct.clone(), ec("")], Ok(1)),
            (vec![oct], Err(KeySetError::Empty)),
            (vec![], Err(KeySetError::Empty)),
            (vec![ec(r#","use":"sig","alg":"ES256","key_ops":["verify"]"#)], Ok(1)),
            (vec![ec(r#","use":"enc""#)], Err(KeySetError::Empty)),
            (vec![ec(r#","key_ops":["sign"]"#)], Err(KeySetError::Empty)),
            (vec![ec(r#","key_ops":"verify""#)], Err(KeySetError::Empty)),
            (vec![ec(r#","alg":"HS256""#)], Err(KeySetError::Empty)),
            (vec![ec(r#","alg":"ES384""#)], Err(KeySetError::Empty)),
            (vec![rsa_key(r#","alg":"RSA-OAEP""#)], Err(KeySetError::Empty)),
            (vec![ec("").replace("P-256", "P-384")], Err(KeySetError::Empty)),
            (vec![ec("").replace("P-256", "secp256k1")], Err(KeySetError::Empty)),
            (vec![ec("").replace("P-256", "P-521")], Err(KeySetError::Empty)),
            (vec![rsa_key("").replace(&N[..100], "")], Err(KeySetError::Empty)),
            (vec![ed("").replace(ED, "AAAA")], Err(KeySetError::Empty)),
            (vec![ec(""); Jwt::MAX_KEYS], Ok(Jwt::MAX_KEYS)),
            (vec![ec(""); Jwt::MAX_KEYS + 1], Err(KeySetError::Count)),
        ];
        for (keys, want) in table {
            assert_eq!(set(&keys).map(|keys| keys.0.len()), want, "{keys:?}");
        }
        for text in ["", "[]", "{}", r#"{"keys":{}}"#, "null", "\u{0}"] {
            assert_eq!(KeySet::parse(text.as_bytes()).unwrap_err(), KeySetError::Form, "{text:?}");
        }
        let large = format!(r#"{{"keys":[{}], "x": "{}"}}"#, ec(""), "x".repeat(Jwt::MAX_KEYS_LEN));
        assert_eq!(KeySet::parse(large.as_bytes()).unwrap_err(), KeySetError::Size);
    }

    #[test]
    fn few_keys_are_tried_for_one_token() {
        // RFC 8037 appendix A.4.
        let text = b"eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc";
        let signature =
            "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg";
        let signature = BASE64_URL_SAFE_NO_PAD.decode(signature).unwrap();
        let stranger = |id: &str| ed(id).replace(&ED[..4], "AAAA");
        let behind = |count, id| [vec![stranger(id); count], vec![ed(id)]].concat();
        for (keys, id, want) in [
            (behind(TRIALS - 1, ""), None, Signed::Well),
            (behind(TRIALS, ""), None, Signed::Badly),
            (behind(TRIALS, ""), Some("a"), Signed::Unknown),
            (behind(TRIALS - 1, r#","kid":"a""#), Some("a"), Signed::Well),
            (behind(TRIALS, r#","kid":"a""#), Some("a"), Signed::Badly),
            // Only those that it may be signed with count.
            ([vec![ec(""); TRIALS], vec![rsa_key(""), ed("")]].concat(), None, Signed::Well),
            (
                [vec![stranger(r#","kid":"b""#); TRIALS], vec![ed(r#","kid":"a""#)]].concat(),
                Some("a"),
                Signed::Well,
            ),
        ] {
            assert_eq!(
                set(&keys).unwrap().verify("EdDSA", id, text, &signature),
                want,
                "{id:?} {}",
                keys.len()
            );
        }
    }

    #[test]
    fn signatures_of_the_standards() {
        // RFC 7515 appendices A.2 and A.3, RFC 8037 appendix A.4.
        const CLAIMS: &str =
            "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ";
        let table = [
            (
                "RS256",
                format!("eyJhbGciOiJSUzI1NiJ9.{CLAIMS}"),
                "cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw",
            ),
            (
                "ES256",
                format!("eyJhbGciOiJFUzI1NiJ9.{CLAIMS}"),
                "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q",
            ),
            (
                "EdDSA",
                "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc".to_owned(),
                "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg",
            ),
        ];
        let keys = [ec(r#","kid":"a""#), rsa_key(r#","kid":"b""#), ed(r#","kid":"c""#)];
        let all = set(&keys).unwrap();
        let nameless = set(&[ec(""), rsa_key(""), ed("")]).unwrap();
        let ids = ["b", "a", "c"];
        for ((algorithm, text, signature), id) in table.into_iter().zip(ids) {
            let signature = BASE64_URL_SAFE_NO_PAD.decode(signature).unwrap();
            let verify =
                |keys: &KeySet, algorithm: &str, id| keys.verify(algorithm, id, text.as_bytes(), &signature);
            assert_eq!(verify(&all, algorithm, None), Signed::Well);
            assert_eq!(verify(&all, algorithm, Some(id)), Signed::Well);
            assert_eq!(verify(&all, algorithm, Some("other")), Signed::Unknown);
            assert_eq!(verify(&nameless, algorithm, Some("other")), Signed::Well);
            for other in ids.into_iter().filter(|other| *other != id) {
                assert_eq!(verify(&all, algorithm, Some(other)), Signed::Badly);
            }
            for other in ["none", "None", "HS256", "RS384", "PS256", "ES384", "", "rs256"] {
                assert_eq!(verify(&all, other, None), Signed::Badly, "{algorithm} as {other}");
            }
            let mut changed = text.clone().into_bytes();
            changed[30] ^= 1;
            assert_eq!(all.verify(algorithm, None, &changed, &signature), Signed::Badly);
            assert_eq!(all.verify(algorithm, None, text.as_bytes(), b""), Signed::Badly);
        }
    }
}
