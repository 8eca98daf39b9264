//! What an author of a condition in JavaScript, TypeScript or Python does with the built binary, and what becomes of their
//! mistakes. The tools come out of `target/authoring`, where `cargo xtask setup` puts them; nothing here needs a network.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "tests")]

#[path = "authoring/machine.rs"]
mod machine;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

use machine::{Author, Run, edit, tools_of_other_languages_are_there};
use serde_json::{Value, json};

/// 2^53 - 1 cents: the greatest amount there is.
const GREATEST: &str = "90071992547409.91";

/// A new project whose own fixtures pass.
fn begun(author: &Author, language: &str) -> PathBuf {
    tools_of_other_languages_are_there();
    let begun = Instant::now();
    author.giftcard(author.home.path(), &["plugin", "new", "lucky-days", "--lang", language]).succeeded();
    let project = author.path("lucky-days");
    let tested = author.giftcard(&project, &["plugin", "test"]).succeeded();
    println!("{language}, from nothing to tested fixtures: {:.1} s", begun.elapsed().as_secs_f64());
    assert!(tested.out.contains("2 fixtures, 0 failed"), "{}", tested.out);
    project
}

/// What is bound to the day decides how the condition behaves: the projects' own rule gives way to a row of mistakes.
fn quote(total: &str, day: &str) -> Value {
    json!({
        "order": { "currency": "USD", "total": total, "lines": [{ "total": total, "sku": "A-1" }] },
        "programmes": [{ "code_name": "gift", "conditions": [{ "plugin": "lucky-days", "settings": { "days": [day] } }] }],
        "cards": [{ "id": "A", "programme": "gift", "balance": GREATEST }],
    })
}

fn run(author: &Author, project: &Path, total: &str, day: &str) -> Run {
    fs::write(project.join("order.json"), quote(total, day).to_string()).unwrap();
    author.giftcard(project, &["plugin", "run", "lucky-days.wasm", "--input", "order.json"])
}

/// The same in every language, with a mistake for every day of the week.
fn check_mistakes(author: &Author, project: &Path, exception: &str) {
    run(author, project, GREATEST, "Thursday").succeeded_with(&format!("accept up to {GREATEST}"));
    let failed = |day: &str, why: &str| {
        let run = run(author, project, "35.00", day);
        run.failed_with(3, why);
        run
    };
    let failure = "it answered with a failure";
    failed("Sunday", exception);
    failed("Wednesday", &format!("{failure}, `no-idea`: not on Wednesdays"));
    failed("Tuesday", &format!("{failure}, `not-whole`: an amount is 0.5; it must be a whole number within 2^53 - 1"));
    failed("Monday", &format!("{failure}, `no-verdict`: "));
    failed("Saturday", "it used up its 50000000 units of fuel");
    run(author, project, "35.00", "Friday").succeeded_with("log info: cards: 1, without a sku");
    // One process, one sandbox after another: what fails leaves nothing behind.
    let step = |day: &str, claims: Value| json!({ "quote": quote("35.00", day), "claims": claims });
    let refused = || json!({ "outcome": { "A": "refused" }, "code": { "A": "condition-failed" }, "due": "35.00" });
    let paid = || json!({ "applied": { "A": "35.00" }, "due": "0.00" });
    let days = [("Saturday", refused()), ("Thursday", paid()), ("Sunday", refused()), ("Thursday", paid())];
    let steps: Vec<Value> = days.into_iter().map(|(day, claims)| step(day, claims)).collect();
    let case = json!({ "about": "Mistakes and what follows them.", "now": "2026-06-04T12:00:00Z", "steps": steps });
    fs::remove_dir_all(project.join("fixtures")).unwrap();
    fs::create_dir(project.join("fixtures")).unwrap();
    fs::write(project.join("fixtures/mistakes.json"), case.to_string()).unwrap();
    let test = ["plugin", "test", "--component", "lucky-days.wasm", "--junit", "junit.xml", "--bless"];
    author.giftcard(project, &test).succeeded();
    assert!(fs::read_to_string(project.join("junit.xml")).unwrap().contains("name=\"mistakes\""));
    author.giftcard(project, &["plugin", "test", "--component", "lucky-days.wasm"]).succeeded_with("mistakes ... ok");
}

