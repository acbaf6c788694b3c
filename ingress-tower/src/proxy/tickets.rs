//! The numbers by which endpoints are chosen in turn.

use std::cell::RefCell;
use std::hash::{BuildHasher, RandomState};

thread_local! {
    /// One count for each backend, by its place in the table. Another generation may give the place to
    /// another backend, which then goes on from somewhere in its order: harmless, since any start is.
    static TICKETS: RefCell<Tickets> = RefCell::new(Tickets::new());
}

/// The counts of one thread. Threads share none, so none waits for another's cache line, and each backend
/// has its own, so that requests to one do not set the pace of another.
struct Tickets {
    counts: Vec<u32>,
    seed: u64,
}

/// The next ticket of the backend at this place.
pub(crate) fn next(backend: u32) -> u64 {
    TICKETS.with_borrow_mut(|tickets| tickets.next(backend))
}

impl Tickets {
    fn new() -> Self {
        Self { counts: Vec::new(), seed: RandomState::new().hash_one(0) }
    }

    fn next(&mut self, backend: u32) -> u64 {
        let place = backend as usize;
        if place >= self.counts.len() {
            self.grow(place);
        }
        let count = &mut self.counts[place];
        *count = count.wrapping_add(1);
        u64::from(*count)
    }

    /// New backends start anywhere, so that a row of gateways does not begin with the same endpoint.
    #[cold]
    fn grow(&mut self, place: usize) {
        let from = self.counts.len();
        let seed = self.seed;
        self.counts.extend(
            (from as u64..=place as u64).map(|place| (seed.wrapping_mul(2 * place + 1) >> 33) as u32),
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_backend_counts_by_one() {
        let (a, b) = (next(3), next(7));
        for step in 1..5 {
            assert_eq!(next(3), a + step);
            assert_eq!(next(7), b + step);
        }
    }
}
