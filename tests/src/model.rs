//! What a ledger does, once more: plain maps and whole numbers, one operation after the other, nothing stored, nothing
//! shared. Written from the rules, not from the ledger; must not call anything of it or of the engine.
//!
//! Amounts are minor units, instants milliseconds. Everything is done on a copy, so that what is refused changes nothing.

pub mod ask;
pub mod compare;
mod orders;
pub mod steps;
pub mod subject;

use std::collections::BTreeMap;

pub use ask::{Ask, Change, Entry, IssueCard, Money, Pay, Target};

/// How long a refusal is remembered.
const REFUSAL_MS: i64 = 24 * 60 * 60 * 1000;

/// How long a hold may be extended by a refund: the site's setting.
const EXTENSION_MS: i64 = 30 * 24 * 60 * 60 * 1000;

/// A stored state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Status {
    Pending,
    Active,
    Disabled,
    Closed,
}

/// A card or store credit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// Store credit, not a card.
    pub is_credit: bool,
    /// Its currency.
    pub money: Money,
    /// Its owner.
    pub customer: Option<u8>,
    /// Stored state.
    pub status: Status,
    /// Sum of what happened to it.
    pub balance: i64,
    /// What it was issued with.
    pub initial: i64,
    /// First instant at which it no longer works.
    pub expires_at: Option<i64>,
    /// What took its balance over.
    pub replaced_by: Option<usize>,
    /// The order that bought it.
    pub bought_by: Option<u8>,
}

/// State of a hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum HoldState {
    Open,
    Captured,
    Voided,
    Expired,
    Replaced,
}

/// What a hold reserves on one account.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct HoldLine {
    pub account: usize,
    pub applied: i64,
    pub taken: i64,
    pub applied_captured: i64,
    pub taken_captured: i64,
}

/// A hold.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct Hold {
    pub order: u8,
    pub money: Money,
    pub state: HoldState,
    pub ends_at: i64,
    pub due: i64,
    pub lines: Vec<HoldLine>,
}

/// What an account paid for an order, and what of it went back.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct Tender {
    pub account: usize,
    pub applied: i64,
    pub taken: i64,
    pub applied_returned: i64,
    pub taken_returned: i64,
}

/// An order.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct Order {
    pub money: Money,
    pub total: i64,
    pub hold: Option<usize>,
    pub tenders: Vec<Tender>,
    pub other_returned: i64,
    pub customer: Option<u8>,
}

/// Where money comes from and goes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[allow(missing_docs)]
pub enum Counter {
    Issuance,
    Redemption,
    Adjustment,
    Breakage,
    Exchange,
}

/// Why something is not done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct No {
    /// Stable code.
    pub code: &'static str,
    /// Whether it is told again for a day.
    pub remembered: bool,
}

/// A decision against what was asked.
pub(crate) fn no<T>(code: &'static str) -> Result<T, No> {
    Err(No { code, remembered: true })
}

/// What was asked makes no sense.
pub(crate) fn mistake<T>(code: &'static str) -> Result<T, No> {
    Err(No { code, remembered: false })
}

/// What an operation did to one account.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct Line {
    pub account: usize,
    pub before: i64,
    pub balance: i64,
    pub held: i64,
    pub status: Status,
    pub expires_at: Option<i64>,
    pub applied: Option<i64>,
}

/// What an operation answers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct Reply {
    pub lines: Vec<Line>,
    pub applied: Option<i64>,
    pub due: Option<i64>,
    pub remaining: Option<i64>,
    pub hold: Option<usize>,
    pub hold_state: Option<HoldState>,
    pub ends_at: Option<i64>,
}

/// What became of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Done now.
    Done(Reply),
    /// Done before, and answered as then.
    Repeated(Reply),
    /// Refused, with this code.
    Refused(&'static str),
    /// The key is another request's.
    KeyReused,
}

/// Everything.
#[derive(Clone, Debug, Default)]
pub struct Model {
    /// In the order in which they came to be.
    pub accounts: Vec<Account>,
    /// Store credit by customer and currency.
    pub credits: BTreeMap<(u8, Money), usize>,
    /// In the order in which they were taken.
    pub holds: Vec<Hold>,
    /// By number.
    pub orders: BTreeMap<u8, Order>,
    /// What went through each counter.
    pub counters: BTreeMap<(Counter, Money), i128>,
    /// The latest moment of anything that was done.
    pub high_water: i64,
    /// The latest moment that this process has seen.
    pub seen: i64,
    done: BTreeMap<String, (String, Reply)>,
    refused: BTreeMap<String, (String, &'static str, i64)>,
}

impl Model {
    /// The moment at which something is done that is asked for at `now`.
    #[must_use]
    pub fn moment(&self, now: i64) -> i64 {
        now.max(self.seen).max(self.high_water)
    }