/// As a merchant uses it: refused until it is granted what it asks for, by name.
fn check_grant(author: &Author, project: &Path, asked: &str) {
    let plugins = author.path("plugins");
    fs::create_dir_all(&plugins).unwrap();
    fs::copy(project.join("lucky-days.wasm"), plugins.join("lucky-days.wasm")).unwrap();
    fs::write(author.path("order.json"), quote("35.00", "Thursday").to_string()).unwrap();
    let quote = |more: &[&str]| {
        let arguments = [&["quote", "--plugins", "plugins", "order.json"], more].concat();
        author.giftcard(author.home.path(), &arguments)
    };
    let refused = quote(&[]);
    for text in [asked, "granted is nothing beyond the standard limits", "with `--grant-limits lucky-days`"] {
        refused.failed_with(1, text);
    }
    quote(&["--grant-limits", "lucky-days"]).succeeded_with("35.00");
    quote(&["--grant-limits", "lucky-nights"]).failed_with(1, "there is no `lucky-nights.wasm` in `plugins`");
    let inspect = author.giftcard(&plugins, &["plugin", "inspect", "lucky-days.wasm"]).succeeded();
    assert!(inspect.out.contains("`--grant-limits lucky-days`"), "{}", inspect.out);
}

fn check_missing_tools(author: &Author, project: &Path, language: &str, tool: &str, install: &str) {
    let home = author.home.path();
    author.giftcard(home, &["plugin", "new", "untouched", "--lang", language]).succeeded();
    author.giftcard(&author.path("untouched"), &["plugin", "build", "--offline"]).failed_with(1, install);
    let mut without = author.command(env!("CARGO_BIN_EXE_giftcard"), &author.path("untouched"), &["plugin", "build"]);
    Run::from(without.env("PATH", home).output().unwrap()).failed_with(1, tool);
    assert!(project.join("lucky-days.wasm").is_file());
}

