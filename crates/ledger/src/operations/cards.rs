//! Operations on cards by themselves: issue, change of state, load, adjust, close, expire. Must not know orders.

use std::convert::Infallible;

use giftcard_engine::card::Status;
use giftcard_engine::moment::{InstantMs, format_instant};
use giftcard_engine::{Currency, Minor};

use super::{Command, Receipt, Target, positive};
use crate::draft::{Draft, Post};
use crate::model::{Account, AccountKind, Code, CodeState, Counter, Hash32, Id, OperationKind, Record};
use crate::plan::{Facts, Refused, Stop};
use crate::store::Want;

/// Most cards of one operation: bounds how long one takes.
pub const CARDS_PER_ISSUE_MAX: usize = 1_000;

/// Code of the refusal of a new code that is there already.
pub const CODE_TAKEN: &str = "code-taken";

/// Code of the refusal where somebody else drew the code of a pool.
pub const CODE_NOT_FREE: &str = "code-not-free";

/// New cards, all or none.
pub struct IssueCards {
    /// The cards.
    pub cards: Vec<NewCard>,
    /// Why, as the caller says.
    pub reason: Option<String>,
    /// The configuration that their values and ends follow from.
    pub configuration: Option<u64>,
    /// Documents that change with it, such as a programme whose value is frozen from now on: as read, and as it becomes.
    pub records: Vec<(Record, String)>,
}

/// A new card.
#[derive(Clone, Debug)]
pub struct NewCard {
    /// Its id.
    pub id: Id,
    /// Currency of its value.
    pub currency: Currency,
    /// Code name of its programme.
    pub programme: String,
    /// Who owns it.
    pub customer: Option<String>,
    /// What is on it; more than nothing.
    pub value: Minor,
    /// False where it works only once it is activated.
    pub active: bool,
    /// First instant at which it no longer works.
    pub expires_at: Option<InstantMs>,
    /// The last day it works, where its end is a plain date.
    pub expires_on: Option<String>,
    /// The order that bought it.
    pub bought_by: Option<String>,
    /// Its code.
    pub code: NewCode,
}

/// The code of a new card.
#[derive(Clone, Debug)]
pub enum NewCode {
    /// A new one.
    Made {
        /// Its id.
        id: Id,
        /// The lookup of each live key version, the newest first.
        lookups: Vec<(u32, Hash32)>,
        /// Last four characters, where they may be shown.
        hint: Option<String>,
        /// The sealed code, if it has to be delivered.
        sealed: Option<Vec<u8>>,
    },
    /// One of a pool.
    Pooled {
        /// As it was read.
        code: Code,
        /// Whether its sealed text stays, since it has to be delivered.
        keep_sealed: bool,
    },
}

impl NewCode {
    /// What has to be read before it can be drawn.
    #[must_use]
    pub fn lookups(&self) -> Vec<Hash32> {
        match self {
            Self::Made { lookups, .. } => lookups.iter().map(|(_, lookup)| *lookup).collect(),
            Self::Pooled { code, .. } => vec![code.lookup],
        }
    }

    /// Adds what has to be read before it can be drawn.
    pub(super) fn want(&self, want: &mut Want) {
        want.codes.push(self.lookups());
    }

    /// Draws the code for `account`. `place` is its place among the wanted codes.
    pub(super) fn draw(
        &self,
        site: &str,
        account: Id,
        place: usize,
        facts: &Facts<'_>,
        draft: &mut Draft,
    ) -> Result<Option<String>, Refused> {
        let there = facts.found.codes.get(place).and_then(Option::as_ref);
        match (self, there) {
            (Self::Made { .. }, Some(_)) => {
                Err(Refused::mistake(CODE_TAKEN, "the code is in use at the site; choose another"))
            }
            (Self::Made { id, lookups, hint, sealed }, None) => {
                let Some(&(pepper, lookup)) = lookups.first() else {
                    return Err(Refused::mistake("code-without-lookup", "no key for codes is known"));
                };
                let (hint, sealed) = (hint.clone(), sealed.clone());
                draft.add_code(Code {
                    id: *id,
                    site: site.to_string(),
                    lookup,
                    pepper,
                    pool: None,
                    state: CodeState::Drawn,
                    account: Some(account),
                    hint: hint.clone(),
                    sealed,
                    version: 1,
                });
                Ok(hint)
            }
            (Self::Pooled { keep_sealed, .. }, Some(code)) if code.state == CodeState::Free && code.site == site => {
                let sealed = code.sealed.clone().filter(|_| *keep_sealed);
                let drawn = Code { state: CodeState::Drawn, account: Some(account), sealed, ..code.clone() };
                draft.change_code(code, drawn);
                Ok(code.hint.clone())
            }
            (Self::Pooled { .. }, _) => {
                Err(Refused::mistake(CODE_NOT_FREE, "the code of the pool is not free any more"))
            }
        }
    }
}

