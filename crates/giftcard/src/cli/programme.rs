//! `giftcard programme`: what cards of one kind have in common. Must not know what of it is right.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use giftcard::Desk;
use giftcard::desk::{self, SettingUp};
use giftcard::input::{
    AudienceInput, CodeInput, ExpiryInput, MinimumOrderInput, OnFailureInput, ProgrammeDocument, ValueInput,
};
use giftcard::output::ProgrammeOutput;
use serde_json::{Value, json};

use super::ledger::now_ms;
use super::naming::{Edited, SiteArgument};
use super::plugin::installed::tell_proposal;
use super::show::{fields, table};
use super::terminal::{self, Failure, Terminal, plain};

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Make a programme, or change one
    ///
    /// From a document; or by options, which change what they name of the programme that has the code name
    Set(Box<Set>),
    /// Show a programme
    Show(Named),
    /// List the programmes of a site
    List {
        #[command(flatten)]
        site: SiteArgument,
        /// Print one line of JSON for each
        #[arg(long)]
        json: bool,
    },
    /// Switch a programme on
    Enable(Named),
    /// Switch a programme off: its cards pay nothing as long as it is
    Disable(Named),
}

/// A programme.
#[derive(Args)]
pub(crate) struct Named {
    /// Its code name
    code_name: String,
    #[command(flatten)]
    site: SiteArgument,
    /// Print it as JSON
    #[arg(long)]
    json: bool,
}

#[derive(Args)]
pub(crate) struct Set {
    /// A JSON file with the whole programme, or `-` for standard input
    file: Option<PathBuf>,
    #[command(flatten)]
    site: SiteArgument,
    /// Its name for people
    #[arg(long)]
    name: Option<String>,
    /// Its code name, unique within the site [default: made from the name]
    #[arg(long, value_name = "NAME")]
    code_name: Option<String>,
    /// What it is for
    #[arg(long, value_name = "TEXT")]
    description: Option<String>,
    /// Switched on or off
    #[arg(long, value_name = "true|false")]
    enabled: Option<bool>,
    #[command(flatten)]
    values: Values,
    /// Currency of its cards [default: the site's]
    #[arg(long, value_name = "CODE")]
    currency: Option<String>,
    /// The least order its cards can be used on, in the site's main currency
    #[arg(long, value_name = "AMOUNT", allow_negative_numbers = true)]
    minimum_order: Option<String>,
    /// Its cards work from this day or instant on
    #[arg(long, value_name = "DAY")]
    valid_from: Option<String>,
    /// Its cards work until the end of this day, or until just before this instant
    #[arg(long, value_name = "DAY")]
    valid_to: Option<String>,
    #[command(flatten)]
    audience: Audience,
    #[command(flatten)]
    expiry: Expiry,
    #[command(flatten)]
    codes: Codes,
    /// Another site that accepts its cards; may be given several times
    #[arg(long, value_name = "SITE")]
    accepted_by: Vec<String>,
    /// A condition that every order must fulfil: a plugin by its id, and its settings as JSON, such as
    /// `minimum-lines={"lines": 3}`; may be given several times
    #[arg(long, value_name = "PLUGIN[=SETTINGS]")]
    condition: Vec<String>,
    /// Whether its cards can become store credit
    #[arg(long, value_name = "true|false")]
    to_credit: Option<bool>,
    /// Who does it; needed where two persons are demanded for its conditions
    #[arg(long, value_name = "NAME")]
    actor: Option<String>,
    /// Print the programme as JSON
    #[arg(long)]
    json: bool,
}

/// What its cards are issued with.
#[derive(Args)]
struct Values {
    /// Its cards are issued with this
    #[arg(long, value_name = "AMOUNT", allow_negative_numbers = true, conflicts_with_all = ["denomination", "value_min"])]
    value: Option<String>,
    /// Its cards are issued with this or another denomination; may be given several times
    #[arg(long, value_name = "AMOUNT", allow_negative_numbers = true, conflicts_with = "value_min")]
    denomination: Vec<String>,
    /// Its cards are issued with at least this
    #[arg(long, value_name = "AMOUNT", allow_negative_numbers = true, requires = "value_max")]
    value_min: Option<String>,
    /// Its cards are issued with at most this
    #[arg(long, value_name = "AMOUNT", allow_negative_numbers = true, requires = "value_min")]
    value_max: Option<String>,
}

