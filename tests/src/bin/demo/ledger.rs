//! The step with a ledger: balances that stay. Must not know how a command is run.

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use crate::walk::Walk;

/// A card is issued, spent, reserved, refunded, and everything is worked out again.
pub(crate) fn balances_that_stay(walk: &mut Walk) -> Result<()> {
    walk.step(
        "A ledger: issue, redeem, hold, capture, refund, verify",
        "So far balances came with the order. A ledger keeps them, in one SQLite file that is made here and\n\
         removed at the end. Every command is sent twice with one operation key, as after a lost connection:\n\
         the second time it gets the same answer and has no second effect.",
    );
    let name = format!("shop-{}", std::process::id());
    let ledger = format!("--database sqlite:{}", walk.scratch(&format!("{name}.db"))?);
    walk.show(&format!("init {ledger}"))?;
    let issue = format!("card issue --value 50.00 --operation issue-1 {ledger}");
    walk.show(&issue)?;
    let issued = walk.answers(&issue)?;
    let card = issued.first().and_then(|answer| answer.pointer("/cards/0/id")).and_then(Value::as_str);
    let card = card.context("no card was issued")?;
    ensure!(issued[0].pointer("/cards/0/code").is_none(), "the full code was shown a second time");
    walk.run(
        &format!("redeem --order 1001 --total 35.00 --card {card} --operation pay-1001 {ledger}"),
        &[("/accounts/0/balance", json!("15.00")), ("/due", json!("0.00"))],
    )?;
    let hold = format!("hold --order 1002 --total 12.00 --card {card} --operation hold-1002 {ledger}");
    walk.run(&hold, &[("/accounts/0/balance", json!("15.00")), ("/accounts/0/held", json!("12.00"))])?;
    let held = walk.answers(&hold)?;
    let hold = held.first().and_then(|answer| answer["hold"].as_str()).context("the hold has no id")?;
    walk.run(
        &format!("capture {hold} --amount 8.00 --final --operation capture-1002 {ledger}"),
        &[("/accounts/0/balance", json!("7.00")), ("/accounts/0/held", json!("0.00"))],
    )?;
    walk.run(
        &format!("refund --order 1001 --amount 5.00 --operation refund-1001 {ledger}"),
        &[("/accounts/0/balance", json!("12.00"))],
    )?;
    walk.show(&format!("card history {card} {ledger}"))?;
    walk.run(&format!("verify {ledger}"), &[("/findings", json!([]))])?;
    walk.clear_scratch(&name)
}
