//! The PostgreSQL store against what every store has to do, and against what only a server can do to it: other
//! processes, lost connections, crashes.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Barrier};
use std::time::{Duration, Instant};

use giftcard_ledger::model::{Account, Code, CodeState, RecordKind};
use giftcard_ledger::postgres::{OpenError, PostgresOptions, PostgresStore};
use giftcard_ledger::store::{Changes, Checkpoint, Context, OpenHold, Personal, Store, StoreError, Verdict, Want};
use giftcard_tests::postgres::Cluster;
use giftcard_tests::postgres::proxy::Proxy;
use giftcard_tests::stores;
use giftcard_tests::stores::everything::{Everything, Names};
use giftcard_tests::stores::rows::{self, Booking, NOW, SITE};

fn options(schema: &str) -> PostgresOptions {
    PostgresOptions { schema: schema.to_string(), create: true, ..PostgresOptions::default() }
}

fn open(url: &str, schema: &str) -> PostgresStore {
    PostgresStore::open(url, &options(schema)).expect("the server takes a new schema")
}

/// A store in a schema of its own.
fn fresh() -> PostgresStore {
    let (url, schema) = Cluster::start().fresh_schema();
    open(&url, &schema)
}

macro_rules! conformance {
    ($($module:ident::$claim:ident;)*) => {
        mod conformance {
            $(
                #[test]
                fn $claim() {
                    super::stores::claim(stringify!($claim))(&super::fresh());
                }
            )*
        }
    };
}

giftcard_tests::each_store_claim!(conformance);

/// A change without an operation, so that nothing but its guard tells whether it was done.
fn pool(name: &str, before: Option<u64>) -> Changes {
    rows::document(&rows::place(RecordKind::Pool, name), before, Some("{}"))
}

/// Takes one unit from a card again and again, each time as another operation, until told to stop; each take is told
/// whether it was committed. The card as it should be at the end.
fn spend(
    store: &dyn Store,
    mut card: Account,
    stop: &AtomicBool,
    told: impl Fn(&Result<Vec<Verdict>, StoreError>),
) -> Account {
    let mut number = 0;
    while !stop.load(Ordering::SeqCst) {
        let name = format!("spend {} {} {number}", card.id, card.version);
        let booking = Booking::named(&name).moves(&card, -1, 0);
        let after = booking.after(card.id);
        let answer = store.commit(number % store.lanes(), &[&booking.changes()]);
        told(&answer);
        match answer {
            Ok(verdicts) => {
                assert_eq!(verdicts, [Verdict::Committed], "nobody else touches the card");
                card = after;
            }
            Err(StoreError::Unavailable(_)) => {}
            Err(StoreError::Unknown(_)) => {
                let want = Want { operation: Some(rows::key(&name)), ..Want::default() };
                while !stop.load(Ordering::SeqCst) {
                    if let Ok(found) = store.find(&want) {
                        card = if found.operation.is_some() { after } else { card };
                        break;
                    }
                }
            }
            Err(error) => panic!("{error}"),
        }
        number += 1;
    }
    card
}

