//! A quote of a case on a ledger: shown, redeemed, and compared with its decision. Must not know the rules.

use std::collections::BTreeMap;

use giftcard::DeskError;
use giftcard::desk::{PayKind, receipt};
use giftcard::input::{InputError, PayInput, ProgrammeDocument, SiteDocument, read_document};
use giftcard_engine::Currency;
use giftcard_ledger::operations::Receipt;
use serde_json::{Value, json};

use super::Asked;
use super::stand::{Standing, told};
use crate::shop::Shop;

/// Of a decision, what a ledger decides too.
const OF_QUOTE: [&str; 6] = ["currency", "total", "paid", "applied", "due", "payment_required"];

/// Of each card of a decision. Messages may name sites, which have other names here.
const OF_CARD: [&str; 11] = [
    "outcome",
    "code",
    "public_code",
    "by",
    "applied",
    "taken",
    "left",
    "currency",
    "left_here",
    "not_spendable_here",
    "rate",
];

/// What a quote says of a card that the site does not take.
const NOT_TAKEN: &str = "card-of-another-site";

/// A quote that is decided.
pub(crate) struct Payment {
    pub(crate) standing: Standing,
    quote: Value,
    decision: Value,
    /// Which card each entry is.
    entries: Vec<usize>,
}

impl Payment {
    pub(crate) fn of(asked: &Asked, quote: &Value, decision: &Value) -> Result<Self, String> {
        let currency = quote["order"]["currency"].as_str().unwrap_or_default();
        let mut standing = Standing::new(asked, &quote["site"], currency);
        standing.add_programmes(quote);
        let entries = standing.add_cards(asked, quote)?;
        Ok(Self { standing, quote: quote.clone(), decision: decision.clone(), entries })
    }

    /// Quotes and redeems, and says what is not as it was decided.
    pub(crate) fn compare(&self, shop: &Shop) -> Vec<String> {
        let given = list(&self.quote["cards"]);
        let entries = given.iter().zip(&self.entries).map(|(given, card)| self.standing.cards[*card].entry(given));
        let document = payment(shop, &self.standing.site, &self.quote["order"], entries.collect());
        let input: PayInput = match read_document(&document.to_string()) {
            Ok(input) => input,
            Err(error) => return vec![format!("the payment is no document: {error}")],
        };
        let mut problems = Problems::default();
        match shop.desk.quote(&input, shop.now(), false) {
            Ok(output) => self.compare_quote(&serde_json::to_value(output).unwrap(), &mut problems),
            Err(error) => problems.add(format!("no quote: {}", told(error))),
        }
        let paid = shop.desk.pay(&input, PayKind::Redeem, shop.now()).and_then(|answer| receipt(&answer));
        let currency = Currency::iso(self.decision["currency"].as_str().unwrap()).unwrap();
        let applied = currency.parse(self.decision["applied"].as_str().unwrap()).unwrap();
        let takes = !applied.is_zero() || self.decision["payment_required"] == false;
        match paid {
            Ok(receipt) if takes => self.compare_receipt(&receipt, &mut problems),
            Ok(_) => problems.add("it is paid, and no card can pay for it"),
            Err(DeskError::Refused(refused)) if !takes && refused.code == "no-card-usable" => {
                self.compare_quote(&refused.detail.unwrap_or_default(), &mut problems);
            }
            Err(error) => problems.add(format!("it is not paid: {}", told(error))),
        }
        self.compare_balances(shop, &mut problems);
        problems.0
    }

    fn compare_quote(&self, found: &Value, problems: &mut Problems) {
        for field in OF_QUOTE {
            problems.same(field, &self.decision[field], &found[field]);
        }
        let order_of_use: Vec<Value> = list(&found["order_of_use"]).iter().map(|id| self.name_of(id)).collect();
        problems.same("order_of_use", &self.decision["order_of_use"], &order_of_use.into());
        let (expected, found) = (list(&self.decision["cards"]), list(&found["cards"]));
        problems.same("number of cards", &expected.len().into(), &found.len().into());
        for (place, (expected, found)) in expected.iter().zip(&found).enumerate() {
            let name = expected["id"].as_str().unwrap();
            let repeats = if found["repeats"].is_null() { Value::Null } else { self.name_of(&found["repeats"]) };
            problems.same(&format!("`repeats` of {name}"), &expected["repeats"], &repeats);
            // A case may say that something is on a closed card; nothing is on one of a ledger. And to a site, the cards
            // that it does not take are not there, so it does not see what is on them.
            let sees_nothing =
                expected["code"] == NOT_TAKEN || self.standing.cards[self.entries[place]].status == "closed";
            for field in OF_CARD {
                if !(sees_nothing && matches!(field, "left" | "left_here" | "not_spendable_here")) {
                    problems.same(&format!("`{field}` of {name}"), &on_ledger(&expected[field]), &found[field]);
                }
            }
        }
    }

