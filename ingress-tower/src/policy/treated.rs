//! What several policies say together, worked out once.
//!
//! Each thread remembers what it has met, so that none waits for another. What it does not know it looks for in what all
//! threads of a gateway remember together, so that nothing is prepared anew for each of them. Nobody has any of it locked
//! while something is prepared or dropped: both may run code of the embedding program, which may send a request itself.

use std::cell::RefCell;
use std::collections::HashMap;
use std::fmt;
use std::ops::Deref;
use std::sync::{Arc, Mutex, PoisonError};

use foldhash::fast::RandomState;
use ingress_core::Policy;
use tokio::time::Instant;

use super::Prepared;
use crate::lasting::LINGER;
use crate::layer::State;

/// How many combinations a thread remembers.
const REMEMBERED: usize = 4096;
/// How many all threads of a gateway remember together.
const SHARED: usize = 4 * REMEMBERED;
/// After so many requests for what is known a thread looks at the clock.
const PATIENCE: u64 = 1024;

thread_local! {
    static TREATED: RefCell<Memory> = RefCell::new(Memory::new(REMEMBERED));
}

/// Policies, the first before the others.
pub(crate) type Said<'p> = [Option<&'p Arc<Policy>>; 3];

/// What policies say together, and what was made of it for the requests that it is for.
#[derive(Debug)]
pub(crate) struct Treated {
    policy: Arc<Policy>,
    pub(super) prepared: Prepared,
}

/// What all threads of a gateway remember together.
pub(crate) struct Combinations(Mutex<Memory>);

/// Combinations by the addresses of what they are made of.
struct Memory {
    known: HashMap<Addresses, Known, RandomState>,
    most: usize,
    /// How often something was looked for.
    uses: u64,
    /// When somebody last looked for what is not used any more, and what `uses` was.
    swept: Option<(Instant, u64)>,
}

/// Those of the policies, and of the gateway where there may be several.
type Addresses = [usize; 4];

/// As long as a combination is remembered, its policies live, so that no other has their addresses.
struct Known {
    #[allow(dead_code, reason = "its policies live on")]
    said: [Option<Arc<Policy>>; 3],
    state: Option<Arc<State>>,
    treated: Arc<Treated>,
    /// What `uses` was when it was last looked for.
    last: u64,
}

/// What all of these say together, the first before the others; nothing where none says anything.
pub(crate) fn of(state: &Arc<State>, said: Said<'_>) -> Option<Arc<Treated>> {
    said.into_iter().flatten().next()?;
    let addresses = addresses(Some(state), said);
    // A thread that ends remembers nothing any more.
    let found = TREATED.try_with(|memory| {
        let mut memory = memory.borrow_mut();
        let found = memory.find(addresses);
        let is_late = (found.is_none() || memory.uses % PATIENCE == 0) && memory.is_late();
        (found, if is_late { Some(memory.forget()) } else { None })
    });
    let (found, gone) = found.unwrap_or_default();
    if gone.is_some() {
        drop(gone);
        state.forget();
    }
    if found.is_some() {
        return found;
    }
    let treated = state.combinations.of(state, said)?;
    let known = Known::new(Some(state), said, &treated);
    let gone = TREATED.try_with(|memory| memory.borrow_mut().insert(addresses, known));
    drop(gone);
    Some(treated)
}

/// Where only one says anything, nothing is copied.
fn merge(said: Said<'_>) -> Option<Arc<Policy>> {
    let mut said = said.into_iter().flatten();
    let first = said.next()?.clone();
    Some(said.fold(first, |policy, other| Arc::new(policy.or(other))))
}

fn addresses(state: Option<&Arc<State>>, said: Said<'_>) -> Addresses {
    let [first, second, third] = said.map(|policy| policy.map_or(0, |policy| Arc::as_ptr(policy).addr()));
    [state.map_or(0, |state| Arc::as_ptr(state).addr()), first, second, third]
}

// ===== impl Combinations =====

impl Combinations {
    /// Of two that are made at once, the first stays.
    fn of(&self, state: &State, said: Said<'_>) -> Option<Arc<Treated>> {
        let addresses = addresses(None, said);
        let found = self.with(|memory| memory.find(addresses));
        if found.is_some() {
            return found;
        }
        let policy = merge(said)?;
        let mut treated = Arc::new(Treated { prepared: Prepared::new(&policy, state), policy });
        let known = Known::new(None, said, &treated);
        let gone = self.with(|memory| match memory.find(addresses) {
            Some(first) => (std::mem::replace(&mut treated, first), vec![known]),
            None => (treated.clone(), memory.insert(addresses, known)),
        });
        drop(gone);
        Some(treated)
    }

    /// Forgets what was not asked for lately by any thread that has forgotten it.
    pub(crate) fn forget(&self) {
        let gone = self.with(|memory| if memory.is_late() { memory.forget() } else { Vec::new() });
        drop(gone);
    }

