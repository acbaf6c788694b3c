//! Names and hashes of passwords, as `htpasswd` writes them.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

/// Names and hashes of passwords, as `htpasswd` writes them: a line `name:hash` for each user. What stands behind another
/// colon, empty lines and those that begin with `#` are comments. If two lines have the same name, the first one counts.
///
/// Hashes are neither shown by `Debug` nor written out.
///
/// ```
/// use ingress_core::Users;
///
/// let users: Users = "# staff\nada:{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g=\n".parse()?;
/// assert_eq!(users.len(), 1);
/// let error = "ada:secret".parse::<Users>().unwrap_err();
/// assert!(error.to_string().starts_with("line 1: "));
/// # Ok::<(), ingress_core::UsersError>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Users(Arc<[(Box<str>, PasswordHash)]>);

/// The hash of a password. `Debug` shows only its kind.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PasswordHash {
    scheme: PasswordScheme,
    text: Box<str>,
}

/// How a password is hashed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum PasswordScheme {
    /// `$2y$`, `$2b$` and `$2a$`, with a cost of at most [`MAX_BCRYPT_COST`](PasswordHash::MAX_BCRYPT_COST). Of a password
    /// the first 72 bytes count.
    Bcrypt,
    /// `$5$`, of at most [`MAX_ROUNDS`](PasswordHash::MAX_ROUNDS) rounds.
    Sha256Crypt,
    /// `$6$`, of at most [`MAX_ROUNDS`](PasswordHash::MAX_ROUNDS) rounds.
    Sha512Crypt,
    /// `$apr1$`: a thousand rounds of MD5, which are quickly guessed.
    Apr1,
    /// `{SHA}`: SHA-1 once, without a salt, which is guessed at once.
    Sha1,
}

/// A text that names no users.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum UsersError {
    /// There is no line for a user.
    #[error("no user is named")]
    Empty,
    /// A line cannot be used.
    #[error("line {0}: {1}")]
    Line(usize, UserFault),
}

/// What is wrong with the line of a user. The hash is never shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum UserFault {
    /// It is not `name:hash`.
    #[error("there is no colon behind the name")]
    Colon,
    /// A name has up to 255 bytes of UTF-8, without control characters and without spaces at its ends.
    #[error("the name cannot be used")]
    Name,
    /// It is plain text, or of a kind that is not known here.
    #[error("the password is plain text, or hashed in a way that is not accepted, such as DES crypt")]
    Unhashed,
    /// It begins as a hash does, and goes on as none.
    #[error("the hash is malformed")]
    Malformed,
    /// A single request would take seconds.
    #[error("the hash costs too much: bcrypt may have a cost of up to 14, SHA-crypt up to 1000000 rounds")]
    Costly,
}

/// As `htpasswd` has it.
const MAX_NAME_LEN: usize = 255;

// ===== impl Users =====

impl Users {
    /// Reads the lines of a file.
    pub fn parse(text: &[u8]) -> Result<Self, UsersError> {
        let mut users = Vec::new();
        for (number, line) in (1..).zip(text.split(|byte| *byte == b'\n')) {
            let line = line.trim_ascii();
            if line.is_empty() || line.starts_with(b"#") {
                continue;
            }
            users.push(user(line).map_err(|fault| UsersError::Line(number, fault))?);
        }
        // The sort is stable: of two with the same name the first stays.
        users.sort_by(|(one, _), (other, _)| one.cmp(other));
        users.dedup_by(|(later, _), (first, _)| later == first);
        if users.is_empty() { Err(UsersError::Empty) } else { Ok(Self(users.into())) }
    }

    /// Where the user stands among all, who are in the order of their names.
    pub fn position(&self, name: &str) -> Option<usize> {
        self.0.binary_search_by(|(known, _)| (**known).cmp(name)).ok()
    }

    /// The name and the hash of the user who stands there.
    pub fn get(&self, position: usize) -> Option<(&str, &PasswordHash)> {
        self.0.get(position).map(|(name, hash)| (&**name, hash))
    }