impl NewCard {
    /// The card before its first entry.
    pub(super) fn account(&self, site: &str, now: InstantMs, hint: Option<String>) -> Account {
        Account {
            id: self.id,
            kind: AccountKind::Card,
            site: site.to_string(),
            currency: self.currency,
            programme: self.programme.clone(),
            customer: self.customer.clone(),
            status: if self.active { Status::Active } else { Status::Pending },
            balance: Minor::ZERO,
            held: Minor::ZERO,
            next_hold_end: None,
            initial: self.value,
            issued_at: now,
            expires_at: self.expires_at,
            expires_on: self.expires_on.clone(),
            replaced_by: None,
            bought_by: self.bought_by.clone(),
            hint,
            version: 0,
            head: crate::chain::BEGINNING,
        }
    }
}

impl Command for IssueCards {
    fn kind(&self) -> OperationKind {
        OperationKind::Issue
    }

    fn want(&self, _: &str) -> Want {
        let mut want = Want::default();
        self.cards.iter().for_each(|card| card.code.want(&mut want));
        want.records = self.records.iter().map(|(record, _)| record.key.clone()).collect();
        want
    }

    fn draft(&self, site: &str, facts: &Facts<'_>, draft: &mut Draft) -> Result<Receipt, Stop<Infallible>> {
        if self.cards.is_empty() || self.cards.len() > CARDS_PER_ISSUE_MAX {
            let message = format!("{} cards; one operation issues 1 to {CARDS_PER_ISSUE_MAX}", self.cards.len());
            return Err(Refused::mistake("too-many-cards", message).into());
        }
        let mut receipt = Receipt { reason: self.reason.clone(), ..Receipt::new() };
        if let Some(version) = self.configuration {
            if version != facts.found.configuration {
                return Err(Refused::configuration_changed().into());
            }
            draft.require_configuration(version);
        }
        for (record, body) in &self.records {
            draft.put(record.key.clone(), Some(record), body.clone());
        }
        for (place, card) in self.cards.iter().enumerate() {
            positive(card.value, card.currency, "value")?;
            if card.expires_at.is_some_and(|end| end <= facts.now) {
                return Err(Refused::mistake("end-in-the-past", "`expires_at` is not after now").into());
            }
            let hint = card.code.draw(site, card.id, place, facts, draft)?;
            let account = card.account(site, facts.now, hint);
            receipt.line(&account, Minor::ZERO, None);
            draft.create(account);
            draft.post(card.id, Post { amount: card.value, ..Post::default() })?;
            draft.counter(Counter::Issuance, card.currency, negated(card.value));
        }
        Ok(receipt)
    }
}

/// The amount with its sign turned.
pub(super) fn negated(amount: Minor) -> Minor {
    Minor::ZERO.minus(amount).expect("INVARIANT: the range of amounts is symmetric")
}

/// From which state to which.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StateChange {
    /// Pending to active.
    Activate,
    /// Active or pending to disabled.
    Disable,
    /// Disabled to active.
    Enable,
}

/// A card's state changes, and nothing else.
pub struct ChangeState {
    /// The card.
    pub target: Target,
    /// How.
    pub change: StateChange,
    /// Why, as the caller says.
    pub reason: Option<String>,
}

impl Command for ChangeState {
    fn kind(&self) -> OperationKind {
        match self.change {
            StateChange::Activate => OperationKind::Activate,
            StateChange::Disable => OperationKind::Disable,
            StateChange::Enable => OperationKind::Enable,
        }
    }

    fn want(&self, site: &str) -> Want {
        wanting(&self.target, site)
    }

