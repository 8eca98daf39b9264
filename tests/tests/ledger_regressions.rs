//! Bugs that other systems had, on both stores: each test does what went wrong there. A comment says whose class of bug it
//! is.
#![allow(clippy::unwrap_used, reason = "tests")]

use giftcard::DeskError;
use giftcard::desk::{CardName, PayKind};
use giftcard::output::CardState;
use giftcard_ledger::operations::{Receipt, RefundOther, Target, credit_id};
use giftcard_tests::bank::dollars;
use giftcard_tests::bank::{NOW, SITE, usd};
use giftcard_tests::both::Fresh;
use giftcard_tests::on_both_stores;
use giftcard_tests::shop::{Card, Shop, cents, hold_of, payment, read, refused};
use serde_json::{Value, json};

const MINUTE_MS: i64 = 60_000;

on_both_stores!(
    orders_at_once_never_overspend_a_card,
    holds_and_redemptions_at_once_never_overspend_a_card,
    only_what_is_due_is_drawn_and_not_every_card,
    a_card_with_nothing_left_pays_nothing,
    a_refund_that_is_asked_for_twice_is_done_once,
    two_refunds_at_once_never_return_more_than_was_paid,
    store_credit_goes_back_once_however_it_is_reverted,
    a_negative_tender_mints_nothing,
    nothing_is_minted_or_lost_by_any_mixture_of_operations,
    a_total_that_is_covered_exactly_leaves_every_balance_right,
    an_order_that_cards_have_covered_is_not_paid_again,
    a_purchase_is_not_refunded_once_its_card_was_spent,
    spending_and_refunding_the_purchase_at_once_is_one_of_the_two,
    no_more_goes_back_than_the_card_had_captured,
    an_abandoned_cart_locks_nothing_for_ever,
    a_card_that_the_site_does_not_take_is_not_there,
    the_new_card_of_a_refund_is_of_the_closed_cards_site,
);

/// How many at once.
const THREADS: i64 = 8;

/// What each of [`THREADS`] got that did `run` with its number at the same time, every other one in another process.
fn at_once<T: Send>(fresh: &Fresh, shop: &Shop, run: impl Fn(&Shop, i64) -> T + Sync) -> Vec<T> {
    let others = Shop::beside(fresh);
    let barrier = std::sync::Barrier::new(THREADS as usize);
    std::thread::scope(|scope| {
        let (run, barrier, others) = (&run, &barrier, &others);
        let thread = |number: i64| {
            scope.spawn(move || {
                barrier.wait();
                run(if number % 2 == 0 { shop } else { others }, number)
            })
        };
        let threads: Vec<_> = (0..THREADS).map(thread).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    })
}

fn applied(receipt: &Receipt) -> i64 {
    cents(receipt.applied.as_deref().unwrap())
}

/// Those that went through, and the codes of those that did not.
fn sort_out<T>(results: Vec<Result<T, DeskError>>) -> (Vec<T>, Vec<String>) {
    let (mut done, mut codes) = (Vec::new(), Vec::new());
    for result in results {
        match result {
            Ok(answer) => done.push(answer),
            Err(error) => codes.push(error.code().to_string()),
        }
    }
    (done, codes)
}

/// The overspend race: systems that read a balance, decide, and write it later let several carts spend the same money.
fn orders_at_once_never_overspend_a_card(fresh: &Fresh) {
    let shop = Shop::open(fresh);
    let card = shop.card("100.00");
    let results = at_once(fresh, &shop, |shop, number| shop.redeem(&format!("o-{number}"), "30.00", &[card.entry()]));
    let (done, codes) = sort_out(results);
    let mut drawn: Vec<i64> = done.iter().map(applied).collect();
    drawn.sort_unstable();
    assert_eq!(drawn, [1_000, 3_000, 3_000, 3_000], "three whole orders, what was left, and nothing more");
    assert!(codes.iter().all(|code| code == "no-card-usable"), "{codes:?}");
    assert_eq!((shop.balance(&card).as_str(), shop.debits(&card).len()), ("0.00", 4));
    shop.check_books();
}

