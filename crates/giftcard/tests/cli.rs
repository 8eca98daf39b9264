//! The built binary: exit codes, standard input, JSON lines, and answers that keep to the published schema.
#![allow(clippy::unwrap_used, reason = "a test")]

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::{Value, json};
use tempfile::TempDir;

struct Run {
    code: i32,
    out: String,
    err: String,
}

impl Run {
    fn json(&self) -> Vec<Value> {
        self.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}

fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_giftcard"));
    // One cache for all tests: compiling every component for each would take long.
    command.args(arguments).env("GIFTCARD_CACHE", concat!(env!("CARGO_TARGET_TMPDIR"), "/cli-cache"));
    fs::create_dir_all(concat!(env!("CARGO_TARGET_TMPDIR"), "/cli-cache")).unwrap();
    command
}

fn run_with(arguments: &[&str], input: &str) -> Run {
    let mut child =
        command(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let (mut stdin, input) = (child.stdin.take().unwrap(), input.as_bytes().to_vec());
    // Beside the reading, since answers come before all of the input is read.
    let writer = std::thread::spawn(move || {
        // A command that fails early does not read its input.
        let _ = stdin.write_all(&input);
    });
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap();
    Run {
        code: output.status.code().unwrap(),
        out: String::from_utf8(output.stdout).unwrap(),
        err: String::from_utf8(output.stderr).unwrap(),
    }
}

fn run(arguments: &[&str]) -> Run {
    run_with(arguments, "")
}

fn order() -> Value {
    json!({
        "order": {"id": "1001", "currency": "USD", "total": "35.00"},
        "cards": [{"id": "A", "balance": "15.00"}, {"id": "B", "balance": "40.00"}],
    })
}

/// An order whose card is refused because the condition cannot be checked: it needs lines.
fn order_with_failing_condition() -> Value {
    json!({
        "order": {"currency": "USD", "total": "35.00"},
        "programmes": [{"code_name": "p", "conditions": [{"plugin": "cart-contents", "settings": {"skus": ["a"]}}]}],
        "cards": [{"id": "A", "balance": "15.00", "programme": "p"}],
    })
}

fn schema(name: &str) -> Value {
    serde_json::from_str(&run(&["schema", name]).out).unwrap()
}

fn assert_fits(schema: &Value, document: &Value) {
    let errors: Vec<String> =
        jsonschema::validator_for(schema).unwrap().iter_errors(document).map(|error| error.to_string()).collect();
    assert_eq!(errors, Vec::<String>::new(), "{document}");
}

/// Components that misbehave, as `cargo xtask components` builds them.
fn guest(name: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/components/tests").join(name);
    assert!(path.is_file(), "{}: run `cargo xtask components` first", path.display());
    path
}

#[test]
fn the_second_card_pays_only_what_is_still_due() {
    let quote = run_with(&["quote", "-", "--json"], &order().to_string());
    assert_eq!((quote.code, quote.err.as_str()), (0, ""));
    let answer = &quote.json()[0];
    assert_eq!(
        (&answer["order"], &answer["due"], &answer["payment_required"]),
        (&json!("1001"), &json!("0.00"), &json!(false))
    );
    assert_eq!((&answer["cards"][0]["applied"], &answer["cards"][1]["applied"]), (&json!("15.00"), &json!("20.00")));
    assert_eq!(answer["cards"][1]["left"], "20.00");
    assert_eq!(answer["rules"]["calls"][0]["function"], "apply");
    let table = run_with(&["quote", "-"], &order().to_string());
    assert_eq!(table.code, 0);
    for part in ["Order 1001: 35.00 USD", "│ B    ┆ used", "due: 0.00 USD", "payment required: no"] {
        assert!(table.out.contains(part), "{part} in {}", table.out);
    }
}

#[test]
fn every_answer_and_input_keeps_to_the_schema() {
    let input = json!({
        "now": "2026-06-01T00:00:00Z",
        "site": {"time_zone": "Europe/Berlin", "rates": [{"from": "USD", "to": "EUR", "rate": "3"}]},
        "order": {
            "currency": "USD", "total": "60.00", "attributes": {"gift": true, "notes": ["a"], "n": 1},
            "lines": [{"total": "50.00", "sku": "a", "categories": ["x"]}, {"part": "shipping", "total": "10.00"}],
            "ship_to": {"country": "DE"}, "customer": {"registered": true, "orders": 3, "spent": "5.00"},
        },
        "programmes": [{
            "code_name": "p", "valid_to": "2026-12-31", "minimum_order": {"amount": "10.00", "basis": "goods"},
            "audience": {"roles": ["vip"]}, "pays": {"shipping": false},
            "conditions": [{"plugin": "cart-contents", "settings": {"skus": ["a"]}, "on_failure": "ignore"}],
        }],
        "cards": [
            {"id": "E", "currency": "EUR", "balance": "100.00"},
            {"id": "E2", "currency": "GBP", "balance": "1.00"},
            {"id": "P", "balance": "5.00", "programme": "p"},
            {"code": "AAAA", "balance": "1.00"}, {"code": "aaaa", "balance": "1.00"},
        ],
    });
    assert_fits(&schema("quote-input"), &input);
    let quote = run_with(&["quote", "-", "--json", "--explain"], &input.to_string());
    assert_eq!((quote.code, quote.err.as_str()), (0, ""), "{}", quote.out);
    let answer = &quote.json()[0];
    assert_fits(&schema("quote-output"), answer);
    let codes: Vec<&Value> = answer["cards"].as_array().unwrap().iter().map(|card| &card["outcome"]).collect();
    assert_eq!(codes, ["used", "refused", "refused", "used", "repeated"]);
    assert!(!answer["steps"].as_array().unwrap().is_empty());
    assert!(!quote.out.contains("AAAA"), "a code must not be shown");

    let failing = run_with(&["quote", "-", "--json"], &order_with_failing_condition().to_string());
    assert_fits(&schema("quote-output"), &failing.json()[0]);
    let refused = run_with(&["quote", "-", "--json"], "{}");
    assert_fits(&schema("quote-output"), &refused.json()[0]);

    let refund = json!({
        "currency": "USD", "mode": "order", "amount": "50.00",
        "payments": [{"id": "A", "applied": "30.00"}, {"id": "bank", "tender": "other", "applied": "70.00"}],
    });
    assert_fits(&schema("refund-input"), &refund);
    let answer = run_with(&["refund", "-", "--json"], &refund.to_string());
    assert_fits(&schema("refund-output"), &answer.json()[0]);
    assert_eq!(answer.json()[0]["shares"][0]["applied"], "15.00");
}

#[test]
fn exit_codes_tell_what_kind_of_trouble_there_was() {
    assert_eq!(run(&[]).code, 2);
    assert_eq!(run(&["quote"]).code, 2);
    assert_eq!(run(&["quote", "--colour", "-"]).code, 2);
    let help = run(&["quote", "--help"]);
    assert!(help.code == 0 && help.out.contains("Exit codes:"), "{}", help.out);
    assert!(run(&["--version"]).out.starts_with("giftcard "));

    let missing = run(&["quote", "/nowhere/order.json"]);
    assert_eq!((missing.code, missing.err.as_str()), (1, "giftcard: /nowhere/order.json: there is no such file\n"));
    let number = run_with(&["quote", "-"], r#"{"order": {"currency": "USD", "total": 35.0}, "cards": []}"#);
    let expected = "giftcard: standard input: `order.total`: 35.0 is a JSON number; amounts are decimal strings such as \
                    \"35.00\"\n";
    assert_eq!((number.code, number.out.as_str(), number.err.as_str()), (1, "", expected));

    let failing = run_with(&["quote", "-", "--json"], &order_with_failing_condition().to_string());
    assert_eq!(failing.code, 3);
    let failure = &failing.json()[0]["conditions"][0]["failure"];
    assert_eq!((&failure["code"], &failure["treatment"]), (&json!("component-failed"), &json!("refused")));
}

#[test]
fn settings_that_a_plugin_refuses_are_told_with_their_path() {
    let mut order = order_with_failing_condition();
    order["programmes"][0]["conditions"][0]["settings"] = json!({"quantity": "-1", "skus": ["a"]});
    let refused = run_with(&["quote", "-", "--json"], &order.to_string());
    let error = &refused.json()[0]["error"];
    assert_eq!((refused.code, &error["code"]), (1, &json!("invalid-settings")));
    assert_eq!(error["path"], "programmes[0].conditions[0].settings.quantity");
    order["programmes"][0]["conditions"][0]["settings"] = json!({});
    let refused = run_with(&["quote", "-", "--json"], &order.to_string());
    assert_eq!(refused.json()[0]["error"]["path"], "programmes[0].conditions[0].settings.skus");
}

#[test]
fn a_bad_line_is_told_and_the_rest_goes_on() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("orders.jsonl");
    let mut other = order();
    other["order"]["total"] = json!("35.001");
    let good = order().to_string();
    fs::write(&file, format!("{good}\n\nnot JSON\n{other}\n{good}\n")).unwrap();
    let path = file.to_str().unwrap();

    let machine = run(&["quote", path, "--json"]);
    assert_eq!(machine.code, 1);
    let answers = machine.json();
    assert_eq!(answers.len(), 4);
    assert_eq!((&answers[0]["due"], &answers[3]["due"]), (&json!("0.00"), &json!("0.00")));
    assert_eq!((&answers[1]["error"]["line"], &answers[1]["error"]["code"]), (&json!(3), &json!("malformed-json")));
    assert_eq!((&answers[2]["error"]["line"], &answers[2]["error"]["path"]), (&json!(4), &json!("order.total")));
    let schema = schema("quote-output");
    answers.iter().for_each(|answer| assert_fits(&schema, answer));

    let people = run(&["quote", path]);
    assert_eq!(people.code, 1);
    assert!(people.out.contains("2 answered, 2 refused"), "{}", people.out);
    assert!(
        people.err.contains(&format!("giftcard: {path}:4: `order.total`: `35.001` has more than")),
        "{}",
        people.err
    );
}

#[test]
fn lines_are_found_on_standard_input_and_in_files_of_any_name() {
    let two = format!("{0}\n{0}\n", order());
    assert_eq!(run_with(&["quote", "-", "--json"], &two).json().len(), 2);
    assert_eq!(run_with(&["quote", "--lines", "-", "--json"], &format!("x\n{two}")).json().len(), 3);
    let pretty = format!("{0:#}\n{0:#}\n", order());
    assert_eq!(run_with(&["quote", "-", "--json"], &pretty).json().len(), 2);
    let folder = TempDir::new().unwrap();
    let (first, second) = (folder.path().join("a.json"), folder.path().join("b.txt"));
    fs::write(&first, format!("{:#}", order())).unwrap();
    fs::write(&second, &two).unwrap();
    let both = run(&["quote", "--json", first.to_str().unwrap(), second.to_str().unwrap()]);
    assert_eq!((both.code, both.json().len()), (0, 3));
}

#[test]
fn a_malformed_first_line_does_not_lose_the_lines_after_it() {
    let two = format!("{0}\n{0}\n", order());
    for first in ["not JSON", "{\"order\": {\"currency\": \"U"] {
        let found = run_with(&["quote", "-", "--json"], &format!("{first}\n{two}"));
        let answers = found.json();
        assert_eq!((found.code, answers.len()), (1, 3), "{first}");
        assert_eq!((&answers[0]["error"]["line"], &answers[2]["due"]), (&json!(1), &json!("0.00")), "{first}");
    }
    let two_bad = run_with(&["quote", "-"], "{\"order\": x}\n{\"order\": y}\n");
    assert!(two_bad.err.contains("; if every line is a document of its own, add `--lines`"), "{}", two_bad.err);
    let one_bad = run_with(&["quote", "-"], "{\n\"order\": x}\n");
    assert!(!one_bad.err.contains("--lines"), "{}", one_bad.err);
}

#[test]
fn answers_come_in_the_order_of_the_lines_however_many_are_worked_out_at_once() {
    let mut input = String::new();
    for number in 0..700 {
        let mut document = order();
        document["order"]["id"] = json!(number.to_string());
        // Every seventh is refused, every ninth has far more to work out.
        if number % 7 == 0 {
            document["order"]["total"] = json!(number);
        } else if number % 9 == 0 {
            document["order"]["lines"] = json!(vec![json!({"total": "0.35"}); 100]);
        }
        input.push_str(&format!("{document}\n"));
    }
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("orders.jsonl");
    fs::write(&file, &input).unwrap();
    let from_file = run(&["quote", "--json", file.to_str().unwrap()]);
    let from_input = run_with(&["quote", "--json", "-"], &input);
    assert_eq!((from_file.code, &from_file.out), (1, &from_input.out));
    let answers = from_file.json();
    assert_eq!(answers.len(), 700);
    for (number, answer) in answers.iter().enumerate() {
        match number % 7 {
            0 => assert_eq!(answer["error"]["line"], json!(number + 1)),
            _ => assert_eq!(answer["order"], json!(number.to_string())),
        }
    }
    let people = run(&["quote", file.to_str().unwrap()]);
    assert!(people.out.contains("600 answered, 100 refused"), "{}", people.out);
}

#[test]
fn whoever_sends_one_line_and_waits_gets_its_answer() {
    let mut child =
        command(&["quote", "--json", "--lines", "-"]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut input = child.stdin.take().unwrap();
    let mut output = BufReader::new(child.stdout.take().unwrap()).lines();
    for number in 0..3 {
        let mut document = order();
        document["order"]["id"] = json!(number.to_string());
        // The blank line must not make it wait either.
        write!(input, "{document}\n\n").unwrap();
        input.flush().unwrap();
        let answer: Value = serde_json::from_str(&output.next().unwrap().unwrap()).unwrap();
        assert_eq!(answer["order"], json!(number.to_string()));
    }
    drop(input);
    assert!(output.next().is_none());
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

#[test]
#[cfg(unix)]
fn reading_ends_where_a_document_is_too_large() {
    for (arguments, line) in [
        (&["quote", "--json", "/dev/zero"][..], Value::Null),
        (&["refund", "--json", "--lines", "/dev/zero"], json!(1)),
    ] {
        let refused = run(arguments);
        let error = &refused.json()[0]["error"];
        assert_eq!((refused.code, &error["code"], &error["line"]), (1, &json!("too-large"), &line));
        assert!(error["message"].as_str().unwrap().contains("16777216 bytes"), "{error}");
    }
}

#[test]
fn folders_and_missing_files_are_told_in_plain_words_everywhere() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().to_str().unwrap();
    for (arguments, expected) in [
        (&["quote", path][..], format!("giftcard: {path}: is a folder, not a file\n")),
        (&["refund", path], format!("giftcard: {path}: is a folder, not a file\n")),
        (&["plugin", "check", path], format!("giftcard: {path}: is a folder, not a file\n")),
        (&["plugin", "inspect", path], format!("giftcard: `{path}`: is a folder, not a file\n")),
        (&["quote", "/nowhere"], "giftcard: /nowhere: there is no such file\n".to_string()),
        (&["plugin", "check", "/nowhere"], "giftcard: /nowhere: there is no such file\n".to_string()),
        (
            &["plugin", "list", "--plugins", "/nowhere"],
            "giftcard: `/nowhere` cannot be read: no such file or directory\n".to_string(),
        ),
    ] {
        let refused = run(arguments);
        assert_eq!((refused.code, refused.err), (1, expected), "{arguments:?}");
    }
}

#[test]
fn a_reader_that_leaves_early_is_no_trouble() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("orders.jsonl");
    fs::write(&file, format!("{}\n", order()).repeat(2000)).unwrap();
    let mut child = command(&["quote", "--json", file.to_str().unwrap()])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.code(), String::from_utf8_lossy(&output.stderr).as_ref()), (Some(0), ""));
}

