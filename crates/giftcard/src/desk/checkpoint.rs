//! Seals the heads of all chains in a signed checkpoint, and exports checkpoints. Must not know how a head is kept.
//!
//! A checkpoint says: this is how every chain ended at this moment. Whoever rewrites an entry that it covers has to rewrite
//! the checkpoint and every later one, which takes the key file; and whoever kept an export notices even that. What
//! happened since the last checkpoint is only as safe as the database, and what was done with the key file at hand, between
//! one export and the next, cannot be seen at all: seal often, and keep exports where the database's owner cannot write.

use giftcard_engine::moment::{InstantMs, format_instant};
use giftcard_ledger::chain::{BEGINNING, checkpoint_digest, merkle_root};
use giftcard_ledger::store::{Checkpoint, Store, StoreError};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::decision::unhex;
use super::pay::hex;
use super::{Desk, DeskError};
use crate::input::{InputError, InputErrorKind, Instant, read_document};
use crate::secrets::Secrets;

/// How often another process may have been faster.
const TRIES_MAX: u32 = 10;

/// A checkpoint as it is exported.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "an object")]
#[schemars(rename = "Checkpoint")]
pub struct CheckpointDocument {
    /// 1 for the first.
    pub number: u64,
    /// When, as RFC 3339 in UTC, to the millisecond.
    pub at: String,
    /// How many chains it seals: those that changed since the one before.
    pub heads: u64,
    /// Root of the Merkle tree over them, in hexadecimal.
    pub root: String,
    /// Digest of the checkpoint before; zeros for the first.
    pub previous: String,
    /// Digest of this one, which the signature is over.
    pub digest: String,
    /// Public key, ed25519.
    pub key: String,
    /// Signature, ed25519.
    pub signature: String,
}

/// Exported checkpoints: what `giftcard checkpoint --export` writes and `giftcard verify --checkpoints` reads.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "an object")]
#[schemars(rename = "checkpoints")]
pub struct CheckpointExport {
    /// All of them, ascending.
    pub checkpoints: Vec<CheckpointDocument>,
}

impl CheckpointDocument {
    /// How it is exported.
    #[must_use]
    pub fn of(checkpoint: &Checkpoint) -> Self {
        Self {
            number: checkpoint.number,
            at: format_instant(checkpoint.at),
            heads: checkpoint.heads,
            root: hex(&checkpoint.root),
            previous: hex(&checkpoint.previous),
            digest: hex(&checkpoint_digest(checkpoint)),
            key: hex(&checkpoint.key),
            signature: hex(&checkpoint.signature),
        }
    }

    fn checkpoint(&self) -> Result<Checkpoint, InputError> {
        let wrong = |field: &str| {
            InputError::at(InputErrorKind::InvalidValue, field, "is not as many hexadecimal digits as it must be")
        };
        let hash = |text: &str, field: &str| unhex(text).ok_or_else(|| wrong(field));
        let mut signature = [0; 64];
        let (left, right) = self.signature.split_at_checked(64).ok_or_else(|| wrong("signature"))?;
        signature[..32].copy_from_slice(&hash(left, "signature")?);
        signature[32..].copy_from_slice(&hash(right, "signature")?);
        Ok(Checkpoint {
            number: self.number,
            at: Instant(self.at.clone()).at().map_err(|error| error.under("at"))?,
            root: hash(&self.root, "root")?,
            heads: self.heads,
            previous: hash(&self.previous, "previous")?,
            key: hash(&self.key, "key")?,
            signature,
        })
    }
}

/// Reads exported checkpoints, each of which must have the signature and the digest that fit what it says.
///
/// # Errors
/// [`InputError`].
pub fn read_checkpoints(text: &str) -> Result<Vec<Checkpoint>, InputError> {
    let export: CheckpointExport = read_document(text)?;
    let read = |(index, document): (usize, &CheckpointDocument)| {
        let here = format!("checkpoints[{index}]");
        let checkpoint = document.checkpoint().map_err(|error| error.under(&here))?;
        let digest = checkpoint_digest(&checkpoint);
        if unhex(&document.digest) != Some(digest)
            || !crate::secrets::verify(&checkpoint.key, &digest, &checkpoint.signature)
        {
            let problem = "does not have the signature of what it says: the export was changed";
            return Err(InputError::at(InputErrorKind::Inconsistent, &here, problem));
        }
        Ok(checkpoint)
    };
    export.checkpoints.iter().enumerate().map(read).collect()
}

