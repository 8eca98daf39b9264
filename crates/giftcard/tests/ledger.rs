//! The built binary on a ledger of its own: orders paid, refunded and refused, the ledger verified, sealed, swept, reported
//! on, backed up and restored.
#![allow(clippy::unwrap_used, reason = "a test")]

use std::fs;
use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use serde_json::{Value, json};
use tempfile::TempDir;

struct Till(TempDir);

struct Run {
    code: i32,
    out: String,
    err: String,
}

impl Run {
    fn json(&self) -> Value {
        assert_eq!(self.code, 0, "{}{}", self.out, self.err);
        serde_json::from_str(&self.out).unwrap()
    }

    fn lines(&self) -> Vec<Value> {
        self.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    fn done(self) -> Self {
        assert_eq!(self.code, 0, "{}{}", self.out, self.err);
        self
    }

    fn refused(&self, part: &str) {
        assert_eq!(self.code, 1, "{}{}", self.out, self.err);
        assert!(self.err.contains(part), "`{part}` in {}", self.err);
    }

    fn misused(&self) {
        assert_eq!(self.code, 2, "{}{}", self.out, self.err);
    }
}

impl Till {
    /// A ledger with two cards: the one has 15.00, the other 40.00.
    fn open() -> (Self, [(String, String); 2]) {
        let till = Self(tempfile::tempdir().unwrap());
        till.run(&["init"]).done();
        let cards = ["15.00", "40.00"].map(|value| till.card(&["--value", value]));
        (till, cards)
    }

