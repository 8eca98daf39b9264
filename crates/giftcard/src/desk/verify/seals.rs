//! Checkpoints: their signatures, that each names the one before, that a root is over the heads that are sealed, and that
//! every sealed head is the hash of that entry. Must not know what an entry is.
//!
//! One checkpoint's heads at a time wait for their entries to come by; what came by before is looked up.

use std::collections::HashMap;

use giftcard_ledger::chain::{BEGINNING, checkpoint_digest, merkle_root};
use giftcard_ledger::model::{Hash32, Id, Leg};
use giftcard_ledger::store::{Checkpoint, SealedHead, Store, StoreError};

use super::chains::Chains;
use super::{Finding, Findings, Progress, Stage};
use crate::desk::pay::hex;

/// The checkpoints of a ledger.
pub(super) struct Seals<'a> {
    store: &'a dyn Store,
    checkpoints: Vec<Checkpoint>,
    /// How many of them had their heads read.
    opened: usize,
    /// Heads of the last opened one whose entries are still to come.
    waiting: HashMap<Id, (u64, Hash32)>,
    /// Heads that were compared.
    pub(super) heads: u64,
}

impl<'a> Seals<'a> {
    /// Reads the checkpoints, and checks what they say of themselves and of each other.
    pub(super) fn begin(
        store: &'a dyn Store,
        key: Option<&[u8; 32]>,
        exported: &[Checkpoint],
        findings: &mut Findings,
    ) -> Result<Self, StoreError> {
        let checkpoints = store.checkpoints()?;
        let mut previous = BEGINNING;
        for (index, checkpoint) in checkpoints.iter().enumerate() {
            let number = checkpoint.number;
            let mut wrong = |code, what: &str| {
                findings.add(Finding::new(code, format!("checkpoint {number} {what}")).at(number));
            };
            if number != index as u64 + 1 {
                wrong("checkpoint-missing", &format!("follows number {index}; those in between are missing"));
                // One gap is one finding.
                if index > 0 && checkpoint.previous == previous {
                    wrong("checkpoint-order", "names the one before it all the same");
                }
            } else if checkpoint.previous != previous {
                wrong("checkpoint-order", "does not name the one before it");
            }
            let digest = checkpoint_digest(checkpoint);
            if key.is_some_and(|key| checkpoint.key != *key) {
                let found = hex(&checkpoint.key[..8]);
                wrong("checkpoint-key", &format!("is signed with other keys ({found}) than those of the ledger"));
            }
            if !crate::secrets::verify(&checkpoint.key, &digest, &checkpoint.signature) {
                wrong("checkpoint-signature", "does not have the signature of what it says");
            }
            previous = digest;
        }
        compare_exported(&checkpoints, exported, findings);
        Ok(Self { store, checkpoints, opened: 0, waiting: HashMap::new(), heads: 0 })
    }

    /// Without checkpoints.
    pub(super) fn none(store: &'a dyn Store) -> Self {
        Self { store, checkpoints: Vec::new(), opened: 0, waiting: HashMap::new(), heads: 0 }
    }

    /// How many there are.
    pub(super) fn checkpoints(&self) -> u64 {
        self.checkpoints.len() as u64
    }

    /// An entry comes by.
    pub(super) fn pass(&mut self, account: Id, number: u64, hash: &Hash32, findings: &mut Findings) {
        let Some((version, head)) = self.waiting.get(&account).copied() else { return };
        if number >= version {
            self.waiting.remove(&account);
        }
        if number == version {
            self.heads += 1;
            if *hash != head {
                let checkpoint = self.opened as u64;
                tell(SealedHead { account, version, head }, checkpoint, findings);
            }
        }
    }

    /// Opens checkpoints until heads of one wait.
    pub(super) fn advance(&mut self, chains: &Chains<'_>, findings: &mut Findings) -> Result<(), StoreError> {
        while self.waiting.is_empty() && self.opened < self.checkpoints.len() {
            self.open(chains, true, findings)?;
        }
        Ok(())
    }

    /// What is left once no more entries come.
    pub(super) fn finish(
        &mut self,
        chains: &Chains<'_>,
        findings: &mut Findings,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<(), StoreError> {
        loop {
            let mut waiting: Vec<_> = std::mem::take(&mut self.waiting).into_iter().collect();
            waiting.sort_unstable_by_key(|(account, _)| *account);
            for (account, (version, head)) in waiting {
                self.look_up(SealedHead { account, version, head }, self.opened as u64, findings)?;
            }
            progress(Progress { stage: Stage::Checkpoints, done: self.opened as u64, total: Some(self.checkpoints()) });
            if self.opened == self.checkpoints.len() {
                return Ok(());
            }
            self.open(chains, false, findings)?;
        }
    }

    fn open(&mut self, chains: &Chains<'_>, may_wait: bool, findings: &mut Findings) -> Result<(), StoreError> {
        let checkpoint = &self.checkpoints[self.opened];
        self.opened += 1;
        let number = checkpoint.number;
        let heads = self.store.sealed_heads(number)?;
        if merkle_root(&heads) != checkpoint.root || heads.len() as u64 != checkpoint.heads {
            let message = format!("the heads of checkpoint {number} are not those that it was signed over");
            findings.add(Finding::new("checkpoint-root", message).at(number));
        }
        for sealed in heads {
            let head = chains.head(sealed.account);
            if head.version < sealed.version && may_wait {
                self.waiting.insert(sealed.account, (sealed.version, sealed.head));
            } else if head.version == sealed.version {
                self.heads += 1;
                if head.hash != sealed.head {
                    tell(sealed, number, findings);
                }
            } else {
                self.look_up(sealed, number, findings)?;
            }
        }
        Ok(())
    }

    /// A head whose entry came by already, or never did.
    fn look_up(&mut self, sealed: SealedHead, checkpoint: u64, findings: &mut Findings) -> Result<(), StoreError> {
        self.heads += 1;
        let read = self.store.history(sealed.account, sealed.version.saturating_sub(1), 1);
        let found = super::chains::readable(read, sealed.account, findings)?;
        let hash = found.first().and_then(|booked| match booked.entry.leg {
            Leg::Account { number, hash, .. } => (number == sealed.version).then_some(hash),
            Leg::Counter(_) => None,
        });
        match hash {
            Some(hash) if hash == sealed.head => {}
            Some(_) => tell(sealed, checkpoint, findings),
            None => {
                let SealedHead { account, version, .. } = sealed;
                let message =
                    format!("entry {version} of account {account} was sealed by checkpoint {checkpoint}, and is gone");
                findings.add(Finding::new("sealed-entry-missing", message).on(account).at(checkpoint));
            }
        }
        Ok(())
    }
}

fn tell(sealed: SealedHead, checkpoint: u64, findings: &mut Findings) {
    let SealedHead { account, version, .. } = sealed;
    let message =
        format!("entry {version} of account {account} has another hash than when checkpoint {checkpoint} sealed it");
    findings.add(Finding::new("sealed-head-differs", message).on(account).at(checkpoint));
}

/// What was exported must still be there, as it was.
fn compare_exported(checkpoints: &[Checkpoint], exported: &[Checkpoint], findings: &mut Findings) {
    for export in exported {
        let number = export.number;
        let found = checkpoints.iter().find(|checkpoint| checkpoint.number == number);
        let what = match found {
            Some(found) if found == export => continue,
            Some(_) => "was exported with another content: the ledger was rewritten, or the export is of another one",
            None => "was exported, and is gone: the ledger was rewritten or set back, or the export is of another one",
        };
        findings.add(Finding::new("exported-checkpoint-differs", format!("checkpoint {number} {what}")).at(number));
    }
}
