//! Where rules and conditions come from: the standard ones inside the binary, and files of a folder that add to them or
//! replace them. Must not know what a component decides.

use std::borrow::Cow;
use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};

use giftcard_host::{Component, Facts, Grant, Host, LimitsCause, LimitsError, LoadError, Rulebook, Rules};
use semver::Version;
use thiserror::Error;

use crate::Till;
use crate::files::without_number;

/// A component inside the binary.
struct Embedded {
    name: &'static str,
    bytes: &'static [u8],
}

// INVARIANT: one of them is `gift-card`; the build script sees to it.
include!(concat!(env!("OUT_DIR"), "/embedded.rs"));

/// File name, without ending, of the standard rules.
const RULES: &str = "gift-card";

/// The rulebook that comes with the binary: the standard rules and every standard condition.
///
/// # Errors
/// [`LoadError`] where this machine cannot run one of them.
pub fn standard_rulebook(host: &Host) -> Result<Rulebook, LoadError> {
    Shelf::standard(host).map(|shelf| shelf.rulebook)
}

/// A rulebook, and where its parts came from.
pub struct Shelf {
    rulebook: Rulebook,
    entries: Vec<Entry>,
    bytes: Bytes,
}

/// The bytes of components by their digests, where they are at hand.
pub(crate) type Bytes = HashMap<String, Cow<'static, [u8]>>;

/// A loaded component.
#[derive(Clone, Debug)]
pub struct Entry {
    /// What it says about itself.
    pub facts: Facts,
    /// Where it came from.
    pub origin: Origin,
}

/// Where a component came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// From inside the binary.
    BuiltIn,
    /// From a file.
    File(PathBuf),
}

/// Why a folder of plugins cannot be used.
#[derive(Debug, Error)]
pub enum PluginsError {
    /// The folder, or a file of it, cannot be read.
    #[error("`{}` cannot be read: {}", .path.display(), without_number(&source.to_string()))]
    Unreadable {
        /// The folder.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A component does not load.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// A component asks for limits that nobody granted it.
    #[error("{error}: with `--grant-limits {name}`")]
    NotGranted {
        /// What it asks for.
        error: Box<LoadError>,
        /// Its file's name, without ending.
        name: String,
    },
    /// A grant names no component of the folder.
    #[error("`--grant-limits {name}`: there is no `{name}.wasm` in `{}`", .folder.display())]
    NothingToGrant {
        /// The name.
        name: String,
        /// The folder.
        folder: PathBuf,
    },
    /// There is more than one set of rules.
    #[error("`{}` and `{}` are both rules; only one can decide", .0.display(), .1.display())]
    TwoRules(PathBuf, PathBuf),
    /// Two files are the same version of one plugin.
    #[error("`{}` and `{}` are both version {version} of `{id}`", .first.display(), .second.display())]
    SameVersion {
        /// One file.
        first: PathBuf,
        /// The other file.
        second: PathBuf,
        /// The plugin.
        id: String,
        /// The version.
        version: String,
    },
}

impl PluginsError {
    /// Stable kebab-case code.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Unreadable { .. } => "plugins-unreadable",
            Self::Load(_) => "plugin-not-loaded",
            Self::NotGranted { .. } => "plugin-limits",
            Self::NothingToGrant { .. } => "grant-unknown",
            Self::TwoRules(..) => "two-rules",
            Self::SameVersion { .. } => "same-version-twice",
        }
    }
}

impl Shelf {
    /// What comes with the binary.
    ///
    /// # Errors
    /// [`LoadError`] where this machine cannot run one of them.
    pub fn standard(host: &Host) -> Result<Self, LoadError> {
        let rules = EMBEDDED.iter().find(|embedded| embedded.name == RULES);
        let rules = rules.expect("INVARIANT: the build script refuses to build without them");
        let mut shelf = Self::with_rules(host.load_rules(rules.name, rules.bytes)?, Origin::BuiltIn);
        shelf.bytes.insert(shelf.rulebook.rules().facts().digest.clone(), Cow::Borrowed(rules.bytes));
        for embedded in EMBEDDED.iter().filter(|embedded| embedded.name != RULES) {
            let component = host.load(embedded.name, embedded.bytes)?;
            shelf.bytes.insert(component.facts().digest.clone(), Cow::Borrowed(embedded.bytes));
            shelf.add(component, Origin::BuiltIn);
        }
        Ok(shelf)
    }

    fn with_rules(rules: Rules, origin: Origin) -> Self {
        let facts = rules.facts().clone();
        Self { rulebook: Rulebook::new(rules), entries: vec![Entry { facts, origin }], bytes: Bytes::new() }
    }

