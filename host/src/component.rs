//! Loading in stages: read, parse, check against the contract, compile, link, trial run. What comes out has been seen to
//! describe itself, twice the same. Must not know programmes, orders or cards.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::sync::Arc;

use giftcard_engine::value::{Value, is_code};
use sha2::{Digest, Sha256};
use wasmtime::component::{Component as Code, InstancePre};

use crate::cache::CodeCache;
use crate::contract::{Fit, World, fit};
use crate::error::{
    CallError, CallFailure, CompileError, ContractError, HostError, LimitsCause, LimitsError, LinkError, LoadError,
    ParseError, ReadCause, ReadError, TrialCause, TrialError, Who, clip,
};
use crate::grant::{COMPONENT_BYTES_CEILING, Grant};
use crate::limits::Limits;
use crate::needs::NeedsOf;
use crate::sandbox::{Allocation, CallState, Purpose, Sandbox, hex};
use crate::settings::{Setting, described_settings, with_defaults};
use crate::v0_1::{self, ConditionPre, Needs, PluginPre, Problems, RulesPre};
use crate::version::{Version, listed};

/// Bytes of a component's version.
const VERSION_BYTES_MAX: usize = 64;

/// How a host is set up.
#[derive(Clone, Debug)]
pub struct HostConfig {
    /// What a call may cost.
    pub limits: Limits,
    /// Directory for compiled code, made if it is missing; private to the user. Without one every start compiles anew.
    pub cache: Option<std::path::PathBuf>,
    /// How many calls may run at once; more wait, at most [`Limits::wait_max`].
    pub calls_max: u32,
    /// Whether to reserve memory for all calls in advance. Where that fails the host goes on without.
    pub pooling: bool,
    /// Whether a trap names the lines of the component's source where its file has debug information. For authors and their
    /// own components: reading what a stranger's file brings takes as long as the stranger likes. Code compiled with it has an
    /// engine id of its own; answers and fuel are the same.
    pub source_lines: bool,
    /// Whether components that were built for a draft of the contract are loaded, beside all others. A draft changes without
    /// notice, so a host that decides for real leaves this off. Only a host that was compiled with a draft (the feature
    /// `contract-0-2-draft`) knows one.
    pub drafts: bool,
}

impl Default for HostConfig {
    fn default() -> Self {
        let cores = std::thread::available_parallelism().map_or(4, std::num::NonZero::get);
        let calls_max = u32::try_from(cores.saturating_mul(4)).unwrap_or(64).clamp(16, 256);
        Self { limits: Limits::default(), cache: None, calls_max, pooling: true, source_lines: false, drafts: false }
    }
}

/// Loads components. Cheap to clone, and shared by all that it has loaded; may be used from many threads at once.
#[derive(Clone)]
pub struct Host {
    inner: Arc<Inner>,
}

struct Inner {
    sandbox: Sandbox,
    cache: Option<CodeCache>,
    drafts: bool,
}

/// What a component says of itself and what was seen of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Facts {
    /// kebab-case, the same over all versions.
    pub id: String,
    /// Its semantic version.
    pub version: String,
    /// The version of the contract it was built against.
    pub contract: String,
    /// The world it fits.
    pub world: World,
    /// Title, for people.
    pub title: String,
    /// Summary, for people.
    pub summary: String,
    /// SHA-256 of the file, lower-case hex.
    pub digest: String,
    /// Bytes of the file.
    pub size: usize,
    /// What it asks for beyond the host's limits, all of which it was granted.
    pub granted: Grant,
    /// What it imports; types alone ask for nothing.
    pub imports: Vec<String>,
    /// What a merchant can set.
    pub settings: Vec<Setting>,
    /// Code and meaning.
    pub reject_codes: Vec<(String, String)>,
    /// Parts of the order it reads.
    pub needs: Vec<String>,
    /// Whether it may answer with limits that several cards share.
    pub shares_limits: bool,
}

