//! `giftcard customer`: who a shop knows, and erasing what it knows of somebody. Must not know what they own.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use giftcard::Desk;
use giftcard::input::Attribute;
use giftcard::output::{CustomerOutput, PageOutput};
use serde_json::json;

use super::naming::{Edited, PageArguments, SiteArgument};
use super::show::{fields, table};
use super::terminal::{Failure, Terminal, plain};

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Record a customer, or change what is recorded
    ///
    /// From a document; or by options, which change what they name
    Set(Set),
    /// Show what is recorded of a customer
    Show(Named),
    /// List the customers of a site
    List {
        #[command(flatten)]
        site: SiteArgument,
        #[command(flatten)]
        page: PageArguments,
        /// Print it as JSON
        #[arg(long)]
        json: bool,
    },
    /// Erase what is known of a customer: the record, and the personal fields of all requests
    ///
    /// Cards and store credit stay under the bare id. Decisions about those requests can be checked afterwards, but not
    /// run again
    Erase(Named),
}

/// A customer.
#[derive(Args)]
pub(crate) struct Named {
    /// The customer's id
    id: String,
    #[command(flatten)]
    site: SiteArgument,
    /// Print it as JSON
    #[arg(long)]
    json: bool,
}

#[derive(Args)]
pub(crate) struct Set {
    /// A JSON file with everything that is recorded, or `-` for standard input
    #[arg(required_unless_present = "id")]
    file: Option<PathBuf>,
    #[command(flatten)]
    site: SiteArgument,
    /// The platform's id. It stays when the customer is erased, so it should be no name and no address
    #[arg(long)]
    id: Option<String>,
    /// Name
    #[arg(long)]
    name: Option<String>,
    /// Phone number
    #[arg(long)]
    phone: Option<String>,
    /// Email address
    #[arg(long)]
    email: Option<String>,
    /// A role, instead of those recorded; may be given several times
    #[arg(long)]
    role: Vec<String>,
    /// Print it as JSON
    #[arg(long)]
    json: bool,
}

impl Command {
    pub(crate) fn json(&self) -> bool {
        match self {
            Self::Set(set) => set.json,
            Self::Show(named) | Self::Erase(named) => named.json,
            Self::List { json, .. } => *json,
        }
    }
}

pub(crate) fn run(desk: &Desk, command: &Command, terminal: &mut Terminal) -> Result<u8, Failure> {
    match command {
        Command::Set(options) => set(desk, options, terminal),
        Command::Show(Named { id, site, json }) => match desk.customer(&site.site, id)? {
            Some(customer) => terminal.answer(&customer, *json, |_| show(&customer)),
            None => {
                let message =
                    format!("nothing is recorded of customer `{}` at site `{}`", plain(id), plain(&site.site));
                Err(Failure::refused("not-found", message))
            }
        },
        Command::List { site, page, json } => {
            let found = desk.customers(&site.site, page.after.as_deref(), page.limit)?;
            terminal.answer(&found, *json, |wide| list(&found, wide))
        }
        Command::Erase(Named { id, site, json }) => {
            let erased = desk.erase_customer(&site.site, id)?;
            terminal.answer(&erased, *json, |_| {
                let record = if erased.record { "the record" } else { "no record, since there was none," };
                format!("erased {record} and the personal fields of {} requests", erased.requests)
            })
        }
    }
}

fn set(desk: &Desk, options: &Set, terminal: &mut Terminal) -> Result<u8, Failure> {
    let site = &options.site.site;
    let kept = match (&options.file, &options.id) {
        (None, Some(id)) => desk.customer(site, id)?,
        _ => None,
    };
    let kept = kept.map(|kept| serde_json::to_value(&kept.customer)).transpose().map_err(std::io::Error::from)?;
    let mut edited = Edited::begin(options.file.as_deref(), kept)?;
    edited.set("id", options.id.as_deref());
    edited.set("name", options.name.as_deref());
    edited.set("phone", options.phone.as_deref());
    edited.set("email", options.email.as_deref());
    edited.set("roles", (!options.role.is_empty()).then(|| json!(options.role)));
    let customer = desk.set_customer(site, &edited.read()?)?;
    terminal.answer(&customer, options.json, |_| show(&customer))
}

fn roles(customer: &CustomerOutput) -> String {
    customer.customer.roles.iter().map(|role| plain(role)).collect::<Vec<_>>().join(", ")
}

fn show(customer: &CustomerOutput) -> String {
    let document = &customer.customer;
    let text = |text: &Option<giftcard::input::Text>| text.as_deref().map(plain).unwrap_or_default();
    let attribute = |(name, value): (&String, &Attribute)| {
        format!("{} = {}", plain(name), plain(&serde_json::to_string(value).unwrap_or_default()))
    };
    let attributes: Vec<String> = document.attributes.iter().map(attribute).collect();
    fields(&[
        ("customer", plain(&document.id)),
        ("site", plain(&customer.site)),
        ("name", text(&document.name)),
        ("phone", text(&document.phone)),
        ("email", text(&document.email)),
        ("roles", roles(customer)),
        ("attributes", attributes.join(", ")),
        ("version", customer.version.to_string()),
    ])
}

fn list(page: &PageOutput<CustomerOutput>, wide: bool) -> String {
    if page.items.is_empty() {
        return "No customers are recorded.".to_string();
    }
    let mut rows = table(&["customer", "name", "phone", "email", "roles"], &[], wide);
    for customer in &page.items {
        let text = |text: &Option<giftcard::input::Text>| text.as_deref().map(plain).unwrap_or_default();
        let document = &customer.customer;
        let id = plain(&document.id);
        rows.add_row([id, text(&document.name), text(&document.phone), text(&document.email), roles(customer)]);
    }
    format!("{rows}\n{}", super::naming::more(&page.next))
}
