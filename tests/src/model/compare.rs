//! Runs the same steps in the model and at a desk, and compares every answer, and everything there is in the end. Must not
//! know what a step does.

use std::collections::BTreeMap;

use giftcard_engine::moment::format_instant;
use giftcard_ledger::model::{self as kept, Id};
use giftcard_ledger::operations::Receipt;
use giftcard_ledger::store::Want;

use super::steps::{Key, Step};
use super::subject::{Answered, Subject, currency, id_of_credit, name, paid_order, purchase};
use super::{Account, Ask, Counter, HoldState, Model, Outcome, Reply, Status};
use crate::bank::{self, dollars};
use crate::concurrency::books::Books;
use crate::concurrency::place::Place;

/// How often each kind of answer came, by what was asked: shows that a run was worth something.
pub type Tally = BTreeMap<String, usize>;

/// Runs steps on an empty ledger and in an empty model.
///
/// # Panics
/// At the first difference.
pub fn run(place: &Place, steps: &[Step], tally: &mut Tally) {
    let mut both = Both { model: Model::default(), subject: Subject::new(place), log: Vec::new() };
    let mut clock = bank::NOW;
    both.model.restart();
    for step in steps {
        clock += step.wait_ms;
        both.step(step, clock, tally);
    }
    both.finish(place, clock);
}

struct Both<'a> {
    model: Model,
    subject: Subject<'a>,
    log: Vec<(String, Ask)>,
}