#[test]
fn plugins_are_listed_inspected_and_checked() {
    let listed = run(&["plugin", "list", "--json"]);
    let ids: Vec<Value> = listed.json().iter().map(|plugin| plugin["id"].clone()).collect();
    assert_eq!(ids[0], "gift-card");
    assert!(ids.contains(&json!("cart-contents")), "{ids:?}");
    let inspected = &run(&["plugin", "inspect", "cart-contents", "--json"]).json()[0];
    assert_eq!((&inspected["origin"], &inspected["contract"]), (&json!("built-in"), &json!("giftcard:rules@0.1.0")));
    assert_eq!(inspected["digest"].as_str().unwrap().len(), 64);
    assert!(inspected["settings"].as_array().unwrap().iter().any(|setting| setting["name"] == "skus"));
    let nobody = run(&["plugin", "inspect", "nobody"]);
    assert!(nobody.code == 1 && nobody.err.contains("no loaded plugin of that id"), "{}", nobody.err);

    let good = guest("minimal-condition.wasm");
    let bad = guest("wrong-world.wasm");
    let checked = run(&["plugin", "check", "--json", good.to_str().unwrap(), bad.to_str().unwrap()]);
    assert_eq!(checked.code, 1);
    assert_eq!(checked.json()[0]["id"], "minimal-condition");
    assert_eq!(checked.json()[1]["error"]["code"], "plugin-contract");
}

