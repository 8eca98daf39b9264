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
    /// Of these, the ones that are decided and not an error.
    pub decided: usize,
    /// Questions that no ledger can be asked, each with the reason.
    pub impossible: BTreeMap<String, String>,
    /// What is not as the cases say, each with its question.
    pub wrong: BTreeMap<String, Vec<String>>,
}

/// Stands up every case, and compares what the ledger does with what the cases say.
///
/// # Panics
/// Where a case cannot be read, or the books are not sound at the end.
#[must_use]
pub fn run(fresh: &Fresh) -> Report {
    run_changed(fresh, &|_| {})
}

/// The same with other answers than the cases have, to see whether that is noticed. Errors stay as they are.
///
/// # Panics
/// As [`run`].
#[must_use]
pub fn run_changed(fresh: &Fresh, change: &dyn Fn(&mut Value)) -> Report {
    let shop = Shop::beside(fresh);
    let mut report = Report::default();
    let mut tasks = Vec::new();
    for mut asked in all_asked() {
        if let Ok(decision) = &mut asked.expected {
            change(decision);
        }
        match task(&asked) {
            Ok(task) => tasks.push((asked, task)),
            Err(reason) => drop(report.impossible.insert(asked.name, reason)),
        }
    }
    for (asked, task) in &mut tasks {
        if let Err(problem) = task.standing().set_up(&shop) {
            report.wrong.insert(asked.name.clone(), vec![format!("cannot be set up: {problem}")]);
        }
    }
    for event in events(&mut tasks) {
        let (asked, task) = &mut tasks[event.task];
        shop.set_now(event.at);
        let problems = match event.card {
            Some(card) => task.standing().cards[card].issue(&shop),
            None => {
                report.compared += 1;
                report.decided += usize::from(asked.expected.is_ok());
                task.compare(&shop)
            }
        };
        if !problems.is_empty() {
            report.wrong.entry(asked.name.clone()).or_default().extend(problems);
        }
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

    /// Asks the ledger, and says what is not as the case says.
    fn compare(&mut self, shop: &Shop) -> Vec<String> {
        if let Err(problem) = self.standing().prepare(shop) {
            return vec![problem];
        }
        match self {
            Self::Pay(payment) => payment.compare(shop),
            Self::Refund(refund) => refund.compare(shop),
            Self::Document(document) => document.compare(shop),
        }
    }
}

/// A card is issued, or a question is asked.
struct Event {
    at: InstantMs,
    task: usize,
    /// The card to issue; none where the question is asked.
    card: Option<usize>,
}

/// Everything that happens, the earliest first; at one moment cards are issued before anything is asked.
fn events(tasks: &mut [(Asked, Task)]) -> Vec<Event> {
    let mut events = Vec::new();
    for (task, (asked, what)) in tasks.iter_mut().enumerate() {
        let cards = what.standing().cards.iter().enumerate();
        events.extend(cards.map(|(card, standing)| Event { at: standing.issued_at, task, card: Some(card) }));
        events.push(Event { at: asked.now, task, card: None });
    }
    events.sort_by_key(|event| (event.at, event.card.is_none()));
    events
}
