//! `giftcard plugin install`, `activate`, `bind` and so on: the plugins of a site in its ledger. Must not know how they are
//! kept, nor what is demanded of them.

use std::fs;
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand, ValueEnum};
use giftcard::desk::{Changing, Installing, MAIN_SITE, PluginSignature, SettingUp};
use giftcard::input::{ConditionInput, read_document};
use giftcard::output::{InstalledOutput, InstalledVersionOutput, SetupProposalOutput};
use giftcard::secrets::PluginSigner;
use giftcard::{Desk, DeskError, file_problem};
use giftcard_host::COMPONENT_BYTES_CEILING;
use serde_json::{Map, Value, json};

use super::super::documents::read_whole;
use super::super::ledger::{now_ms, randomness};
use super::super::naming::{read_text, unusable};
use super::super::programme;
use super::super::show::{fields, table};
use super::super::terminal::{self, Failure, Terminal, plain};

/// Ending of the file with the signature of a component, after the component's own name.
const SIGNATURE_ENDING: &str = "sig";

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Install components into the ledger; nothing decides until it is activated
    Install(Install),
    /// Show a plugin that is installed: its versions, which of them decides, and who changed that
    Show(Named),
    /// Let a version decide, the newest if none is named
    Activate(Changed),
    /// Show changes of conditions and of the site's demands that wait for a second person, or did
    Proposals(SiteOnly),
    /// Approve of what another person proposed, where the site demands two persons
    Approve(Approve),
    /// Take back what was proposed
    Withdraw(Withdraw),
    /// Let decide again what decided before the last activation
    Rollback(Changed),
    /// Switch a condition off: who binds it is told so in place of an answer. Open holds are not touched
    Disable(Changed),
    /// Switch a condition on again
    Enable(Changed),
    /// Take a version off the list, or all of them; the bytes stay for decisions that name them
    Remove(Changed),
    /// Let a version decide for a share of the orders, chosen by their ids
    Canary(Canary),
    /// Let a version look on: it is asked after each decision, and what it would have decided otherwise is kept
    Shadow(Shadow),
    /// Bind a condition to a programme, or change its settings
    Bind(Bind),
    /// Take a condition off a programme
    Unbind(Unbind),
    /// Make a key to sign plugins with, and print the public half for the site's `plugins.trusted_keys`
    Key {
        /// The file, which must not be there yet
        file: PathBuf,
    },
    /// Sign components: writes the signature of each beside it, with the ending `.sig`
    Sign {
        /// .wasm files
        #[arg(required = true, value_name = "FILE")]
        files: Vec<PathBuf>,
        /// The file that `giftcard plugin key` made
        #[arg(long, value_name = "FILE")]
        key: PathBuf,
    },
}

#[derive(Args)]
pub(crate) struct Install {
    /// .wasm files, or folders of them. A signature is read from a file beside each with the ending `.sig`
    #[arg(required = true, value_name = "FILE|DIR")]
    paths: Vec<PathBuf>,
    /// Let them decide at once
    #[arg(long)]
    activate: bool,
    /// Grant them what they ask for beyond the standard limits
    #[arg(long)]
    grant: bool,
    #[command(flatten)]
    by: By,
}

/// Where and by whom.
#[derive(Args)]
pub(crate) struct By {
    /// The site
    #[arg(long, default_value = MAIN_SITE)]
    site: String,
    /// Who does it, for the records
    #[arg(long, value_name = "NAME")]
    actor: Option<String>,
    /// Print it as JSON
    #[arg(long)]
    json: bool,
}

#[derive(Args)]
pub(crate) struct Named {
    /// Its id
    id: String,
    #[command(flatten)]
    by: By,
}

#[derive(Args)]
pub(crate) struct Changed {
    /// Its id; where a version may be chosen, also `id@version`, or `id@` and the beginning of the digest
    plugin: String,
    #[command(flatten)]
    by: By,
}