#[test]
fn a_folder_adds_and_replaces_components() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().to_str().unwrap();
    fs::copy(guest("minimal-condition.wasm"), folder.path().join("minimal.wasm")).unwrap();
    let mut order = order_with_failing_condition();
    order["programmes"][0]["conditions"][0] = json!({"plugin": "minimal-condition"});
    assert_eq!(run_with(&["quote", "-"], &order.to_string()).code, 1);
    let quote = run_with(&["--plugins", path, "quote", "-", "--json"], &order.to_string());
    assert_eq!((quote.code, &quote.json()[0]["applied"]), (0, &json!("15.00")));

    // Rules that take a negative amount where the site takes 102 cards: refused, and nothing is decided.
    fs::copy(guest("hostile-rules.wasm"), folder.path().join("rules.wasm")).unwrap();
    let listed = run(&["plugin", "list", "--json", "--plugins", path]).json();
    assert_eq!(listed[0]["id"], "hostile-rules");
    order["site"] = json!({"cards_max": 102});
    let broken = run_with(&["quote", "-", "--json", "--plugins", path], &order.to_string());
    assert_eq!(broken.code, 3);
    let message = broken.json()[0]["error"]["message"].as_str().unwrap().to_string();
    assert!(message.contains("hostile-rules") && message.contains("sha256:"), "{message}");

    let missing = run(&["plugin", "list", "--plugins", "/nowhere"]);
    assert!(missing.code == 1 && missing.err.starts_with("giftcard: `/nowhere` cannot be read"), "{}", missing.err);
    fs::write(folder.path().join("broken.wasm"), b"not wasm").unwrap();
    let broken = run_with(&["quote", "-", "--json", "--plugins", path], &order.to_string());
    assert_eq!((broken.code, &broken.json()[0]["error"]["code"]), (1, &json!("plugin-not-loaded")));
}

