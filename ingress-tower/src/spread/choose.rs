//! The endpoints that a request tries, one after another.

use std::sync::Arc;

use ingress_core::{Backend, Choice, ChoiceRecord, Draw, Ending, Endpoint, Policy, Unchosen};

use super::affinity::Session;
use super::chosen::{Chosen, Recording};
use super::flight::Flight;
use super::queue::{self, Queues};
use crate::error::Kind;
use crate::proxy::tickets;
use crate::{Error, clock};

/// Chooses the endpoints of a request, each at most once.
pub(crate) struct Chooser<'p> {
    flight: Flight,
    policy: Option<&'p Policy>,
    draw: Draw,
    tried: Vec<usize>,
    /// The endpoint that the client has met before.
    home: Option<usize>,
    /// How many endpoints were tried, this one included.
    attempts: u32,
    /// What is written down of the choice, if it is.
    recording: Option<Recording>,
}

impl<'p> Chooser<'p> {
    /// Begins at the first endpoint: that which the client has met before, or one that is chosen. Where all are full,
    /// it waits for room.
    pub(crate) async fn begin(
        backend: Arc<Backend>,
        limited: Option<(&'p Policy, &Queues)>,
        key: Option<u64>,
        session: Option<Session>,
    ) -> Result<Self, Error> {
        let policy = limited.map(|(policy, _)| policy);
        let mut draw =
            Draw::new(tickets::next(backend.index()), fastrand::u64(..), clock::now()).with_key(key);
        let home = session.and_then(|session| session.home());
        let mut flight = Flight::new(backend);
        let begun = match limited.filter(|(policy, _)| queue::has_limits(policy)) {
            None => flight.begin_first(&Choice::new(draw, policy), home),
            Some((limited, queues)) => {
                let backend = flight.backend().clone();
                let queue = queues.of(backend.reference());
                let entered = queue.enter(backend.reference(), limited, || {
                    draw.now = clock::now();
                    flight.begin_first(&Choice::new(draw, policy), home)
                });
                entered.await.map(|(permit, ())| flight.hold(permit))
            }
        };
        if let Err(why) = begun {
            let kind = if why == Unchosen::Full { Kind::Overloaded } else { Kind::NoEndpoint };
            return Err(Error::new(kind).of_backend(flight.backend().reference(), None));
        }
        Ok(Self { flight, policy, draw, tried: Vec::new(), home, attempts: 1, recording: None })
    }

    /// Writes the choice down.
    pub(crate) fn record(self, recording: Option<Recording>) -> Self {
        Self { recording, ..self }
    }

    /// The endpoint that is tried.
    pub(crate) fn endpoint(&self) -> Option<&Endpoint> {
        self.flight.endpoint()
    }

    pub(crate) fn backend(&self) -> &Arc<Backend> {
        self.flight.backend()
    }

    /// Another endpoint, to be tried after this one.
    pub(crate) fn other(&mut self) -> Option<usize> {
        self.tried.extend(self.flight.place().filter(|place| !self.tried.contains(place)));
        self.draw.now = clock::now();
        let choice = Choice::new(self.draw, self.policy).without(&self.tried);
        self.flight.backend().endpoints().choose(&choice).ok()
    }

    /// Leaves the endpoint for another one. Returns whether there is room for it.
    pub(crate) fn go(&mut self, place: usize) -> bool {
        let begun = self.flight.begin(place, &Choice::new(self.draw, self.policy));
        self.attempts += u32::from(begun);
        begun
    }

    /// Says how it went at the endpoint; nothing where that was the client's doing.
    pub(crate) fn note(&mut self, ending: Option<Ending>) {
        match ending {
            Some(ending) => self.flight.note(ending, self.policy),
            None => self.flight.forgive(),
        }
    }

    /// Names backend and endpoint in an error.
    pub(crate) fn blame(&self, error: Error) -> Error {
        let endpoint = self.endpoint().map(|endpoint| endpoint.authority().clone());
        error.of_backend(self.backend().reference(), endpoint).of_choice(self.chosen())
    }

    /// What is written down of the endpoint that is tried, if it is.
    pub(crate) fn chosen(&self) -> Option<Chosen> {
        let Recording { generation, request_id } = self.recording.clone()?;
        let (place, endpoint) = (self.flight.place()?, self.endpoint()?.authority().clone());
        let choice = Choice::new(self.draw, self.policy);
        let is_home = self.attempts == 1 && self.home == Some(place);
        let record = match is_home {
            true => ChoiceRecord::at(place),
            false => self.backend().endpoints().record(&choice, place),
        };
        Some(Chosen {
            generation,
            backend: self.backend().clone(),
            endpoint,
            algorithm: choice.algorithm().name(),
            choice: record,
            attempts: self.attempts,
            request_id,
        })
    }

    /// The request at the endpoint that answered.
    pub(crate) fn into_flight(self) -> Flight {
        self.flight
    }
}
