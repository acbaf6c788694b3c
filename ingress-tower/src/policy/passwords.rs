//! Passwords that are checked beside the event loop, a few at a time, and those that were right.

use std::hash::{BuildHasher, RandomState};
use std::num::NonZero;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use ingress_core::Users;
use siphasher::sip128::{Hasher128, SipHasher24};
use subtle::ConstantTimeEq;
use tokio::sync::Semaphore;

use super::password_hash;
use crate::lasting::Lasting;

/// How many passwords may wait to be checked for the same users.
const WAITING: usize = 64;
/// How long one may wait.
const WAIT: Duration = Duration::from_secs(5);

/// What all routes share that ask for passwords.
pub(crate) struct Passwords {
    key: (u64, u64),
    running: Arc<Semaphore>,
    at_once: usize,
    gates: Lasting<Users, Gate>,
}

/// The passwords of some users. Equal values of [`Users`] have one, for as long as a route has it and a while longer;
/// what is known of passwords is never known of a Secret that has changed.
pub(super) struct Gate {
    users: Users,
    key: (u64, u64),
    /// Of each user the last password that was right, under a key that only this process has. Wrong ones are not
    /// remembered, so that a flood of them displaces nothing.
    right: Box<[Mutex<Option<[u8; 16]>>]>,
    entered: Arc<Semaphore>,
    own: Arc<Semaphore>,
    all: Arc<Semaphore>,
}

/// More passwords wait than may.
#[derive(Debug, thiserror::Error)]
#[error("too many passwords wait to be checked")]
pub(super) struct Busy;

// ===== impl Passwords =====

impl Default for Passwords {
    fn default() -> Self {
        // Half of the cores stay for requests.
        let at_once = std::thread::available_parallelism().map_or(1, NonZero::get).div_ceil(2).max(2);
        let state = RandomState::new();
        Self {
            key: (state.hash_one(0), state.hash_one(1)),
            running: Arc::new(Semaphore::new(at_once)),
            at_once,
            gates: Lasting::default(),
        }
    }
}

impl Passwords {
    /// The gate of these users.
    pub(super) fn of(&self, users: &Users) -> Arc<Gate> {
        self.gates.get(users, || Gate {
            users: users.clone(),
            key: self.key,
            right: (0..users.len()).map(|_| Mutex::default()).collect(),
            entered: Arc::new(Semaphore::new(WAITING)),
            // The users of one Secret cannot keep those of all others waiting.
            own: Arc::new(Semaphore::new((self.at_once / 2).max(1))),
            all: self.running.clone(),
        })
    }

    /// Forgets users whom no route has had for long.
    pub(crate) fn forget(&self) {
        self.gates.forget();
    }
}

impl std::fmt::Debug for Passwords {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Passwords").field("at_once", &self.at_once).finish_non_exhaustive()
    }
}

// ===== impl Gate =====

impl Gate {
    /// Whether this is the user's password. A name that nobody has takes the time of one that somebody has.
    pub(super) async fn admits(self: &Arc<Self>, name: &str, password: &[u8]) -> Result<bool, Busy> {
        let place = self.users.position(name);
        let tag = self.tag(name, password);
        if self.is_known(place, &tag) {
            return Ok(true);
        }
        let entered = self.entered.clone().try_acquire_owned().map_err(|_| Busy)?;
        let turn = async {
            let own = self.own.clone().acquire_owned().await.ok()?;
            Some((own, self.all.clone().acquire_owned().await.ok()?))
        };
        let turn = tokio::time::timeout(WAIT, turn).await.ok().flatten().ok_or(Busy)?;
        // Somebody else may have asked the same meanwhile.
        if self.is_known(place, &tag) {
            return Ok(true);
        }
        let (gate, password): (_, Box<[u8]>) = (self.clone(), password.into());
        // The same user for the same name each time, as somebody's hash would be.
        let asked = place.unwrap_or_else(|| self.stand_in(name));
        let runtime = tokio::runtime::Handle::try_current().map_err(|_| Busy)?;
        // Nobody may wait for the answer any more; the turn ends with the work all the same.
        let work = runtime.spawn_blocking(move || {
            let is_right =
                gate.users.get(asked).is_some_and(|(_, hash)| password_hash::verify(hash, &password));
            drop((turn, entered));
            is_right
        });
        let is_right = work.await.map_err(|_| Busy)?;
        match place.and_then(|place| self.right.get(place)).filter(|_| is_right) {
            Some(known) => {
                *known.lock().unwrap_or_else(PoisonError::into_inner) = Some(tag);
                Ok(true)
            }
            None => Ok(false),
        }
    }

