//! What connections and the test share.

use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

use crate::access::Allowed;
use crate::fault::{Faults, Withheld};
use crate::kind::KINDS;
use crate::record::Records;
use crate::socket::Switch;
use crate::store::Store;

#[derive(Debug)]
pub(crate) struct State {
    pub(crate) store: Store,
    pub(crate) faults: Faults,
    pub(crate) rules: Option<Vec<Allowed>>,
    pub(crate) records: Records,
}

#[derive(Debug)]
pub(crate) struct Shared {
    state: Mutex<State>,
    /// Told whenever a watch may have something to say.
    pub(crate) changed: watch::Sender<()>,
    /// Told whenever a request comes or is answered.
    pub(crate) recorded: watch::Sender<()>,
    pub(crate) switch: Switch,
}

impl State {
    /// Forgets the past, and with it the events that faults keep back.
    pub(crate) fn compact(&mut self) {
        self.store.compact();
        for kind in KINDS.iter().filter(|kind| self.faults.withheld(kind.plural) != Withheld::Nothing) {
            self.store.lose(kind);
        }
    }
}

impl Shared {
    pub(crate) fn new() -> Self {
        let state = State {
            store: Store::new(),
            faults: Faults::default(),
            rules: None,
            records: Records::default(),
        };
        Self {
            state: Mutex::new(state),
            changed: watch::Sender::new(()),
            recorded: watch::Sender::new(()),
            switch: Switch::new(),
        }
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes the state and tells the watches.
    pub(crate) fn change<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        let result = change(&mut self.lock());
        self.changed.send_replace(());
        result
    }
}