    /// Adds every `.wasm` file of a folder. A condition replaces the one of the same id, which stays available as
    /// `id@version` where the versions differ; of several versions in the folder the highest is the one meant by the
    /// bare id. Rules replace the rules. Those whose files `granted` names, without ending, get the limits that they
    /// ask for; the others the standard ones.
    ///
    /// # Errors
    /// [`PluginsError`]; the shelf is as it was.
    pub fn add_folder(&mut self, host: &Host, folder: &Path, granted: &[String]) -> Result<(), PluginsError> {
        let files = wasm_files(folder)?;
        let is_there = |name: &String| files.iter().any(|path| path.file_stem().is_some_and(|stem| *stem == **name));
        if let Some(name) = granted.iter().find(|name| !is_there(name)) {
            return Err(PluginsError::NothingToGrant { name: name.clone(), folder: folder.to_path_buf() });
        }
        let mut found = Vec::new();
        for path in files {
            let (component, bytes) = load_of_folder(host, &path, granted)?;
            self.bytes.insert(component.facts().digest.clone(), Cow::Owned(bytes));
            found.push((component, path));
        }
        let order =
            |component: &Component| (component.facts().id.clone(), Version::parse(&component.facts().version).ok());
        found.sort_by_cached_key(|(component, _)| order(component));
        for pair in found.windows(2) {
            let [(first, first_path), (second, second_path)] = pair else { continue };
            if order(first) == order(second) {
                let Facts { id, version, .. } = second.facts().clone();
                return Err(PluginsError::SameVersion {
                    first: first_path.clone(),
                    second: second_path.clone(),
                    id,
                    version,
                });
            }
        }
        let mut rules = found.iter().filter(|(component, _)| matches!(component, Component::Rules(_)));
        if let (Some((_, first)), Some((_, second))) = (rules.next(), rules.next()) {
            return Err(PluginsError::TwoRules(first.clone(), second.clone()));
        }
        for (component, path) in found {
            self.add(component, Origin::File(path));
        }
        Ok(())
    }

    /// Adds a component in place of the one of the same id, if there is one.
    pub fn add(&mut self, component: Component, origin: Origin) {
        let facts = component.facts().clone();
        match component {
            Component::Rules(rules) => {
                self.entries.retain(|entry| entry.facts.world != facts.world);
                self.rulebook.set_rules(rules);
            }
            Component::Condition(condition) => {
                self.entries.retain(|entry| (&entry.facts.id, &entry.facts.version) != (&facts.id, &facts.version));
                self.rulebook.add(condition);
            }
        }
        self.entries.push(Entry { facts, origin });
    }

    /// The rulebook.
    #[must_use]
    pub fn rulebook(&self) -> &Rulebook {
        &self.rulebook
    }

    /// The rulebook alone.
    #[must_use]
    pub fn into_rulebook(self) -> Rulebook {
        self.rulebook
    }

    /// A till with the rulebook. A ledger that is decided on with it keeps the bytes of what decides, so that decisions can
    /// be run again when other components come with the program.
    #[must_use]
    pub fn into_till(self) -> Till {
        Till::with_bytes(self.rulebook, self.bytes)
    }

    /// Everything that is loaded: the rules first, then conditions by id, their current version first.
    #[must_use]
    pub fn entries(&self) -> Vec<&Entry> {
        let mut entries: Vec<&Entry> = self.entries.iter().collect();
        entries.sort_by_key(|entry| {
            let is_rules = entry.facts.world == self.rulebook.rules().facts().world;
            (!is_rules, &entry.facts.id, !self.is_current(entry), &entry.facts.version)
        });
        entries
    }

    /// Whether this is the one that its bare id means.
    #[must_use]
    pub fn is_current(&self, entry: &Entry) -> bool {
        let facts = &entry.facts;
        let current = match self.rulebook.condition(&facts.id) {
            Some(condition) if facts.world == condition.facts().world => condition.facts(),
            _ => self.rulebook.rules().facts(),
        };
        current.digest == facts.digest
    }

    /// The component of this name: an id, or `id@version`.
    #[must_use]
    pub fn entry(&self, name: &str) -> Option<&Entry> {
        let (id, version) = match name.split_once('@') {
            Some((id, version)) => (id, Some(version)),
            None => (name, None),
        };
        let found = |entry: &&&Entry| {
            entry.facts.id == id
                && version.map_or_else(|| self.is_current(entry), |version| entry.facts.version == version)
        };
        self.entries().iter().find(found).copied()
    }
}

/// A component of a folder and its bytes, with what it asks for where its name is among those that are `granted` that.
fn load_of_folder(host: &Host, path: &Path, granted: &[String]) -> Result<(Component, Vec<u8>), PluginsError> {
    let (name, bytes) = host.read_file(path)?;
    let grant = if granted.contains(&name) { host.wanted(&name, &bytes)? } else { Grant::default() };
    let loaded = host.load_granted(&name, &bytes, &grant).map_err(|error| match &error {
        LoadError::Limits(LimitsError { cause: LimitsCause::NotGranted { .. }, .. }) => {
            PluginsError::NotGranted { error: Box::new(error), name }
        }
        _ => error.into(),
    });
    Ok((loaded?, bytes))
}

fn wasm_files(folder: &Path) -> Result<Vec<PathBuf>, PluginsError> {
    let unreadable = |source: io::Error| PluginsError::Unreadable { path: folder.to_path_buf(), source };
    let mut files = Vec::new();
    for entry in folder.read_dir().map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        if path.extension().is_some_and(|ending| ending == "wasm") && path.is_file() {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}
