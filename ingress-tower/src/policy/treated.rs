//! What several policies say together, worked out once.

use std::cell::RefCell;
use std::ops::Deref;
use std::sync::Arc;

use ingress_core::Policy;

use super::Prepared;
use crate::layer::State;

/// How many combinations a thread remembers. A power of two.
const REMEMBERED: usize = 4096;

thread_local! {
    /// Threads share none, so that none waits for another.
    static TREATED: RefCell<Vec<Option<Known>>> = const { RefCell::new(Vec::new()) };
}

/// Policies, the first before the others.
pub(crate) type Said<'p> = [Option<&'p Arc<Policy>>; 3];

/// What policies say together, and what was made of it for the requests that it is for.
#[derive(Debug)]
pub(crate) struct Treated {
    policy: Arc<Policy>,
    pub(super) prepared: Prepared,
}

/// As long as a combination is remembered, its policies live, so that no other has their addresses.
struct Known {
    said: [Option<Arc<Policy>>; 3],
    state: Arc<State>,
    treated: Arc<Treated>,
}

/// What all of these say together, the first before the others; nothing where none says anything.
pub(crate) fn of(state: &Arc<State>, said: Said<'_>) -> Option<Arc<Treated>> {
    said.into_iter().flatten().next()?;
    TREATED.with_borrow_mut(|treated| {
        if treated.is_empty() {
            treated.resize_with(REMEMBERED, || None);
        }
        let place = &mut treated[place(state, said)];
        if let Some(known) = place.as_ref().filter(|known| known.is(state, said)) {
            return Some(known.treated.clone());
        }
        let policy = merge(said)?;
        let treated = Arc::new(Treated { prepared: Prepared::new(&policy, state), policy });
        let said = said.map(Option::<&Arc<Policy>>::cloned);
        *place = Some(Known { said, state: state.clone(), treated: treated.clone() });
        Some(treated)
    })
}

/// Where only one says anything, nothing is copied.
fn merge(said: Said<'_>) -> Option<Arc<Policy>> {
    let mut said = said.into_iter().flatten();
    let first = said.next()?.clone();
    Some(said.fold(first, |policy, other| Arc::new(policy.or(other))))
}

fn place(state: &Arc<State>, said: Said<'_>) -> usize {
    let address = |policy: Option<&Arc<Policy>>| policy.map_or(0, |policy| Arc::as_ptr(policy).addr());
    let mix = |mixed: usize, address: usize| {
        (mixed ^ address).wrapping_mul(0x9e37_79b9_7f4a_7c15_u64 as usize).rotate_right(29)
    };
    let mixed = said.into_iter().map(address).fold(Arc::as_ptr(state).addr(), mix);
    mixed & (REMEMBERED - 1)
}

impl Known {
    fn is(&self, state: &Arc<State>, said: Said<'_>) -> bool {
        let same = |(own, other): (&Option<Arc<Policy>>, Option<&Arc<Policy>>)| match (own, other) {
            (Some(own), Some(other)) => Arc::ptr_eq(own, other),
            (None, None) => true,
            _ => false,
        };
        Arc::ptr_eq(&self.state, state) && self.said.iter().zip(said).all(same)
    }
}

impl Deref for Treated {
    type Target = Policy;

    fn deref(&self) -> &Policy {
        &self.policy
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
        let state = Arc::default();
        let of = |said: Said<'_>| of(&state, said);
        assert!(of([None, None, None]).is_none());
        let own = policy(1);
        assert!(Arc::ptr_eq(&of([None, Some(&own), None]).unwrap().policy, &own));
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