    /// The receipt has the cards that pay, in the order of their use, and those that may not.
    fn compare_receipt(&self, receipt: &Receipt, problems: &mut Problems) {
        for (field, found) in [("currency", &receipt.currency), ("applied", &receipt.applied), ("due", &receipt.due)] {
            problems.same(&format!("`{field}` of the receipt"), &self.decision[field], &json!(found));
        }
        problems.same("`payment_required`", &self.decision["payment_required"], &json!(receipt.payment_required));
        let cards = list(&self.decision["cards"]);
        let used = list(&self.decision["order_of_use"]).into_iter().filter_map(|name| {
            let card = cards.iter().find(|card| card["id"] == name && card["outcome"] == "used")?;
            Some(json!([name, card["applied"], format!("-{}", card["taken"].as_str()?), card["left"]]))
        });
        let lines = receipt.accounts.iter().map(|line| {
            let card = self.standing.cards.iter().find(|card| card.issued().id == line.id.to_string()).unwrap();
            let amount = |text: &str| card.currency.parse(text).unwrap();
            let left = card.decimal(amount(&line.balance).less(amount(&line.held)));
            json!([card.name, line.applied, line.amount, left])
        });
        problems.same("cards that paid", &used.collect::<Vec<_>>().into(), &lines.collect::<Vec<_>>().into());
        let refused = cards.iter().filter(|card| !card["code"].is_null());
        let refused: Vec<Value> =
            refused.map(|card| json!([card["id"], on_ledger(&card["code"]), card["public_code"]])).collect();
        let told = receipt
            .refused
            .iter()
            .map(|entry| json!([self.name_of(&entry.id.clone().into()), entry.code, entry.public_code]));
        problems.same("cards that may not pay", &refused.into(), &told.collect::<Vec<_>>().into());
    }

    /// What is on every card afterwards is what was on it, less what was taken.
    fn compare_balances(&self, shop: &Shop, problems: &mut Problems) {
        let mut taken: BTreeMap<usize, String> = BTreeMap::new();
        for (entry, decided) in self.entries.iter().zip(list(&self.decision["cards"])) {
            taken.entry(*entry).or_insert_with(|| decided["taken"].as_str().unwrap_or("0").to_string());
        }
        for (place, card) in self.standing.cards.iter().enumerate() {
            let taken = card.currency.parse(&taken[&place]).unwrap();
            let account = shop.desk.card(&card.site, &card.issued().name(), shop.now()).unwrap().account;
            let expected = json!([card.decimal(card.balance.less(taken)), card.decimal(card.held)]);
            let what = format!("balance and held of {} afterwards", card.name);
            problems.same(&what, &expected, &json!([account.balance, account.held]));
        }
    }

    /// What the case calls the card with an id. One that is not found is told by its place: `card-2` is the second.
    fn name_of(&self, id: &Value) -> Value {
        let card = self.standing.cards.iter().find(|card| *id == *card.issued().id);
        let by_place = || {
            let place: usize = id.as_str()?.strip_prefix("card-")?.parse().ok()?;
            self.standing.cards.get(*self.entries.get(place.checked_sub(1)?)?)
        };
        card.or_else(by_place).map_or_else(|| id.clone(), |card| card.name.clone().into())
    }
}

/// A reason as a ledger tells it: a quote is given cards, a ledger looks for them.
fn on_ledger(said: &Value) -> Value {
    if *said == NOT_TAKEN { "card-not-found".into() } else { said.clone() }
}

/// A quote that is refused for what its document says.
pub(crate) struct WrongDocument {
    pub(crate) standing: Standing,
    quote: Value,
    error: Value,
    subject: Subject,
    /// Which card each entry is, where the document says enough of them.
    entries: Vec<usize>,
}

/// Fields of a card of a quote that a payment has too, or that neither has.
const OF_ENTRY: [&str; 2] = ["].use_at_most", "].pin"];

/// Fields of a quote that a payment has none of, or others.
const OF_QUOTE_ONLY: [&str; 5] = ["now", "site", "programmes", "cards", "order"];

/// Whose document it is on a ledger.
enum Subject {
    Payment,
    Site,
    /// With the path in front of it.
    Programme(usize, String),
}