    /// How many there are; at least one.
    #[allow(clippy::len_without_is_empty, reason = "it is never empty")]
    pub fn len(&self) -> usize {
        self.0.len()
    }
}

fn user(line: &[u8]) -> Result<(Box<str>, PasswordHash), UserFault> {
    let line = std::str::from_utf8(line).map_err(|_| UserFault::Name)?;
    let (name, rest) = line.split_once(':').ok_or(UserFault::Colon)?;
    let padded = name.trim() != name;
    if name.is_empty() || padded || name.len() > MAX_NAME_LEN || name.chars().any(char::is_control) {
        return Err(UserFault::Name);
    }
    let hash = rest.split_once(':').map_or(rest, |(hash, _)| hash);
    Ok((name.into(), hash.trim_end().parse()?))
}

impl FromStr for Users {
    type Err = UsersError;

    fn from_str(text: &str) -> Result<Self, UsersError> {
        Self::parse(text.as_bytes())
    }
}

impl fmt::Debug for Users {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Users").field("len", &self.len()).finish_non_exhaustive()
    }
}

#[cfg(feature = "serde")]
impl serde::Serialize for Users {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.len().serialize(serializer)
    }
}

// ===== impl PasswordHash =====

impl PasswordHash {
    /// The highest cost that a hash of bcrypt may have: about a second of one core.
    pub const MAX_BCRYPT_COST: u32 = 14;
    /// The most rounds that a hash of SHA-crypt may have.
    pub const MAX_ROUNDS: u32 = 1_000_000;
    /// The rounds of SHA-crypt where the hash does not say how many.
    const ROUNDS: u32 = 5000;
    const MIN_ROUNDS: u32 = 1000;

    /// How the password is hashed.
    pub fn scheme(&self) -> PasswordScheme {
        self.scheme
    }

    /// The whole hash. It is a secret: whoever has it can try passwords.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// How many rounds SHA-crypt makes, the salt, and the hash itself as text; of `$apr1$` the salt and the hash.
    pub fn crypt(&self) -> Option<(u32, &str, &str)> {
        let rest = match self.scheme {
            PasswordScheme::Sha256Crypt => self.text.strip_prefix("$5$")?,
            PasswordScheme::Sha512Crypt => self.text.strip_prefix("$6$")?,
            PasswordScheme::Apr1 => self.text.strip_prefix("$apr1$")?,
            PasswordScheme::Bcrypt | PasswordScheme::Sha1 => return None,
        };
        let (rounds, rest) = match rest.strip_prefix("rounds=") {
            Some(rest) => {
                let (rounds, rest) = rest.split_once('$')?;
                // A sign is no digit, and a number that is too large is too large.
                let digits = !rounds.is_empty() && rounds.bytes().all(|byte| byte.is_ascii_digit());
                (digits.then(|| rounds.parse().unwrap_or(u32::MAX))?, rest)
            }
            None => (Self::ROUNDS, rest),
        };
        let (salt, hash) = rest.split_once('$')?;
        Some((rounds, salt, hash))
    }

