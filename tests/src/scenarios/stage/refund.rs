//! A refund of a case on a ledger: what it says was paid and returned is paid and returned first, then the refund is booked
//! and compared with its decision. Must not know how a refund is split.

use giftcard::DeskError;
use giftcard::desk::{PayKind, receipt};
use giftcard::input::{InputError, RefundOrderInput, read_document};
use giftcard_engine::{Currency, Minor};
use giftcard_ledger::operations::Receipt;
use serde_json::{Value, json};

use super::Asked;
use super::pay::{Problems, list};
use super::stand::{Standing, told};
use crate::shop::Shop;

/// Most decimals of a rate that makes of what was applied what was taken.
const RATE_DECIMALS_MAX: usize = 12;

/// A refund.
pub(crate) struct Refund {
    pub(crate) standing: Standing,
    refund: Value,
    expected: Result<Value, Value>,
    currency: Currency,
    tenders: Vec<Tender>,
    /// What all tenders paid.
    total: Minor,
}

struct Tender {
    id: String,
    /// `None` for another payment method.
    card: Option<Currency>,
    applied: Minor,
    taken: Minor,
    applied_returned: Minor,
    taken_returned: Minor,
}

/// An order that was paid, and the cards that did, as many as there are tenders.
struct Paid {
    order: String,
    cards: Vec<Option<String>>,
}

impl Refund {
    pub(crate) fn of(asked: &Asked, refund: &Value, expected: &Result<Value, Value>) -> Result<Self, String> {
        if let Err(error) = expected
            && error["path"].as_str().is_some_and(|path| path.starts_with("payments"))
        {
            return Err("the payments cannot be; no refund says them, since the ledger knows them".to_string());
        }
        let currency = refund["currency"].as_str().and_then(Currency::iso).ok_or("a currency that is none")?;
        let tenders = list(&refund["payments"]);
        let tenders = tenders.iter().map(|given| Tender::of(given, currency)).collect::<Result<Vec<_>, _>>()?;
        if tenders.iter().all(|tender| tender.card.is_none()) {
            return Err("no card paid, so the ledger does not know the order".to_string());
        }
        let mut rates = Vec::new();
        for tender in &tenders {
            if let Some(own) = tender.card.filter(|own| *own != currency) {
                rates.push(json!({ "from": currency.code(), "to": own.code(), "rate": tender.rate(currency, own)? }));
            }
        }
        let standing = Standing::new(asked, &json!({ "rates": rates }), currency.code());
        let total = Minor::sum(tenders.iter().map(|tender| tender.applied)).unwrap();
        Ok(Self { standing, refund: refund.clone(), expected: expected.clone(), currency, tenders, total })
    }

    /// Refunds, and says what is not as it was decided.
    pub(crate) fn compare(&self, shop: &Shop) -> Vec<String> {
        let mut problems = Problems::default();
        let paid = match self.pay_somehow(shop) {
            Ok(paid) => paid,
            Err(problem) => return vec![problem],
        };
        let before = self.balances(shop, &paid);
        let result = self.book(shop, &paid, &self.refund["amount"]);
        match (&self.expected, result) {
            (Ok(decision), Ok(receipt)) => {
                self.compare_receipt(decision, &paid, &receipt, &mut problems);
                let taken = |place: usize, share: &Value| self.amount(place, &share["taken"]);
                let with_share =
                    |(place, share): (usize, &Value)| Some(before[place]?.plus(taken(place, share)).unwrap());
                let expected: Vec<Option<Minor>> =
                    list(&decision["shares"]).iter().enumerate().map(with_share).collect();
                let after = self.balances(shop, &paid);
                if after != expected {
                    problems.add(format!("balances are {after:?} afterwards, and decided is {expected:?}"));
                }
                self.return_the_rest(shop, decision, &paid, &mut problems);
            }
            (Err(error), Err(found)) => {
                problems.same("code", &error["code"], &found.code().into());
                if let DeskError::Input(InputError { path, .. }) = found {
                    problems.same("path", &error["path"], &path.into());
                }
                if self.balances(shop, &paid) != before {
                    problems.add("it is refused, and something moved");
                }
            }
            (Ok(_), Err(error)) => problems.add(format!("it is refused: {}", told(error))),
            (Err(_), Ok(_)) => problems.add("it is booked, and decided is that it is refused"),
        }
        problems.0
    }

    /// An order paid by every tender, with what went back so far. That may have come about by one refund, or by one after
    /// each payment, in the order in which they are said to have paid, or those first that got something back.
    fn pay_somehow(&self, shop: &Shop) -> Result<Paid, String> {
        let places: Vec<usize> = (0..self.tenders.len()).filter(|place| self.tenders[*place].card.is_some()).collect();
        let one_by_one: Vec<Vec<usize>> = places.iter().map(|place| vec![*place]).collect();
        let mut returned_first = one_by_one.clone();
        returned_first.sort_by_key(|round| self.tenders[round[0]].applied_returned.is_zero());
        for (order, rounds) in [("o-1", vec![places]), ("o-2", one_by_one), ("o-3", returned_first)] {
            if let Some(paid) = self.pay(shop, order, rounds)? {
                return Ok(paid);
            }
        }
        Err("what it says was returned does not come about by refunds".to_string())
    }