/// The same race between checkouts that reserve and checkouts that charge.
fn holds_and_redemptions_at_once_never_overspend_a_card(fresh: &Fresh) {
    let shop = Shop::open(fresh);
    let card = shop.card("100.00");
    let results = at_once(fresh, &shop, |shop, number| {
        let document = payment(&format!("o-{number}"), "40.00", &[card.exactly("40.00")]);
        shop.pay(if number % 4 < 2 { PayKind::Hold } else { PayKind::Redeem }, document)
    });
    let (done, codes) = sort_out(results);
    assert_eq!(done.len(), 2, "two of 40.00 fit into 100.00");
    assert!(codes.iter().all(|code| code == "insufficient-funds"), "{codes:?}");
    assert_eq!(shop.available(&card), "20.00");
    let captured = done.iter().filter(|receipt| receipt.hold.is_some()).map(hold_of);
    for hold in captured {
        shop.capture(&hold, "40.00").unwrap();
    }
    assert_eq!((shop.balance(&card).as_str(), shop.held(&card).as_str()), ("20.00", "0.00"));
    shop.check_books();
}

/// Systems that loop over the cards of an order and charge each for the whole total, or empty each of them.
fn only_what_is_due_is_drawn_and_not_every_card(fresh: &Fresh) {
    let shop = Shop::open(fresh);
    for kind in [PayKind::Redeem, PayKind::Hold] {
        let cards = [shop.card("50.00"), shop.card("50.00"), shop.card("50.00")];
        let entries: Vec<Value> = cards.iter().map(Card::entry).collect();
        let receipt = shop.pay(kind, payment(&format!("o-{kind:?}"), "60.00", &entries)).unwrap();
        assert_eq!((receipt.due.as_deref(), applied(&receipt)), (Some("0.00"), 6_000));
        assert_eq!(receipt.accounts.len(), 2, "the third has nothing to do with it");
        if kind == PayKind::Hold {
            shop.capture_as(json!({ "hold": hold_of(&receipt) })).unwrap();
        }
        let left: Vec<String> = cards.iter().map(|card| shop.balance(card)).collect();
        assert_eq!(left, ["0.00", "40.00", "50.00"]);
        assert_eq!(shop.history(&cards[2]).len(), 1, "its issue and nothing else");
    }
    shop.check_books();
}

/// Systems where a balance of nothing reads as "no balance was set", and the card as full or unlimited.
fn a_card_with_nothing_left_pays_nothing(fresh: &Fresh) {
    let shop = Shop::open(fresh);
    let card = shop.card("25.00");
    shop.redeem("o-1", "25.00", &[card.entry()]).unwrap();
    let found = shop.look(&card).account;
    assert_eq!((found.balance.as_str(), found.initial.as_deref()), ("0.00", Some("25.00")));
    assert_eq!(found.state, CardState::Exhausted);
    let quote = shop.quote("o-2", "25.00", &[card.entry()]).unwrap();
    assert_eq!((quote.applied.0.as_str(), quote.due.0.as_str()), ("0.00", "25.00"));
    assert_eq!(quote.cards[0].code.as_deref(), Some("card-empty"));
    assert_eq!(refused(shop.redeem("o-2", "25.00", &[card.entry()])), "no-card-usable");
    assert_eq!(refused(shop.hold("o-2", "25.00", &[card.exactly("0.01")])), "card-empty");
    assert_eq!(refused(shop.ask(&card.code, None, "somebody")), "card-not-usable");
    assert_eq!(refused(shop.refund_purchase(&card, None)), "card-already-spent");
    let to_credit = shop.doing(|doing| shop.desk.to_credit(doing, &card.name(), Some("c-1")));
    assert_eq!(refused(to_credit), "card-empty");
    // Beside one that is not empty, it takes no part.
    let other = shop.card("25.00");
    let receipt = shop.redeem("o-2", "25.00", &[card.entry(), other.entry()]).unwrap();
    assert_eq!((receipt.accounts.len(), receipt.refused[0].code.as_str()), (1, "card-empty"));
    // A card that all of is held of is as empty, until it is not held any more.
    let held = shop.card("25.00");
    let hold = hold_of(&shop.hold("o-3", "25.00", &[held.entry()]).unwrap());
    assert_eq!(refused(shop.redeem("o-4", "25.00", &[held.entry()])), "no-card-usable");
    shop.void(&hold).unwrap();
    assert!(shop.redeem("o-4", "25.00", &[held.entry()]).is_ok());
    shop.check_books();
}

