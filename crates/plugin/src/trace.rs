//! The explanation of a condition, written only if somebody asked. Must not change an answer.

use crate::types::Step;

/// Collects steps.
pub struct Trace {
    steps: Option<Vec<Step>>,
}

impl Trace {
    pub(crate) fn new(explain: bool) -> Self {
        Self { steps: explain.then(Vec::new) }
    }

    pub(crate) fn into_steps(self) -> Vec<Step> {
        self.steps.unwrap_or_default()
    }

    /// Whether anybody asked: work that only serves the explanation can be left out otherwise.
    #[must_use]
    pub fn wanted(&self) -> bool {
        self.steps.is_some()
    }

    /// A step about the order as a whole: what was checked, whether it was as needed, what was seen, what was needed.
    pub fn order(&mut self, check: &str, passed: bool, seen: impl ToString, needed: impl ToString) {
        self.step(None, check, passed, &seen, &needed);
    }

    /// The same about one card.
    pub fn card(&mut self, card: usize, check: &str, passed: bool, seen: impl ToString, needed: impl ToString) {
        self.step(Some(card as u32), check, passed, &seen, &needed);
    }

    fn step(&mut self, card: Option<u32>, check: &str, passed: bool, seen: &dyn ToString, needed: &dyn ToString) {
        if let Some(steps) = &mut self.steps {
            let (seen, needed) = (seen.to_string(), needed.to_string());
            steps.push(Step { card, check: check.to_string(), passed, seen, needed });
        }
    }
}
