//! One operation in the making: the accounts it moves, its legs, and what else it writes. Guards the double entry and
//! the bounds of every account. Must not know which operation it is or why.

use std::collections::BTreeMap;

use giftcard_engine::card::Status;
use giftcard_engine::{Currency, Minor};

use crate::chain::{BEGINNING, entry_hash, operation_hash};
use crate::model::{Account, Code, Counter, Entry, Id, Leg, Operation, Record, RecordKey};
use crate::store::{AccountChange, Changes, CodeChange, Context, OpenHold, Personal, RecordChange};

/// What a post changes on an account.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Post {
    /// Change of the balance.
    pub amount: Minor,
    /// Change of what is reserved.
    pub held_change: Minor,
    /// The state afterwards, where it changes.
    pub status: Option<Status>,
}

/// Why an operation cannot be: it would leave an account outside its bounds, or its legs do not add up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unsound {
    /// A balance below nothing, or below what is reserved; or less than nothing reserved.
    OutOfBounds {
        /// The account.
        account: Id,
    },
    /// An amount past ±(2^53 - 1).
    OutOfRange,
    /// The legs of a currency do not sum to nothing.
    Unbalanced {
        /// The currency.
        currency: Currency,
        /// What they sum to.
        sum: i128,
    },
    /// An account that is no part of the operation.
    UnknownAccount(Id),
}

impl std::fmt::Display for Unsound {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::OutOfBounds { account } => {
                write!(f, "account {account} would have less than nothing, or less than is held on it")
            }
            Self::OutOfRange => f.write_str("an amount is beyond 2^53 - 1 minor units"),
            Self::Unbalanced { currency, sum } => write!(f, "the legs in {currency} sum to {sum}, not to nothing"),
            Self::UnknownAccount(id) => write!(f, "account {id} is no part of the operation"),
        }
    }
}

impl std::error::Error for Unsound {}

struct Working {
    before: Option<u64>,
    account: Account,
}

/// A leg before its hash can be known.
enum Draw {
    Account { id: Id, post: Post, balance: Minor, held: Minor, status: Status, number: u64, currency: Currency },
    Counter { counter: Counter, currency: Currency, amount: Minor },
}

/// An operation in the making.
#[derive(Default)]
pub struct Draft {
    accounts: BTreeMap<Id, Working>,
    legs: Vec<Draw>,
    changes: Changes,
}

impl Draft {
    /// Nothing yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Makes an account that was read a part of the operation; once is enough.
    pub fn take(&mut self, account: &Account) {
        let working = || Working { before: Some(account.version), account: account.clone() };
        self.accounts.entry(account.id).or_insert_with(working);
    }

    /// Adds a new account. Its balance, version and head are made by its posts.
    pub fn create(&mut self, account: Account) {
        let account = Account { balance: Minor::ZERO, held: Minor::ZERO, version: 0, head: BEGINNING, ..account };
        self.accounts.insert(account.id, Working { before: None, account });
    }

    /// The account as it is so far.
    ///
    /// # Errors
    /// [`Unsound::UnknownAccount`].
    pub fn account(&self, id: Id) -> Result<&Account, Unsound> {
        self.accounts.get(&id).map(|working| &working.account).ok_or(Unsound::UnknownAccount(id))
    }

    /// Every account of the operation, by ascending id.
    pub fn accounts(&self) -> impl Iterator<Item = &Account> {
        self.accounts.values().map(|working| &working.account)
    }

    /// Changes what is no amount: ends, replacement, customer.
    ///
    /// # Errors
    /// [`Unsound::UnknownAccount`].
    pub fn edit(&mut self, id: Id, edit: impl FnOnce(&mut Account)) -> Result<(), Unsound> {
        let working = self.accounts.get_mut(&id).ok_or(Unsound::UnknownAccount(id))?;
        edit(&mut working.account);
        Ok(())
    }