/// Systems where the shop's own refund and the payment provider's later message about it both put the money back.
fn a_refund_that_is_asked_for_twice_is_done_once(fresh: &Fresh) {
    let shop = Shop::open(fresh);
    let card = shop.card("50.00");
    shop.redeem("o-1", "50.00", &[card.entry()]).unwrap();
    // The same refund, told by whoever hears of it, has one key.
    let results = at_once(fresh, &shop, |shop, _| shop.refund_with("refund-77", "o-1", "cards", "20.00"));
    let (done, codes) = sort_out(results);
    assert!(codes.is_empty(), "{codes:?}");
    assert!(done.iter().all(|receipt| *receipt == done[0]), "everybody is told the same");
    assert_eq!(shop.balance(&card), "20.00");
    assert_eq!(shop.history(&card).iter().filter(|entry| entry.kind == "refund").count(), 1);
    // The same key for something else is a mistake and does nothing.
    assert_eq!(refused(shop.refund_with("refund-77", "o-1", "cards", "30.00")), "operation-key-reused");
    assert_eq!(shop.balance(&card), "20.00");
    shop.check_books();
}

/// The same where the two paths have different keys: together they are bounded by what was paid.
fn two_refunds_at_once_never_return_more_than_was_paid(fresh: &Fresh) {
    let shop = Shop::open(fresh);
    let card = shop.card("50.00");
    shop.redeem("o-1", "50.00", &[card.entry()]).unwrap();
    let results =
        at_once(fresh, &shop, |shop, number| shop.refund("o-1", if number < 4 { "cards" } else { "order" }, "50.00"));
    let (done, codes) = sort_out(results);
    assert_eq!(done.len(), 1);
    assert!(codes.iter().all(|code| code == "refund-above-refundable"), "{codes:?}");
    assert_eq!(shop.balance(&card), "50.00");
    assert_eq!(refused(shop.refund("o-1", "cards", "0.01")), "refund-above-refundable");
    shop.check_books();
}

/// Systems that give store credit back when an order is cancelled, and again when its payment is voided or refunded.
fn store_credit_goes_back_once_however_it_is_reverted(fresh: &Fresh) {
    let shop = Shop::open(fresh);
    let amount = giftcard::input::PositiveAmount("80.00".to_string());
    shop.doing(|doing| shop.desk.add_credit(doing, "c-1", None, &amount, None)).unwrap();
    let credit = CardName::Id(credit_id(SITE, "c-1", usd()));
    let look = || shop.desk.card(SITE, &credit, shop.now()).unwrap().account;
    let entry = json!({ "credit_of": "c-1" });
    // Cancelled before it was charged: the hold is given up, once.
    let hold = hold_of(&shop.hold("o-1", "50.00", std::slice::from_ref(&entry)).unwrap());
    assert_eq!((look().balance.as_str(), look().available.as_str()), ("80.00", "30.00"));
    let (done, codes) = sort_out(at_once(fresh, &shop, |shop, _| shop.void(&hold)));
    assert_eq!((done.len(), codes.iter().all(|code| code == "hold-not-open")), (1, true));
    assert_eq!((look().balance.as_str(), look().available.as_str()), ("80.00", "80.00"));
    // Cancelled after it was charged: it is refunded, once, and there is nothing left to void.
    let hold = hold_of(&shop.hold("o-2", "50.00", &[entry]).unwrap());
    shop.capture(&hold, "50.00").unwrap();
    shop.refund("o-2", "order", "50.00").unwrap();
    assert_eq!(refused(shop.refund("o-2", "cards", "50.00")), "refund-above-refundable");
    assert_eq!(refused(shop.refund("o-2", "order", "0.01")), "refund-above-refundable");
    assert_eq!(refused(shop.void(&hold)), "hold-not-open");
    assert_eq!((look().balance.as_str(), look().available.as_str()), ("80.00", "80.00"));
    // What a card became as credit, it becomes once.
    let card = shop.card("20.00");
    let results =
        at_once(fresh, &shop, |shop, _| shop.doing(|doing| shop.desk.to_credit(doing, &card.name(), Some("c-1"))));
    let (done, codes) = sort_out(results);
    assert_eq!((done.len(), codes.iter().all(|code| code == "card-closed")), (1, true), "{codes:?}");
    assert_eq!((look().balance.as_str(), shop.balance(&card).as_str()), ("100.00", "0.00"));
    shop.check_books();
}

