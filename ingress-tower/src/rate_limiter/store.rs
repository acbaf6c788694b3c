//! The moments of a limiter's keys, in a table that does not grow with their number.

use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use governor::nanos::Nanos;
use governor::state::StateStore;

/// Parts of the table with a lock each. A power of two.
const SHARDS: usize = 16;
/// Places of which a key may have any. All eight are in two cache lines.
const WAYS: usize = 8;
/// How many keys a table has at most.
pub(super) const MAX_KEYS: usize = 1 << 18;
/// How many sets of places a shard has at most. A power of two.
const MAX_SETS: usize = MAX_KEYS / SHARDS / WAYS;
/// What the tables of all limiters together may grow by: 64 MiB.
const ROOM: usize = 1 << 22;

/// The table as `governor` uses it.
#[derive(Debug)]
pub(super) struct Store(pub(super) Arc<Table>);

/// For each key the moment at which it has its whole burst again.
#[derive(Debug)]
pub(super) struct Table {
    shards: [Mutex<Shard>; SHARDS],
    /// The nanoseconds by which a request moves that moment.
    interval: u64,
    room: Arc<Room>,
}

/// The number of keys that tables may still grow by.
#[derive(Debug)]
pub(crate) struct Room(AtomicUsize);

#[derive(Debug, Default)]
struct Shard {
    /// As many as a power of two, or none before the first key.
    sets: Vec<[Place; WAYS]>,
    /// When all keys have their whole bursts again.
    over: u64,
}

/// A key, unless the moment is 0.
#[derive(Clone, Copy, Debug, Default)]
struct Place {
    key: u64,
    whole: u64,
}

impl Default for Room {
    fn default() -> Self {
        Self(AtomicUsize::new(ROOM))
    }
}

impl Room {
    fn take(&self, keys: usize) -> bool {
        self.0.fetch_update(Relaxed, Relaxed, |left| left.checked_sub(keys)).is_ok()
    }
}

impl StateStore for Store {
    type Key = u64;

    fn measure_and_replace<T, F, E>(&self, key: &u64, decide: F) -> Result<T, E>
    where
        F: Fn(Option<Nanos>) -> Result<(T, Nanos), E>,
    {
        self.0.measure_and_replace(*key, decide)
    }
}

impl Table {
    pub(super) fn new(interval: u64, room: Arc<Room>) -> Self {
        Self { shards: Default::default(), interval, room }
    }

    fn measure_and_replace<T, E>(
        &self,
        key: u64,
        decide: impl Fn(Option<Nanos>) -> Result<(T, Nanos), E>,
    ) -> Result<T, E> {
        let mut shard = lock(&self.shards[(key as usize) % SHARDS]);
        let Shard { sets, over } = &mut *shard;
        if sets.is_empty() {
            sets.push(Default::default());
        }
        let known = set(sets, key).iter_mut().find(|place| place.key == key && place.whole > 0);
        if let Some(place) = known {
            let (told, whole) = decide(Some(place.whole.into()))?;
            place.whole = whole.into();
            *over = place.whole.max(*over);
            return Ok(told);
        }
        let (told, whole) = decide(None)?;
        let whole = whole.as_u64();
        // A new key has one request less than its whole burst, which tells what time it is.
        let now = whole.saturating_sub(self.interval);
        while soonest(set(sets, key)).whole > now && self.grow(sets) {}
        *soonest(set(sets, key)) = Place { key, whole };
        *over = whole.max(*over);
        Ok(told)
    }

    /// Doubles a shard, if there is room.
    fn grow(&self, sets: &mut Vec<[Place; WAYS]>) -> bool {
        let len = sets.len();
        if len >= MAX_SETS || !self.room.take(len * WAYS) {
            return false;
        }
        sets.resize_with(2 * len, Default::default);
        let (old, new) = sets.split_at_mut(len);
        for (old, new) in old.iter_mut().zip(new) {
            // Of each set some keys are now in the one that is new.
            for (place, other) in old.iter_mut().zip(new) {
                if index(place.key, 2 * len) >= len {
                    std::mem::swap(place, other);
                }
            }
        }
        true
    }

