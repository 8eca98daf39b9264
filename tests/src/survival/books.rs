//! Whether a ledger adds up: every chain, every balance, every sum, every hold, recomputed from the operations alone, by
//! other means than the product's own check, which has to agree. Must not know which operations should be there.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use anyhow::{Result, ensure};
use giftcard::Desk;
use giftcard::desk::{Decisions, VerifyOptions};
use giftcard_engine::card::Status;
use giftcard_engine::{Currency, Minor};
use giftcard_ledger::chain;
use giftcard_ledger::model::{
    Account, AccountKind, Counter, Entry, Hash32, HoldRecord, HoldState, Id, Leg, OperationKind, OrderRecord,
    RecordKind,
};
use giftcard_ledger::operations::hold_lines_left;
use giftcard_ledger::plan::read_record;
use giftcard_ledger::store::{AccountFilter, Numbered, Store, StoreError, Want};

/// Rows that are read at a time.
const PAGE: usize = 1000;

/// Faults that are told; a broken ledger has many.
const FAULTS_MAX: usize = 20;

type StoreResult<T> = std::result::Result<T, StoreError>;

/// What looking through a ledger showed.
#[derive(Debug, Default)]
pub struct Audit {
    /// How many operations there are.
    pub operations: usize,
    /// What does not add up, at most 20 of them. Empty for a sound ledger.
    pub faults: Vec<String>,
}

impl Audit {
    fn fault(&mut self, fault: impl FnOnce() -> String) {
        if self.faults.len() < FAULTS_MAX {
            self.faults.push(fault());
        }
    }

    fn expect(&mut self, holds: bool, fault: impl FnOnce() -> String) {
        if !holds {
            self.fault(fault);
        }
    }
}

/// An account as its entries make it.
#[derive(Clone, Copy)]
struct Chain {
    number: u64,
    balance: i64,
    held: i64,
    status: Status,
    head: Hash32,
}

/// What the operations add up to.
#[derive(Default)]
struct Sums {
    chains: HashMap<Id, Chain>,
    counters: BTreeMap<(Option<Counter>, Currency), i128>,
    /// Paid and returned by site, order and account.
    paid: BTreeMap<(String, String), Vec<(Id, i64)>>,
    returned: BTreeMap<(String, String), i64>,
    high_water: i64,
}

/// Looks through a ledger that nobody writes to. `each` is shown every operation in order.
///
/// # Errors
/// [`StoreError`] where the ledger cannot be read, which is worse than a fault.
pub fn audit(store: &dyn Store, sites: &[&str], mut each: impl FnMut(&Numbered)) -> StoreResult<Audit> {
    let (mut audit, mut sums) = (Audit::default(), Sums::default());
    let mut keys = HashSet::new();
    let mut after = i64::MIN;
    loop {
        let page = store.operations(after, PAGE)?;
        for numbered in &page {
            let key = &numbered.operation.key;
            audit.expect(numbered.sequence > after, || format!("`{}` is out of order", key.key));
            audit.expect(keys.insert(key.clone()), || format!("`{}` is there twice", key.key));
            after = numbered.sequence;
            audit.operations += 1;
            add(numbered, &mut sums, &mut audit);
            each(numbered);
        }
        if page.len() < PAGE {
            break;
        }
    }
    compare_accounts(store, &sums, &mut audit)?;
    compare_sums(store, &sums, &mut audit)?;
    compare_holds(store, &mut audit)?;
    for site in sites {
        compare_orders(store, site, &sums, &mut audit)?;
    }
    Ok(audit)
}

/// The product's own check of a ledger, with some of the decisions run again.
///
/// # Errors
/// What it found.
pub fn verify(desk: &Desk) -> Result<()> {
    const DECISIONS: usize = 10;
    let options = VerifyOptions { decisions: Decisions::Sample(DECISIONS), exported: Vec::new() };
    let report = desk.verify(&options, &mut |_| {})?;
    let told: Vec<String> = report.findings.iter().map(ToString::to_string).collect();
    ensure!(report.sound, "the ledger's own check found {}", told.join("; "));
    Ok(())
}

/// Whether a ledger has the first of another's operations, equal row by row, and no others.
///
/// # Errors
/// The first operation that is missing, is another, or is too much.
pub fn is_beginning_of(whole: &[Numbered], part: &[Numbered]) -> std::result::Result<(), String> {
    for (place, numbered) in part.iter().enumerate() {
        let key = &numbered.operation.key.key;
        match whole.get(place) {
            None => return Err(format!("`{key}` is more than was ever done")),
            Some(expected) if expected == numbered => {}
            Some(expected) => {
                return Err(format!("operation {place} is `{key}`, and was `{}`", expected.operation.key.key));
            }
        }
    }
    Ok(())
}