/// Systems where an amount below zero, in a request or in a cart, puts money on a card instead of taking it.
fn a_negative_tender_mints_nothing(fresh: &Fresh) {
    let shop = Shop::open(fresh);
    let card = shop.card("30.00");
    let order = |total: &str, lines: Value| json!({ "id": "o-1", "currency": "USD", "total": total, "lines": lines });
    let limited = |field: &str| {
        let mut entry = card.entry();
        entry[field] = "-5.00".into();
        payment("o-1", "20.00", &[entry])
    };
    let cart = |order: Value| json!({ "order": order, "cards": [card.entry()] });
    let returned_line = json!([{ "total": "20.00" }, { "total": "-50.00" }]);
    let of_nothing = json!([{ "total": "20.00" }, { "total": "-20.00" }]);
    for document in [
        limited("amount"),
        limited("use_at_most"),
        payment("o-1", "-20.00", &[card.entry()]),
        cart(order("-30.00", returned_line)),
        cart(order("0.00", of_nothing)),
        json!({ "order": { "id": "o-1", "currency": "USD", "total": "20.00", "paid": "-5.00" }, "cards": [card.entry()] }),
    ] {
        for kind in [PayKind::Redeem, PayKind::Hold] {
            assert_eq!(refused(shop.pay(kind, document.clone())), "invalid-amount", "{document}");
        }
    }
    // More was paid than the order costs: nothing is taken, and nothing is given.
    let mut overpaid = payment("o-2", "20.00", &[card.entry()]);
    overpaid["order"]["paid"] = "25.00".into();
    let receipt = shop.pay(PayKind::Redeem, overpaid).unwrap();
    assert_eq!((receipt.accounts.len(), receipt.due.as_deref()), (0, Some("0.00")));

    let hold = hold_of(&shop.hold("o-3", "10.00", &[card.entry()]).unwrap());
    assert_eq!(refused(shop.capture(&hold, "-10.00")), "invalid-amount");
    shop.capture(&hold, "10.00").unwrap();
    assert_eq!(refused(shop.refund("o-3", "cards", "-10.00")), "invalid-amount");
    assert_eq!(refused(shop.refund("o-3", "order", "-10.00")), "invalid-amount");
    assert_eq!(refused(shop.refund_purchase(&card, Some("-10.00"))), "invalid-amount");
    let amount = giftcard::input::PositiveAmount("-10.00".to_string());
    let load = shop.doing(|doing| shop.desk.load(doing, &card.name(), &amount, None));
    assert_eq!(refused(load), "invalid-amount");
    let credit = shop.doing(|doing| shop.desk.add_credit(doing, "c-1", None, &amount, None));
    assert_eq!(refused(credit), "invalid-amount");
    let other = RefundOther {
        order: "o-9".to_string(),
        target: Target::Id(card.id.parse().unwrap()),
        amount: usd().parse("-10.00").unwrap(),
        paid: Some(usd().parse("10.00").unwrap()),
        reason: None,
    };
    assert_eq!(refused(shop.doing(|doing| shop.desk.operate(doing, &other, &json!(0)))), "amount-not-positive");
    assert_eq!(refused(shop.issue_as(json!({ "value": "-10.00" }))), "invalid-amount");
    assert_eq!(shop.balance(&card), "20.00");
    assert_eq!(shop.history(&card).len(), 3, "issue, hold and capture");
    shop.check_books();
}