#[test]
fn javascript_from_nothing_to_its_mistakes() {
    let author = Author::new();
    let project = begun(&author, "js");
    let built = author.giftcard(&project, &["plugin", "build", "--offline", "--json"]).succeeded();
    let built: Value = serde_json::from_str(&built.out).unwrap();
    let imports = json!(["giftcard:rules/log@0.1.0", "giftcard:rules/types@0.1.0"]);
    assert_eq!((&built["id"], &built["imports"], built.get("limits")), (&json!("lucky-days"), &imports, None));
    check_missing_tools(&author, &project, "js", "Node.js 20 or newer (`node`, `npm`) is missing", "npm install");

    let source = project.join("src/plugin.js");
    let mistakes = "
        if (days.includes(\"Sunday\")) request.order.nothing.at(0);
        if (days.includes(\"Wednesday\")) throw new Failure(\"no-idea\", \"not on Wednesdays\");
        if (days.includes(\"Tuesday\")) return everyCard(request, { tag: \"accept-up-to\", val: 0.5 });
        if (days.includes(\"Friday\"))
            console.log(`cards: ${request.cards.length},`, request.order.lines[0].sku ? \"with\" : \"without\", \"a sku\");
        else if (request.order.lines) throw new Failure(\"lines\", \"on a day that does not ask for them\");
        while (days.includes(\"Saturday\"));
        if (days.includes(\"Thursday\")) return everyCard(request, acceptUpTo(request.order.total));
        if (days.includes(\"Monday\")) return [{ tag: \"acceptUpTo\", val: 100 }];
        const today";
    edit(&source, "const today", mistakes);
    edit(&source, "{ accept,", "{ Failure, accept, acceptUpTo,");
    let needs =
        "needs: [\"lines.sku\"], needsOf: ({ days }) => days.includes(\"Friday\") ? [\"lines\"] : [],\n    evaluate(";
    edit(&source, "evaluate(", needs);
    author.giftcard(&project, &["plugin", "build", "--offline"]).succeeded();
    check_mistakes(
        &author,
        &project,
        "it answered with a failure, `exception`: TypeError: cannot read property 'at' of undefined",
    );

    for (from, to, why) in [
        (
            "request.order.total",
            "Date.now()",
            "`no-clock`: there is no clock; `request.now` is the moment of the question",
        ),
        ("Date.now()", "new Date().getTime()", "`no-clock`"),
        ("new Date().getTime()", "Math.random()", "`no-random`: there are no random numbers"),
        ("Math.random()", "new Date(2026, 5, 4).getDay()", "accept up to 0.04 USD"),
    ] {
        edit(&source, &format!("acceptUpTo({from})"), &format!("acceptUpTo({to})"));
        author.giftcard(&project, &["plugin", "build", "--offline"]).succeeded();
        let run = run(&author, &project, "35.00", "Thursday");
        assert!(run.out.contains(why), "{}", run.out);
    }

    // A plugin in JavaScript needs no more than the standard; one that asks for more is held to the grant all the same.
    edit(&project.join("giftcard.json"), "\"javascript\"", "\"javascript\", \"limits\": { \"fuel\": 60000000 }");
    author.giftcard(&project, &["plugin", "build", "--offline"]).succeeded();
    run(&author, &project, "35.00", "Saturday").failed_with(3, "it used up its 60000000 units of fuel");
    check_grant(&author, &project, "it asks for 60,000,000 units of fuel a call");
    for (from, to, why) in [
        ("60000000", "1e6", "limits: `fuel` is"),
        ("1e6", "3000000000", "limits: `fuel` is 3000000000; more than 2000000000 cannot be granted"),
        ("\"fuel\"", "\"stack\"", "limits: `stack` is no limit; known are `fuel`"),
        ("\"javascript\"", "\"cobol\"", "unknown variant `cobol`"),
    ] {
        edit(&project.join("giftcard.json"), from, to);
        author.giftcard(&project, &["plugin", "build", "--offline"]).failed_with(1, why);
    }
    edit(&project.join("giftcard.json"), "\"cobol\", \"limits\": { \"stack\": 3000000000 }", "\"javascript\"");
    edit(&source, "const today", "const today = today.;");
    author
        .giftcard(&project, &["plugin", "build", "--offline"])
        .failed_with(1, "`componentize-qjs --js src/plugin.js` did not work");
}

#[test]
fn the_example_of_the_documentation_works() {
    let (author, page) = (Author::new(), include_str!("../../../docs/plugins/javascript.md"));
    let project = begun(&author, "js");
    let example = page.split("```js\n").nth(1).and_then(|rest| rest.split("```").next()).unwrap();
    fs::write(project.join("src/plugin.js"), example).unwrap();
    author.giftcard(&project, &["plugin", "build", "--offline"]).succeeded();
    let line = |category: &str| json!({ "total": "10.00", "unit_price": "10.00", "categories": [category] });
    for (second, expected) in
        [("books", "A: accept"), ("toys", "A: reject too-few-books: the card is for orders of 2 books or more")]
    {
        let order = json!({ "currency": "USD", "total": "20.00", "lines": [line("books"), line(second)] });
        let conditions = json!([{ "plugin": "at-least-two-books" }]);
        let programmes = json!([{ "code_name": "gift", "conditions": conditions }]);
        let cards = json!([{ "id": "A", "programme": "gift", "balance": "50.00" }]);
        let document = json!({ "order": order, "programmes": programmes, "cards": cards });
        fs::write(project.join("order.json"), document.to_string()).unwrap();
        let run = ["plugin", "run", "lucky-days.wasm", "--input", "order.json"];
        author.giftcard(&project, &run).succeeded_with(expected);
    }
}

#[test]
fn typescript_is_checked_against_the_contract() {
    let author = Author::new();
    let project = begun(&author, "ts");
    let source = project.join("src/plugin.ts");
    let build = || author.giftcard(&project, &["plugin", "build", "--offline"]);
    // Every field of the contract has its type: an option may be null, and an amount is a number.
    for (wrong, why) in [
        ("request.order.goods + 1", "'request.order.goods' is possibly 'null'"),
        ("request.order.total.amount", "Property 'amount' does not exist on type 'number'"),
        (
            "request.order.lines?.[0]?.productTyp",
            "Property 'productTyp' does not exist on type 'Line'. Did you mean 'productType'?",
        ),
        ("accept.tag === \"accepted\"", "This comparison appears to be unintentional"),
    ] {
        edit(&source, "const today", &format!("const wrong = {wrong};\n        const today"));
        let failed = build();
        failed.failed_with(1, why);
        failed.failed_with(1, "src/plugin.ts");
        edit(&source, &format!("const wrong = {wrong};\n        "), "");
    }
    let right = "const limit = Math.min(request.order.goods ?? request.order.total, request.cards[0]?.available ?? 0);\n        const today";
    edit(&source, "const today", right);
    edit(&source, "passed ? accept", "passed ? acceptUpTo(limit)");
    edit(&source, "days.includes(today)", "days.length > 0");
    edit(&source, "{ accept,", "{ acceptUpTo,");
    build().succeeded();
    run(&author, &project, GREATEST, "Thursday").succeeded_with(&format!("accept up to {GREATEST}"));
    edit(&source, "days.length > 0", "days.includes(today)");
    author.giftcard(&project, &["plugin", "test", "--offline"]).succeeded();
}

#[test]
fn python_from_nothing_to_its_mistakes() {
    let author = Author::new();
    let project = begun(&author, "python");
    check_missing_tools(
        &author,
        &project,
        "python",
        "Python 3.10 or newer (`python3`) is missing",
        "python3 -m venv .venv",
    );
    check_grant(&author, &project, "bytes of component");
    assert!(project.join("bindings/wit_world/exports/condition.py").is_file(), "for editors");

    let source = project.join("src/plugin.py");
    let mistakes = "    if \"Sunday\" in settings[\"days\"]:
        request.order.nothing.at(0)
    if \"Wednesday\" in settings[\"days\"]:
        raise CannotDecide(\"no-idea\", \"not on Wednesdays\")
    if \"Tuesday\" in settings[\"days\"]:
        return every_card(request, accept_up_to(0.5))
    if \"Monday\" in settings[\"days\"]:
        return every_card(request, None)
    if \"Friday\" in settings[\"days\"]:
        print(f\"cards: {len(request.cards)},\", \"with\" if request.order.lines[0].sku else \"without\", \"a sku\")
    elif request.order.lines is not None:
        raise CannotDecide(\"lines\", \"on a day that does not ask for them\")
    while \"Saturday\" in settings[\"days\"]:
        pass
    if \"Thursday\" in settings[\"days\"]:
        return every_card(request, accept_up_to(request.order.total))
    today, days";
    edit(&source, "    today, days", mistakes);
    edit(&source, "import accept,", "import CannotDecide, accept, accept_up_to,");
    let needs = "needs=[\"lines.sku\"],
    needs_of=lambda settings: [\"lines\"] if \"Friday\" in settings[\"days\"] else [],
    evaluate=evaluate";
    edit(&source, "evaluate=evaluate", needs);
    author.giftcard(&project, &["plugin", "build", "--offline"]).succeeded();
    check_mistakes(
        &author,
        &project,
        "it answered with a failure, `exception`: AttributeError: 'Order' object has no attribute 'nothing' at evaluate (plugin.py:12)",
    );
}
