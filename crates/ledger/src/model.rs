//! What the ledger keeps: accounts (cards and store credit), entries, operations, holds, orders, codes. Must not know
//! how any of it is stored, nor which rule decided an amount.

use std::fmt;
use std::str::FromStr;

use giftcard_engine::card::Status;
use giftcard_engine::moment::InstantMs;
use giftcard_engine::{Currency, Minor};
use serde::{Deserialize, Serialize};

/// SHA-256, or what is as long.
pub type Hash32 = [u8; 32];

/// The alphabet of Crockford's base 32, in lower case: no `i`, `l`, `o` or `u`.
const BASE32: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";

/// Characters of an id: 13 times 5 bits hold 63.
const ID_LENGTH: usize = 13;

/// Id of an account, a hold or a code: 63 bits, greater the later it was made. Written as 13 characters of Crockford's
/// base 32.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Id(i64);

impl Id {
    /// The id with this number; `None` below zero.
    #[must_use]
    pub const fn new(number: i64) -> Option<Self> {
        if number < 0 { None } else { Some(Self(number)) }
    }

    /// Its number, at least 0.
    #[must_use]
    pub const fn get(self) -> i64 {
        self.0
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digit = |place: usize| BASE32[(self.0 >> (5 * place)) as usize & 31] as char;
        (0..ID_LENGTH).rev().try_for_each(|place| write!(f, "{}", digit(place)))
    }
}

impl fmt::Debug for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Id({self})")
    }
}

/// Text that is no id: 13 characters of Crockford's base 32.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoId;

impl fmt::Display for NoId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("is no id; an id has 13 letters and digits")
    }
}

impl std::error::Error for NoId {}

impl FromStr for Id {
    type Err = NoId;

    fn from_str(text: &str) -> Result<Self, NoId> {
        if text.len() != ID_LENGTH {
            return Err(NoId);
        }
        let mut number: u128 = 0;
        for byte in text.bytes() {
            let digit = BASE32.iter().position(|known| *known == byte.to_ascii_lowercase()).ok_or(NoId)?;
            number = number << 5 | digit as u128;
        }
        i64::try_from(number).ok().and_then(Self::new).ok_or(NoId)
    }
}

impl Serialize for Id {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Id {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// What an account is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AccountKind {
    /// A gift card.
    Card,
    /// A customer's store credit at a site, one for each currency.
    Credit,
}

/// A card or a store credit account as it stands. INVARIANT: `0 <= held <= balance`, and `version` is the number of its
/// entries, whose last hash is `head`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// Its id.
    pub id: Id,
    /// Card or store credit.
    pub kind: AccountKind,
    /// The site it belongs to.
    pub site: String,
    /// Currency of its amounts.
    pub currency: Currency,
    /// A card's programme by code name; empty for store credit.
    pub programme: String,
    /// The customer that owns it: always of store credit, of a card where one is known.
    pub customer: Option<String>,
    /// Stored state.
    pub status: Status,
    /// Sum of its entries.
    pub balance: Minor,
    /// Reserved by open holds, among them some whose end may have passed.
    pub held: Minor,
    /// The first end of an open hold. From then on `held` must be settled before it is believed.
    pub next_hold_end: Option<InstantMs>,
    /// Value at issue; nothing for store credit.
    pub initial: Minor,
    /// When it was issued.
    pub issued_at: InstantMs,
    /// First instant at which it no longer works.
    pub expires_at: Option<InstantMs>,
    /// The last day it works, as `2026-12-31`, where the end was given as a plain date.
    pub expires_on: Option<String>,
    /// The card that took its balance over.
    pub replaced_by: Option<Id>,
    /// The order that bought it.
    pub bought_by: Option<String>,
    /// The last four characters of its code, where enough random bits remain without them.
    pub hint: Option<String>,
    /// Number of its entries. What an operation read must still hold when it is committed.
    pub version: u64,
    /// Hash of its last entry.
    pub head: Hash32,
}

impl Account {
    /// Balance without what is reserved.
    #[must_use]
    pub fn available(&self) -> Minor {
        self.balance.less(self.held)
    }
}

/// Where money comes from and goes to outside the accounts: the other leg of an entry. Has no stored balance.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Counter {
    /// What was put on cards and credit: sold, given away, topped up.
    Issuance,
    /// What orders were paid with, less refunds.
    Redemption,
    /// Corrections by staff.
    Adjustment,
    /// What was left on cards that ended.
    Breakage,
    /// Between currencies, at a recorded rate.
    Exchange,
}

/// Whose leg of an operation this is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Leg {
    /// An account's, with its place in that account's chain.
    Account {
        /// The account.
        id: Id,
        /// What becomes reserved, or free where negative.
        held_change: Minor,
        /// Its balance afterwards.
        balance: Minor,
        /// What is reserved of it afterwards.
        held: Minor,
        /// Its state afterwards.
        status: Status,
        /// 1 for the first entry of the account.
        number: u64,
        /// Over the entry, its operation and the hash before it: see [`crate::chain`].
        hash: Hash32,
    },
    /// A counter's.
    Counter(Counter),
}

