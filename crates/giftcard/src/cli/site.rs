//! `giftcard site`: shops, with their currency, time zone, exchange rates and policies. Must not know what of it is
//! right.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use giftcard::Desk;
use giftcard::desk::{self, MAIN_SITE, SettingUp};
use giftcard::output::SiteOutput;
use giftcard_engine::programme::CARDS_MAX_DEFAULT;
use serde_json::{Value, json};

use super::ledger::now_ms;
use super::naming::Edited;
use super::plugin::installed::tell_proposal;
use super::show::{fields, table};
use super::terminal::{self, Failure, Terminal, plain};

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Make a site, or change one
    ///
    /// From a document; or by options, which change what they name of a site that is there
    Set(Box<Set>),
    /// Show a site
    Show {
        /// The site
        #[arg(default_value = MAIN_SITE)]
        id: String,
        /// Print it as JSON
        #[arg(long)]
        json: bool,
    },
    /// List all sites
    List {
        /// Print one line of JSON for each
        #[arg(long)]
        json: bool,
    },
}

#[derive(Args)]
pub(crate) struct Set {
    /// A JSON file with the whole site, or `-` for standard input
    file: Option<PathBuf>,
    /// Its name [default: main]
    #[arg(long, value_name = "NAME")]
    id: Option<String>,
    /// Its main currency, which cannot be changed later
    #[arg(long, value_name = "CODE")]
    currency: Option<String>,
    /// Its time zone, as the IANA database calls it
    #[arg(long, value_name = "ZONE")]
    time_zone: Option<String>,
    /// In which order cards are used
    #[arg(long, value_parser = ["as-entered", "soonest-expiry", "smallest-balance", "oldest-first"])]
    order_of_use: Option<String>,
    /// Most cards for one order
    #[arg(long, value_name = "COUNT")]
    cards_max: Option<u32>,
    /// An exchange rate that is recorded, such as `USD:EUR=0.92`: what one USD is worth in EUR
    #[arg(long, value_name = "FROM:TO=RATE")]
    rate: Vec<String>,
    /// An exchange rate that is dropped, such as `USD:EUR`
    #[arg(long, value_name = "FROM:TO")]
    drop_rate: Vec<String>,
    /// How long a hold lasts that names no end
    #[arg(long, value_name = "MINUTES")]
    hold_minutes: Option<u32>,
    /// How many days an ended card works again at least when a refund goes back to it
    #[arg(long, value_name = "DAYS")]
    refund_extension_days: Option<u32>,
    /// The most that may be on one card, in the main currency
    #[arg(long, value_name = "AMOUNT", allow_negative_numbers = true)]
    card_value_max: Option<String>,
    /// A public key whose signatures of plugins count, in place of those that did; may be given several times
    #[arg(long, value_name = "KEY")]
    trusted_key: Vec<String>,
    /// Whether plugins have to be signed with a trusted key
    #[arg(long, value_name = "true|false")]
    require_signature: Option<bool>,
    /// Whether a second person has to approve of another version that is to decide, of conditions of programmes, and of
    /// these demands
    #[arg(long, value_name = "true|false")]
    require_approval: Option<bool>,
    /// Who does it; needed where two persons are demanded
    #[arg(long, value_name = "NAME")]
    actor: Option<String>,
    /// Print the site as JSON
    #[arg(long)]
    json: bool,
}

impl Command {
    pub(crate) fn json(&self) -> bool {
        match self {
            Self::Set(set) => set.json,
            Self::Show { json, .. } | Self::List { json } => *json,
        }
    }
}

pub(crate) fn run(desk: &Desk, command: &Command, terminal: &mut Terminal) -> Result<u8, Failure> {
    match command {
        Command::Set(options) => set(desk, options, terminal),
        Command::Show { id, json } => match desk.site(id)? {
            Some(site) => terminal.answer(&site, *json, |_| show(&site)),
            None => {
                let message = format!("there is no site `{}`; `giftcard site list` shows them", plain(id));
                Err(Failure::refused("not-found", message))
            }
        },
        Command::List { json } => {
            let sites = desk.sites()?;
            if *json {
                sites.iter().try_for_each(|site| terminal.json(site))?;
            } else {
                terminal.line(list(&sites, terminal.is_terminal()).trim_end())?;
            }
            Ok(terminal::DONE)
        }
    }
}

