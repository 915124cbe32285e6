//! The state of a link that is kept up, and how long to wait before the next attempt.
use std::time::Duration;

use jiff::Timestamp;

const SHORTEST: Duration = Duration::from_millis(500);
const LONGEST: Duration = Duration::from_secs(30);

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Link {
    Up,
    Down {
        since: Timestamp,
        retry_in: Duration,
        /// For a person: what failed and what to do.
        reason: String,
    },
}

/// Doubles from half a second to thirty, each time shortened at random by up to a half, so that readers which lost the
/// same collector do not come back all at once.
#[derive(Clone, Debug, Default)]
pub struct Backoff {
    attempts: u32,
}

impl Backoff {
    pub fn next_delay(&mut self) -> Duration {
        self.delay(random())
    }

    /// The connection worked: the next failure waits briefly again.
    pub fn reset(&mut self) {
        self.attempts = 0;
    }

    fn delay(&mut self, random: u32) -> Duration {
        let full = SHORTEST.saturating_mul(1 << self.attempts.min(6)).min(LONGEST);
        self.attempts = self.attempts.saturating_add(1);
        let shortened = full.mul_f64(0.5 + 0.5 * f64::from(random) / f64::from(u32::MAX));
        shortened.max(SHORTEST)
    }
}

/// Without a source of randomness the wait is the longest, which is safe.
fn random() -> u32 {
    getrandom::u32().unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_and_stay_between_half_a_second_and_thirty() {
        let mut longest = Backoff::default();
        let waits: Vec<f32> = (0..8).map(|_| longest.delay(u32::MAX).as_secs_f32()).collect();
        assert_eq!(waits, [0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0]);
        let mut shortest = Backoff::default();
        let waits: Vec<f32> = (0..8).map(|_| shortest.delay(0).as_secs_f32()).collect();
        assert_eq!(waits, [0.5, 0.5, 1.0, 2.0, 4.0, 8.0, 15.0, 15.0]);
        longest.reset();
        assert_eq!(longest.delay(u32::MAX), SHORTEST);
    }
}