#[test]
fn two_stores_commit_to_the_same_accounts_and_no_unit_is_lost() {
    let (url, schema) = Cluster::start().fresh_schema();
    let stores = [open(&url, &schema), open(&url, &schema)];
    let cards: Vec<_> = (1..=3).map(|number| rows::issue(&stores[0], &rows::card(number), 1000).id).collect();
    let done = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for thread in 0..6 {
            let (store, cards, done) = (&stores[thread % 2], &cards, &done);
            scope.spawn(move || {
                for number in 0..25 {
                    let (from, to) = (cards[(thread + number) % 3], cards[(thread + number + 1) % 3]);
                    // Until nobody was faster.
                    loop {
                        let [from, to] = [from, to].map(|id| rows::account(store, id));
                        let booking =
                            Booking::named(&format!("{thread} {number}")).moves(&from, -1, 0).moves(&to, 1, 0);
                        match rows::commit(store, &[&booking.changes()])[..] {
                            [Verdict::Committed] => break,
                            [Verdict::Conflict] => {}
                            ref other => panic!("{other:?}"),
                        }
                    }
                    done.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
    });
    let all = Everything::of(&stores[0], &Names::default());
    all.assert_sound();
    assert_eq!(all.operations.len(), 3 + 6 * 25);
    assert_eq!(done.load(Ordering::Relaxed), 6 * 25);
    assert_eq!(all.accounts.iter().map(|account| account.balance.get()).sum::<i64>(), 3000);
}

#[test]
fn batches_that_take_the_same_in_opposite_orders_all_get_through() {
    let (url, schema) = Cluster::start().fresh_schema();
    let stores = [open(&url, &schema), open(&url, &schema)];
    for round in 0..60 {
        let ids = [10 * round + 1, 10 * round + 2];
        let cards = ids.map(|id| rows::issue(&stores[0], &rows::card(id), 100));
        let barrier = Barrier::new(2);
        let verdicts = std::thread::scope(|scope| {
            let threads = [0, 1].map(|thread| {
                let (store, cards, barrier) = (&stores[thread], &cards, &barrier);
                scope.spawn(move || {
                    // One writes what the other wants to be absent, both add the same documents, and each has an
                    // operation that is nobody else's.
                    let place = |number: usize| rows::place(RecordKind::Order, &format!("{round} {number}"));
                    let take = |number: usize| {
                        Booking::named(&format!("{round} {thread} {number}")).moves(&cards[number], -1, 0).with(
                            |changes| {
                                changes.records = rows::document(&place(number), None, Some("{}")).records;
                                changes.checks = vec![(place(2 + (number + thread) % 2), None)];
                            },
                        )
                    };
                    let absent = rows::document(&place(2 + thread), None, Some("{}"));
                    let mut batch = vec![take(thread).changes(), take(1 - thread).changes(), absent];
                    batch.push(Booking::named(&format!("{round} own {thread}")).changes());
                    barrier.wait();
                    rows::commit(store, &batch.iter().collect::<Vec<_>>())
                })
            });
            threads.map(|thread| thread.join().unwrap())
        });
        assert_eq!(verdicts[0][3], Verdict::Committed);
        assert_eq!(verdicts[1][3], Verdict::Committed);
        // Of each card one was faster, unless the other's document kept it from it.
        for number in 0..2 {
            let both = [&verdicts[0][number], &verdicts[1][1 - number]];
            assert!(both.iter().filter(|verdict| ***verdict == Verdict::Committed).count() <= 1, "{verdicts:?}");
        }
    }
    Everything::of(&stores[0], &Names::default()).assert_sound();
}

#[test]
fn of_two_that_need_the_others_document_to_be_absent_only_one_is_written() {
    let (url, schema) = Cluster::start().fresh_schema();
    let stores = [open(&url, &schema), open(&url, &schema)];
    for round in 0..60 {
        let barrier = Barrier::new(2);
        let verdicts = std::thread::scope(|scope| {
            let threads = [0, 1].map(|thread| {
                let (store, barrier) = (&stores[thread], &barrier);
                scope.spawn(move || {
                    let place = |number: usize| rows::place(RecordKind::Order, &format!("{round} {number}"));
                    let checks = vec![(place(1 - thread), None)];
                    let changes = Changes { checks, ..rows::document(&place(thread), None, Some("{}")) };
                    barrier.wait();
                    rows::commit(store, &[&changes])[0].clone()
                })
            });
            threads.map(|thread| thread.join().unwrap())
        });
        assert_eq!(verdicts.iter().filter(|verdict| **verdict == Verdict::Committed).count(), 1, "{verdicts:?}");
    }
}

#[test]
fn what_two_stores_add_at_once_is_added_once_and_takes_nothing_else_along() {
    let (url, schema) = Cluster::start().fresh_schema();
    let stores = [open(&url, &schema), open(&url, &schema)];
    for round in 0..40 {
        let barrier = Barrier::new(2);
        let verdicts = std::thread::scope(|scope| {
            let threads = [0, 1].map(|thread| {
                let (store, barrier) = (&stores[thread], &barrier);
                scope.spawn(move || {
                    let number = 1000 + 10 * round;
                    let own = |name: &str| Booking::named(&format!("{round} {name} {thread}"));
                    let batch = [
                        own("first").changes(),
                        Booking::named(&format!("{round} same")).changes(),
                        own("account").opens(&rows::card(number), 5).changes(),
                        own("credit")
                            .opens(&rows::credit(number + 1 + thread as i64, &format!("customer {round}")), 5)
                            .changes(),
                        rows::new_codes([Code { lookup: rows::hash(number), ..rows::code(number + thread as i64) }]),
                        pool(&format!("{round}"), None),
                        own("last").changes(),
                    ];
                    barrier.wait();
                    rows::commit(store, &batch.iter().collect::<Vec<_>>())
                })
            });
            threads.map(|thread| thread.join().unwrap())
        });
        for (place, lost) in [
            (0, Verdict::Committed),
            (1, Verdict::Duplicate),
            (2, Verdict::Conflict),
            (3, Verdict::Conflict),
            (4, Verdict::Conflict),
            (5, Verdict::Conflict),
            (6, Verdict::Committed),
        ] {
            let both = [&verdicts[0][place], &verdicts[1][place]];
            let expected = [&Verdict::Committed, &lost];
            assert!(both == expected || both == [expected[1], expected[0]], "place {place}: {both:?}");
        }
    }
    Everything::of(&stores[0], &Names::default()).assert_sound();
}

#[test]
fn a_refusal_and_an_operation_of_one_key_from_two_stores_exclude_each_other() {
    let (url, schema) = Cluster::start().fresh_schema();
    let stores = [open(&url, &schema), open(&url, &schema)];
    for round in 0..40 {
        let name = format!("{round}");
        let batches = [Booking::named(&name).changes(), rows::refused(rows::refusal(&name, NOW + 1000))];
        let barrier = Barrier::new(2);
        let verdicts = std::thread::scope(|scope| {
            let threads = [0, 1].map(|thread| {
                let (store, changes, barrier) = (&stores[thread], &batches[thread], &barrier);
                scope.spawn(move || {
                    barrier.wait();
                    rows::commit(store, &[changes])[0].clone()
                })
            });
            threads.map(|thread| thread.join().unwrap())
        });
        let found = stores[0].find(&Want { operation: Some(rows::key(&name)), ..Want::default() }).unwrap();
        let operation_won = verdicts == [Verdict::Committed, Verdict::Duplicate];
        assert!(operation_won || verdicts == [Verdict::Duplicate, Verdict::Committed], "{verdicts:?}");
        assert_eq!((found.operation.is_some(), found.refusal.is_some()), (operation_won, !operation_won));
    }
}

#[test]
fn connections_that_are_ended_during_commits_lose_and_repeat_nothing() {
    let cluster = Cluster::start();
    let (url, schema) = cluster.fresh_schema();
    let store = open(&url, &schema);
    let cards = [1, 2, 3].map(|number| rows::issue(&store, &rows::card(number), 1_000_000));
    let (stop, committed) = (AtomicBool::new(false), AtomicUsize::new(0));
    let ended = std::thread::scope(|scope| {
        let count = |answer: &Result<Vec<Verdict>, StoreError>| {
            // The server is there all the time, so that every outcome is found out.
            assert!(!matches!(answer, Err(StoreError::Unknown(_))), "{answer:?}");
            committed.fetch_add(usize::from(answer.is_ok()), Ordering::SeqCst);
        };
        for card in &cards {
            let (store, stop) = (&store, &stop);
            scope.spawn(move || spend(store, card.clone(), stop, count));
        }
        let mut ended = 0;
        for _ in 0..25 {
            std::thread::sleep(Duration::from_millis(60));
            ended += cluster.terminate_backends(&schema);
        }
        stop.store(true, Ordering::SeqCst);
        ended
    });
    let all = Everything::of(&store, &Names::default());
    all.assert_sound();
    assert!(ended >= 20, "{ended} connections were ended");
    assert_eq!(all.operations.len() - cards.len(), committed.load(Ordering::SeqCst));
}

/// A store behind a line that can be cut.
fn behind(proxy: &Proxy, schema: &str, settle: Duration) -> PostgresStore {
    let url = Cluster::start().url_by(proxy.port());
    let options = PostgresOptions {
        lanes: 1,
        settle_timeout: settle,
        connect_timeout: Duration::from_secs(2),
        ..options(schema)
    };
    PostgresStore::open(&url, &options).expect("the line is open")
}

#[test]
fn a_lost_answer_is_asked_for_again_and_the_batch_is_not_run_twice() {
    let cluster = Cluster::start();
    let (url, schema) = cluster.fresh_schema();
    let direct = open(&url, &schema);
    let proxy = Proxy::new(cluster.port());
    let store = behind(&proxy, &schema, Duration::from_secs(20));
    let card = rows::issue(&store, &rows::card(1), 100);
    rows::committed(&store, &Booking::named("earlier").changes());
    // Of everything that a batch can be told, of what has a key and of what has none.
    let taken = Booking::named("taken").moves(&card, -1, 0);
    let batch = [
        taken.clone().changes(),
        Booking::named("stale").moves(&card, -1, 0).changes(),
        Booking::named("earlier").changes(),
        pool("new", None),
        pool("missing", Some(1)),
    ];
    proxy.swallow_answers(1);
    let verdicts = rows::commit(&store, &batch.iter().collect::<Vec<_>>());
    let expected = [Verdict::Committed, Verdict::Conflict, Verdict::Duplicate, Verdict::Committed, Verdict::Conflict];
    assert_eq!(verdicts, expected);
    assert_eq!(rows::account(&direct, card.id), taken.after(card.id));
    // And the next batch is another one.
    assert_eq!(rows::commit(&store, &[&pool("new", None)]), [Verdict::Conflict]);
    Everything::of(&direct, &Names::default()).assert_sound();
}

#[test]
fn an_outcome_that_cannot_be_asked_for_is_unknown_and_found_later() {
    let cluster = Cluster::start();
    let (url, schema) = cluster.fresh_schema();
    let direct = open(&url, &schema);
    let proxy = Proxy::new(cluster.port());
    let store = behind(&proxy, &schema, Duration::from_millis(300));
    let card = rows::issue(&store, &rows::card(1), 100);
    proxy.swallow_answers(1);
    proxy.close();
    let first = Booking::named("first").moves(&card, -1, 0);
    let error = store.commit(0, &[&first.changes()]).unwrap_err();
    assert_eq!(error.code(), "outcome-unknown", "{error}");
    // It was done; the line was cut on the way back.
    let want = Want { operation: Some(rows::key("first")), ..Want::default() };
    assert!(direct.find(&want).unwrap().operation.is_some());
    // Nothing is sent while there is no line, so that this one is known not to be done.
    let started = Instant::now();
    let error = store.commit(0, &[&Booking::named("second").changes()]).unwrap_err();
    assert_eq!(error.code(), "database-unavailable", "{error}");
    proxy.cut();
    let error = store.find(&want).unwrap_err();
    assert_eq!(error.code(), "database-unavailable", "{error}");
    assert!(started.elapsed() < Duration::from_secs(10), "no long waiting for what is not there");
    proxy.open();
    let card = rows::account(&store, card.id);
    rows::committed(&store, &Booking::named("third").moves(&card, -1, 0).changes());
    let want = Want { operation: Some(rows::key("second")), ..Want::default() };
    assert!(direct.find(&want).unwrap().operation.is_none());
}

#[test]
fn what_was_committed_survives_crashes_of_the_server() {
    let mut cluster = Cluster::private();
    // What a database is set to does not make commits less durable.
    cluster.execute("ALTER SYSTEM SET synchronous_commit = off");
    cluster.execute("SELECT pg_reload_conf()");
    let (url, schema) = cluster.fresh_schema();
    let settle_timeout = Duration::from_millis(100);
    let store = PostgresStore::open(&url, &PostgresOptions { settle_timeout, ..options(&schema) }).unwrap();
    let mut cards = [1, 2].map(|number| rows::issue(&store, &rows::card(number), 1_000_000));
    for _ in 0..3 {
        let stop = AtomicBool::new(false);
        let committed = AtomicUsize::new(0);
        let count = |answer: &Result<Vec<Verdict>, StoreError>| {
            committed.fetch_add(usize::from(answer.is_ok()), Ordering::SeqCst);
        };
        cards = std::thread::scope(|scope| {
            let threads = cards.each_ref().map(|card| {
                let (store, stop) = (&store, &stop);
                scope.spawn(move || spend(store, card.clone(), stop, count))
            });
            std::thread::sleep(Duration::from_millis(300));
            cluster.stop_hard();
            std::thread::sleep(Duration::from_millis(200));
            cluster.start_again();
            let (before, patience) = (committed.load(Ordering::SeqCst), Instant::now());
            while committed.load(Ordering::SeqCst) < before + 20 && patience.elapsed() < Duration::from_secs(60) {
                std::thread::sleep(Duration::from_millis(10));
            }
            stop.store(true, Ordering::SeqCst);
            threads.map(|thread| thread.join().unwrap())
        });
        for card in &cards {
            assert_eq!(rows::account(&store, card.id), *card, "as it was last told");
        }
    }
    Everything::of(&store, &Names::default()).assert_sound();
}

#[test]
fn a_ledger_moves_to_another_schema_by_its_backup() {
    let cluster = Cluster::start();
    let store = fresh();
    let card = rows::issue(&store, &Account { hint: Some("7K2M".into()), ..rows::card(1) }, 100);
    let credit = rows::issue(&store, &rows::credit(2, "anna"), 50);
    rows::committed(&store, &rows::document(&rows::place(RecordKind::Programme, "spring"), None, Some("{}")));
    let heads = store.unsealed_heads().unwrap();
    let checkpoint =
        Checkpoint { number: 1, at: NOW, root: [1; 32], heads: 2, previous: [0; 32], key: [2; 32], signature: [3; 64] };
    assert!(store.seal(&checkpoint, &heads).unwrap());
    let booking = Booking::named("hold").moves(&card, -10, 5).moves(&credit, 0, 1).with(|changes| {
        changes.holds_opened = vec![OpenHold { account: card.id, hold: rows::id(9), ends_at: NOW + 5 }];
        let site = SITE.to_string();
        changes.personal = Some(Personal { reference: [4; 16], site, customer: Some("anna".into()), body: "p".into() });
        changes.contexts = vec![Context { digest: rows::hash(6), body: "c".into() }];
        let drawn = Code { state: CodeState::Drawn, account: Some(card.id), ..rows::code(1) };
        changes.codes = rows::new_codes([drawn, Code { sealed: Some(vec![7; 60]), ..rows::code(2) }]).codes;
    });
    rows::committed(&store, &booking.changes());
    rows::committed(&store, &rows::refused(rows::refusal("no", NOW + 9)));
    store.set_note("n", "note").unwrap();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("backup.db");
    store.backup(&file).unwrap();

    let (url, schema) = cluster.fresh_schema();
    let other = open(&url, &schema);
    other.restore_into(&file).unwrap();
    let names = Names {
        sites: vec![SITE.into()],
        refusals: vec![rows::key("no")],
        references: vec![[4; 16]],
        contexts: vec![rows::hash(6)],
        notes: vec!["n".into()],
        ..Names::default()
    };
    let all = Everything::of(&other, &names);
    assert_eq!(all, Everything::of(&store, &names));
    assert_eq!(all.checkpoints.len(), 1);
    all.assert_sound();
    // It goes on as the original would.
    assert_eq!(rows::commit(&other, &[&Booking::named("hold").changes()]), [Verdict::Duplicate]);
    let card = rows::account(&other, card.id);
    rows::committed(&other, &Booking::named("next").moves(&card, -1, 0).changes());
    let operations = other.operations(i64::MIN, 100).unwrap();
    assert!(operations.windows(2).all(|pair| pair[0].sequence < pair[1].sequence));
    assert_eq!(operations.last().unwrap().operation.key, rows::key("next"));
    // Not over what is there.
    let error = other.restore_into(&file).unwrap_err();
    assert!(error.to_string().contains("is not empty"), "{error}");
    assert_eq!(other.operations(i64::MIN, 100).unwrap(), operations);
}

#[test]
fn many_that_open_an_empty_schema_at_once_all_can() {
    let (url, schema) = Cluster::start().fresh_schema();
    let stores: Vec<PostgresStore> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..4).map(|_| scope.spawn(|| open(&url, &schema))).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    for (number, store) in stores.iter().enumerate() {
        rows::issue(store, &rows::card(number as i64), 1);
    }
    assert_eq!(stores[0].operations(0, 10).unwrap().len(), 4);
}

#[test]
fn a_missing_schema_is_made_only_where_that_is_asked_for() {
    let (url, schema) = Cluster::start().fresh_schema();
    let error = PostgresStore::open(&url, &PostgresOptions { create: false, ..options(&schema) }).unwrap_err();
    assert!(matches!(error, OpenError::NotThere { .. }), "{error}");
    assert!(error.to_string().contains("giftcard init"), "{error}");
    drop(open(&url, &schema));
    PostgresStore::open(&url, &PostgresOptions { create: false, ..options(&schema) }).unwrap();
}

#[test]
fn a_schema_of_the_first_version_is_brought_to_the_newest() {
    let cluster = Cluster::start();
    let (url, schema) = cluster.fresh_schema();
    rows::issue(&open(&url, &schema), &rows::card(1), 1);
    cluster.execute(&format!("DROP TABLE {schema}.component"));
    cluster.execute(&format!("DELETE FROM {schema}.schema_version WHERE version = 2"));
    let store = open(&url, &schema);
    store.keep_component(rows::hash(1), b"bytes").unwrap();
    assert_eq!(store.component(rows::hash(1)).unwrap().as_deref(), Some(&b"bytes"[..]));
    assert_eq!(store.operations(0, 10).unwrap().len(), 1);
}

#[test]
fn a_newer_schema_is_refused_with_both_versions() {
    let cluster = Cluster::start();
    let (url, schema) = cluster.fresh_schema();
    drop(open(&url, &schema));
    cluster.execute(&format!("INSERT INTO {schema}.schema_version (version) VALUES (7)"));
    let error = PostgresStore::open(&url, &options(&schema)).unwrap_err();
    assert!(matches!(error, OpenError::TooNew { found: 7, known: 2, .. }), "{error}");
    assert!(error.to_string().contains("version 7") && error.to_string().contains("up to 2"), "{error}");
}

#[test]
fn nothing_that_is_said_has_the_password() {
    let cluster = Cluster::start();
    let (url, schema) = cluster.fresh_schema();
    let secret = "hunter2";
    let wrong = url.replace("only-for-tests-0", secret);
    let nowhere = Proxy::new(1);
    let urls = [
        wrong.clone(),
        wrong.replace(&cluster.port().to_string(), &nowhere.port().to_string()),
        format!("{wrong}?no_such_option={secret}"),
        format!("postgres://giftcard:{secret}@127.0.0.1:{secret}/postgres"),
        format!("host=127.0.0.1 password={secret} {secret}"),
        format!("postgres:{secret}"),
    ];
    for url in urls {
        let error = PostgresStore::open(&url, &options(&schema)).unwrap_err();
        assert!(!format!("{error} {error:?}").contains(secret), "{error:?}");
    }
    assert!(!format!("{:?}", open(&url, &schema)).contains("only-for-tests"));
}

#[test]
fn a_name_that_is_none_of_a_schema_is_refused() {
    let (url, _) = Cluster::start().fresh_schema();
    for name in ["", "Big", "a-b", "a\"; DROP SCHEMA public; --", "1a", "pg_own", &"a".repeat(64)] {
        let error = PostgresStore::open(&url, &options(name)).unwrap_err();
        assert!(matches!(error, OpenError::SchemaName(_)), "{error}");
    }
}

#[test]
fn a_store_works_in_the_threads_of_another_runtime() {
    let (url, schema) = Cluster::start().fresh_schema();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let store = Arc::new(open(&url, &schema));
        rows::issue(&*store, &rows::card(1), 5);
        let other = Arc::clone(&store);
        tokio::task::spawn_blocking(move || rows::issue(&*other, &rows::card(2), 5)).await.unwrap();
        assert_eq!(store.operations(0, 10).unwrap().len(), 2);
        drop(store);
    });
}

