//! The case files on a ledger: what each question says of site, programmes and cards is stood up in a ledger, paid or
//! refunded through the desk, and compared with the decision of the case. Must not know what is right: the files say it.
//!
//! All questions share one ledger. Each has sites of its own, whose names begin with its number, and everything happens
//! in the order of its moment, since a ledger's clock never goes back. So the books at the end are also a proof that
//! nothing crosses sites.

mod pay;
mod refund;
mod stand;

use std::collections::BTreeMap;

use giftcard::input::Instant;
use giftcard_engine::moment::InstantMs;
use serde_json::Value;

use crate::both::Fresh;
use crate::cases::{Case, Question, find, project, rules_folder};
use crate::shop::Shop;

/// 2020-01-01T00:00:00Z: when cards are issued whose case does not say when.
const EARLY: InstantMs = 1_577_836_800_000;

/// A question of a case: what is asked, and what is expected.
pub(crate) struct Asked {
    /// The case and the place of the question in it, as `currency/yen-have-no-decimals.json 1`.
    pub(crate) name: String,
    /// Its number: its sites have it in front of their names.
    pub(crate) number: usize,
    pub(crate) now: InstantMs,
    pub(crate) question: Question,
    pub(crate) expected: Result<Value, Value>,
}

/// What is done on the ledger for one question.
enum Task {
    Pay(pay::Payment),
    Refund(refund::Refund),
    /// A document that is refused before anything is looked up.
    Document(pay::WrongDocument),
}

/// What became of the cases.
#[derive(Debug, Default)]
pub struct Report {
    /// Questions that were stood up and compared.
    pub compared: usize,
    /// Questions that no ledger can be asked, each with the reason.
    pub impossible: BTreeMap<String, String>,
    /// What is not as the cases say, each with its question.
    pub wrong: Vec<String>,
}

/// Stands up every case, and compares what the ledger does with what the cases say.
///
/// # Panics
/// Where a case cannot be read, or the books are not sound at the end.
#[must_use]
pub fn run(fresh: &Fresh) -> Report {
    let shop = Shop::beside(fresh, 1);
    let mut report = Report::default();
    let mut tasks = Vec::new();
    for asked in all_asked() {
        match task(&asked) {
            Ok(task) => tasks.push((asked, task)),
            Err(reason) => drop(report.impossible.insert(asked.name, reason)),
        }
    }
    for (asked, task) in &mut tasks {
        if let Err(problem) = task.standing().set_up(&shop) {
            report.wrong.push(format!("{}: cannot be set up: {problem}", asked.name));
        }
    }
    issue_in_order(&shop, &mut tasks, &mut report);
    tasks.sort_by_key(|(asked, _)| asked.now);
    for (asked, task) in &tasks {
        shop.set_now(asked.now);
        let problems = match task {
            Task::Pay(payment) => payment.compare(&shop),
            Task::Refund(refund) => refund.compare(&shop),
            Task::Document(document) => document.compare(&shop),
        };
        report.compared += 1;
        report.wrong.extend(problems.into_iter().map(|problem| format!("{}: {problem}", asked.name)));
    }
    shop.check_books();
    report
}

/// Every question of every case of the rules.
fn all_asked() -> Vec<Asked> {
    let mut all = Vec::new();
    let folder = rules_folder();
    for path in find(&folder).unwrap() {
        let case = Case::read(&path).unwrap();
        let shown = path.strip_prefix(&folder).or_else(|_| path.strip_prefix(project())).unwrap_or(&path);
        for (place, step) in case.steps.into_iter().enumerate() {
            let own_now = match &step.question {
                Question::Quote(quote) => quote["now"].as_str().and_then(|now| Instant(now.to_string()).at().ok()),
                Question::Refund(_) => None,
            };
            all.push(Asked {
                name: format!("{} {place}", shown.display()),
                number: all.len(),
                now: own_now.unwrap_or(case.now_ms),
                question: step.question,
                expected: step.expected.unwrap_or_else(|| panic!("{}: has no decision", path.display())),
            });
        }
    }
    all
}

fn task(asked: &Asked) -> Result<Task, String> {
    match (&asked.question, &asked.expected) {
        (Question::Quote(quote), Ok(decision)) => pay::Payment::of(asked, quote, decision).map(Task::Pay),
        (Question::Quote(quote), Err(error)) => pay::WrongDocument::of(asked, quote, error).map(Task::Document),
        (Question::Refund(refund), expected) => refund::Refund::of(asked, refund, expected).map(Task::Refund),
    }
}

impl Task {
    fn standing(&mut self) -> &mut stand::Standing {
        match self {
            Self::Pay(payment) => &mut payment.standing,
            Self::Refund(refund) => &mut refund.standing,
            Self::Document(document) => &mut document.standing,
        }
    }
}

/// Issues the cards of all questions, the earliest first.
fn issue_in_order(shop: &Shop, tasks: &mut [(Asked, Task)], report: &mut Report) {
    let mut cards: Vec<(&str, &mut stand::StandingCard)> = Vec::new();
    let mut afterwards = Vec::new();
    for (asked, task) in tasks.iter_mut() {
        let standing = task.standing();
        afterwards.push((asked.name.as_str(), &standing.switched_off));
        cards.extend(standing.cards.iter_mut().map(|card| (asked.name.as_str(), card)));
    }
    cards.sort_by_key(|(_, card)| card.issued_at);
    for (name, card) in cards {
        if let Err(problem) = card.issue(shop) {
            report.wrong.push(format!("{name}: card `{}` cannot be issued: {problem}", card.name));
        }
    }
    for (name, programmes) in afterwards {
        for (site, programme) in programmes {
            if let Err(error) = shop.desk.enable_programme(site, programme, false) {
                report.wrong.push(format!("{name}: {error}"));
            }
        }
    }
}