#[derive(Args)]
pub(crate) struct SiteOnly {
    /// The site
    #[arg(long, default_value = MAIN_SITE)]
    site: String,
    /// Print one line of JSON for each
    #[arg(long)]
    json: bool,
}

#[derive(Args)]
pub(crate) struct Withdraw {
    /// A plugin's id; or a change as `proposals` shows it
    plugin: String,
    #[command(flatten)]
    by: By,
}

#[derive(Args)]
pub(crate) struct Approve {
    /// What was looked at: a version as `id@version`, or a change as `proposals` shows it
    #[arg(value_name = "ID@VERSION")]
    plugin: String,
    /// The share of the orders that was looked at, of a canary
    #[arg(long, value_name = "PERCENT")]
    share: Option<String>,
    #[command(flatten)]
    by: By,
}

#[derive(Args)]
pub(crate) struct Canary {
    /// Its id, or `id@version`
    plugin: String,
    /// The share of the orders, such as `5%`
    #[arg(long, value_name = "PERCENT", required_unless_present = "end", conflicts_with = "end")]
    share: Option<String>,
    /// No share any more: the active version decides for all
    #[arg(long)]
    end: bool,
    #[command(flatten)]
    by: By,
}

#[derive(Args)]
pub(crate) struct Shadow {
    /// Its id, or `id@version`
    plugin: String,
    /// No version looks on any more; what was found is kept
    #[arg(long, conflicts_with = "report")]
    end: bool,
    /// Show what the version that looks on, or the one that is named, has found
    #[arg(long)]
    report: bool,
    #[command(flatten)]
    by: By,
}

#[derive(Args)]
pub(crate) struct Bind {
    /// Code name of the programme
    programme: String,
    /// The condition's id, or `id@version` to stay with a version
    plugin: String,
    /// Settings, a JSON object in a file, or `-` for standard input
    #[arg(long, value_name = "FILE", conflicts_with = "set")]
    settings: Option<PathBuf>,
    /// A setting, such as `--set minimum=50.00`; several values of a list are apart by commas. May be given several times
    #[arg(long, value_name = "NAME=VALUE")]
    set: Vec<String>,
    /// What happens to a card when the condition fails
    #[arg(long, value_enum, default_value_t)]
    on_failure: OnFailure,
    /// Let this version decide when it fails, as `id@version`, with the same settings
    #[arg(long, value_name = "ID@VERSION", conflicts_with = "on_failure")]
    previous: Option<String>,
    #[command(flatten)]
    by: By,
}

#[derive(Clone, Copy, Default, ValueEnum)]
enum OnFailure {
    #[default]
    RefuseCard,
    Ignore,
}

#[derive(Args)]
pub(crate) struct Unbind {
    /// Code name of the programme
    programme: String,
    /// The condition, as the programme names it
    plugin: String,
    #[command(flatten)]
    by: By,
}

impl Command {
    pub(crate) fn json(&self) -> bool {
        match self {
            Self::Install(install) => install.by.json,
            Self::Show(named) => named.by.json,
            Self::Activate(changed)
            | Self::Rollback(changed)
            | Self::Disable(changed)
            | Self::Enable(changed)
            | Self::Remove(changed) => changed.by.json,
            Self::Canary(canary) => canary.by.json,
            Self::Approve(approve) => approve.by.json,
            Self::Shadow(shadow) => shadow.by.json,
            Self::Proposals(of) => of.json,
            Self::Withdraw(withdraw) => withdraw.by.json,
            Self::Bind(bind) => bind.by.json,
            Self::Unbind(unbind) => unbind.by.json,
            Self::Key { .. } | Self::Sign { .. } => false,
        }
    }
}

