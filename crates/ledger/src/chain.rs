//! Hashes: of an operation, of an entry in its account's chain, of a checkpoint. Must not know where they are kept.
//!
//! Every hash covers its fields with their lengths, so that no two records run into each other, and begins with a name
//! of what is hashed.

use giftcard_engine::Minor;
use giftcard_engine::card::Status;
use sha2::{Digest, Sha256};

use crate::model::{Account, Hash32, Operation, OperationKey};
use crate::store::{Checkpoint, SealedHead};

/// What precedes the first entry of an account, and the first checkpoint.
pub const BEGINNING: Hash32 = [0; 32];

struct Hasher(Sha256);

impl Hasher {
    fn of(what: &str) -> Self {
        Self(Sha256::new()).bytes(what.as_bytes())
    }

    fn bytes(mut self, bytes: &[u8]) -> Self {
        self.0.update((bytes.len() as u64).to_be_bytes());
        self.0.update(bytes);
        self
    }

    fn number(mut self, number: i64) -> Self {
        self.0.update(number.to_be_bytes());
        self
    }

    fn optional(self, bytes: Option<&[u8]>) -> Self {
        match bytes {
            None => self.number(0),
            Some(bytes) => self.number(1).bytes(bytes),
        }
    }

    fn done(self) -> Hash32 {
        self.0.finalize().into()
    }
}

/// SHA-256 of a text: how contexts are called.
#[must_use]
pub fn digest(text: &str) -> Hash32 {
    Sha256::digest(text.as_bytes()).into()
}

/// SHA-256 of bytes: how components are called.
#[must_use]
pub fn digest_bytes(bytes: &[u8]) -> Hash32 {
    Sha256::digest(bytes).into()
}

/// The first half of a hash over site and key: what an operation is found by.
#[must_use]
pub fn operation_id(key: &OperationKey) -> [u8; 16] {
    let hash = Hasher::of("operation-id").bytes(key.site.as_bytes()).bytes(key.key.as_bytes()).done();
    let mut id = [0; 16];
    id.copy_from_slice(&hash[..16]);
    id
}

/// Over everything an operation says, its answer and its decision among it.
#[must_use]
pub fn operation_hash(operation: &Operation) -> Hash32 {
    let text = |text: &Option<String>| text.as_deref().map(|text| text.as_bytes().to_vec());
    Hasher::of("operation")
        .bytes(operation.key.site.as_bytes())
        .bytes(operation.key.key.as_bytes())
        .bytes(operation.kind.name().as_bytes())
        .bytes(&operation.request_hash)
        .number(operation.at)
        .optional(text(&operation.order).as_deref())
        .optional(text(&operation.actor).as_deref())
        .bytes(operation.answer.as_bytes())
        .optional(operation.decision.as_deref().map(str::as_bytes))
        .optional(operation.personal.as_ref().map(<[u8; 16]>::as_slice))
        .done()
}

/// The hash of an account's next entry, which is its new head. `after` is the account with everything but `head` as it
/// is after the entry.
#[must_use]
pub fn entry_hash(previous: &Hash32, operation: &Hash32, after: &Account, amount: Minor, held_change: Minor) -> Hash32 {
    Hasher::of("entry")
        .bytes(previous)
        .bytes(operation)
        .number(after.id.get())
        .bytes(after.currency.code().as_bytes())
        .number(i64::try_from(after.version).unwrap_or(i64::MAX))
        .number(amount.get())
        .number(held_change.get())
        .number(after.balance.get())
        .number(after.held.get())
        .number(status_number(after.status))
        .done()
}

/// The number a stored state is hashed and stored by.
#[must_use]
pub const fn status_number(status: Status) -> i64 {
    match status {
        Status::Pending => 0,
        Status::Active => 1,
        Status::Disabled => 2,
        Status::Closed => 3,
    }
}

