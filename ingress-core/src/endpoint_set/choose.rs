//! Which endpoint a request goes to, and what becomes known when it has been there.

use crate::balance::{Draw, fraction, mix};
use crate::policy::{Outlier, Policy, SlowStart};
use crate::vitals::{Noted, Sweep};
use crate::{Algorithm, Ending, Endpoint, EndpointChange, EndpointSet, Moment, Vitals};

/// How many endpoints are drawn before all are looked at.
pub(super) const DRAWS: u32 = 16;
/// The percentage of available endpoints below which all are used.
const PANIC: u8 = 25;
/// The percentage of endpoints that may be ejected.
const MAX_EJECTED: u8 = 50;

static OUTLIER: Outlier = Outlier::DEFAULT;

/// What a choice depends on.
#[derive(Clone, Copy, Debug)]
pub struct Choice<'a> {
    policy: Option<&'a Policy>,
    pub(super) draw: Draw,
    tried: &'a [usize],
}

/// Why no endpoint is chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unchosen {
    /// There is none that has any weight and was not tried before.
    #[error("there is no endpoint that can be used")]
    Nobody,
    /// All that could be used work on as many requests as they may.
    #[error("all endpoints work on as many requests as they may")]
    Full,
}

// ===== impl Choice =====

impl<'a> Choice<'a> {
    /// By the numbers of this draw, as the policy says.
    #[inline]
    pub fn new(draw: Draw, policy: Option<&'a Policy>) -> Self {
        Self { policy, draw: Draw { step: 0, ..draw }, tried: &[] }
    }

    /// Leaves out the endpoints at these places, which were tried before.
    #[must_use]
    pub fn without(self, tried: &'a [usize]) -> Self {
        Self { tried, ..self }
    }

    /// The algorithm that the policy asks for.
    #[inline]
    pub fn algorithm(&self) -> &'a Algorithm {
        self.policy.map_or(&Algorithm::RoundRobin, Policy::algorithm)
    }

    #[inline]
    fn outlier(&self) -> &'a Outlier {
        self.policy.map_or(&OUTLIER, |policy| &policy.outlier)
    }

    /// Whether more counts than whether an endpoint is well.
    #[inline]
    fn is_picky(&self) -> bool {
        !self.tried.is_empty()
            || self.policy.is_some_and(|policy| {
                policy.slow_start.window.is_some()
                    || policy.limits.max_connections.is_some()
                    || matches!(policy.load_balance, Some(Algorithm::Custom(_)))
            })
    }

    fn max_connections(&self) -> Option<u32> {
        self.policy?.limits.max_connections.filter(|&max| max > 0)
    }

    /// Who is new is drawn less often, but not by those who look for the endpoint of a key.
    fn slow_start(&self) -> Option<&'a SlowStart> {
        let slow_start = &self.policy?.slow_start;
        (slow_start.window.is_some() && !self.algorithm().is_by_key()).then_some(slow_start)
    }
}

/// Which endpoints a choice may fall on.
#[derive(Clone, Copy)]
struct Gate<'a, 'c> {
    choice: &'c Choice<'a>,
    /// Those that are ejected or unhealthy, too.
    all: bool,
}

impl Gate<'_, '_> {
    #[inline]
    fn admits(&self, place: usize, endpoint: &Endpoint, vitals: &Vitals) -> bool {
        if endpoint.weight() == 0 || self.choice.tried.contains(&place) {
            return false;
        }
        if self.choice.max_connections().is_some_and(|max| vitals.in_flight_now() >= max) {
            return false;
        }
        let outlier = Some(self.choice.outlier()).filter(|outlier| outlier.ejects());
        self.all || vitals.admits(outlier, self.choice.draw.now)
    }

    #[inline]
    fn is_warm(&self, draw: &Draw, place: usize, vitals: &Vitals) -> bool {
        self.choice.slow_start().is_none_or(|slow_start| {
            fraction(mix(draw.bits() ^ place as u64)) < vitals.warmth(slow_start, draw.now)
        })
    }
}

// ===== impl EndpointSet =====