    /// Issues a card. Its code and its id.
    fn card(&self, options: &[&str]) -> (String, String) {
        let issued = self.run(&[&["card", "issue", "--json"], options].concat()).json();
        let text = |field: &str| issued["cards"][0][field].as_str().unwrap().to_string();
        (text("code"), text("id"))
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn run(&self, arguments: &[&str]) -> Run {
        self.run_with(arguments, "")
    }

    fn run_with(&self, arguments: &[&str], input: &str) -> Run {
        let cache = concat!(env!("CARGO_TARGET_TMPDIR"), "/cli-cache");
        fs::create_dir_all(cache).unwrap();
        let mut child = Command::new(env!("CARGO_BIN_EXE_giftcard"))
            .args(arguments)
            .current_dir(self.0.path())
            .env("GIFTCARD_CACHE", cache)
            .env_remove("GIFTCARD_DATABASE")
            .env_remove("GIFTCARD_KEYS")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // A command that does not read its input closes it.
        let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
        let output = child.wait_with_output().unwrap();
        Run {
            code: output.status.code().unwrap(),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        }
    }

    fn schema(&self, name: &str) -> Value {
        self.run(&["schema", name]).json()
    }

    fn assert_fits(&self, name: &str, document: &Value) {
        let validator = jsonschema::validator_for(&self.schema(name)).unwrap();
        let errors: Vec<String> = validator.iter_errors(document).map(|error| error.to_string()).collect();
        assert_eq!(errors, Vec::<String>::new(), "{name}: {document}");
    }
}

fn payment(operation: &str, order: &str, total: &str, code: &str) -> Value {
    json!({
        "operation": operation, "order": { "id": order, "currency": "USD", "total": total },
        "cards": [{ "code": code }],
    })
}

#[test]
fn making_a_ledger_again_changes_nothing_and_says_so() {
    let till = Till(tempfile::tempdir().unwrap());
    let made = till.run(&["init", "--currency", "EUR", "--time-zone", "Europe/Berlin", "--json"]).json();
    till.assert_fits("init-output", &made);
    assert_eq!(
        (&made["database_made"], &made["keys_made"], &made["site_made"]),
        (&json!(true), &json!(true), &json!(true))
    );
    let keys = fs::read(till.path("giftcard.keys")).unwrap();
    let again = till.run(&["init"]).done();
    assert!(again.out.contains("Nothing was changed") && again.out.contains("EUR, Europe/Berlin"), "{}", again.out);
    assert_eq!(fs::read(till.path("giftcard.keys")).unwrap(), keys);
    till.run(&["init", "--currency", "USD"]).refused("its currency cannot be changed to `USD`");
    till.run(&["init", "--site", "second", "--currency", "XXX"]).refused("`currency`");
    // Nothing is made for a site that cannot be.
    till.run(&["--database", "sqlite:none.db", "init", "--site", "a/b"]).refused("`id`: `a/b` cannot be a name");
    till.run(&["--database", "sqlite:none.db", "verify"]).refused("there is no ledger");
    till.run(&["init", "--site", "second", "--time-zone", "Mars"]).refused("zone");
    till.run(&["init", "--site", "second", "--currency", "USD"]).done();
    fs::write(till.path("empty.db"), "").unwrap();
    till.run(&["--database", "sqlite:empty.db", "init"]).done();
    fs::write(till.path("text.db"), "not a database, and longer than a header".repeat(9)).unwrap();
    till.run(&["--database", "sqlite:text.db", "init"]).refused("is not a ledger");
    assert!(!till.path("text.keys").exists());
    #[cfg(unix)]
    for file in ["giftcard.keys", "giftcard.db"] {
        use std::os::unix::fs::PermissionsExt;
        assert_eq!(fs::metadata(till.path(file)).unwrap().permissions().mode() & 0o777, 0o600, "{file}");
    }
}

#[test]
fn a_ledger_is_used_with_its_own_key_file_only() {
    let till = Till(tempfile::tempdir().unwrap());
    till.run(&["verify"]).refused("there is no ledger at `giftcard.db`; `giftcard init` makes one");
    till.run(&["init"]).done();
    fs::rename(till.path("giftcard.keys"), till.path("kept.keys")).unwrap();
    for command in ["init", "verify", "checkpoint"] {
        till.run(&[command]).refused("cannot be used without it");
    }
    assert!(!till.path("giftcard.keys").exists());
    till.run(&["--keys", "kept.keys", "verify"]).done();
    till.run(&["--database", "sqlite:other.db", "init"]).done();
    till.run(&["--keys", "other.keys", "checkpoint"]).refused("not the one of this database");
    till.run(&["--keys", "other.keys", "init"]).refused("not the one of this database");
    for (database, part) in [
        ("shop.db", "did you mean `sqlite:shop.db`?"),
        ("mysql://root:secret@host/x", "`mysql` is no kind of database"),
        ("sqlite:", "names no file"),
        ("sqlite:nowhere/x.db", "there is no ledger"),
        ("postgres://root:secret@127.0.0.1:1/x", "name it with `--keys FILE`"),
    ] {
        let refused = till.run(&["--database", database, "checkpoint"]);
        // A server is looked for before its keys are.
        assert!(refused.err.contains(part) || refused.err.contains("cannot be reached"), "{database}: {}", refused.err);
        assert!(refused.code == 1 && !refused.err.contains("secret"), "{}", refused.err);
    }
    fs::write(till.path("text.db"), "not a database, and longer than a header".repeat(9)).unwrap();
    till.run(&["--database", "sqlite:text.db", "checkpoint"]).refused("is not a ledger");
}

#[test]
fn two_cards_pay_an_order_in_the_order_in_which_they_are_entered() {
    let (till, [(first, _), (_, second)]) = Till::open();
    let order = ["--order", "1001", "--total", "35.00", "--code", "-", "--card", &second];
    let input = format!("{first}\n");
    let quote = till.run_with(&[&["quote", "--json"], &order[..]].concat(), &input).json();
    till.assert_fits("quote-output", &quote);
    assert_eq!((&quote["cards"][0]["applied"], &quote["cards"][1]["applied"]), (&json!("15.00"), &json!("20.00")));
    let pay = [&["redeem", "--json", "--operation", "r", "--expect-due", "0.00"], &order[..]].concat();
    let paid = till.run_with(&pay, &input);
    let receipt = paid.json();
    till.assert_fits("pay-output", &receipt);
    assert_eq!((&receipt["applied"], &receipt["payment_required"]), (&json!("35.00"), &json!(false)));
    assert_eq!(
        (&receipt["accounts"][0]["balance"], &receipt["accounts"][1]["balance"]),
        (&json!("0.00"), &json!("20.00"))
    );
    assert!(!paid.out.contains(&first) && !paid.err.contains(&first), "a code must not be shown");
    let again = till.run_with(&pay, &input).json();
    assert_eq!((&again["repeated"], &again["at"]), (&json!(true), &receipt["at"]));
    till.run(&["redeem", "--order", "1001", "--total", "35.00", "--code", &first, "--operation", "r"])
        .refused("the operation key was used for another request");
    // The other way round the second pays alone.
    let swapped = ["quote", "--json", "--order", "2", "--total", "15.00", "--card", &second, "--code", &first];
    assert_eq!(till.run(&swapped).json()["cards"][0]["applied"], "15.00");
}

#[test]
fn what_was_not_shown_to_the_shopper_is_not_done() {
    let (till, [(code, id), _]) = Till::open();
    let order = ["--order", "1", "--total", "20.00", "--card", &id];
    let changed = till.run(&[&["redeem", "--json", "--expect-due", "0.00"], &order[..]].concat());
    changed.refused("what is left to pay is 5.00 USD now, not 0.00 USD");
    let answer = &changed.lines()[0];
    till.assert_fits("pay-output", answer);
    assert_eq!((&answer["error"]["code"], &answer["quote"]["due"]), (&json!("quote-changed"), &json!("5.00")));
    till.run(&[&["redeem", "--require-full"], &order[..]].concat()).refused("5.00 USD would be left to pay");
    till.run(&[&["redeem", "--amount", "16.00"], &order[..]].concat()).refused("exactly 16.00 USD");
    till.run(&["redeem", "--order", "1", "--total", "1.00", "--amount", "1.00"]).refused("name one card");
    till.run(&["redeem", "--order", "1", "--total", "1.00"]).refused("none of the cards");
    till.run(&["redeem", "--order", "1", "--total", "1.005", "--card", &id]).refused("`order.total`");
    till.run(&["redeem", "--order", "1", "--total", "1.00", "--card", "x"]).refused("`cards[0].id`");
    till.run(&["redeem", "--order", "1", "--total", "1.00", "--code", "-"]).refused("no code left");
    till.run(&["redeem", "--order", "1", "--total", "1.00", "--card", &id, "--site", "x"]).refused("no site `x`");
    till.run(&["redeem", "--order", "1", "--total", "1.00", "--card", &id, "--currency", "EUR"])
        .refused("none of the cards");
    // A code of nobody's is told like any other that cannot pay.
    till.run(&["redeem", "--order", "1", "--total", "1.00", "--code", "NOBODY-HAS-THIS"]).refused("none of the cards");
    for wrong in [
        &["redeem"][..],
        &["redeem", "--order", "1"],
        &["redeem", "--total", "1.00"],
        &["redeem", "-", "--order", "1", "--total", "1.00"],
        &["redeem", "-", "--require-full"],
        &["quote", "--code", &code],
        &["hold", "-", "--minutes", "5"],
        &["capture"],
        &["refund", "--order", "1"],
        &["refund", "-", "--ledger", "--explain"],
        &["refund", "--order", "1", "--amount", "1", "--mode", "order", "--to-card", "x"],
        &["verify", "--sample", "1", "--no-decisions"],
        &["report"],
        &["completions", "tcsh"],
    ] {
        till.run(wrong).misused();
    }
    assert_eq!(till.run(&["card", "show", &id, "--json"]).json()["balance"], "15.00");
}

#[test]
fn many_payments_are_made_one_after_the_other() {
    let (till, [_, (code, _)]) = Till::open();
    let mut lines = String::new();
    for number in 0..6 {
        let total = if number == 3 { "1.001" } else { "10.00" };
        lines.push_str(&format!("{}\n", payment(&format!("p{number}"), &format!("o{number}"), total, &code)));
    }
    fs::write(till.path("payments.jsonl"), &lines).unwrap();
    for line in lines.lines().filter(|line| !line.contains("1.001")) {
        till.assert_fits("pay-input", &serde_json::from_str(line).unwrap());
    }
    let run = till.run(&["redeem", "payments.jsonl", "--json"]);
    assert_eq!(run.code, 1);
    let answers = run.lines();
    let told: Vec<Value> = answers
        .iter()
        .map(|answer| answer.get("due").or_else(|| answer["error"].get("code")).cloned().unwrap_or_default())
        .collect();
    assert_eq!(told, ["0.00", "0.00", "0.00", "invalid-amount", "0.00", "no-card-usable"]);
    assert_eq!(answers[3]["error"]["line"], 4);
    // Once more nothing is paid again.
    let again = till.run(&["redeem", "payments.jsonl"]);
    assert!(again.out.contains("4 answered, 2 refused"), "{}", again.out);
    till.run_with(&["redeem", "-"], "{}").refused("`operation`");
    till.run_with(&["redeem", "-"], "not JSON").refused("malformed JSON");
    till.run(&["redeem", "nowhere.json"]).refused("there is no such file");
    let quotes = till.run(&["quote", "--ledger", "payments.jsonl", "--json"]);
    assert_eq!((quotes.code, quotes.lines().len()), (1, 6));
}

#[test]
fn a_hold_is_captured_in_parts_and_another_is_given_up() {
    let (till, [(code, _), (_, other)]) = Till::open();
    let hold = till.run_with(&["hold", "-", "--json"], &payment("h", "o", "12.00", &code).to_string()).json();
    till.assert_fits("pay-output", &hold);
    assert_eq!((&hold["hold_state"], &hold["remaining"]), (&json!("open"), &json!("12.00")));
    let id = hold["hold"].as_str().unwrap();
    let part = till.run(&["capture", id, "--amount", "5.00", "--json"]).json();
    till.assert_fits("pay-output", &part);
    assert_eq!((&part["remaining"], &part["accounts"][0]["held"]), (&json!("7.00"), &json!("7.00")));
    till.run(&["void", id]).refused("was captured in part");
    till.run(&["capture", id, "--amount", "7.01"]).refused("more than the 7.00 USD left");
    till.run(&["capture", id, "--amount", "1.00", "--final"]).done();
    till.run(&["capture", id]).refused("was captured");
    till.run(&["capture", "nonsense"]).refused("no id of a hold");
    till.run(&["void", id, "--site", "elsewhere"]).refused("has no hold");
    let minutes = ["hold", "--order", "p", "--total", "1.00", "--card", &other, "--minutes", "5", "--json"];
    let hold = till.run(&minutes).json();
    let voided = till.run(&["void", hold["hold"].as_str().unwrap(), "--reason", "changed their mind", "--json"]).json();
    assert_eq!((&voided["hold_state"], &voided["reason"]), (&json!("voided"), &json!("changed their mind")));
    till.run(&["hold", "--order", "p", "--total", "1.00", "--card", &other, "--minutes", "0"])
        .refused("`hold_minutes`");
}

#[test]
fn refunds_go_back_where_the_money_came_from() {
    let (till, [(code, id), (_, other)]) = Till::open();
    till.run(&["redeem", "--order", "o", "--total", "35.00", "--code", &code, "--card", &other]).done();
    let back = till.run(&["refund", "--order", "o", "--amount", "7.00", "--operation", "b", "--json"]).json();
    till.assert_fits("pay-output", &back);
    assert_eq!((&back["accounts"][0]["amount"], &back["accounts"][1]["amount"]), (&json!("3.00"), &json!("4.00")));
    let document = json!({ "operation": "b", "order": "o", "mode": "cards", "amount": "7.00" });
    till.assert_fits("refund-order-input", &document);
    let again = till.run_with(&["refund", "--ledger", "-", "--json"], &document.to_string()).json();
    assert_eq!(again["repeated"], true);
    till.run(&["refund", "--order", "o", "--amount", "28.01"]).refused("28.00 USD");
    till.run(&["refund", "--order", "nothing", "--amount", "1.00"]).refused("no card of this site has paid");
    till.run(&["refund", "--order", "o", "--amount", "0"]).refused("more than nothing");
    // Another payment method's part goes onto a card, or to a customer's store credit.
    till.run(&["redeem", "--order", "p", "--total", "50.00", "--card", &other]).done();
    till.run(&["refund", "--order", "p", "--amount", "26.01", "--to-card", &id]).refused("26.00 USD");
    till.run(&["refund", "--order", "p", "--amount", "6.00", "--to-card", &id]).done();
    let code = format!("{code}\n");
    till.run_with(&["refund", "--order", "p", "--amount", "4.00", "--to-code", "-"], &code).done();
    let web = ["refund", "--order", "web", "--amount", "5.00", "--to-credit", "bob"];
    till.run(&web).refused("say in `paid`");
    let credit = till.run(&[&web[..], &["--paid", "9.00", "--json"]].concat()).json();
    assert_eq!((&credit["accounts"][0]["kind"], &credit["accounts"][0]["balance"]), (&json!("credit"), &json!("5.00")));
    till.run(&["refund", "--order", "web", "--amount", "1.00", "--to-card", "x"]).refused("`id`");
    assert!(till.run(&["verify"]).done().out.contains("The ledger is sound."));
}

#[test]
fn a_closed_card_without_an_owner_is_refunded_to_a_new_one_whose_code_is_shown_once() {
    let (till, [(code, id), _]) = Till::open();
    till.run(&["redeem", "--order", "o", "--total", "15.00", "--code", &code]).done();
    till.run(&["card", "close", &id]).done();
    let back = ["refund", "--order", "o", "--amount", "9.00", "--operation", "b", "--json"];
    let first = till.run(&back).json();
    till.assert_fits("pay-output", &first);
    let made = first["new_cards"][0]["code"].as_str().unwrap();
    assert_eq!(first["new_cards"][0]["id"], first["accounts"][0]["id"]);
    let again = till.run(&back).json();
    assert_eq!((&again["repeated"], again.get("new_cards")), (&json!(true), None));
    let balance = till.run(&["redeem", "--order", "n", "--total", "9.00", "--code", made, "--require-full"]);
    assert_eq!(balance.code, 0, "{}", balance.err);
}

#[test]
fn the_documents_of_before_need_no_ledger() {
    let till = Till(tempfile::tempdir().unwrap());
    let order = json!({ "order": { "currency": "USD", "total": "3.00" }, "cards": [{ "id": "A", "balance": "5.00" }] });
    assert_eq!(till.run_with(&["quote", "-", "--json"], &order.to_string()).json()["due"], "0.00");
    let refund =
        json!({ "currency": "USD", "mode": "cards", "amount": "1.00", "payments": [{ "id": "A", "applied": "3.00" }] });
    assert_eq!(till.run_with(&["refund", "-", "--json"], &refund.to_string()).json()["shares"][0]["applied"], "1.00");
    assert!(!till.path("giftcard.db").exists());
}

#[test]
fn checkpoints_are_sealed_exported_and_compared() {
    let (till, [(code, _), _]) = Till::open();
    let first = till.run(&["checkpoint", "--export", "old.json", "--json"]).json();
    till.assert_fits("checkpoint-output", &first);
    assert_eq!((&first["sealed"], &first["checkpoint"]["heads"]), (&json!(true), &json!(2)));
    let export: Value = serde_json::from_str(&fs::read_to_string(till.path("old.json")).unwrap()).unwrap();
    till.assert_fits("checkpoints", &export);
    assert!(till.run(&["checkpoint"]).done().out.contains("Nothing changed since checkpoint 1"));
    fs::copy(till.path("giftcard.db"), till.path("before.db")).unwrap();
    till.run(&["redeem", "--order", "o", "--total", "3.00", "--code", &code]).done();
    let whole = till.run(&["checkpoint", "--export", "-"]).json();
    assert_eq!(whole["checkpoints"].as_array().unwrap().len(), 2);
    fs::write(till.path("new.json"), whole.to_string()).unwrap();
    for export in ["old.json", "new.json"] {
        till.run(&["verify", "--checkpoints", export]).done();
    }
    // Set back to what it was: the ledger itself looks sound.
    fs::copy(till.path("before.db"), till.path("giftcard.db")).unwrap();
    till.run(&["verify", "--checkpoints", "old.json"]).done();
    let set_back = till.run(&["verify", "--checkpoints", "new.json", "--json"]);
    let report = &set_back.lines()[0];
    till.assert_fits("verify-output", report);
    assert_eq!((set_back.code, &report["sound"], &report["findings"][0]["checkpoint"]), (1, &json!(false), &json!(2)));
    let people = till.run(&["verify", "--checkpoints", "new.json"]);
    assert!(people.code == 1 && people.out.contains("The ledger is NOT sound."), "{}", people.out);
    till.run(&["verify", "--checkpoints", "nowhere"]).refused("there is no such file");
    fs::write(till.path("bad.json"), whole.to_string().replace("\"heads\":1", "\"heads\":2")).unwrap();
    till.run(&["verify", "--checkpoints", "bad.json"]).refused("the export was changed");
    till.run(&["checkpoint", "--export", "nowhere/x.json"]).refused("cannot be written");
}

#[test]
fn verification_counts_and_finds_one_operation() {
    let (till, [(code, _), _]) = Till::open();
    till.run(&["redeem", "--order", "o", "--total", "3.00", "--code", &code, "--operation", "r"]).done();
    let report = till.run(&["verify", "--json"]).json();
    till.assert_fits("verify-output", &report);
    assert_eq!(
        (&report["sound"], &report["operations"], &report["decisions"]["same"]),
        (&json!(true), &json!(3), &json!(1))
    );
    assert_eq!(till.run(&["verify", "--no-decisions", "--json"]).json()["decisions"]["same"], 0);
    assert_eq!(till.run(&["verify", "--sample", "5", "--json"]).json()["decisions"]["same"], 1);
    let one = till.run(&["verify", "operation", "r", "--json"]).json();
    till.assert_fits("verify-operation-output", &one);
    assert_eq!((&one["sound"], &one["decision"], &one["entries"]), (&json!(true), &json!("same"), &json!(2)));
    assert!(till.run(&["verify", "operation", "r"]).done().out.contains("The operation is sound."));
    till.run(&["verify", "operation", "other"]).refused("has no operation `other`");
}

#[test]
fn reports_and_the_sweep_tell_what_became_of_the_money() {
    let (till, [(code, _), _]) = Till::open();
    till.run(&["redeem", "--order", "o", "--total", "3.00", "--code", &code]).done();
    let soon = till.card(&["--value", "2.00", "--expires", "2099-12-31"]).1;
    let liability = till.run(&["report", "liability", "--json"]).json();
    till.assert_fits("report-liability-output", &liability);
    assert_eq!((&liability["rows"][0]["total"], &liability["totals"][0]["accounts"]), (&json!("54.00"), &json!(3)));
    let turnover = till.run(&["report", "turnover", "--site", "main", "--json"]).json();
    till.assert_fits("report-turnover-output", &turnover);
    assert_eq!((&turnover["rows"][0]["issued"], &turnover["rows"][0]["redeemed"]), (&json!("57.00"), &json!("3.00")));
    let old = till.run(&["report", "turnover", "--from", "2020-01-01", "--to", "2020-02-01"]).done();
    assert!(old.out.contains("Nothing moved"), "{}", old.out);
    let breakage = till.run(&["report", "breakage", "--json"]).json();
    till.assert_fits("report-breakage-output", &breakage);
    assert_eq!(breakage["rows"][0]["cards_waiting"], 0);
    till.assert_fits("report-stock-output", &till.run(&["report", "stock", "--json"]).json());
    let swept = till.run(&["expire", "--json"]).json();
    till.assert_fits("expire-output", &swept);
    assert_eq!((&swept["cards_closed"], &swept["holds_ended"]), (&json!(0), &json!(0)));
    assert!(till.run(&["expire", "--grace-days", "30"]).done().out.contains("0 cards closed"));
    assert_eq!(till.run(&["card", "show", &soon, "--json"]).json()["balance"], "2.00");
    for (arguments, part) in [
        (&["report", "liability", "--site", "x"][..], "no site `x`"),
        (&["report", "turnover", "--from", "1.1.2026"], "`from`"),
        (&["report", "turnover", "--from", "2026-02-01", "--to", "2026-01-01"], "is not after `from`"),
        (&["report", "breakage", "--to", "2026-02-30"], "`to`"),
    ] {
        till.run(arguments).refused(part);
    }
    for report in ["liability", "turnover", "breakage", "stock"] {
        till.run(&["report", report]).done();
    }
}

#[test]
fn a_backup_becomes_a_ledger_again() {
    let (till, [(code, id), _]) = Till::open();
    till.run(&["redeem", "--order", "o", "--total", "3.00", "--code", &code]).done();
    let written = till.run(&["backup", "backup.db", "--json"]).json();
    till.assert_fits("backup-output", &written);
    let again = till.run(&["backup", "backup.db"]);
    again.refused("is there already");
    assert!(till.run(&["backup", "second.db"]).done().out.contains("The key file is not in it"));
    till.run(&["backup", "nowhere/x.db"]).refused("cannot write");
    till.run(&["redeem", "--order", "p", "--total", "3.00", "--code", &code]).done();
    till.run(&["restore", "backup.db"]).refused("is there already");
    till.run(&["--database", "sqlite:new.db", "restore", "nowhere.db"]).refused("there is no such file");
    fs::write(till.path("text.db"), "not a database, and longer than a header".repeat(9)).unwrap();
    till.run(&["--database", "sqlite:new.db", "restore", "text.db"]).refused("is no backup of a ledger");
    let restored = till.run(&["--database", "sqlite:new.db", "restore", "backup.db", "--json"]).json();
    till.assert_fits("restore-output", &restored);
    assert_eq!((&restored["report"]["sound"], &restored["report"]["operations"]), (&json!(true), &json!(3)));
    till.run(&["--database", "sqlite:new.db", "verify"]).refused("cannot be used without it");
    let new = ["--database", "sqlite:new.db", "--keys", "giftcard.keys"];
    assert_eq!(till.run(&[&new[..], &["card", "show", &id, "--json"]].concat()).json()["balance"], "12.00");
    till.run(&[&new[..], &["verify"]].concat()).done();
    till.run(&[&new[..], &["redeem", "--order", "q", "--total", "3.00", "--code", &code]].concat()).done();
    let people = till.run(&["--database", "sqlite:third.db", "restore", "backup.db"]).done();
    assert!(people.out.contains("put it at third.keys"), "{}", people.out);
    assert!(!till.path("new.db.partial").exists());
}

#[test]
fn shells_are_told_the_commands() {
    let till = Till(tempfile::tempdir().unwrap());
    for (shell, part) in [("bash", "_giftcard()"), ("zsh", "#compdef giftcard"), ("fish", "complete -c giftcard")] {
        let script = till.run(&["completions", shell]).done().out;
        assert!(script.contains(part) && script.contains("checkpoint"), "{shell}");
    }
}

#[test]
fn amounts_below_nothing_are_answered_as_amounts() {
    let (till, [(code, id), _]) = Till::open();
    till.run(&["redeem", "--order", "1", "--total", "5.00", "--code", &code]).done();
    for (arguments, field) in [
        (&["card", "issue", "--value", "-3"][..], "`value`: `-3` is negative"),
        (&["redeem", "--order", "2", "--total", "-5", "--code", &code], "total`: `-5` is negative"),
        (&["refund", "--order", "1", "--amount", "-0.01"], "amount`: `-0.01` is negative"),
        (&["card", "load", &id, "--amount", "-1"], "amount`: `-1` is negative"),
        (&["card", "adjust", &id, "--to", "-1", "--reason", "test"], "to`: `-1` is negative"),
        (&["programme", "set", "--name", "P", "--minimum-order", "-1"], "minimum_order`: `-1` is negative"),
        (&["capture", "5QZF9J-8SQUXG-G5PAM8", "--amount", "-1"], "`hold`: is no id of a hold; it is what"),
    ] {
        let run = till.run(arguments);
        run.refused(field);
        assert!(!run.err.contains("5QZF9J"), "{}", run.err);
    }
    till.run(&["refund", "--order", "1", "--amount", "1", "--paid", "5"])
        .refused("`paid`: is of another payment method");
}

#[test]
fn a_recorded_decision_becomes_a_fixture_without_whoever_ordered() {
    let till = Till(tempfile::tempdir().unwrap());
    till.run(&["init"]).done();
    let programme = json!({
        "name": "For members", "code_name": "members", "value": { "range": { "min": "1.00", "max": "100.00" } },
        "conditions": [{ "plugin": "expression", "settings": {
            "when": "\"member\" in customer.roles && order.ship_to.country == \"DE\" && \"books\" in order.lines[0].categories",
        } }],
    });
    fs::write(till.path("programme.json"), programme.to_string()).unwrap();
    till.run(&["programme", "set", "programme.json"]).done();
    let (code, id) = till.card(&["--programme", "members", "--value", "20.00"]);
    let mut order = payment("pay", "secret-order-7", "35.00", &code);
    order["order"]["lines"] = json!([{ "sku": "B-1", "name": "For Ada", "total": "35.00", "categories": ["books"],
        "attributes": { "engraving": "Ada" } }]);
    order["order"]["customer"] = json!({ "id": "ada-1", "registered": true, "email": "ada@example.org", "roles": ["member"],
        "attributes": { "nickname": "Countess" } });
    order["order"]["ship_to"] = json!({ "country": "DE", "city": "Berlin", "postal_code": "10115" });
    order["order"]["attributes"] = json!({ "note": "for Ada" });
    till.run_with(&["redeem", "-"], &order.to_string()).done();
    let written = till.run(&["plugin", "fixture", "secret-order-7"]).done().out;
    assert_eq!(till.run(&["plugin", "fixture", "from", "secret-order-7"]).done().out, written);
    till.run(&["plugin", "fixture", "secret-order-7", "other"]).refused("`order`: is more than one");
    for personal in ["Ada", "ada", "Countess", "Berlin", "10115", "secret-order-7", &id, &code, "B-1\", \"name"] {
        assert!(!written.contains(personal), "`{personal}` in {written}");
    }
    let fixture: Value = serde_json::from_str(&written).unwrap();
    let claims = json!({ "due": "15.00", "applied": { "A": "20.00" } });
    assert_eq!((&fixture["steps"][0]["claims"], fixture.get("note")), (&claims, None), "{written}");
    // It is a fixture: it passes as it is, and fails once it claims something else.
    fs::create_dir_all(till.path("project/fixtures")).unwrap();
    let out = ["plugin", "fixture", "secret-order-7", "--out", "project/fixtures/a.json"];
    till.run(&out).done();
    till.run(&out).refused("exists");
    let component = concat!(env!("CARGO_MANIFEST_DIR"), "/../../target/components/expression.wasm");
    let test = ["plugin", "test", "project", "--component", component];
    assert!(till.run(&test).done().out.contains("1 fixtures, 0 failed"));
    let text = fs::read_to_string(till.path("project/fixtures/a.json")).unwrap();
    fs::write(till.path("project/fixtures/a.json"), text.replace("\"due\": \"15.00\"", "\"due\": \"14.00\"")).unwrap();
    assert!(till.run(&test).out.contains("claim `due`: is \"15.00\", not \"14.00\""));
    // Where what is taken out has decided, that is said.
    let programme =
        programme.to_string().replace("\\\"member\\\" in customer.roles", "customer.email == \\\"ada@example.org\\\"");
    fs::write(till.path("programme.json"), programme).unwrap();
    till.run(&["programme", "set", "programme.json"]).done();
    (order["operation"], order["order"]["id"]) = (json!("again"), json!("other"));
    order["order"]["total"] = json!("10.00");
    order["order"]["lines"][0]["total"] = json!("10.00");
    order["cards"] = json!([{ "code": till.card(&["--programme", "members", "--value", "20.00"]).0 }]);
    till.run_with(&["redeem", "-"], &order.to_string()).done();
    let written = till.run(&["plugin", "fixture", "other"]).done().out;
    assert!(!written.contains("ada@") && written.contains("removed"), "{written}");
    let fixture: Value = serde_json::from_str(&written).unwrap();
    assert!(fixture["note"].as_str().unwrap().contains("decided otherwise"), "{fixture}");
    // Without an email the expression cannot decide.
    assert_eq!(fixture["steps"][0]["claims"]["code"]["A"], "condition-failed");
    till.run(&["plugin", "fixture", "nothing"]).refused("no card pays for an order `nothing`");
}