#[test]
fn a_refund_above_what_is_left_is_refused_whole() {
    let refund = json!({
        "currency": "USD", "mode": "cards", "amount": "30.01", "payments": [{"id": "A", "applied": "30.00"}],
    });
    let refused = run_with(&["refund", "-", "--json"], &refund.to_string());
    let error = &refused.json()[0]["error"];
    assert_eq!(
        (refused.code, &error["code"], &error["path"]),
        (1, &json!("refund-above-refundable"), &json!("amount"))
    );
}

#[test]
fn a_refund_is_explained() {
    let refund = json!({
        "currency": "USD", "mode": "cards", "amount": "10.00",
        "payments": [{"id": "bank", "tender": "other", "applied": "7.00"}, {"id": "A", "applied": "30.00"}],
    });
    let plain = &run_with(&["refund", "-", "--json"], &refund.to_string()).json()[0];
    assert!(plain.get("steps").is_none(), "{plain}");
    let explained = &run_with(&["refund", "-", "--json", "--explain"], &refund.to_string()).json()[0];
    assert_eq!(explained["shares"], plain["shares"]);
    let steps = explained["steps"].as_array().unwrap();
    assert!(steps.iter().any(|step| step["tender"] == "A"), "{explained}");
    assert!(steps.iter().all(|step| step["tender"] != "bank"), "{explained}");
    assert_fits(&schema("refund-output"), explained);
    let table = run_with(&["refund", "-", "--explain"], &refund.to_string());
    assert!(table.code == 0 && table.out.contains("┆ needed"), "{}", table.out);
    assert!(table.out.contains(steps[0]["seen"].as_str().unwrap()), "{}", table.out);
    let rows = run_with(&["refund", "-", "--explain", "--lines"], &refund.to_string());
    assert!(rows.out.contains("┆ needed") && rows.out.contains("1 answered"), "{}", rows.out);
}

