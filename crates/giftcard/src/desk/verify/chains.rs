//! The chain of every account, followed from its first entry: numbers, hashes, balances, what is held; and that the legs
//! of every operation sum to nothing. Must not know what an account's row says.
//!
//! Operations come in the order of their numbers, which on PostgreSQL is not quite the order in which they were
//! committed: one that was missed is read when the account's next entry shows it, or at the end.

use std::collections::{BTreeMap, HashMap, HashSet};

use giftcard_engine::card::Status;
use giftcard_engine::moment::InstantMs;
use giftcard_engine::{Currency, Minor};
use giftcard_ledger::chain::{BEGINNING, entry_hash, operation_hash};
use giftcard_ledger::model::{Account, AccountKind, Entry, Hash32, Id, Leg, OperationKey};
use giftcard_ledger::store::{Booked, Numbered, Store, StoreError};

use super::seals::Seals;
use super::{Finding, Findings, numbered};

/// Entries of an account that are read at a time.
const HISTORY_PAGE: usize = 256;

/// The end of an account's chain, as far as it was followed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Head {
    pub(super) version: u64,
    pub(super) hash: Hash32,
    pub(super) balance: Minor,
    pub(super) held: Minor,
    pub(super) status: Status,
    pub(super) currency: Option<Currency>,
    /// Whether an account's row was found for it.
    pub(super) has_row: bool,
}

impl Head {
    pub(super) const NONE: Self = Self {
        version: 0,
        hash: BEGINNING,
        balance: Minor::ZERO,
        held: Minor::ZERO,
        status: Status::Active,
        currency: None,
        has_row: false,
    };
}

/// All chains.
pub(super) struct Chains<'a> {
    pub(super) store: &'a dyn Store,
    pub(super) heads: HashMap<Id, Head>,
    /// Of the accounts that something is held on: how much, and the first end of a hold, as their rows say.
    pub(super) held: HashMap<Id, (Minor, Option<InstantMs>)>,
    pub(super) operations: u64,
    pub(super) entries: u64,
    sums: BTreeMap<Currency, i128>,
    /// Operations that were read out of their turn.
    caught: HashSet<i64>,
    /// What is hashed of an account, in the shape of one.
    account: Account,
}

/// An entry of an account.
pub(super) struct Link {
    id: Id,
    number: u64,
    hash: Hash32,
    held_change: Minor,
    after: Head,
    amount: Minor,
}

impl Link {
    pub(super) fn of(entry: &Entry) -> Option<Self> {
        let Leg::Account { id, held_change, balance, held, status, number, hash } = entry.leg else { return None };
        let currency = Some(entry.currency);
        let after = Head { version: number, hash, balance, held, status, currency, has_row: false };
        Some(Self { id, number, hash, held_change, after, amount: entry.amount })
    }
}

/// What was read of an account's entries; nothing, and a finding, where they cannot be read.
pub(super) fn readable(
    read: Result<Vec<Booked>, StoreError>,
    account: Id,
    findings: &mut Findings,
) -> Result<Vec<Booked>, StoreError> {
    match read {
        Err(StoreError::Corrupt(why)) => {
            let message = format!("entries of account {account} cannot be read: {why}");
            findings.add(Finding::new("unreadable", message).on(account));
            Ok(Vec::new())
        }
        read => read,
    }
}

impl<'a> Chains<'a> {
    pub(super) fn new(store: &'a dyn Store) -> Self {
        Self {
            store,
            heads: HashMap::new(),
            held: HashMap::new(),
            operations: 0,
            entries: 0,
            sums: BTreeMap::new(),
            caught: HashSet::new(),
            account: nobody(),
        }
    }

    pub(super) fn head(&self, id: Id) -> Head {
        self.heads.get(&id).copied().unwrap_or(Head::NONE)
    }

    /// Takes the entry before this one as right, unless it is of the same operation.
    pub(super) fn begin_at(&mut self, link: &Link) -> Result<(), StoreError> {
        if link.number > 1 && !self.heads.contains_key(&link.id) {
            let before = self.store.history(link.id, link.number - 2, 1)?;
            if let Some(before) = before.first().and_then(|booked| Link::of(&booked.entry)) {
                self.heads.insert(link.id, before.after);
            }
        }
        Ok(())
    }