    fn draft(&self, site: &str, facts: &Facts<'_>, draft: &mut Draft) -> Result<Receipt, Stop<Infallible>> {
        let account = self.target.account(site, facts)?;
        let status = match (self.change, account.status) {
            (StateChange::Activate, Status::Pending) | (StateChange::Enable, Status::Disabled) => Status::Active,
            (StateChange::Disable, Status::Active | Status::Pending) => Status::Disabled,
            (_, Status::Closed) => return Err(closed().into()),
            (change, status) => {
                let (is, needs) = (super::receipt::status_name(status), change.needs());
                let message = format!("the card is {is}; only a card that is {needs} can be {}", change.done());
                return Err(Refused::decided("wrong-state", message).into());
            }
        };
        let mut receipt = begin(account, draft, self.reason.as_ref());
        draft.post(account.id, Post { status: Some(status), ..Post::default() })?;
        receipt.line(account, account.balance, None);
        Ok(receipt)
    }
}

impl StateChange {
    fn needs(self) -> &'static str {
        match self {
            Self::Activate => "pending",
            Self::Disable => "active or pending",
            Self::Enable => "disabled",
        }
    }

    fn done(self) -> &'static str {
        match self {
            Self::Activate => "activated",
            Self::Disable => "disabled",
            Self::Enable => "enabled",
        }
    }
}

pub(super) fn closed() -> Refused {
    Refused::decided("card-closed", "the card is closed, which is final")
}

pub(super) fn held(account: &Account) -> Refused {
    let message = format!(
        "{} of it is held for orders; void those holds, or wait for their end",
        account.currency.format(account.held)
    );
    Refused::decided("card-held", message)
}

pub(super) fn wanting(target: &Target, site: &str) -> Want {
    let mut want = Want::default();
    target.want(site, &mut want);
    want
}

pub(super) fn begin(account: &Account, draft: &mut Draft, reason: Option<&String>) -> Receipt {
    draft.take(account);
    Receipt { reason: reason.cloned(), ..Receipt::new() }
}

/// Money is put on a card or a customer's store credit.
pub struct Load {
    /// Where. Store credit that is not there yet is opened.
    pub target: Target,
    /// In the account's currency; more than nothing.
    pub amount: Minor,
    /// Most that may be on it afterwards.
    pub balance_max: Option<Minor>,
    /// Why, as the caller says.
    pub reason: Option<String>,
}

impl Command for Load {
    fn kind(&self) -> OperationKind {
        OperationKind::Load
    }

    fn want(&self, site: &str) -> Want {
        wanting(&self.target, site)
    }

    fn draft(&self, site: &str, facts: &Facts<'_>, draft: &mut Draft) -> Result<Receipt, Stop<Infallible>> {
        let opened = match &self.target {
            Target::Credit { customer, currency } if self.target.id(site, &facts.found).is_none() => {
                Some(super::credit::new_credit(site, customer, *currency, facts.now))
            }
            _ => None,
        };
        let account = match &opened {
            Some(account) => account,
            None => self.target.account(site, facts)?,
        };
        positive(self.amount, account.currency, "amount")?;
        match account.status {
            Status::Closed => return Err(closed().into()),
            Status::Pending => {
                return Err(
                    Refused::decided("wrong-state", "the card is pending; activate it before it is loaded").into()
                );
            }
            Status::Disabled | Status::Active => {}
        }
        if account.expires_at.is_some_and(|end| end <= facts.now) {
            return Err(Refused::decided("card-expired", "the card has ended; give its owner a new one").into());
        }
        let balance = account.balance.plus(self.amount);
        if let (Some(most), Ok(balance)) = (self.balance_max, balance)
            && balance > most
        {
            let message = format!(
                "{} would be on it; at most {} may be",
                account.currency.format(balance),
                account.currency.format(most)
            );
            return Err(Refused::decided("balance-too-high", message).into());
        }
        let mut receipt = Receipt { reason: self.reason.clone(), ..Receipt::new() };
        match &opened {
            Some(account) => draft.create(account.clone()),
            None => draft.take(account),
        }
        draft.post(account.id, Post { amount: self.amount, ..Post::default() })?;
        draft.counter(Counter::Issuance, account.currency, negated(self.amount));
        receipt.line(account, account.balance, None);
        Ok(receipt)
    }
}

/// A correction by staff.
pub struct Adjust {
    /// The account.
    pub target: Target,
    /// By how much, or to which balance.
    pub to: Adjustment,
    /// Why; not empty.
    pub reason: String,
}

/// A correction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Adjustment {
    /// By this, not nothing.
    By(Minor),
    /// To this balance.
    To(Minor),
}