#[test]
fn a_store_works_by_the_socket_of_the_server() {
    let cluster = Cluster::start();
    let (_, schema) = cluster.fresh_schema();
    let store = open(&cluster.socket_url(), &schema);
    rows::issue(&store, &rows::card(1), 5);
}

#[test]
fn a_server_is_encrypted_where_it_can_and_proven_where_that_is_asked_for() {
    let named = |name: &str| rcgen::generate_simple_self_signed(vec![name.to_string()]).unwrap();
    let (own, other) = (named("127.0.0.1"), named("elsewhere.example"));
    let folder = tempfile::tempdir().unwrap();
    let trusted = |name: &str, certificate: &rcgen::Certificate| {
        let file = folder.path().join(name);
        std::fs::write(&file, certificate.pem()).unwrap();
        file
    };
    let (root, wrong_root) = (trusted("own.pem", &own.cert), trusted("other.pem", &other.cert));
    let files = [("server.crt", &*own.cert.pem()), ("server.key", &*own.signing_key.serialize_pem())];
    let cluster = Cluster::private_with(&files, &["ssl=on"]);
    let (url, schema) = cluster.fresh_schema();
    let open = |mode: &str, root: Option<&std::path::PathBuf>| {
        let options = PostgresOptions { root_certificates: root.cloned(), ..options(&schema) };
        PostgresStore::open(&format!("{url}?sslmode={mode}"), &options)
    };
    // Store, sslmode, and whether its connections are encrypted.
    for (mode, root, encrypted) in [("disable", None, "f"), ("prefer", None, "t"), ("require", Some(&root), "t")] {
        let store = open(mode, root).unwrap();
        rows::issue(&store, &rows::card(i64::from(mode.as_bytes()[0])), 5);
        let found = cluster.query_texts(&format!(
            "SELECT DISTINCT ssl FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) \
             WHERE application_name = 'giftcard/{schema}'"
        ));
        assert_eq!(found, [encrypted], "{mode}");
        drop(store);
        while !cluster
            .query_texts(&format!("SELECT 1 FROM pg_stat_activity WHERE application_name = 'giftcard/{schema}'"))
            .is_empty()
        {}
    }
    for root in [None, Some(&wrong_root)] {
        let error = open("require", root).unwrap_err();
        assert!(matches!(error, OpenError::Unreachable(_)), "{error}");
        assert!(error.to_string().contains("certificate"), "{error}");
    }
    let (url, schema) = Cluster::start().fresh_schema();
    let error = PostgresStore::open(&format!("{url}?sslmode=require"), &options(&schema)).unwrap_err();
    assert!(error.to_string().contains("does not support TLS"), "{error}");
}