/// One leg of an operation. Append-only. INVARIANT: the amounts of an operation sum to zero in each currency.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Entry {
    /// Whose.
    pub leg: Leg,
    /// Currency of the amount.
    pub currency: Currency,
    /// Change of the balance; may be nothing where only a hold or a state changed.
    pub amount: Minor,
}

/// What an operation does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OperationKind {
    /// A new card, pending or active.
    Issue,
    /// A pending card becomes active.
    Activate,
    /// A top-up of a card, or a grant of store credit.
    Load,
    /// An amount is reserved for an order.
    Hold,
    /// A hold, or a part of it, is taken.
    Capture,
    /// A hold is given up.
    Void,
    /// A hold ends by time.
    ExpireHold,
    /// Hold and capture in one.
    Redeem,
    /// What an order paid goes back.
    Refund,
    /// A correction by staff.
    Adjust,
    /// A card is blocked.
    Disable,
    /// A blocked card works again.
    Enable,
    /// A card is gone for good.
    Close,
    /// An ended card's balance becomes breakage, and it is closed.
    Expire,
    /// A card's whole balance becomes store credit.
    ToCredit,
    /// A card's whole balance moves to a replacement.
    Transfer,
    /// The purchase of a card is refunded from what is available on it.
    RefundPurchase,
    /// The order that bought a card is cancelled: the card is closed.
    CancelPurchase,
    /// The sealed code of a card is opened for its delivery.
    Reveal,
}

impl OperationKind {
    /// Every kind. The position is the number it is stored by, so new ones come last.
    pub const ALL: [Self; 19] = [
        Self::Issue,
        Self::Activate,
        Self::Load,
        Self::Hold,
        Self::Capture,
        Self::Void,
        Self::ExpireHold,
        Self::Redeem,
        Self::Refund,
        Self::Adjust,
        Self::Disable,
        Self::Enable,
        Self::Close,
        Self::Expire,
        Self::ToCredit,
        Self::Transfer,
        Self::RefundPurchase,
        Self::CancelPurchase,
        Self::Reveal,
    ];

    /// Stable kebab-case name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Issue => "issue",
            Self::Activate => "activate",
            Self::Load => "load",
            Self::Hold => "hold",
            Self::Capture => "capture",
            Self::Void => "void",
            Self::ExpireHold => "expire-hold",
            Self::Redeem => "redeem",
            Self::Refund => "refund",
            Self::Adjust => "adjust",
            Self::Disable => "disable",
            Self::Enable => "enable",
            Self::Close => "close",
            Self::Expire => "expire",
            Self::ToCredit => "to-credit",
            Self::Transfer => "transfer",
            Self::RefundPurchase => "refund-purchase",
            Self::CancelPurchase => "cancel-purchase",
            Self::Reveal => "reveal",
        }
    }
}

/// What makes an operation the same operation: its site and the key its sender chose.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct OperationKey {
    /// The site.
    pub site: String,
    /// 1 to 200 characters, chosen by the sender.
    pub key: String,
}

/// An operation as it is kept for ever.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Operation {
    /// Its identity.
    pub key: OperationKey,
    /// What it does.
    pub kind: OperationKind,
    /// Over the request without codes and personal fields. The same key with another hash is refused.
    pub request_hash: Hash32,
    /// When. INVARIANT: never before an earlier operation that its process had seen.
    pub at: InstantMs,
    /// The order it is for.
    pub order: Option<String>,
    /// Who did it, as the caller says.
    pub actor: Option<String>,
    /// What was answered, as JSON. The answer to every repetition. Never holds a code.
    pub answer: String,
    /// What was decided and on which facts, as JSON, where rules decided. Personal fields are apart, under the reference.
    pub decision: Option<String>,
    /// Where the personal fields of the request are.
    pub personal: Option<[u8; 16]>,
}

/// An operation that rules refused. Remembered until its end, then its key is free again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// Its identity.
    pub key: OperationKey,
    /// As of an operation.
    pub request_hash: Hash32,
    /// When.
    pub at: InstantMs,
    /// First instant at which it is forgotten.
    pub until: InstantMs,
    /// What was answered, as JSON.
    pub answer: String,
}

/// Kinds of documents that are kept whole, as JSON, with a version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RecordKind {
    /// A site; its own site is empty.
    Site,
    /// A programme.
    Programme,
    /// A pool of codes.
    Pool,
    /// A customer.
    Customer,
    /// What cards paid for an order: [`OrderRecord`].
    Order,
    /// A hold: [`HoldRecord`].
    Hold,
    /// A plugin that was installed.
    Plugin,
    /// What a version of a plugin that only looks on said about a decision.
    Shadow,
    /// A change of a site or programme that waits, or waited, for a second person.
    Proposal,
}

impl RecordKind {
    /// Every kind. The position is the number it is stored by.
    pub const ALL: [Self; 9] = [
        Self::Site,
        Self::Programme,
        Self::Pool,
        Self::Customer,
        Self::Order,
        Self::Hold,
        Self::Plugin,
        Self::Shadow,
        Self::Proposal,
    ];