pub(crate) fn run(
    command: &Command,
    open: impl FnOnce() -> Result<Desk, Failure>,
    terminal: &mut Terminal,
) -> Result<u8, Failure> {
    type Change = fn(&Desk, &Changing<'_>, Option<&str>) -> Result<InstalledOutput, DeskError>;
    let (changed, change): (&Changed, Change) = match command {
        Command::Install(install) => return self::install(&open()?, install, terminal),
        Command::Show(named) => return show_one(&open()?, named, terminal),
        Command::Proposals(of) => return proposals(&open()?, of, terminal),
        Command::Withdraw(Withdraw { plugin, by }) => {
            if is_setup(plugin) {
                return tell_proposal(&open()?.withdraw_proposal(&by.site, plugin, setting_up(by))?, by.json, terminal);
            }
            return tell(&open()?.withdraw_plugin(&changing(by, plugin))?, by.json, terminal);
        }
        Command::Approve(approve) if is_setup(&approve.plugin) => {
            if approve.share.is_some() {
                let message = "`--share` is for a version that decides for a share of the orders".to_string();
                return Err(Failure::refused("invalid-value", message));
            }
            let by = &approve.by;
            let answer = open()?.approve_proposal(&by.site, &approve.plugin, setting_up(by))?;
            return tell_proposal(&answer, by.json, terminal);
        }
        Command::Approve(approve) => {
            let (id, version) = id_and_version(&approve.plugin);
            let share = approve.share.as_deref().map(basis_points).transpose()?;
            let Some(version) = version else {
                let message = format!("`{}` names no version; say which one you looked at, as `id@version`", plain(id));
                return Err(Failure::refused("invalid-value", message));
            };
            let answer = open()?.approve_plugin(&changing(&approve.by, id), version, share)?;
            return tell(&answer, approve.by.json, terminal);
        }
        Command::Canary(canary) => return self::canary(&open()?, canary, terminal),
        Command::Shadow(shadow) => return self::shadow(&open()?, shadow, terminal),
        Command::Bind(bind) => return self::bind(&open()?, bind, terminal),
        Command::Unbind(unbind) => {
            let by = &unbind.by;
            let set = open()?.unbind_plugin(&by.site, &unbind.programme, &unbind.plugin, setting_up(by))?;
            return programme::answer_set(&set, by.json, terminal);
        }
        Command::Key { file } => return key(file, terminal),
        Command::Sign { files, key } => return sign(files, key, terminal),
        Command::Activate(changed) => (changed, |desk, changing, version| desk.activate_plugin(changing, version)),
        Command::Remove(changed) => (changed, |desk, changing, version| desk.remove_plugin(changing, version)),
        Command::Rollback(changed) => (changed, |desk, changing, _| desk.roll_back_plugin(changing)),
        Command::Disable(changed) => (changed, |desk, changing, _| desk.switch_plugin(changing, false)),
        Command::Enable(changed) => (changed, |desk, changing, _| desk.switch_plugin(changing, true)),
    };
    let takes_version = matches!(command, Command::Activate(_) | Command::Remove(_));
    let (id, version) = id_and_version(&changed.plugin);
    if version.is_some() && !takes_version {
        let message = format!("`{}` names a version; this is for the plugin as a whole", plain(&changed.plugin));
        return Err(Failure::refused("invalid-value", message));
    }
    let answer = change(&open()?, &changing(&changed.by, id), version)?;
    tell(&answer, changed.by.json, terminal)
}

fn changing<'a>(by: &'a By, id: &'a str) -> Changing<'a> {
    Changing { site: &by.site, id, actor: by.actor.as_deref(), now: now_ms() }
}

fn setting_up(by: &By) -> SettingUp<'_> {
    SettingUp { actor: by.actor.as_deref(), now: now_ms() }
}

/// Whether it names a change of how a shop is set up: no id of a plugin has a colon.
fn is_setup(name: &str) -> bool {
    name.contains(':')
}