/// Who may use its cards.
#[derive(Args)]
#[group(multiple = false)]
struct Audience {
    /// Anyone may use its cards
    #[arg(long)]
    everyone: bool,
    /// Only customers who are signed in may use its cards
    #[arg(long)]
    registered: bool,
    /// Only customers in this role, or another that is named, may use its cards; may be given several times
    #[arg(long, value_name = "ROLE")]
    role: Vec<String>,
    /// Only this customer may use its cards
    #[arg(long, value_name = "ID")]
    customer: Option<String>,
}

/// When its cards end.
#[derive(Args)]
#[group(multiple = false)]
struct Expiry {
    /// Its cards do not end
    #[arg(long)]
    expires_never: bool,
    /// Its cards end so many days after they are issued
    #[arg(long, value_name = "DAYS")]
    expires_days: Option<u32>,
    /// Its cards end so many calendar months after they are issued
    #[arg(long, value_name = "MONTHS")]
    expires_months: Option<u32>,
    /// Its cards end with this day, or at this instant
    #[arg(long, value_name = "DAY")]
    expires_on: Option<String>,
}

/// Where its codes come from.
#[derive(Args)]
struct Codes {
    /// Its codes are generated by this pattern, such as `HAPPYBD_XXXX-XXXX-XXXX-XXXX`
    #[arg(long, conflicts_with = "pool")]
    pattern: Option<String>,
    /// Take a pattern although its codes can be guessed
    #[arg(long, requires = "pattern")]
    accept_weak: bool,
    /// Its codes are drawn from this pool
    #[arg(long, value_name = "NAME")]
    pool: Option<String>,
}

impl Command {
    pub(crate) fn json(&self) -> bool {
        match self {
            Self::Set(set) => set.json,
            Self::Show(named) | Self::Enable(named) | Self::Disable(named) => named.json,
            Self::List { json, .. } => *json,
        }
    }
}

pub(crate) fn run(desk: &Desk, command: &Command, terminal: &mut Terminal) -> Result<u8, Failure> {
    match command {
        Command::Set(options) => set(desk, options, terminal),
        Command::Show(Named { code_name, site, json }) => match desk.programme(&site.site, code_name)? {
            Some(programme) => terminal.answer(&programme, *json, |_| show(&programme)),
            None => {
                let (site, name) = (plain(&site.site), plain(code_name));
                let message =
                    format!("the site `{site}` has no programme `{name}`; `giftcard programme list` shows them");
                Err(Failure::refused("not-found", message))
            }
        },
        Command::List { site, json } => {
            let programmes = desk.programmes(&site.site)?;
            if *json {
                programmes.iter().try_for_each(|programme| terminal.json(programme))?;
            } else {
                terminal.line(list(&programmes, terminal.is_terminal()).trim_end())?;
            }
            Ok(terminal::DONE)
        }
        Command::Enable(named) => switch(desk, named, true, terminal),
        Command::Disable(named) => switch(desk, named, false, terminal),
    }
}

fn switch(desk: &Desk, named: &Named, on: bool, terminal: &mut Terminal) -> Result<u8, Failure> {
    let programme = desk.enable_programme(&named.site.site, &named.code_name, on)?;
    terminal.answer(&programme, named.json, |_| show(&programme))
}

/// Shows a programme that was changed, and what should be known about it.
pub(crate) fn answer(programme: &ProgrammeOutput, json: bool, terminal: &mut Terminal) -> Result<u8, Failure> {
    for warning in &programme.warnings {
        terminal.note(warning)?;
    }
    terminal.answer(programme, json, |_| show(programme))
}

