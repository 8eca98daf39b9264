//! A quote as JSON.

use std::collections::BTreeMap;

use giftcard_engine::quote::{
    CARD_NOT_USABLE, CardOutcome, CardShare, ConditionRun, FailureTreatment, Quote, QuoteStep, public_code,
};
use giftcard_engine::{Minor, QuoteRequest};
use giftcard_host::Quoted;
use schemars::JsonSchema;
use serde::Serialize;

use super::RulesOutput;
use crate::input::{Amount, Attribute};

/// What a shopper is told instead of a message that would tell whether a card exists, or what became of it.
pub(crate) const PUBLIC_MESSAGE: &str = "This gift card cannot be used.";

/// What each card pays for an order, and what is still due.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(rename = "Quote")]
pub struct QuoteOutput {
    /// The order's id, if it has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub order: Option<String>,
    /// The order's currency.
    pub currency: String,
    /// What the order costs.
    pub total: Amount,
    /// What was paid already by other means.
    pub paid: Amount,
    /// What all cards pay together.
    pub applied: Amount,
    /// What another payment method has to pay.
    pub due: Amount,
    /// Whether another payment method is needed. Without, the order can be confirmed as it is.
    pub payment_required: bool,
    /// The cards that are used or not needed, in the order in which they had their turn. Refused ones had none.
    pub order_of_use: Vec<String>,
    /// What became of each card, as entered.
    pub cards: Vec<CardOutput>,
    /// Every condition that was asked.
    pub conditions: Vec<ConditionOutput>,
    /// What was checked; only if explained.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub steps: Option<Vec<StepOutput>>,
    /// What was run.
    pub rules: RulesOutput,
}

/// What became of a card. `code`, `message`, `by`, `arguments` and `left` are for staff and for the owner who is signed in:
/// a shopper who only typed a code is shown `public_code` and `public_message`, which do not tell whether it exists.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(rename = "CardShare")]
pub struct CardOutput {
    /// What the card is called.
    pub id: String,
    /// What became of it.
    pub outcome: CardOutcomeOutput,
    /// For an entry that repeats an earlier one: the card it repeats.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub repeats: Option<String>,
    /// Why it is refused: a stable kebab-case code. For staff and the owner who is signed in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// The code that a shopper may see, which does not tell whether a card exists.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub public_code: Option<String>,
    /// Why it is refused. For staff and the owner who is signed in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// The message that a shopper may see: a general one where `public_code` is `card-not-usable`, otherwise `message`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub public_message: Option<String>,
    /// The condition plugin that refused it; none for the rules themselves.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// What the message names.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub arguments: Option<BTreeMap<String, Attribute>>,
    /// What it pays, in the order's currency.
    pub applied: Amount,
    /// What is taken from it, in its own currency.
    pub taken: Amount,
    /// What is still available on it, in its own currency. Of a refused card it is for staff and the owner who is
    /// signed in.
    pub left: Amount,
    /// The card's own currency.
    pub currency: String,
    /// For a card in another currency: what `left` is worth in the order's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub left_here: Option<Amount>,
    /// There and true where something is left that is worth nothing in the order's currency. Without an exchange rate
    /// it is not known what it is worth, and this is not there.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub not_spendable_here: bool,
    /// For a card in another currency: minor units of the order's for one of the card's, as a fraction such as "1/3".
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rate: Option<String>,
}

/// What became of a card, in a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(rename = "Outcome")]
pub enum CardOutcomeOutput {
    /// It pays.
    Used,
    /// It could pay, but others have paid already.
    NotNeeded,
    /// It may not pay.
    Refused,
    /// It is the same card as an earlier entry.
    Repeated,
}

/// A condition that was asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(rename = "ConditionRun")]
pub struct ConditionOutput {
    /// The plugin.
    pub plugin: String,
    /// The cards it was asked about.
    pub cards: Vec<String>,
    /// How it failed, if it did; saying no is no failure.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failure: Option<FailureOutput>,
}

/// How a condition failed, and what that meant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(rename = "Failure")]
pub struct FailureOutput {
    /// Stable kebab-case code.
    pub code: String,
    /// Plugin, version and cause.
    pub message: String,
    /// What it meant for the cards.
    pub treatment: TreatmentOutput,
}