impl Facts {
    /// For errors.
    #[must_use]
    pub fn who(&self) -> Who {
        Who { name: self.id.clone(), version: Some(self.version.clone()), digest: Some(self.digest.clone()) }
    }
}

/// A loaded component.
#[derive(Clone)]
pub enum Component {
    /// A rule that merchants bind to programmes.
    Condition(Condition),
    /// Rules that apply cards and split refunds.
    Rules(Rules),
}

impl Component {
    /// What it says of itself.
    #[must_use]
    pub fn facts(&self) -> &Facts {
        match self {
            Self::Condition(condition) => condition.facts(),
            Self::Rules(rules) => rules.facts(),
        }
    }
}

/// A loaded component of the `condition-plugin` world. Cheap to clone.
#[derive(Clone)]
pub struct Condition(pub(crate) Arc<Loaded<ConditionPre>>);

/// A loaded component of the `gift-card` world. Cheap to clone.
#[derive(Clone)]
pub struct Rules(pub(crate) Arc<Loaded<RulesPre>>);

pub(crate) struct Loaded<P> {
    pub(crate) host: Host,
    /// With the limits that this component has.
    sandbox: Sandbox,
    pub(crate) facts: Arc<Facts>,
    /// For errors: id, version and digest.
    pub(crate) who: String,
    pub(crate) version: Version,
    needs: NeedsOf,
    pub(crate) pre: P,
    pub(crate) plugin: PluginPre,
}

impl<P> Loaded<P> {
    pub(crate) fn error(&self, function: &'static str, failure: CallFailure) -> CallError {
        CallError { who: Box::new(self.facts.who()), function, failure }
    }

    pub(crate) fn sandbox(&self) -> &Sandbox {
        &self.sandbox
    }

    fn on(&self, host: &Host) -> Result<Component, LoadError> {
        let who = self.facts.who();
        let failed = |error: wasmtime::Error| CompileError { who: who.boxed(), cause: clip(&format!("{error:#}")) };
        let code = self.plugin.instance.component().serialize().map_err(failed)?;
        let code = deserialize(host.sandbox().engine(), &code).map_err(failed)?;
        let linked = host.link(&who, &code, self.version)?;
        let plugin = self.version.plugin(linked).map_err(|error| not_linked(&who, &error))?;
        let sandbox = host.sandbox().with_limits(self.sandbox.limits().clone());
        host.place(sandbox, Arc::clone(&self.facts), self.version, plugin)
    }

    /// What crosses where nobody chose settings: rules are not bound to anything yet, so theirs are their defaults.
    pub(crate) fn defaults(&self) -> Vec<(&str, &Value)> {
        with_defaults(&self.facts.settings, &[])
    }

    /// What crosses to a binding with these settings. Inner error: setting and message of each problem.
    pub(crate) fn needs(&self, settings: &[(&str, &Value)]) -> Result<Result<Needs, Problems>, Box<CallError>> {
        self.needs.of(self.sandbox(), settings).map_err(|failure| Box::new(self.error("needs-of", failure)))
    }

    /// Asks the component itself; each setting by itself has been checked before.
    pub(crate) fn check_settings(&self, settings: &[(&str, &Value)]) -> Result<Result<(), Problems>, Box<CallError>> {
        v0_1::check_settings(self.sandbox(), &self.plugin, settings)
            .map_err(|failure| Box::new(self.error("check-settings", failure)))
    }
}

impl Condition {
    /// What it says of itself.
    #[must_use]
    pub fn facts(&self) -> &Facts {
        &self.0.facts
    }

    /// The same on a host beside; see [`crate::Rulebook::on`].
    pub(crate) fn on(&self, host: &Host) -> Result<Self, LoadError> {
        match self.0.on(host)? {
            Component::Condition(condition) => Ok(condition),
            Component::Rules(rules) => Err(other_world(rules.facts(), World::ConditionPlugin)),
        }
    }
}

