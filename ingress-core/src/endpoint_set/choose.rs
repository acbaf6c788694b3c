//! Which endpoint a request goes to, and what becomes known when it has been there.

use std::ops::Range;

use crate::balance::{Draw, Members, Pickers, below, fraction, mix};
use crate::policy::{Outlier, Policy, SlowStart};
use crate::{Algorithm, Endpoint, EndpointSet, Vitals};

/// How many endpoints are drawn before all are looked at.
pub(super) const DRAWS: u32 = 16;
/// The percentage of available endpoints below which all are used.
const PANIC: u8 = 25;

/// What holds where nothing is said.
pub(super) static OUTLIER: Outlier = Outlier::DEFAULT;

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
    /// Whether a request may go there. At the end of an ejection, that is the one request that tries the endpoint.
    #[inline]
    fn admits(&self, place: usize, endpoint: &Endpoint, vitals: &Vitals) -> bool {
        self.has_room(place, endpoint, vitals)
            && (self.all || vitals.admits(self.ejecting(), self.choice.draw.now))
    }

    /// The same, but for endpoints that are only to be tried.
    fn is_open(&self, place: usize, endpoint: &Endpoint, vitals: &Vitals) -> bool {
        self.has_room(place, endpoint, vitals) && (self.all || vitals.is_available(self.ejecting()))
    }

    fn has_room(&self, place: usize, endpoint: &Endpoint, vitals: &Vitals) -> bool {
        let is_full = || self.choice.max_connections().is_some_and(|max| vitals.in_flight_now() >= max);
        endpoint.weight() > 0 && !self.choice.tried.contains(&place) && !is_full()
    }

    fn ejecting(&self) -> Option<&Outlier> {
        Some(self.choice.outlier()).filter(|outlier| outlier.ejects())
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
    /// period, as long as all can be used. Nothing is allocated but what an algorithm needs of a set, when it is first asked
    /// for ([`EndpointSet::prepare`]), and of what threads share nothing is written, except that a slow start begins, and
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

    #[cold]
    fn choose_other(&self, choice: &Choice<'_>) -> Result<usize, Unchosen> {
        let algorithm = choice.algorithm();
        if matches!(algorithm, Algorithm::Custom(_)) && self.drawn(algorithm, &choice.draw).is_none() {
            // The program knows better.
            return Err(Unchosen::Nobody);
        }
        let here = (&self.pickers, 0..self.near);
        let wide = || (self.wide(), 0..self.usable);
        let well = Gate { choice, all: false };
        let found = match self.lacks(choice, self.near) {
            false => self.draw_from(&well, here, 1),
            true if self.near < self.usable && !self.lacks(choice, self.usable) => {
                self.draw_from(&well, wide(), 0)
            }
            true => None,
        };
        // Nobody is left without an answer only because all are ejected.
        let found = found.or_else(|| self.draw_from(&Gate { choice, all: true }, wide(), 0));
        found.ok_or_else(|| self.why_nobody(choice))
    }

    /// Draws from the first endpoints until one is admitted, and where chance has it that none was, looks at all of them.
    fn draw_from(
        &self,
        gate: &Gate<'_, '_>,
        (pickers, part): (&Pickers, Range<usize>),
        first: u32,
    ) -> Option<usize> {
        let members = Members::new(&self.endpoints[part.clone()], &self.vitals[part.clone()]);
        let drawn = (first..DRAWS).find_map(|step| {
            let draw = Draw { step, ..gate.choice.draw };
            let place = pickers.pick(gate.choice.algorithm(), members, &draw)?;
            let (endpoint, vitals) = (&self.endpoints[place], &self.vitals[place]);
            (gate.is_warm(&draw, place, vitals) && gate.admits(place, endpoint, vitals)).then_some(place)
        });
        drawn.or_else(|| self.scan(gate, part))
    }

    /// Any of those that are admitted, by chance. Those who may be tried with one request come last.
    fn scan(&self, gate: &Gate<'_, '_>, part: Range<usize>) -> Option<usize> {
        let open = |place: &usize| gate.is_open(*place, &self.endpoints[*place], &self.vitals[*place]);
        let count = part.clone().filter(open).count();
        let at = below(gate.choice.draw.bits(), count as u64) as usize;
        let any = part.clone().filter(open).nth(at);
        any.or_else(|| {
            part.into_iter().find(|&place| gate.admits(place, &self.endpoints[place], &self.vitals[place]))
        })
    }

    /// What algorithms need of all endpoints that may be used, where only some are meant for this place.
    fn wide(&self) -> &Pickers {
        if self.near == self.usable {
            return &self.pickers;
        }
        self.wide.get_or_init(|| Pickers::new(&self.endpoints[..self.usable]))
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
}
