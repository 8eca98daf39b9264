//! How much of an order cards may still pay for, with several kinds of cards that may pay for different parts. Shared by
//! the rules and by the checks on anybody's rules. Must not know balances, verdicts or limits.

use alloc::vec::Vec;

use super::{Line, Request, parts};
use crate::money::Minor;

/// Index of a line's part, 0 to 3; none for a line of no known part, which no card may pay for.
pub(crate) fn part_of(line: &Line) -> Option<usize> {
    (0..4).find(|part| line.parts & (1 << part) != 0)
}

/// What is left to pay, by set of parts. A set is a mask of [`parts::ALL`].
///
/// INVARIANT: for every set, the cards that may pay for nothing else pay together no more than its lines come to, less
/// what is paid already. So a card with fewer possibilities is never left standing before lines that another has paid
/// for twice.
pub(crate) struct Room {
    /// Lines that cards may pay for.
    lines: [Minor; 16],
    paid: Minor,
    base: Minor,
    used: [Minor; 16],
    /// What was excluded from a card, and what it paid.
    exclusions: Vec<(Minor, Minor)>,
}

impl Room {
    /// Of a request whose lines add up. Sums beyond the range of amounts count as the greatest amount.
    pub(crate) fn of(request: &Request) -> Self {
        let mut by_part = [Minor::ZERO; 4];
        for line in request.lines.iter().flatten().filter(|line| line.parts & parts::NO_CARD == 0) {
            if let Some(part) = part_of(line) {
                by_part[part] = by_part[part].plus(line.total).unwrap_or(Minor::MAX);
            }
        }
        let mut lines = [Minor::ZERO; 16];
        for (set, sum) in lines.iter_mut().enumerate() {
            let members = (0..4).filter(|part| set & (1 << part) != 0).map(|part| by_part[part]);
            *sum = match request.lines {
                Some(_) => Minor::sum(members).unwrap_or(Minor::MAX),
                // A bare total counts whole: whoever may not pay for some part is refused before.
                None => request.total,
            };
        }
        Self { lines, paid: request.paid, base: request.base(), used: [Minor::ZERO; 16], exclusions: Vec::new() }
    }

    /// What the lines of a set come to.
    pub(crate) fn lines(&self, set: u32) -> Minor {
        self.lines[(set & parts::ALL) as usize]
    }

    /// What a card that may pay for `set`, but not for `excluded` of the order, may pay now.
    pub(crate) fn payable(&self, set: u32, excluded: Minor) -> Minor {
        let set = (set & parts::ALL) as usize;
        let mut least = Minor::MAX;
        // Every wider set bounds it: cards of a narrower one must be left enough of what both may pay for.
        for wider in (0..16).filter(|wider| wider & set == set) {
            let narrower = (0..16).filter(|narrower| narrower & wider == *narrower);
            let used = Minor::sum(narrower.map(|narrower| self.used[narrower])).unwrap_or(Minor::MAX);
            least = least.min(self.lines[wider].less(self.paid).less(used));
        }
        // Exclusions are taken to lie within each other: those who are excluded from most share what remains.
        let thresholds = self.exclusions.iter().map(|(threshold, _)| *threshold).filter(|&t| t <= excluded);
        for threshold in thresholds.chain([excluded]) {
            let within = self.exclusions.iter().filter(|(other, _)| *other >= threshold).map(|(_, applied)| *applied);
            let used = Minor::sum(within).unwrap_or(Minor::MAX);
            least = least.min(self.base.less(threshold).less(used));
        }
        least
    }

    /// Takes a payment into account.
    pub(crate) fn pay(&mut self, set: u32, excluded: Minor, applied: Minor) {
        let set = (set & parts::ALL) as usize;
        self.used[set] = self.used[set].plus(applied).unwrap_or(Minor::MAX);
        if !excluded.is_zero() {
            self.exclusions.push((excluded, applied));
        }
    }
}
