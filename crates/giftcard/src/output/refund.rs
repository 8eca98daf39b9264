//! A refund as JSON.

use giftcard_engine::refund::RefundShare;
use giftcard_engine::value::Step;
use giftcard_host::Refunded;
use schemars::JsonSchema;
use serde::Serialize;

use super::RulesOutput;
use crate::input::{Amount, RefundOrder, Tender};

/// Where a refund goes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(rename = "Refund")]
pub struct RefundOutput {
    /// The order's currency.
    pub currency: String,
    /// What goes back.
    pub amount: Amount,
    /// What goes back to each tender, as given.
    pub shares: Vec<RefundShareOutput>,
    /// How the rules came to it; only if explained.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub steps: Option<Vec<RefundStepOutput>>,
    /// What was run.
    pub rules: RulesOutput,
}

/// What goes back to a tender.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(rename = "RefundShare")]
pub struct RefundShareOutput {
    /// What the tender is called.
    pub id: String,
    /// A gift card or another way to pay.
    pub tender: TenderOutput,
    /// What goes back, in the order's currency.
    pub applied: Amount,
    /// What goes back, in the tender's own currency.
    pub taken: Amount,
    /// The tender's own currency.
    pub currency: String,
    /// What can still go back afterwards, in the order's currency.
    pub refundable: Amount,
}

/// Something that led to a share.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(rename = "RefundStep")]
pub struct RefundStepOutput {
    /// The tender; none for what concerns the refund as a whole.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tender: Option<String>,
    /// What was looked at.
    pub check: String,
    /// Whether it was as needed.
    pub passed: bool,
    /// What was there.
    pub seen: String,
    /// What followed, or would have been right.
    pub needed: String,
}

/// A way to pay.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(rename = "TenderKind")]
pub enum TenderOutput {
    /// A gift card.
    Card,
    /// Any other.
    Other,
}

impl RefundOutput {
    /// A refund in the words of its request.
    #[must_use]
    pub fn of(order: &RefundOrder, refunded: Refunded, explained: bool) -> Self {
        // INVARIANT of the host: a step names a payment of the request, and those are the tenders that take part.
        let asked: Vec<&Tender> = order.tenders.iter().filter(|tender| tender.takes_part).collect();
        let step = |step: Step| RefundStepOutput {
            tender: step.card.and_then(|payment| asked.get(payment)).map(|tender| tender.id.clone()),
            check: step.check,
            passed: step.passed,
            seen: step.seen,
            needed: step.needed,
        };
        let steps = explained.then(|| refunded.steps.into_iter().map(step).collect());
        let mut given = refunded.shares.into_iter();
        let shares = order.tenders.iter().map(|tender| {
            let none = RefundShare { applied: Default::default(), taken: Default::default() };
            let share = if tender.takes_part { given.next().unwrap_or(none) } else { none };
            share_output(order, tender, share)
        });
        Self {
            currency: order.currency.to_string(),
            amount: Amount::of(order.request.amount, order.currency),
            shares: shares.collect(),
            steps,
            rules: RulesOutput::of(refunded.calls, refunded.engine.to_string()),
        }
    }
}

fn share_output(order: &RefundOrder, tender: &Tender, share: RefundShare) -> RefundShareOutput {
    RefundShareOutput {
        id: tender.id.clone(),
        tender: if tender.is_card { TenderOutput::Card } else { TenderOutput::Other },
        applied: Amount::of(share.applied, order.currency),
        taken: Amount::of(share.taken, tender.currency),
        currency: tender.currency.to_string(),
        refundable: Amount::of(tender.payment.refundable().less(share.applied), order.currency),
    }
}

#[cfg(test)]
mod tests {
    use giftcard_engine::refund::{explain_refund, refund};
    use serde_json::{Value, json};

    use super::*;
    use crate::input::read_refund;

    fn answer(input: &Value) -> Value {
        let order = read_refund(&input.to_string()).unwrap();
        let shares = refund(&order.request).unwrap();
        let steps = explain_refund(&order.request, &shares);
        let refunded = Refunded { shares, steps, calls: Vec::new(), engine: "native".into() };
        serde_json::to_value(RefundOutput::of(&order, refunded, true)).unwrap()
    }

    #[test]
    fn other_tenders_take_part_only_in_a_refund_of_the_order() {
        let payments = json!([
            {"id": "bank", "tender": "other", "applied": "70.00"},
            {"id": "A", "applied": "30.00", "applied_returned": "10.00"},
        ]);
        let shares = |mode: &str| {
            let found = answer(&json!({"currency": "USD", "mode": mode, "amount": "9.00", "payments": payments}));
            let share = |share: &Value| (share["id"].clone(), share["applied"].clone(), share["refundable"].clone());
            found["shares"].as_array().unwrap().iter().map(share).collect::<Vec<_>>()
        };
        let row = |id: &str, applied: &str, left: &str| (json!(id), json!(applied), json!(left));
        assert_eq!(shares("cards"), [row("bank", "0.00", "70.00"), row("A", "9.00", "11.00")]);
        assert_eq!(shares("order"), [row("bank", "7.00", "63.00"), row("A", "2.00", "18.00")]);
    }

    #[test]
    fn a_card_in_another_currency_gets_its_own_back() {
        let found = answer(&json!({
            "currency": "USD", "mode": "cards", "amount": "33.33",
            "payments": [{"id": "E", "currency": "EUR", "applied": "33.33", "taken": "99.99"}],
        }));
        let share = json!({
            "id": "E", "tender": "card", "applied": "33.33", "taken": "99.99", "currency": "EUR", "refundable": "0.00",
        });
        assert_eq!(found["shares"], json!([share]));
    }

    #[test]
    fn a_step_names_the_tender_it_is_about_though_others_take_no_part() {
        let found = answer(&json!({
            "currency": "KWD", "mode": "cards", "amount": "9.000",
            "payments": [
                {"id": "bank", "tender": "other", "applied": "70.000"}, {"id": "A", "applied": "20.000"},
            ],
        }));
        let step = &found["steps"][0];
        assert_eq!((&step["tender"], found["steps"].as_array().unwrap().len()), (&json!("A"), 1));
        assert!(step["needed"].as_str().unwrap().contains("9.000"), "{step}");
    }
}