/// The same for all of it: what is on accounts is what was put there less what was taken, to the cent.
fn nothing_is_minted_or_lost_by_any_mixture_of_operations(fresh: &Fresh) {
    let shop = Shop::open(fresh);
    let cards = [shop.card("40.00"), shop.card("40.00")];
    let entries: Vec<Value> = cards.iter().map(Card::entry).collect();
    let results = at_once(fresh, &shop, |shop, number| {
        let order = format!("o-{number}");
        let mut moved = Vec::new();
        let hold = shop.hold(&order, "17.01", &entries).map(|receipt| (applied(&receipt), hold_of(&receipt)));
        if let Ok((amount, hold)) = hold {
            match number % 3 {
                0 => drop(shop.void(&hold).unwrap()),
                1 => {
                    shop.capture(&hold, &dollars(amount / 2)).unwrap();
                    moved.push(-(amount / 2));
                }
                _ => {
                    shop.capture(&hold, &dollars(amount)).unwrap();
                    shop.refund(&order, "cards", &dollars(amount - 1)).unwrap();
                    moved.push(-1);
                }
            }
        }
        moved.iter().sum::<i64>()
    });
    let left: i64 = cards.iter().map(|card| cents(&shop.balance(card))).sum();
    assert_eq!(left, 8_000 + results.iter().sum::<i64>());
    assert!(cards.iter().all(|card| shop.held(card) == "0.00"));
    shop.check_books();
}

/// Systems whose comparison was off by one where cards cover a total exactly: the last card kept its balance, or lost more
/// than the order cost.
fn a_total_that_is_covered_exactly_leaves_every_balance_right(fresh: &Fresh) {
    let shop = Shop::open(fresh);
    for (total, expected) in [
        ("34.99", ["0.00", "0.01", "5.00"]),
        ("35.00", ["0.00", "0.00", "5.00"]),
        ("35.01", ["0.00", "0.00", "4.99"]),
        ("40.00", ["0.00", "0.00", "0.00"]),
    ] {
        let cards = [shop.card("20.00"), shop.card("15.00"), shop.card("5.00")];
        let entries: Vec<Value> = cards.iter().map(Card::entry).collect();
        let order = format!("o-{total}");
        let receipt = shop.redeem(&order, total, &entries).unwrap();
        assert_eq!((receipt.due.as_deref(), receipt.payment_required), (Some("0.00"), Some(false)));
        assert_eq!(receipt.applied.as_deref(), Some(total));
        let left: Vec<String> = cards.iter().map(|card| shop.balance(card)).collect();
        assert_eq!(left, expected, "{total}");
        for card in &cards {
            assert_eq!(shop.look(card).account.state == CardState::Exhausted, shop.balance(card) == "0.00");
        }
        // All of it can go back, and no cent more.
        assert_eq!(refused(shop.refund(&order, "cards", &dollars(cents(total) + 1))), "refund-above-refundable");
        shop.refund(&order, "cards", total).unwrap();
        let back: Vec<String> = cards.iter().map(|card| shop.balance(card)).collect();
        assert_eq!(back, ["20.00", "15.00", "5.00"]);
    }
    shop.check_books();
}

