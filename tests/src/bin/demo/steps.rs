//! The steps: what to type, what to look at, and the numbers that must come out. Must not know how a command is run.

use anyhow::{Context, Result, ensure};
use giftcard_tests::harness::component_path;
use serde_json::{Value, json};

use crate::batch::{self, Made, dollars};
use crate::ledger;
use crate::walk::Walk;

/// Shows one thing.
pub(crate) type Step = fn(&mut Walk) -> Result<()>;

/// In order: first one rule at a time, then orders as platforms have them, then what is not a single order.
pub(crate) const STEPS: [Step; 16] = [
    order_of_entry,
    codes_of_one_programme,
    minimum_order,
    remainder,
    swapped_condition,
    explained_refusals,
    zero_due,
    many_lines,
    decimals,
    other_currency,
    mixed_cart,
    business_order,
    batch_of_orders,
    refund,
    ledger::balances_that_stay,
    what_is_loaded,
];

/// The two examples that the product grew from, to the cent.
fn order_of_entry(walk: &mut Walk) -> Result<()> {
    walk.step(
        "Two cards, in the order they were entered",
        "The order costs 35.00. Card A (15.00) was entered first, then card B (40.00): A is used up, B pays\n\
         the other 20.00 and keeps 20.00. Entered the other way round, B pays everything and A is untouched.",
    );
    walk.quote(
        "two-cards-15-then-40",
        &["used", "used"],
        &[
            ("/cards/0/applied", json!("15.00")),
            ("/cards/0/left", json!("0.00")),
            ("/cards/1/applied", json!("20.00")),
            ("/cards/1/left", json!("20.00")),
            ("/due", json!("0.00")),
        ],
    )?;
    walk.quote(
        "two-cards-40-then-15",
        &["used", "not-needed"],
        &[
            ("/cards/0/id", json!("B")),
            ("/cards/0/applied", json!("35.00")),
            ("/cards/0/left", json!("5.00")),
            ("/cards/1/applied", json!("0.00")),
            ("/cards/1/left", json!("15.00")),
            ("/due", json!("0.00")),
        ],
    )
}

fn codes_of_one_programme(walk: &mut Walk) -> Result<()> {
    walk.step(
        "Two codes of one programme",
        "Both 10.00 cards of a birthday programme pay for the same order. The first code was typed in once\n\
         more, in small letters and with spaces: that is the same card, and it pays once.",
    );
    walk.quote(
        "two-codes-of-one-programme",
        &["used", "used", "repeated"],
        &[("/applied", json!("20.00")), ("/due", json!("44.80")), ("/cards/2/repeats", json!("GC-20931"))],
    )
}

fn minimum_order(walk: &mut Walk) -> Result<()> {
    walk.step(
        "Minimum order amount, met and missed by a cent",
        "The programme asks for 50.00 after discounts, shipping and tax, before any card. The two orders\n\
         differ by one cent of shipping.",
    );
    walk.quote(
        "minimum-order-met",
        &["used"],
        &[("/total", json!("50.00")), ("/applied", json!("25.00")), ("/due", json!("25.00"))],
    )?;
    walk.quote(
        "minimum-order-missed-by-a-cent",
        &["refused"],
        &[
            ("/total", json!("49.99")),
            ("/cards/0/code", json!("minimum-not-met")),
            ("/cards/0/left", json!("25.00")),
            ("/due", json!("49.99")),
        ],
    )
}

fn remainder(walk: &mut Walk) -> Result<()> {
    const FIRST: &str = "card-larger-than-the-order";
    const NEXT: &str = "next-order-with-the-remainder";
    walk.step(
        "A card larger than the order, and its remainder in the next order",
        "62.40 of the book token's 100.00 pay for the first order. The 37.60 that are left stay on the\n\
         code; weeks later they pay for a part of the next order.",
    );
    let expected = [("/cards/0/left", json!("37.60")), ("/due", json!("0.00"))];
    walk.quote(FIRST, &["used"], &expected)?;
    let next = walk.read(&format!("tests/demo/orders/{NEXT}.json"))?;
    walk.check(&format!("{NEXT}.json"), &next, &[("/cards/0/balance", json!("37.60"))])?;
    let expected = [("/applied", json!("37.60")), ("/cards/0/left", json!("0.00")), ("/due", json!("13.65"))];
    walk.quote(NEXT, &["used"], &expected)
}

fn swapped_condition(walk: &mut Walk) -> Result<()> {
    const WELCOME: &str = "welcome-gift-shipped-to-canada";
    walk.step(
        "A merchant's own condition, swapped for another",
        "The order's programme names the condition `welcome-gift`, a WebAssembly component that the merchant\n\
         wrote. Version 1 wants three different products in the cart: there are four, the card pays.\n\
         Version 2 wants the order to stay in the US: the same order file, and the card is refused.",
    );
    let with = |folder: &str| format!(" --plugins {folder}");
    walk.quote_with(
        WELCOME,
        &with(&plugin_folder(walk, 1)?),
        &["used"],
        &[("/applied", json!("20.00")), ("/due", json!("100.00"))],
    )?;
    walk.quote_with(
        WELCOME,
        &with(&plugin_folder(walk, 2)?),
        &["refused"],
        &[
            ("/cards/0/code", json!("shipped-elsewhere")),
            ("/cards/0/by", json!("welcome-gift")),
            ("/applied", json!("0.00")),
            ("/due", json!("120.00")),
        ],
    )
}