fn proposals(desk: &Desk, of: &SiteOnly, terminal: &mut Terminal) -> Result<u8, Failure> {
    let proposals = desk.proposals(&of.site)?;
    if of.json {
        proposals.iter().try_for_each(|proposal| terminal.json(proposal))?;
        return Ok(terminal::DONE);
    }
    let mut rows = table(&["change", "state", "by", "at", "ended by"], &[], terminal.is_terminal());
    for one in &proposals {
        rows.add_row([
            plain(&one.name),
            one.state.to_string(),
            plain(&one.by),
            plain(&one.at),
            one.ended_by.as_deref().map(plain).unwrap_or_default(),
        ]);
    }
    terminal.line(&rows.to_string())?;
    if proposals.iter().any(|one| one.state == "waits") {
        terminal.note("`--json` shows what is to take the place of what is there")?;
    }
    Ok(terminal::DONE)
}

/// That something was proposed, and how it goes on; or how it ended.
pub(crate) fn tell_proposal(
    proposal: &SetupProposalOutput,
    json: bool,
    terminal: &mut Terminal,
) -> Result<u8, Failure> {
    terminal.answer(proposal, json, |_| {
        let name = plain(&proposal.name);
        match proposal.state {
            "waits" => format!(
                "proposed {name}, which waits for a second person: `giftcard plugin approve {name} --actor NAME`"
            ),
            state => format!("{name} is {state}"),
        }
    })
}

pub(crate) fn id_and_version(name: &str) -> (&str, Option<&str>) {
    name.split_once('@').map_or((name, None), |(id, version)| (id, Some(version)))
}

fn tell(answer: &InstalledOutput, json: bool, terminal: &mut Terminal) -> Result<u8, Failure> {
    terminal.answer(answer, json, |wide| {
        let last = answer.events.last().map(|event| plain(&event.what)).unwrap_or_default();
        format!("{last}\n\n{}", show(answer, wide))
    })
}

fn install(desk: &Desk, arguments: &Install, terminal: &mut Terminal) -> Result<u8, Failure> {
    let mut files = Vec::new();
    for path in &arguments.paths {
        match path.is_dir() {
            true => files.extend(wasm_files(path)?),
            false => files.push(path.clone()),
        }
    }
    for file in &files {
        let bytes = read_component(file)?;
        let installing = Installing {
            file: &file.file_stem().unwrap_or_default().to_string_lossy(),
            signature: read_signature(file)?,
            grant: arguments.grant,
            actor: arguments.by.actor.as_deref(),
            now: now_ms(),
        };
        let mut answer = desk.install_plugin(&arguments.by.site, &bytes, &installing)?;
        if arguments.activate {
            let id = answer.id.clone();
            let version = answer.versions.iter().find(|one| one.digest == giftcard::desk::component_digest(&bytes));
            let version = version.map(|one| one.digest.clone());
            answer = desk.activate_plugin(&changing(&arguments.by, &id), version.as_deref())?;
        }
        tell(&answer, arguments.by.json, terminal)?;
        if answer.active.is_none() {
            terminal.note(&format!("`{0}` decides nothing yet; `giftcard plugin activate {0}` lets it", answer.id))?;
        }
    }
    Ok(terminal::DONE)
}

fn wasm_files(folder: &Path) -> Result<Vec<PathBuf>, Failure> {
    let entries = fs::read_dir(folder).map_err(|error| unusable(folder, &file_problem(&error)))?;
    let paths = entries.map(|entry| entry.map(|entry| entry.path())).collect::<Result<Vec<_>, _>>();
    let mut paths = paths.map_err(|error| unusable(folder, &file_problem(&error)))?;
    paths.retain(|path| path.extension().is_some_and(|ending| ending == "wasm") && path.is_file());
    paths.sort();
    if paths.is_empty() {
        return Err(unusable(folder, "has no .wasm files"));
    }
    Ok(paths)
}

pub(crate) fn read_component(file: &Path) -> Result<Vec<u8>, Failure> {
    let most = usize::try_from(COMPONENT_BYTES_CEILING).unwrap_or(usize::MAX);
    let unreadable = |problem: String| Failure::refused("file-unreadable", format!("`{}`: {problem}", file.display()));
    let bytes = read_whole(file, most).map_err(|error| unreadable(file_problem(&error)))?;
    if bytes.len() > most {
        return Err(unreadable(format!("has more than {most} bytes, which no component may have")));
    }
    Ok(bytes)
}

