//! Checkpoints: which heads are to be sealed, and which were.

use giftcard_ledger::chain;
use giftcard_ledger::model::Account;
use giftcard_ledger::store::{Checkpoint, SealedHead, Store};

use super::rows::{self, Booking, NOW};

fn head(account: &Account) -> SealedHead {
    SealedHead { account: account.id, version: account.version, head: account.head }
}

fn checkpoint(number: u64, heads: &[SealedHead]) -> Checkpoint {
    Checkpoint {
        number,
        at: NOW + number as i64,
        root: chain::merkle_root(heads),
        heads: heads.len() as u64,
        previous: rows::hash(number as i64 - 1),
        key: [3; 32],
        signature: [9; 64],
    }
}

fn seal(store: &dyn Store, number: u64, heads: &[SealedHead]) {
    assert!(store.seal(&checkpoint(number, heads), heads).unwrap());
}

fn spend(store: &dyn Store, name: &str, account: &Account) -> Account {
    let booking = Booking::named(name).moves(account, -1, 0);
    let after = booking.after(account.id);
    rows::committed(store, &booking.changes());
    after
}

pub(super) fn heads_are_unsealed_until_they_are_sealed(store: &dyn Store) {
    let later = rows::issue(store, &rows::card(5), 100);
    let first = rows::issue(store, &rows::card(1), 100);
    let credit = rows::issue(store, &rows::credit(3, "anna"), 100);
    let heads = [head(&first), head(&credit), head(&later)];
    assert_eq!(store.unsealed_heads().unwrap(), heads);
    assert_eq!(store.unsealed_heads().unwrap(), heads, "asking seals nothing");
    seal(store, 1, &heads);
    assert_eq!(store.unsealed_heads().unwrap(), []);
    assert_eq!(store.sealed_heads(1).unwrap(), heads);
}

pub(super) fn a_head_that_changes_is_unsealed_again(store: &dyn Store) {
    let first = rows::issue(store, &rows::card(1), 100);
    let second = rows::issue(store, &rows::card(2), 100);
    seal(store, 1, &[head(&first), head(&second)]);
    let changed = spend(store, "a", &spend(store, "b", &second));
    let new = rows::issue(store, &rows::card(3), 100);
    assert_eq!(store.unsealed_heads().unwrap(), [head(&changed), head(&new)]);
    seal(store, 2, &[head(&changed), head(&new)]);
    assert_eq!(store.unsealed_heads().unwrap(), []);
    let again = spend(store, "c", &first);
    assert_eq!(store.unsealed_heads().unwrap(), [head(&again)]);
}

pub(super) fn what_changed_while_a_checkpoint_was_made_stays_unsealed(store: &dyn Store) {
    let first = rows::issue(store, &rows::card(1), 100);
    let second = rows::issue(store, &rows::card(2), 100);
    let read = store.unsealed_heads().unwrap();
    let changed = spend(store, "a", &second);
    let new = rows::issue(store, &rows::card(3), 100);
    seal(store, 1, &read);
    assert_eq!(store.unsealed_heads().unwrap(), [head(&changed), head(&new)]);
    assert_eq!(store.sealed_heads(1).unwrap(), [head(&first), head(&second)]);
}

pub(super) fn heads_that_a_checkpoint_leaves_out_stay_unsealed(store: &dyn Store) {
    let [first, second, third] = [1, 2, 3].map(|number| rows::issue(store, &rows::card(number), 100));
    seal(store, 1, &[head(&third)]);
    assert_eq!(store.unsealed_heads().unwrap(), [head(&first), head(&second)]);
    seal(store, 2, &[head(&first)]);
    assert_eq!(store.unsealed_heads().unwrap(), [head(&second)]);
    seal(store, 3, &[]);
    assert_eq!(store.unsealed_heads().unwrap(), [head(&second)]);
    seal(store, 4, &[head(&second)]);
    assert_eq!(store.unsealed_heads().unwrap(), []);
}

pub(super) fn a_number_is_sealed_once(store: &dyn Store) {
    let first = rows::issue(store, &rows::card(1), 100);
    seal(store, 1, &[head(&first)]);
    let second = spend(store, "a", &first);
    let other = checkpoint(1, &[head(&second)]);
    assert!(!store.seal(&other, &[head(&second)]).unwrap());
    assert_eq!(store.checkpoints().unwrap(), [checkpoint(1, &[head(&first)])]);
    assert_eq!(store.sealed_heads(1).unwrap(), [head(&first)]);
    assert_eq!(store.unsealed_heads().unwrap(), [head(&second)]);
    let threads: Vec<bool> = std::thread::scope(|scope| {
        let seal = || store.seal(&checkpoint(2, &[head(&second)]), &[head(&second)]).unwrap();
        let threads: Vec<_> = (0..4).map(|_| scope.spawn(seal)).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert_eq!(threads.iter().filter(|sealed| **sealed).count(), 1);
}

pub(super) fn checkpoints_read_back_in_order_with_their_heads(store: &dyn Store) {
    let first = rows::issue(store, &rows::card(1), 100);
    let second = rows::issue(store, &rows::card(2), 100);
    seal(store, 1, &[head(&first), head(&second)]);
    let changed = spend(store, "a", &second);
    seal(store, 2, &[head(&changed)]);
    seal(store, 3, &[]);
    let expected =
        [checkpoint(1, &[head(&first), head(&second)]), checkpoint(2, &[head(&changed)]), checkpoint(3, &[])];
    assert_eq!(store.checkpoints().unwrap(), expected);
    assert_eq!(store.sealed_heads(1).unwrap(), [head(&first), head(&second)]);
    assert_eq!(store.sealed_heads(2).unwrap(), [head(&changed)]);
    assert_eq!(store.sealed_heads(3).unwrap(), []);
    assert_eq!(store.sealed_heads(4).unwrap(), []);
}