    fn is_known(&self, place: Option<usize>, tag: &[u8; 16]) -> bool {
        let known = place.and_then(|place| self.right.get(place));
        let known = known.and_then(|known| *known.lock().unwrap_or_else(PoisonError::into_inner));
        known.is_some_and(|known| known.ct_eq(tag).into())
    }

    fn stand_in(&self, name: &str) -> usize {
        let tag = self.tag(name, b"").first_chunk().copied().map_or(0, u64::from_le_bytes);
        (tag % self.users.len() as u64) as usize
    }

    /// A name has no NUL.
    fn tag(&self, name: &str, password: &[u8]) -> [u8; 16] {
        use std::hash::Hasher;
        let mut hasher = SipHasher24::new_with_keys(self.key.0, self.key.1);
        hasher.write(name.as_bytes());
        hasher.write(b"\0");
        hasher.write(password);
        hasher.finish128().as_bytes()
    }
}

impl std::fmt::Debug for Gate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Gate").field("users", &self.users).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ=";
    const OTHER: &str = "$apr1$salt$dIQSC7CZVMfwYUarWFsjy0";

    fn users(lines: &[(&str, &str)]) -> Users {
        lines.iter().map(|(name, hash)| format!("{name}:{hash}\n")).collect::<String>().parse().unwrap()
    }

    #[tokio::test]
    async fn a_password_is_right_for_its_user_and_its_users_only() {
        let passwords = Passwords::default();
        let gate = passwords.of(&users(&[("ada", SECRET), ("bob", OTHER)]));
        for _ in 0..2 {
            for (name, password, want) in [
                ("ada", "secret", true),
                ("ada", "pw", false),
                ("bob", "secret", false),
                ("bob", "pw", true),
                ("eve", "secret", false),
                ("eve", "pw", false),
            ] {
                assert_eq!(gate.admits(name, password.as_bytes()).await.unwrap(), want, "{name} {password}");
            }
        }
        let same = passwords.of(&users(&[("bob", OTHER), ("ada", SECRET)]));
        assert!(Arc::ptr_eq(&gate, &same));
        let changed = passwords.of(&users(&[("ada", OTHER), ("bob", OTHER)]));
        assert!(!changed.admits("ada", b"secret").await.unwrap());
        assert!(changed.admits("ada", b"pw").await.unwrap());
    }

    #[tokio::test]
    async fn what_was_right_is_known_without_a_turn() {
        let passwords = Passwords::default();
        let gate = passwords.of(&users(&[("ada", SECRET)]));
        assert!(gate.admits("ada", b"secret").await.unwrap());
        let _all = gate.entered.clone().acquire_many_owned(WAITING as u32).await.unwrap();
        assert!(gate.admits("ada", b"secret").await.unwrap());
        gate.admits("ada", b"secret2").await.unwrap_err();
    }

    #[tokio::test(start_paused = true)]
    async fn who_waits_too_long_is_told() {
        let passwords = Passwords::default();
        let gate = passwords.of(&users(&[("ada", SECRET)]));
        let all = passwords.running.clone().acquire_many_owned(passwords.at_once as u32).await.unwrap();
        let start = tokio::time::Instant::now();
        gate.admits("ada", b"secret").await.unwrap_err();
        assert_eq!(start.elapsed(), WAIT);
        drop(all);
        assert!(gate.admits("ada", b"secret").await.unwrap());
    }

    #[tokio::test(start_paused = true)]
    async fn what_was_right_is_known_for_a_while_after_the_last_has_gone() {
        let passwords = Passwords::default();
        let users = users(&[("ada", SECRET)]);
        assert!(passwords.of(&users).admits("ada", b"secret").await.unwrap());
        passwords.forget();
        let gate = passwords.of(&users);
        let _all = gate.entered.clone().acquire_many_owned(WAITING as u32).await.unwrap();
        assert!(gate.admits("ada", b"secret").await.unwrap());
    }

    #[tokio::test(start_paused = true)]
    async fn users_that_nobody_has_go() {
        let passwords = Passwords::default();
        for number in 0..10_000 {
            passwords.of(&users(&[(&format!("user{number}"), SECRET)]));
        }
        assert!(passwords.gates.len() < 4096);
        tokio::time::advance(crate::lasting::LINGER).await;
        passwords.forget();
        assert_eq!(passwords.gates.len(), 0);
    }
}