/// The file with the signature of a component.
fn signature_of(file: &Path) -> PathBuf {
    let mut name = file.as_os_str().to_os_string();
    name.push(".");
    name.push(SIGNATURE_ENDING);
    name.into()
}

fn read_signature(component: &Path) -> Result<Option<PluginSignature>, Failure> {
    let file = signature_of(component);
    if !file.exists() {
        return Ok(None);
    }
    let text = read_text(&file)?;
    PluginSignature::read(&text).map(Some).map_err(|problem| unusable(&file, &problem))
}

fn key(file: &Path, terminal: &mut Terminal) -> Result<u8, Failure> {
    let signer = PluginSigner::generate(&mut *randomness()?);
    signer.write_new(file).map_err(|problem| Failure::refused("key-file-unusable", problem.to_string()))?;
    let public: String = signer.public_key().iter().map(|byte| format!("{byte:02x}")).collect();
    terminal.line(&public)?;
    terminal.note(&format!("`{}` signs plugins: keep it where only its owner can read it", file.display()))?;
    Ok(terminal::DONE)
}

fn sign(files: &[PathBuf], key: &Path, terminal: &mut Terminal) -> Result<u8, Failure> {
    let signer =
        PluginSigner::read(key).map_err(|problem| Failure::refused("key-file-unusable", problem.to_string()))?;
    for file in files {
        let signature = PluginSignature::by(&signer, &read_component(file)?);
        let to = signature_of(file);
        fs::write(&to, signature.to_text()).map_err(|error| unusable(&to, &file_problem(&error)))?;
        terminal.line(&format!(
            "{} is signed: {}",
            plain(&file.display().to_string()),
            plain(&to.display().to_string())
        ))?;
    }
    Ok(terminal::DONE)
}

fn canary(desk: &Desk, arguments: &Canary, terminal: &mut Terminal) -> Result<u8, Failure> {
    let (id, version) = id_and_version(&arguments.plugin);
    let changing = changing(&arguments.by, id);
    let answer = match &arguments.share {
        None => desk.end_canary(&changing)?,
        Some(share) => desk.canary_plugin(&changing, version, basis_points(share)?)?,
    };
    tell(&answer, arguments.by.json, terminal)
}

fn shadow(desk: &Desk, arguments: &Shadow, terminal: &mut Terminal) -> Result<u8, Failure> {
    let (id, version) = id_and_version(&arguments.plugin);
    let changing = changing(&arguments.by, id);
    if !arguments.report {
        let answer = match arguments.end {
            true => desk.end_shadow(&changing)?,
            false => desk.shadow_plugin(&changing, version)?,
        };
        return tell(&answer, arguments.by.json, terminal);
    }
    let Some(plugin) = desk.plugin(&arguments.by.site, id)? else {
        let message = format!("no plugin `{}` is installed at site `{}`", plain(id), plain(&arguments.by.site));
        return Err(Failure::refused("plugin-not-found", message));
    };
    let wanted = version.or(plugin.shadow.as_deref());
    let is_wanted = |one: &&InstalledVersionOutput| {
        wanted.is_some_and(|wanted| one.version == wanted || wanted.len() >= 8 && one.digest.starts_with(wanted))
    };
    let Some(one) = plugin.versions.iter().find(is_wanted) else {
        let message = format!("no version of `{0}` looks on; name the one that did, as `{0}@VERSION`", plain(id));
        return Err(Failure::refused("no-shadow", message));
    };
    let report = desk.shadow_report(&arguments.by.site, id, &one.digest)?;
    terminal.answer(&report, arguments.by.json, |wide| {
        let counts = &report.counts;
        let mut text = fields(&[
            ("version", format!("{} ({})", plain(&one.version), plain(one.digest.get(..12).unwrap_or_default()))),
            ("decisions", counts.decisions.to_string()),
            ("the same", counts.same.to_string()),
            ("otherwise", counts.different.to_string()),
            ("failed", counts.failed.to_string()),
            ("passed over", counts.skipped.to_string()),
        ]);
        let mut rows = table(&["order", "at", "card", "was", "would be", "failed"], &[], wide);
        for difference in report.differences.iter().take(20) {
            for card in &difference.cards {
                rows.add_row([
                    plain(&difference.order),
                    plain(&difference.at),
                    plain(&card.card),
                    plain(&card.before),
                    plain(&card.after),
                    difference.failed.as_deref().map(plain).unwrap_or_default(),
                ]);
            }
        }
        if !report.differences.is_empty() {
            text.push_str(&rows.to_string());
        }
        text.truncate(text.trim_end().len());
        text
    })
}

