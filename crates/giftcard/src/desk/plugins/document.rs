//! What is kept of an installed plugin: its versions, which of them decides, and who changed that. Must not know how a
//! component is loaded or where the document is kept.

use serde::{Deserialize, Serialize};

/// Most versions that were active before and are remembered for rolling back.
const BEFORE_MAX: usize = 100;

/// Most events that are kept; the oldest go first.
const EVENTS_MAX: usize = 200;

/// Basis points of the whole.
pub(crate) const WHOLE: u16 = 10_000;

/// A plugin of a site. Its id is that of the record.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct PluginDocument {
    /// In the order they were installed.
    pub(super) versions: Vec<Version>,
    /// Digest of the version that the bare id means; without one that is the one that comes with the program, if any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) active: Option<String>,
    /// What was active before, the last one last.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) before: Vec<Option<String>>,
    /// Switched off: whoever binds the bare id is told so in place of an answer.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(super) off: bool,
    /// The version that decides for a share of the orders.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) canary: Option<Canary>,
    /// Digest of the version that looks on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) shadow: Option<String>,
    /// What waits for a second person.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) proposed: Option<Proposal>,
    /// The last changes, oldest first.
    pub(super) events: Vec<Event>,
}

/// An installed version.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Version {
    /// SHA-256 of its bytes, in hexadecimal.
    pub(super) digest: String,
    /// As it says of itself.
    pub(super) version: String,
    /// Whether it is a set of rules, and not a condition.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(super) rules: bool,
    /// As it says of itself.
    pub(super) title: String,
    /// Bytes.
    pub(super) size: usize,
    /// What it was granted beyond the standard limits, in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) granted: Option<String>,
    /// Who vouches for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) signed: Option<Signed>,
    /// Not listed any more. Its bytes stay, for decisions that name them.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(super) removed: bool,
}

/// A signature, in hexadecimal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Signed {
    /// Public key.
    pub(super) key: String,
    pub(super) signature: String,
}

/// A version that decides for a share of the orders.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Canary {
    pub(super) digest: String,
    /// Basis points of the orders: 1 to 9,999.
    pub(super) share: u16,
}

/// A change that waits for a second person.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Proposal {
    pub(super) change: Change,
    pub(super) by: String,
    pub(super) at: String,
}

/// A change of which version decides.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Change {
    /// This version from now on.
    Activate(String),
    /// This one for a share of the orders.
    Canary(Canary),
}

/// Something that was done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Event {
    /// RFC 3339 in UTC.
    pub(super) at: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) by: Option<String>,
    pub(super) what: String,
}

impl PluginDocument {
    /// The listed version of that name: a version, or the beginning of a digest, at least 8 characters of it.
    pub(super) fn named(&self, name: &str) -> Option<&Version> {
        let listed = || self.versions.iter().filter(|version| !version.removed);
        let by_digest = |version: &&Version| name.len() >= 8 && version.digest.starts_with(name);
        listed().find(|version| version.version == name).or_else(|| listed().find(by_digest))
    }

    /// A version by its digest, also one that is not listed any more.
    pub(super) fn of_digest(&self, digest: &str) -> Option<&Version> {
        self.versions.iter().find(|version| version.digest == digest)
    }

    /// The version that is active; none where what comes with the program is.
    pub(super) fn active_version(&self) -> Option<&Version> {
        self.of_digest(self.active.as_deref()?)
    }

    /// The version that was installed last and is listed.
    pub(super) fn newest(&self) -> Option<&Version> {
        self.versions.iter().rev().find(|version| !version.removed)
    }

    /// The digests that a decision may need now.
    pub(super) fn is_used(&self, digest: &str) -> bool {
        let used =
            [self.active.as_deref(), self.shadow.as_deref(), self.canary.as_ref().map(|one| one.digest.as_str())];
        used.contains(&Some(digest))
    }

    /// Makes a version, or what comes with the program, the one that the bare id means.
    pub(super) fn activate(&mut self, digest: Option<String>) {
        if self.active != digest {
            self.before.push(std::mem::replace(&mut self.active, digest));
            let surplus = self.before.len().saturating_sub(BEFORE_MAX);
            self.before.drain(..surplus);
        }
        self.off = false;
        self.canary = None;
        // What decides does not look on.
        self.shadow.take_if(|shadow| self.active.as_ref() == Some(&*shadow));
    }

    pub(super) fn note(&mut self, at: &str, by: Option<&str>, what: String) {
        self.events.push(Event { at: at.to_string(), by: by.map(str::to_string), what });
        let surplus = self.events.len().saturating_sub(EVENTS_MAX);
        self.events.drain(..surplus);
    }
}