/// The same over time: a checkout that is sent again, with another key and without what was paid, draws the cards again.
fn an_order_that_cards_have_covered_is_not_paid_again(fresh: &Fresh) {
    let shop = Shop::open(fresh);
    let card = shop.card("100.00");
    shop.redeem("o-1", "35.00", &[card.entry()]).unwrap();
    assert_eq!(refused(shop.redeem("o-1", "35.00", &[card.entry()])), "order-already-paid");
    assert_eq!(refused(shop.hold("o-1", "35.00", &[card.exactly("0.01")])), "order-already-paid");
    assert_eq!(shop.balance(&card), "65.00");
    // Who says what was paid is told that nothing is due.
    let mut told = payment("o-1", "35.00", &[card.entry()]);
    told["order"]["paid"] = "35.00".into();
    let receipt = shop.pay(PayKind::Redeem, told.clone()).unwrap();
    assert_eq!((receipt.accounts.len(), receipt.due.as_deref()), (0, Some("0.00")));
    // An order that became larger is paid further, one that was refunded is paid anew.
    told["order"]["total"] = "40.00".into();
    shop.pay(PayKind::Redeem, told).unwrap();
    assert_eq!(shop.balance(&card), "60.00");
    shop.refund("o-1", "cards", "40.00").unwrap();
    shop.redeem("o-1", "40.00", &[card.entry()]).unwrap();
    assert_eq!(refused(shop.redeem("o-1", "40.00", &[card.entry()])), "order-already-paid");
    assert_eq!(shop.balance(&card), "60.00");
    // Orders sent at once are one payment too.
    let results = at_once(fresh, &shop, |shop, _| shop.redeem("o-2", "10.00", &[card.entry()]));
    let (done, codes) = sort_out(results);
    assert_eq!((done.len(), codes.iter().all(|code| code == "order-already-paid")), (1, true), "{codes:?}");
    assert_eq!(shop.balance(&card), "50.00");
    shop.check_books();
}

/// Systems that refund what a gift card cost without asking what is left of it: the card was spent, and the money is back.
fn a_purchase_is_not_refunded_once_its_card_was_spent(fresh: &Fresh) {
    let shop = Shop::open(fresh);
    let bought =
        |count: u32| shop.cards(json!({ "value": "50.00", "bought_by": format!("b-{count}"), "count": count }));
    let card = bought(1).remove(0);
    shop.redeem("o-1", "20.00", &[card.entry()]).unwrap();
    assert_eq!(refused(shop.refund_purchase(&card, None)), "card-already-spent");
    assert_eq!(refused(shop.refund_purchase(&card, Some("30.01"))), "card-already-spent");
    assert_eq!(refused(shop.doing(|doing| shop.desk.cancel_purchase(doing, "b-1"))), "card-already-spent");
    // What an order holds is not available either.
    let hold = hold_of(&shop.hold("o-2", "10.00", &[card.entry()]).unwrap());
    assert_eq!(refused(shop.refund_purchase(&card, Some("20.01"))), "card-already-spent");
    shop.void(&hold).unwrap();
    shop.refund_purchase(&card, Some("30.00")).unwrap();
    assert_eq!((shop.balance(&card).as_str(), shop.look(&card).account.state), ("0.00", CardState::Closed));
    // What goes back of the order that it paid does not make it spendable again: its purchase was refunded.
    assert_eq!(refused(shop.refund_purchase(&card, Some("0.01"))), "card-closed");
    // Of two cards of an order, one was used: the order is not cancelled, the other can be refunded by itself.
    let cards = bought(2);
    shop.redeem("o-3", "0.01", &[cards[0].entry()]).unwrap();
    assert_eq!(refused(shop.doing(|doing| shop.desk.cancel_purchase(doing, "b-2"))), "card-already-spent");
    assert_eq!(shop.balance(&cards[1]), "50.00", "all or none");
    shop.refund_purchase(&cards[1], None).unwrap();
    assert_eq!(shop.balance(&cards[0]), "49.99");
    shop.check_books();
}

/// The same as a race: whoever asks for the money back while the card is being spent.
fn spending_and_refunding_the_purchase_at_once_is_one_of_the_two(fresh: &Fresh) {
    let shop = Shop::open(fresh);
    for round in 0..4 {
        let card = shop.cards(json!({ "value": "50.00", "bought_by": format!("b-{round}") })).remove(0);
        let results = at_once(fresh, &shop, |shop, number| match number % 4 {
            0 | 1 => shop.redeem(&format!("o-{round}-{number}"), "50.00", &[card.entry()]).map(|_| "spent"),
            2 => shop.refund_purchase(&card, None).map(|_| "refunded"),
            _ => shop.doing(|doing| shop.desk.cancel_purchase(doing, &format!("b-{round}"))).map(|_| "cancelled"),
        });
        let (done, codes) = sort_out(results);
        assert_eq!(done.len(), 1, "{done:?}");
        let expected = ["no-card-usable", "card-already-spent", "card-closed", "nothing-to-cancel"];
        assert!(codes.iter().all(|code| expected.contains(&code.as_str())), "{codes:?}");
        assert_eq!((shop.balance(&card).as_str(), shop.debits(&card).len()), ("0.00", 1));
    }
    shop.check_books();
}