    /// Whether all keys have their whole bursts at this moment.
    pub(super) fn is_over(&self, now: u64) -> bool {
        self.shards.iter().all(|shard| lock(shard).over <= now)
    }

    /// How many keys it has places for.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.shards.iter().map(|shard| lock(shard).sets.len() * WAYS).sum()
    }
}

impl Drop for Table {
    fn drop(&mut self) {
        let grown = |shard: &Mutex<Shard>| lock(shard).sets.len().saturating_sub(1) * WAYS;
        self.room.0.fetch_add(self.shards.iter().map(grown).sum(), Relaxed);
    }
}

fn lock(shard: &Mutex<Shard>) -> MutexGuard<'_, Shard> {
    shard.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Which of so many sets a key is in.
fn index(key: u64, sets: usize) -> usize {
    (key / SHARDS as u64) as usize & (sets - 1)
}

/// The places that a key may have, of at least one set.
fn set(sets: &mut [[Place; WAYS]], key: u64) -> &mut [Place; WAYS] {
    let at = index(key, sets.len());
    &mut sets[at]
}

/// The place that is empty, or whose key has its whole burst soonest.
fn soonest(set: &mut [Place; WAYS]) -> &mut Place {
    let mut soonest = 0;
    for at in 1..WAYS {
        if set[at].whole < set[soonest].whole {
            soonest = at;
        }
    }
    &mut set[soonest]
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Puts a key into the table at a moment, with another one at which its burst is whole again.
    fn put(table: &Table, key: u64, now: u64, whole: u64) {
        let first = |_| Ok::<_, ()>(((), (now + table.interval).into()));
        table.measure_and_replace(key, first).unwrap();
        table.measure_and_replace(key, |_| Ok::<_, ()>(((), whole.into()))).unwrap();
    }

    fn whole(table: &Table, key: u64) -> Option<u64> {
        table.measure_and_replace(key, Err::<((), Nanos), _>).unwrap_err().map(Into::into)
    }

    #[test]
    fn keys_are_kept_apart_while_the_table_grows() {
        let table = Table::new(1000, Arc::default());
        let mut random = fastrand::Rng::with_seed(7);
        let keys: Vec<u64> = (0..20_000).map(|_| random.u64(..)).collect();
        for (number, &key) in (1..).zip(&keys) {
            assert_eq!(whole(&table, key), None);
            put(&table, key, 0, 1000 + number);
        }
        for (number, &key) in (1..).zip(&keys) {
            assert_eq!(whole(&table, key), Some(1000 + number), "{number}");
        }
        assert!(table.len() <= MAX_KEYS && table.len() > keys.len());
        assert!(!table.is_over(20_999) && table.is_over(21_000));
    }

    #[test]
    fn what_is_over_makes_place_without_growth() {
        let table = Table::new(10, Arc::default());
        for round in 1..10_000_u64 {
            put(&table, round * SHARDS as u64, round * 10, round * 10 + 10);
        }
        assert_eq!(table.len(), WAYS);
    }

    #[test]
    fn a_full_table_forgets_what_is_over_soonest() {
        let room = Arc::new(Room(AtomicUsize::new(3 * WAYS)));
        let table = Table::new(10, room.clone());
        let key = |number: u64| number * SHARDS as u64;
        for number in 1..=4 * WAYS as u64 {
            put(&table, key(number), 0, 1000 * number);
        }
        assert_eq!((table.len(), room.0.load(Relaxed)), (4 * WAYS, 0));
        // The first of its set is 4.
        put(&table, key(4 * WAYS as u64 + 4), 0, 10);
        assert_eq!(whole(&table, key(8)), Some(8000));
        assert_eq!(whole(&table, key(4)), None, "it was forgotten");
        drop(table);
        assert_eq!(room.0.load(Relaxed), 3 * WAYS, "what is not used any more is given back");
    }
}