/// What a failed condition meant for its cards.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(rename = "Treatment")]
pub enum TreatmentOutput {
    /// They were refused.
    Refused,
    /// It was passed over.
    Ignored,
    /// The previous version decided.
    Previous,
}

/// Something that was checked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(rename = "Step")]
pub struct StepOutput {
    /// The card; none for what concerns the order.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub card: Option<String>,
    /// The condition plugin that checked it; none for the rules themselves.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// What was checked.
    pub check: String,
    /// Whether it was as needed.
    pub passed: bool,
    /// What was there.
    pub seen: String,
    /// What would have been right.
    pub needed: String,
}

impl QuoteOutput {
    /// A quote in the words of its request.
    #[must_use]
    pub fn of(request: &QuoteRequest, quoted: Quoted, explained: bool) -> Self {
        let (order, quote) = (&request.order, &quoted.quote);
        let amount = |amount: Minor| Amount::of(amount, order.currency);
        let id = |card: usize| request.cards[card].id.clone();
        let step = |step: &QuoteStep| StepOutput {
            card: step.step.card.map(id),
            by: step.plugin.as_deref().map(plugin_name),
            check: step.step.check.clone(),
            passed: step.step.passed,
            seen: step.step.seen.clone(),
            needed: step.step.needed.clone(),
        };
        Self {
            order: order.id.clone(),
            currency: order.currency.to_string(),
            total: amount(order.total),
            paid: amount(order.paid),
            applied: amount(quote.applied),
            due: amount(quote.due),
            payment_required: quote.payment_required(),
            order_of_use: quote
                .order_of_use
                .iter()
                .filter(|&&card| had_a_turn(quote, card))
                .map(|&card| id(card))
                .collect(),
            cards: (0..request.cards.len()).filter_map(|card| card_output(request, &quoted, card)).collect(),
            conditions: quote.conditions.iter().map(|run| condition(request, run)).collect(),
            steps: explained.then(|| quote.steps.iter().map(step).collect()),
            rules: RulesOutput::of(quoted.calls, quoted.engine.to_string()),
        }
    }

    /// Whether a condition failed instead of deciding.
    #[must_use]
    pub fn has_failures(&self) -> bool {
        self.conditions.iter().any(|condition| condition.failure.is_some())
    }
}

fn had_a_turn(quote: &Quote, card: usize) -> bool {
    let share = quote.shares.iter().find(|share| share.card == card);
    share.is_some_and(|share| !matches!(share.outcome, CardOutcome::Refused(_)))
}

/// What became of the entry at `index`. INVARIANT of the engine: each has a share, or repeats one that has.
fn card_output(request: &QuoteRequest, quoted: &Quoted, index: usize) -> Option<CardOutput> {
    let quote = &quoted.quote;
    let share_of = |card: usize| quote.shares.iter().find(|share| share.card == card);
    if let Some(share) = share_of(index) {
        return Some(of_share(request, share));
    }
    let (_, earlier) = quote.repeated.iter().find(|(repeated, _)| *repeated == index)?;
    let first = of_share(request, share_of(*earlier)?);
    Some(CardOutput {
        id: request.cards[index].id.clone(),
        outcome: CardOutcomeOutput::Repeated,
        repeats: Some(first.id),
        code: None,
        public_code: None,
        message: None,
        public_message: None,
        by: None,
        arguments: None,
        applied: Amount::of(Minor::ZERO, request.order.currency),
        taken: Amount::of(Minor::ZERO, request.cards[index].currency),
        ..first
    })
}

