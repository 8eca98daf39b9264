//! A map in several tables, each under its own lock, so that callers seldom meet at one. Must not know what is in it.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// How many tables there are.
const TABLES: usize = 16;

/// The tables.
pub(crate) struct Tables<K, V>(Vec<Mutex<HashMap<K, V>>>);

impl<K, V> Default for Tables<K, V> {
    fn default() -> Self {
        Self((0..TABLES).map(|_| Mutex::default()).collect())
    }
}

impl<K, V> Tables<K, V> {
    /// The table for a key that `spread` follows from.
    pub(crate) fn of(&self, spread: u64) -> MutexGuard<'_, HashMap<K, V>> {
        let table = usize::try_from(spread % TABLES as u64).unwrap_or(0);
        self.0[table].lock().unwrap_or_else(PoisonError::into_inner)
    }
}
