//! What a replay found: counts, money by programme, and the first decisions that came out otherwise; as it is answered, and
//! as it is kept to be gone on with. Must not decide.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use giftcard_engine::moment::format_instant;
use giftcard_engine::{Currency, Minor};
use giftcard_host::Quoted;
use giftcard_ledger::store::DecisionRow;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::authoring::escaped;
use crate::desk::DeskError;
use crate::desk::decision::{Asked, AskedRefund, ShareFacts};
use crate::desk::verify::decimal;

/// Cards for which something else came out and that are told one by one.
const CHANGES_MAX: usize = 100;

/// Reasons that are told apart; the rest is counted together.
const REASONS_MAX: usize = 20;

/// What is not so about the figures.
const ABOUT: &str = "Each decision was decided alone, on what was recorded of it: money is the sum of differences, not a \
                     history of what would have been. Orders that were refused at the time are not recorded, so they are \
                     not among these.";

/// Where a replay is, to be kept and gone on with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReplayState {
    pub(super) fingerprint: String,
    /// Before the first decision of the period.
    pub(super) before: i64,
    pub(super) after: i64,
    pub(super) last: i64,
    pub(super) is_over: bool,
    pub(super) busy_ms: u64,
    pub(super) tally: Tally,
}

/// What was found so far.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Tally {
    decisions: u64,
    concerned: u64,
    same: u64,
    different: u64,
    /// Time that rules and conditions took, of all threads together.
    pub(super) deciding_ns: u64,
    /// Why, and how many.
    not_replayable: BTreeMap<String, u64>,
    failed: BTreeMap<String, u64>,
    orders_refused: u64,
    programmes: BTreeMap<String, Sums>,
    changes: Vec<ReplayChange>,
    refunds: u64,
    refunds_different: u64,
    returned: BTreeMap<String, ReturnedSums>,
}

/// What refunds gave back to cards of a programme; keys as of [`Sums`], without a programme for other payment methods.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct ReturnedSums {
    #[serde(with = "whole")]
    before: i128,
    #[serde(with = "whole")]
    after: i128,
}

/// Money of a programme in minor units of a currency. Keys are site, programme and currency, apart by line ends.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Sums {
    cards: u64,
    flipped: u64,
    newly_refused: u64,
    newly_accepted: u64,
    #[serde(with = "whole")]
    before: i128,
    #[serde(with = "whole")]
    after: i128,
}

/// Sums may be greater than a number of JSON.
mod whole {
    use serde::{Deserialize, Deserializer, Serializer, de};