impl WrongDocument {
    pub(crate) fn of(asked: &Asked, quote: &Value, error: &Value) -> Result<Self, String> {
        let path = error["path"].as_str().unwrap_or_default();
        let subject = match path.split(['.', '[']).next().unwrap_or_default() {
            "site" => Subject::Site,
            "programmes" if path.ends_with("].code_name") => {
                return Err("a site has one programme of a name: the second one changes the first".to_string());
            }
            "programmes" => Subject::Programme(0, "programmes[0].".to_string()),
            "cards" if path.contains(']') && !OF_ENTRY.iter().any(|field| path.ends_with(field)) => {
                return Err("no payment says what is on a card and which it is: the ledger knows".to_string());
            }
            "now" => return Err("no payment says what time it is".to_string()),
            _ => Subject::Payment,
        };
        let currency = quote["order"]["currency"].as_str().unwrap_or_default();
        let currency = if Currency::iso(currency).is_some() { currency } else { "USD" };
        let mut standing = Standing::new(asked, &Value::Null, currency);
        let entries = match subject {
            Subject::Payment => standing.add_cards(asked, quote).unwrap_or_default(),
            _ => Vec::new(),
        };
        Ok(Self { standing, quote: quote.clone(), error: error.clone(), subject, entries })
    }

    /// Whether the same is refused with the same code, at the same place.
    pub(crate) fn compare(&self, shop: &Shop) -> Vec<String> {
        let (before, result) = match &self.subject {
            Subject::Payment => (String::new(), self.pay(shop)),
            Subject::Site => {
                let mut document = self.quote["site"].clone();
                document["id"] = format!("{}-wrong", self.standing.site).into();
                document["currency"] = "USD".into();
                let document: Result<SiteDocument, _> = read_document(&document.to_string());
                (
                    "site.".to_string(),
                    document.map_err(DeskError::from).and_then(|site| shop.desk.set_site(&site).map(drop)),
                )
            }
            Subject::Programme(place, before) => {
                let mut document = self.quote["programmes"][place].clone();
                document["name"] = "wrong".into();
                let document: Result<ProgrammeDocument, _> = read_document(&document.to_string());
                let set = |document| shop.desk.set_programme(&self.standing.site, &document).map(drop);
                (before.clone(), document.map_err(DeskError::from).and_then(set))
            }
        };
        let mut problems = Problems::default();
        match result {
            Ok(()) => problems.add("it is not refused"),
            Err(error) => {
                problems.same("code", &self.error["code"], &error.code().into());
                match error {
                    DeskError::Input(InputError { path, .. }) => {
                        problems.same("path", &self.error["path"], &format!("{before}{path}").into());
                    }
                    other => problems.add(format!("it is no input error: {other}")),
                }
            }
        }
        problems.0
    }

    fn pay(&self, shop: &Shop) -> Result<(), DeskError> {
        let cards = list(&self.quote["cards"]);
        let entries = cards.iter().zip(&self.entries).map(|(given, card)| self.standing.cards[*card].entry(given));
        let mut document = payment(shop, &self.standing.site, &self.quote["order"], entries.collect());
        let fields = document.as_object_mut().unwrap();
        if self.quote.get("cards").is_none() {
            fields.remove("cards");
        }
        for (name, value) in self.quote.as_object().unwrap() {
            if !OF_QUOTE_ONLY.contains(&name.as_str()) {
                fields.insert(name.clone(), value.clone());
            }
        }
        if let Some(site) = self.quote["order"].get("site") {
            document["order"]["site"] = site.clone();
        }
        let input: PayInput = read_document(&document.to_string())?;
        shop.desk.pay(&input, PayKind::Redeem, shop.now()).map(drop)
    }
}

/// What is wrong, collected.
#[derive(Default)]
pub(crate) struct Problems(pub(crate) Vec<String>);

impl Problems {
    pub(crate) fn add(&mut self, problem: impl Into<String>) {
        self.0.push(problem.into());
    }

    pub(crate) fn same(&mut self, what: &str, expected: &Value, found: &Value) {
        if expected != found {
            self.add(format!("{what} is {found}, and decided is {expected}"));
        }
    }
}

fn payment(shop: &Shop, site: &str, order: &Value, cards: Vec<Value>) -> Value {
    let mut order = order.clone();
    if let Some(fields) = order.as_object_mut() {
        fields.remove("site");
        fields.entry("id").or_insert_with(|| "order".into());
    }
    json!({ "operation": shop.key(), "site": site, "order": order, "cards": cards })
}

pub(crate) fn list(value: &Value) -> Vec<Value> {
    value.as_array().cloned().unwrap_or_default()
}
