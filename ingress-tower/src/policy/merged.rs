//! What several policies say together, worked out once.

use std::cell::RefCell;
use std::sync::Arc;

use ingress_core::Policy;

/// How many combinations a thread remembers. A power of two.
const REMEMBERED: usize = 256;

thread_local! {
    /// Threads share none, so that none waits for another.
    static MERGED: RefCell<Vec<Option<Merged>>> = const { RefCell::new(Vec::new()) };
}

/// Policies, the first before the others.
pub(crate) type Said<'p> = [Option<&'p Arc<Policy>>; 3];

/// As long as a combination is remembered, its policies live, so that no other has their addresses.
struct Merged {
    said: [Option<Arc<Policy>>; 3],
    policy: Arc<Policy>,
}

/// What all of these say together, the first before the others. Where only one says anything, nothing is copied.
pub(crate) fn of(said: Said<'_>) -> Option<Arc<Policy>> {
    let mut all = said.into_iter().flatten();
    let first = all.next()?;
    if all.next().is_none() {
        return Some(first.clone());
    }
    MERGED.with_borrow_mut(|merged| {
        if merged.is_empty() {
            merged.resize_with(REMEMBERED, || None);
        }
        let place = &mut merged[place(said)];
        if let Some(known) = place.as_ref().filter(|known| known.is(said)) {
            return Some(known.policy.clone());
        }
        let policy = merge(said)?;
        *place = Some(Merged { said: said.map(Option::<&Arc<Policy>>::cloned), policy: policy.clone() });
        Some(policy)
    })
}

fn merge(said: Said<'_>) -> Option<Arc<Policy>> {
    let mut said = said.into_iter().flatten();
    let first = said.next()?.clone();
    Some(said.fold(first, |policy, other| Arc::new(policy.or(other))))
}

fn place(said: Said<'_>) -> usize {
    let address = |policy: Option<&Arc<Policy>>| policy.map_or(0, |policy| Arc::as_ptr(policy).addr());
    let mixed = said.into_iter().fold(0usize, |mixed, policy| {
        (mixed ^ address(policy)).wrapping_mul(0x9e37_79b9_7f4a_7c15_u64 as usize).rotate_right(29)
    });
    mixed & (REMEMBERED - 1)
}

impl Merged {
    fn is(&self, said: Said<'_>) -> bool {
        self.said.iter().zip(said).all(|(own, other)| match (own, other) {
            (Some(own), Some(other)) => Arc::ptr_eq(own, other),
            (None, None) => true,
            _ => false,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy(max_body_size: u64) -> Arc<Policy> {
        let mut policy = Policy::default();
        policy.max_body_size = Some(max_body_size);
        Arc::new(policy)
    }

    #[test]
    fn combinations_are_worked_out_once_and_not_mixed_up() {
        assert_eq!(of([None, None, None]), None);
        let own = policy(1);
        assert!(Arc::ptr_eq(&of([None, Some(&own), None]).unwrap(), &own));
        let all: Vec<_> = (0..2 * REMEMBERED as u64).map(policy).collect();
        let other = policy(7);
        for _ in 0..2 {
            for (number, policy) in all.iter().enumerate() {
                let both = of([Some(policy), None, Some(&other)]).unwrap();
                assert_eq!(both.max_body_size, Some(number as u64));
                assert!(Arc::ptr_eq(&both, &of([Some(policy), None, Some(&other)]).unwrap()));
                assert_eq!(of([Some(&other), None, Some(policy)]).unwrap().max_body_size, Some(7));
            }
        }
    }
}
