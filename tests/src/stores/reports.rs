//! Sums for reports, also where they are more than one integer holds.

use std::collections::HashMap;

use giftcard_engine::card::Status;
use giftcard_engine::money::MINOR_MAX;
use giftcard_engine::{Currency, Minor};
use giftcard_ledger::model::{Account, AccountKind, Counter, Operation, OperationKind};
use giftcard_ledger::store::{CounterSum, Liability, Store, Turnover};

use super::rows::{self, Booking, NOW, SITE};

/// So many greatest amounts are more than 63 bits.
const MANY: i64 = 1100;

/// Puts the greatest amount on each of so many cards, in a few operations.
fn issue_many(store: &dyn Store) -> Vec<Account> {
    let mut accounts = Vec::new();
    for part in 0..4 {
        let numbers = part * MANY / 4..(part + 1) * MANY / 4;
        let operation = Operation { kind: OperationKind::Issue, ..rows::operation(&format!("part {part}")) };
        let booking = numbers
            .clone()
            .fold(Booking::new(operation), |booking, number| booking.opens(&rows::card(number), MINOR_MAX));
        accounts.extend(numbers.map(|number| booking.after(rows::id(number))));
        rows::committed(store, &booking.changes());
    }
    accounts
}

fn all_of_it() -> i128 {
    let sum = i128::from(MANY) * i128::from(MINOR_MAX);
    assert!(sum > i128::from(i64::MAX));
    sum
}

fn liability(account: &Account, accounts: u64, balance_minor: i128, held_minor: i128) -> Liability {
    Liability {
        site: account.site.clone(),
        kind: account.kind,
        programme: account.programme.clone(),
        currency: account.currency,
        status: account.status,
        accounts,
        balance_minor,
        held_minor,
    }
}

/// Whether two lists of sums are the same, in any order.
fn assert_same<T: PartialEq + std::fmt::Debug>(found: &[T], expected: &[T]) {
    assert!(
        found.len() == expected.len() && expected.iter().all(|one| found.contains(one)),
        "{found:#?}\n{expected:#?}"
    );
}

pub(super) fn liabilities_are_summed_by_site_kind_programme_currency_and_state(store: &dyn Store) {
    let usual = rows::issue(store, &rows::card(1), 100);
    rows::issue(store, &rows::card(2), 50);
    rows::committed(store, &Booking::named("hold").moves(&usual, 0, 30).changes());
    let differing = [
        Account { site: "other".into(), ..rows::card(3) },
        rows::credit(4, "anna"),
        Account { programme: "winter".into(), ..rows::card(5) },
        Account { currency: rows::currency("EUR"), ..rows::card(6) },
        Account { currency: Currency::new("USD", 3).unwrap(), ..rows::card(7) },
        Account { status: Status::Disabled, ..rows::card(8) },
        Account { status: Status::Closed, ..rows::card(9) },
    ];
    let mut expected = vec![liability(&rows::card(1), 2, 150, 30)];
    for account in &differing {
        rows::issue(store, account, 7);
        expected.push(liability(account, 1, 7, 0));
    }
    assert_same(&store.liabilities(None).unwrap(), &expected);
    let of_other: Vec<_> = expected.iter().filter(|one| one.site == "other").cloned().collect();
    assert_eq!(store.liabilities(Some("other")).unwrap(), of_other);
    expected.retain(|one| one.site == SITE);
    assert_same(&store.liabilities(Some(SITE)).unwrap(), &expected);
    assert_eq!(store.liabilities(Some("none")).unwrap(), []);
}

pub(super) fn liabilities_are_exact_beyond_one_integer(store: &dyn Store) {
    let accounts = issue_many(store);
    let held = accounts.iter().fold(Booking::named("hold"), |booking, account| booking.moves(account, 0, MINOR_MAX));
    rows::committed(store, &held.changes());
    let expected = [liability(&rows::card(1), MANY as u64, all_of_it(), all_of_it())];
    assert_eq!(store.liabilities(None).unwrap(), expected);
    assert_eq!(store.liabilities(Some(SITE)).unwrap(), expected);
}

fn turnover(kind: OperationKind, entries: u64, amount_minor: i128) -> Turnover {
    Turnover {
        site: SITE.to_owned(),
        kind: AccountKind::Card,
        programme: "spring".to_owned(),
        currency: rows::currency("USD"),
        operation: kind,
        entries,
        amount_minor,
    }
}

