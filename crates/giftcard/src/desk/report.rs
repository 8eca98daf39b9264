//! Reports: what is owed, what moved in a period, what was left over on ended cards, which codes are left. Adds up what the
//! store sums. Must not know SQL, nor how a report is shown.

use std::collections::BTreeMap;

use giftcard_engine::card::Status;
use giftcard_engine::moment::{InstantMs, format_instant};
use giftcard_engine::{Currency, Minor};
use giftcard_ledger::model::{AccountKind, OperationKind};
use giftcard_ledger::store::AccountFilter;

use super::verify::decimal;
use super::{Desk, DeskError};
use crate::input::{DayOrInstant, InputErrorKind};
use crate::json::excerpt;
use crate::output::{
    BreakageReport, BreakageRow, LiabilityReport, LiabilityRow, LiabilityTotal, StockReport, StockRow, TurnoverReport,
    TurnoverRow,
};

/// Accounts that are read at a time.
const PAGE: usize = 1000;

/// From when to when. Days are those of each site's own zone; the period is half-open, so that what follows on one
/// begins where it ends.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Period {
    /// The first day, or instant, that counts; the beginning if none.
    pub from: Option<DayOrInstant>,
    /// The first day, or instant, that does not count any more; everything up to now counts if none.
    pub to: Option<DayOrInstant>,
}

/// Whose amounts are added up.
type Group = (String, AccountKind, String, Currency);

#[derive(Default)]
struct Owed {
    accounts: u64,
    active: i128,
    pending: i128,
    disabled: i128,
    expired: i128,
    held: i128,
}

#[derive(Default)]
struct Moved {
    by_kind: BTreeMap<OperationKind, (u64, i128)>,
}

impl Moved {
    fn sum(&self, kinds: &[OperationKind]) -> i128 {
        kinds.iter().filter_map(|kind| self.by_kind.get(kind)).map(|(_, sum)| sum).sum()
    }
}

/// A period at one site.
struct Bounds {
    site: String,
    from: Option<InstantMs>,
    to: Option<InstantMs>,
}

impl Desk {
    /// What is owed as of `now`, at one site or at all.
    ///
    /// # Errors
    /// [`DeskError`].
    pub fn report_liability(&self, site: Option<&str>, now: InstantMs) -> Result<LiabilityReport, DeskError> {
        self.known_site(site)?;
        let mut groups: BTreeMap<Group, Owed> = BTreeMap::new();
        for sum in self.store().liabilities(site)? {
            // Closing takes an empty card.
            if sum.status == Status::Closed {
                continue;
            }
            let owed = groups.entry(group(&sum.site, sum.kind, &sum.programme, sum.currency)).or_default();
            owed.accounts += sum.accounts;
            owed.held += sum.held_minor;
            match sum.status {
                Status::Active | Status::Closed => owed.active += sum.balance_minor,
                Status::Pending => owed.pending += sum.balance_minor,
                Status::Disabled => owed.disabled += sum.balance_minor,
            }
        }
        for (key, (_, ended)) in self.ended(site, now)? {
            let owed = groups.entry(key).or_default();
            owed.active -= ended;
            owed.expired += ended;
        }
        let mut totals: BTreeMap<Currency, (u64, i128, i128)> = BTreeMap::new();
        let mut rows = Vec::with_capacity(groups.len());
        for ((site, kind, programme, currency), owed) in groups {
            let total = owed.active + owed.pending + owed.disabled + owed.expired;
            let sums = totals.entry(currency).or_default();
            *sums = (sums.0 + owed.accounts, sums.1 + total, sums.2 + owed.held);
            rows.push(LiabilityRow {
                site,
                kind: kind_name(kind),
                programme,
                currency: currency.to_string(),
                accounts: owed.accounts,
                active: decimal(owed.active, currency),
                pending: decimal(owed.pending, currency),
                disabled: decimal(owed.disabled, currency),
                expired: decimal(owed.expired, currency),
                total: decimal(total, currency),
                held: decimal(owed.held, currency),
            });
        }
        let total = |(currency, (accounts, total, held)): (Currency, (u64, i128, i128))| LiabilityTotal {
            currency: currency.to_string(),
            accounts,
            total: decimal(total, currency),
            held: decimal(held, currency),
        };
        Ok(LiabilityReport { at: format_instant(now), rows, totals: totals.into_iter().map(total).collect() })
    }