impl Command for Adjust {
    fn kind(&self) -> OperationKind {
        OperationKind::Adjust
    }

    fn want(&self, site: &str) -> Want {
        wanting(&self.target, site)
    }

    fn draft(&self, site: &str, facts: &Facts<'_>, draft: &mut Draft) -> Result<Receipt, Stop<Infallible>> {
        let account = self.target.account(site, facts)?;
        if self.reason.trim().is_empty() {
            return Err(Refused::mistake("reason-missing", "`reason` is empty; an adjustment says why").into());
        }
        if account.status == Status::Closed {
            return Err(closed().into());
        }
        let out_of_range = |_| Refused::mistake("amount-out-of-range", "the amount is beyond 2^53 - 1 minor units");
        let change = match self.to {
            Adjustment::By(amount) => amount,
            Adjustment::To(balance) => balance.minus(account.balance).map_err(out_of_range)?,
        };
        if change.is_zero() {
            let message = "the adjustment changes nothing; give an amount other than 0";
            return Err(Refused::mistake("adjustment-zero", message).into());
        }
        let after = account.balance.plus(change).map_err(out_of_range)?;
        if after < account.held || after.is_negative() {
            let message = format!(
                "{} would be left, of {} with {} held; an adjustment never goes below nothing nor below what is held",
                account.currency.format(after),
                account.currency.format(account.balance),
                account.currency.format(account.held)
            );
            return Err(Refused::decided("adjustment-too-low", message).into());
        }
        let mut receipt = begin(account, draft, Some(&self.reason));
        draft.post(account.id, Post { amount: change, ..Post::default() })?;
        draft.counter(Counter::Adjustment, account.currency, negated(change));
        receipt.line(account, account.balance, None);
        Ok(receipt)
    }
}

/// An empty card is gone for good.
pub struct Close {
    /// The card.
    pub target: Target,
    /// Why, as the caller says.
    pub reason: Option<String>,
}

impl Command for Close {
    fn kind(&self) -> OperationKind {
        OperationKind::Close
    }

    fn want(&self, site: &str) -> Want {
        wanting(&self.target, site)
    }

    fn draft(&self, site: &str, facts: &Facts<'_>, draft: &mut Draft) -> Result<Receipt, Stop<Infallible>> {
        let account = self.target.account(site, facts)?;
        if account.kind != AccountKind::Card {
            let message = "store credit stays open: refunds of its customer's closed cards go there";
            return Err(Refused::mistake("not-a-card", message).into());
        }
        if account.status == Status::Closed {
            return Err(closed().into());
        }
        if !account.balance.is_zero() {
            let message = format!(
                "{} is left on it; only an empty card is closed. Adjust it, or turn it into store credit",
                account.currency.format(account.balance)
            );
            return Err(Refused::decided("card-not-empty", message).into());
        }
        let mut receipt = begin(account, draft, self.reason.as_ref());
        draft.post(account.id, Post { status: Some(Status::Closed), ..Post::default() })?;
        receipt.line(account, account.balance, None);
        Ok(receipt)
    }
}

/// What is left on an ended card becomes breakage, and the card is closed.
pub struct ExpireCard {
    /// The card.
    pub target: Target,
}

impl Command for ExpireCard {
    fn kind(&self) -> OperationKind {
        OperationKind::Expire
    }

    fn want(&self, site: &str) -> Want {
        wanting(&self.target, site)
    }

    fn draft(&self, site: &str, facts: &Facts<'_>, draft: &mut Draft) -> Result<Receipt, Stop<Infallible>> {
        let account = self.target.account(site, facts)?;
        if account.status == Status::Closed {
            return Err(closed().into());
        }
        match account.expires_at {
            Some(end) if end <= facts.now => {}
            Some(end) => {
                let message = format!("the card ends at {}, which is still to come", format_instant(end));
                return Err(Refused::decided("card-not-expired", message).into());
            }
            None => return Err(Refused::decided("card-not-expired", "the card has no end").into()),
        }
        if !account.held.is_zero() {
            return Err(held(account).into());
        }
        let mut receipt = begin(account, draft, None);
        let post = Post { amount: negated(account.balance), status: Some(Status::Closed), ..Post::default() };
        draft.post(account.id, post)?;
        draft.counter(Counter::Breakage, account.currency, account.balance);
        receipt.line(account, account.balance, None);
        Ok(receipt)
    }
}