/// A folder with one version of the merchant's plugin. How a command line names it.
fn plugin_folder(walk: &Walk, version: u32) -> Result<String> {
    let file = component_path(&format!("tests/welcome-gift-v{version}"));
    let bytes = std::fs::read(&file)
        .with_context(|| format!("`{}` cannot be read; run `cargo xtask components`", file.display()))?;
    let folder = format!("plugins-{version}");
    let written = walk.write(&format!("{folder}/welcome-gift.wasm"), &bytes)?;
    Ok(written.trim_end_matches("/welcome-gift.wasm").to_string())
}

fn explained_refusals(walk: &mut Walk) -> Result<()> {
    walk.step(
        "Refusals, explained",
        "Four discounts were taken off this order before any card is looked at. Of its five cards one\n\
         pays; for each of the others the answer says why not, and `--explain` what was checked, what was\n\
         seen and what was needed.",
    );
    walk.quote_with(
        "several-discounts-and-refused-cards",
        " --explain",
        &["refused", "refused", "refused", "refused", "used"],
        &[
            ("/cards/0/code", json!("area-not-served")),
            ("/cards/1/code", json!("customer-not-in-role")),
            ("/cards/2/code", json!("forbidden-in-cart")),
            ("/cards/3/code", json!("card-expired")),
            ("/cards/4/applied", json!("30.00")),
            ("/due", json!("241.70")),
        ],
    )
}

fn zero_due(walk: &mut Walk) -> Result<()> {
    walk.step(
        "Nothing left to pay",
        "A US order with sales tax beside the prices. Two cards cover it to the cent, so there is no other\n\
         payment to ask for: `payment required: no`, in JSON `\"payment_required\": false`.",
    );
    walk.quote(
        "us-sales-tax-paid-in-full",
        &["used", "used"],
        &[("/applied", json!("131.90")), ("/due", json!("0.00")), ("/payment_required", json!(false))],
    )
}

/// The first of the orders with everything that platforms put into them.
fn many_lines(walk: &mut Walk) -> Result<()> {
    walk.step(
        "46 lines with VAT, three discounts, two cards with conditions",
        "A weekly shop in Berlin, VAT of 7 and 19 % inside the prices. The first card wants at least 25.00\n\
         of organic goods and a German or Austrian address. The second is for employees and may pay half\n\
         of the order, 139.26 of 278.53, never shipping; stamps are never paid with gift cards.",
    );
    walk.quote(
        "eur-groceries-vat-46-lines-two-cards",
        &["used", "used"],
        &[
            ("/total", json!("278.53")),
            ("/cards/0/applied", json!("50.00")),
            ("/cards/1/applied", json!("139.26")),
            ("/cards/1/left", json!("40.74")),
            ("/due", json!("89.27")),
        ],
    )
}

fn decimals(walk: &mut Walk) -> Result<()> {
    walk.step(
        "Currencies with no decimals and with three",
        "Yen have no smaller unit, and this shopper wants to keep half of the second card. A Kuwaiti dinar\n\
         has a thousand fils: a third of the goods, 33.33 % of 47.542, is 15.845, rounded down.",
    );
    walk.quote(
        "jpy-without-decimals",
        &["used", "used"],
        &[
            ("/cards/0/applied", json!("3000")),
            ("/cards/1/applied", json!("2500")),
            ("/cards/1/left", json!("2500")),
            ("/due", json!("4455")),
        ],
    )?;
    walk.quote(
        "kwd-with-three-decimals",
        &["used"],
        &[("/applied", json!("15.845")), ("/cards/0/left", json!("59.155")), ("/due", json!("33.197"))],
    )
}

fn other_currency(walk: &mut Walk) -> Result<()> {
    walk.step(
        "A card in another currency",
        "The card holds 100.00 PLN, the order costs 50.00 USD, and the shop has recorded 3 PLN for a USD.\n\
         33.33 USD take 99.99 PLN; the 0.01 PLN left is less than a US cent.",
    );
    walk.quote(
        "card-in-another-currency",
        &["used"],
        &[
            ("/cards/0/applied", json!("33.33")),
            ("/cards/0/taken", json!("99.99")),
            ("/cards/0/left", json!("0.01")),
            ("/cards/0/not_spendable_here", json!(true)),
            ("/due", json!("16.67")),
        ],
    )
}