    /// What moved in a period, at one site or at all.
    ///
    /// # Errors
    /// [`DeskError::Input`] for a period that is none.
    pub fn report_turnover(&self, site: Option<&str>, period: &Period) -> Result<TurnoverReport, DeskError> {
        let mut rows = Vec::new();
        for bounds in self.bounds(site, period)? {
            for ((site, kind, programme, currency), moved) in self.moved(&bounds)? {
                let taken = |kinds: &[OperationKind]| decimal(-moved.sum(kinds), currency);
                let given = |kinds: &[OperationKind]| decimal(moved.sum(kinds), currency);
                rows.push(TurnoverRow {
                    site,
                    from: bounds.from.map(format_instant),
                    to: bounds.to.map(format_instant),
                    kind: kind_name(kind),
                    programme,
                    currency: currency.to_string(),
                    issued: given(&[OperationKind::Issue]),
                    loaded: given(&[OperationKind::Load]),
                    redeemed: taken(&[OperationKind::Redeem, OperationKind::Capture]),
                    refunded: given(&[OperationKind::Refund]),
                    returned: taken(&[OperationKind::RefundPurchase, OperationKind::CancelPurchase]),
                    adjusted: given(&[OperationKind::Adjust]),
                    expired: taken(&[OperationKind::Expire]),
                    moved: given(&[OperationKind::ToCredit, OperationKind::Transfer]),
                    net: given(&OperationKind::ALL),
                });
            }
        }
        Ok(TurnoverReport { rows })
    }

    /// What was left over on cards that ended in a period, and what is on ended cards as of `now`.
    ///
    /// # Errors
    /// [`DeskError::Input`] for a period that is none.
    pub fn report_breakage(
        &self,
        site: Option<&str>,
        period: &Period,
        now: InstantMs,
    ) -> Result<BreakageReport, DeskError> {
        let mut groups: BTreeMap<Group, (Moved, u64, i128)> = BTreeMap::new();
        for bounds in self.bounds(site, period)? {
            for (key, moved) in self.moved(&bounds)? {
                if key.1 == AccountKind::Card {
                    groups.insert(key, (moved, 0, 0));
                }
            }
        }
        for (key, (cards, waiting)) in self.ended(site, now)? {
            let group = groups.entry(key).or_default();
            (group.1, group.2) = (cards, waiting);
        }
        let row = |((site, _, programme, currency), (moved, cards_waiting, waiting)): (Group, (Moved, u64, i128))| {
            BreakageRow {
                site,
                programme,
                currency: currency.to_string(),
                issued: decimal(moved.sum(&[OperationKind::Issue, OperationKind::Load]), currency),
                cards_expired: moved.by_kind.get(&OperationKind::Expire).map_or(0, |(count, _)| *count),
                breakage: decimal(-moved.sum(&[OperationKind::Expire]), currency),
                cards_waiting,
                waiting: decimal(waiting, currency),
            }
        };
        Ok(BreakageReport { at: format_instant(now), rows: groups.into_iter().map(row).collect() })
    }

    /// Which codes of which pools are left, at one site or at all.
    ///
    /// # Errors
    /// [`DeskError`].
    pub fn report_stock(&self, site: Option<&str>) -> Result<StockReport, DeskError> {
        let mut rows = Vec::new();
        for site in self.named_or_all(site)? {
            for pool in self.pools(&site)? {
                rows.push(StockRow {
                    site: pool.site,
                    pool: pool.pool.name.to_string(),
                    free: pool.free,
                    reserved: pool.reserved,
                    drawn: pool.drawn,
                    withdrawn: pool.withdrawn,
                    low_stock: pool.pool.low_stock.map(|count| count.0),
                    low: pool.is_low,
                });
            }
        }
        Ok(StockReport { rows })
    }

