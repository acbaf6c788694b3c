//! How many requests an endpoint works on, counted by all threads and read by all, with little waiting for each other.

use std::cell::Cell;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, AtomicU64, AtomicUsize, Ordering::Relaxed, Ordering::SeqCst};

use crate::Moment;

/// Begun and not ended, and ended: one number in the lower half of a word, the other in the upper half. A request may end
/// on another thread than it began, so that only the sum over all shards means something.
const BEGIN: u64 = 1;
const END: u64 = (1 << 32) - 1;

/// A count in as many shards as there are threads, which are made for the first request.
#[derive(Debug, Default)]
pub(super) struct InFlight(OnceLock<Box<[Shard]>>);

/// The counts of the threads that share it, and what that of all others was a while ago. Alone on its cache lines.
#[derive(Debug, Default)]
#[repr(align(128))]
struct Shard {
    own: AtomicU64,
    others: AtomicU64,
    /// The millisecond of `others`.
    seen: AtomicU32,
}

/// What the shards say together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Counts {
    pub(super) in_flight: u32,
    /// It begins again at 2^32.
    pub(super) ended: u32,
}

impl InFlight {
    #[inline]
    pub(super) fn begin(&self) {
        self.own().own.fetch_add(BEGIN, Relaxed);
    }

    #[inline]
    pub(super) fn end(&self) {
        self.own().own.fetch_add(END, Relaxed);
    }

    /// Begins, unless that were more than `max`. Of several threads at the last place, it may be that none gets it.
    pub(super) fn begin_within(&self, max: u32) -> bool {
        let own = &self.own().own;
        own.fetch_add(BEGIN, SeqCst);
        let fits = self.sum(SeqCst).in_flight <= max;
        if !fits {
            own.fetch_sub(BEGIN, SeqCst);
        }
        fits
    }

    /// What the threads of this shard count, and the others did no more than a millisecond ago.
    #[inline]
    pub(super) fn about(&self, now: Moment) -> u32 {
        let Some(shards) = self.0.get() else { return 0 };
        let at = own_place(shards.len());
        let shard = &shards[at];
        let millis = (now.nanos() >> 20) as u32 + 1;
        let others = match shard.seen.load(Relaxed) == millis {
            true => shard.others.load(Relaxed),
            false => Self::look_around(shards, at, millis),
        };
        // Shards that are seen at different times may seem to have ended more than began.
        (shard.own.load(Relaxed).wrapping_add(others) as u32 as i32).max(0) as u32
    }

    #[cold]
    fn look_around(shards: &[Shard], at: usize, millis: u32) -> u64 {
        let others = shards.iter().enumerate().filter(|(other, _)| *other != at);
        let sum = others.fold(0u64, |sum, (_, shard)| sum.wrapping_add(shard.own.load(Relaxed)));
        shards[at].others.store(sum, Relaxed);
        shards[at].seen.store(millis, Relaxed);
        sum
    }

    pub(super) fn exact(&self) -> Counts {
        self.sum(SeqCst)
    }

    fn sum(&self, order: std::sync::atomic::Ordering) -> Counts {
        let shards = self.0.get().into_iter().flatten();
        let sum = shards.fold(0u64, |sum, shard| sum.wrapping_add(shard.own.load(order)));
        Counts { in_flight: (sum as u32 as i32).max(0) as u32, ended: (sum >> 32) as u32 }
    }

    #[inline]
    fn own(&self) -> &Shard {
        let shards = self.0.get_or_init(|| (0..shard_count()).map(|_| Shard::default()).collect());
        &shards[own_place(shards.len())]
    }
}

/// A power of two.
fn shard_count() -> usize {
    static COUNT: OnceLock<usize> = OnceLock::new();
    *COUNT.get_or_init(|| {
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        threads.next_power_of_two().min(64)
    })
}

#[inline]
fn own_place(shards: usize) -> usize {
    static THREADS: AtomicUsize = AtomicUsize::new(0);
    thread_local! {
        static THREAD: Cell<usize> = Cell::new(THREADS.fetch_add(1, Relaxed));
    }
    THREAD.try_with(Cell::get).unwrap_or(0) & (shards - 1)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn requests_may_end_on_another_thread() {
        let count = InFlight::default();
        let now = Moment::START;
        assert_eq!((count.about(now), count.exact()), (0, Counts { in_flight: 0, ended: 0 }));
        count.begin();
        count.begin();
        assert_eq!(count.about(now), 2);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    count.begin();
                    count.end();
                });
            }
            scope.spawn(|| count.end());
        });
        assert_eq!(count.exact(), Counts { in_flight: 1, ended: 5 });
        assert_eq!(count.about(now + Duration::from_millis(5)), 1);
        count.end();
        assert_eq!(count.exact(), Counts { in_flight: 0, ended: 6 });
    }

    #[test]
    fn no_more_than_the_limit_begin() {
        let count = InFlight::default();
        let begun = AtomicU32::new(0);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..1000 {
                        begun.fetch_add(u32::from(count.begin_within(7)), Relaxed);
                        assert!(begun.load(Relaxed) <= 7);
                    }
                });
            }
        });
        assert_eq!((begun.load(Relaxed), count.exact().in_flight), (7, 7));
    }
}
