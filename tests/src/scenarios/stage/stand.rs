//! Sites, programmes and cards as a question says they are. Must not know what is asked.

use std::collections::BTreeMap;

use giftcard::desk::PayKind;
use giftcard::input::{Instant, read_document};
use giftcard::{DeskError, Doing};
use giftcard_engine::moment::InstantMs;
use giftcard_engine::{Currency, Minor};
use serde_json::{Value, json};

use super::{Asked, EARLY};
use crate::shop::{Card, Shop};

/// In front of the codes of cases, some of which are shorter than a ledger takes.
const CODE_PREFIX: &str = "CASE-CODE-";

/// Sites, programmes and cards to set up.
pub(crate) struct Standing {
    /// The site of the order.
    pub(crate) site: String,
    number: usize,
    sites: Vec<Value>,
    /// With the site of each.
    programmes: Vec<(String, Value)>,
    /// Programmes that are switched off once their cards are issued, with their sites.
    switched_off: Vec<(String, String)>,
    pub(crate) cards: Vec<StandingCard>,
}

/// A card to issue.
pub(crate) struct StandingCard {
    /// As the case calls it.
    pub(crate) name: String,
    pub(crate) site: String,
    pub(crate) issued_at: InstantMs,
    pub(crate) currency: Currency,
    pub(crate) balance: Minor,
    pub(crate) held: Minor,
    pub(crate) status: String,
    document: Value,
    /// Once it is issued.
    pub(crate) card: Option<Card>,
}

impl Standing {
    /// A site of an order in `currency`, set up as the document says, without programmes and cards.
    pub(crate) fn new(asked: &Asked, site: &Value, currency: &str) -> Self {
        let mut document = site.clone();
        if !document.is_object() {
            document = json!({});
        }
        let id = own_site(asked.number, document["id"].as_str().unwrap_or("main"));
        document["id"] = id.clone().into();
        if document.get("currency").is_none() {
            document["currency"] = currency.into();
        }
        Self {
            site: id,
            number: asked.number,
            sites: vec![document],
            programmes: Vec::new(),
            switched_off: Vec::new(),
            cards: Vec::new(),
        }
    }

    /// A site in its currency, unless it is there.
    fn add_site(&mut self, id: &str) {
        if !self.sites.iter().any(|site| site["id"] == id) {
            let currency = self.sites[0]["currency"].clone();
            self.sites.push(json!({ "id": id, "currency": currency }));
        }
    }

    /// The programmes of a quote. Their cards are all in one currency.
    pub(crate) fn add_programmes(&mut self, quote: &Value) {
        for given in quote["programmes"].as_array().into_iter().flatten() {
            let mut document = given.clone();
            let fields = document.as_object_mut().unwrap();
            let site = match fields.remove("site").as_ref().and_then(Value::as_str) {
                Some(site) => own_site(self.number, site),
                None => self.site.clone(),
            };
            self.add_site(&site);
            for other in fields.get_mut("accepted_by").and_then(Value::as_array_mut).into_iter().flatten() {
                *other = own_site(self.number, other.as_str().unwrap()).into();
                self.add_site(other.as_str().unwrap());
            }
            let code_name = given["code_name"].as_str().unwrap().to_string();
            if fields.remove("enabled") == Some(Value::Bool(false)) {
                self.switched_off.push((site.clone(), code_name.clone()));
            }
            let of_programme = |card: &&Value| card["programme"] == code_name;
            let card = quote["cards"].as_array().into_iter().flatten().find(of_programme);
            let currency = card.map(|card| currency_of(card, quote));
            fields.insert("name".to_string(), code_name.into());
            if let Some(currency) = currency {
                fields.insert("currency".to_string(), currency.into());
            }
            self.programmes.push((site, document));
        }
    }

    /// The cards of a quote, each once, and which of them each entry is.
    pub(crate) fn add_cards(&mut self, asked: &Asked, quote: &Value) -> Result<Vec<usize>, String> {
        let mut entries = Vec::new();
        let mut by_code: BTreeMap<String, usize> = BTreeMap::new();
        for (place, given) in quote["cards"].as_array().into_iter().flatten().enumerate() {
            let code = given["code"].as_str().map(giftcard_engine::code::normalise);
            if let Some(known) = code.as_ref().and_then(|code| by_code.get(code)) {
                entries.push(*known);
                continue;
            }
            let card = self.card(asked, quote, given, place)?;
            self.add_site(&card.site.clone());
            by_code.extend(code.map(|code| (code, self.cards.len())));
            entries.push(self.cards.len());
            self.cards.push(card);
        }
        Ok(entries)
    }

    fn card(&self, asked: &Asked, quote: &Value, given: &Value, place: usize) -> Result<StandingCard, String> {
        let name = given["id"].as_str().map_or_else(|| format!("card-{}", place + 1), str::to_string);
        let currency = Currency::iso(&currency_of(given, quote)).ok_or("a currency that is none")?;
        let amount = |field: &str| given[field].as_str().map(|text| currency.parse(text)).transpose();
        let amount = |field: &str| amount(field).map_err(|_| format!("card `{name}`: `{field}` is no amount"));
        let (balance, held) = (amount("balance")?.unwrap_or_default(), amount("held")?.unwrap_or_default());
        let mut value = amount("initial")?.unwrap_or(balance);
        if value.is_zero() {
            // Nobody issues an empty card: it was worth one unit.
            value = Minor::new(1).unwrap();
        }
        let oldest_first = quote["site"]["order_of_use"] == "oldest-first";
        let issued_at = match given["issued_at"].as_str() {
            Some(text) => begin(text)?,
            None if oldest_first => asked.now,
            None => EARLY,
        };
        let status = given["status"].as_str().unwrap_or("active").to_string();
        let mut document = json!({
            "currency": currency.code(), "value": value.to_decimal(currency.exponent()), "pending": status == "pending",
        });
        for field in ["programme", "expires_at"] {
            if let Some(value) = given.get(field) {
                document[field] = value.clone();
            }
        }
        if let Some(code) = given["code"].as_str() {
            document["code"] = format!("{CODE_PREFIX}{code}").into();
            document["accept_weak"] = true.into();
        }
        let site = given["site"].as_str().map_or_else(|| self.site.clone(), |site| own_site(self.number, site));
        // What is left on a card when it is closed goes elsewhere: a closed card with a balance is in no ledger.
        let balance = if status == "closed" { Minor::ZERO } else { balance };
        Ok(StandingCard { name, site, issued_at, currency, balance, held, status, document, card: None })
    }