    pub(super) fn serialize<S: Serializer>(sum: &i128, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(sum)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<i128, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

/// A decision that came out otherwise.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "ReplayChange")]
pub struct ReplayChange {
    /// The site.
    pub site: String,
    /// The key of the operation.
    pub operation: String,
    /// The order.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub order: Option<String>,
    /// When it was decided, as RFC 3339 in UTC.
    pub at: String,
    /// The card, by its id.
    pub card: String,
    /// The card's programme.
    pub programme: String,
    /// What was decided: `used`, `not-needed`, or why it was refused.
    pub before: String,
    /// What comes out now.
    pub after: String,
    /// What the card paid, in the order's currency.
    pub paid_before: String,
    /// What it would have paid.
    pub paid_after: String,
    /// The order's currency.
    pub currency: String,
}

/// What a replay found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(rename = "replay-output")]
pub struct ReplayReport {
    /// What is not so about the figures.
    pub about: String,
    /// Whether all decisions that were asked for are in it.
    pub complete: bool,
    /// Decisions that were run again.
    pub decisions: u64,
    /// Of these, those that something was put into: they bind what was given another version or other settings.
    pub concerned: u64,
    /// Of these, the same came out.
    pub same: u64,
    /// Of these, something else came out for at least one card.
    pub different: u64,
    /// Orders that cards paid for, and that none would have.
    pub orders_refused: u64,
    /// Of these, the rules gave no answer that counts. By reason.
    pub failed: BTreeMap<String, u64>,
    /// Decisions that could not be run again. By reason.
    pub not_replayable: BTreeMap<String, u64>,
    /// By site, programme and currency of the orders.
    pub programmes: Vec<ReplayProgramme>,
    /// The first cards for which something else came out, at most 100.
    pub changes: Vec<ReplayChange>,
    /// Refunds that were split again: all where other rules are given, none otherwise, since conditions have no part in them.
    pub refunds: u64,
    /// Of these, those that were split otherwise, or not at all.
    pub refunds_different: u64,
    /// By site, programme and currency of the orders.
    pub returned: Vec<ReplayReturned>,
    /// Milliseconds that it took, by the clock.
    pub milliseconds: u64,
    /// Milliseconds that the rules and conditions took of these, on all threads together.
    pub deciding_milliseconds: u64,
}

/// What cards of a programme would have paid.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(rename = "ReplayProgramme")]
pub struct ReplayProgramme {
    /// The site that decided.
    pub site: String,
    /// The programme.
    pub programme: String,
    /// The orders' currency.
    pub currency: String,
    /// Cards in decisions, each as often as it was in one.
    pub cards: u64,
    /// Of these, those for which something else came out.
    pub flipped: u64,
    /// Of these, those that were not refused and would be.
    pub newly_refused: u64,
    /// Of these, those that were refused and would not be.
    pub newly_accepted: u64,
    /// What they paid.
    pub before: String,
    /// What they would have paid.
    pub after: String,
    /// The difference, negative where they would have paid less.
    pub difference: String,
}

/// What refunds gave back to cards of a programme, and would have given.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(rename = "ReplayReturned")]
pub struct ReplayReturned {
    /// The site of the order.
    pub site: String,
    /// The programme; empty for other payment methods.
    pub programme: String,
    /// The orders' currency.
    pub currency: String,
    /// What went back.
    pub before: String,
    /// What would have gone back.
    pub after: String,
    /// The difference, negative where it would have been less.
    pub difference: String,
}

/// Site, programme and currency of a key, and amounts of that currency in words.
fn parts_of(key: &str) -> ([String; 3], impl Fn(i128) -> String) {
    let mut parts = key.split('\n').map(str::to_string);
    let parts = std::array::from_fn(|_| parts.next().unwrap_or_default());
    let [_, _, currency] = &parts;
    let known = Currency::iso(currency);
    (parts, move |sum: i128| known.map_or_else(|| sum.to_string(), |known| decimal(sum, known)))
}

impl ReplayState {
    /// Where a replay begins.
    pub(super) fn begin(fingerprint: &str) -> Self {
        Self {
            fingerprint: fingerprint.to_string(),
            before: 0,
            after: 0,
            last: 0,
            is_over: false,
            busy_ms: 0,
            tally: Tally::default(),
        }
    }

    /// Decisions that were run again so far.
    #[must_use]
    pub fn decisions(&self) -> u64 {
        self.tally.decisions
    }

    /// How far it has come, out of how far there was to go when it was begun or gone on with: numbers of operations.
    #[must_use]
    pub fn progress(&self) -> (u64, u64) {
        let number = |number: i64| u64::try_from(number.saturating_sub(self.before)).unwrap_or(0);
        (number(self.after), number(self.last))
    }

    /// Decisions that came out otherwise so far.
    #[must_use]
    pub fn different(&self) -> u64 {
        self.tally.different
    }

    /// What was found so far.
    #[must_use]
    pub fn report(&self) -> ReplayReport {
        let tally = &self.tally;
        let programme = |(key, sums): (&String, &Sums)| {
            let ([site, programme, currency], money) = parts_of(key);
            ReplayProgramme {
                cards: sums.cards,
                flipped: sums.flipped,
                newly_refused: sums.newly_refused,
                newly_accepted: sums.newly_accepted,
                before: money(sums.before),
                after: money(sums.after),
                difference: money(sums.after.saturating_sub(sums.before)),
                site,
                programme,
                currency,
            }
        };
        let returned = |(key, sums): (&String, &ReturnedSums)| {
            let ([site, programme, currency], money) = parts_of(key);
            let (before, after) = (money(sums.before), money(sums.after));
            let difference = money(sums.after.saturating_sub(sums.before));
            ReplayReturned { site, programme, currency, before, after, difference }
        };
        ReplayReport {
            about: ABOUT.to_string(),
            complete: self.is_over,
            decisions: tally.decisions,
            concerned: tally.concerned,
            same: tally.same,
            different: tally.different,
            orders_refused: tally.orders_refused,
            failed: tally.failed.clone(),
            not_replayable: tally.not_replayable.clone(),
            programmes: tally.programmes.iter().map(programme).collect(),
            changes: tally.changes.clone(),
            refunds: tally.refunds,
            refunds_different: tally.refunds_different,
            returned: tally.returned.iter().map(returned).collect(),
            milliseconds: self.busy_ms,
            deciding_milliseconds: tally.deciding_ns / 1_000_000,
        }
    }
}

impl Tally {
    pub(super) fn add(&mut self, other: Self) {
        self.decisions = self.decisions.saturating_add(other.decisions);
        self.concerned = self.concerned.saturating_add(other.concerned);
        self.deciding_ns = self.deciding_ns.saturating_add(other.deciding_ns);
        self.same = self.same.saturating_add(other.same);
        self.different = self.different.saturating_add(other.different);
        self.orders_refused = self.orders_refused.saturating_add(other.orders_refused);
        for (why, count) in other.not_replayable {
            count_reason(&mut self.not_replayable, why, count);
        }
        for (why, count) in other.failed {
            count_reason(&mut self.failed, why, count);
        }
        for (key, sums) in other.programmes {
            let all = self.programmes.entry(key).or_default();
            all.cards = all.cards.saturating_add(sums.cards);
            all.flipped = all.flipped.saturating_add(sums.flipped);
            all.newly_refused = all.newly_refused.saturating_add(sums.newly_refused);
            all.newly_accepted = all.newly_accepted.saturating_add(sums.newly_accepted);
            all.before = all.before.saturating_add(sums.before);
            all.after = all.after.saturating_add(sums.after);
        }
        self.refunds = self.refunds.saturating_add(other.refunds);
        self.refunds_different = self.refunds_different.saturating_add(other.refunds_different);
        for (key, sums) in other.returned {
            let all = self.returned.entry(key).or_default();
            all.before = all.before.saturating_add(sums.before);
            all.after = all.after.saturating_add(sums.after);
        }
        self.changes.extend(other.changes);
        // Threads take turns; which are the first must not depend on them.
        self.changes.sort_by(|one, other| {
            (&one.at, &one.site, &one.operation, &one.card).cmp(&(
                &other.at,
                &other.site,
                &other.operation,
                &other.card,
            ))
        });
        self.changes.truncate(CHANGES_MAX);
    }

    pub(super) fn not_replayable(&mut self, why: String) {
        count_reason(&mut self.not_replayable, why, 1);
    }

    /// A decision, and what comes out now.
    pub(super) fn decided(&mut self, row: &DecisionRow, asked: &Asked<'_>, answer: Result<Quoted, DeskError>) {
        self.decisions += 1;
        self.concerned += u64::from(asked.stage.is_changed);
        let quoted = match answer {
            Ok(quoted) => quoted,
            Err(error) => {
                self.different += 1;
                let had_paid = asked.shares.iter().any(|share| share.applied > 0);
                self.orders_refused += u64::from(had_paid);
                count_reason(&mut self.failed, error.code().to_string(), 1);
                let nothing: Vec<ShareFacts<'_>> = asked
                    .shares
                    .iter()
                    .map(|share| ShareFacts { outcome: error.code().into(), applied: 0, taken: 0, ..share.clone() })
                    .collect();
                self.compare(row, asked, &nothing);
                return;
            }
        };
        let (shares, due) = asked.outcome(&quoted);
        let is_same = self.compare(row, asked, &shares) && due == asked.due;
        *(if is_same { &mut self.same } else { &mut self.different }) += 1;
        let paid = |shares: &[ShareFacts<'_>]| shares.iter().map(|share| i128::from(share.applied)).sum::<i128>();
        self.orders_refused += u64::from(paid(&asked.shares) > 0 && paid(&shares) == 0);
        for run in &quoted.quote.conditions {
            if let Some((failure, _)) = &run.failure {
                count_reason(&mut self.failed, failure.code.clone(), 1);
            }
        }
    }

    /// The split of a refund, and what comes out now.
    pub(super) fn split(
        &mut self,
        row: &DecisionRow,
        asked: &AskedRefund<'_>,
        answer: Result<giftcard_host::Refunded, DeskError>,
    ) {
        self.refunds += 1;
        if let Err(error) = &answer {
            count_reason(&mut self.failed, error.code().to_string(), 1);
        }
        let split = answer.ok();
        self.refunds_different += u64::from(!split.as_ref().is_some_and(|split| asked.is_same(split)));
        for share in asked.returned(split.as_ref()) {
            let key = [&row.key.site, share.programme, asked.currency()].join("\n");
            let sums = self.returned.entry(key).or_default();
            sums.before += i128::from(share.before);
            sums.after += i128::from(share.after);
        }
    }

    /// Adds up what cards paid and would have paid; whether it is the same for each.
    fn compare(&mut self, row: &DecisionRow, asked: &Asked<'_>, shares: &[ShareFacts<'_>]) -> bool {
        let currency = asked.currency();
        let mut all_same = true;
        for before in &asked.shares {
            let Some(after) = shares.iter().find(|share| share.card == before.card) else { continue };
            let programme = asked.programme_of(&before.card);
            let sums = self.programmes.entry([&row.key.site, programme, currency.code()].join("\n")).or_default();
            sums.cards += 1;
            sums.before += i128::from(before.applied);
            sums.after += i128::from(after.applied);
            if before == after {
                continue;
            }
            all_same = false;
            sums.flipped += 1;
            sums.newly_refused += u64::from(is_refused(after) && !is_refused(before));
            sums.newly_accepted += u64::from(is_refused(before) && !is_refused(after));
            if self.changes.len() < CHANGES_MAX {
                let money = |amount: i64| {
                    Minor::new(amount).map_or_else(|_| amount.to_string(), |amount| currency.format(amount))
                };
                self.changes.push(ReplayChange {
                    site: row.key.site.clone(),
                    operation: row.key.key.clone(),
                    order: row.order.clone(),
                    at: format_instant(row.at),
                    card: before.card.to_string(),
                    programme: programme.to_string(),
                    before: before.outcome.to_string(),
                    after: after.outcome.to_string(),
                    paid_before: money(before.applied),
                    paid_after: money(after.applied),
                    currency: currency.to_string(),
                });
            }
        }
        all_same
    }
}

fn is_refused(share: &ShareFacts<'_>) -> bool {
    !matches!(&*share.outcome, "used" | "not-needed")
}

fn count_reason(reasons: &mut BTreeMap<String, u64>, why: String, count: u64) {
    let why =
        if reasons.len() >= REASONS_MAX && !reasons.contains_key(&why) { "other reasons".to_string() } else { why };
    let so_far = reasons.entry(why).or_default();
    *so_far = so_far.saturating_add(count);
}

/// Most rows of the picture.
const ROWS_MAX: usize = 30;

/// What cards of each programme paid and would have paid, as an SVG picture: two bars for each programme. Bars are compared
/// within one currency.
#[must_use]
pub fn picture(report: &ReplayReport) -> String {
    const WIDTH: i128 = 900;
    const LEFT: i128 = 300;
    const BAR: i128 = 360;
    const ROW: usize = 46;
    let rows = &report.programmes[..report.programmes.len().min(ROWS_MAX)];
    let height = 90 + rows.len() * ROW;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{WIDTH}\" height=\"{height}\" viewBox=\"0 0 {WIDTH} {height}\" \
         font-family=\"system-ui, sans-serif\" font-size=\"13\">\n<rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n"
    );
    let title = format!(
        "{} of {} decisions would have come out otherwise; {} orders would have been refused",
        report.different, report.decisions, report.orders_refused
    );
    let _ = writeln!(svg, "<text x=\"16\" y=\"28\" font-size=\"16\" font-weight=\"600\">{}</text>", escaped(&title));
    let _ = writeln!(
        svg,
        "<rect x=\"16\" y=\"42\" width=\"12\" height=\"12\" fill=\"#9aa5b1\"/><text x=\"34\" y=\"53\">paid</text>\
         <rect x=\"90\" y=\"42\" width=\"12\" height=\"12\" fill=\"#2f6fde\"/><text x=\"108\" y=\"53\">would have paid</text>"
    );
    let number = |text: &str| -> i128 {
        let digits: String = text.chars().filter(char::is_ascii_digit).collect();
        digits.parse().unwrap_or(0)
    };
    for (place, row) in rows.iter().enumerate() {
        let of_currency = rows.iter().filter(|other| other.currency == row.currency);
        let most =
            of_currency.flat_map(|other| [number(&other.before), number(&other.after)]).max().unwrap_or(1).max(1);
        let y = 74 + place * ROW;
        let name = escaped(&format!("{} ({})", row.programme, row.site));
        let _ = writeln!(svg, "<text x=\"16\" y=\"{}\">{name}</text>", y + 18);
        for (offset, amount, colour) in [(4, &row.before, "#9aa5b1"), (20, &row.after, "#2f6fde")] {
            let width = number(amount) * BAR / most;
            let text = escaped(&format!("{amount} {}", row.currency));
            let _ = writeln!(
                svg,
                "<rect x=\"{LEFT}\" y=\"{}\" width=\"{width}\" height=\"14\" fill=\"{colour}\"><title>{text}</title></rect>\
                 <text x=\"{}\" y=\"{}\" font-size=\"11\">{text}</text>",
                y + offset,
                LEFT + width + 6,
                y + offset + 11
            );
        }
    }
    svg.push_str("</svg>\n");
    svg
}