/// Systems that bound a refund by the order's total, or by what was reserved, instead of by what the card had paid.
fn no_more_goes_back_than_the_card_had_captured(fresh: &Fresh) {
    let shop = Shop::open(fresh);
    let card = shop.card("50.00");
    let hold = hold_of(&shop.hold("o-1", "100.00", &[card.exactly("40.00")]).unwrap());
    assert_eq!(refused(shop.refund("o-1", "cards", "0.01")), "refund-above-refundable", "nothing was captured yet");
    shop.capture_as(json!({ "hold": hold, "amount": "25.00" })).unwrap();
    assert_eq!(refused(shop.refund("o-1", "cards", "25.01")), "refund-above-refundable");
    assert_eq!(refused(shop.refund("o-1", "cards", "40.00")), "refund-above-refundable");
    shop.refund("o-1", "cards", "10.00").unwrap();
    assert_eq!(refused(shop.refund("o-1", "cards", "15.01")), "refund-above-refundable");
    shop.capture(&hold, "5.00").unwrap();
    shop.refund("o-1", "cards", "20.00").unwrap();
    assert_eq!(refused(shop.refund("o-1", "cards", "0.01")), "refund-above-refundable");
    assert_eq!((shop.balance(&card).as_str(), shop.held(&card).as_str()), ("50.00", "0.00"));
    // What one order paid is nothing to another one that the same card paid for.
    shop.redeem("o-2", "30.00", &[card.entry()]).unwrap();
    shop.redeem("o-3", "20.00", &[card.entry()]).unwrap();
    assert_eq!(refused(shop.refund("o-3", "cards", "20.01")), "refund-above-refundable");
    assert_eq!(refused(shop.refund("o-9", "cards", "0.01")), "order-not-found");
    shop.check_books();
}

/// Systems that take the amount off the card when it is put into the cart, and give it back only if a job finds the cart.
fn an_abandoned_cart_locks_nothing_for_ever(fresh: &Fresh) {
    let site = json!({ "id": SITE, "currency": "USD", "hold_minutes": 30 });
    let shop = Shop::of(fresh, &site);
    let card = shop.card("50.00");
    let hold = hold_of(&shop.hold("abandoned", "50.00", &[card.entry()]).unwrap());
    assert_eq!(refused(shop.redeem("o-1", "50.00", &[card.entry()])), "no-card-usable");
    shop.set_now(NOW + 30 * MINUTE_MS - 1);
    assert_eq!(refused(shop.redeem("o-1", "50.00", &[card.entry()])), "no-card-usable");
    // No job runs: the end of the hold is enough, for who looks, who quotes and who pays.
    shop.set_now(NOW + 30 * MINUTE_MS);
    assert_eq!(shop.ask(&card.code, None, "somebody").unwrap(), "50.00");
    assert_eq!(shop.quote("o-1", "50.00", &[card.entry()]).unwrap().applied.0, "50.00");
    shop.redeem("o-1", "50.00", &[card.entry()]).unwrap();
    assert_eq!(refused(shop.capture(&hold, "50.00")), "hold-not-open");
    assert_eq!(refused(shop.void(&hold)), "hold-not-open");
    assert_eq!((shop.balance(&card).as_str(), shop.held(&card).as_str()), ("0.00", "0.00"));
    // Nor does a clock that goes back bring it to life.
    shop.set_now(NOW);
    assert_eq!(refused(shop.capture(&hold, "50.00")), "hold-not-open");
    // Putting the same cart together again and again holds once, not once for each time.
    let other = shop.card("50.00");
    for _ in 0..3 {
        shop.hold("again", "20.00", &[other.entry()]).unwrap();
        assert_eq!(shop.available(&other), "30.00");
    }
    shop.check_books();
}