/// A percentage with at most two decimals, in basis points.
pub(crate) fn basis_points(text: &str) -> Result<u16, Failure> {
    let wrong = || {
        let message =
            format!("`--share {}` is no percentage such as `5%` or `0.5%`, of at most two decimals", plain(text));
        Failure::refused("invalid-value", message)
    };
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let number = text.strip_suffix('%').unwrap_or(text);
    let (whole, part) = number.split_once('.').unwrap_or((number, ""));
    if whole.is_empty() || part.len() > 2 || !digits(whole) || !digits(part) {
        return Err(wrong());
    }
    format!("{whole}{part:0<2}").parse().map_err(|_| wrong())
}

fn bind(desk: &Desk, arguments: &Bind, terminal: &mut Terminal) -> Result<u8, Failure> {
    let settings: Map<String, Value> = match &arguments.settings {
        Some(file) => read_document(&read_text(file)?).map_err(DeskError::from)?,
        None => set(desk, arguments)?,
    };
    let on_failure = match (&arguments.previous, arguments.on_failure) {
        (Some(previous), _) => json!({ "previous": { "plugin": previous, "settings": settings } }),
        (None, OnFailure::Ignore) => json!("ignore"),
        (None, OnFailure::RefuseCard) => json!("refuse-card"),
    };
    let condition = json!({ "plugin": arguments.plugin, "settings": settings, "on_failure": on_failure });
    let condition: ConditionInput = read_document(&condition.to_string()).map_err(DeskError::from)?;
    let by = &arguments.by;
    let set = desk.bind_plugin(&by.site, &arguments.programme, &condition, setting_up(by))?;
    programme::answer_set(&set, by.json, terminal)
}

/// Settings as they are written on a command line, by the kinds that the plugin declares.
fn set(desk: &Desk, arguments: &Bind) -> Result<Map<String, Value>, Failure> {
    let mut settings = Map::new();
    if arguments.set.is_empty() {
        return Ok(settings);
    }
    let (id, version) = id_and_version(&arguments.plugin);
    let component = desk.plugin_component(&arguments.by.site, id, version)?;
    for given in &arguments.set {
        let Some((name, value)) = given.split_once('=') else {
            let message = format!("`--set {}` has no `=`; write a name and a value, as `minimum=50.00`", plain(given));
            return Err(Failure::refused("invalid-value", message));
        };
        let kind = component.facts().settings.iter().find(|setting| setting.name == name);
        let value = match (kind.map_or("text", |setting| setting.kind.name()), value) {
            ("flag", "true" | "false") => json!(value == "true"),
            ("integer", number) => number.parse::<i64>().map_or_else(|_| json!(number), |number| json!(number)),
            ("texts" | "choices", list) => json!(list.split(',').map(str::trim).collect::<Vec<_>>()),
            ("money", text) if text.starts_with('{') => serde_json::from_str(text).unwrap_or_else(|_| json!(text)),
            (_, text) => json!(text),
        };
        if settings.insert(name.to_string(), value).is_some() {
            let message = format!("`--set {}` is given twice; several values are apart by commas", plain(name));
            return Err(Failure::refused("invalid-value", message));
        }
    }
    Ok(settings)
}

