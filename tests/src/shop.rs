//! A shop for tests: a desk on a ledger, asked in few words. Every request has a key of its own unless a test names one.
//! Must not know what is tested, nor which store it is.
#![allow(clippy::unwrap_used, clippy::panic, reason = "only tests use it; what they set up must work")]

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use giftcard::codes::SecretCode;
use giftcard::desk::{CardName, PayKind, VerifyOptions, receipt};
use giftcard::input::{PositiveAmount, read_document};
use giftcard::output::{AccountEntryOutput, CardDetailsOutput, IssuedOutput, QuoteOutput};
use giftcard::{Desk, DeskError, Doing};
use giftcard_engine::Currency;
use giftcard_engine::moment::InstantMs;
use giftcard_ledger::operations::Receipt;
use giftcard_ledger::store::Store;
use serde_json::{Value, json};

use crate::bank::{self, NOW, SITE};
use crate::both::Fresh;

/// The seed of the keys that every desk of a test has.
const SEED: u64 = 7;

/// Most entries of a card that a test looks at.
const ENTRIES_MAX: usize = 1_000;

/// A desk and the site that it is asked for.
pub struct Shop {
    /// For what there are no few words for.
    pub desk: Desk,
    /// The site.
    pub site: String,
    run: u64,
    serial: AtomicU64,
    now: AtomicI64,
}

/// A card that was issued.
#[derive(Clone, Debug)]
pub struct Card {
    /// Its id.
    pub id: String,
    /// Its code.
    pub code: String,
}

impl Card {
    /// The card by its id.
    ///
    /// # Panics
    /// Never: the ledger wrote it.
    #[must_use]
    pub fn name(&self) -> CardName {
        CardName::Id(self.id.parse().unwrap())
    }

    /// As an entry of a payment, by its code.
    #[must_use]
    pub fn entry(&self) -> Value {
        json!({ "code": self.code })
    }

    /// As an entry of exactly so much.
    #[must_use]
    pub fn exactly(&self, amount: &str) -> Value {
        json!({ "code": self.code, "amount": amount })
    }
}

impl Shop {
    /// A shop in US dollars on an empty ledger.
    #[must_use]
    pub fn open(fresh: &Fresh) -> Self {
        Self::of(fresh, &json!({ "id": SITE, "currency": "USD" }))
    }

    /// A shop that is set up as the document says.
    ///
    /// # Panics
    /// If it cannot be.
    #[must_use]
    pub fn of(fresh: &Fresh, site: &Value) -> Self {
        Self::beside(fresh).another(site)
    }

    /// The same process with one more site, which it is asked for from now on.
    ///
    /// # Panics
    /// If it cannot be set up.
    #[must_use]
    pub fn another(self, site: &Value) -> Self {
        self.desk.set_site(&read(site.clone())).unwrap();
        Self { site: site["id"].as_str().unwrap().to_string(), ..self }
    }

    /// One more process of the shop that was opened on this ledger.
    #[must_use]
    pub fn beside(fresh: &Fresh) -> Self {
        Self::on(fresh.open())
    }

    /// The same through another store before it.
    #[must_use]
    pub fn on(store: Arc<dyn Store>) -> Self {
        static RUNS: AtomicU64 = AtomicU64::new(1);
        let run = RUNS.fetch_add(1, Ordering::Relaxed);
        let desk = bank::desk(store, SEED, run);
        Self { desk, site: SITE.to_string(), run, serial: AtomicU64::new(0), now: AtomicI64::new(NOW) }
    }

    /// Now.
    #[must_use]
    pub fn now(&self) -> InstantMs {
        self.now.load(Ordering::Relaxed)
    }

    /// Moves the clock.
    pub fn set_now(&self, now: InstantMs) {
        self.now.store(now, Ordering::Relaxed);
    }

    /// A key that no other request has.
    #[must_use]
    pub fn key(&self) -> String {
        format!("{}-{}", self.run, self.serial.fetch_add(1, Ordering::Relaxed))
    }