impl Rules {
    /// What they say of themselves.
    #[must_use]
    pub fn facts(&self) -> &Facts {
        &self.0.facts
    }

    /// The same on a host beside; see [`crate::Rulebook::on`].
    pub(crate) fn on(&self, host: &Host) -> Result<Self, LoadError> {
        match self.0.on(host)? {
            Component::Rules(rules) => Ok(rules),
            Component::Condition(condition) => Err(other_world(condition.facts(), World::GiftCard)),
        }
    }
}

impl Host {
    /// A host with its own engine and limits.
    ///
    /// # Errors
    /// [`HostError`] where the engine cannot be made, or the cache's directory is not private to this user.
    pub fn new(config: HostConfig) -> Result<Self, HostError> {
        let cache = config.cache.as_deref().map(CodeCache::open).transpose()?;
        let purpose = if config.source_lines { Purpose::Author } else { Purpose::Decide };
        let sandbox = Sandbox::new(config.limits, config.calls_max.max(1), config.pooling, purpose)?;
        Ok(Self { inner: Arc::new(Inner { sandbox, cache, drafts: config.drafts }) })
    }

    /// A host with the same settings and an engine of its own, and without the cache: for a thread that shares nothing with
    /// others. Threads of one host take turns at its sandboxes, whose memory then moves from core to core. Components are
    /// brought over with [`Rulebook::on`](crate::Rulebook::on). At most `calls_max` calls run at once; more
    /// than are made at once let every component keep the memory that is made ready for it.
    ///
    /// # Errors
    /// [`HostError`] where the engine cannot be made.
    pub fn beside(&self, calls_max: u32) -> Result<Self, HostError> {
        let sandbox = self.sandbox().beside(calls_max.max(1))?;
        Ok(Self { inner: Arc::new(Inner { sandbox, cache: None, drafts: self.inner.drafts }) })
    }

    /// Names wasmtime's version and settings and what an instruction costs: with the component's digest, its settings
    /// and the request, all that a result and its fuel depend on.
    #[must_use]
    pub fn engine_id(&self) -> &str {
        self.sandbox().engine_id()
    }

    /// How instances get their memory.
    #[must_use]
    pub fn allocation(&self) -> &Allocation {
        self.sandbox().allocation()
    }

    pub(crate) fn sandbox(&self) -> &Sandbox {
        &self.inner.sandbox
    }

    /// Loads a component of either world from a file, with nothing granted beyond the host's limits.
    ///
    /// # Errors
    /// [`LoadError`], by stage.
    pub fn load_file(&self, path: &Path) -> Result<Component, LoadError> {
        let (name, bytes) = self.read_file(path)?;
        self.load(&name, &bytes)
    }

    /// The name and the bytes of a component's file, as [`Host::load_file`] takes them.
    ///
    /// # Errors
    /// [`LoadError::Read`]: the file cannot be read, or is larger than any component may be.
    pub fn read_file(&self, path: &Path) -> Result<(String, Vec<u8>), LoadError> {
        let name = path.file_stem().unwrap_or(path.as_os_str()).to_string_lossy();
        let failed = |cause: ReadCause| {
            LoadError::from(ReadError { who: Box::new(Who { name: name.to_string(), ..Who::default() }), cause })
        };
        let ceiling = usize::try_from(COMPONENT_BYTES_CEILING).unwrap_or(usize::MAX);
        let size_max = self.sandbox().limits().component_bytes_max.max(ceiling);
        let file = File::open(path).map_err(|error| failed(error.into()))?;
        let mut bytes = Vec::new();
        // One byte more than allowed tells too large from just right, whatever the file's metadata says.
        file.take((size_max as u64).saturating_add(1)).read_to_end(&mut bytes).map_err(|error| failed(error.into()))?;
        if bytes.len() > size_max {
            return Err(failed(ReadCause::TooLarge { size: bytes.len() as u64, size_max }));
        }
        Ok((name.into_owned(), bytes))
    }