#[test]
fn what_is_kept_for_ever_cannot_be_changed_by_hand() {
    let cluster = Cluster::start();
    let (url, schema) = cluster.fresh_schema();
    rows::issue(&open(&url, &schema), &rows::card(1), 5);
    for statement in [
        "DELETE FROM account",
        "TRUNCATE account",
        "UPDATE operation SET answer = ''",
        "DELETE FROM operation",
        "TRUNCATE operation",
        "UPDATE entry SET amount = 1",
        "DELETE FROM entry",
        "TRUNCATE entry",
    ] {
        let refused = format!(
            "DO $$ BEGIN SET LOCAL search_path = {schema}; {statement}; RAISE 'not refused'; \
             EXCEPTION WHEN restrict_violation THEN NULL; END $$"
        );
        cluster.execute(&refused);
    }
}

#[test]
fn an_operation_with_a_character_that_cannot_be_stored_leaves_the_others_alone() {
    let store = fresh();
    let batch = [Booking::named("one").changes(), Booking::named("t\0wo").changes(), Booking::named("three").changes()];
    let verdicts = rows::commit(&store, &batch.iter().collect::<Vec<_>>());
    assert_eq!(verdicts, [Verdict::Committed, Verdict::Conflict, Verdict::Committed]);
    let want = Want {
        operation: Some(rows::key("t\0wo")),
        records: vec![rows::place(RecordKind::Order, "\0")],
        credits: vec![(SITE.to_string(), "\0".to_string(), "USD".to_string())],
        ..Want::default()
    };
    let found = store.find(&want).unwrap();
    assert!(found.operation.is_none() && found.records.is_empty() && found.credits == [None]);
}