    /// An operation in its turn.
    pub(super) fn operation(
        &mut self,
        found: &Numbered,
        seals: &mut Seals<'_>,
        findings: &mut Findings,
    ) -> Result<(), StoreError> {
        let is_new = !self.caught.contains(&found.sequence);
        if is_new {
            self.legs(found, findings);
        }
        let digest = operation_hash(&found.operation);
        let mut doubted = Vec::new();
        for link in found.entries.iter().filter_map(Link::of) {
            let head = self.head(link.id);
            if link.number <= head.version {
                if is_new {
                    let message = format!(
                        "operation `{}` has entry {} of account {}, which has {} already",
                        found.operation.key.key, link.number, link.id, head.version
                    );
                    findings.add(Finding::new("entry-out-of-order", message).of(&found.operation.key).on(link.id));
                }
                continue;
            }
            if link.number > head.version + 1 {
                self.follow(link.id, link.number - 1, seals, findings)?;
            }
            self.link(&link, &digest, &found.operation.key, seals, findings, &mut doubted);
        }
        tell_doubted(&doubted, &found.operation.key, findings);
        Ok(())
    }

    /// What an operation is by itself: its legs sum to nothing in each currency.
    fn legs(&mut self, found: &Numbered, findings: &mut Findings) {
        self.operations += 1;
        let mut sums: BTreeMap<Currency, i128> = BTreeMap::new();
        for entry in &found.entries {
            self.entries += 1;
            *sums.entry(entry.currency).or_default() += i128::from(entry.amount.get());
        }
        for (currency, sum) in sums {
            *self.sums.entry(currency).or_default() += sum;
            if sum != 0 {
                let key = &found.operation.key;
                let message = format!(
                    "the entries of operation `{}` sum to {} {currency}, not to nothing",
                    key.key,
                    decimal(sum, currency)
                );
                findings.add(Finding::new("unbalanced", message).of(key));
            }
        }
    }