fn add(numbered: &Numbered, sums: &mut Sums, audit: &mut Audit) {
    let operation = &numbered.operation;
    let digest = chain::operation_hash(operation);
    let mut legs: BTreeMap<Currency, i128> = BTreeMap::new();
    sums.high_water = sums.high_water.max(operation.at);
    audit.expect(!numbered.entries.is_empty() || operation.kind == OperationKind::Reveal, || {
        format!("`{}` has no entries", operation.key.key)
    });
    for entry in &numbered.entries {
        let amount = i128::from(entry.amount.get());
        *legs.entry(entry.currency).or_default() += amount;
        let counter = match entry.leg {
            Leg::Counter(counter) => Some(counter),
            Leg::Account { id, .. } => {
                link(id, entry, &digest, &operation.key.key, sums, audit);
                tender(numbered, id, entry.amount.get(), sums);
                None
            }
        };
        *sums.counters.entry((counter, entry.currency)).or_default() += amount;
    }
    for (currency, sum) in legs {
        audit.expect(sum == 0, || format!("the legs of `{}` sum to {sum} {currency}", operation.key.key));
    }
}

/// Adds an account's entry to its chain.
fn link(id: Id, entry: &Entry, digest: &Hash32, key: &str, sums: &mut Sums, audit: &mut Audit) {
    let Leg::Account { held_change, balance, held, status, number, hash, .. } = entry.leg else { return };
    let before = sums.chains.get(&id).copied().unwrap_or(Chain {
        number: 0,
        balance: 0,
        held: 0,
        status,
        head: chain::BEGINNING,
    });
    let after = Account { currency: entry.currency, balance, held, status, version: number, ..blank(id) };
    let expected = chain::entry_hash(&before.head, digest, &after, entry.amount, held_change);
    audit.expect(number == before.number + 1, || {
        format!("`{key}` adds entry {number} to {id} after entry {}", before.number)
    });
    audit.expect(balance.get() == before.balance + entry.amount.get(), || {
        format!(
            "`{key}` leaves {} on {id}, which had {} and gets {}",
            balance.get(),
            before.balance,
            entry.amount.get()
        )
    });
    audit.expect(held.get() == before.held + held_change.get() && held >= Minor::ZERO && held <= balance, || {
        format!("`{key}` leaves {} of {} held on {id}, which had {}", held.get(), balance.get(), before.held)
    });
    audit.expect(hash == expected, || format!("`{key}` breaks the chain of {id} at entry {number}"));
    sums.chains.insert(id, Chain { number, balance: balance.get(), held: held.get(), status, head: hash });
}

/// An account with nothing that a hash covers.
fn blank(id: Id) -> Account {
    Account {
        id,
        kind: AccountKind::Card,
        site: String::new(),
        currency: crate::bank::usd(),
        programme: String::new(),
        customer: None,
        status: Status::Active,
        balance: Minor::ZERO,
        held: Minor::ZERO,
        next_hold_end: None,
        initial: Minor::ZERO,
        issued_at: 0,
        expires_at: None,
        expires_on: None,
        replaced_by: None,
        bought_by: None,
        hint: None,
        version: 0,
        head: chain::BEGINNING,
    }
}

/// What an account paid for an order, or got back.
fn tender(numbered: &Numbered, account: Id, amount: i64, sums: &mut Sums) {
    let operation = &numbered.operation;
    let Some(order) = &operation.order else { return };
    let key = (operation.key.site.clone(), order.clone());
    match operation.kind {
        OperationKind::Redeem | OperationKind::Capture if amount != 0 => {
            sums.paid.entry(key).or_default().push((account, -amount));
        }
        OperationKind::Refund => *sums.returned.entry(key).or_default() += amount,
        _ => {}
    }
}

fn compare_accounts(store: &dyn Store, sums: &Sums, audit: &mut Audit) -> StoreResult<()> {
    let mut after = None;
    let mut count = 0;
    loop {
        let page = store.accounts(&AccountFilter { after, limit: PAGE, ..AccountFilter::default() })?;
        for account in &page {
            after = Some(account.id);
            count += 1;
            let stored = (account.version, account.balance.get(), account.held.get(), account.status, account.head);
            let same = sums
                .chains
                .get(&account.id)
                .is_some_and(|chain| stored == (chain.number, chain.balance, chain.held, chain.status, chain.head));
            audit.expect(same, || format!("account {} is not what its entries say", account.id));
        }
        if page.len() < PAGE {
            break;
        }
    }
    audit.expect(count == sums.chains.len(), || {
        format!("there are {count} accounts, and {} have entries", sums.chains.len())
    });
    Ok(())
}

