//! What this process has last seen of the cards that it was asked for. It may be old: whatever is planned on it is held
//! to the guards of its commit, and whatever is answered without one is read first. Must not know operations.
//!
//! Two things no guard holds to. That there is no code under an earlier lookup of the same text: so a code is only taken
//! from here if it is of the site that asks, whose lookups come first, and of which it is the only one. And the time that
//! others have seen: so nothing is taken from here that is older than [`AGE_MAX`].

use std::hash::Hash;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use quick_cache::sync::{Cache, DefaultLifecycle, EntryAction, EntryResult};
use quick_cache::{DefaultHashBuilder, OptionsBuilder, Weighter};

use crate::locks::Key;
use crate::model::{Account, Code, Hash32, Id};
use crate::packed::Pack;
use crate::store::{Changes, Found, Want};

/// What a remembered code or account takes beside its bytes, on average: its key, its place in two tables that grow by
/// doubling, and what the allocator adds.
const BESIDE: u64 = 120;

/// With less memory nothing is remembered at all.
const LEAST: u64 = 1 << 20;

/// Parts of a table with a lock each, and the share of a part that rows stay in which were used again: what is met anew
/// has the rest, before it goes for what comes next.
const PARTS: usize = 16;
const USED_AGAIN: f64 = 0.75;

/// Of as many rows as fit, a tenth is known by a hash after they went: they count as used again when they come back.
const GONE: f64 = 0.1;

/// How long ago the database was last asked for anything, at most.
const AGE_MAX: Duration = Duration::from_secs(1);

/// Rows as they were last seen.
pub(crate) struct Known {
    /// Drawn codes without their seals, by what they are looked up by. Their account is theirs for ever.
    codes: Rows<Hash32>,
    accounts: Rows<Id>,
    /// One more than its version; 0 where it is not known.
    configuration: AtomicU64,
    high_water: AtomicI64,
    asked: Mutex<Asked>,
}

/// Packed rows. Where there is no room for another, those that were not used lately go.
type Rows<K> = Cache<K, Row, Bytes>;

/// A packed row and its version.
#[derive(Clone)]
struct Row {
    version: u64,
    bytes: Box<[u8]>,
}

/// Weighs a row by the bytes that it takes.
#[derive(Clone)]
struct Bytes;

impl<K> Weighter<K, Row> for Bytes {
    fn weight(&self, _: &K, row: &Row) -> u64 {
        BESIDE.saturating_add(row.bytes.len() as u64)
    }
}

/// Of so much memory, what is for codes and what for accounts: as both share what a card takes.
const fn shares(memory: u64) -> (u64, u64) {
    let memory = if memory < LEAST { 0 } else { memory };
    let codes = memory / 5 * 2;
    (codes, memory - codes)
}

fn rows<K: Eq + Hash>(memory: u64) -> Rows<K> {
    let count = usize::try_from(memory / (2 * BESIDE)).unwrap_or(usize::MAX);
    let mut options = OptionsBuilder::new();
    options.shards(PARTS).hot_allocation(USED_AGAIN).ghost_allocation(GONE);
    let options = options.estimated_items_capacity(count).weight_capacity(memory).build();
    let options = options.expect("INVARIANT: both capacities are given");
    Cache::with_options(options, Bytes, DefaultHashBuilder::default(), DefaultLifecycle::default())
}

/// Puts a row unless a newer one is there.
fn put<K: Eq + Hash + Clone>(rows: &Rows<K>, key: &K, mut row: Row) {
    let newer = |_: &K, kept: &mut Row| {
        if kept.version < row.version {
            std::mem::swap(kept, &mut row);
        }
        EntryAction::Retain(())
    };
    if let EntryResult::Vacant(place) = rows.entry(key, None, newer) {
        // Where it was forgotten meanwhile it stays so.
        let _forgotten = place.insert(row);
    }
}

/// When the database was last asked, and over which of its connections.
#[derive(Default)]
struct Asked {
    at: Option<Instant>,
    connection: u64,
}

impl Known {
    /// Nothing is known yet, and never more than fits into about so many bytes.
    pub(crate) fn new(memory: u64) -> Self {
        let (codes, accounts) = shares(memory);
        Self {
            codes: rows(codes),
            accounts: rows(accounts),
            configuration: AtomicU64::new(0),
            high_water: AtomicI64::new(0),
            asked: Mutex::default(),
        }
    }

    /// From now on never more than fits into about so many bytes.
    pub(crate) fn set_memory(&self, memory: u64) {
        let (codes, accounts) = shares(memory);
        self.codes.set_capacity(codes);
        self.accounts.set_capacity(accounts);
    }