    /// Loads a component of either world, with nothing granted beyond the host's limits. `name` stands in errors until
    /// the component has said its id.
    ///
    /// # Errors
    /// [`LoadError`], by stage.
    pub fn load(&self, name: &str, bytes: &[u8]) -> Result<Component, LoadError> {
        self.load_granted(name, bytes, &Grant::default())
    }

    /// What a component asks for beyond this host's limits. Nothing of it is compiled or run.
    ///
    /// # Errors
    /// [`LoadError::Limits`]: the request cannot be read, or is above what can be granted at all.
    pub fn wanted(&self, name: &str, bytes: &[u8]) -> Result<Grant, LoadError> {
        let wanted = Grant::wanted_by(bytes).map_err(|problem| LimitsError {
            who: Box::new(Who { name: name.to_string(), version: None, digest: Some(hex(&Sha256::digest(bytes))) }),
            cause: LimitsCause::Wrong(problem),
        })?;
        Ok(wanted.beyond(self.sandbox().limits()))
    }

    /// Loads a component of either world that may have what it asks for, if `granted` covers it. It gets what it asks
    /// for and not what was granted, so what a call may cost depends on its bytes alone.
    ///
    /// # Errors
    /// [`LoadError`], by stage; [`LimitsCause::NotGranted`] where it asks for more.
    pub fn load_granted(&self, name: &str, bytes: &[u8], granted: &Grant) -> Result<Component, LoadError> {
        let wanted = self.wanted(name, bytes)?;
        let digest = hex(&Sha256::digest(bytes));
        let who = Who { name: name.to_string(), version: None, digest: Some(digest.clone()) };
        if !granted.covers(&wanted) {
            let (wanted, granted) = (Box::new(wanted), Box::new(granted.beyond(self.sandbox().limits())));
            return Err(LimitsError { who: who.boxed(), cause: LimitsCause::NotGranted { wanted, granted } }.into());
        }
        let sandbox = self.sandbox().with_limits(wanted.raise(self.sandbox().limits()));
        let size_max = sandbox.limits().component_bytes_max;
        if bytes.len() > size_max {
            let cause = ReadCause::TooLarge { size: bytes.len() as u64, size_max };
            return Err(ReadError { who: who.boxed(), cause }.into());
        }
        let code = self.code(&who, &digest, bytes, sandbox.limits())?;
        let imports =
            code.component_type().imports(self.sandbox().engine()).map(|(name, _)| name.to_string()).collect();
        let (version, world) = Version::of(&code, self.inner.drafts).ok_or_else(|| {
            let cause = format!("it exports no world of {}", listed(self.spoken()));
            LinkError { who: who.boxed(), cause }
        })?;
        let linked = self.link(&who, &code, version)?;
        let seen = Seen { version, world, digest, size: bytes.len(), granted: wanted, imports };
        let (facts, plugin) = try_out(&sandbox, who, &linked, seen)?;
        self.place(sandbox, facts, version, plugin)
    }

    /// What was tried out, ready to be asked.
    fn place(
        &self,
        sandbox: Sandbox,
        facts: Arc<Facts>,
        version: Version,
        plugin: PluginPre,
    ) -> Result<Component, LoadError> {
        let (host, who, linked) = (self.clone(), facts.who().to_string(), plugin.instance.clone());
        let failed = |error: wasmtime::Error| not_linked(&facts.who(), &error);
        let needs = NeedsOf::new(&linked, version.number(), &facts.needs).map_err(failed)?;
        Ok(match facts.world {
            World::ConditionPlugin => {
                let pre = version.condition(linked).map_err(failed)?;
                let loaded = Loaded { host, sandbox, facts, who, version, needs, pre, plugin };
                Component::Condition(Condition(Arc::new(loaded)))
            }
            World::GiftCard => {
                let pre = RulesPre::new(linked).map_err(failed)?;
                Component::Rules(Rules(Arc::new(Loaded { host, sandbox, facts, who, version, needs, pre, plugin })))
            }
        })
    }