impl EndpointSet {
    /// Chooses an endpoint: its place among [`EndpointSet::all`].
    ///
    /// With [`Algorithm::RoundRobin`] and tickets counted up by one, each endpoint gets exactly its weight's share of every
    /// period, as long as all can be used. Nothing is allocated, and of what threads share nothing is written, except
    /// that an ejection which has ended begins anew with the one request that tries its endpoint.
    ///
    /// # Errors
    ///
    /// [`Unchosen`] where there is no endpoint that may be used. That all are ejected or unhealthy is no reason.
    #[inline]
    pub fn choose(&self, choice: &Choice<'_>) -> Result<usize, Unchosen> {
        // The draw is not copied here: its parts were just written one by one, and are not there yet to be read as one.
        if let Some(place) = self.pickers.pick(choice.algorithm(), self.members(), &choice.draw) {
            let is_free = !choice.is_picky() && self.vitals[place].is_well();
            if is_free || self.admits(choice, place) {
                return Ok(place);
            }
        }
        self.choose_other(choice)
    }

    /// All that a choice may depend on, where one look does not do.
    #[inline(never)]
    fn admits(&self, choice: &Choice<'_>, place: usize) -> bool {
        let (endpoint, vitals) = (&self.endpoints[place], &self.vitals[place]);
        let gate = Gate { choice, all: false };
        gate.is_warm(&choice.draw, place, vitals) && gate.admits(place, endpoint, vitals)
    }

    /// The endpoint that a draw falls on, whatever is known of it; to repeat a choice.
    pub fn drawn(&self, algorithm: &Algorithm, draw: &Draw) -> Option<usize> {
        self.pickers.pick(algorithm, self.members(), draw)
    }

    #[inline]
    fn draw(&self, gate: &Gate<'_, '_>, step: u32) -> Option<usize> {
        let draw = Draw { step, ..gate.choice.draw };
        let place = self.pickers.pick(gate.choice.algorithm(), self.members(), &draw)?;
        let (endpoint, vitals) = (&self.endpoints[place], &self.vitals[place]);
        (gate.is_warm(&draw, place, vitals) && gate.admits(place, endpoint, vitals)).then_some(place)
    }

    #[cold]
    fn choose_other(&self, choice: &Choice<'_>) -> Result<usize, Unchosen> {
        let algorithm = choice.algorithm();
        if matches!(algorithm, Algorithm::Custom(_)) && self.drawn(algorithm, &choice.draw).is_none() {
            // The program knows better.
            return Err(Unchosen::Nobody);
        }
        // What is known of too few here counts where the others are not enough, either.
        let is_scarce = self.lacks(choice, self.near);
        if is_scarce && self.near < self.usable && !self.lacks(choice, self.usable) {
            let gate = Gate { choice, all: false };
            return self.scan(&gate, 0..self.usable).ok_or_else(|| self.why_nobody(choice));
        }
        let gate = Gate { choice, all: is_scarce };
        let found = (1..DRAWS)
            .find_map(|step| self.draw(&gate, step))
            .or_else(|| self.scan(&gate, 0..self.near))
            .or_else(|| self.scan(&gate, self.near..self.usable))
            // Nobody is left without an answer only because all are ejected.
            .or_else(|| self.scan(&Gate { choice, all: true }, 0..self.usable));
        found.ok_or_else(|| self.why_nobody(choice))
    }

    /// The first one that is admitted, from a random place on.
    fn scan(&self, gate: &Gate<'_, '_>, part: std::ops::Range<usize>) -> Option<usize> {
        let count = part.len();
        let from = (gate.choice.draw.bits() % count.max(1) as u64) as usize;
        let places = (0..count).map(|step| part.start + (from + step) % count);
        places.into_iter().find(|&place| gate.admits(place, &self.endpoints[place], &self.vitals[place]))
    }

    /// Whether so few of the first endpoints are available that all are used.
    fn lacks(&self, choice: &Choice<'_>, first: usize) -> bool {
        let outlier = choice.outlier();
        let ejects = Some(outlier).filter(|outlier| outlier.ejects());
        let available = self.vitals[..first].iter().filter(|vitals| vitals.is_available(ejects)).count();
        available * 100 < first * usize::from(outlier.panic.unwrap_or(PANIC).min(100))
    }

