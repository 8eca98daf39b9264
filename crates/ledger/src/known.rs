//! What this process has last seen of the cards that it was asked for. It may be old: whatever is planned on it is held
//! to the guards of its commit, and whatever is answered without one is read first. Must not know operations.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use giftcard_engine::moment::InstantMs;

use crate::locks::Key;
use crate::model::{Account, Code, Hash32, Id};
use crate::store::{Changes, Found, Want};

/// Accounts, and codes, that are remembered: some ten megabytes of each.
const REMEMBERED_MAX: usize = 65_536;

/// Rows as they were last seen.
#[derive(Default)]
pub(crate) struct Known {
    rows: Mutex<Rows>,
}

#[derive(Default)]
struct Rows {
    /// Drawn codes, by what they are looked up by. Their account is theirs for ever.
    codes: HashMap<Hash32, Code>,
    accounts: HashMap<Id, Account>,
    configuration: Option<u64>,
    high_water: InstantMs,
}

impl Rows {
    fn code(&self, lookups: &[Hash32]) -> Option<&Code> {
        lookups.iter().find_map(|lookup| self.codes.get(lookup))
    }

    /// Keeps a row unless a newer one is kept.
    fn keep(&mut self, account: &Account) {
        match self.accounts.get_mut(&account.id) {
            Some(kept) if kept.version >= account.version => {}
            Some(kept) => kept.clone_from(account),
            None => {
                make_room(&mut self.accounts);
                self.accounts.insert(account.id, account.clone());
            }
        }
    }
}

/// Those that are in use come back soon.
fn make_room<K, V>(rows: &mut HashMap<K, V>) {
    if rows.len() >= REMEMBERED_MAX {
        rows.clear();
    }
}

impl Known {
    fn rows(&self) -> MutexGuard<'_, Rows> {
        self.rows.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What `want` leads to, as far as that is known without reading; `None` if some of it is not.
    pub(crate) fn keys(&self, want: &Want) -> Option<Vec<Key>> {
        if !want.credits.is_empty() {
            return None;
        }
        let rows = self.rows();
        let accounts = want.codes.iter().map(|lookups| rows.code(lookups).and_then(|code| code.account));
        let mut keys = accounts.map(|account| account.map(Key::Account)).collect::<Option<Vec<Key>>>()?;
        drop(rows);
        keys.extend(want.accounts.iter().copied().map(Key::Account));
        keys.extend(want.records.iter().cloned().map(Key::Record));
        Some(keys)
    }

    /// What reading would have found, as far as is known, and without any document. `None` where an account or the
    /// configuration is not known.
    pub(crate) fn found(&self, want: &Want) -> Option<Found> {
        let rows = self.rows();
        let mut found = Found { configuration: rows.configuration?, high_water: rows.high_water, ..Found::default() };
        let mut wanted = want.accounts.clone();
        for lookups in &want.codes {
            let code = rows.code(lookups)?;
            wanted.extend(code.account);
            found.codes.push(Some(code.clone()));
        }
        for id in wanted {
            found.accounts.insert(id, rows.accounts.get(&id)?.clone());
        }
        Some(found)
    }

    /// Remembers what was read.
    pub(crate) fn read(&self, found: &Found) {
        let mut rows = self.rows();
        rows.configuration = rows.configuration.max(Some(found.configuration));
        rows.high_water = rows.high_water.max(found.high_water);
        found.accounts.values().for_each(|account| rows.keep(account));
        for code in found.codes.iter().flatten().filter(|code| code.account.is_some()) {
            if !rows.codes.contains_key(&code.lookup) {
                make_room(&mut rows.codes);
            }
            rows.codes.insert(code.lookup, code.clone());
        }
    }

    /// Remembers what was committed. Without `committed`, forgets all of it: somebody else was faster, or it is not known.
    pub(crate) fn written(&self, changes: &Changes, committed: bool) {
        let mut rows = self.rows();
        if !committed || changes.records.iter().any(|change| change.key.kind.is_configuration()) {
            rows.configuration = None;
        }
        for change in &changes.accounts {
            match committed {
                true => rows.keep(&change.after),
                false => drop(rows.accounts.remove(&change.after.id)),
            }
        }
        for (id, _) in &changes.account_checks {
            if !committed {
                rows.accounts.remove(id);
            }
        }
    }
}