    fn check(&self) -> Result<(), UserFault> {
        let is_whole = |hash: &str, len| hash.len() == len && hash.bytes().all(is_crypt64);
        let crypt = |max_salt, len| {
            let (rounds, salt, hash) = self.crypt().ok_or(UserFault::Malformed)?;
            let is_salt = salt.len() <= max_salt && salt.bytes().all(|byte| byte.is_ascii_graphic());
            if !is_salt || !is_whole(hash, len) || rounds < Self::MIN_ROUNDS {
                return Err(UserFault::Malformed);
            }
            if rounds > Self::MAX_ROUNDS { Err(UserFault::Costly) } else { Ok(()) }
        };
        match self.scheme {
            PasswordScheme::Bcrypt => {
                let parts = self.text.get(4..).and_then(|rest| rest.split_once('$'));
                let (cost, hash) = parts.ok_or(UserFault::Malformed)?;
                let digits = cost.len() == 2 && cost.bytes().all(|byte| byte.is_ascii_digit());
                let cost = cost.parse::<u32>().ok().filter(|cost| digits && (4..=31).contains(cost));
                match cost {
                    Some(cost) if is_whole(hash, 53) => {
                        if cost > Self::MAX_BCRYPT_COST {
                            Err(UserFault::Costly)
                        } else {
                            Ok(())
                        }
                    }
                    _ => Err(UserFault::Malformed),
                }
            }
            PasswordScheme::Sha256Crypt => crypt(16, 43),
            PasswordScheme::Sha512Crypt => crypt(16, 86),
            PasswordScheme::Apr1 => crypt(8, 22),
            PasswordScheme::Sha1 => {
                let hash = self.text.strip_prefix("{SHA}").and_then(|hash| hash.strip_suffix('='));
                let is_base64 = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/');
                let whole = hash.is_some_and(|hash| hash.len() == 27 && hash.bytes().all(is_base64));
                if whole { Ok(()) } else { Err(UserFault::Malformed) }
            }
        }
    }
}

/// The digits of `crypt`, in which all hashes but that of `{SHA}` are written.
fn is_crypt64(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'/')
}

impl FromStr for PasswordHash {
    type Err = UserFault;

    fn from_str(text: &str) -> Result<Self, UserFault> {
        const PREFIXES: [(&str, PasswordScheme); 7] = [
            ("$2y$", PasswordScheme::Bcrypt),
            ("$2b$", PasswordScheme::Bcrypt),
            ("$2a$", PasswordScheme::Bcrypt),
            ("$5$", PasswordScheme::Sha256Crypt),
            ("$6$", PasswordScheme::Sha512Crypt),
            ("$apr1$", PasswordScheme::Apr1),
            ("{SHA}", PasswordScheme::Sha1),
        ];
        let scheme = PREFIXES.into_iter().find(|(prefix, _)| text.starts_with(prefix));
        let (_, scheme) = scheme.ok_or(UserFault::Unhashed)?;
        let hash = Self { scheme, text: text.into() };
        hash.check().map(|()| hash)
    }
}

