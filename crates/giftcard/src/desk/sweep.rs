//! What time does to a ledger, for those who want to see it done: holds that passed are ended, and what is left on ended
//! cards becomes breakage. Nothing depends on it: a passed hold holds nothing, an ended card pays nothing. Must not know
//! what the time is.
//!
//! Safe to run twice, and by several at once: every step is an operation that is done once for all time.

use std::collections::BTreeMap;

use giftcard_engine::card::Status;
use giftcard_engine::moment::InstantMs;
use giftcard_engine::{Currency, Minor};
use giftcard_ledger::model::{Account, AccountKind, Id};
use giftcard_ledger::operations::{ExpireCard, Target, expire_hold};
use giftcard_ledger::store::AccountFilter;
use schemars::JsonSchema;
use serde::Serialize;

use super::verify::decimal;
use super::{Desk, DeskError, Doing};

/// Holds and cards that are read at a time.
const PAGE: usize = 500;

/// Milliseconds of a day.
const DAY_MS: i64 = 86_400_000;

/// What is swept.
#[derive(Clone, Debug, Default)]
pub struct SweepOptions {
    /// Cards of this site only; holds of all.
    pub site: Option<String>,
    /// Only cards that ended at least so many days ago.
    pub grace_days: u32,
    /// Who does it, for the records.
    pub actor: Option<String>,
}

/// How far a sweep has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SweepProgress {
    /// Holds that were ended.
    pub holds: u64,
    /// Cards that were looked at.
    pub cards: u64,
}

/// What `giftcard expire` did.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(rename = "expire-output")]
pub struct SweepReport {
    /// Holds that were ended.
    pub holds_ended: u64,
    /// Cards that were closed because they ended.
    pub cards_closed: u64,
    /// What was left on them, by currency, as decimals.
    pub breakage: BTreeMap<String, String>,
    /// Ended cards that were left as they are for now, because an order still holds something of them.
    pub cards_held: u64,
    /// Remembered refusals that were forgotten.
    pub refusals_forgotten: u64,
}

impl Desk {
    /// Sweeps. `progress` is called often.
    ///
    /// # Errors
    /// [`DeskError`]; what was done until then is done.
    pub fn sweep(
        &self,
        options: &SweepOptions,
        now: InstantMs,
        progress: &mut dyn FnMut(SweepProgress),
    ) -> Result<SweepReport, DeskError> {
        let mut report = SweepReport::default();
        let mut so_far = SweepProgress::default();
        self.end_holds(now, &mut report, &mut so_far, progress)?;
        let mut breakage: BTreeMap<Currency, i128> = BTreeMap::new();
        let ends_by = now.saturating_sub(i64::from(options.grace_days) * DAY_MS);
        // Closed ones, of which there may be many, are not read. Disabled ones are somebody's open question.
        for status in [Status::Active, Status::Pending] {
            let mut after = None;
            loop {
                let filter = AccountFilter {
                    site: options.site.clone(),
                    kind: Some(AccountKind::Card),
                    status: Some(status),
                    ends_by: Some(ends_by),
                    // An empty one is left as it is: a refund to it prolongs it, while a closed one needs a new card.
                    balance_min: Minor::new(1).ok(),
                    after,
                    limit: PAGE,
                    ..AccountFilter::default()
                };
                let page = self.store().accounts(&filter)?;
                for card in &page {
                    self.end_card(card, options, now, &mut report, &mut breakage)?;
                    so_far.cards += 1;
                    progress(so_far);
                }
                after = page.last().map(|card| card.id);
                if page.len() < PAGE {
                    break;
                }
            }
        }
        let told = |(currency, sum): (Currency, i128)| (currency.to_string(), decimal(sum, currency));
        report.breakage = breakage.into_iter().map(told).collect();
        report.refusals_forgotten = self.store().forget_refusals(now)?;
        Ok(report)
    }

    fn end_holds(
        &self,
        now: InstantMs,
        report: &mut SweepReport,
        so_far: &mut SweepProgress,
        progress: &mut dyn FnMut(SweepProgress),
    ) -> Result<(), DeskError> {
        let mut before: Vec<Id> = Vec::new();
        loop {
            let open = self.store().all_passed_holds(now, PAGE)?;
            let mut holds: Vec<Id> = open.into_iter().map(|open| open.hold).collect();
            holds.sort_unstable();
            holds.dedup();
            // What is still listed after it was ended would be listed for ever.
            if holds.is_empty() || holds == before {
                return Ok(());
            }
            for hold in &holds {
                let ended = expire_hold(self.ledger(), *hold, now)?;
                if ended.is_some_and(|answer| !answer.repeated) {
                    report.holds_ended += 1;
                    so_far.holds += 1;
                }
                progress(*so_far);
            }
            before = holds;
        }
    }