/// A share of a closed card that another site issued goes to a new card of that site, whose code has to be one of that
/// site, too: looked up under the order's site it would be kept where nobody finds it.
fn the_new_card_of_a_refund_is_of_the_closed_cards_site(fresh: &Fresh) {
    let shop = Shop::open(fresh);
    let there = Shop::beside(fresh).another(&json!({ "id": "there", "currency": "USD" }));
    let document = json!({ "name": "shared", "code_name": "shared", "accepted_by": [SITE] });
    there.desk.set_programme("there", &read(document)).unwrap();
    let theirs = there.cards(json!({ "programme": "shared", "value": "10.00" })).remove(0);
    let own = shop.card("5.00");
    shop.redeem("o-1", "15.00", &[theirs.entry(), own.entry()]).unwrap();
    there.doing(|doing| there.desk.close(doing, &theirs.name(), None)).unwrap();
    shop.doing(|doing| shop.desk.close(doing, &own.name(), None)).unwrap();
    let needed = shop.desk.refund_needs_codes(SITE, "o-1").unwrap();
    assert_eq!(needed, ["there", SITE]);
    let spare = shop.desk.spare_codes(&needed, NOW).unwrap();
    let sites: Vec<(String, String)> = spare.iter().map(|spare| (spare.id.to_string(), spare.site.clone())).collect();
    let refund = json!({ "operation": "back", "order": "o-1", "mode": "cards", "amount": "15.00" });
    shop.desk.refund(&read(refund), spare, NOW).unwrap();
    for ((card, site), (desk, value)) in sites.iter().zip([(&there, "10.00"), (&shop, "5.00")]) {
        let doing = giftcard::Doing { site, operation: &desk.key(), actor: None, now: NOW };
        let name = giftcard::desk::CardName::Id(card.parse().unwrap());
        let code = desk.desk.reveal_code(&doing, &name, Some("test")).unwrap();
        let code = serde_json::to_value(&code).unwrap()["code"].as_str().unwrap().to_string();
        assert_eq!(desk.ask(&code, None, "somebody").unwrap(), value, "{site}");
    }
    shop.check_books();
}

/// Systems that look cards up without asking whose they are: a card of one shop works, or is told about, in another. Here
/// it also broke the whole order: the card of a programme that a site does not accept was an error instead of no card.
fn a_card_that_the_site_does_not_take_is_not_there(fresh: &Fresh) {
    let shop = Shop::open(fresh);
    let there = Shop::beside(fresh).another(&json!({ "id": "there", "currency": "USD" }));
    for (name, accepted_by) in [("shared", json!([SITE])), ("theirs", json!([]))] {
        let document = json!({ "name": name, "code_name": name, "accepted_by": accepted_by });
        there.desk.set_programme("there", &read(document)).unwrap();
    }
    let card = |programme: &str| there.cards(json!({ "programme": programme, "value": "10.00" })).remove(0);
    let (shared, theirs, manual) = (card("shared"), card("theirs"), card("manual"));
    let own = shop.card("5.00");
    for card in [&theirs, &manual] {
        for entry in [card.entry(), json!({ "id": card.id })] {
            assert_eq!(refused(shop.redeem("o-1", "10.00", std::slice::from_ref(&entry))), "no-card-usable");
            let quote = shop.quote("o-1", "10.00", &[entry, own.entry()]).unwrap();
            assert_eq!(quote.applied.0, "5.00", "the shop's own card pays all the same");
            let told = &quote.cards[0];
            assert_eq!(
                (told.code.as_deref(), told.public_code.as_deref()),
                (Some("card-not-found"), Some("card-not-usable"))
            );
            assert_eq!(told.left.0, "0.00", "nothing is told of what is on it");
        }
        assert_eq!(refused(shop.ask(&card.code, None, "somebody")), "card-not-usable");
    }
    shop.redeem("o-1", "10.00", &[shared.entry()]).unwrap();
    assert_eq!((there.balance(&shared).as_str(), there.balance(&theirs).as_str()), ("0.00", "10.00"));
    shop.check_books();
}
