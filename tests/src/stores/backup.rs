//! Backups: a SQLite file that has everything and can be worked with.

use std::sync::atomic::{AtomicBool, Ordering};

use giftcard_ledger::chain;
use giftcard_ledger::model::{Account, Code, CodeState, Operation, RecordKind};
use giftcard_ledger::sqlite::{SqliteOptions, SqliteStore};
use giftcard_ledger::store::{Changes, Checkpoint, Context, OpenHold, Personal, SealedHead, Store, Want};

use super::everything::{Everything, Names};
use super::rows::{self, Booking, NOW, SITE};

/// Writes something of everything, and tells how to ask for it.
fn fill(store: &dyn Store) -> Names {
    let programme = rows::place(RecordKind::Programme, "spring");
    rows::committed(store, &rows::document(&programme, None, Some("1")));
    rows::committed(store, &rows::document(&programme, Some(1), Some("2")));
    let site = giftcard_ledger::model::RecordKey { kind: RecordKind::Site, site: String::new(), id: SITE.into() };
    rows::committed(store, &rows::document(&site, None, Some("site")));
    let card =
        rows::issue(store, &Account { hint: Some("7K2M".into()), bought_by: Some("o".into()), ..rows::card(1) }, 100);
    let credit = rows::issue(store, &rows::credit(2, "anna"), 50);
    let heads: Vec<SealedHead> = store.unsealed_heads().unwrap();
    let checkpoint = Checkpoint {
        number: 1,
        at: NOW,
        root: chain::merkle_root(&heads),
        heads: 2,
        previous: chain::BEGINNING,
        key: [1; 32],
        signature: [2; 64],
    };
    assert!(store.seal(&checkpoint, &heads).unwrap());
    let operation = Operation { at: NOW + 77, personal: Some([4; 16]), ..rows::operation("hold") };
    let booking = Booking::new(operation).moves(&card, -10, 5).moves(&credit, 0, 1).with(|changes| {
        changes.holds_opened = vec![OpenHold { account: card.id, hold: rows::id(9), ends_at: NOW + 5 }];
        changes.personal =
            Some(Personal { reference: [4; 16], site: SITE.into(), customer: Some("anna".into()), body: "p".into() });
        changes.contexts = vec![Context { digest: rows::hash(6), body: "c".into() }];
        let pool = Some("p".to_owned());
        let drawn = Code { state: CodeState::Drawn, account: Some(card.id), pool: pool.clone(), ..rows::code(1) };
        let free = Code { sealed: Some(vec![7; 60]), pool, pepper: 2, ..rows::code(2) };
        changes.codes = rows::new_codes([drawn, free]).codes;
    });
    rows::committed(store, &booking.changes());
    rows::committed(store, &rows::refused(rows::refusal("no", NOW + 9)));
    rows::issue(store, &rows::card(3), 100);
    store.set_note("n", "note").unwrap();
    store.keep_component(rows::hash(8), &[0, 1, 255]).unwrap();
    Names {
        sites: vec![SITE.into()],
        pools: vec!["p".into()],
        refusals: vec![rows::key("no")],
        references: vec![[4; 16]],
        contexts: vec![rows::hash(6)],
        components: vec![rows::hash(8)],
        notes: vec!["n".into()],
    }
}

pub(super) fn a_backup_holds_everything_and_goes_on(store: &dyn Store) {
    let names = fill(store);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("backup.db");
    store.backup(&file).unwrap();
    let files: Vec<_> = std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(files, ["backup.db"], "nothing else is left beside it");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    }
    let expected = Everything::of(store, &names);
    assert_eq!((expected.checkpoints.len(), expected.unsealed.len(), expected.operations.len()), (1, 3, 4));
    let copy = SqliteStore::open(&file, &SqliteOptions::default()).unwrap();
    assert_eq!(Everything::of(&copy, &names).renumbered(), expected.clone().renumbered());
    // It goes on as the original would: keys are taken, versions count on, what was sealed is.
    let hold = Booking::named("hold").changes();
    assert_eq!(rows::commit(&copy, &[&hold]), [giftcard_ledger::store::Verdict::Duplicate]);
    let card = rows::account(&copy, rows::id(1));
    rows::committed(&copy, &Booking::named("next").moves(&card, -1, 0).changes());
    rows::committed(&copy, &rows::document(&rows::place(RecordKind::Programme, "spring"), Some(2), Some("3")));
    let all = Everything::of(&copy, &names);
    assert!(all.operations[4].sequence > all.operations[3].sequence);
    assert!(all.configuration > expected.configuration);
    all.assert_sound();
    // And the original is as it was.
    assert_eq!(Everything::of(store, &names), expected);
}

pub(super) fn a_backup_does_not_replace_a_file(store: &dyn Store) {
    fill(store);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("there");
    std::fs::write(&file, "mine").unwrap();
    let error = store.backup(&file).unwrap_err();
    assert!(error.to_string().contains("exists"), "{error}");
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "mine");
    assert!(store.backup(&folder.path().join("no such folder").join("backup.db")).is_err());
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    // The store is none the worse for it.
    rows::issue(store, &rows::card(8), 1);
}

pub(super) fn a_backup_is_of_one_moment_while_others_write(store: &dyn Store) {
    let (mut left, mut right) = (rows::issue(store, &rows::card(1), 500), rows::issue(store, &rows::card(2), 500));
    let folder = tempfile::tempdir().unwrap();
    let done = AtomicBool::new(false);
    let during = std::thread::scope(|scope| {
        let writer = scope.spawn(|| {
            let mut step = 0;
            while !done.load(Ordering::Relaxed) {
                let booking = Booking::named(&format!("step {step}")).moves(&left, -1, 0).moves(&right, 1, 0);
                let booking = if step % 200 < 100 {
                    booking
                } else {
                    Booking::named(&format!("step {step}")).moves(&left, 1, 0).moves(&right, -1, 0)
                };
                (left, right) = (booking.after(left.id), booking.after(right.id));
                rows::committed(store, &booking.changes());
                step += 1;
            }
            step
        });
        for number in 0..5 {
            let file = folder.path().join(format!("{number}.db"));
            store.backup(&file).unwrap();
            let copy = SqliteStore::open(&file, &SqliteOptions::default()).unwrap();
            let all = Everything::of(&copy, &Names::default());
            all.assert_sound();
            let balance: i64 = all.accounts.iter().map(|account| account.balance.get()).sum();
            assert_eq!(balance, 1000);
            assert_eq!(all.operations.len() as u64 - 1, all.accounts[0].version);
        }
        done.store(true, Ordering::Relaxed);
        writer.join().unwrap()
    });
    assert!(during > 0, "it was written meanwhile");
    assert!(store.find(&Want::default()).is_ok() && store.commit(0, &[&Changes::default()]).is_ok());
}