fn set(desk: &Desk, options: &Set, terminal: &mut Terminal) -> Result<u8, Failure> {
    let id = options.id.as_deref().unwrap_or(MAIN_SITE);
    let kept = match &options.file {
        Some(_) => None,
        None => {
            desk.site(id)?.map(|site| serde_json::to_value(&site.site)).transpose().map_err(std::io::Error::from)?
        }
    };
    let mut edited = Edited::begin(options.file.as_deref(), kept)?;
    if options.id.is_some() || options.file.is_none() {
        edited.set("id", Some(id));
    }
    edited.set("currency", options.currency.as_deref());
    edited.set("time_zone", options.time_zone.as_deref());
    edited.set("order_of_use", options.order_of_use.as_deref());
    edited.set("cards_max", options.cards_max);
    edited.set("hold_minutes", options.hold_minutes);
    edited.set("refund_extension_days", options.refund_extension_days);
    edited.set("card_value_max", options.card_value_max.as_deref());
    let rates = rates(edited.get("rates"), options)?;
    edited.set("rates", rates);
    let policy = plugin_policy(edited.get("plugins"), options);
    edited.set("plugins", policy);
    let by = SettingUp { actor: options.actor.as_deref(), now: now_ms() };
    match desk.set_site_by(&edited.read()?, by)? {
        desk::Set::Done(site) => terminal.answer(&site, options.json, |_| show(&site)),
        desk::Set::Proposed(proposal) => tell_proposal(&proposal, options.json, terminal),
    }
}

/// What is demanded of plugins with what the options change; `None` where they change nothing.
fn plugin_policy(kept: Option<&Value>, options: &Set) -> Option<Value> {
    let mut policy = kept.cloned().unwrap_or_else(|| json!({}));
    let before = policy.clone();
    if !options.trusted_key.is_empty() {
        policy["trusted_keys"] = json!(options.trusted_key);
    }
    for (field, value) in
        [("require_signature", options.require_signature), ("require_approval", options.require_approval)]
    {
        if let Some(value) = value {
            policy[field] = value.into();
        }
    }
    (policy != before).then_some(policy)
}

/// The rates with what the options change; `None` where they change none.
fn rates(kept: Option<&Value>, options: &Set) -> Result<Option<Value>, Failure> {
    if options.rate.is_empty() && options.drop_rate.is_empty() {
        return Ok(None);
    }
    let wrong = |option: &str, text: &str, right: &str| {
        Failure::refused("invalid-value", format!("`{}` is no value of `--{option}`; write {right}", plain(text)))
    };
    let mut rates: Vec<Value> = kept.and_then(Value::as_array).cloned().unwrap_or_default();
    let mut drop = |from: &str, to: &str| {
        let before = rates.len();
        rates.retain(|rate| rate["from"] != from || rate["to"] != to);
        rates.len() < before
    };
    let mut added = Vec::new();
    for text in &options.drop_rate {
        let (from, to) = text.split_once(':').ok_or_else(|| wrong("drop-rate", text, "it as `USD:EUR`"))?;
        if !drop(from, to) {
            return Err(Failure::refused("not-found", format!("no rate `{}` is recorded", plain(text))));
        }
    }
    for text in &options.rate {
        let parts = text.split_once('=').and_then(|(pair, rate)| Some((pair.split_once(':')?, rate)));
        let ((from, to), rate) = parts.ok_or_else(|| wrong("rate", text, "it as `USD:EUR=0.92`"))?;
        drop(from, to);
        added.push(json!({ "from": from, "to": to, "rate": rate }));
    }
    rates.extend(added);
    Ok(Some(Value::Array(rates)))
}

fn show(site: &SiteOutput) -> String {
    let document = &site.site;
    let rates: Vec<String> = document
        .rates
        .iter()
        .map(|rate| format!("1 {} = {} {}", plain(&rate.from.0), plain(&rate.rate.0), plain(&rate.to.0)))
        .collect();
    let order = serde_json::to_value(document.order_of_use).ok();
    let order = order.as_ref().and_then(Value::as_str).unwrap_or("as-entered").to_string();
    let most = document.card_value_max.as_ref().map(|most| format!("{} {}", plain(&most.0), document.currency.0));
    fields(&[
        ("site", plain(&document.id)),
        ("currency", document.currency.0.clone()),
        ("time zone", plain(document.time_zone.as_deref().unwrap_or("UTC"))),
        ("order of use", order),
        ("cards per order", document.cards_max.map_or(CARDS_MAX_DEFAULT, |most| most.0).to_string()),
        ("rates", if rates.is_empty() { "none".to_string() } else { rates.join(", ") }),
        ("hold", format!("{} minutes", document.hold_minutes())),
        ("refund", format!("an ended card works {} days again", document.refund_extension_days())),
        ("most on a card", most.unwrap_or_else(|| "no limit".to_string())),
        ("version", site.version.to_string()),
    ])
}

fn list(sites: &[SiteOutput], wide: bool) -> String {
    if sites.is_empty() {
        return "There are no sites; `giftcard site set` makes one.".to_string();
    }
    let mut rows = table(&["site", "currency", "time zone", "rates", "version"], &[3, 4], wide);
    for site in sites {
        rows.add_row([
            plain(&site.site.id),
            site.site.currency.0.clone(),
            plain(site.site.time_zone.as_deref().unwrap_or("UTC")),
            site.site.rates.len().to_string(),
            site.version.to_string(),
        ]);
    }
    rows.to_string()
}