    /// Adds an entry to an account's chain.
    ///
    /// # Errors
    /// [`Unsound`] where the account would leave its bounds.
    pub fn post(&mut self, id: Id, post: Post) -> Result<(), Unsound> {
        let account = &mut self.accounts.get_mut(&id).ok_or(Unsound::UnknownAccount(id))?.account;
        let balance = account.balance.plus(post.amount).map_err(|_| Unsound::OutOfRange)?;
        let held = account.held.plus(post.held_change).map_err(|_| Unsound::OutOfRange)?;
        if held.is_negative() || held > balance {
            return Err(Unsound::OutOfBounds { account: id });
        }
        account.balance = balance;
        account.held = held;
        account.status = post.status.unwrap_or(account.status);
        account.version += 1;
        if held.is_zero() {
            account.next_hold_end = None;
        }
        self.legs.push(Draw::Account {
            id,
            post,
            balance,
            held,
            status: account.status,
            number: account.version,
            currency: account.currency,
        });
        Ok(())
    }

    /// Adds a counter's leg; nothing for nothing.
    pub fn counter(&mut self, counter: Counter, currency: Currency, amount: Minor) {
        if !amount.is_zero() {
            self.legs.push(Draw::Counter { counter, currency, amount });
        }
    }

    /// Writes a document over the one that was read, or a new one.
    pub fn put(&mut self, key: RecordKey, before: Option<&Record>, body: String) {
        let before = before.map(|record| record.version);
        self.changes.records.push(RecordChange { key, before, body: Some(body) });
    }

    /// Writes a code over the one that was read.
    pub fn change_code(&mut self, before: &Code, after: Code) {
        self.changes.codes.push(CodeChange { before: Some(before.version), after });
    }

    /// Adds a code.
    pub fn add_code(&mut self, code: Code) {
        self.changes.codes.push(CodeChange { before: None, after: code });
    }

    /// Opens a hold on an account until its end.
    ///
    /// # Errors
    /// [`Unsound::UnknownAccount`].
    pub fn open_hold(&mut self, hold: OpenHold) -> Result<(), Unsound> {
        let ends_at = hold.ends_at;
        self.edit(hold.account, |account| {
            account.next_hold_end = Some(account.next_hold_end.map_or(ends_at, |end| end.min(ends_at)));
        })?;
        self.changes.holds_opened.push(hold);
        Ok(())
    }

    /// Closes a hold on an account.
    pub fn close_hold(&mut self, hold: OpenHold) {
        self.changes.holds_closed.push(hold);
    }

    /// What the rules read must still hold: the version of the configuration.
    pub fn require_configuration(&mut self, version: u64) {
        self.changes.configuration = Some(version);
    }

    /// A document must still have this version (`None`: must not be there).
    pub fn check(&mut self, key: RecordKey, version: Option<u64>) {
        self.changes.checks.push((key, version));
    }

    /// An account that is not written must still have this version.
    pub fn require_account(&mut self, account: Id, version: u64) {
        self.changes.account_checks.push((account, version));
    }

    /// Adds the personal fields of the request.
    pub fn personal(&mut self, personal: Option<Personal>) {
        self.changes.personal = personal;
    }

    /// Adds a context unless it is there.
    pub fn context(&mut self, context: Context) {
        self.changes.contexts.push(context);
    }