    /// How many active cards ended with something on them, and how much that is.
    fn ended(&self, site: Option<&str>, now: InstantMs) -> Result<BTreeMap<Group, (u64, i128)>, DeskError> {
        let mut ended: BTreeMap<Group, (u64, i128)> = BTreeMap::new();
        let mut after = None;
        loop {
            let filter = AccountFilter {
                site: site.map(str::to_string),
                kind: Some(AccountKind::Card),
                status: Some(Status::Active),
                ends_by: Some(now),
                balance_min: Minor::new(1).ok(),
                after,
                limit: PAGE,
                ..AccountFilter::default()
            };
            let page = self.store().accounts(&filter)?;
            for card in &page {
                let sum = ended.entry(group(&card.site, card.kind, &card.programme, card.currency)).or_default();
                *sum = (sum.0 + 1, sum.1 + i128::from(card.balance.get()));
            }
            after = page.last().map(|card| card.id);
            if page.len() < PAGE {
                return Ok(ended);
            }
        }
    }

    fn moved(&self, bounds: &Bounds) -> Result<BTreeMap<Group, Moved>, DeskError> {
        let (from, to) = (bounds.from.unwrap_or(InstantMs::MIN), bounds.to.unwrap_or(InstantMs::MAX));
        let mut groups: BTreeMap<Group, Moved> = BTreeMap::new();
        for sum in self.store().turnover(Some(&bounds.site), from, to)? {
            let moved = groups.entry(group(&sum.site, sum.kind, &sum.programme, sum.currency)).or_default();
            let of_kind = moved.by_kind.entry(sum.operation).or_default();
            *of_kind = (of_kind.0 + sum.entries, of_kind.1 + sum.amount_minor);
        }
        Ok(groups)
    }

    /// The period at each site, since a day begins at another instant in each zone.
    fn bounds(&self, site: Option<&str>, period: &Period) -> Result<Vec<Bounds>, DeskError> {
        let configuration = self.configuration()?;
        let mut all = Vec::new();
        for id in self.named_or_all(site)? {
            let zone = &self.site_of(&configuration, &id)?.zone;
            let at = |end: &Option<DayOrInstant>, field: &str| match end {
                None => Ok(None),
                Some(end) => end.begin(zone).map(Some).map_err(|error| DeskError::from(error.under(field))),
            };
            let (from, to) = (at(&period.from, "from")?, at(&period.to, "to")?);
            if from.zip(to).is_some_and(|(from, to)| from >= to) {
                let problem = "is not after `from`; it is the first day that does not count any more, so that January is \
                               from `2026-01-01` to `2026-02-01`";
                return Err(DeskError::input(InputErrorKind::Inconsistent, "to", problem));
            }
            all.push(Bounds { site: id, from, to });
        }
        Ok(all)
    }

    fn named_or_all(&self, site: Option<&str>) -> Result<Vec<String>, DeskError> {
        self.known_site(site)?;
        match site {
            Some(site) => Ok(vec![site.to_string()]),
            None => Ok(self.configuration()?.sites().map(|site| site.site.id.clone()).collect()),
        }
    }

    fn known_site(&self, site: Option<&str>) -> Result<(), DeskError> {
        match site {
            Some(id) if self.configuration()?.site(id).is_none() => {
                let problem = format!("there is no site `{}`", excerpt(id));
                Err(DeskError::input(InputErrorKind::InvalidValue, "site", problem))
            }
            _ => Ok(()),
        }
    }
}

fn group(site: &str, kind: AccountKind, programme: &str, currency: Currency) -> Group {
    (site.to_string(), kind, programme.to_string(), currency)
}

const fn kind_name(kind: AccountKind) -> &'static str {
    match kind {
        AccountKind::Card => "card",
        AccountKind::Credit => "credit",
    }
}

#[cfg(test)]
mod tests;