fn show_one(desk: &Desk, named: &Named, terminal: &mut Terminal) -> Result<u8, Failure> {
    match desk.plugin(&named.by.site, &named.id)? {
        Some(plugin) => terminal.answer(&plugin, named.by.json, |wide| show(&plugin, wide)),
        None => {
            let message = format!(
                "no plugin `{}` is installed at site `{}`; `giftcard plugin list` shows those that are, and `giftcard plugin \
                 inspect` one that comes with the program",
                plain(&named.id),
                plain(&named.by.site)
            );
            Err(Failure::refused("not-found", message))
        }
    }
}

/// The plugins that are installed at a site, as a table.
pub(super) fn listed(plugins: &[InstalledOutput], wide: bool) -> String {
    let mut listed = table(&["id", "decides", "versions", "bound by", "state"], &[], wide);
    for plugin in plugins {
        let versions: Vec<String> = plugin.versions.iter().map(|version| plain(&version.version)).collect();
        listed.add_row([
            plain(&plugin.id),
            active(plugin),
            versions.join(", "),
            plugin.bound_by.iter().map(|name| plain(name)).collect::<Vec<_>>().join(", "),
            state(plugin).join(", "),
        ]);
    }
    listed.to_string()
}

fn active(plugin: &InstalledOutput) -> String {
    match (&plugin.active, plugin.built_in) {
        (Some(version), true) => format!("{} (built-in)", plain(version)),
        (Some(version), false) => plain(version),
        (None, _) => "none".to_string(),
    }
}

/// What is not usual about it.
fn state(plugin: &InstalledOutput) -> Vec<String> {
    let mut state = Vec::new();
    if plugin.off {
        state.push("off".to_string());
    }
    if let (Some(version), Some(share)) = (&plugin.canary, &plugin.canary_share) {
        state.push(format!("{} decides for {share}", plain(version)));
    }
    state.extend(plugin.shadow.as_ref().map(|version| format!("{} looks on", plain(version))));
    if let Some(proposal) = &plugin.proposed {
        let share = proposal.share.as_ref().map(|share| format!(" for {share}")).unwrap_or_default();
        state.push(format!("{} proposes {}{share}", plain(&proposal.by), plain(&proposal.version)));
    }
    state
}

fn show(plugin: &InstalledOutput, wide: bool) -> String {
    let bound: Vec<String> = plugin.bound_by.iter().map(|name| plain(name)).collect();
    let mut text = fields(&[
        ("plugin", plain(&plugin.id)),
        ("site", plain(&plugin.site)),
        ("decides", active(plugin)),
        ("state", state(plugin).join(", ")),
        ("bound by", bound.join(", ")),
    ]);
    let mut versions = table(&["version", "fits", "bytes", "granted", "signed by", "sha256"], &[2], wide);
    let short = |text: &str| plain(text.get(..12).unwrap_or(text));
    for version in &plugin.versions {
        let InstalledVersionOutput { version, digest, world, size, granted, signed_by, active, .. } = version;
        versions.add_row([
            format!("{}{}", plain(version), if *active { " *" } else { "" }),
            world.clone(),
            size.to_string(),
            granted.as_deref().map(plain).unwrap_or_default(),
            signed_by.as_deref().map(short).unwrap_or_default(),
            short(digest),
        ]);
    }
    if !plugin.versions.is_empty() {
        text.push_str(&format!("{versions}\n"));
    }
    for event in plugin.events.iter().rev().take(10) {
        let by = event.by.as_ref().map(|by| format!(" by {}", plain(by))).unwrap_or_default();
        text.push_str(&format!("{}  {}{by}\n", plain(&event.at), plain(&event.what)));
    }
    text.truncate(text.trim_end().len());
    text
}