    fn with<T>(&self, run: impl FnOnce(&mut Memory) -> T) -> T {
        run(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Default for Combinations {
    fn default() -> Self {
        Self(Mutex::new(Memory::new(SHARED)))
    }
}

impl fmt::Debug for Combinations {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Combinations").finish_non_exhaustive()
    }
}

// ===== impl Memory =====

impl Memory {
    fn new(most: usize) -> Self {
        Self { known: HashMap::default(), most, uses: 0, swept: None }
    }

    fn find(&mut self, addresses: Addresses) -> Option<Arc<Treated>> {
        self.uses += 1;
        let known = self.known.get_mut(&addresses)?;
        known.last = self.uses;
        Some(known.treated.clone())
    }

    /// What goes for it is to be dropped where nothing is borrowed: all that was not looked for as lately as the other half.
    fn insert(&mut self, addresses: Addresses, mut known: Known) -> Vec<Known> {
        known.last = self.uses;
        let mut gone = Vec::new();
        if self.known.len() >= self.most {
            let mut last: Vec<_> = self.known.values().map(|known| known.last).collect();
            let middle = last.len() / 2;
            let (_, middle, _) = last.select_nth_unstable(middle);
            let middle = *middle;
            gone = self.remove(|known| known.last <= middle);
        }
        gone.extend(self.known.insert(addresses, known));
        gone
    }

    /// Whether it is time to forget something.
    fn is_late(&mut self) -> bool {
        let now = Instant::now();
        let (last, _) = *self.swept.get_or_insert((now, self.uses));
        now.saturating_duration_since(last) >= LINGER
    }

    /// Takes out what nobody has looked for since this was last done, and nobody else has.
    fn forget(&mut self) -> Vec<Known> {
        let since = self.swept.replace((Instant::now(), self.uses)).map_or(0, |(_, uses)| uses);
        self.remove(|known| known.last <= since && (known.is_alone() || known.is_of_thread()))
    }

    fn remove(&mut self, goes: impl Fn(&Known) -> bool) -> Vec<Known> {
        let gone = self.known.iter().filter(|(_, known)| goes(known)).map(|(addresses, _)| *addresses);
        let gone: Vec<_> = gone.collect();
        gone.iter().filter_map(|addresses| self.known.remove(addresses)).collect()
    }
}

// ===== impl Known =====

impl Known {
    fn new(state: Option<&Arc<State>>, said: Said<'_>, treated: &Arc<Treated>) -> Self {
        let said = said.map(Option::<&Arc<Policy>>::cloned);
        Self { said, state: state.cloned(), treated: treated.clone(), last: 0 }
    }

    /// Whether no thread has it, nor a request.
    fn is_alone(&self) -> bool {
        Arc::strong_count(&self.treated) == 1
    }

    fn is_of_thread(&self) -> bool {
        self.state.is_some()
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

    fn remembered() -> usize {
        TREATED.with_borrow(|memory| memory.known.len())
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
                assert!(remembered() <= REMEMBERED);
            }
        }
    }

    #[test]
    fn no_combination_displaces_another_while_there_is_room() {
        let state = Arc::default();
        let all: Vec<_> = (0..REMEMBERED as u64).map(policy).collect();
        let treat = || all.iter().map(|policy| of(&state, [Some(policy), None, None]).unwrap());
        let first: Vec<_> = treat().collect();
        // Whatever all threads remember together: this one has them all.
        state.combinations.with(|memory| memory.known.clear());
        assert!(first.iter().zip(treat()).all(|(first, again)| Arc::ptr_eq(first, &again)));
        of(&state, [Some(&policy(1)), None, None]).unwrap();
        assert_eq!(remembered(), REMEMBERED / 2);
    }

    #[test]
    fn threads_share_what_is_prepared() {
        let state: Arc<State> = Arc::default();
        let policy = policy(1);
        let treat = || of(&state, [Some(&policy), None, None]).unwrap();
        let first = treat();
        let others = std::thread::scope(|scope| scope.spawn(treat).join().unwrap());
        assert!(Arc::ptr_eq(&first, &others));
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_not_used_any_more_is_forgotten() {
        let state: Arc<State> = Arc::default();
        let (kept, old) = (policy(1), policy(2));
        let treat = |policy: &Arc<Policy>| of(&state, [Some(policy), None, None]).unwrap();
        drop((treat(&kept), treat(&old)));
        for _ in 0..3 {
            tokio::time::advance(LINGER).await;
            (0..PATIENCE).for_each(|_| drop(treat(&kept)));
        }
        assert_eq!((Arc::strong_count(&old), remembered()), (1, 1));
        assert_eq!(state.combinations.with(|memory| memory.known.len()), 1);
    }
}
