//! A case as a file: what it may contain, and how its decisions are written. Must not run it.

use std::fs;
use std::path::{Path, PathBuf};

use giftcard::input::Instant;
use serde::Deserialize;
use serde_json::{Map, Value};

/// A case.
#[derive(Clone, Debug)]
pub struct Case {
    /// Its file.
    pub path: PathBuf,
    /// Where it comes from.
    pub source: String,
    /// Where systems differ: which way was chosen.
    pub decided: Option<String>,
    /// The moment to decide at, where the document names none.
    pub now_ms: i64,
    /// What is asked, one after the other.
    pub steps: Vec<Step>,
    text: String,
    document: Value,
}

/// A question and what is expected.
#[derive(Clone, Debug)]
pub struct Step {
    /// What is asked.
    pub question: Question,
    /// What the source says of the answer.
    pub claims: Map<String, Value>,
    /// The complete answer; none if it was never written.
    pub expected: Option<Result<Value, Value>>,
}

/// What is asked.
#[derive(Clone, Debug)]
pub enum Question {
    /// The input of a quote.
    Quote(Value),
    /// The input of a refund.
    Refund(Value),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CaseFile {
    about: String,
    source: String,
    now: String,
    note: Option<String>,
    decided: Option<String>,
    steps: Vec<StepFile>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct StepFile {
    quote: Option<Value>,
    refund: Option<Value>,
    #[serde(default)]
    claims: Map<String, Value>,
    decision: Option<Value>,
    error: Option<Value>,
}

impl Case {
    /// Reads a case.
    ///
    /// # Errors
    /// Whatever makes it no case: a field that is missing or unknown, no step, or nothing that it claims.
    pub fn read(path: &Path) -> Result<Self, String> {
        let text = fs::read_to_string(path).map_err(|error| error.to_string())?;
        let file: CaseFile = serde_json::from_str(&text).map_err(|error| error.to_string())?;
        let document: Value = serde_json::from_str(&text).map_err(|error| error.to_string())?;
        let notes = [Some(&file.about), Some(&file.source), file.note.as_ref(), file.decided.as_ref()];
        if notes.into_iter().flatten().any(|note| note.trim().is_empty()) {
            return Err("`about`, `source`, `note` and `decided` must say something where they are there".into());
        }
        let now_ms = Instant(file.now).at().map_err(|error| format!("`now`: {error}"))?;
        let steps = file.steps.into_iter().enumerate();
        let steps: Vec<Step> = steps
            .map(|(index, step)| Step::of(step).map_err(|problem| format!("steps[{index}]: {problem}")))
            .collect::<Result<_, _>>()?;
        if steps.iter().all(|step| step.claims.is_empty()) {
            return Err("claims nothing: say in `claims` what the source says".into());
        }
        // A key that stands twice would vanish.
        let bare = |text: &str| text.split_ascii_whitespace().collect::<String>();
        if bare(&text) != bare(&pretty(&document)) {
            return Err("has a key twice, or text that is escaped without need".into());
        }
        let (source, decided) = (file.source, file.decided);
        Ok(Self { path: path.to_path_buf(), source, decided, now_ms, steps, text, document })
    }

    /// Whether the file looks as [`Self::write`] leaves it.
    pub(super) fn is_formatted(&self) -> bool {
        self.text == pretty(&self.document) + "\n"
    }

    /// Writes the file with these answers, one for each step. Everything else stays as it is. Says whether anything
    /// changed.
    pub(super) fn write(mut self, answers: Vec<Result<Value, Value>>) -> std::io::Result<bool> {
        let steps = self.document.get_mut("steps").and_then(Value::as_array_mut).into_iter().flatten();
        for (step, answer) in steps.zip(answers) {
            let (name, other, answer) = match answer {
                Ok(decision) => ("decision", "error", decision),
                Err(error) => ("error", "decision", error),
            };
            if let Some(step) = step.as_object_mut() {
                step.shift_remove(other);
                step.insert(name.to_string(), answer);
            }
        }
        let changed = !self.is_formatted();
        if changed {
            fs::write(&self.path, pretty(&self.document) + "\n")?;
        }
        Ok(changed)
    }
}

impl Step {
    fn of(file: StepFile) -> Result<Self, String> {
        let question = match (file.quote, file.refund) {
            (Some(quote), None) => Question::Quote(quote),
            (None, Some(refund)) => Question::Refund(refund),
            _ => return Err("asks either for a `quote` or for a `refund`".into()),
        };
        let expected = match (file.decision, file.error) {
            (Some(_), Some(_)) => return Err("has a `decision` and an `error`; it can have one".into()),
            (Some(decision), None) => Some(Ok(decision)),
            (None, Some(error)) => Some(Err(error)),
            (None, None) => None,
        };
        Ok(Self { question, claims: file.claims, expected })
    }
}

/// JSON as it stands in a case file.
pub(super) fn pretty(value: &Value) -> String {
    serde_json::to_string_pretty(value).expect("INVARIANT: a tree of values can be written")
}
