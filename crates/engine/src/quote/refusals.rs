//! What people are told when a card is refused by the standard rules. Must not decide anything.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use chrono::NaiveDate;

use super::QuoteRequest;
use super::lower::Lowered;
use crate::card::CardSnapshot;
use crate::moment::format_instant;
use crate::money::Money;
use crate::programme::Programme;
use crate::redemption::codes;
use crate::value::{Named, Reject, Value};

/// What the public is told instead of the codes that would let it probe for cards.
pub const CARD_NOT_USABLE: &str = "card-not-usable";

/// The code a shopper may see. Whether a code exists, belongs to another site or customer, or is pending, disabled,
/// expired, empty or closed, is one answer to the public; staff and the signed-in owner see the true one.
#[must_use]
pub fn public_code(code: &str) -> &str {
    match code {
        codes::CARD_CLOSED
        | codes::CARD_DISABLED
        | codes::CARD_PENDING
        | codes::CARD_EXPIRED
        | codes::CARD_EMPTY
        | codes::PROGRAMME_DISABLED
        | codes::PROGRAMME_ENDED
        | codes::OTHER_CUSTOMER
        | "card-of-another-site" => CARD_NOT_USABLE,
        other => other,
    }
}

/// Code, message and arguments for a refusal of the rules. A code that is not of the standard rules, from a merchant's
/// own component, comes with a general message.
pub(super) fn reject(
    code: &str,
    request: &QuoteRequest,
    card: &CardSnapshot,
    programme: &Programme,
    lowered: &Lowered<'_>,
    index: usize,
) -> Reject {
    let text = |name: &str, text: String| Named { name: name.into(), value: Value::Text(text) };
    // A plain date is told as it was given; it is the site's, and includes its last day.
    let instant = |name: &str, on: Option<NaiveDate>, at: Option<i64>| {
        let date = on.map(|date| date.to_string());
        text(name, date.or_else(|| at.map(format_instant)).unwrap_or_default())
    };
    let money = |name: &str, amount| Named {
        name: name.into(),
        value: Value::Money(Money::new(amount, request.order.currency)),
    };
    let (message, arguments): (&str, Vec<Named>) = match code {
        codes::CARD_CLOSED => ("the card is closed", Vec::new()),
        codes::CARD_DISABLED => ("the card is disabled", Vec::new()),
        codes::CARD_PENDING => ("the card is not active yet: the order it was bought with is not invoiced", Vec::new()),
        codes::PROGRAMME_DISABLED => ("the card's programme is switched off", Vec::new()),
        codes::CARD_EXPIRED => ("the card ended on {end}", [instant("end", card.expires_on, card.expires_at)].into()),
        codes::PROGRAMME_ENDED => {
            let end = instant("end", programme.valid_to_on, programme.valid_to);
            ("the card's programme ended on {end}", [end].into())
        }
        codes::NOT_YET_VALID => {
            let begin = instant("begin", programme.valid_from_on, programme.valid_from);
            ("the card can be used from {begin} on", [begin].into())
        }
        codes::CARD_EMPTY => ("nothing is available on the card", Vec::new()),
        codes::REGISTERED_ONLY => ("only registered customers can use the card", Vec::new()),
        codes::NOT_IN_ROLE => ("only customers in certain roles can use the card", Vec::new()),
        codes::OTHER_CUSTOMER => ("the card is another customer's", Vec::new()),
        codes::CURRENCY_MISMATCH => (
            "the card is in {card_currency}, the order in {order_currency}, and no exchange rate is recorded",
            [
                text("card_currency", card.currency.to_string()),
                text("order_currency", request.order.currency.to_string()),
            ]
            .into(),
        ),
        codes::WORTH_NOTHING_HERE => ("the card's balance is worth less than the smallest amount here", Vec::new()),
        codes::MINIMUM_NOT_MET => minimum_not_met(programme, lowered, index, &money),
        codes::LINES_NEEDED => ("the order came without the lines that this card's rules need", Vec::new()),
        codes::NO_GIFT_CARDS => ("gift cards cannot buy gift cards", Vec::new()),
        codes::NOTHING_PAYABLE => ("nothing in the order may be paid for with this card", Vec::new()),
        codes::TOO_MANY_CARDS => (
            "the order has as many gift cards as it may; the most is {most}",
            [Named { name: "most".into(), value: Value::Integer(i64::from(request.site.cards_max)) }].into(),
        ),
        codes::TAX_NEEDED => ("the order does not say its tax, which this card's rules need", Vec::new()),
        codes::LIMIT_REACHED => ("the card may pay nothing of this order", Vec::new()),
        _ => ("the card cannot be used for this order", Vec::new()),
    };
    Reject { code: code.to_string(), message: message.to_string(), arguments }
}

fn minimum_not_met(
    programme: &Programme,
    lowered: &Lowered<'_>,
    index: usize,
    money: &dyn Fn(&str, crate::money::Minor) -> Named,
) -> (&'static str, Vec<Named>) {
    let card = &lowered.request.cards[index];
    let minimum = lowered.request.programmes[card.programme as usize].minimum.map(|minimum| minimum.amount);
    let basis = match programme.minimum.map(|minimum| minimum.basis) {
        Some(basis) if basis.goods_only && basis.without_tax => "goods, without tax,",
        Some(basis) if basis.goods_only => "goods",
        Some(basis) if basis.without_tax => "total, without tax,",
        _ => "total",
    };
    let basis = Named { name: "basis".into(), value: Value::Text(format!("the order's {basis}")) };
    ("{basis} must come to at least {minimum}", [basis, money("minimum", minimum.unwrap_or_default())].into())
}
