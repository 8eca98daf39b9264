//! Ids of accounts, codes and holds. Must not know what they are given to.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use giftcard_engine::moment::InstantMs;

use crate::model::Id;

/// Makes ids: the moment in front, so that new ones lie together, and a counter from a random start behind it.
pub(crate) struct Ids {
    last: AtomicI64,
    random: AtomicU64,
}

/// Bits of an id behind the moment.
const ID_RANDOM_BITS: u32 = 20;

impl Ids {
    pub(crate) fn new(random: u64) -> Self {
        Self { last: AtomicI64::new(0), random: AtomicU64::new(random) }
    }

    /// Splitmix64: spreads ids and pauses; no secret depends on it.
    pub(crate) fn random(&self) -> u64 {
        let state = self.random.fetch_add(0x9e37_79b9_7f4a_7c15, Ordering::Relaxed);
        let state = (state ^ state >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let state = (state ^ state >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        state ^ state >> 31
    }

    pub(crate) fn next(&self, now: InstantMs) -> Id {
        let moment = now.clamp(0, i64::MAX >> ID_RANDOM_BITS) << ID_RANDOM_BITS;
        let random = i64::try_from(self.random() >> (64 - ID_RANDOM_BITS)).unwrap_or(0);
        let fresh = moment | random;
        // A greater one than the last, so that many made in one moment stay together and differ.
        let next = |last: i64| {
            Some(if last >= fresh || last >> ID_RANDOM_BITS == fresh >> ID_RANDOM_BITS {
                last.saturating_add(1)
            } else {
                fresh
            })
        };
        let last = self.last.fetch_update(Ordering::AcqRel, Ordering::Acquire, next).unwrap_or(fresh);
        Id::new(next(last).unwrap_or(fresh)).expect("INVARIANT: made from numbers that are not negative")
    }
}