#[test]
fn all_schemas_come_by_name() {
    let all: Value = serde_json::from_str(&run(&["schema"]).out).unwrap();
    let names: Vec<&String> = all.as_object().unwrap().keys().collect();
    assert_eq!(names[..4], ["quote-input", "quote-output", "refund-input", "refund-output"]);
    for name in ["quote-input", "programme", "issue-output"] {
        assert_eq!(all[name], schema(name), "{name}");
    }
}

#[test]
fn a_cache_that_cannot_be_used_is_told_and_can_be_done_without() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let arguments = ["--cache", file.path().to_str().unwrap(), "quote", "-"];
    let refused = run_with(&arguments, &order().to_string());
    assert!(refused.code == 1 && refused.err.starts_with("giftcard: the code cache"), "{}", refused.err);
    assert!(!refused.err.contains("os error"), "{}", refused.err);
    let without = run_with(&[&["--no-cache"], &arguments[..]].concat(), &order().to_string());
    assert_eq!((without.code, without.err.as_str()), (0, ""));

    // One that was asked for is made if it is missing; the usual one is done without where it cannot be used.
    let folder = TempDir::new().unwrap();
    let missing = folder.path().join("a/b");
    assert_eq!(run(&["--cache", missing.to_str().unwrap(), "plugin", "list"]).code, 0);
    assert!(missing.is_dir());
    fs::write(folder.path().join("giftcard"), "a file where the folder should be").unwrap();
    let usual = command(&["plugin", "list"])
        .env_remove("GIFTCARD_CACHE")
        .env("XDG_CACHE_HOME", folder.path())
        .env("HOME", "/nowhere")
        .output()
        .unwrap();
    assert_eq!((usual.status.code(), String::from_utf8_lossy(&usual.stderr).as_ref()), (Some(0), ""));
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let open = folder.path().join("open/giftcard");
        fs::create_dir_all(&open).unwrap();
        fs::set_permissions(&open, fs::Permissions::from_mode(0o777)).unwrap();
        let asked = run(&["--cache", open.to_str().unwrap(), "plugin", "list"]);
        assert!(asked.code == 1 && asked.err.contains("others can write to it"), "{}", asked.err);
        let usual = command(&["plugin", "list"])
            .env_remove("GIFTCARD_CACHE")
            .env("XDG_CACHE_HOME", folder.path().join("open"))
            .output()
            .unwrap();
        assert_eq!((usual.status.code(), String::from_utf8_lossy(&usual.stderr).as_ref()), (Some(0), ""));
        assert_eq!(fs::read_dir(&open).unwrap().count(), 0, "what others can write to is not used");
    }
}