impl Both<'_> {
    fn step(&mut self, step: &Step, clock: i64, tally: &mut Tally) {
        let Some(wish) = step.wish.request(&self.model, self.model.moment(clock)) else {
            return self.restart(clock);
        };
        let earlier = |place: u8| usize::from(place) % self.log.len();
        let (key, ask) = match step.key {
            Key::Again(place) if !self.log.is_empty() => self.log[earlier(place)].clone(),
            Key::OfAnother(place) if !self.log.is_empty() => (self.log[earlier(place)].0.clone(), wish),
            _ => (format!("operation-{}", self.log.len()), wish),
        };
        let expected = self.model.ask(&key, &ask, clock);
        let answered = self.subject.ask(&key, &ask, clock);
        let what = format!("{key}: {ask:?} at {}", clock - bank::NOW);
        let said = self.compare(&expected, answered, &what);
        let kind = format!("{ask:?}");
        let kind = kind.split([' ', '(']).next().unwrap_or_default();
        *tally.entry(format!("{kind}: {said}")).or_default() += 1;
        self.log.push((key, ask));
        self.compare_accounts(&what);
    }

    /// A process that ends has ended the holds whose time has passed; the next one knows what was done.
    fn restart(&mut self, clock: i64) {
        let now = self.model.moment(clock);
        self.model.pass(now);
        self.subject.restart(now);
        self.model.restart();
        let high_water = self.subject.desk().store().find(&Want::default()).expect("a read").high_water;
        assert!(self.model.high_water <= high_water && high_water <= now, "{high_water}");
        self.model.high_water = high_water;
    }

    fn compare(&mut self, expected: &Outcome, answered: Answered, what: &str) -> String {
        match (expected, answered.result) {
            (Outcome::Done(reply), Ok((receipt, false))) => {
                self.learn(reply, &receipt, answered.codes, what);
                self.compare_reply(reply, &receipt, what);
                "done".to_string()
            }
            (Outcome::Repeated(reply), Ok((receipt, true))) => {
                self.compare_reply(reply, &receipt, what);
                "repeated".to_string()
            }
            (Outcome::Refused(code), Err(told)) if *code == told => told,
            (Outcome::KeyReused, Err(told)) if told == "operation-key-reused" => told,
            (expected, got) => panic!("{what}: the model says {expected:?}, the ledger {got:?}"),
        }
    }

    /// Accounts and holds that came to be get their ids.
    fn learn(&mut self, reply: &Reply, receipt: &Receipt, codes: Vec<String>, what: &str) {
        self.subject.count_codes(codes.len());
        let mut codes = codes.into_iter();
        for number in self.subject.accounts.len()..self.model.accounts.len() {
            let account = &self.model.accounts[number];
            if let (true, Some(customer)) = (account.is_credit, account.customer) {
                self.subject.learn(id_of_credit(customer, account.money), None);
                continue;
            }
            let place = reply.lines.iter().position(|line| line.account == number);
            let line =
                place.and_then(|place| receipt.accounts.get(place)).unwrap_or_else(|| panic!("{what}: {receipt:?}"));
            assert!(!self.subject.accounts.contains(&line.id), "{what}: {} is no new card", line.id);
            self.subject.learn(line.id, codes.next());
        }
        if let Some(hold) = reply.hold
            && hold == self.subject.holds.len()
        {
            self.subject.holds.push(receipt.hold.unwrap_or_else(|| panic!("{what}: no hold in {receipt:?}")));
        }
    }

    fn compare_reply(&self, reply: &Reply, receipt: &Receipt, what: &str) {
        let expected: Vec<_> = reply
            .lines
            .iter()
            .map(|line| {
                let money = self.model.accounts[line.account].money;
                (
                    self.subject.accounts[line.account],
                    money.code().to_string(),
                    dollars(line.balance - line.before),
                    (dollars(line.before), dollars(line.balance), dollars(line.held)),
                    status(line.status).to_string(),
                    line.expires_at.map(format_instant),
                    line.applied.map(dollars),
                )
            })
            .collect();
        let told: Vec<_> = receipt
            .accounts
            .iter()
            .cloned()
            .map(|line| {
                let amounts = (line.balance_before, line.balance, line.held);
                (line.id, line.currency, line.amount, amounts, line.status, line.expires_at, line.applied)
            })
            .collect();
        assert_eq!(told, expected, "{what}");
        let state = receipt.hold_state.map(|state| format!("{state:?}"));
        let told = (&receipt.applied, &receipt.due, &receipt.remaining, receipt.hold, state, &receipt.ends_at);
        let expected = (
            &reply.applied.map(dollars),
            &reply.due.map(dollars),
            &reply.remaining.map(dollars),
            reply.hold.map(|hold| self.subject.holds[hold]),
            reply.hold_state.map(|state| format!("{state:?}")),
            &reply.ends_at.map(format_instant),
        );
        assert_eq!(told, expected, "{what}");
    }

    /// Balances and states of all accounts. What is held is compared in answers and in the end: between those, a hold
    /// that has passed may not have been looked at.
    fn compare_accounts(&self, what: &str) {
        let want = Want { accounts: self.subject.accounts.clone(), ..Want::default() };
        let found = self.subject.desk().store().find(&want).expect("a read").accounts;
        for (number, account) in self.model.accounts.iter().enumerate() {
            let there = &found[&self.subject.accounts[number]];
            self.compare_account(account, there, &format!("after {what}: account {number}"));
        }
    }

    fn compare_account(&self, account: &Account, there: &kept::Account, what: &str) {
        let expected = (
            account.money.code(),
            account.customer.map(name),
            account.balance,
            account.initial,
            account.expires_at,
            account.replaced_by.map(|next| self.subject.accounts[next]),
            account.bought_by.map(purchase),
        );
        let found = (
            there.currency.code(),
            there.customer.clone(),
            there.balance.get(),
            there.initial.get(),
            there.expires_at,
            there.replaced_by,
            there.bought_by.clone(),
        );
        assert_eq!(found, expected, "{what}");
        assert_eq!(format!("{:?}", there.status), format!("{:?}", account.status), "{what}");
    }

    /// Everything there is, once the holds that have passed are ended.
    fn finish(&mut self, place: &Place, clock: i64) {
        let now = self.model.moment(clock);
        self.model.pass(now);
        self.subject.sweep(now);
        let books = Books::audited(&*place.store());
        assert_eq!(books.all.accounts.len(), self.model.accounts.len());
        for (number, account) in self.model.accounts.iter().enumerate() {
            let there = books.account(self.subject.accounts[number]);
            self.compare_account(account, there, &format!("in the end: account {number}"));
            assert_eq!(there.held.get(), self.model.held(number), "in the end: held of account {number}");
        }
        self.compare_holds(&books);
        self.compare_orders(&books);
        let mut sums: BTreeMap<(String, String), i128> = BTreeMap::new();
        for sum in books.all.counter_sums.iter().filter(|sum| sum.amount_minor != 0) {
            if let Some(counter) = sum.counter {
                sums.insert((format!("{counter:?}"), sum.currency.to_string()), sum.amount_minor);
            }
        }
        let counted = self.model.counters.iter().filter(|(_, sum)| **sum != 0);
        let expected: BTreeMap<_, _> =
            counted.map(|((counter, money), sum)| ((counter_name(*counter), money.code().to_string()), *sum)).collect();
        assert_eq!(sums, expected, "in the end: counters");
    }

    fn compare_holds(&self, books: &Books) {
        let line = |id: Id, amounts: [i64; 4]| (id, amounts);
        let found: BTreeMap<Id, _> = books
            .holds
            .iter()
            .map(|(id, hold)| {
                let of = |kept: &kept::HoldLine| {
                    line(kept.account, [kept.applied, kept.taken, kept.applied_captured, kept.taken_captured])
                };
                let lines: Vec<_> = hold.lines.iter().map(of).collect();
                (*id, (hold.order.clone(), format!("{:?}", hold.state), hold.ends_at, hold.due, lines))
            })
            .collect();
        let expected: BTreeMap<Id, _> = self
            .model
            .holds
            .iter()
            .zip(&self.subject.holds)
            .map(|(hold, id)| {
                let of = |kept: &super::HoldLine| {
                    let id = self.subject.accounts[kept.account];
                    line(id, [kept.applied, kept.taken, kept.applied_captured, kept.taken_captured])
                };
                let lines: Vec<_> = hold.lines.iter().map(of).collect();
                (*id, (paid_order(hold.order), hold_state(hold.state).to_string(), hold.ends_at, hold.due, lines))
            })
            .collect();
        assert_eq!(found, expected, "in the end: holds");
    }

    fn compare_orders(&self, books: &Books) {
        type Known = (String, i64, Option<Id>, Vec<(Id, [i64; 4])>, i64, Option<String>);
        let found: BTreeMap<&str, Known> = books
            .orders
            .iter()
            .map(|(id, order)| {
                let of = |tender: &kept::TenderRecord| {
                    let returned = [tender.applied_returned, tender.taken_returned];
                    (tender.account, [tender.applied, tender.taken, returned[0], returned[1]])
                };
                let tenders = order.tenders.iter().map(of).collect();
                let customer = order.customer.clone();
                let known = (order.currency.clone(), order.total, order.hold, tenders, order.other_returned, customer);
                (id.as_str(), known)
            })
            .collect();
        let names: BTreeMap<u8, String> = self.model.orders.keys().map(|order| (*order, paid_order(*order))).collect();
        let expected: BTreeMap<&str, Known> = self
            .model
            .orders
            .iter()
            .map(|(number, order)| {
                let of = |tender: &super::Tender| {
                    let returned = [tender.applied_returned, tender.taken_returned];
                    let id = self.subject.accounts[tender.account];
                    (id, [tender.applied, tender.taken, returned[0], returned[1]])
                };
                let tenders = order.tenders.iter().map(of).collect();
                let (money, hold) =
                    (currency(order.money).to_string(), order.hold.map(|hold| self.subject.holds[hold]));
                let known = (money, order.total, hold, tenders, order.other_returned, order.customer.map(name));
                (names[number].as_str(), known)
            })
            .collect();
        assert_eq!(found, expected, "in the end: orders");
    }
}

fn status(status: Status) -> &'static str {
    match status {
        Status::Pending => "pending",
        Status::Active => "active",
        Status::Disabled => "disabled",
        Status::Closed => "closed",
    }
}

fn hold_state(state: HoldState) -> &'static str {
    match state {
        HoldState::Open => "Open",
        HoldState::Captured => "Captured",
        HoldState::Voided => "Voided",
        HoldState::Expired => "Expired",
        HoldState::Replaced => "Replaced",
    }
}

fn counter_name(counter: Counter) -> String {
    format!("{counter:?}")
}