    /// What open holds reserve of an account.
    #[must_use]
    pub fn held(&self, account: usize) -> i64 {
        let open = self.holds.iter().filter(|hold| hold.state == HoldState::Open);
        let lines = open.flat_map(|hold| &hold.lines).filter(|line| line.account == account);
        lines.map(|line| line.taken - line.taken_captured).sum()
    }

    /// Ends the holds whose time has passed, other than those that reserve nothing: nobody waits for those.
    pub fn pass(&mut self, now: i64) {
        for number in 0..self.holds.len() {
            let hold = &self.holds[number];
            if hold.state == HoldState::Open && hold.ends_at <= now && !hold.lines.is_empty() {
                self.end_hold(number, HoldState::Expired);
            }
        }
    }

    /// The process ends and another begins: it knows only what was done.
    pub fn restart(&mut self) {
        self.seen = i64::MIN;
    }

    /// Asks for something under a key, at a moment of the asker's clock.
    pub fn ask(&mut self, key: &str, ask: &Ask, now: i64) -> Outcome {
        let said = format!("{ask:?}");
        if let Some((first, reply)) = self.done.get(key) {
            return if *first == said { Outcome::Repeated(reply.clone()) } else { Outcome::KeyReused };
        }
        let now = self.moment(now);
        self.seen = now;
        if let Some((first, code, until)) = self.refused.get(key)
            && *until > now
        {
            return if *first == said { Outcome::Refused(code) } else { Outcome::KeyReused };
        }
        self.pass(now);
        let mut after = self.clone();
        match after.apply(ask, now) {
            Ok(mut reply) => {
                after.finish(&mut reply);
                after.high_water = after.high_water.max(now);
                after.refused.remove(key);
                after.done.insert(key.to_string(), (said, reply.clone()));
                *self = after;
                Outcome::Done(reply)
            }
            Err(no) => {
                if no.remembered {
                    self.refused.insert(key.to_string(), (said, no.code, now + REFUSAL_MS));
                }
                Outcome::Refused(no.code)
            }
        }
    }

    /// The accounts of an answer as they are in the end.
    fn finish(&self, reply: &mut Reply) {
        for line in &mut reply.lines {
            let account = &self.accounts[line.account];
            line.balance = account.balance;
            line.held = self.held(line.account);
            line.status = account.status;
            line.expires_at = account.expires_at;
        }
    }

    fn apply(&mut self, ask: &Ask, now: i64) -> Result<Reply, No> {
        match ask {
            Ask::Issue(cards) => self.issue(cards, now),
            Ask::ChangeState { target, change } => self.change_state(target, *change),
            Ask::ActivatePurchase { order, cards } => self.activate_purchase(*order, cards),
            Ask::CancelPurchase { order, cards } => self.cancel_purchase(*order, cards),
            Ask::Load { target, amount, most } => self.load(target, *amount, *most, now),
            Ask::AdjustBy { target, by } => self.adjust(target, |_| *by),
            Ask::AdjustTo { target, to } => self.adjust(target, |balance| to - balance),
            Ask::Close { target } => self.close(target),
            Ask::Expire { target } => self.expire(target, now),
            Ask::Reveal { target } => {
                let card = self.card(target)?;
                Ok(self.reply(&[card]))
            }
            Ask::ToCredit { target, customer } => self.redeem_into_credit(target, *customer, now),
            Ask::Transfer { target } => self.transfer(target),
            Ask::RefundPurchase { target, amount } => self.refund_purchase(target, *amount),
            Ask::Pay(pay) => self.pay(pay, now),
            Ask::Capture { hold, amount, is_final } => self.capture(*hold, *amount, *is_final, now),
            Ask::Void { hold } => self.void(*hold, now),
            Ask::Refund { order, whole, amount } => self.refund(*order, *whole, *amount, now),
            Ask::RefundOther { order, target, amount, paid } => self.refund_other(*order, target, *amount, *paid),
        }
    }

    /// The account that is meant.
    pub(crate) fn find(&self, target: &Target) -> Result<usize, No> {
        match target {
            Target::Card { card, .. } => Ok(*card),
            Target::Credit(customer, money) => {
                self.credits.get(&(*customer, *money)).copied().map_or_else(|| mistake("card-not-found"), Ok)
            }
        }
    }

    fn card(&self, target: &Target) -> Result<usize, No> {
        let account = self.find(target)?;
        if self.accounts[account].is_credit { mistake("not-a-card") } else { Ok(account) }
    }