    /// Loads a component that must fit the `condition-plugin` world.
    ///
    /// # Errors
    /// [`LoadError`], by stage.
    pub fn load_condition(&self, name: &str, bytes: &[u8]) -> Result<Condition, LoadError> {
        match self.load(name, bytes)? {
            Component::Condition(condition) => Ok(condition),
            Component::Rules(rules) => Err(other_world(rules.facts(), World::ConditionPlugin)),
        }
    }

    /// Loads a component that must fit the `gift-card` world.
    ///
    /// # Errors
    /// [`LoadError`], by stage.
    pub fn load_rules(&self, name: &str, bytes: &[u8]) -> Result<Rules, LoadError> {
        match self.load(name, bytes)? {
            Component::Rules(rules) => Ok(rules),
            Component::Condition(condition) => Err(other_world(condition.facts(), World::GiftCard)),
        }
    }

    /// Compiled code: from the cache, or parsed, compared with the contract, compiled and kept there.
    fn code(&self, who: &Who, digest: &str, bytes: &[u8], limits: &Limits) -> Result<Code, LoadError> {
        let engine = self.sandbox().engine();
        // INVARIANT: only what fitted the contract gets into the cache.
        if let Some(code) = self.inner.cache.as_ref().and_then(|cache| cache.get(digest, self.engine_id()))
            && let Ok(code) = deserialize(engine, &code)
            // Another host of this user may speak more versions than this one.
            && Version::of(&code, self.inner.drafts).is_some()
        {
            return Ok(code);
        }
        match fit(bytes, self.spoken()).map_err(|cause| ParseError { who: who.boxed(), cause: clip(&cause) })? {
            Fit::Fits => {}
            Fit::Differs(world, differences) => {
                const DIFFERENCES_MAX: usize = 20;
                let world = world.or_else(|| Some(format!("any world of {}", listed(self.spoken()))));
                let differences = differences.iter().take(DIFFERENCES_MAX).map(|difference| clip(difference)).collect();
                return Err(ContractError { who: who.boxed(), world, differences }.into());
            }
        }
        crate::complexity::check(bytes, limits).map_err(|cause| CompileError { who: who.boxed(), cause })?;
        let code = Code::new(engine, bytes)
            .map_err(|error| CompileError { who: who.boxed(), cause: clip(&format!("{error:#}")) })?;
        if let (Some(cache), Ok(serialized)) = (&self.inner.cache, code.serialize()) {
            // Without it the next start is slower, and nothing else.
            let _ = cache.put(digest, self.engine_id(), &serialized);
        }
        Ok(code)
    }

    /// The versions of the contract that this host speaks.
    fn spoken(&self) -> &'static [Version] {
        Version::spoken(self.inner.drafts)
    }

    fn link(&self, who: &Who, code: &Code, version: Version) -> Result<InstancePre<CallState>, LoadError> {
        version
            .linker(self.sandbox())
            .and_then(|linker| linker.instantiate_pre(code))
            .map_err(|error| not_linked(who, &error))
    }
}

/// What is known of a component before it is asked anything.
struct Seen {
    version: Version,
    world: World,
    digest: String,
    size: usize,
    granted: Grant,
    imports: Vec<String>,
}