    /// Pays with the cards of each round, and returns what they got back. `None` where something else went back.
    fn pay(&self, shop: &Shop, order: &str, rounds: Vec<Vec<usize>>) -> Result<Option<Paid>, String> {
        let mut paid = Paid { order: order.to_string(), cards: Vec::new() };
        for tender in &self.tenders {
            let card = match tender.card {
                None => None,
                Some(currency) => {
                    let value = tender.taken.to_decimal(currency.exponent());
                    let document = json!({ "currency": currency.code(), "value": value });
                    let document = read_document(&document.to_string()).map_err(|error| error.to_string())?;
                    let key = shop.key();
                    let doing =
                        giftcard::Doing { site: &self.standing.site, operation: &key, actor: None, now: shop.now() };
                    let issued = shop.desk.issue(&doing, &document).map_err(told)?;
                    Some(issued.cards[0].id.clone())
                }
            };
            paid.cards.push(card);
        }
        for round in rounds {
            self.redeem(shop, &paid, &round)?;
            let returned = Minor::sum(round.iter().map(|place| self.tenders[*place].applied_returned)).unwrap();
            if returned.is_zero() {
                continue;
            }
            let amount = returned.to_decimal(self.currency.exponent());
            let document = self.document(shop, &paid, "cards", &amount.into());
            let receipt = self.book_document(shop, &document).map_err(told)?;
            let as_said = round.iter().all(|place| {
                let tender = &self.tenders[*place];
                let line = line_of(&receipt, &paid, *place);
                let got = line.map_or((Minor::ZERO, Minor::ZERO), |line| {
                    let applied = line.applied.as_deref().unwrap_or("0");
                    (self.currency.parse(applied).unwrap(), tender.card.unwrap().parse(&line.amount).unwrap())
                });
                got == (tender.applied_returned, tender.taken_returned)
            });
            let strangers = receipt.accounts.len() > round.len();
            if !as_said || strangers {
                return Ok(None);
            }
        }
        Ok(Some(paid))
    }

    /// Pays the order with the cards of these tenders, each with what it says it paid.
    fn redeem(&self, shop: &Shop, paid: &Paid, places: &[usize]) -> Result<(), String> {
        let decimal = |amount: Minor| amount.to_decimal(self.currency.exponent());
        let cards = places
            .iter()
            .map(|place| json!({ "id": paid.cards[*place], "use_at_most": decimal(self.tenders[*place].applied) }));
        let document = json!({
            "operation": shop.key(), "site": self.standing.site, "cards": cards.collect::<Vec<_>>(),
            "order": { "id": paid.order, "currency": self.currency.code(), "total": decimal(self.total) },
        });
        let document = read_document(&document.to_string()).map_err(|error| error.to_string())?;
        let answer = shop.desk.pay(&document, PayKind::Redeem, shop.now()).map_err(told)?;
        let receipt = receipt(&answer).map_err(told)?;
        for place in places {
            let tender = &self.tenders[*place];
            let own = tender.card.unwrap();
            let expected = (Some(decimal(tender.applied)), format!("-{}", tender.taken.to_decimal(own.exponent())));
            let found = line_of(&receipt, paid, *place).map(|line| (line.applied.clone(), line.amount.clone()));
            if found.as_ref() != Some(&expected) {
                return Err(format!("`{}` paid {found:?}, and should have paid {expected:?}", tender.id));
            }
        }
        Ok(())
    }

    fn book(&self, shop: &Shop, paid: &Paid, amount: &Value) -> Result<Receipt, DeskError> {
        self.book_document(shop, &self.document(shop, paid, self.refund["mode"].as_str().unwrap(), amount))
    }

    fn document(&self, shop: &Shop, paid: &Paid, mode: &str, amount: &Value) -> Value {
        json!({
            "operation": shop.key(), "site": self.standing.site, "order": paid.order, "mode": mode, "amount": amount,
        })
    }

    fn book_document(&self, shop: &Shop, document: &Value) -> Result<Receipt, DeskError> {
        let input: RefundOrderInput = read_document(&document.to_string())?;
        receipt(&shop.desk.refund(&input, Vec::new(), shop.now())?)
    }

    fn compare_receipt(&self, decision: &Value, paid: &Paid, receipt: &Receipt, problems: &mut Problems) {
        for (place, share) in list(&decision["shares"]).iter().enumerate() {
            let nothing = self.currency.parse(share["applied"].as_str().unwrap()).unwrap().is_zero();
            let (what, expected, found) = match &paid.cards[place] {
                None => {
                    ("other tender", if nothing { Value::Null } else { share["applied"].clone() }, json!(receipt.due))
                }
                Some(_) => {
                    let line = line_of(receipt, paid, place).map(|line| json!([line.applied, line.amount]));
                    let expected = if nothing { Value::Null } else { json!([share["applied"], share["taken"]]) };
                    ("card", expected, line.unwrap_or_default())
                }
            };
            problems.same(&format!("what goes back to {what} `{}`", self.tenders[place].id), &expected, &found);
        }
        let amount = self.currency.parse(decision["amount"].as_str().unwrap()).unwrap();
        let sum = [&receipt.applied, &receipt.due].into_iter().flatten().map(|part| self.currency.parse(part).unwrap());
        if Minor::sum(sum) != Ok(amount) {
            problems.add(format!("{:?} and {:?} are not the whole refund", receipt.applied, receipt.due));
        }
    }

