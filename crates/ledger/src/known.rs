//! What this process has last seen of the cards that it was asked for. It may be old: whatever is planned on it is held
//! to the guards of its commit, and whatever is answered without one is read first. Must not know operations.
//!
//! Two things no guard holds to. That there is no code under an earlier lookup of the same text: so a code is only taken
//! from here if it is of the site that asks, whose lookups come first, and of which it is the only one. And the time that
//! others have seen: so nothing is taken from here that is older than [`AGE_MAX`].

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::locks::Key;
use crate::model::{Account, Code, Hash32, Id};
use crate::store::{Changes, Found, Want};
use crate::tables::{TABLES, Tables};

/// Accounts, and codes, that are remembered: some ten megabytes of each.
const REMEMBERED_MAX: usize = 65_536;

/// How long ago the database was last asked for anything, at most.
const AGE_MAX: Duration = Duration::from_secs(1);

/// Rows as they were last seen.
#[derive(Default)]
pub(crate) struct Known {
    /// Drawn codes, by what they are looked up by. Their account is theirs for ever.
    codes: Tables<Hash32, Code>,
    accounts: Tables<Id, Account>,
    /// One more than its version; 0 where it is not known.
    configuration: AtomicU64,
    high_water: AtomicI64,
    asked: Mutex<Asked>,
}

/// When the database was last asked, and over which of its connections.
#[derive(Default)]
struct Asked {
    at: Option<Instant>,
    connection: u64,
}

/// Puts a row. Where there are too many all others go: those that are in use come back soon.
fn put<K: Eq + Hash, V>(rows: &mut HashMap<K, V>, key: K, row: V) {
    if rows.len() >= REMEMBERED_MAX / TABLES && !rows.contains_key(&key) {
        rows.clear();
    }
    rows.insert(key, row);
}

impl Known {
    fn codes(&self, lookup: &Hash32) -> MutexGuard<'_, HashMap<Hash32, Code>> {
        self.codes.of(u64::from(lookup[0]))
    }

    fn accounts(&self, id: Id) -> MutexGuard<'_, HashMap<Id, Account>> {
        self.accounts.of(id.get().unsigned_abs())
    }

    fn code<T>(&self, site: &str, lookups: &[Hash32], take: impl Fn(&Code) -> T) -> Option<T> {
        let code = |lookup| self.codes(lookup).get(lookup).filter(|code| code.site == site).map(&take);
        lookups.iter().find_map(code)
    }

    /// When the database was last asked. After a new `connection` it may be another server, which has another history:
    /// everything is forgotten first.
    fn asked(&self, connection: u64) -> MutexGuard<'_, Asked> {
        let mut asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        if asked.connection != connection {
            *asked = Asked { at: None, connection };
            self.configuration.store(0, Ordering::Release);
            self.codes.clear();
            self.accounts.clear();
        }
        asked
    }

    /// Whether it may be relied on: the database was asked not long ago, over the newest `connection`.
    pub(crate) fn is_fresh(&self, connection: u64) -> bool {
        self.asked(connection).at.is_some_and(|at| at.elapsed() < AGE_MAX)
    }

    /// Keeps a row unless a newer one is kept.
    fn keep(&self, account: &Account) {
        let mut accounts = self.accounts(account.id);
        if accounts.get(&account.id).is_none_or(|kept| kept.version < account.version) {
            put(&mut accounts, account.id, account.clone());
        }
    }

    /// What `want` leads to, as far as that is known without reading; `None` if some of it is not.
    pub(crate) fn keys(&self, site: &str, want: &Want) -> Option<Vec<Key>> {
        if !want.credits.is_empty() {
            return None;
        }
        let accounts = want.codes.iter().map(|lookups| self.code(site, lookups, |code| code.account).flatten());
        let mut keys = accounts.map(|account| account.map(Key::Account)).collect::<Option<Vec<Key>>>()?;
        keys.extend(want.accounts.iter().copied().map(Key::Account));
        keys.extend(want.records.iter().cloned().map(Key::Record));
        Some(keys)
    }

    /// What reading would have found, as far as is known, and without any document. `None` where an account or the
    /// configuration is not known.
    pub(crate) fn found(&self, site: &str, want: &Want) -> Option<Found> {
        let configuration = self.configuration.load(Ordering::Acquire).checked_sub(1)?;
        let high_water = self.high_water.load(Ordering::Acquire);
        let mut found = Found { configuration, high_water, ..Found::default() };
        let mut wanted = want.accounts.clone();
        for lookups in &want.codes {
            let code = self.code(site, lookups, Code::clone)?;
            wanted.extend(code.account);
            found.codes.push(Some(code));
        }
        for id in wanted {
            let account = self.accounts(id).get(&id).cloned();
            found.accounts.insert(id, account?);
        }
        Some(found)
    }

    /// Remembers what was read, since `at`, over a connection.
    pub(crate) fn read(&self, found: &Found, at: Instant, connection: u64) {
        self.asked(connection).at = Some(at);
        self.configuration.fetch_max(found.configuration.saturating_add(1), Ordering::AcqRel);
        self.high_water.fetch_max(found.high_water, Ordering::AcqRel);
        found.accounts.values().for_each(|account| self.keep(account));
        found.codes.iter().flatten().for_each(|code| self.keep_code(code.clone()));
    }

    fn keep_code(&self, code: Code) {
        if code.account.is_some() {
            put(&mut self.codes(&code.lookup), code.lookup, code);
        }
    }

    /// Remembers what was committed. Without `committed`, forgets the accounts: somebody else was faster, or it is not
    /// known.
    pub(crate) fn written(&self, changes: &Changes, committed: bool) {
        if committed {
            changes.accounts.iter().for_each(|change| self.keep(&change.after));
            for change in &changes.codes {
                let version = change.before.unwrap_or(0).saturating_add(1);
                self.keep_code(Code { version, ..change.after.clone() });
            }
            return;
        }
        let written = changes.accounts.iter().map(|change| change.after.id);
        for id in written.chain(changes.account_checks.iter().map(|(id, _)| *id)) {
            self.accounts(id).remove(&id);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_is_forgotten_with_a_new_connection_whoever_notices_it() {
        let known = Known::default();
        let read = |connection| known.read(&Found { configuration: 3, ..Found::default() }, Instant::now(), connection);
        let code = Code {
            id: Id::new(1).unwrap(),
            site: "main".to_string(),
            lookup: [1; 32],
            pepper: 1,
            pool: None,
            state: crate::model::CodeState::Drawn,
            account: Id::new(2),
            hint: None,
            sealed: None,
            version: 1,
        };
        let want = Want { codes: vec![vec![[1; 32]]], ..Want::default() };
        for is_asked in [true, false] {
            read(0);
            known.keep_code(code.clone());
            assert!(known.is_fresh(0) && known.keys("main", &want).is_some());
            assert!(!is_asked || !known.is_fresh(1));
            read(1);
            assert!(known.is_fresh(1) && known.keys("main", &want).is_none());
        }
    }
}