/// The first calls, with every limit on.
fn try_out(
    sandbox: &Sandbox,
    mut who: Who,
    linked: &InstancePre<CallState>,
    seen: Seen,
) -> Result<(Arc<Facts>, PluginPre), LoadError> {
    let plugin = seen.version.plugin(linked.clone()).map_err(|error| not_linked(&who, &error))?;
    let describe = || v0_1::describe(sandbox, &plugin);
    let failed = |who: &Who, cause: TrialCause| LoadError::from(TrialError { who: who.boxed(), cause });
    let first = describe().map_err(|failure| failed(&who, failure.into()))?;
    let second = describe().map_err(|failure| failed(&who, failure.into()))?;
    if format!("{:?}", first.description) != format!("{:?}", second.description) {
        return Err(failed(&who, TrialCause::NotDeterministic("what they answer")));
    }
    if first.fuel != second.fuel {
        return Err(failed(&who, TrialCause::NotDeterministic("the fuel they use")));
    }
    let description = first.description;
    let wrong = |who: &Who, problem: String| failed(who, TrialCause::Description(problem));
    if !is_code(&description.id) {
        return Err(wrong(&who, format!("the id `{}` is not kebab-case", clip(&description.id))));
    }
    who.name.clone_from(&description.id);
    if description.version.len() > VERSION_BYTES_MAX {
        return Err(wrong(&who, format!("the version has more than {VERSION_BYTES_MAX} bytes")));
    }
    if let Err(error) = semver::Version::parse(&description.version) {
        let version = clip(&description.version);
        return Err(wrong(&who, format!("the version `{version}` is no semantic version: {error}")));
    }
    who.version = Some(description.version.clone());
    if let Err(unknown) = Needs::of(&description.needs) {
        let known = Needs::NAMES.join(", ");
        let problem = format!("it needs `{}`, which this host does not know; known are {known}", clip(unknown));
        return Err(wrong(&who, problem));
    }
    let mut needs = BTreeSet::new();
    if let Some(twice) = description.needs.iter().find(|need| !needs.insert(*need)) {
        return Err(wrong(&who, format!("it needs `{}` twice", clip(twice))));
    }
    if seen.world == World::GiftCard && description.shares_limits {
        return Err(wrong(&who, "`shares-limits` is only for conditions".into()));
    }
    if seen.world == World::GiftCard && !description.needs.is_empty() {
        return Err(wrong(&who, "`needs` is only for conditions; rules always get the same".into()));
    }
    let mut codes = BTreeSet::new();
    for code in &description.reject_codes {
        if !is_code(&code.code) || !codes.insert(&code.code) {
            return Err(wrong(
                &who,
                format!("the reject code `{}` is not kebab-case or stands twice", clip(&code.code)),
            ));
        }
    }
    let settings = described_settings(&description.settings).map_err(|problem| wrong(&who, problem))?;
    let facts = Facts {
        id: description.id,
        version: description.version,
        contract: seen.version.package(),
        world: seen.world,
        title: description.title,
        summary: description.summary,
        digest: seen.digest,
        size: seen.size,
        granted: seen.granted,
        imports: seen.imports,
        settings,
        reject_codes: description.reject_codes.into_iter().map(|code| (code.code, code.message)).collect(),
        needs: description.needs,
        shares_limits: description.shares_limits,
    };
    Ok((Arc::new(facts), plugin))
}

fn not_linked(who: &Who, error: &wasmtime::Error) -> LoadError {
    LinkError { who: who.boxed(), cause: clip(&format!("{error:#}")) }.into()
}

fn other_world(facts: &Facts, wanted: World) -> LoadError {
    let difference = format!("it fits the world `{}` instead", facts.world);
    let world = Some(format!("world `{wanted}` of {}", facts.contract));
    ContractError { who: Box::new(facts.who()), world, differences: vec![difference] }.into()
}

#[allow(unsafe_code, reason = "compiled code of our own")]
fn deserialize(engine: &wasmtime::Engine, code: &[u8]) -> wasmtime::Result<Code> {
    // SAFETY: the bytes come from a component that this process has compiled, or from the host-private cache. See the
    // invariant in `cache`: written by a host of this user, checked against their own checksum, keyed by the engine's
    // compatibility hash.
    unsafe { Code::deserialize(engine, code) }
}
