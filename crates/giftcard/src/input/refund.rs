//! Refunds. Must not split one: the rules do.

use giftcard_engine::refund::{Payment, RefundRefused, RefundRequest, check_refund_request};
use giftcard_engine::{Currency, Minor};

use super::order::optional;
use super::shape::{PaymentInput, RefundInput, RefundMode, TenderInput};
use super::{InputError, InputErrorKind, Within, each};
use crate::json::excerpt;

/// A refund as asked for: who paid, and the request for those who take part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefundOrder {
    /// The order's currency.
    pub currency: Currency,
    /// Everyone who paid, as given.
    pub tenders: Vec<Tender>,
    /// The request to the rules. INVARIANT: it makes sense, and its payments are those of the tenders that take part,
    /// in their order.
    pub request: RefundRequest,
}

/// One who paid.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tender {
    /// What it is called in the answer.
    pub id: String,
    /// A gift card.
    pub is_card: bool,
    /// Its own currency.
    pub currency: Currency,
    /// What it paid and got back.
    pub payment: Payment,
    /// Whether it takes part in this refund.
    pub takes_part: bool,
}

pub(super) fn refund_order(input: &RefundInput) -> Result<RefundOrder, InputError> {
    let currency = input.currency.currency().within("currency")?;
    let amount = input.amount.minor(currency).within("amount")?;
    let tenders = each(input.payments.iter(), |payment| tender(payment, input.mode, currency)).within("payments")?;
    for (index, tender) in tenders.iter().enumerate() {
        if let Some(earlier) = tenders[..index].iter().position(|other| other.id == tender.id) {
            let problem = format!("`{}` was given before, as payments[{earlier}]", excerpt(&tender.id));
            let error = InputError::at(InputErrorKind::Inconsistent, "id", problem);
            return Err(error).within_item(index).within("payments");
        }
    }
    // Everyone who paid must make sense, also who takes no part: the same numbers are the answer's `refundable`.
    let of = |places: &[usize]| RefundRequest {
        amount,
        exponent: currency.exponent(),
        payments: places.iter().map(|&index| tenders[index].payment).collect(),
    };
    let everyone: Vec<usize> = (0..tenders.len()).collect();
    if let Err(bad @ RefundRefused::BadPayment(..)) = check_refund_request(&of(&everyone)) {
        return Err(refusal(bad, input.mode, amount, currency, &everyone));
    }
    let places: Vec<usize> = everyone.into_iter().filter(|&index| tenders[index].takes_part).collect();
    let request = of(&places);
    check_refund_request(&request).map_err(|refused| refusal(refused, input.mode, amount, currency, &places))?;
    Ok(RefundOrder { currency, tenders, request })
}

/// What is told in place of the engine's message, which has bare minor units. `places` are those of the request's
/// payments in the document.
fn refusal(
    refused: RefundRefused,
    mode: RefundMode,
    amount: Minor,
    currency: Currency,
    places: &[usize],
) -> InputError {
    match refused {
        RefundRefused::NotPositive => {
            InputError::at(InputErrorKind::RefundNotPositive, "amount", "is nothing; a refund must be more than that")
        }
        RefundRefused::AboveRefundable(left) => {
            let of = match mode {
                RefundMode::Cards => "of what gift cards paid",
                RefundMode::Order => "of the order",
            };
            let (asked, left) = (currency.format(amount), currency.format(left));
            let problem = format!("{asked} is more than is still refundable {of}, which is {left}");
            InputError::at(InputErrorKind::RefundAboveRefundable, "amount", problem)
        }
        RefundRefused::BadPayment(index, problem) => {
            let path = format!("payments[{}]", places.get(index).copied().unwrap_or(index));
            InputError::at(InputErrorKind::Inconsistent, &path, problem)
        }
    }
}

fn tender(input: &PaymentInput, mode: RefundMode, order_currency: Currency) -> Result<Tender, InputError> {
    let currency = match &input.currency {
        Some(currency) => currency.currency().within("currency")?,
        None => order_currency,
    };
    let applied = input.applied.minor(order_currency).within("applied")?;
    let applied_returned =
        optional(&input.applied_returned, order_currency).within("applied_returned")?.unwrap_or_default();
    // Without an amount of its own the tender's is the order's, if the currency is, or nothing is nothing in both.
    let own = |given: Option<Minor>, of_order: Minor, field: &str| match given {
        Some(given) => Ok(given),
        None if currency == order_currency || of_order.is_zero() => Ok(of_order),
        None => {
            let problem = format!("is missing; the tender is in {currency}, the order in {order_currency}");
            Err(InputError::at(InputErrorKind::MissingField, field, problem))
        }
    };
    let payment = Payment {
        applied,
        taken: own(optional(&input.taken, currency).within("taken")?, applied, "taken")?,
        applied_returned,
        taken_returned: own(
            optional(&input.taken_returned, currency).within("taken_returned")?,
            applied_returned,
            "taken_returned",
        )?,
    };
    if currency == order_currency && (payment.taken, payment.taken_returned) != (applied, applied_returned) {
        let problem = format!("is in {currency} as the order is, so what was applied and what was taken must be equal");
        return Err(InputError::here(InputErrorKind::Inconsistent, problem));
    }
    let is_card = input.tender == TenderInput::Card;
    let takes_part = is_card || mode == RefundMode::Order;
    Ok(Tender { id: input.id.to_string(), is_card, currency, payment, takes_part })
}