#[test]
fn rules_become_an_expression_and_an_expression_rules() {
    let catalogue = run(&["plugin", "catalogue", "--json"]).json().remove(0);
    let rules = catalogue["rules"].as_array().unwrap();
    let rule = rules.iter().find(|rule| rule["id"] == "ship-to-country").unwrap();
    assert_eq!(rule["parameters"][0]["kind"], "countries");
    assert!(run(&["plugin", "catalogue"]).out.contains("ship-to-country"));
    let tree = json!({"any": [
        {"rule": "ship-to-country", "arguments": {"countries": ["DE", "AT"]}},
        {"not": {"rule": "order-total-at-most", "arguments": {"amount": {"amount": "9.90", "currency": "EUR"}}}},
        {"code": "card.age_days % 2 == 0"},
    ]});
    let expression = run_with(&["plugin", "expression", "--from-rules", "-"], &tree.to_string());
    let text = "order.ship_to.country in [\"DE\", \"AT\"] || !(order.total <= money(\"9.90\", \"EUR\")) || \
                card.age_days % 2 == 0\n";
    assert_eq!((expression.code, expression.out.as_str()), (0, text), "{}", expression.err);
    let read = |run: Run| serde_json::from_str::<Value>(&run.out).unwrap();
    assert_eq!(read(run(&["plugin", "expression", "--to-rules", text.trim_end()])), tree);
    assert_eq!(read(run_with(&["plugin", "expression", "--to-rules", "--file", "-"], text)), tree);
    let own = "order.total >= 5 // wrong, but kept";
    assert_eq!(read(run(&["plugin", "expression", "--to-rules", own])), json!({ "code": own }));
    let wrong = r#"{"all": [{"rule": "ship-to-country", "arguments": {"countries": ["DE", "Austria"]}}]}"#;
    let checked = run(&["plugin", "expression", text.trim_end()]);
    assert!(checked.code == 0 && checked.out.contains("takes it"), "{}{}", checked.out, checked.err);
    let refused = run(&["plugin", "expression", "order.totl >= money(\"50.00\")"]);
    assert!(refused.code == 1 && refused.err.contains("totl"), "{}", refused.err);
    let refused = run_with(&["plugin", "expression", "--from-rules", "-"], wrong);
    let error = "`all[0].arguments.countries[1]`: `Austria` is no country code; write two capital letters";
    assert!(refused.code == 1 && refused.err.contains(error), "{}", refused.err);
    assert_eq!(run(&["plugin", "expression"]).code, 2);
}