fn set(desk: &Desk, options: &Set, terminal: &mut Terminal) -> Result<u8, Failure> {
    let site = &options.site.site;
    let kept = match (&options.file, &options.code_name) {
        (None, Some(code_name)) => desk.programme(site, code_name)?,
        _ => None,
    };
    let kept = kept.map(|kept| serde_json::to_value(&kept.programme)).transpose().map_err(std::io::Error::from)?;
    let mut edited = Edited::begin(options.file.as_deref(), kept)?;
    edited.set("name", options.name.as_deref());
    edited.set("code_name", options.code_name.as_deref());
    edited.set("description", options.description.as_deref());
    edited.set("enabled", options.enabled);
    edited.set("value", options.values.document());
    edited.set("currency", options.currency.as_deref());
    edited.set("minimum_order", options.minimum_order.as_deref());
    edited.set("valid_from", options.valid_from.as_deref());
    edited.set("valid_to", options.valid_to.as_deref());
    edited.set("audience", options.audience.document());
    edited.set("expires", options.expiry.document());
    edited.set("codes", options.codes.document());
    edited.set("accepted_by", Some(&options.accepted_by).filter(|sites| !sites.is_empty()).map(|sites| json!(sites)));
    edited.set("conditions", conditions(&options.condition)?);
    edited.set("to_credit", options.to_credit);
    let by = SettingUp { actor: options.actor.as_deref(), now: now_ms() };
    answer_set(&desk.set_programme_by(site, &edited.read()?, by)?, options.json, terminal)
}

/// A programme that was changed, or the change that waits.
pub(super) fn answer_set(set: &desk::Set<ProgrammeOutput>, json: bool, terminal: &mut Terminal) -> Result<u8, Failure> {
    match set {
        desk::Set::Done(programme) => answer(programme, json, terminal),
        desk::Set::Proposed(proposal) => tell_proposal(proposal, json, terminal),
    }
}

impl Values {
    fn document(&self) -> Option<Value> {
        match (&self.value, &self.value_min) {
            (Some(value), _) => Some(json!({ "fixed": value })),
            (None, Some(min)) => Some(json!({ "range": { "min": min, "max": self.value_max } })),
            (None, None) if !self.denomination.is_empty() => Some(json!({ "denominations": self.denomination })),
            (None, None) => None,
        }
    }
}

impl Audience {
    fn document(&self) -> Option<Value> {
        match self {
            Self { everyone: true, .. } => Some(json!("everyone")),
            Self { registered: true, .. } => Some(json!("registered")),
            Self { customer: Some(id), .. } => Some(json!({ "customer": id })),
            Self { role, .. } if !role.is_empty() => Some(json!({ "roles": role })),
            _ => None,
        }
    }
}

impl Expiry {
    fn document(&self) -> Option<Value> {
        match self {
            Self { expires_never: true, .. } => Some(json!("never")),
            Self { expires_days: Some(days), .. } => Some(json!({ "days": days })),
            Self { expires_months: Some(months), .. } => Some(json!({ "months": months })),
            Self { expires_on: Some(day), .. } => Some(json!({ "on": day })),
            _ => None,
        }
    }
}

impl Codes {
    fn document(&self) -> Option<Value> {
        let pattern = |pattern| json!({ "pattern": { "pattern": pattern, "accept_weak": self.accept_weak } });
        self.pattern.as_ref().map(pattern).or_else(|| self.pool.as_ref().map(|pool| json!({ "pool": pool })))
    }
}

/// Conditions as a document has them; `None` where none is given.
fn conditions(given: &[String]) -> Result<Option<Value>, Failure> {
    let condition = |text: &String| {
        let (plugin, settings) = text.split_once('=').unwrap_or((text, "{}"));
        let settings: Value = giftcard::input::read_document(settings).map_err(|error| {
            let message = format!("the settings in `--condition {}=...` are no JSON: {error}", plain(plugin));
            Failure::refused("malformed-json", message)
        })?;
        Ok(json!({ "plugin": plugin, "settings": settings }))
    };
    let all = given.iter().map(condition).collect::<Result<Vec<_>, Failure>>()?;
    Ok((!all.is_empty()).then(|| Value::Array(all)))
}

fn value(document: &ProgrammeDocument) -> String {
    let currency = document.currency.as_ref().map(|currency| format!(" {}", plain(&currency.0))).unwrap_or_default();
    match &document.value {
        None => format!("any{currency}"),
        Some(ValueInput::Fixed(value)) => format!("{}{currency}", plain(&value.0)),
        Some(ValueInput::Denominations(values)) => {
            let values: Vec<String> = values.iter().map(|value| plain(&value.0)).collect();
            format!("{}{currency}", values.join(", "))
        }
        Some(ValueInput::Range { min, max }) => format!("{} to {}{currency}", plain(&min.0), plain(&max.0)),
    }
}

