//! How often somebody may try codes that are not usable: a few in a row, then a pause; a few more, then no longer. In
//! memory, so each process counts for itself. Must not know codes, nor a clock.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use giftcard_engine::moment::InstantMs;

/// How many failures are too many.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TriesLimits {
    /// Failures in a row, after which there is a pause. At least 1.
    pub in_a_row: u32,
    /// How long the pause is, in milliseconds.
    pub pause_ms: i64,
    /// Failures in all, after which somebody else has to unblock. At least 1.
    pub in_all: u32,
    /// How many are remembered. Beyond that, those who have waited longest without being blocked are forgotten.
    pub remembered: usize,
}

impl Default for TriesLimits {
    fn default() -> Self {
        Self { in_a_row: 3, pause_ms: 300_000, in_all: 10, remembered: 100_000 }
    }
}

/// Somebody may not try now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Blocked {
    /// The first instant of the next try; `None` until somebody unblocks.
    pub until: Option<InstantMs>,
}

/// Who tried how often. May be used from many threads at once.
pub struct Tries {
    limits: TriesLimits,
    by_name: Mutex<HashMap<String, Count>>,
}

#[derive(Clone, Copy)]
struct Count {
    in_a_row: u32,
    in_all: u32,
    paused_until: Option<InstantMs>,
    last: InstantMs,
}

impl Tries {
    /// Nobody has tried yet.
    #[must_use]
    pub fn new(limits: TriesLimits) -> Self {
        Self { limits, by_name: Mutex::default() }
    }

    /// A try begins. It counts as failed until [`Self::succeeded`] says otherwise, so that many at the same time are as
    /// many tries.
    ///
    /// # Errors
    /// [`Blocked`]; then it is no try.
    pub fn begin(&self, who: &str, now: InstantMs) -> Result<(), Blocked> {
        let mut counts = self.counts();
        if !counts.contains_key(who) && counts.len() >= self.limits.remembered {
            self.forget(&mut counts, now);
        }
        let fresh = Count { in_a_row: 0, in_all: 0, paused_until: None, last: now };
        let count = counts.entry(who.to_string()).or_insert(fresh);
        if count.in_all >= self.limits.in_all {
            return Err(Blocked { until: None });
        }
        match count.paused_until {
            Some(until) if now < until => return Err(Blocked { until: Some(until) }),
            Some(_) => (count.paused_until, count.in_a_row) = (None, 0),
            None => {}
        }
        count.in_a_row += 1;
        count.in_all += 1;
        count.last = now;
        if count.in_a_row >= self.limits.in_a_row {
            count.paused_until = Some(now.saturating_add(self.limits.pause_ms));
        }
        Ok(())
    }

    /// A try that was begun succeeded: it does not count, and what failed before it is no row any more.
    pub fn succeeded(&self, who: &str) {
        let mut counts = self.counts();
        let Some(count) = counts.get_mut(who) else { return };
        (count.in_a_row, count.paused_until) = (0, None);
        count.in_all = count.in_all.saturating_sub(1);
        if count.in_all == 0 {
            counts.remove(who);
        }
    }

    /// A try that was begun did not come to an end: it does not count.
    pub fn took_back(&self, who: &str) {
        let mut counts = self.counts();
        let Some(count) = counts.get_mut(who) else { return };
        (count.in_a_row, count.in_all) = (count.in_a_row.saturating_sub(1), count.in_all.saturating_sub(1));
        if count.in_a_row < self.limits.in_a_row {
            count.paused_until = None;
        }
        if count.in_all == 0 {
            counts.remove(who);
        }
    }

    /// Everything somebody did is forgotten. Whether there was something.
    pub fn unblock(&self, who: &str) -> bool {
        self.counts().remove(who).is_some()
    }

    /// Makes room: an eighth of those who are not blocked goes, or, where all are, of all; longest ago first.
    fn forget(&self, counts: &mut HashMap<String, Count>, now: InstantMs) {
        let is_blocked =
            |count: &Count| count.in_all >= self.limits.in_all || count.paused_until.is_some_and(|until| now < until);
        let mut order: Vec<(bool, InstantMs)> = counts.values().map(|count| (is_blocked(count), count.last)).collect();
        if order.is_empty() {
            return;
        }
        let place = order.len() / 8;
        let (_, border, _) = order.select_nth_unstable(place);
        let border = *border;
        counts.retain(|_, count| (is_blocked(count), count.last) > border);
    }

    fn counts(&self) -> MutexGuard<'_, HashMap<String, Count>> {
        self.by_name.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tries() -> Tries {
        Tries::new(TriesLimits { in_a_row: 3, pause_ms: 300, in_all: 10, remembered: 16 })
    }

    #[test]
    fn three_failures_in_a_row_make_a_pause() {
        let tries = tries();
        for now in 0..3 {
            assert_eq!(tries.begin("a", now), Ok(()));
        }
        assert_eq!(tries.begin("a", 3), Err(Blocked { until: Some(302) }));
        assert_eq!(tries.begin("a", 301), Err(Blocked { until: Some(302) }));
        assert_eq!(tries.begin("b", 3), Ok(()), "everybody counts alone");
        assert_eq!(tries.begin("a", 302), Ok(()));
    }

    #[test]
    fn a_success_ends_the_row_but_not_the_sum() {
        let tries = tries();
        for round in 0..4 {
            assert_eq!(tries.begin("a", round), Ok(()));
            assert_eq!(tries.begin("a", round), Ok(()));
            assert_eq!(tries.begin("a", round), Ok(()), "round {round}");
            tries.succeeded("a");
        }
        assert_eq!((tries.begin("a", 4), tries.begin("a", 4)), (Ok(()), Ok(())));
        assert_eq!(tries.begin("a", 5), Err(Blocked { until: None }));
        assert_eq!(tries.begin("a", i64::MAX), Err(Blocked { until: None }));
        assert!(tries.unblock("a") && !tries.unblock("a"));
        assert_eq!(tries.begin("a", 6), Ok(()));
    }

    #[test]
    fn whoever_always_succeeds_is_never_blocked_nor_remembered() {
        let tries = tries();
        for now in 0..100 {
            assert_eq!(tries.begin("a", now), Ok(()));
            tries.succeeded("a");
        }
        assert!(tries.counts().is_empty());
        tries.succeeded("nobody");
    }

    #[test]
    fn tries_at_the_same_time_count_before_they_end() {
        let tries = tries();
        let begun = (0..10).filter(|_| tries.begin("a", 0).is_ok()).count();
        assert_eq!(begun, 3);
    }

    #[test]
    fn memory_is_bounded_and_the_blocked_stay_longest() {
        let tries = tries();
        for _ in 0..3 {
            tries.begin("blocked", 0).unwrap();
        }
        for number in 0..1000 {
            tries.begin(&format!("who-{number}"), 1 + number / 10).unwrap();
            assert!(tries.counts().len() <= 16);
        }
        assert!(tries.begin("blocked", 200).is_err());
        // Even where all are blocked, newcomers are counted.
        let tries = Tries::new(TriesLimits { in_a_row: 1, pause_ms: 1000, in_all: 1, remembered: 4 });
        for number in 0..100 {
            tries.begin(&number.to_string(), 0).unwrap();
            assert!(tries.counts().len() <= 4);
        }
    }
}