pub(super) fn turnover_sums_the_entries_of_accounts_over_a_half_open_period(store: &dyn Store) {
    let at = |name: &str, kind, at| Booking::new(Operation { kind, at: NOW + at, ..rows::operation(name) });
    use OperationKind::{Hold, Issue, Redeem};
    let issued =
        at("a", Issue, 0).opens(&rows::card(1), 100).opens(&rows::card(2), 50).opens(&rows::credit(3, "anna"), 7);
    let (one, two) = (issued.after(rows::id(1)), issued.after(rows::id(2)));
    let first = at("b", Redeem, 1).moves(&one, -10, 0).moves(&two, -20, 0);
    let (one, two) = (first.after(one.id), first.after(two.id));
    let second = at("c", Redeem, 2).moves(&one, -30, 0);
    let held = at("d", Hold, 2).moves(&two, 0, 5);
    let elsewhere = Account { site: "other".into(), programme: "winter".into(), ..rows::card(4) };
    let other = at("e", Issue, 3).opens(&elsewhere, 1000);
    for booking in [issued, first, second, held, other] {
        rows::committed(store, &booking.changes());
    }
    let of = |site: Option<&str>, from: i64, to: i64| store.turnover(site, NOW + from, NOW + to).unwrap();
    let credit = Turnover { kind: AccountKind::Credit, programme: String::new(), ..turnover(Issue, 1, 7) };
    let winter = Turnover { site: "other".into(), programme: "winter".into(), ..turnover(Issue, 1, 1000) };
    assert_same(
        &of(None, 0, 4),
        &[turnover(Issue, 2, 150), credit.clone(), turnover(Redeem, 3, -60), turnover(Hold, 1, 0), winter.clone()],
    );
    assert_same(&of(None, 0, 1), &[turnover(Issue, 2, 150), credit]);
    assert_same(&of(None, 1, 2), &[turnover(Redeem, 2, -30)]);
    assert_same(&of(Some(SITE), 1, 100), &[turnover(Redeem, 3, -60), turnover(Hold, 1, 0)]);
    assert_same(&of(Some("other"), 0, 100), &[winter]);
    assert_same(&of(None, 4, 100), &[]);
    assert_same(&of(None, 2, 2), &[]);
    assert_same(&of(None, 100, 0), &[]);
}

pub(super) fn turnover_is_exact_beyond_one_integer(store: &dyn Store) {
    let accounts = issue_many(store);
    let spent = accounts.iter().fold(Booking::named("spend"), |booking, account| booking.moves(account, -MINOR_MAX, 0));
    rows::committed(store, &spent.changes());
    let expected = [
        turnover(OperationKind::Issue, MANY as u64, all_of_it()),
        turnover(OperationKind::Redeem, MANY as u64, -all_of_it()),
    ];
    assert_same(&store.turnover(None, i64::MIN, i64::MAX).unwrap(), &expected);
}

pub(super) fn counters_and_accounts_sum_to_nothing(store: &dyn Store) {
    let usd = rows::issue(store, &rows::card(1), 100);
    rows::issue(store, &Account { currency: rows::currency("EUR"), ..rows::card(2) }, 40);
    rows::committed(store, &Booking::named("k").moves(&usd, -30, 0).changes());
    let sum = |counter, code, amount_minor| CounterSum { counter, currency: rows::currency(code), amount_minor };
    let expected = [
        sum(None, "USD", 70),
        sum(Some(Counter::Issuance), "USD", -100),
        sum(Some(Counter::Redemption), "USD", 30),
        sum(None, "EUR", 40),
        sum(Some(Counter::Issuance), "EUR", -40),
    ];
    assert_same(&store.counter_sums().unwrap(), &expected);
}

pub(super) fn counter_sums_are_exact_beyond_one_integer(store: &dyn Store) {
    issue_many(store);
    let sums: HashMap<_, _> =
        store.counter_sums().unwrap().into_iter().map(|sum| (sum.counter, sum.amount_minor)).collect();
    assert_eq!(sums, HashMap::from([(None, all_of_it()), (Some(Counter::Issuance), -all_of_it())]));
    assert_eq!(Minor::MAX.get(), MINOR_MAX);
}