impl Desk {
    /// Seals what changed since the last checkpoint. `None` where nothing did.
    ///
    /// # Errors
    /// As [`seal`].
    pub fn checkpoint(&self, now: InstantMs) -> Result<Option<Checkpoint>, DeskError> {
        seal(self.store(), &self.secrets(), now)
    }
}

/// Seals what changed since the last checkpoint. `None` where nothing did. May be done by several at once.
///
/// # Errors
/// [`DeskError::Store`]; [`DeskError::Busy`] where others were always faster.
pub fn seal(store: &dyn Store, secrets: &Secrets, now: InstantMs) -> Result<Option<Checkpoint>, DeskError> {
    for _ in 0..TRIES_MAX {
        let last = store.checkpoints()?.pop();
        let heads = store.unsealed_heads()?;
        if heads.is_empty() {
            return Ok(None);
        }
        let number = last.as_ref().map_or(0, |last| last.number).checked_add(1);
        let number = number.ok_or_else(|| StoreError::Corrupt("the checkpoints have no number left".to_string()))?;
        let mut checkpoint = Checkpoint {
            number,
            // Time as the ledger has it does not go back.
            at: last.as_ref().map_or(now, |last| last.at.max(now)),
            root: merkle_root(&heads),
            heads: heads.len() as u64,
            previous: last.as_ref().map_or(BEGINNING, checkpoint_digest),
            key: secrets.public_key(),
            signature: [0; 64],
        };
        checkpoint.signature = secrets.sign(&checkpoint_digest(&checkpoint));
        if store.seal(&checkpoint, &heads)? {
            return Ok(Some(checkpoint));
        }
    }
    Err(DeskError::Busy)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codes::tests::Seeded;
    use giftcard_ledger::sqlite::{SqliteOptions, SqliteStore};

    fn checkpoint(secrets: &Secrets, number: u64, previous: [u8; 32]) -> Checkpoint {
        let (root, key) = ([7; 32], secrets.public_key());
        let at = 1_795_348_800_123;
        let mut checkpoint = Checkpoint { number, at, root, heads: 2, previous, key, signature: [0; 64] };
        checkpoint.signature = secrets.sign(&checkpoint_digest(&checkpoint));
        checkpoint
    }

    #[test]
    fn an_export_reads_back_and_a_changed_one_is_refused() {
        let secrets = Secrets::generate(&mut Seeded::new(3));
        let first = checkpoint(&secrets, 1, BEGINNING);
        let second = checkpoint(&secrets, 2, checkpoint_digest(&first));
        let checkpoints: Vec<_> = [&first, &second].into_iter().map(CheckpointDocument::of).collect();
        let text = serde_json::to_string(&CheckpointExport { checkpoints }).unwrap();
        assert_eq!(read_checkpoints(&text).unwrap(), [first, second]);
        for (from, to) in [("\"heads\":2", "\"heads\":3"), ("0707", "0708"), (".123Z", ".124Z")] {
            let error = read_checkpoints(&text.replacen(from, to, 1)).unwrap_err();
            assert_eq!((error.kind, error.path.as_str()), (InputErrorKind::Inconsistent, "checkpoints[0]"), "{from}");
        }
        let short = read_checkpoints(&text.replacen("0707", "07", 1)).unwrap_err();
        assert_eq!(short.path, "checkpoints[0].root");
    }

    #[test]
    fn without_changes_there_is_no_checkpoint() {
        let folder = tempfile::tempdir().unwrap();
        let options = SqliteOptions { create: true, ..SqliteOptions::default() };
        let store = SqliteStore::open(&folder.path().join("a.db"), &options).unwrap();
        assert_eq!(seal(&store, &Secrets::generate(&mut Seeded::new(3)), 1).unwrap(), None);
    }
}