    /// The change of this operation. INVARIANT: its legs sum to nothing in each currency.
    ///
    /// # Errors
    /// [`Unsound::Unbalanced`].
    pub fn finish(mut self, operation: Operation) -> Result<Changes, Unsound> {
        let digest = operation_hash(&operation);
        let mut sums: BTreeMap<Currency, i128> = BTreeMap::new();
        for leg in &self.legs {
            let entry = match *leg {
                Draw::Counter { counter, currency, amount } => Entry { leg: Leg::Counter(counter), currency, amount },
                Draw::Account { id, post, balance, held, status, number, currency } => {
                    let account = &mut self.accounts.get_mut(&id).ok_or(Unsound::UnknownAccount(id))?.account;
                    let then = Account { balance, held, status, version: number, ..account.clone() };
                    let hash = entry_hash(&account.head, &digest, &then, post.amount, post.held_change);
                    account.head = hash;
                    let held_change = post.held_change;
                    Entry {
                        leg: Leg::Account { id, held_change, balance, held, status, number, hash },
                        currency,
                        amount: post.amount,
                    }
                }
            };
            *sums.entry(entry.currency).or_default() += i128::from(entry.amount.get());
            self.changes.entries.push(entry);
        }
        if let Some((&currency, &sum)) = sums.iter().find(|(_, sum)| **sum != 0) {
            return Err(Unsound::Unbalanced { currency, sum });
        }
        let change = |working: Working| AccountChange { before: working.before, after: working.account };
        // What was only read is not written.
        let moved = |working: &Working| working.before != Some(working.account.version);
        self.changes.accounts = self.accounts.into_values().filter(moved).map(change).collect();
        // What is written is compared all the same.
        let written = &self.changes.accounts;
        let only_read = |id: &Id| !written.iter().any(|change| change.after.id == *id);
        self.changes.account_checks.retain(|(id, _)| only_read(id));
        self.changes.operation = Some(operation);
        Ok(self.changes)
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::model::{AccountKind, OperationKey, OperationKind};

    fn minor(amount: i64) -> Minor {
        Minor::new(amount).unwrap()
    }

    fn usd() -> Currency {
        Currency::new("USD", 2).unwrap()
    }

    pub(crate) fn card(id: i64) -> Account {
        Account {
            id: Id::new(id).unwrap(),
            kind: AccountKind::Card,
            site: "main".into(),
            currency: usd(),
            programme: "manual".into(),
            customer: None,
            status: Status::Active,
            balance: minor(99),
            held: Minor::ZERO,
            next_hold_end: None,
            initial: minor(100),
            issued_at: 0,
            expires_at: None,
            expires_on: None,
            replaced_by: None,
            bought_by: None,
            hint: None,
            version: 7,
            head: [7; 32],
        }
    }

    fn operation() -> Operation {
        Operation {
            key: OperationKey { site: "main".into(), key: "1".into() },
            kind: OperationKind::Issue,
            request_hash: [0; 32],
            at: 1,
            order: None,
            actor: None,
            answer: "{}".into(),
            decision: None,
            personal: None,
        }
    }

    fn plus(amount: i64) -> Post {
        Post { amount: minor(amount), ..Post::default() }
    }

    #[test]
    fn legs_that_do_not_sum_to_nothing_are_refused() {
        let mut draft = Draft::new();
        let card = card(1);
        draft.create(card.clone());
        draft.post(card.id, plus(100)).unwrap();
        draft.counter(Counter::Issuance, usd(), minor(-99));
        assert_eq!(draft.finish(operation()), Err(Unsound::Unbalanced { currency: usd(), sum: 1 }));
    }

    #[test]
    fn an_account_never_leaves_its_bounds() {
        let card = card(1);
        for (amount, held_change) in [(-100, 0), (0, 100), (0, -1), (-50, 50)] {
            let mut draft = Draft::new();
            draft.take(&card);
            let post = Post { amount: minor(amount), held_change: minor(held_change), status: None };
            assert_eq!(draft.post(card.id, post), Err(Unsound::OutOfBounds { account: card.id }), "{post:?}");
        }
    }

    #[test]
    fn each_entry_follows_the_one_before_it() {
        let mut draft = Draft::new();
        let card = card(1);
        draft.take(&card);
        draft.post(card.id, plus(-9)).unwrap();
        draft.post(card.id, plus(-1)).unwrap();
        draft.counter(Counter::Redemption, usd(), minor(10));
        let changes = draft.finish(operation()).unwrap();
        let after = &changes.accounts[0].after;
        assert_eq!((changes.accounts[0].before, after.version, after.balance), (Some(7), 9, minor(89)));
        let hashes: Vec<[u8; 32]> = changes
            .entries
            .iter()
            .filter_map(|entry| match entry.leg {
                Leg::Account { hash, .. } => Some(hash),
                Leg::Counter(_) => None,
            })
            .collect();
        let digest = operation_hash(&operation());
        let first = Account { balance: minor(90), version: 8, ..card.clone() };
        assert_eq!(hashes[0], entry_hash(&[7; 32], &digest, &first, minor(-9), Minor::ZERO));
        let second = Account { balance: minor(89), version: 9, ..card };
        assert_eq!(hashes[1], entry_hash(&hashes[0], &digest, &second, minor(-1), Minor::ZERO));
        assert_eq!(after.head, hashes[1]);
    }

    #[test]
    fn what_was_only_read_is_not_written() {
        let mut draft = Draft::new();
        draft.take(&card(1));
        assert_eq!(draft.finish(operation()).unwrap().accounts, []);
    }
}