/// The state with this number.
#[must_use]
pub const fn status_of(number: i64) -> Option<Status> {
    match number {
        0 => Some(Status::Pending),
        1 => Some(Status::Active),
        2 => Some(Status::Disabled),
        3 => Some(Status::Closed),
        _ => None,
    }
}

/// The Merkle root over heads by ascending account: leaves and inner nodes are told apart, and a node without a
/// partner goes up as it is.
#[must_use]
pub fn merkle_root(heads: &[SealedHead]) -> Hash32 {
    let leaf = |head: &SealedHead| {
        Hasher::of("leaf")
            .number(head.account.get())
            .number(i64::try_from(head.version).unwrap_or(i64::MAX))
            .bytes(&head.head)
            .done()
    };
    let mut level: Vec<Hash32> = heads.iter().map(leaf).collect();
    if level.is_empty() {
        return Hasher::of("no leaves").done();
    }
    while level.len() > 1 {
        let above = |pair: &[Hash32]| match pair {
            [left, right] => Hasher::of("node").bytes(left).bytes(right).done(),
            _ => pair[0],
        };
        level = level.chunks(2).map(above).collect();
    }
    level[0]
}

/// What a checkpoint's signature is over, and what the next one names.
#[must_use]
pub fn checkpoint_digest(checkpoint: &Checkpoint) -> Hash32 {
    Hasher::of("checkpoint")
        .number(i64::try_from(checkpoint.number).unwrap_or(i64::MAX))
        .number(checkpoint.at)
        .bytes(&checkpoint.root)
        .number(i64::try_from(checkpoint.heads).unwrap_or(i64::MAX))
        .bytes(&checkpoint.previous)
        .bytes(&checkpoint.key)
        .done()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Id, OperationKind};

    fn operation() -> Operation {
        Operation {
            key: OperationKey { site: "main".into(), key: "k".into() },
            kind: OperationKind::Redeem,
            request_hash: [1; 32],
            at: 5,
            order: Some("o".into()),
            actor: None,
            answer: "{}".into(),
            decision: None,
            personal: None,
        }
    }

    #[test]
    fn every_field_of_an_operation_counts() {
        type Change = fn(&mut Operation);
        let changes: [Change; 10] = [
            |operation| operation.key.site = "mai".into(),
            |operation| operation.key.key = "nk".into(),
            |operation| operation.kind = OperationKind::Hold,
            |operation| operation.request_hash[31] = 2,
            |operation| operation.at = 6,
            |operation| operation.order = None,
            |operation| operation.actor = Some(String::new()),
            |operation| operation.answer = "{ }".into(),
            |operation| operation.decision = Some(String::new()),
            |operation| operation.personal = Some([0; 16]),
        ];
        for (place, change) in changes.into_iter().enumerate() {
            let mut changed = operation();
            change(&mut changed);
            assert_ne!(operation_hash(&changed), operation_hash(&operation()), "change {place}");
        }
    }

    #[test]
    fn fields_do_not_run_into_each_other() {
        let id = |site: &str, key: &str| operation_id(&OperationKey { site: site.into(), key: key.into() });
        assert_ne!(id("ab", "c"), id("a", "bc"));
        assert_eq!(id("a", "bc"), id("a", "bc"));
    }

    #[test]
    fn a_root_depends_on_every_head_and_their_order() {
        let head = |account: i64, version| SealedHead { account: Id::new(account).unwrap(), version, head: [9; 32] };
        let three = [head(1, 1), head(2, 1), head(3, 1)];
        assert_ne!(merkle_root(&three), merkle_root(&three[..2]));
        assert_ne!(merkle_root(&three), merkle_root(&[head(2, 1), head(1, 1), head(3, 1)]));
        assert_ne!(merkle_root(&three), merkle_root(&[head(1, 1), head(2, 1), head(3, 2)]));
        assert_ne!(merkle_root(&[]), merkle_root(&three[..1]));
    }
}