    fn end_card(
        &self,
        card: &Account,
        options: &SweepOptions,
        now: InstantMs,
        report: &mut SweepReport,
        breakage: &mut BTreeMap<Currency, i128>,
    ) -> Result<(), DeskError> {
        // Asked as an operation it would be refused for a day, also once the hold has ended.
        if !card.held.is_zero() {
            report.cards_held += 1;
            return Ok(());
        }
        let operation = format!("expire-card:{}", card.id);
        let doing = Doing { site: &card.site, operation: &operation, actor: options.actor.as_deref(), now };
        let command = ExpireCard { target: Target::Id(card.id) };
        match self.operate(&doing, &command, &serde_json::json!({ "card": card.id })) {
            Ok(answer) if answer.repeated => Ok(()),
            Ok(answer) => {
                report.cards_closed += 1;
                for line in super::receipt(&answer)?.accounts {
                    let left = card.currency.parse(&line.balance_before).unwrap_or_default();
                    *breakage.entry(card.currency).or_default() += i128::from(left.get());
                }
                Ok(())
            }
            Err(DeskError::Refused(refused)) => match refused.code.as_str() {
                "card-held" => {
                    report.cards_held += 1;
                    Ok(())
                }
                // Somebody else closed it, or prolonged it, since it was read.
                "card-closed" | "card-not-expired" => Ok(()),
                _ => Err(refused.into()),
            },
            Err(error) => Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::PayKind;
    use super::super::testing::{NOW, bench, document};
    use super::*;

    fn sweep(desk: &Desk, grace_days: u32, now: InstantMs) -> SweepReport {
        desk.sweep(&SweepOptions { grace_days, ..SweepOptions::default() }, now, &mut |_| {}).unwrap()
    }

    #[test]
    fn ended_cards_become_breakage_once_and_others_are_left() {
        let bench = bench();
        let until = |days: i64| giftcard_engine::moment::format_instant(NOW + days * DAY_MS);
        bench.card("ends", json!({ "value": "12.50", "expires_at": until(2) }));
        bench.card("ends too", json!({ "value": "0.75", "expires_at": until(2), "pending": true }));
        bench.card("later", json!({ "value": "5.00", "expires_at": until(30) }));
        bench.card("never", json!({ "value": "5.00" }));
        let (blocked, _) = bench.card("blocked", json!({ "value": "9.00", "expires_at": until(2) }));
        bench.desk.disable(&super::super::testing::doing("block"), &blocked, None).unwrap();
        assert_eq!(sweep(&bench.desk, 0, NOW + DAY_MS).cards_closed, 0);
        assert_eq!(sweep(&bench.desk, 5, NOW + 6 * DAY_MS).cards_closed, 0);
        let swept = sweep(&bench.desk, 5, NOW + 7 * DAY_MS);
        assert_eq!((swept.cards_closed, swept.holds_ended), (2, 0));
        assert_eq!(swept.breakage, BTreeMap::from([("USD".to_string(), "13.25".to_string())]));
        assert_eq!(sweep(&bench.another(9), 5, NOW + 7 * DAY_MS), SweepReport::default());
    }

    #[test]
    fn passed_holds_end_and_what_is_held_is_not_swept() {
        let bench = bench();
        let end = giftcard_engine::moment::format_instant(NOW + DAY_MS);
        let (_, code) = bench.card("a", json!({ "value": "10.00", "expires_at": end }));
        let (_, other) = bench.card("b", json!({ "value": "10.00" }));
        let hold = |operation: &str, code: &crate::codes::SecretCode, minutes: u32| {
            let input = json!({
                "operation": operation, "order": { "id": operation, "currency": "USD", "total": "4.00" },
                "cards": [{ "code": code.reveal() }], "hold_minutes": minutes,
            });
            bench.desk.pay(&document(&input), PayKind::Hold, NOW).unwrap();
        };
        hold("long", &code, 3 * 24 * 60);
        hold("short", &other, 1);
        let swept = sweep(&bench.desk, 0, NOW + 2 * DAY_MS);
        assert_eq!((swept.holds_ended, swept.cards_held, swept.cards_closed), (1, 1, 0));
        let swept = sweep(&bench.desk, 0, NOW + 4 * DAY_MS);
        assert_eq!((swept.holds_ended, swept.cards_held, swept.cards_closed), (1, 0, 1));
        assert_eq!(swept.breakage["USD"], "10.00");
        let report = bench.desk.verify(&super::super::VerifyOptions::default(), &mut |_| {}).unwrap();
        assert!(report.sound, "{:?}", report.findings);
    }
}