    /// Sets sites and programmes up.
    pub(crate) fn set_up(&self, shop: &Shop) -> Result<(), String> {
        for site in &self.sites {
            let document = read_document(&site.to_string()).map_err(|error| error.to_string())?;
            shop.desk.set_site(&document).map_err(told)?;
        }
        for (site, programme) in &self.programmes {
            let document = read_document(&programme.to_string()).map_err(|error| error.to_string())?;
            shop.desk.set_programme(site, &document).map_err(told)?;
        }
        Ok(())
    }
}

impl Standing {
    /// What can only be done once the cards are there: programmes are switched off, other orders hold what is held.
    pub(crate) fn prepare(&self, shop: &Shop) -> Result<(), String> {
        for (site, programme) in &self.switched_off {
            shop.desk.enable_programme(site, programme, false).map_err(told)?;
        }
        self.cards.iter().try_for_each(|card| {
            card.hold(shop).map_err(|problem| format!("card `{}` cannot be held: {problem}", card.name))
        })
    }
}

impl StandingCard {
    /// Issues it, and brings it to its balance and state. Says what is wrong with that.
    pub(crate) fn issue(&mut self, shop: &Shop) -> Vec<String> {
        match self.try_to_issue(shop) {
            Ok(()) => Vec::new(),
            Err(problem) => vec![format!("card `{}` cannot be issued: {problem}", self.name)],
        }
    }

    fn try_to_issue(&mut self, shop: &Shop) -> Result<(), String> {
        let key = shop.key();
        let doing = Doing { site: &self.site, operation: &key, actor: None, now: self.issued_at };
        let document = read_document(&self.document.to_string()).map_err(|error| error.to_string())?;
        let issued = shop.desk.issue(&doing, &document).map_err(told)?;
        let issued = issued.cards.first().ok_or("no card")?;
        let code = issued.code.as_ref().map(|code| code.reveal().to_string()).unwrap_or_default();
        let card = Card { id: issued.id.clone(), code };
        let key = shop.key();
        let doing = Doing { operation: &key, ..doing };
        if issued.value != self.decimal(self.balance) {
            let input = json!({ "to": self.decimal(self.balance), "reason": "the case says so" });
            let input = read_document(&input.to_string()).map_err(|error| error.to_string())?;
            shop.desk.adjust(&doing, &card.name(), &input).map_err(told)?;
        }
        let key = shop.key();
        let doing = Doing { operation: &key, ..doing };
        match self.status.as_str() {
            "disabled" => drop(shop.desk.disable(&doing, &card.name(), None).map_err(told)?),
            "closed" => drop(shop.desk.close(&doing, &card.name(), None).map_err(told)?),
            _ => {}
        }
        self.card = Some(card);
        Ok(())
    }

    /// Lets another order hold what the case says is held.
    fn hold(&self, shop: &Shop) -> Result<(), String> {
        if self.held.is_zero() {
            return Ok(());
        }
        let (id, amount) = (&self.issued().id, self.decimal(self.held));
        let document = json!({
            "operation": shop.key(), "site": self.site,
            "order": { "id": format!("holds-{id}"), "currency": self.currency.code(), "total": amount },
            "cards": [{ "id": id, "amount": amount }],
        });
        let document = read_document(&document.to_string()).map_err(|error| error.to_string())?;
        shop.desk.pay(&document, PayKind::Hold, shop.now()).map_err(told)?;
        Ok(())
    }

    /// The card.
    pub(crate) fn issued(&self) -> &Card {
        self.card.as_ref().unwrap_or_else(|| panic!("card `{}` was not issued", self.name))
    }

    /// An amount of it as text.
    pub(crate) fn decimal(&self, amount: Minor) -> String {
        amount.to_decimal(self.currency.exponent())
    }

    /// An entry for it: by the code that was entered if one was, with the shopper's limit if there is one, and with a
    /// field that no entry has if the case says so.
    pub(crate) fn entry(&self, given: &Value) -> Value {
        let mut entry = match given["code"].as_str() {
            Some(code) => json!({ "code": format!("{CODE_PREFIX}{code}") }),
            None => json!({ "id": self.issued().id }),
        };
        for field in ["use_at_most", "pin"] {
            if let Some(value) = given.get(field) {
                entry[field] = value.clone();
            }
        }
        entry
    }
}

/// A site of one question.
fn own_site(number: usize, id: &str) -> String {
    format!("q{number}-{id}")
}

fn currency_of(card: &Value, quote: &Value) -> String {
    let of_order = || quote["order"]["currency"].as_str().unwrap_or_default();
    card["currency"].as_str().unwrap_or_else(of_order).to_string()
}

/// An instant, or the beginning of a day in UTC.
fn begin(text: &str) -> Result<InstantMs, String> {
    let instant = if text.contains('T') { text.to_string() } else { format!("{text}T00:00:00Z") };
    Instant(instant).at().map_err(|error| error.to_string())
}

pub(crate) fn told(error: DeskError) -> String {
    format!("{}: {error}", error.code())
}
