//! A plugin that was installed at a site, as it is answered. Must not know how it is kept.

use schemars::JsonSchema;
use serde::Serialize;

use crate::input::{ProgrammeDocument, SiteDocument};

/// A plugin of a site.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(rename = "installed-plugin")]
pub struct InstalledOutput {
    /// The site.
    pub site: String,
    /// Stays the same over all versions.
    pub id: String,
    /// The version that decides; none where none does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub active: Option<String>,
    /// Whether that is the one that comes with the program.
    pub built_in: bool,
    /// Switched off: whoever binds it is told so in place of an answer.
    pub off: bool,
    /// The version that decides for a share of the orders.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub canary: Option<String>,
    /// That share, such as `5%`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub canary_share: Option<String>,
    /// The version that looks on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shadow: Option<String>,
    /// What waits for a second person.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub proposed: Option<ProposalOutput>,
    /// The installed versions, in the order they were installed.
    pub versions: Vec<InstalledVersionOutput>,
    /// The programmes of the site that bind it by its id.
    pub bound_by: Vec<String>,
    /// The last changes, oldest first; at most 200.
    pub events: Vec<PluginEventOutput>,
}

/// An installed version.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(rename = "InstalledVersion")]
pub struct InstalledVersionOutput {
    /// As it says of itself.
    pub version: String,
    /// SHA-256 of its bytes, in hexadecimal.
    pub digest: String,
    /// The world of the contract it fits.
    pub world: String,
    /// Its name for people.
    pub title: String,
    /// Bytes.
    pub size: usize,
    /// Whether it decides.
    pub active: bool,
    /// What it was granted beyond the standard limits.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub granted: Option<String>,
    /// The public key of who signed it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub signed_by: Option<String>,
}

/// A change that waits for a second person.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(rename = "Proposal")]
pub struct ProposalOutput {
    /// Who proposed it.
    pub by: String,
    /// When, as RFC 3339 in UTC.
    pub at: String,
    /// The version that is to decide.
    pub version: String,
    /// For which share of the orders; all if left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub share: Option<String>,
}

/// A change of how a shop is set up that two persons are demanded for.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[schemars(rename = "setup-proposal")]
pub struct SetupProposalOutput {
    /// The site.
    pub site: String,
    /// What names it: what is changed, and the beginning of the digest of what was looked at.
    pub name: String,
    /// Who proposed it.
    pub by: String,
    /// When, as RFC 3339 in UTC.
    pub at: String,
    /// `waits`, `approved` or `withdrawn`.
    pub state: &'static str,
    /// Who approved of it or took it back.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ended_by: Option<String>,
    /// When, as RFC 3339 in UTC.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<String>,
    /// What takes the place of what is there.
    pub change: SetupChangeOutput,
}

/// A whole document that takes the place of another.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(rename = "SetupChange")]
pub enum SetupChangeOutput {
    /// The site.
    Site(Box<SiteDocument>),
    /// One of its programmes.
    Programme(Box<ProgrammeDocument>),
}

/// Something that was done with a plugin.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(rename = "PluginEvent")]
pub struct PluginEventOutput {
    /// When, as RFC 3339 in UTC.
    pub at: String,
    /// By whom.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// What.
    pub what: String,
}

/// Basis points as people write them: 50 is `0.5%`.
pub(crate) fn percent(basis_points: u16) -> String {
    format!("{}%", super::plugin::scaled(i64::from(basis_points), 2))
}
