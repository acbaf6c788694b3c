//! What the answers of an endpoint come to.

use ingress_core::HealthCheck;

/// How many failures in a row make an endpoint unhealthy.
const FAILURES: u32 = 3;
/// How many successes in a row make it healthy again.
const SUCCESSES: u32 = 2;

/// Whether an endpoint is well, which single answers do not change.
#[derive(Debug, Default)]
pub(super) struct Verdict {
    unhealthy: bool,
    /// How many answers in a row said otherwise.
    streak: u32,
}

impl Verdict {
    pub(super) fn is_unhealthy(&self) -> bool {
        self.unhealthy
    }

    /// Takes in an answer. Returns whether that changes what is thought of the endpoint.
    pub(super) fn note(&mut self, well: bool, check: &HealthCheck) -> bool {
        if well != self.unhealthy {
            self.streak = 0;
            return false;
        }
        self.streak += 1;
        let needed = match well {
            false => check.failures.unwrap_or(FAILURES),
            true => check.successes.unwrap_or(SUCCESSES),
        };
        if self.streak < needed {
            return false;
        }
        (self.unhealthy, self.streak) = (!well, 0);
        true
    }

    /// Begins to count anew.
    pub(super) fn restart(&mut self) {
        self.streak = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_answers_in_a_row_count() {
        for (failures, successes, answers, verdicts) in [
            (None, None, "xxxxx.x..x..", "__xxxxxx____"),
            (Some(1), Some(1), "x.xx..", "x_xx__"),
            (Some(0), Some(0), "x.xx..", "x_xx__"),
            (Some(2), Some(3), "x.xx..x...x", "___xxxxxx__"),
        ] {
            let mut check = HealthCheck::default();
            (check.failures, check.successes) = (failures, successes);
            let mut verdict = Verdict::default();
            let said: String = answers
                .chars()
                .map(|answer| {
                    let before = verdict.is_unhealthy();
                    let changed = verdict.note(answer == '.', &check);
                    assert_eq!(changed, before != verdict.is_unhealthy());
                    if verdict.is_unhealthy() { 'x' } else { '_' }
                })
                .collect();
            assert_eq!(said, verdicts, "{failures:?} {successes:?} {answers}");
        }
    }
}