fn mixed_cart(walk: &mut Walk) -> Result<()> {
    walk.step(
        "Gift cards don't buy gift cards",
        "Shoes for 89.90, a gift card for 50.00 and shipping for 4.90. The card has 200.00, but it pays for\n\
         shoes and shipping only; the 50.00 remain to be paid otherwise.",
    );
    walk.quote(
        "mixed-cart-with-a-gift-card-line",
        &["used"],
        &[("/applied", json!("94.80")), ("/cards/0/left", json!("105.20")), ("/due", json!("50.00"))],
    )
}

fn business_order(walk: &mut Walk) -> Result<()> {
    walk.step(
        "A business order without lines, paid in part",
        "The platform sends sums only. A deposit is paid already, and 250.00 of the card are held for\n\
         another order: the other 500.00 pay.",
    );
    walk.quote(
        "b2b-bare-total-with-a-deposit",
        &["used"],
        &[("/paid", json!("1445.83")), ("/applied", json!("500.00")), ("/due", json!("2873.60"))],
    )
}

fn batch_of_orders(walk: &mut Walk) -> Result<()> {
    let made = batch::orders();
    walk.step(
        "Two hundred orders at once",
        "One order a line. People get a row for each of the first fifty, machines (`--json`) a line of JSON\n\
         for every one; on a terminal a progress bar runs along.",
    );
    let lines: String = made.iter().map(|made| format!("{}\n", made.document)).collect();
    let command = format!("quote {}", walk.write("200-orders.jsonl", lines.as_bytes())?);
    walk.show_shortened(&command)?;
    check_batch(walk, &command, &made)
}

fn check_batch(walk: &Walk, command: &str, made: &[Made]) -> Result<()> {
    let answers = walk.answers(command)?;
    ensure!(answers.len() == made.len(), "{} orders got {} answers", made.len(), answers.len());
    for (answer, made) in answers.iter().zip(made) {
        walk.check(
            &format!("giftcard {command} --json"),
            answer,
            &[
                ("/order", json!(made.id)),
                ("/total", json!(dollars(made.total))),
                ("/applied", json!(dollars(made.applied))),
                ("/due", json!(dollars(made.total - made.applied))),
                ("/payment_required", json!(made.applied < made.total)),
            ],
        )?;
    }
    let sum = |amount: fn(&Made) -> i64| dollars(made.iter().map(amount).sum());
    let paid = made.iter().filter(|made| made.applied == made.total).count();
    println!(
        "\nChecked: {} orders of {} USD; cards pay {} USD, and {paid} orders in full.",
        made.len(),
        sum(|made| made.total),
        sum(|made| made.applied),
    );
    Ok(())
}

fn refund(walk: &mut Walk) -> Result<()> {
    walk.step(
        "A refund over two cards",
        "The cards paid 30.00 and 70.00, a credit card the rest. 50.00 of the gift card part go back: 15.00\n\
         and 35.00, by what each card has still to get back.",
    );
    walk.run(
        "refund tests/demo/refunds/refund-over-two-cards.json",
        &[
            ("/shares/0/applied", json!("15.00")),
            ("/shares/0/refundable", json!("15.00")),
            ("/shares/1/applied", json!("35.00")),
            ("/shares/1/refundable", json!("35.00")),
            ("/shares/2/applied", json!("0.00")),
        ],
    )
}

fn what_is_loaded(walk: &mut Walk) -> Result<()> {
    walk.step(
        "What is loaded",
        "The rules and the standard conditions are inside the binary; the merchant's plugin comes from its\n\
         folder. `giftcard plugin inspect ID` shows the settings of one.",
    );
    let command = format!("plugin list --plugins {}", plugin_folder(walk, 2)?);
    walk.show(&command)?;
    let loaded: Vec<Value> = walk.answers(&command)?;
    let names: Vec<&str> = loaded.iter().filter_map(|plugin| plugin["id"].as_str()).collect();
    for id in
        ["gift-card", "cart-contents", "customer-segment", "ship-to", "spending-cap", "time-window", "welcome-gift"]
    {
        ensure!(names.contains(&id), "`giftcard {command} --json` has no `{id}`");
    }
    println!();
    Ok(())
}

/// What became of the cards, in the order of the file, and of the order.
fn cards(outcomes: &[&str]) -> Vec<(String, Value)> {
    outcomes.iter().enumerate().map(|(index, outcome)| (format!("/cards/{index}/outcome"), json!(outcome))).collect()
}

impl Walk {
    /// `giftcard quote` on an order file. The outcome of each card must be as given.
    fn quote(&self, file: &str, outcomes: &[&str], expected: &[(&str, Value)]) -> Result<()> {
        self.quote_with(file, "", outcomes, expected)
    }

    fn quote_with(&self, file: &str, options: &str, outcomes: &[&str], expected: &[(&str, Value)]) -> Result<()> {
        let outcomes = cards(outcomes);
        let mut all: Vec<(&str, Value)> =
            outcomes.iter().map(|(pointer, value)| (pointer.as_str(), value.clone())).collect();
        all.extend_from_slice(expected);
        self.run(&format!("quote tests/demo/orders/{file}.json{options}"), &all)
    }
}