    /// The next entry of an account's chain.
    fn link(
        &mut self,
        link: &Link,
        digest: &Hash32,
        operation: &OperationKey,
        seals: &mut Seals<'_>,
        findings: &mut Findings,
        doubted: &mut Vec<(Id, u64)>,
    ) {
        let head = self.head(link.id);
        // With entries missing before it, nothing says what it follows.
        let follows = link.number == head.version + 1;
        let wrong = |code: &'static str, what: String| {
            let message =
                format!("entry {} of account {}, of operation `{}`: {what}", link.number, link.id, operation.key);
            Finding::new(code, message).of(operation).on(link.id)
        };
        if follows {
            let (after, changed) = (&link.after, head.balance.get() + link.amount.get());
            if changed != after.balance.get() {
                let what = format!("the balance is {}, and {changed} follows from the one before", after.balance.get());
                findings.add(wrong("wrong-balance", what));
            }
            let changed = head.held.get() + link.held_change.get();
            if changed != after.held.get() {
                let what = format!("{} is held, and {changed} follows from the entry before", after.held.get());
                findings.add(wrong("wrong-held", what));
            }
            if head.currency.is_some_and(|currency| Some(currency) != after.currency) {
                findings.add(wrong("wrong-currency", "the currency is not that of the entries before".to_string()));
            }
            let account = &mut self.account;
            account.id = link.id;
            account.currency = after.currency.unwrap_or(account.currency);
            (account.version, account.balance, account.held) = (link.number, after.balance, after.held);
            account.status = after.status;
            if entry_hash(&head.hash, digest, account, link.amount, link.held_change) != link.hash {
                doubted.push((link.id, link.number));
            }
        }
        if link.after.held.is_negative() || link.after.held > link.after.balance {
            findings.add(wrong("out-of-bounds", "less than nothing is left, or less than is held".to_string()));
        }
        seals.pass(link.id, link.number, &link.hash, findings);
        self.heads.insert(link.id, Head { has_row: head.has_row, ..link.after });
    }

    /// Follows an account's chain up to entry `to`, out of the order of operations.
    pub(super) fn follow(
        &mut self,
        id: Id,
        to: u64,
        seals: &mut Seals<'_>,
        findings: &mut Findings,
    ) -> Result<(), StoreError> {
        loop {
            let after = self.head(id).version;
            let limit = usize::try_from(to.saturating_sub(after)).unwrap_or(usize::MAX).min(HISTORY_PAGE);
            let page =
                if limit == 0 { Vec::new() } else { readable(self.store.history(id, after, limit), id, findings)? };
            let Some(first) = page.first() else { break };
            let gap = link_number(&first.entry).is_none_or(|number| number > to);
            if gap {
                break;
            }
            for booked in page {
                let Some(link) = Link::of(&booked.entry) else { continue };
                if link.number > to {
                    break;
                }
                self.tell_missing(id, link.number, findings);
                let Some(found) = numbered(self.store, booked.sequence)? else { continue };
                if self.caught.insert(found.sequence) {
                    self.legs(&found, findings);
                }
                let mut doubted = Vec::new();
                let digest = operation_hash(&found.operation);
                self.link(&link, &digest, &found.operation.key, seals, findings, &mut doubted);
                tell_doubted(&doubted, &found.operation.key, findings);
            }
        }
        self.tell_missing(id, to + 1, findings);
        Ok(())
    }

    /// Entries of an account before `number` that are nowhere.
    fn tell_missing(&self, id: Id, number: u64, findings: &mut Findings) {
        let last = self.head(id).version;
        if number <= last + 1 {
            return;
        }
        let which = match number - last {
            2 => format!("entry {} is", last + 1),
            _ => format!("entries {} to {} are", last + 1, number - 1),
        };
        findings.add(Finding::new("missing-entries", format!("{which} missing from account {id}")).on(id));
    }

    /// All entries together sum to nothing, as the store adds them up too.
    pub(super) fn sums(&self, findings: &mut Findings) -> Result<(), StoreError> {
        let mut stored: BTreeMap<Currency, i128> = BTreeMap::new();
        match self.store.counter_sums() {
            Ok(sums) => {
                for sum in sums {
                    *stored.entry(sum.currency).or_default() += sum.amount_minor;
                }
            }
            Err(StoreError::Corrupt(why)) => {
                findings.add(Finding::new("unreadable", format!("entries cannot be added up: {why}")));
            }
            Err(error) => return Err(error),
        }
        // What the store adds up is of another moment, but must be nothing at any.
        stored.retain(|currency, _| self.sums.get(currency).is_none_or(|sum| *sum == 0));
        for (currency, sum) in self.sums.iter().chain(&stored).filter(|(_, sum)| **sum != 0) {
            let message =
                format!("all entries together sum to {} {currency}, not to nothing", decimal(*sum, *currency));
            findings.add(Finding::new("unbalanced-ledger", message));
        }
        Ok(())
    }
}

fn link_number(entry: &Entry) -> Option<u64> {
    match entry.leg {
        Leg::Account { number, .. } => Some(number),
        Leg::Counter(_) => None,
    }
}

/// Hashes of one operation that do not fit: if its own text was changed, all of its entries say so.
fn tell_doubted(doubted: &[(Id, u64)], operation: &OperationKey, findings: &mut Findings) {
    let Some((id, number)) = doubted.first() else { return };
    let more = match doubted.len() {
        1 => String::new(),
        count => format!(", nor do those of {} more", count - 1),
    };
    let message = format!(
        "operation `{}` or entry {number} of account {id} was changed: its hash does not fit what is stored{more}",
        operation.key
    );
    findings.add(Finding::new("wrong-hash", message).of(operation).on(*id));
}

/// An amount that may be more than one account can hold.
pub(crate) fn decimal(amount: i128, currency: Currency) -> String {
    let unit = 10_i128.pow(u32::from(currency.exponent()));
    let (sign, amount) = (if amount < 0 { "-" } else { "" }, amount.unsigned_abs());
    let (whole, rest) = (amount / unit.unsigned_abs(), amount % unit.unsigned_abs());
    match usize::from(currency.exponent()) {
        0 => format!("{sign}{whole}"),
        digits => format!("{sign}{whole}.{rest:0digits$}"),
    }
}

fn nobody() -> Account {
    Account {
        id: Id::new(0).expect("INVARIANT: 0 is not negative"),
        kind: AccountKind::Card,
        site: String::new(),
        currency: Currency::iso("USD").expect("INVARIANT: ISO 4217 has it"),
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
        head: BEGINNING,
    }
}