    /// Whether decisions read it: a change moves the configuration's version.
    #[must_use]
    pub const fn is_configuration(self) -> bool {
        matches!(self, Self::Site | Self::Programme | Self::Plugin)
    }
}

/// Where a document is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RecordKey {
    /// What it is.
    pub kind: RecordKind,
    /// The site it belongs to.
    pub site: String,
    /// Its id within kind and site.
    pub id: String,
}

/// A document with its version: 1 for the first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Where it is.
    pub key: RecordKey,
    /// Counts its changes.
    pub version: u64,
    /// JSON.
    pub body: String,
}

/// State of a hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum HoldState {
    /// Can be captured until its end.
    Open,
    /// Captured, and nothing is reserved any more.
    Captured,
    /// Given up.
    Voided,
    /// Ended by time.
    Expired,
    /// A new hold for the same order took its place.
    Replaced,
}

/// What a hold reserves on one account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HoldLine {
    /// The account.
    pub account: Id,
    /// In the order's currency.
    pub applied: i64,
    /// In the account's.
    pub taken: i64,
    /// Of `applied`, captured so far.
    pub applied_captured: i64,
    /// Of `taken`, captured so far.
    pub taken_captured: i64,
}

/// A hold: an amount reserved on accounts for an order, in minor units.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HoldRecord {
    /// The site of the order. The document itself belongs to no site: a hold's id is enough.
    pub site: String,
    /// The order.
    pub order: String,
    /// Currency of the order.
    pub currency: String,
    /// Its state.
    pub state: HoldState,
    /// First instant at which it no longer holds.
    pub ends_at: InstantMs,
    /// What another payment method has to pay, as decided when the hold was taken.
    pub due: i64,
    /// In the recorded order of use.
    pub lines: Vec<HoldLine>,
}

/// What one account paid for an order and got back, in minor units.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TenderRecord {
    /// The account.
    pub account: Id,
    /// Its currency.
    pub currency: String,
    /// Paid, in the order's currency.
    pub applied: i64,
    /// Paid, in the account's.
    pub taken: i64,
    /// Gone back, in the order's currency.
    pub applied_returned: i64,
    /// Gone back, in the account's.
    pub taken_returned: i64,
}

/// What is known of an order that cards pay for, in minor units of its currency.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrderRecord {
    /// Its currency.
    pub currency: String,
    /// Its total, as the last hold or redemption had it.
    pub total: i64,
    /// The open hold.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hold: Option<Id>,
    /// What accounts paid, in the order they did.
    #[serde(default)]
    pub tenders: Vec<TenderRecord>,
    /// What went back to other payment methods, by refunds of the order.
    #[serde(default)]
    pub other_returned: i64,
    /// Who ordered, where that is known: store credit of refunds goes there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub customer: Option<String>,
}

/// State of a code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CodeState {
    /// In its pool, for anyone.
    Free,
    /// Put aside for an order.
    Reserved,
    /// Belongs to an account.
    Drawn,
    /// Never to be used.
    Withdrawn,
}

impl CodeState {
    /// Every state. The position is the number it is stored by.
    pub const ALL: [Self; 4] = [Self::Free, Self::Reserved, Self::Drawn, Self::Withdrawn];
}

/// A code. The code itself is nowhere, apart from the seal while it has to be delivered.
#[derive(Clone, PartialEq, Eq)]
pub struct Code {
    /// Its id.
    pub id: Id,
    /// The site it belongs to.
    pub site: String,
    /// Keyed hash that it is looked up by.
    pub lookup: Hash32,
    /// Version of the key of `lookup`.
    pub pepper: u32,
    /// The pool it came from.
    pub pool: Option<String>,
    /// Its state.
    pub state: CodeState,
    /// The account it belongs to once drawn.
    pub account: Option<Id>,
    /// Last four characters, where they may be shown.
    pub hint: Option<String>,
    /// The code, sealed with a key from outside the database, as long as it has to be delivered.
    pub sealed: Option<Vec<u8>>,
    /// Counts its changes.
    pub version: u64,
}

impl fmt::Debug for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Code").field("id", &self.id).field("state", &self.state).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_reads_back_as_it_was_written() {
        for number in [0, 1, 31, 32, 1 << 40, i64::MAX] {
            let id = Id::new(number).unwrap();
            assert_eq!(id.to_string().len(), ID_LENGTH);
            assert_eq!(id.to_string().parse(), Ok(id));
            assert_eq!(id.to_string().to_uppercase().parse(), Ok(id));
        }
        for text in ["", "0", "00000000000000", "000000000000u", "zzzzzzzzzzzzz"] {
            assert_eq!(text.parse::<Id>(), Err(NoId), "{text}");
        }
        assert_eq!(Id::new(-1), None);
    }

    #[test]
    fn kinds_are_stored_by_their_position() {
        for (place, kind) in OperationKind::ALL.into_iter().enumerate() {
            assert_eq!(kind as usize, place, "{}", kind.name());
        }
        for (place, kind) in RecordKind::ALL.into_iter().enumerate() {
            assert_eq!(kind as usize, place);
        }
    }
}