    /// The account that is meant; store credit is opened where it is not there.
    fn find_or_open(&mut self, target: &Target) -> Result<usize, No> {
        match target {
            Target::Credit(customer, money) => Ok(self.credit(*customer, *money)),
            Target::Card { .. } => self.find(target),
        }
    }

    fn credit(&mut self, customer: u8, money: Money) -> usize {
        let next = self.accounts.len();
        let account = *self.credits.entry((customer, money)).or_insert(next);
        if account == next {
            self.accounts.push(Account {
                is_credit: true,
                money,
                customer: Some(customer),
                status: Status::Active,
                balance: 0,
                initial: 0,
                expires_at: None,
                replaced_by: None,
                bought_by: None,
            });
        }
        account
    }

    fn move_money(&mut self, account: usize, amount: i64, counter: Counter) {
        let money = self.accounts[account].money;
        self.accounts[account].balance += amount;
        self.count(counter, money, -amount);
    }

    fn count(&mut self, counter: Counter, money: Money, amount: i64) {
        *self.counters.entry((counter, money)).or_default() += i128::from(amount);
    }

    /// A reply about accounts as they are now; [`Self::finish`] fills in how they are in the end.
    fn reply(&self, accounts: &[usize]) -> Reply {
        let mut reply = Reply::default();
        accounts.iter().for_each(|account| self.line(&mut reply, *account, None));
        reply
    }

    /// Adds an account to a reply; what was applied adds up where it is there.
    fn line(&self, reply: &mut Reply, account: usize, applied: Option<i64>) {
        if let Some(line) = reply.lines.iter_mut().find(|line| line.account == account) {
            line.applied = applied.map(|applied| line.applied.unwrap_or(0) + applied).or(line.applied);
            return;
        }
        let Account { balance, status, expires_at, .. } = self.accounts[account];
        reply.lines.push(Line { account, before: balance, balance, held: 0, status, expires_at, applied });
    }

    fn issue(&mut self, cards: &[IssueCard], now: i64) -> Result<Reply, No> {
        let mut reply = Reply::default();
        for card in cards {
            if card.value <= 0 {
                return mistake("amount-not-positive");
            }
            if card.expires_at.is_some_and(|end| end <= now) {
                return mistake("end-in-the-past");
            }
            let account = self.accounts.len();
            self.accounts.push(Account {
                is_credit: false,
                money: card.money,
                customer: card.customer,
                status: if card.active { Status::Active } else { Status::Pending },
                balance: 0,
                initial: card.value,
                expires_at: card.expires_at,
                replaced_by: None,
                bought_by: card.bought_by,
            });
            self.line(&mut reply, account, None);
            self.move_money(account, card.value, Counter::Issuance);
        }
        Ok(reply)
    }

    fn change_state(&mut self, target: &Target, change: Change) -> Result<Reply, No> {
        let account = self.find(target)?;
        let reply = self.reply(&[account]);
        self.accounts[account].status = match (change, self.accounts[account].status) {
            (_, Status::Closed) => return no("card-closed"),
            (Change::Activate, Status::Pending) | (Change::Enable, Status::Disabled) => Status::Active,
            (Change::Disable, Status::Active | Status::Pending) => Status::Disabled,
            _ => return no("wrong-state"),
        };
        Ok(reply)
    }

    fn activate_purchase(&mut self, order: u8, cards: &[usize]) -> Result<Reply, No> {
        let mut reply = Reply::default();
        for card in cards {
            if self.accounts[*card].bought_by != Some(order) {
                return mistake("card-not-of-order");
            }
            if self.accounts[*card].status == Status::Pending {
                self.line(&mut reply, *card, None);
                self.accounts[*card].status = Status::Active;
            }
        }
        if reply.lines.is_empty() { no("nothing-to-activate") } else { Ok(reply) }
    }

    fn cancel_purchase(&mut self, order: u8, cards: &[usize]) -> Result<Reply, No> {
        let mut reply = Reply::default();
        for card in cards {
            let account = self.accounts[*card].clone();
            if account.bought_by != Some(order) {
                return mistake("card-not-of-order");
            }
            if account.status == Status::Closed {
                continue;
            }
            if account.balance != account.initial || self.held(*card) != 0 {
                return no("card-already-spent");
            }
            self.line(&mut reply, *card, None);
            self.move_money(*card, -account.balance, Counter::Issuance);
            self.accounts[*card].status = Status::Closed;
        }
        if reply.lines.is_empty() { no("nothing-to-cancel") } else { Ok(reply) }
    }