    fn why_nobody(&self, choice: &Choice<'_>) -> Unchosen {
        let without_limit =
            |&place: &usize| self.endpoints[place].weight() > 0 && !choice.tried.contains(&place);
        match choice.max_connections().and_then(|_| (0..self.usable).find(without_limit)) {
            Some(_) => Unchosen::Full,
            None => Unchosen::Nobody,
        }
    }

    /// Whether the endpoint at a place, which a client wants to meet again, can be used.
    pub fn is_available(&self, place: usize, choice: &Choice<'_>) -> bool {
        let (Some(endpoint), Some(vitals)) = (self.get(place), self.vitals(place)) else { return false };
        let serves = endpoint.state() != crate::EndpointState::NotServing;
        serves && Gate { choice, all: false }.admits(place, endpoint, vitals)
    }

    /// Begins a request at the endpoint that was chosen. Returns whether there is room for it; if not, another one is to be
    /// chosen.
    #[inline]
    pub fn begin(&self, place: usize, choice: &Choice<'_>) -> bool {
        let vitals = &self.vitals[place];
        match choice.max_connections() {
            Some(max) => vitals.begin_within(max),
            None => {
                vitals.begin();
                true
            }
        }
    }

    /// Ends a request that was begun.
    #[inline]
    pub fn end(&self, place: usize) {
        self.vitals[place].end();
    }

    /// Takes in how a request ended that began at this moment: once for each request, when its answer begins or it is clear
    /// that none will. `random` varies how long an ejection is.
    #[inline]
    pub fn note(
        &self,
        place: usize,
        ending: Ending,
        policy: Option<&Policy>,
        (began, now): (Moment, Moment),
        random: u64,
    ) -> Option<EndpointChange> {
        let outlier = policy.map_or(&OUTLIER, |policy| &policy.outlier);
        if self.sweep.is_due(now) {
            self.compare(outlier, now, random);
        }
        match self.vitals[place].note(ending, outlier, began, now) {
            Noted::Nothing => None,
            Noted::Returned => Some(EndpointChange::Returned),
            Noted::Eject => self.eject(place, outlier, now, random),
        }
    }

    #[cold]
    fn eject(&self, place: usize, outlier: &Outlier, now: Moment, random: u64) -> Option<EndpointChange> {
        let others = self.vitals[..self.usable].iter().enumerate();
        let out = others.filter(|(other, vitals)| *other != place && vitals.is_ejected()).count();
        let share = self.usable * usize::from(outlier.max_ejected.unwrap_or(MAX_EJECTED).min(100)) / 100;
        let most = share.max(1).min(self.usable.saturating_sub(1));
        (out < most && !self.fails_as_others(place))
            .then(|| EndpointChange::Ejected(self.vitals[place].eject(outlier, now, random)))
    }

    /// Whether it fails no more than twice as often as half of the others: then they share what is wrong, such as a
    /// database, and fewer endpoints would only have more to do.
    fn fails_as_others(&self, place: usize) -> bool {
        let own = self.vitals[place].failure_share().unwrap_or(1.0);
        let others = self.vitals[..self.usable].iter().enumerate();
        let others = others.filter(|(other, vitals)| *other != place && !vitals.is_ejected());
        let mut shares: Vec<f32> = others.filter_map(|(_, vitals)| vitals.failure_share()).collect();
        // Of an even number the lower one: of three, two may have died for reasons of their own.
        let Some(middle) = shares.len().checked_sub(1).map(|last| last / 2) else { return false };
        *shares.select_nth_unstable_by(middle, f32::total_cmp).1 * 2.0 > own
    }

    /// Ejects those whose requests succeed much less often than others'.
    #[cold]
    fn compare(&self, outlier: &Outlier, now: Moment, random: u64) {
        let windows: Vec<_> = self.vitals[..self.usable].iter().map(|vitals| vitals.take_window()).collect();
        let limit = outlier.success_rate.unwrap_or_default();
        if limit == 0 {
            return;
        }
        for place in Sweep::outliers(&windows, limit) {
            if !self.vitals[place].is_ejected() {
                self.eject(place, outlier, now, mix(random ^ place as u64));
            }
        }
    }
}