fn of_share(request: &QuoteRequest, share: &CardShare) -> CardOutput {
    let card = &request.cards[share.card];
    let here = request.order.currency;
    let refusal = match &share.outcome {
        CardOutcome::Refused(refusal) => Some(refusal),
        _ => None,
    };
    let public = refusal.map(|refusal| public_code(&refusal.reject.code));
    let message = refusal.map(|refusal| refusal.reject.text());
    let public_message = match public {
        Some(CARD_NOT_USABLE) => Some(PUBLIC_MESSAGE.to_string()),
        _ => message.clone(),
    };
    let arguments = refusal.map(|refusal| &refusal.reject.arguments).filter(|arguments| !arguments.is_empty());
    let argument = |named: &giftcard_engine::value::Named| (named.name.clone(), Attribute::from(&named.value));
    CardOutput {
        id: card.id.clone(),
        outcome: match share.outcome {
            CardOutcome::Used => CardOutcomeOutput::Used,
            CardOutcome::NotNeeded => CardOutcomeOutput::NotNeeded,
            CardOutcome::Refused(_) => CardOutcomeOutput::Refused,
        },
        repeats: None,
        code: refusal.map(|refusal| refusal.reject.code.clone()),
        public_code: public.map(str::to_string),
        message,
        public_message,
        by: refusal.and_then(|refusal| refusal.plugin.as_deref()).map(plugin_name),
        arguments: arguments.map(|arguments| arguments.iter().map(argument).collect()),
        applied: Amount::of(share.applied, here),
        taken: Amount::of(share.taken, card.currency),
        left: Amount::of(share.left, card.currency),
        currency: card.currency.to_string(),
        left_here: share.left_here.filter(|_| card.currency != here).map(|left| Amount::of(left, here)),
        not_spendable_here: !share.left.is_zero() && share.left_here.is_some_and(Minor::is_zero),
        rate: share.rate.map(|rate| format!("{}/{}", rate.numerator(), rate.denominator())),
    }
}

fn condition(request: &QuoteRequest, run: &ConditionRun) -> ConditionOutput {
    let failure = run.failure.as_ref().map(|(failure, treatment)| FailureOutput {
        code: failure.code.clone(),
        message: failure.message.clone(),
        treatment: match treatment {
            FailureTreatment::Refused => TreatmentOutput::Refused,
            FailureTreatment::Ignored => TreatmentOutput::Ignored,
            FailureTreatment::Previous => TreatmentOutput::Previous,
        },
    });
    let cards = run.cards.iter().map(|&card| request.cards[card].id.clone()).collect();
    ConditionOutput { plugin: plugin_name(&run.plugin), cards, failure }
}

/// A plugin as people name it: without the digest of a name that means the very bytes, which is among the calls.
fn plugin_name(name: &str) -> String {
    crate::desk::plugin_parts(name).map_or(name, |(id, _, _)| id).to_string()
}

#[cfg(test)]
mod tests {
    use giftcard_engine::check::Evaluation;
    use giftcard_engine::quote::{ConditionCall, ConditionFacts, ConditionFailure, Evaluator, quote};
    use giftcard_engine::redemption::{Decision, Request, apply};
    use giftcard_engine::value::Named;
    use serde_json::{Value, json};

    use super::*;
    use crate::input::read_quote;
    use crate::input::tests::NoPlugins;

    /// The native rules and no condition.
    struct Native;

    impl Evaluator for Native {
        type Error = giftcard_engine::redemption::Unusable;

        fn facts(&self, _: &str) -> Option<ConditionFacts<'_>> {
            None
        }

        fn settings_in_full(&self, _: &str, settings: &[Named]) -> Vec<Named> {
            settings.to_vec()
        }

        fn evaluate(&mut self, _: &ConditionCall<'_>) -> Result<Result<Evaluation, ConditionFailure>, Self::Error> {
            unreachable!("no condition is bound")
        }