    /// Does something with a key of its own, at this site and now.
    pub fn doing<T>(&self, run: impl FnOnce(&Doing<'_>) -> T) -> T {
        let key = self.key();
        run(&Doing { site: &self.site, operation: &key, actor: None, now: self.now() })
    }

    /// Issues cards as the document says.
    ///
    /// # Errors
    /// [`DeskError`].
    pub fn issue_as(&self, document: Value) -> Result<IssuedOutput, DeskError> {
        self.doing(|doing| self.desk.issue(doing, &read_document(&document.to_string())?))
    }

    /// Issues cards as the document says, which it must be right to.
    ///
    /// # Panics
    /// If they are refused.
    #[must_use]
    pub fn cards(&self, document: Value) -> Vec<Card> {
        let issued = self.issue_as(document).unwrap_or_else(|error| panic!("{}: {error}", error.code()));
        let card = |card: &giftcard::output::IssuedCardOutput| Card {
            id: card.id.clone(),
            code: card.code.as_ref().unwrap().reveal().to_string(),
        };
        issued.cards.iter().map(card).collect()
    }

    /// A card of the programme `manual` with this value.
    #[must_use]
    pub fn card(&self, value: &str) -> Card {
        self.cards(json!({ "value": value })).remove(0)
    }

    /// Takes a hold or redeems as the document says; its key may be left out.
    ///
    /// # Errors
    /// [`DeskError`].
    pub fn pay(&self, kind: PayKind, mut document: Value) -> Result<Receipt, DeskError> {
        if document.get("operation").is_none() {
            document["operation"] = self.key().into();
        }
        document["site"] = self.site.clone().into();
        receipt(&self.desk.pay(&read_document(&document.to_string())?, kind, self.now())?)
    }

    /// Redeems for an order in US dollars.
    ///
    /// # Errors
    /// [`DeskError`].
    pub fn redeem(&self, order: &str, total: &str, entries: &[Value]) -> Result<Receipt, DeskError> {
        self.pay(PayKind::Redeem, payment(order, total, entries))
    }

    /// Takes a hold for an order in US dollars.
    ///
    /// # Errors
    /// [`DeskError`].
    pub fn hold(&self, order: &str, total: &str, entries: &[Value]) -> Result<Receipt, DeskError> {
        self.pay(PayKind::Hold, payment(order, total, entries))
    }

    /// What cards would pay for an order in US dollars.
    ///
    /// # Errors
    /// [`DeskError`].
    pub fn quote(&self, order: &str, total: &str, entries: &[Value]) -> Result<QuoteOutput, DeskError> {
        let mut document = payment(order, total, entries);
        document["operation"] = "not-used".into();
        document["site"] = self.site.clone().into();
        self.desk.quote(&read_document(&document.to_string())?, self.now(), false)
    }

    /// Captures a part of a hold, finally.
    ///
    /// # Errors
    /// [`DeskError`].
    pub fn capture(&self, hold: &str, amount: &str) -> Result<Receipt, DeskError> {
        self.capture_as(json!({ "hold": hold, "amount": amount, "final": true }))
    }

    /// Captures as the document says; its key may be left out.
    ///
    /// # Errors
    /// [`DeskError`].
    pub fn capture_as(&self, mut document: Value) -> Result<Receipt, DeskError> {
        if document.get("operation").is_none() {
            document["operation"] = self.key().into();
        }
        document["site"] = self.site.clone().into();
        receipt(&self.desk.capture(&read_document(&document.to_string())?, self.now())?)
    }

    /// Gives a hold up.
    ///
    /// # Errors
    /// [`DeskError`].
    pub fn void(&self, hold: &str) -> Result<Receipt, DeskError> {
        receipt(&self.doing(|doing| self.desk.void(doing, hold, None))?)
    }

    /// Refunds an order: `mode` is `cards` or `order`.
    ///
    /// # Errors
    /// [`DeskError`].
    pub fn refund(&self, order: &str, mode: &str, amount: &str) -> Result<Receipt, DeskError> {
        self.refund_with(&self.key(), order, mode, amount)
    }

    /// The same with this key.
    ///
    /// # Errors
    /// [`DeskError`].
    pub fn refund_with(&self, key: &str, order: &str, mode: &str, amount: &str) -> Result<Receipt, DeskError> {
        let document = json!({ "operation": key, "site": self.site, "order": order, "mode": mode, "amount": amount });
        let spare = self.desk.refund_needs_codes(&self.site, order)?;
        let spare = self.desk.spare_codes(&spare, self.now())?;
        receipt(&self.desk.refund(&read_document(&document.to_string())?, spare, self.now())?)
    }

    /// Staff correct a balance by so much.
    ///
    /// # Errors
    /// [`DeskError`].
    pub fn adjust(&self, card: &Card, by: &str) -> Result<Receipt, DeskError> {
        self.adjust_as(card, json!({ "by": by, "reason": "a test" }))
    }

    /// Staff correct a balance to so much.
    ///
    /// # Errors
    /// [`DeskError`].
    pub fn adjust_to(&self, card: &Card, to: &str) -> Result<Receipt, DeskError> {
        self.adjust_as(card, json!({ "to": to, "reason": "a test" }))
    }

    fn adjust_as(&self, card: &Card, document: Value) -> Result<Receipt, DeskError> {
        let input = read_document(&document.to_string())?;
        receipt(&self.doing(|doing| self.desk.adjust(doing, &card.name(), &input))?)
    }

    /// The purchase of a card is refunded: of all of it without an amount.
    ///
    /// # Errors
    /// [`DeskError`].
    pub fn refund_purchase(&self, card: &Card, amount: Option<&str>) -> Result<Receipt, DeskError> {
        let amount = amount.map(|amount| PositiveAmount(amount.to_string()));
        receipt(&self.doing(|doing| self.desk.refund_purchase(doing, &card.name(), amount.as_ref(), None))?)
    }

    /// A card is blocked.
    ///
    /// # Panics
    /// If that is refused.
    pub fn disable(&self, card: &Card) {
        let _ = self.doing(|doing| self.desk.disable(doing, &card.name(), None)).unwrap();
    }

    /// What staff see of a card.
    ///
    /// # Panics
    /// If there is none.
    #[must_use]
    pub fn look(&self, card: &Card) -> CardDetailsOutput {
        self.desk.card(&self.site, &card.name(), self.now()).unwrap()
    }

    /// What is on a card.
    #[must_use]
    pub fn balance(&self, card: &Card) -> String {
        self.look(card).account.balance
    }

    /// What is on a card and not held.
    #[must_use]
    pub fn available(&self, card: &Card) -> String {
        self.look(card).account.available
    }

    /// What is held of a card.
    #[must_use]
    pub fn held(&self, card: &Card) -> String {
        self.look(card).account.held
    }

    /// What a shopper is told who asks for the balance of a code: what is available, or an error.
    ///
    /// # Errors
    /// [`DeskError`].
    pub fn ask(&self, code: &str, customer: Option<&str>, who: &str) -> Result<String, DeskError> {
        let code = SecretCode::new(code.to_string());
        let balance = self.desk.public_balance(&self.site, &code, customer, who, self.now())?;
        Ok(balance.available)
    }

    /// The entries of a card, oldest first.
    ///
    /// # Panics
    /// If there is no such card.
    #[must_use]
    pub fn history(&self, card: &Card) -> Vec<AccountEntryOutput> {
        let page = self.desk.history(&self.site, &card.name(), 0, ENTRIES_MAX, self.now()).unwrap();
        assert_eq!(page.next, None, "more entries than a test looks at");
        page.items
    }

    /// Entries of a card that took money from it.
    #[must_use]
    pub fn debits(&self, card: &Card) -> Vec<AccountEntryOutput> {
        self.history(card).into_iter().filter(|entry| entry.amount.starts_with('-')).collect()
    }

    /// That the whole ledger is sound: chains, balances, holds, every decision when it is run again, and all legs sum to
    /// nothing.
    ///
    /// # Panics
    /// If it is not.
    pub fn check_books(&self) {
        let report = self.desk.verify(&VerifyOptions::default(), &mut |_| {}).unwrap();
        assert!(report.sound, "{:#?}", report.findings);
        for (currency, sum) in self.sums() {
            assert_eq!(sum, 0, "the legs in {currency} sum to {sum} minor units");
        }
    }

    /// The sum of all legs of the ledger in each currency, in minor units.
    ///
    /// # Panics
    /// If the store cannot be read.
    #[must_use]
    pub fn sums(&self) -> Vec<(Currency, i128)> {
        let mut sums: Vec<(Currency, i128)> = Vec::new();
        for sum in self.desk.store().counter_sums().unwrap() {
            match sums.iter_mut().find(|(currency, _)| *currency == sum.currency) {
                Some((_, so_far)) => *so_far += sum.amount_minor,
                None => sums.push((sum.currency, sum.amount_minor)),
            }
        }
        sums
    }
}

/// A payment for an order in US dollars, without a key.
#[must_use]
pub fn payment(order: &str, total: &str, entries: &[Value]) -> Value {
    json!({ "order": { "id": order, "currency": "USD", "total": total }, "cards": entries })
}

/// A document.
///
/// # Panics
/// If it is none of its kind.
#[must_use]
pub fn read<T: serde::de::DeserializeOwned>(document: Value) -> T {
    read_document(&document.to_string()).unwrap_or_else(|error| panic!("{document}: {error}"))
}

/// The code of a refusal or of an error.
///
/// # Panics
/// If there is an answer instead.
pub fn refused<T>(result: Result<T, DeskError>) -> String {
    match result {
        Ok(_) => panic!("it was not refused"),
        Err(error) => error.code().to_string(),
    }
}

/// "35.00" in cents.
///
/// # Panics
/// If it is no such amount.
#[must_use]
pub fn cents(text: &str) -> i64 {
    bank::usd().parse(text).unwrap().get()
}

/// The id of the hold in a receipt.
///
/// # Panics
/// If there is none.
#[must_use]
pub fn hold_of(receipt: &Receipt) -> String {
    receipt.hold.unwrap().to_string()
}
