//! A request that an endpoint works on.

use std::fmt;
use std::sync::Arc;

use ingress_core::{Backend, Choice, Ending, Endpoint, EndpointChange, Moment, Policy, Unchosen};

use super::queue::{Permit, made_room};
use crate::clock;

/// How often an endpoint is chosen again that was full just when it was chosen.
const RACES: usize = 8;

/// A request that is counted at an endpoint as long as this lives: until its answer has been passed on, or nobody waits
/// for it any more.
pub(crate) struct Flight {
    backend: Arc<Backend>,
    place: Option<usize>,
    began: Moment,
    /// The answer has begun, or it is clear that there will be none.
    ended: bool,
    /// Given back after the count.
    permit: Option<Permit>,
}

impl Flight {
    pub(super) fn new(backend: Arc<Backend>) -> Self {
        Self { backend, place: None, began: Moment::START, ended: true, permit: None }
    }

    /// Keeps a place among the requests of the backend until the end.
    pub(super) fn hold(&mut self, permit: Permit) {
        self.permit = Some(permit);
    }

    pub(crate) fn backend(&self) -> &Arc<Backend> {
        &self.backend
    }

    /// The place of its endpoint.
    pub(crate) fn place(&self) -> Option<usize> {
        self.place
    }

    pub(crate) fn endpoint(&self) -> Option<&Endpoint> {
        self.backend.endpoints().get(self.place?)
    }

    /// Begins at the endpoint that the client has met before, if that can be used, or else at one that is chosen.
    pub(super) fn begin_first(&mut self, choice: &Choice<'_>, home: Option<usize>) -> Result<(), Unchosen> {
        let home = home.filter(|&home| self.backend.endpoints().is_available(home, choice));
        if home.is_some_and(|home| self.begin(home, choice)) {
            return Ok(());
        }
        for _ in 0..RACES {
            let place = self.backend.endpoints().choose(choice)?;
            if self.begin(place, choice) {
                return Ok(());
            }
        }
        Err(Unchosen::Full)
    }

    /// Leaves the endpoint for another one. Returns whether there is room for it.
    pub(super) fn begin(&mut self, place: usize, choice: &Choice<'_>) -> bool {
        self.leave();
        let begun = self.backend.endpoints().begin(place, choice);
        if begun {
            (self.place, self.began, self.ended) = (Some(place), clock::now(), false);
        }
        begun
    }

    /// Says how it went, as soon as that is known.
    pub(crate) fn note(&mut self, ending: Ending, policy: Option<&Policy>) {
        let (Some(place), false) = (self.place, self.ended) else { return };
        self.ended = true;
        let times = (self.began, clock::now());
        let set = self.backend.endpoints();
        if let Some(change) = set.note(place, ending, policy, times, fastrand::u64(..)) {
            self.changed(change);
        }
    }

    /// It was the client's doing, which says nothing of the endpoint.
    pub(crate) fn forgive(&mut self) {
        self.ended = true;
    }

    #[cold]
    fn changed(&self, change: EndpointChange) {
        #[cfg(feature = "tracing")]
        crate::log::endpoint_changed(self.backend.reference(), self.endpoint(), change);
        #[cfg(not(feature = "tracing"))]
        let _ = change;
    }

    fn leave(&mut self) {
        if !self.ended {
            self.note(Ending::Abandoned, None);
        }
        if let Some(place) = self.place.take() {
            self.backend.endpoints().end(place);
            made_room(self.backend.reference());
        }
    }
}

impl Drop for Flight {
    fn drop(&mut self) {
        self.leave();
    }
}

impl fmt::Debug for Flight {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Flight")
            .field("endpoint", &self.endpoint().map(Endpoint::authority))
            .finish_non_exhaustive()
    }
}