impl fmt::Debug for PasswordHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PasswordHash").field("scheme", &self.scheme).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BCRYPT: &str = "$2y$10$Zn0iFHw6M4UMspdmGb7wx.YMAOVHJcZKXGTIvtmtKxtwWQIOxcWbC";
    const SHA1: &str = "{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g=";

    #[test]
    fn hashes() {
        use PasswordScheme::{Apr1, Bcrypt, Sha1, Sha256Crypt, Sha512Crypt};
        use UserFault::{Costly, Malformed, Unhashed};
        let (h43, h86) = ("a".repeat(43), "b".repeat(86));
        let table = [
            (BCRYPT.to_owned(), Ok(Bcrypt)),
            (BCRYPT.replace("$2y$10", "$2b$14"), Ok(Bcrypt)),
            (BCRYPT.replace("$2y$10", "$2a$04"), Ok(Bcrypt)),
            (BCRYPT.replace("$2y$10", "$2y$15"), Err(Costly)),
            (BCRYPT.replace("$2y$10", "$2y$31"), Err(Costly)),
            (BCRYPT.replace("$2y$10", "$2y$03"), Err(Malformed)),
            (BCRYPT.replace("$2y$10", "$2y$+9"), Err(Malformed)),
            (BCRYPT.replace("$2y", "$2x"), Err(Unhashed)),
            (BCRYPT[..59].to_owned(), Err(Malformed)),
            ("$2y$".to_owned(), Err(Malformed)),
            (format!("$5$salt${h43}"), Ok(Sha256Crypt)),
            (format!("$5$rounds=1000000$salt${h43}"), Ok(Sha256Crypt)),
            (format!("$5$rounds=1000001$salt${h43}"), Err(Costly)),
            (format!("$5$rounds=99999999999$salt${h43}"), Err(Costly)),
            (format!("$5$rounds=999$salt${h43}"), Err(Malformed)),
            (format!("$5$rounds=+9999$salt${h43}"), Err(Malformed)),
            (format!("$5$rounds=$salt${h43}"), Err(Malformed)),
            (format!("$5$salt${h86}"), Err(Malformed)),
            (format!("$5$17-characters-long${h43}"), Err(Malformed)),
            (format!("$6$salt${h86}"), Ok(Sha512Crypt)),
            (format!("$6$rounds=656000$salt${h86}"), Ok(Sha512Crypt)),
            (format!("$6$salt$more${h86}"), Err(Malformed)),
            ("$apr1$salt$0123456789012345678901".to_owned(), Ok(Apr1)),
            ("$apr1$ninechars$0123456789012345678901".to_owned(), Err(Malformed)),
            ("$apr1$salt$01234567890123456789".to_owned(), Err(Malformed)),
            (SHA1.to_owned(), Ok(Sha1)),
            ("{SHA}".to_owned(), Err(Malformed)),
            ("{SSHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g=".to_owned(), Err(Unhashed)),
            ("$1$salt$0123456789012345678901".to_owned(), Err(Unhashed)),
            ("rqXexS6ZhobKA".to_owned(), Err(Unhashed)),
            ("secret".to_owned(), Err(Unhashed)),
            (String::new(), Err(Unhashed)),
        ];
        for (text, want) in table {
            assert_eq!(text.parse::<PasswordHash>().map(|hash| hash.scheme()), want, "{text}");
        }
    }

    #[test]
    fn files() {
        let first = |fault| Err(UsersError::Line(1, fault));
        let table = [
            (format!("ada:{SHA1}\n"), Ok(1)),
            (format!("ada:{SHA1}\r\n\r\n# bob:x\r\n  bob:{BCRYPT}  \r\n"), Ok(2)),
            (format!("ada:{SHA1}:a comment\nada:{BCRYPT}"), Ok(1)),
            (format!("Jürgen:{SHA1}\nada:{SHA1}\nAda:{SHA1}"), Ok(3)),
            (String::new(), Err(UsersError::Empty)),
            ("# nobody\n\n".to_owned(), Err(UsersError::Empty)),
            ("ada".to_owned(), first(UserFault::Colon)),
            (format!(":{SHA1}"), first(UserFault::Name)),
            (format!("ada :{SHA1}"), first(UserFault::Name)),
            (format!("a\u{7f}a:{SHA1}"), first(UserFault::Name)),
            (format!("{}:{SHA1}", "a".repeat(256)), first(UserFault::Name)),
            (format!("ada:{SHA1}\n\nbob:hunter2"), Err(UsersError::Line(3, UserFault::Unhashed))),
        ];
        for (text, want) in table {
            assert_eq!(text.parse::<Users>().map(|users| users.len()), want, "{text}");
        }
        assert_eq!(Users::parse(b"\xff:x"), Err(UsersError::Line(1, UserFault::Name)));
    }

    #[test]
    fn the_first_of_two_lines_for_a_name_counts() {
        let users: Users = format!("bob:{SHA1}\nada:{BCRYPT}\nbob:{BCRYPT}").parse().unwrap();
        let scheme = |name| users.get(users.position(name)?).map(|(_, hash)| hash.scheme());
        assert_eq!(scheme("bob"), Some(PasswordScheme::Sha1));
        assert_eq!(scheme("ada"), Some(PasswordScheme::Bcrypt));
        assert_eq!(scheme("Ada"), None);
    }

    #[test]
    fn nothing_shows_a_hash() {
        let users: Users = format!("ada:{BCRYPT}").parse().unwrap();
        let fault = format!("ada:{BCRYPT}x").parse::<Users>().unwrap_err();
        let shown = format!("{users:?} {:?} {fault} {fault:?}", users.get(0));
        assert!(!shown.contains("Zn0iFHw6"), "{shown}");
    }
}