        fn apply(&mut self, request: &Request, explain: bool) -> Result<Decision, Self::Error> {
            apply(request, explain)
        }
    }

    fn answer(input: &Value) -> Value {
        let request = read_quote(&input.to_string(), &NoPlugins, 0).unwrap();
        let quote = quote(&request, &mut Native, false).unwrap();
        let quoted = Quoted { quote, calls: Vec::new(), engine: "native".into() };
        serde_json::to_value(QuoteOutput::of(&request, quoted, false)).unwrap()
    }

    #[test]
    fn the_second_card_pays_only_what_is_still_due() {
        let found = answer(&json!({
            "order": {"id": "1001", "currency": "USD", "total": "35.00"},
            "cards": [{"id": "A", "balance": "15.00"}, {"id": "B", "balance": "40.00"}],
        }));
        let expected = json!({
            "order": "1001", "currency": "USD", "total": "35.00", "paid": "0.00", "applied": "35.00", "due": "0.00",
            "payment_required": false, "order_of_use": ["A", "B"],
            "cards": [
                {"id": "A", "outcome": "used", "applied": "15.00", "taken": "15.00", "left": "0.00", "currency": "USD"},
                {"id": "B", "outcome": "used", "applied": "20.00", "taken": "20.00", "left": "20.00", "currency": "USD"},
            ],
            "conditions": [], "rules": {"calls": [], "engine": "native"},
        });
        assert_eq!(found, expected);
    }

    #[test]
    fn a_converted_card_shows_rate_and_what_cannot_be_spent_here() {
        let found = answer(&json!({
            "site": {"rates": [{"from": "USD", "to": "EUR", "rate": "3"}]},
            "order": {"currency": "USD", "total": "50.00"},
            "cards": [{"currency": "EUR", "balance": "100.00"}],
        }));
        let expected = json!([{
            "id": "card-1", "outcome": "used", "applied": "33.33", "taken": "99.99", "left": "0.01", "currency": "EUR",
            "left_here": "0.00", "not_spendable_here": true, "rate": "1/3",
        }]);
        assert_eq!(found["cards"], expected);
    }

    #[test]
    fn a_refusal_has_both_codes_and_a_repeated_entry_names_the_first() {
        let found = answer(&json!({
            "now": "2026-06-01T00:00:00Z",
            "order": {"currency": "USD", "total": "50.00"},
            "cards": [
                {"code": "AAAA-1", "balance": "5.00", "expires_at": "2026-05-01"},
                {"code": "aaaa 1", "balance": "5.00", "expires_at": "2026-05-01"},
            ],
        }));
        assert_eq!(found["cards"][0]["code"], "card-expired");
        assert_eq!(found["cards"][0]["public_code"], "card-not-usable");
        assert_eq!(found["cards"][0]["message"], "the card ended on 2026-05-01");
        assert_eq!(found["cards"][0]["public_message"], "This gift card cannot be used.");
        assert_eq!(found["cards"][0]["arguments"], json!({"end": "2026-05-01"}));
        assert_eq!(found["order_of_use"], json!([]), "a refused card had no turn");
        let repeated = json!({
            "id": "card-2", "outcome": "repeated", "repeats": "card-1", "applied": "0.00", "taken": "0.00",
            "left": "5.00", "currency": "USD",
        });
        assert_eq!(found["cards"][1], repeated);
        assert!(!found.to_string().to_lowercase().contains("aaaa"), "a code must never be shown");
    }

    #[test]
    fn a_shopper_is_told_why_only_where_that_gives_nothing_away() {
        let found = answer(&json!({
            "site": {"order_of_use": "smallest-balance"},
            "order": {"currency": "USD", "total": "5.00"},
            "programmes": [{"code_name": "p", "minimum_order": "10.00"}],
            "cards": [
                {"id": "A", "balance": "9.00"}, {"id": "closed", "balance": "1.00", "status": "closed"},
                {"id": "small", "balance": "2.00", "programme": "p"}, {"id": "B", "balance": "6.00"},
            ],
        }));
        let told = |card: usize| (&found["cards"][card]["public_code"], &found["cards"][card]["public_message"]);
        assert_eq!(told(0), (&Value::Null, &Value::Null));
        assert_eq!(told(1), (&json!("card-not-usable"), &json!("This gift card cannot be used.")));
        assert_eq!(found["cards"][1]["message"], "the card is closed");
        assert_eq!(told(2), (&json!("minimum-not-met"), &found["cards"][2]["message"]));
        assert!(found["cards"][2]["message"].as_str().unwrap().contains("10.00"), "{}", found["cards"][2]);
        let outcomes: Vec<&Value> = found["cards"].as_array().unwrap().iter().map(|card| &card["outcome"]).collect();
        assert_eq!(outcomes, ["not-needed", "refused", "refused", "used"]);
        assert_eq!(found["order_of_use"], json!(["B", "A"]), "refused cards had no turn");
    }

    #[test]
    fn without_a_rate_nobody_knows_what_is_spendable_here() {
        let found = answer(&json!({
            "order": {"currency": "USD", "total": "50.00"},
            "cards": [{"id": "E", "currency": "EUR", "balance": "100.00"}, {"id": "empty", "balance": "0.00"}],
        }));
        for card in found["cards"].as_array().unwrap() {
            assert_eq!((&card["outcome"], card.get("not_spendable_here")), (&json!("refused"), None), "{card}");
        }
        assert_eq!(found["cards"][0]["code"], "currency-mismatch");
    }
}
