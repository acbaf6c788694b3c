//! What becomes known of an endpoint when a request has been there.

use super::choose::OUTLIER;
use crate::balance::mix;
use crate::policy::{Outlier, Policy};
use crate::vitals::{Noted, Sweep};
use crate::{Ending, EndpointChange, EndpointSet, Moment};

/// The percentage of endpoints that may be ejected.
const MAX_EJECTED: u8 = 50;
/// How unlikely it is to be that an endpoint is ejected which fails no more often than the others.
const CHANCE: f64 = 1e-9;
/// Of others that fail more often than this, nothing is learnt.
const MOST: f64 = 0.9;

impl EndpointSet {
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
            Noted::Failing(failures) if failures < self.unlikely_failures(place) => None,
            Noted::Failing(_) => self.eject(place, outlier, now, random),
            Noted::FailedAgain => {
                Some(EndpointChange::Ejected(self.vitals[place].eject_again(outlier, now, random)))
            }
        }
    }

    #[cold]
    fn eject(&self, place: usize, outlier: &Outlier, now: Moment, random: u64) -> Option<EndpointChange> {
        let others = self.vitals[..self.usable].iter().enumerate();
        let out = others.filter(|(other, vitals)| *other != place && vitals.is_ejected()).count();
        let share = self.usable * usize::from(outlier.max_ejected.unwrap_or(MAX_EJECTED).min(100)) / 100;
        let most = share.max(1).min(self.usable.saturating_sub(1));
        let time = (out < most).then(|| self.vitals[place].eject(outlier, now, random));
        time.flatten().map(EndpointChange::Ejected)
    }

    /// How many failures in a row are no chance where half of the others fail as often as they do: then they share what is
    /// wrong, such as a database, and fewer endpoints would only have more to do.
    #[cold]
    fn unlikely_failures(&self, place: usize) -> u32 {
        let others = self.vitals[..self.usable].iter().enumerate();
        let others = others.filter(|(other, vitals)| *other != place && !vitals.is_ejected());
        let mut shares: Vec<f32> = others.filter_map(|(_, vitals)| vitals.failure_share()).collect();
        // Of an even number the lower one: of three, two may have died for reasons of their own.
        let Some(middle) = shares.len().checked_sub(1).map(|last| last / 2) else { return 0 };
        let share = f64::from(*shares.select_nth_unstable_by(middle, f32::total_cmp).1);
        if share <= 0.0 { 0 } else { (CHANCE.ln() / share.min(MOST).ln()).ceil() as u32 }
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
