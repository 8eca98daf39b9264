//! What this process has last seen of the cards that it was asked for. It may be old: whatever is planned on it is held
//! to the guards of its commit, and whatever is answered without one is read first. Must not know operations.
//!
//! Two things no guard holds to. That there is no code under an earlier lookup of the same text: so a code is only taken
//! from here if it is of the site that asks, whose lookups come first, and of which it is the only one. And the time that
//! others have seen: so nothing is taken from here that is older than [`AGE_MAX`].

use std::collections::HashMap;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::locks::Key;
use crate::model::{Account, Code, Hash32, Id};
use crate::store::{Changes, Found, Want};

/// Accounts, and codes, that are remembered: some ten megabytes of each.
const REMEMBERED_MAX: usize = 65_536;

/// Tables that rows are spread over, so that callers seldom meet at one.
const TABLES: usize = 16;

/// How long ago the database was last asked for anything, at most.
const AGE_MAX: Duration = Duration::from_secs(1);

/// Rows as they were last seen.
pub(crate) struct Known {
    /// Drawn codes, by what they are looked up by. Their account is theirs for ever.
    codes: Vec<Mutex<HashMap<Hash32, Code>>>,
    accounts: Vec<Mutex<HashMap<Id, Account>>>,
    /// One more than its version; 0 where it is not known.
    configuration: AtomicU64,
    high_water: AtomicI64,
    /// When the database was last asked, and over which of its connections.
    asked: Mutex<Option<(Instant, u64)>>,
}

impl Default for Known {
    fn default() -> Self {
        Self {
            codes: (0..TABLES).map(|_| Mutex::default()).collect(),
            accounts: (0..TABLES).map(|_| Mutex::default()).collect(),
            configuration: AtomicU64::new(0),
            high_water: AtomicI64::new(0),
            asked: Mutex::default(),
        }
    }
}

/// Makes room for one more row: those that are in use come back soon.
fn make_room<K, V>(rows: &mut HashMap<K, V>) {
    if rows.len() >= REMEMBERED_MAX / TABLES {
        rows.clear();
    }
}

impl Known {
    fn codes(&self, lookup: &Hash32) -> MutexGuard<'_, HashMap<Hash32, Code>> {
        self.codes[usize::from(lookup[0]) % TABLES].lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn accounts(&self, id: Id) -> MutexGuard<'_, HashMap<Id, Account>> {
        let table = usize::try_from(id.get().unsigned_abs() % TABLES as u64).unwrap_or(0);
        self.accounts[table].lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn code<T>(&self, site: &str, lookups: &[Hash32], take: impl Fn(&Code) -> T) -> Option<T> {
        let code = |lookup| self.codes(lookup).get(lookup).filter(|code| code.site == site).map(&take);
        lookups.iter().find_map(code)
    }

    /// Whether it may be relied on: the database was asked not long ago. After a new `connection` it may be another
    /// server, which has another history, and everything is forgotten.
    pub(crate) fn is_fresh(&self, connection: u64) -> bool {
        let asked = *self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        match asked {
            Some((at, over)) if over == connection => at.elapsed() < AGE_MAX,
            None => false,
            Some(_) => {
                self.configuration.store(0, Ordering::Release);
                self.codes.iter().for_each(|codes| codes.lock().unwrap_or_else(PoisonError::into_inner).clear());
                self.accounts.iter().for_each(|rows| rows.lock().unwrap_or_else(PoisonError::into_inner).clear());
                *self.asked.lock().unwrap_or_else(PoisonError::into_inner) = None;
                false
            }
        }
    }

    /// Keeps a row unless a newer one is kept.
    fn keep(&self, account: &Account) {
        let mut accounts = self.accounts(account.id);
        match accounts.get_mut(&account.id) {
            Some(kept) if kept.version >= account.version => {}
            Some(kept) => kept.clone_from(account),
            None => {
                make_room(&mut accounts);
                accounts.insert(account.id, account.clone());
            }
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
        *self.asked.lock().unwrap_or_else(PoisonError::into_inner) = Some((at, connection));
        self.configuration.fetch_max(found.configuration.saturating_add(1), Ordering::AcqRel);
        self.high_water.fetch_max(found.high_water, Ordering::AcqRel);
        found.accounts.values().for_each(|account| self.keep(account));
        found.codes.iter().flatten().for_each(|code| self.keep_code(code.clone()));
    }

    fn keep_code(&self, code: Code) {
        if code.account.is_some() {
            let mut codes = self.codes(&code.lookup);
            if !codes.contains_key(&code.lookup) {
                make_room(&mut codes);
            }
            codes.insert(code.lookup, code);
        }
    }

    /// Remembers what was committed. Without `committed`, forgets the accounts: somebody else was faster, or it is not
    /// known.
    pub(crate) fn written(&self, changes: &Changes, committed: bool) {
        if committed {
            changes.accounts.iter().for_each(|change| self.keep(&change.after));
            for change in changes.codes.iter() {
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
