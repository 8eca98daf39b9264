//! The built binary on a ledger of its own: a shop set up, cards issued, moved and listed, keys changed.
#![allow(clippy::unwrap_used, reason = "a test")]

use std::fs;
use std::io::Write;
use std::process::{Command, Stdio};

use serde_json::{Value, json};
use tempfile::TempDir;

struct Shop(TempDir);

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

    fn done(self) -> Self {
        assert_eq!(self.code, 0, "{}{}", self.out, self.err);
        self
    }

    fn refused(&self, part: &str) {
        assert_eq!(self.code, 1, "{}{}", self.out, self.err);
        assert!(self.err.contains(part), "`{part}` in {}", self.err);
    }
}

impl Shop {
    fn open() -> Self {
        let shop = Self(tempfile::tempdir().unwrap());
        shop.run(&["init"]).done();
        shop
    }

    fn run(&self, arguments: &[&str]) -> Run {
        self.run_with(arguments, "")
    }

    fn run_with(&self, arguments: &[&str], input: &str) -> Run {
        let cache = concat!(env!("CARGO_TARGET_TMPDIR"), "/cli-cache");
        fs::create_dir_all(cache).unwrap();
        let mut child = Command::new(env!("CARGO_BIN_EXE_giftcard"))
            .args(arguments)
            .env("GIFTCARD_CACHE", cache)
            .env("GIFTCARD_DATABASE", format!("sqlite:{}", self.0.path().join("shop.db").display()))
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

    fn file(&self, name: &str, text: &str) -> String {
        let path = self.0.path().join(name);
        fs::write(&path, text).unwrap();
        path.display().to_string()
    }
}

#[test]
fn a_site_is_changed_by_options_and_by_documents() {
    let shop = Shop::open();
    let set =
        ["site", "set", "--time-zone", "Europe/Berlin", "--rate", "USD:EUR=0.92", "--rate", "EUR:USD=1.08", "--json"];
    let site = shop.run(&set).json();
    assert_eq!((&site["version"], &site["site"]["currency"]), (&json!(2), &json!("USD")));
    let set = ["site", "set", "--drop-rate", "EUR:USD", "--rate", "USD:EUR=0.93", "--cards-max", "3", "--json"];
    let site = shop.run(&set).json();
    assert_eq!(site["site"]["rates"], json!([{ "from": "USD", "to": "EUR", "rate": "0.93" }]));
    assert_eq!((&site["site"]["time_zone"], &site["site"]["cards_max"]), (&json!("Europe/Berlin"), &json!(3)));
    let document = json!({ "id": "second", "currency": "EUR" }).to_string();
    shop.run_with(&["site", "set", "-"], &document).done();
    assert_eq!(shop.run(&["site", "list", "--json"]).out.lines().count(), 2);
    assert!(shop.run(&["site", "show", "second"]).done().out.contains("EUR"));
    shop.run(&["site", "set", "--currency", "EUR"]).refused("`currency`");
    shop.run(&["site", "set", "--time-zone", "Mars"]).refused("`time_zone`");
    shop.run(&["site", "set", "--rate", "USD=1"]).refused("`USD:EUR=0.92`");
    shop.run(&["site", "set", "--drop-rate", "USD:GBP"]).refused("no rate `USD:GBP`");
    shop.run(&["site", "show", "third"]).refused("no site `third`");
    shop.run(&["site", "set", "/nowhere.json"]).refused("no such file");
    shop.run_with(&["site", "set", "-"], "{\"id\": \"x\", \"id\": \"y\"}").refused("`id`");
}

#[test]
fn a_programme_is_made_of_options_and_changed_by_them() {
    let shop = Shop::open();
    let set = [
        "programme",
        "set",
        "--name",
        "Happy Birthday",
        "--value",
        "50.00",
        "--minimum-order",
        "60.00",
        "--expires-months",
        "36",
        "--role",
        "vip",
        "--pattern",
        "HAPPYBD_XXXX-XXXX-XXXX-XXXX",
        "--condition",
        "cart-contents={\"skus\": [\"a\"]}",
        "--json",
    ];
    let made = shop.run(&set).json();
    let expected = json!({
        "name": "Happy Birthday", "code_name": "happy-birthday", "value": {"fixed": "50.00"}, "minimum_order": "60.00",
        "audience": {"roles": ["vip"]}, "pays": {}, "expires": {"months": 36},
        "conditions": [{"plugin": "cart-contents", "settings": {"skus": ["a"]}, "on_failure": "refuse-card"}],
        "codes": {"pattern": {"pattern": "HAPPYBD_XXXX-XXXX-XXXX-XXXX", "accept_weak": false}},
    });
    assert_eq!(made["programme"], expected);
    // What was printed is a document that can be set.
    let file = shop.file("p.json", &made["programme"].to_string());
    assert_eq!(shop.run(&["programme", "set", &file, "--json"]).json()["version"], 1);
    let off = shop.run(&["programme", "disable", "happy-birthday", "--json"]).json();
    assert_eq!((&off["programme"]["enabled"], &off["version"]), (&json!(false), &json!(2)));
    shop.run(&["card", "issue", "--programme", "happy-birthday"]).refused("switched off");
    shop.run(&["programme", "enable", "happy-birthday"]).done();
    shop.run(&["card", "issue", "--programme", "happy-birthday"]).done();
    let change = ["programme", "set", "--code-name", "happy-birthday", "--value", "60.00"];
    shop.run(&change).refused("`value` cannot change any more");
    let shown = shop.run(&["programme", "show", "happy-birthday"]).done().out;
    assert!(shown.contains("frozen") && shown.contains("cart-contents"), "{shown}");
    assert!(shop.run(&["programme", "list"]).done().out.contains("36 months after issue"));
    shop.run(&["programme", "set", "--name", "X", "--condition", "none"]).refused("`conditions[0].plugin`");
    shop.run(&["programme", "set", "--name", "X", "--condition", "cart-contents={"]).refused("no JSON");
    shop.run(&["programme", "set", "--value", "1.00"]).refused("`name`");
    shop.run(&["programme", "show", "none"]).refused("no programme `none`");
    assert_eq!(shop.run(&["programme", "set", "--name", "X", "--value", "1", "--denomination", "2"]).code, 2);
    let weak = shop.run(&["programme", "set", "--name", "W", "--pattern", "W_XXXX-XXXX", "--accept-weak"]).done();
    assert!(weak.err.contains("40 random bits"), "{}", weak.err);
}

#[test]
fn a_code_is_shown_once_and_finds_its_card() {
    let shop = Shop::open();
    let issue = ["card", "issue", "--value", "25.00", "--customer", "c1", "--operation", "op", "--json"];
    let issued = shop.run(&issue).json();
    let (id, code) = (issued["cards"][0]["id"].as_str().unwrap(), issued["cards"][0]["code"].as_str().unwrap());
    let again = shop.run(&issue).json();
    assert_eq!((&again["repeated"], again["cards"][0].get("code")), (&json!(true), None));
    for arguments in [&["card", "show", id][..], &["card", "show", code], &["card", "show", "--code", code]] {
        let shown = shop.run(arguments).done().out;
        assert!(shown.contains("25.00 USD") && !shown.contains(code), "{shown}");
    }
    assert_eq!(shop.run_with(&["card", "show", "-", "--json"], &format!("{code}\n")).json()["id"], id);
    assert_eq!(shop.run(&["card", "balance", code, "--json"]).json()["available"], "25.00");
    assert_eq!(shop.run(&["card", "show"]).code, 2);
    shop.run_with(&["card", "show", "-"], "").refused("standard input");
    shop.run(&["card", "show", "--code", id]).refused("no card with this code");
    for code in ["XXXX-1234-YYYY", "0000000000000"] {
        let run = shop.run(&["card", "balance", code]);
        run.refused("This gift card cannot be used.");
        assert!(!run.err.contains(code));
    }
    shop.run(&["card", "issue"]).refused("`value`");
    shop.run(&["card", "issue", "--value", "1.00", "--expires", "2020-01-01"]).refused("`expires`");
    shop.run(&["card", "issue", "--value", "1.00", "--count", "5000"]).refused("`count`");
    let own = ["card", "issue", "--value", "1.00", "--code", "-", "--json"];
    let own = shop.run_with(&own, "9F3K-7Q2M-X8BT-4RWN\n").json();
    assert_eq!(own["cards"][0]["code"], "9F3K-7Q2M-X8BT-4RWN");
}

#[test]
fn staff_move_a_card_and_its_history_tells() {
    let shop = Shop::open();
    let issued = shop
        .run(&["card", "issue", "--value", "25.00", "--pending", "--bought-by", "o-1", "--deliver", "--json"])
        .json();
    let id = issued["cards"][0]["id"].as_str().unwrap();
    let code = issued["cards"][0]["code"].as_str().unwrap();
    let by = ["--actor", "anna", "--reason", "because"];
    let on = |command: &[&str]| shop.run(&[&["card"], command, &[id], &by].concat());
    assert_eq!(shop.run(&["card", "activate-purchase", "o-1", "--json"]).json()["accounts"][0]["status"], "active");
    on(&["load", "--amount", "5.00"]).done();
    on(&["adjust", "--by", "-10.00"]).done();
    on(&["disable"]).done();
    on(&["activate"]).refused("only a card that is pending");
    on(&["enable"]).done();
    assert_eq!(on(&["reveal", "--json"]).json()["code"], code);
    assert_eq!(shop.run(&["card", "delivered", id, "--json"]).json()["erased"], true);
    on(&["reveal"]).refused("is not kept");
    on(&["close"]).refused("20.00 USD is left on it");
    on(&["refund-purchase"]).refused("only 20.00 USD is available");
    let moved = on(&["transfer", "--json"]).json();
    let new = moved["to"]["id"].as_str().unwrap();
    assert_ne!(moved["to"]["code"], code);
    let history = shop.run(&["card", "history", id, "--json"]).json();
    let kinds: Vec<&str> =
        history["items"].as_array().unwrap().iter().map(|entry| entry["kind"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["issue", "activate", "load", "adjust", "disable", "enable", "reveal", "transfer"]);
    assert_eq!((&history["items"][2]["actor"], &history["items"][2]["reason"]), (&json!("anna"), &json!("because")));
    assert!(shop.run(&["card", "history", id, "--limit", "2"]).done().out.contains("more: --after 2"));
    shop.run(&["card", "to-credit", new]).refused("`customer`");
    shop.run(&["card", "to-credit", new, "--customer", "c1"]).done();
    shop.run(&["card", "cancel-purchase", "o-1"]).refused("closed already");
    shop.run(&["card", "expire", new]).refused("closed");
    assert_eq!(shop.run(&["credit", "show", "c1", "--json"]).json()["items"][0]["balance"], "20.00");
    shop.run(&["credit", "add", "c1", "2.50", "--reason", "sorry"]).done();
    shop.run(&["credit", "adjust", "c1", "--to", "1.00", "--reason", "wrong"]).done();
    shop.run(&["credit", "adjust", "c2", "--to", "1.00", "--reason", "wrong"]).refused("no store credit in USD");
    assert!(shop.run(&["credit", "list"]).done().out.contains("1.00"));
    let closed = shop.run(&["card", "list", "--state", "closed", "--json"]).json();
    assert_eq!(closed["items"].as_array().unwrap().len(), 2);
    assert!(shop.run(&["card", "list", "--state", "active"]).done().out.contains("None that fit."));
    shop.run(&["card", "list", "--after", "x"]).refused("`after`");
}

#[test]
fn an_operation_without_a_key_gets_one_that_is_told() {
    let shop = Shop::open();
    let issued = shop.run(&["card", "issue", "--value", "1.00", "--deliver"]).done();
    let key = issued.err.trim().strip_prefix("giftcard: operation ").unwrap().to_string();
    let again = shop.run(&["card", "issue", "--value", "1.00", "--deliver", "--operation", &key]).done();
    assert!(again.out.starts_with("Issued before"), "{}", again.out);
    shop.run(&["card", "issue", "--value", "2.00", "--operation", &key]).refused("another request");
}

#[test]
fn a_pool_is_filled_and_drawn_from() {
    let shop = Shop::open();
    shop.run(&["pool", "create", "stock", "--low-stock", "2"]).done();
    assert_eq!(shop.run(&["pool", "generate", "stock", "1100", "--json"]).json()["free"], 1100);
    assert_eq!(shop.run(&["pool", "withdraw", "stock", "1099", "--json"]).json()["free"], 1);
    let file = shop.file("codes.csv", "code\n9F3K-7Q2M-X8BT-4RWN\nSHORT\n9f3k 7q2m x8bt 4rwn\n");
    let imported = shop.run(&["pool", "import", "stock", &file, "--json"]);
    assert_eq!(imported.code, 1, "lines were refused");
    let report: Value = serde_json::from_str(&imported.out).unwrap();
    assert_eq!((&report["imported"], &report["refused"], &report["free"]), (&json!(1), &json!(2), &json!(2)));
    assert!(
        imported.err.contains(":3: ") && imported.err.contains(":4: repeats the code of line 2"),
        "{}",
        imported.err
    );
    shop.run(&["programme", "set", "--name", "P", "--value", "5.00", "--pool", "stock"]).done();
    let issued = shop.run(&["card", "issue", "--programme", "p", "--count", "2"]).done();
    assert!(issued.err.contains("fewer than 2 free codes") && issued.out.contains("9F3K-7Q2M-X8BT-4RWN"));
    shop.run(&["card", "issue", "--programme", "p"]).refused("0 free codes");
    let listed = shop.run(&["pool", "list"]).done().out;
    assert!(listed.contains("1099") && listed.contains("low"), "{listed}");
    assert_eq!(shop.run(&["pool", "show", "stock", "--json"]).json()["drawn"], 2);
    shop.run(&["pool", "create", "weak", "--pattern", "W_XXXX"]).refused("`pattern`");
    shop.run(&["pool", "show", "none"]).refused("no pool `none`");
    shop.run(&["pool", "import", "stock", "/nowhere.csv"]).refused("no such file");
    assert_eq!(shop.run(&["pool", "withdraw", "stock"]).code, 2);
    shop.run(&["pool", "withdraw", "stock", "--all"]).done();
}

#[test]
fn customers_are_recorded_and_erased() {
    let shop = Shop::open();
    shop.run(&["customer", "set", "--id", "c1", "--name", "Anna", "--email", "a@example.com", "--role", "vip"]).done();
    let changed = shop.run(&["customer", "set", "--id", "c1", "--phone", "+49", "--json"]).json();
    assert_eq!((&changed["customer"]["name"], &changed["customer"]["phone"]), (&json!("Anna"), &json!("+49")));
    assert!(shop.run(&["customer", "list"]).done().out.contains("a@example.com"));
    assert_eq!(shop.run(&["customer", "erase", "c1", "--json"]).json()["record"], true);
    shop.run(&["customer", "show", "c1"]).refused("nothing is recorded");
    shop.run(&["customer", "set", "--id", "c2", "--email", "x"]).refused("`email`");
    shop.run(&["customer", "list", "--site", "none"]).refused("no site `none`");
}

#[test]
fn a_pepper_is_rotated_and_retired_once_nothing_needs_it() {
    let shop = Shop::open();
    let issued = shop.run(&["card", "issue", "--value", "1.00", "--json"]).json();
    let code = issued["cards"][0]["code"].as_str().unwrap();
    assert_eq!(shop.run(&["secrets", "rotate-pepper", "--json"]).json()["version"], 2);
    shop.run(&["secrets", "retire-pepper", "1"]).refused("1 codes");
    shop.run(&["secrets", "retire-pepper", "2"]).refused("newest");
    shop.run(&["card", "show", code]).done();
    shop.run(&["secrets", "retire-pepper", "1"]).done();
    shop.run(&["card", "show", code]).done();
    let keys = shop.run(&["secrets", "show", "--json"]).json();
    assert_eq!(keys["peppers"], json!([{ "version": 2, "codes": 1, "newest": true, "known": true }]));
    shop.run(&["pool", "create", "stock"]).done();
    shop.run(&["pool", "generate", "stock", "3"]).done();
    shop.run(&["secrets", "rotate-pepper"]).done();
    assert_eq!(shop.run(&["secrets", "renew-pools", "--json"]).json()["codes"], 3);
}

fn component(name: &str) -> String {
    concat!(env!("CARGO_MANIFEST_DIR"), "/../../target/components/").to_string() + name
}

fn redeem(shop: &Shop, order: &str, country: &str, code: &str) -> Run {
    let document = json!({
        "operation": order,
        "order": { "id": order, "currency": "USD", "total": "5.00", "lines": [{ "total": "5.00" }],
            "ship_to": { "country": country } },
        "cards": [{ "code": code }],
    });
    shop.run_with(&["redeem", "-"], &document.to_string())
}

/// The first version takes orders of so many products, the second those to certain countries.
#[test]
fn a_plugin_is_installed_bound_tried_swapped_and_taken_back() {
    let shop = Shop::open();
    let (first, second) = (component("tests/welcome-gift-v1.wasm"), component("tests/welcome-gift-v2.wasm"));
    let installed = shop.run(&["plugin", "install", &first, &second, "--actor", "ann"]).done();
    assert!(
        installed.out.contains("installed 1.0.0") && installed.out.contains("installed 2.0.0"),
        "{}",
        installed.out
    );
    assert!(installed.err.contains("`giftcard plugin activate welcome-gift`"), "{}", installed.err);
    shop.run(&["programme", "set", "--name", "Spring"]).done();
    let bind = |settings: &str| shop.run(&["plugin", "bind", "spring", "welcome-gift", "--set", settings]);
    bind("products=1").refused("is installed and not active");
    let activate = ["plugin", "activate", "welcome-gift@1.0.0", "--actor", "ann", "--json"];
    let active = shop.run(&activate).json();
    assert_eq!((&active["active"], &active["versions"][1]["active"]), (&json!("1.0.0"), &json!(false)));
    bind("products=0").refused("`conditions[0].settings.products`");
    bind("products").refused("has no `=`");
    bind("products=1").done();
    let listed = shop.run(&["plugin", "list"]).done().out;
    assert!(listed.contains("Installed at site main:") && listed.contains("spring"), "{listed}");
    let listed = shop.run(&["plugin", "list", "--site", "main", "--json"]).json();
    assert_eq!(listed["bound_by"], json!(["spring"]));
    let issued = shop.run(&["card", "issue", "--programme", "spring", "--value", "50", "--json"]).json();
    let code = issued["cards"][0]["code"].as_str().unwrap().to_string();
    for (number, country) in ["US", "DE", "US", "DE"].into_iter().enumerate() {
        redeem(&shop, &format!("o{number}"), country, &code).done();
    }
    // Before it decides: on what was recorded.
    let picture = shop.file("replay.svg", "");
    let replay = ["replay", "--plugin", "welcome-gift@2.0.0", "--settings", "spring:welcome-gift={}"];
    let report = shop.run(&[&replay[..], &["--svg", &picture, "--json"]].concat()).json();
    assert_eq!((&report["decisions"], &report["different"]), (&json!(4), &json!(2)));
    assert_eq!(report["programmes"][0]["difference"], json!("-10.00"));
    assert!(fs::read_to_string(&picture).unwrap().starts_with("<svg"));
    let told = shop.run(&[&replay[..], &["--plugin", &first]].concat());
    told.refused("two versions of `welcome-gift`");
    shop.run(&["replay", "--settings", "welcome-gift"]).refused("names no plugin");
    shop.run(&["replay", "--sample", "0%"]).refused("`sample`");
    let nothing = shop.run(&["replay", "--settings", "welcome-gift={\"colour\": 1}"]);
    assert!(nothing.out.contains("`welcome-gift` has no such setting"), "{}", nothing.out);
    nothing.refused("none of these decisions could be run again");
    shop.run(&["replay", "--plugin", "nothing.wasm"]).refused("`nothing.wasm`");
    // What was kept of a replay is gone on with by the same only.
    let kept = shop.0.path().join("replay.json").display().to_string();
    shop.run(&[&replay[..], &["--resume", &kept]].concat()).done();
    let again = shop.run(&[&replay[..], &["--resume", &kept, "--json"]].concat()).json();
    assert_eq!(again["decisions"], json!(4));
    shop.run(&["replay", "--resume", &kept]).refused("other options");
    fs::write(&kept, "{}").unwrap();
    shop.run(&[&replay[..], &["--resume", &kept]].concat()).refused("is not what a replay keeps");
    // Beside what decides, then in its place, and back.
    shop.run(&["plugin", "bind", "spring", "welcome-gift"]).done();
    let other = ["plugin", "shadow", "welcome-gift@2.0.0"];
    shop.run(&other).done();
    assert_eq!(redeem(&shop, "o5", "US", &code).code, 1);
    let report = shop.run(&["plugin", "shadow", "welcome-gift", "--report", "--json"]).json();
    assert_eq!((&report["counts"]["different"], &report["differences"][0]["order"]), (&json!(1), &json!("o5")));
    assert!(shop.run(&["plugin", "shadow", "welcome-gift", "--report"]).done().out.contains("too-few-products"));
    shop.run(&["plugin", "shadow", "welcome-gift", "--end"]).done();
    shop.run(&["plugin", "canary", "welcome-gift@2.0.0", "--share", "101%"]).refused("less than 100%");
    shop.run(&["plugin", "canary", "welcome-gift@2.0.0", "--share", "a"]).refused("is no percentage");
    let canary = shop.run(&["plugin", "canary", "welcome-gift@2.0.0", "--share", "0.5%", "--json"]).json();
    assert_eq!(canary["canary_share"], json!("0.5%"));
    shop.run(&["plugin", "canary", "welcome-gift", "--end"]).done();
    shop.run(&["plugin", "activate", "welcome-gift"]).done();
    redeem(&shop, "o6", "US", &code).done();
    shop.run(&["plugin", "rollback", "welcome-gift"]).done();
    assert_eq!(redeem(&shop, "o7", "US", &code).code, 1);
    shop.run(&["plugin", "remove", "welcome-gift@1.0.0"]).refused("decides or looks on");
    shop.run(&["plugin", "remove", "welcome-gift@2.0.0"]).done();
    shop.run(&["plugin", "disable", "welcome-gift@1.0.0"]).refused("names a version");
    shop.run(&["plugin", "disable", "welcome-gift"]).done();
    let shown = shop.run(&["plugin", "show", "welcome-gift"]).done().out;
    assert!(shown.contains("off") && shown.contains("by ann") && shown.contains("rolled back to 1.0.0"), "{shown}");
    shop.run(&["plugin", "unbind", "spring", "welcome-gift"]).done();
    shop.run(&["plugin", "show", "other"]).refused("no plugin `other` is installed");
    // Each decision comes out again with what decided it, the removed version included.
    assert!(shop.run(&["verify"]).done().out.contains("sound"));
    assert_eq!(shop.run(&["verify", "decision", "o6", "--json"]).json()["decision"], json!("same"));
}

#[test]
fn plugins_are_signed_and_approved_of() {
    let shop = Shop::open();
    let (key, wasm) = (shop.0.path().join("author.key").display().to_string(), shop.0.path().join("a.wasm"));
    fs::copy(component("tests/welcome-gift-v1.wasm"), &wasm).unwrap();
    let wasm = wasm.display().to_string();
    let public = shop.run(&["plugin", "key", &key]).done().out.trim().to_string();
    assert_eq!(public.len(), 64);
    shop.run(&["plugin", "key", &key]).refused("is there already");
    let demand = ["site", "set", "--trusted-key", &public, "--require-signature", "true", "--require-approval", "true"];
    shop.run(&demand).done();
    shop.run(&["plugin", "install", &wasm]).refused("`giftcard plugin sign`");
    fs::write(format!("{wasm}.sig"), "nonsense").unwrap();
    shop.run(&["plugin", "install", &wasm]).refused("is no signature; one line is right");
    shop.run(&["plugin", "sign", "--key", &key, &wasm]).done();
    shop.run(&["plugin", "install", &wasm]).done();
    shop.run(&["plugin", "activate", "welcome-gift"]).refused("`--actor`");
    shop.run(&["plugin", "activate", "welcome-gift", "--actor", "ann"]).done();
    assert!(shop.run(&["plugin", "list", "--site", "main"]).done().out.contains("ann proposes 1.0.0"));
    shop.run(&["plugin", "approve", "welcome-gift", "--actor", "bert"]).refused("names no version");
    shop.run(&["plugin", "approve", "welcome-gift@1.0.0", "--actor", "ann"]).refused("somebody else");
    shop.run(&["plugin", "approve", "welcome-gift@2.0.0", "--actor", "bert"]).refused("what is proposed is 1.0.0");
    let approved = shop.run(&["plugin", "approve", "welcome-gift@1.0.0", "--actor", "bert", "--json"]).json();
    assert_eq!((&approved["active"], &approved["versions"][0]["signed_by"]), (&json!("1.0.0"), &json!(public)));
    // Of a site that demands nothing a host takes signed ones only, if it was told so.
    let other = Shop::open();
    other.run(&["plugin", "install", &component("tests/welcome-gift-v2.wasm")]).done();
    let activate = ["plugin", "activate", "welcome-gift"];
    other.run(&[&activate[..], &["--require-signed-plugins"]].concat()).refused("is not signed");
    other.run(&activate).done();
    // A folder is taken whole; one without components is refused.
    let folder = shop.0.path().join("folder");
    fs::create_dir(&folder).unwrap();
    shop.run(&["plugin", "install", &folder.display().to_string()]).refused("has no .wasm files");
}

#[test]
fn a_component_is_checked_with_fixtures() {
    let shop = Shop::open();
    let folder = shop.0.path().join("fixtures");
    fs::create_dir(&folder).unwrap();
    let folder = folder.display().to_string();
    let wasm = component("tests/welcome-gift-v1.wasm");
    let check = ["plugin", "check", &wasm, "--fixtures", &folder];
    shop.run(&check).refused("no ");
    let fixture = |due: &str| {
        let quote = json!({
            "order": { "currency": "USD", "total": "5.00", "lines": [{ "total": "5.00" }] },
            "programmes": [{ "code_name": "p", "conditions": [{ "plugin": "welcome-gift", "settings": { "products": 1 } }] }],
            "cards": [{ "id": "A", "programme": "p", "balance": "2.00" }],
        });
        json!({ "about": "One product.", "now": "2026-11-22T12:00:00Z",
            "steps": [{ "quote": quote, "claims": { "due": due } }] })
    };
    fs::write(format!("{folder}/one.json"), fixture("3.00").to_string()).unwrap();
    let checked = shop.run(&check).done().out;
    assert!(checked.contains("1 fixtures, each question twice: 0 failed"), "{checked}");
    fs::write(format!("{folder}/one.json"), fixture("2.00").to_string()).unwrap();
    shop.run(&check).refused("`due`");
}