    /// What the decision calls refundable can go back and no more, and then every card has what it paid.
    fn return_the_rest(&self, shop: &Shop, decision: &Value, paid: &Paid, problems: &mut Problems) {
        let of_order = self.refund["mode"] == "order";
        let shares = list(&decision["shares"]);
        let taking_part = shares.iter().enumerate().filter(|(place, _)| of_order || paid.cards[*place].is_some());
        let left = Minor::sum(
            taking_part.map(|(_, share)| self.currency.parse(share["refundable"].as_str().unwrap()).unwrap()),
        );
        let left = left.unwrap();
        let decimal = |amount: Minor| Value::from(amount.to_decimal(self.currency.exponent()));
        let more = decimal(left.plus(Minor::new(1).unwrap()).unwrap());
        for amount in [more, decimal(left)] {
            if amount == decimal(Minor::ZERO) {
                continue;
            }
            let fits = amount == decimal(left);
            match self.book(shop, paid, &amount) {
                Ok(_) if fits => {}
                Err(error) if !fits && error.code() == "refund-above-refundable" => {}
                Ok(_) => problems.add(format!("{amount} goes back, and only {left:?} is refundable")),
                Err(error) => problems.add(format!("{amount} does not go back: {}", told(error))),
            }
        }
        let expected: Vec<_> = self.tenders.iter().map(|tender| tender.card.map(|_| tender.taken)).collect();
        let found = self.balances(shop, paid);
        if found != expected {
            problems.add(format!("after everything went back, cards have {found:?} and had {expected:?}"));
        }
    }

    /// What is on the card of each tender.
    fn balances(&self, shop: &Shop, paid: &Paid) -> Vec<Option<Minor>> {
        let balance = |(tender, card): (&Tender, &Option<String>)| {
            let name = giftcard::desk::CardName::Id(card.as_ref()?.parse().unwrap());
            let account = shop.desk.card(&self.standing.site, &name, shop.now()).unwrap().account;
            Some(tender.card?.parse(&account.balance).unwrap())
        };
        self.tenders.iter().zip(&paid.cards).map(balance).collect()
    }

    fn amount(&self, place: usize, text: &Value) -> Minor {
        self.tenders[place].card.unwrap_or(self.currency).parse(text.as_str().unwrap()).unwrap()
    }
}

impl Tender {
    fn of(given: &Value, order: Currency) -> Result<Self, String> {
        let id = given["id"].as_str().ok_or("a payment without an id")?.to_string();
        let own = given["currency"].as_str().map_or(Some(order), Currency::iso).ok_or("a currency that is none")?;
        let amount = |field: &str, currency: Currency, otherwise: Minor| match given[field].as_str() {
            Some(text) => currency.parse(text).map_err(|_| format!("`{field}` is no amount")),
            None => Ok(otherwise),
        };
        let applied = amount("applied", order, Minor::ZERO)?;
        let applied_returned = amount("applied_returned", order, Minor::ZERO)?;
        let tender = Self {
            taken: amount("taken", own, applied)?,
            taken_returned: amount("taken_returned", own, applied_returned)?,
            card: (given["tender"] != "other").then_some(own),
            id,
            applied,
            applied_returned,
        };
        match tender.card.is_none() && !tender.applied_returned.is_zero() {
            true => Err("something went back to another payment method, which the ledger does not see".to_string()),
            false => Ok(tender),
        }
    }

    /// What one unit of the order's currency was worth in the card's.
    fn rate(&self, order: Currency, own: Currency) -> Result<String, String> {
        let scale = |currency: Currency| 10_i128.pow(u32::from(currency.exponent()));
        let (mut rest, of) = (i128::from(self.taken.get()) * scale(order), i128::from(self.applied.get()) * scale(own));
        let mut text = format!("{}.", rest / of);
        rest %= of;
        for _ in 0..RATE_DECIMALS_MAX {
            rest *= 10;
            text.push(char::from(b'0' + u8::try_from(rest / of).unwrap()));
            rest %= of;
        }
        match rest {
            0 => Ok(text),
            _ => Err(format!("no rate makes {} of {}", self.taken.get(), self.applied.get())),
        }
    }
}

fn line_of<'a>(
    receipt: &'a Receipt,
    paid: &Paid,
    place: usize,
) -> Option<&'a giftcard_ledger::operations::AccountLine> {
    let id = paid.cards[place].as_ref()?;
    receipt.accounts.iter().find(|line| line.id.to_string() == *id)
}