fn expiry(document: &ProgrammeDocument) -> String {
    match &document.expires {
        None | Some(ExpiryInput::Never) => "never".to_string(),
        Some(ExpiryInput::Days(days)) => format!("{} days after issue", days.0),
        Some(ExpiryInput::Months(months)) => format!("{} months after issue", months.0),
        Some(ExpiryInput::On(day)) => plain(&day.0),
    }
}

fn audience(document: &ProgrammeDocument) -> String {
    match &document.audience {
        None | Some(AudienceInput::Everyone) => "everyone".to_string(),
        Some(AudienceInput::Registered) => "registered customers".to_string(),
        Some(AudienceInput::Customer(id)) => format!("the customer {}", plain(id)),
        Some(AudienceInput::Roles(roles)) => {
            let roles: Vec<String> = roles.iter().map(|role| plain(role)).collect();
            format!("customers in the roles {}", roles.join(", "))
        }
    }
}

fn codes(document: &ProgrammeDocument) -> String {
    match &document.codes {
        None => "generated".to_string(),
        Some(CodeInput::Pattern { pattern, .. }) => format!("generated as {}", plain(pattern)),
        Some(CodeInput::Pool(pool)) => format!("from the pool {}", plain(pool)),
    }
}

fn minimum(document: &ProgrammeDocument) -> String {
    match &document.minimum_order {
        None => String::new(),
        Some(MinimumOrderInput::Total(amount)) => plain(&amount.0),
        Some(MinimumOrderInput::WithBasis(given)) => {
            let basis = serde_json::to_value(given.basis).ok();
            let basis = basis.as_ref().and_then(Value::as_str).unwrap_or_default();
            format!("{} of {basis}", plain(&given.amount.0))
        }
    }
}

fn show(programme: &ProgrammeOutput) -> String {
    let document = &programme.programme;
    let day = |day: &Option<giftcard::input::DayOrInstant>| day.as_ref().map(|day| plain(&day.0)).unwrap_or_default();
    let names = |names: &[giftcard::input::Name]| names.iter().map(|name| plain(name)).collect::<Vec<_>>().join(", ");
    let condition = |condition: &giftcard::input::ConditionInput| {
        let failure = match &condition.on_failure {
            OnFailureInput::RefuseCard => "",
            OnFailureInput::Ignore => ", passed over if it fails",
            OnFailureInput::Previous(_) => ", the previous version if it fails",
        };
        let settings = serde_json::to_string(&condition.settings).unwrap_or_default();
        format!("{} {}{failure}", plain(&condition.plugin), plain(&settings))
    };
    let conditions: Vec<String> = document.conditions.iter().map(condition).collect();
    fields(&[
        ("programme", plain(&programme.code_name)),
        ("name", plain(&document.name)),
        ("description", plain(document.description.as_deref().unwrap_or_default())),
        ("site", plain(&programme.site)),
        ("enabled", if document.enabled == Some(false) { "no" } else { "yes" }.to_string()),
        ("value", format!("{}{}", value(document), if programme.frozen { " (frozen, cards exist)" } else { "" })),
        ("minimum order", minimum(document)),
        ("valid from", day(&document.valid_from)),
        ("valid to", day(&document.valid_to)),
        ("audience", audience(document)),
        ("cards end", expiry(document)),
        ("codes", codes(document)),
        ("accepted by", names(&document.accepted_by)),
        ("conditions", conditions.join("\n               ")),
        ("store credit", if document.allows_credit() { "allowed" } else { "not allowed" }.to_string()),
        ("version", programme.version.to_string()),
    ])
}

fn list(programmes: &[ProgrammeOutput], wide: bool) -> String {
    if programmes.is_empty() {
        return "There are no programmes; `giftcard programme set` makes one. Cards can be issued by hand all the same."
            .to_string();
    }
    let mut rows = table(&["programme", "name", "enabled", "value", "cards end", "codes", "conditions"], &[6], wide);
    for programme in programmes {
        let document = &programme.programme;
        rows.add_row([
            plain(&programme.code_name),
            plain(&document.name),
            if document.enabled == Some(false) { "no" } else { "yes" }.to_string(),
            value(document),
            expiry(document),
            codes(document),
            document.conditions.len().to_string(),
        ]);
    }
    rows.to_string()
}
