//! Independent work, shared out to all cores.

use std::num::NonZero;
use std::panic::resume_unwind;
use std::thread;

/// From so many items on, threads cost less than they save.
const MANY: usize = 512;

/// What `work` makes of each item, in their order. Few items, or those of a thread that cannot be started, are worked
/// on here. A panic of `work` is passed on.
pub(crate) fn map<T: Sync, R: Send>(items: &[T], work: impl Fn(&T) -> R + Sync) -> Vec<R> {
    let work = &|items: &[T]| items.iter().map(&work).collect::<Vec<_>>();
    if items.len() < MANY {
        return work(items);
    }
    let cores = thread::available_parallelism().map_or(1, NonZero::get);
    let (first, others) = items.split_at(items.len().div_ceil(cores));
    thread::scope(|scope| {
        let start = |part| (part, thread::Builder::new().spawn_scoped(scope, move || work(part)));
        let others: Vec<_> = others.chunks(first.len()).map(start).collect();
        let mut all = work(first);
        for (part, other) in others {
            let done = other.map(|handle| handle.join().unwrap_or_else(|panic| resume_unwind(panic)));
            all.extend(done.unwrap_or_else(|_| work(part)));
        }
        all
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_order_is_kept() {
        for count in [0, 1, MANY - 1, MANY, 3 * MANY + 7] {
            let items: Vec<_> = (0..count).collect();
            assert_eq!(map(&items, |item| item + 1), (1..=count).collect::<Vec<_>>());
        }
    }
}