    /// Whether anything can be remembered.
    pub(crate) fn has_room(&self) -> bool {
        self.accounts.shard_capacity() > 0
    }

    /// The code of the first lookup that one of the site is known for.
    fn code(&self, site: &str, lookups: &[Hash32]) -> Option<Code> {
        let code = |lookup: &Hash32| Some(Code { lookup: *lookup, ..Code::unpack(&self.codes.get(lookup)?.bytes)? });
        lookups.iter().filter_map(code).find(|code| code.site == site)
    }

    fn account(&self, id: Id) -> Option<Account> {
        Account::unpack(&self.accounts.get(&id)?.bytes)
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

    /// Keeps an account unless a newer one is kept.
    fn keep(&self, account: &Account) {
        if let Some(bytes) = account.pack() {
            put(&self.accounts, &account.id, Row { version: account.version, bytes });
        }
    }

    /// Keeps a code if it belongs to an account, unless a newer one is kept.
    fn keep_code(&self, code: &Code) {
        if code.account.is_some()
            && let Some(bytes) = code.pack()
        {
            put(&self.codes, &code.lookup, Row { version: code.version, bytes });
        }
    }

    /// What `want` leads to, as far as that is known without reading; `None` if some of it is not.
    pub(crate) fn keys(&self, site: &str, want: &Want) -> Option<Vec<Key>> {
        if !want.credits.is_empty() {
            return None;
        }
        let accounts = want.codes.iter().map(|lookups| self.code(site, lookups)?.account);
        let mut keys = accounts.map(|account| account.map(Key::Account)).collect::<Option<Vec<Key>>>()?;
        keys.extend(want.accounts.iter().copied().map(Key::Account));
        keys.extend(want.records.iter().cloned().map(Key::Record));
        Some(keys)
    }

    /// Whether all accounts among these are known.
    pub(crate) fn has_accounts(&self, keys: &[Key]) -> bool {
        keys.iter().all(|key| !matches!(key, Key::Account(id) if !self.accounts.contains_key(id)))
    }

    /// What reading would have found, as far as is known, and without any document. `None` where an account or the
    /// configuration is not known.
    pub(crate) fn found(&self, site: &str, want: &Want) -> Option<Found> {
        let configuration = self.configuration.load(Ordering::Acquire).checked_sub(1)?;
        let high_water = self.high_water.load(Ordering::Acquire);
        let mut found = Found { configuration, high_water, ..Found::default() };
        let mut wanted = want.accounts.clone();
        for lookups in &want.codes {
            let code = self.code(site, lookups)?;
            wanted.extend(code.account);
            found.codes.push(Some(code));
        }
        for id in wanted {
            found.accounts.insert(id, self.account(id)?);
        }
        Some(found)
    }

    /// Remembers what was read, since `at`, over a connection.
    pub(crate) fn read(&self, found: &Found, at: Instant, connection: u64) {
        self.asked(connection).at = Some(at);
        self.configuration.fetch_max(found.configuration.saturating_add(1), Ordering::AcqRel);
        self.high_water.fetch_max(found.high_water, Ordering::AcqRel);
        found.accounts.values().for_each(|account| self.keep(account));
        found.codes.iter().flatten().for_each(|code| self.keep_code(code));
    }

    /// Remembers what was committed. Without `committed`, forgets the accounts: somebody else was faster, or it is not
    /// known.
    pub(crate) fn written(&self, changes: &Changes, committed: bool) {
        if committed {
            changes.accounts.iter().for_each(|change| self.keep(&change.after));
            for change in &changes.codes {
                let version = change.before.unwrap_or(0).saturating_add(1);
                self.keep_code(&Code { version, ..change.after.clone() });
            }
            return;
        }
        let written = changes.accounts.iter().map(|change| change.after.id);
        for id in written.chain(changes.account_checks.iter().map(|(id, _)| *id)) {
            self.accounts.remove(&id);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::draft::tests::card;
    use crate::model::{CodeState, Id};

    const MEMORY: u64 = 4 << 20;

    fn code(number: i64) -> Code {
        let mut lookup = [1; 32];
        lookup[..8].copy_from_slice(&number.to_le_bytes());
        Code {
            id: Id::new(number).unwrap(),
            site: "main".to_string(),
            lookup,
            pepper: 1,
            pool: None,
            state: CodeState::Drawn,
            account: Id::new(number),
            hint: None,
            sealed: None,
            version: 1,
        }
    }

    fn want(code: &Code) -> Want {
        Want { codes: vec![vec![code.lookup]], ..Want::default() }
    }

    #[test]
    fn everything_is_forgotten_with_a_new_connection_whoever_notices_it() {
        let known = Known::new(MEMORY);
        let read = |connection| known.read(&Found { configuration: 3, ..Found::default() }, Instant::now(), connection);
        let code = code(1);
        for is_asked in [true, false] {
            read(0);
            known.keep_code(&code);
            assert!(known.is_fresh(0) && known.keys("main", &want(&code)).is_some());
            assert!(!is_asked || !known.is_fresh(1));
            read(1);
            assert!(known.is_fresh(1) && known.keys("main", &want(&code)).is_none());
        }
    }

    #[test]
    fn what_is_found_is_what_was_read_and_only_for_its_site() {
        let known = Known::new(MEMORY);
        let (code, account) = (code(7), card(7));
        let accounts = [(account.id, account.clone())].into();
        let read = Found { configuration: 3, codes: vec![Some(code.clone())], accounts, ..Found::default() };
        assert!(known.found("main", &want(&code)).is_none());
        known.read(&read, Instant::now(), 0);
        let found = known.found("main", &want(&code)).unwrap();
        assert_eq!((found.codes, found.accounts), (read.codes, read.accounts));
        assert!(known.found("other", &want(&code)).is_none());
    }

    #[test]
    fn an_older_row_takes_no_place_of_a_newer_one() {
        let known = Known::new(MEMORY);
        let versions = |version| Account { version, ..card(7) };
        for (kept, left) in [(4, 4), (3, 4), (5, 5)] {
            known.keep(&versions(kept));
            assert_eq!(known.account(versions(kept).id), Some(versions(left)));
        }
    }

    #[test]
    fn no_more_is_remembered_than_fits_and_what_is_in_use_stays() {
        let known = Known::new(MEMORY);
        let keep = |number| {
            known.keep_code(&code(number));
            known.keep(&card(number));
        };
        let is_known = |number| {
            let keys = known.keys("main", &want(&code(number)));
            keys.is_some_and(|keys| known.has_accounts(&keys)) && known.account(card(number).id).is_some()
        };
        keep(0);
        for number in 1..100_000 {
            keep(number);
            assert!(is_known(0), "forgotten after {number} others");
        }
        let weight = known.codes.weight() + known.accounts.weight();
        assert!((MEMORY / 2..=MEMORY).contains(&weight), "{weight}");
        let kept = (0..100_000).filter(|number| is_known(*number)).count();
        assert!((5_000..20_000).contains(&kept), "{kept}");
        known.set_memory(MEMORY / 4);
        let weight = known.codes.weight() + known.accounts.weight();
        assert!((MEMORY / 8..=MEMORY / 4).contains(&weight), "{weight}");
    }

    #[test]
    fn with_too_little_memory_nothing_is_remembered() {
        for memory in [0, 1, LEAST - 1, LEAST] {
            let known = Known::new(memory);
            known.keep_code(&code(1));
            known.keep(&card(1));
            let is_known = known.keys("main", &want(&code(1))).is_some() && known.account(card(1).id).is_some();
            assert_eq!((is_known, known.has_room()), (memory == LEAST, memory == LEAST), "{memory}");
        }
    }

    #[test]
    fn what_is_met_for_the_first_time_stays_for_a_while_though_all_is_full() {
        let known = Known::new(LEAST);
        for number in 0..20_000 {
            known.keep_code(&code(number));
            known.keep(&card(number));
            let earlier = (number - 20).max(0);
            let keys = known.keys("main", &want(&code(earlier)));
            assert!(keys.is_some_and(|keys| known.has_accounts(&keys)), "{earlier} has gone at {number}");
        }
    }

    #[test]
    fn many_who_keep_and_forget_the_same_rows_never_keep_more_than_fits() {
        let known = Known::new(LEAST);
        std::thread::scope(|scope| {
            for thread in 0..8 {
                let known = &known;
                scope.spawn(move || {
                    for number in 0..20_000_i64 {
                        let number = number * (thread + 1) % 9_973;
                        known.keep(&card(number));
                        if number % 7 == 0 {
                            known.accounts.remove(&card(number).id);
                        }
                        assert!(known.account(card(number).id).is_none_or(|kept| kept == card(number)));
                    }
                });
            }
        });
        assert!((1..=LEAST / 5 * 3 + 1).contains(&known.accounts.weight()), "{}", known.accounts.weight());
    }
}
