//! What each operation does to accounts, holds and orders. Pure: what was read comes in, a change goes out. Must not know
//! which rule decided an amount, nor how anything is stored.

mod cards;
mod credit;
mod delivery;
mod orders;
mod purchases;
mod receipt;
mod refunds;
mod target;

use std::convert::Infallible;

use giftcard_engine::moment::InstantMs;
use giftcard_engine::{Currency, Minor};

use crate::chain::digest;
use crate::draft::{Draft, Unsound};
use crate::ledger::Ledger;
use crate::model::{Id, Operation, OperationKey, OperationKind, RecordKey, RecordKind};
use crate::plan::{Answer, Facts, LedgerError, Plan, Refused, Request, Stop};
use crate::store::{Changes, Found, Want};

pub use cards::{
    Adjust, Adjustment, CARDS_PER_ISSUE_MAX, CODE_NOT_FREE, CODE_TAKEN, ChangeState, Close, ExpireCard, IssueCards,
    Load, NewCard, NewCode, StateChange,
};
pub use credit::{ToCredit, credit_id};
pub use delivery::Reveal;
pub use orders::{
    Capture, OrderShares, Tendered, Void, hold_lines_left, order_key, plan_hold, plan_redemption, release_open_hold,
};
pub use purchases::{ActivatePurchase, CancelPurchase, RefundPurchase, Transfer};
pub use receipt::{AccountLine, Receipt, RefusedEntry, status_name};
pub use refunds::{
    RefundOther, RefundPlan, RefundTarget, ReturnedShare, SpareCard, plan_refund, refund_targets, want_of_order,
};
pub use target::Target;

/// An operation that needs no rules.
pub trait Command {
    /// What it does.
    fn kind(&self) -> OperationKind;

    /// The order it is for.
    fn order(&self) -> Option<String> {
        None
    }

    /// What it has to read.
    fn want(&self, site: &str) -> Want;

    /// What else it has to read.
    fn more(&self, found: &Found) -> Want {
        let _ = found;
        Want::default()
    }

    /// As [`Plan::ends_holds`].
    fn ends_holds(&self) -> bool {
        false
    }

    /// Does it to `draft`, and says what is answered.
    ///
    /// # Errors
    /// [`Stop`].
    fn draft(&self, site: &str, facts: &Facts<'_>, draft: &mut Draft) -> Result<Receipt, Stop<Infallible>>;
}

struct Operate<'a, C> {
    request: &'a Request,
    actor: Option<&'a str>,
    command: &'a C,
}

impl<C: Command> Plan for Operate<'_, C> {
    type Error = Infallible;

    fn want(&self) -> Want {
        self.command.want(&self.request.key.site)
    }

    fn more(&self, found: &Found) -> Want {
        self.command.more(found)
    }

    fn ends_holds(&self) -> bool {
        self.command.ends_holds()
    }

    fn plan(&mut self, facts: &Facts<'_>) -> Result<Changes, Stop<Infallible>> {
        let mut draft = Draft::new();
        let receipt = self.command.draft(&self.request.key.site, facts, &mut draft)?;
        let order = self.command.order().or_else(|| receipt.order.clone());
        let operation = Operation {
            key: self.request.key.clone(),
            kind: self.command.kind(),
            request_hash: self.request.hash,
            at: facts.now,
            order,
            actor: self.actor.map(str::to_string),
            answer: receipt.seal(&self.request.key, self.command.kind(), facts.now, &draft),
            decision: None,
            personal: self.request.personal.as_ref().map(|personal| personal.reference),
        };
        draft.personal(self.request.personal.clone());
        Ok(draft.finish(operation)?)
    }
}

impl Ledger {
    /// Does a command, once for all time. The answer is a [`Receipt`].
    ///
    /// # Errors
    /// As [`Ledger::run`].
    pub fn operate<C: Command>(
        &self,
        request: &Request,
        actor: Option<&str>,
        command: &C,
    ) -> Result<Answer, LedgerError<Infallible>> {
        self.run(request, &mut Operate { request, actor, command })
    }
}

/// Ends a hold whose time has passed. A hold that is closed by now is left as it is.
///
/// # Errors
/// As [`Ledger::run`].
pub fn expire_hold(ledger: &Ledger, hold: Id, now: InstantMs) -> Result<Option<Answer>, LedgerError<Infallible>> {
    let key = OperationKey { site: String::new(), key: format!("expire-hold:{hold}") };
    let request = Request { hash: digest(&key.key), key, now, personal: None };
    match ledger.operate(&request, None, &orders::ExpireHold { hold }) {
        Ok(answer) => Ok(Some(answer)),
        Err(LedgerError::Refused(refused)) if refused.code == orders::HOLD_NOT_OPEN => Ok(None),
        Err(error) => Err(error),
    }
}

/// Where a hold is kept.
#[must_use]
pub fn hold_key(hold: Id) -> RecordKey {
    RecordKey { kind: RecordKind::Hold, site: String::new(), id: hold.to_string() }
}

impl<E> From<Unsound> for Stop<E> {
    /// Operations check what they do before they do it; an account at its bounds is told as a refusal all the same.
    fn from(unsound: Unsound) -> Self {
        Self::Refused(Refused::mistake("amount-out-of-bounds", unsound.to_string()))
    }
}

/// A stored amount.
fn minor<E>(amount: i64) -> Result<Minor, Stop<E>> {
    let corrupt = |_| crate::store::StoreError::Corrupt(format!("{amount} is no amount"));
    Minor::new(amount).map_err(|error| Stop::Store(corrupt(error)))
}

/// More than nothing.
fn positive(amount: Minor, currency: Currency, what: &str) -> Result<(), Refused> {
    if amount > Minor::ZERO {
        return Ok(());
    }
    let message = format!("`{what}` is {}; it must be more than nothing", currency.format(amount));
    Err(Refused::mistake("amount-not-positive", message))
}