fn compare_sums(store: &dyn Store, sums: &Sums, audit: &mut Audit) -> StoreResult<()> {
    let stored = store.counter_sums()?.into_iter().map(|sum| ((sum.counter, sum.currency), sum.amount_minor));
    let stored: BTreeMap<_, _> = stored.filter(|(_, sum)| *sum != 0).collect();
    let own: BTreeMap<_, _> =
        sums.counters.iter().map(|(key, sum)| (*key, *sum)).filter(|(_, sum)| *sum != 0).collect();
    audit.expect(stored == own, || format!("the counters are {stored:?}, and the entries sum to {own:?}"));
    let mut currencies: BTreeMap<Currency, i128> = BTreeMap::new();
    for ((_, currency), sum) in stored {
        *currencies.entry(currency).or_default() += sum;
    }
    for (currency, sum) in currencies {
        audit.expect(sum == 0, || format!("everything in {currency} sums to {sum}"));
    }
    let high_water = store.find(&Want::default())?.high_water;
    audit.expect(high_water == sums.high_water, || {
        format!("the latest moment is kept as {high_water}, and the latest operation is of {}", sums.high_water)
    });
    Ok(())
}

/// What accounts hold, what the documents of open holds say, and what is looked up by end must be one.
fn compare_holds(store: &dyn Store, audit: &mut Audit) -> StoreResult<()> {
    let mut lines: BTreeSet<(i64, i64, i64)> = BTreeSet::new();
    let mut held: HashMap<Id, i64> = HashMap::new();
    each_record(store, RecordKind::Hold, "", |id, body| {
        let hold: HoldRecord = read_record(body)?;
        let Ok(number) = id.parse::<Id>() else {
            return Err(StoreError::Corrupt(format!("hold `{id}` has no id")));
        };
        if hold.state == HoldState::Open {
            for line in &hold.lines {
                lines.insert((line.account.get(), hold.ends_at, number.get()));
                *held.entry(line.account).or_default() += hold_lines_left(line).1;
            }
        }
        Ok(())
    })?;
    let open = store.all_passed_holds(i64::MAX, usize::MAX)?;
    let open: BTreeSet<_> = open.iter().map(|open| (open.account.get(), open.ends_at, open.hold.get())).collect();
    audit.expect(open == lines, || format!("{} open holds are looked up, {} are documents", open.len(), lines.len()));
    let mut after = None;
    loop {
        let page = store.accounts(&AccountFilter { after, limit: PAGE, ..AccountFilter::default() })?;
        for account in &page {
            after = Some(account.id);
            let expected = held.get(&account.id).copied().unwrap_or(0);
            audit.expect(account.held.get() == expected, || {
                format!("{} is held on {}, and its open holds say {expected}", account.held.get(), account.id)
            });
        }
        if page.len() < PAGE {
            return Ok(());
        }
    }
}

/// What orders say that accounts paid, against the entries.
fn compare_orders(store: &dyn Store, site: &str, sums: &Sums, audit: &mut Audit) -> StoreResult<()> {
    let mut paying = 0;
    each_record(store, RecordKind::Order, site, |id, body| {
        let order: OrderRecord = read_record(body)?;
        let key = (site.to_string(), id.to_string());
        let mut entries: BTreeMap<Id, i64> = BTreeMap::new();
        for (account, taken) in sums.paid.get(&key).into_iter().flatten() {
            *entries.entry(*account).or_default() += taken;
        }
        let mut tenders: BTreeMap<Id, i64> = BTreeMap::new();
        for tender in &order.tenders {
            *tenders.entry(tender.account).or_default() += tender.taken;
        }
        paying += usize::from(!entries.is_empty());
        audit.expect(entries == tenders, || format!("order `{id}` says {tenders:?} paid, and the entries {entries:?}"));
        let returned: i64 = order.tenders.iter().map(|tender| tender.taken_returned).sum();
        let booked = sums.returned.get(&key).copied().unwrap_or(0);
        audit
            .expect(returned == booked, || format!("order `{id}` says {returned} went back, and the entries {booked}"));
        Ok(())
    })?;
    let expected = sums.paid.keys().filter(|(of, _)| of == site).count();
    audit.expect(paying == expected, || format!("{expected} orders of `{site}` were paid, and {paying} say so"));
    Ok(())
}

fn each_record(
    store: &dyn Store,
    kind: RecordKind,
    site: &str,
    mut each: impl FnMut(&str, &str) -> StoreResult<()>,
) -> StoreResult<()> {
    let mut after = String::new();
    loop {
        let page = store.records(kind, site, &after, PAGE)?;
        page.iter().try_for_each(|record| each(&record.key.id, &record.body))?;
        match page.last() {
            Some(last) if page.len() == PAGE => after.clone_from(&last.key.id),
            _ => return Ok(()),
        }
    }
}