    fn load(&mut self, target: &Target, amount: i64, most: Option<i64>, now: i64) -> Result<Reply, No> {
        let account = self.find_or_open(target)?;
        if amount <= 0 {
            return mistake("amount-not-positive");
        }
        match self.accounts[account].status {
            Status::Closed => return no("card-closed"),
            Status::Pending => return no("wrong-state"),
            Status::Active | Status::Disabled => {}
        }
        if self.has_expired(account, now) {
            return no("card-expired");
        }
        if most.is_some_and(|most| self.accounts[account].balance + amount > most) {
            return no("balance-too-high");
        }
        let reply = self.reply(&[account]);
        self.move_money(account, amount, Counter::Issuance);
        Ok(reply)
    }

    fn has_expired(&self, account: usize, now: i64) -> bool {
        self.accounts[account].expires_at.is_some_and(|end| end <= now)
    }

    fn adjust(&mut self, target: &Target, change: impl Fn(i64) -> i64) -> Result<Reply, No> {
        let account = self.find(target)?;
        let Account { status, balance, .. } = self.accounts[account];
        let change = change(balance);
        if status == Status::Closed {
            return no("card-closed");
        }
        if change == 0 {
            return mistake("adjustment-zero");
        }
        if balance + change < self.held(account) {
            return no("adjustment-too-low");
        }
        let reply = self.reply(&[account]);
        self.move_money(account, change, Counter::Adjustment);
        Ok(reply)
    }

    fn close(&mut self, target: &Target) -> Result<Reply, No> {
        let card = self.card(target)?;
        if self.accounts[card].status == Status::Closed {
            return no("card-closed");
        }
        if self.accounts[card].balance != 0 {
            return no("card-not-empty");
        }
        let reply = self.reply(&[card]);
        self.accounts[card].status = Status::Closed;
        Ok(reply)
    }

    fn expire(&mut self, target: &Target, now: i64) -> Result<Reply, No> {
        let account = self.find(target)?;
        if self.accounts[account].status == Status::Closed {
            return no("card-closed");
        }
        if !self.has_expired(account, now) {
            return no("card-not-expired");
        }
        if self.held(account) != 0 {
            return no("card-held");
        }
        let reply = self.reply(&[account]);
        self.move_money(account, -self.accounts[account].balance, Counter::Breakage);
        self.accounts[account].status = Status::Closed;
        Ok(reply)
    }

    fn redeem_into_credit(&mut self, target: &Target, customer: u8, now: i64) -> Result<Reply, No> {
        let card = self.card(target)?;
        let account = self.accounts[card].clone();
        match account.status {
            Status::Closed => return no("card-closed"),
            Status::Disabled => return no("card-disabled"),
            Status::Pending => return no("card-pending"),
            Status::Active if self.has_expired(card, now) => return no("card-expired"),
            Status::Active => {}
        }
        if account.customer.is_some_and(|owner| owner != customer) {
            return no("customer-mismatch");
        }
        if self.held(card) != 0 {
            return no("card-held");
        }
        if account.balance == 0 {
            return no("card-empty");
        }
        let credit = self.credit(customer, account.money);
        let reply = self.reply(&[card, credit]);
        self.accounts[card].balance = 0;
        self.accounts[card].status = Status::Closed;
        self.accounts[credit].balance += account.balance;
        Ok(reply)
    }

    fn transfer(&mut self, target: &Target) -> Result<Reply, No> {
        let card = self.card(target)?;
        if self.accounts[card].status == Status::Closed {
            return no("card-closed");
        }
        if self.held(card) != 0 {
            return no("card-held");
        }
        let replacement = self.accounts.len();
        let balance = self.accounts[card].balance;
        self.accounts.push(Account { balance: 0, ..self.accounts[card].clone() });
        let reply = self.reply(&[card, replacement]);
        self.accounts[replacement].balance = balance;
        let old = &mut self.accounts[card];
        (old.balance, old.status, old.replaced_by) = (0, Status::Closed, Some(replacement));
        Ok(reply)
    }

    fn refund_purchase(&mut self, target: &Target, amount: Option<i64>) -> Result<Reply, No> {
        let account = self.find(target)?;
        let Account { status, balance, initial, is_credit, .. } = self.accounts[account];
        if status == Status::Closed {
            return no("card-closed");
        }
        if is_credit {
            return mistake("not-a-card");
        }
        let amount = amount.unwrap_or(initial);
        if amount <= 0 {
            return mistake("amount-not-positive");
        }
        if amount > balance - self.held(account) {
            return no("card-already-spent");
        }
        let reply = self.reply(&[account]);
        self.move_money(account, -amount, Counter::Issuance);
        if amount == balance {
            self.accounts[account].status = Status::Closed;
        }
        Ok(reply)
    }
}
