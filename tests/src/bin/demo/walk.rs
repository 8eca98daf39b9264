//! Runs commands in sight of the reader and checks what they answer. Must not know a step.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::{env, fs, io};

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;

/// What the demo writes, below the project's folder; it stays, so that every command can be typed again.
const FOLDER: &str = "target/demo";

/// Lines of a long answer that are shown, at its start and at its end.
const HEAD_LINES: usize = 9;
const TAIL_LINES: usize = 4;

/// The walk-through so far.
pub(crate) struct Walk {
    root: PathBuf,
    giftcard: PathBuf,
    title: String,
    step: u32,
}

impl Walk {
    /// Finds the binary and makes the demo's folder.
    pub(crate) fn begin() -> Result<Self> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize()?;
        fs::create_dir_all(root.join(FOLDER).join("cache"))?;
        let giftcard = giftcard()?;
        let shown = giftcard.strip_prefix(&root).unwrap_or(&giftcard).display();
        println!("Gift cards pay for orders: the demo of `giftcard`\n");
        println!("Every command can be typed again in the project's folder, with `{shown}` for `giftcard`;");
        println!("the orders are in `tests/demo/orders`. `--json` has the same answers for machines.");
        Ok(Self { root, giftcard, title: String::new(), step: 0 })
    }

    /// A heading, and what to look at.
    pub(crate) fn step(&mut self, title: &str, what: &str) {
        self.step += 1;
        self.title = title.to_string();
        let heading = format!("{}. {title}", self.step);
        println!("\n{heading}\n{}\n{what}\n", "-".repeat(heading.chars().count()));
    }

    /// Runs a command for the reader, then for its JSON, in which each of `expected` must stand at its pointer.
    pub(crate) fn run(&self, arguments: &str, expected: &[(&str, Value)]) -> Result<()> {
        self.show(arguments)?;
        let answers = self.answers(arguments)?;
        let [answer] = answers.as_slice() else {
            bail!("step {}: `giftcard {arguments} --json` gave {} answers, not one", self.step, answers.len());
        };
        self.check(&format!("giftcard {arguments} --json"), answer, expected)
    }

    /// Runs a command for the reader, on the reader's own terminal, so that tables have its width.
    pub(crate) fn show(&self, arguments: &str) -> Result<()> {
        println!("$ giftcard {arguments}");
        let status = self.command(arguments).status().with_context(|| format!("`{}`", self.giftcard.display()))?;
        ensure!(status.success(), "step {}: `giftcard {arguments}` ended with {status}", self.step);
        Ok(())
    }

    /// Shows the start and the end of a command's output.
    pub(crate) fn show_shortened(&self, arguments: &str) -> Result<()> {
        println!("$ giftcard {arguments}");
        let output = self.command(arguments).stderr(Stdio::inherit()).output()?;
        ensure!(output.status.success(), "step {}: `giftcard {arguments}` ended with {}", self.step, output.status);
        let text = String::from_utf8(output.stdout).context("the output is no text")?;
        let lines: Vec<&str> = text.trim_end().lines().collect();
        let left_out = lines.len().saturating_sub(HEAD_LINES + TAIL_LINES);
        for (index, line) in lines.iter().enumerate() {
            match index {
                HEAD_LINES if left_out > 0 => println!("  ... {left_out} lines left out here ..."),
                _ if index > HEAD_LINES && index < HEAD_LINES + left_out => {}
                _ => println!("{line}"),
            }
        }
        Ok(())
    }

    /// Every answer of a command with `--json`.
    pub(crate) fn answers(&self, arguments: &str) -> Result<Vec<Value>> {
        let output = self.command(arguments).arg("--json").output()?;
        let step = self.step;
        ensure!(output.status.success(), "step {step}: `giftcard {arguments} --json` ended with {}", output.status);
        let text = String::from_utf8(output.stdout).context("the answer is no text")?;
        let answers = text.lines().map(serde_json::from_str).collect::<Result<_, _>>();
        answers.with_context(|| format!("step {step}: `giftcard {arguments} --json` printed something else than JSON"))
    }

    /// Each value must stand at its pointer.
    pub(crate) fn check(&self, source: &str, answer: &Value, expected: &[(&str, Value)]) -> Result<()> {
        for (pointer, right) in expected {
            let found = answer.pointer(pointer).unwrap_or(&Value::Null);
            let (step, title) = (self.step, &self.title);
            ensure!(found == right, "step {step}, \"{title}\": `{source}` has {found} at {pointer}, expected {right}");
        }
        Ok(())
    }

    /// A document of the project.
    pub(crate) fn read(&self, path: &str) -> Result<Value> {
        let text = fs::read_to_string(self.root.join(path)).with_context(|| format!("`{path}` cannot be read"))?;
        serde_json::from_str(&text).with_context(|| format!("`{path}` is no JSON"))
    }

    /// Puts a file into the demo's folder. How a command line names it.
    pub(crate) fn write(&self, name: &str, bytes: &[u8]) -> Result<String> {
        let path = self.root.join(FOLDER).join(name);
        if fs::read(&path).ok().as_deref() != Some(bytes) {
            replace(&path, bytes).with_context(|| format!("`{}` cannot be written", path.display()))?;
        }
        Ok(format!("{FOLDER}/{name}"))
    }

    /// A file of a step of its own, as a command line names it. It is not there yet.
    pub(crate) fn scratch(&self, name: &str) -> Result<String> {
        let path = self.root.join(FOLDER).join(name);
        ensure!(!path.exists(), "`{}` is there already; remove it", path.display());
        Ok(format!("{FOLDER}/{name}"))
    }

    /// Removes every file of the demo's folder whose name begins with this.
    pub(crate) fn clear_scratch(&self, name: &str) -> Result<()> {
        for entry in fs::read_dir(self.root.join(FOLDER))? {
            let entry = entry?;
            if entry.file_name().to_string_lossy().starts_with(name) {
                fs::remove_file(entry.path())?;
            }
        }
        Ok(())
    }

    fn command(&self, arguments: &str) -> Command {
        let mut command = Command::new(&self.giftcard);
        let cache = self.root.join(FOLDER).join("cache");
        command.args(arguments.split(' ')).current_dir(&self.root).env("GIFTCARD_CACHE", cache).stdin(Stdio::null());
        command
    }
}

/// `GIFTCARD_BIN`, or what lies beside the demo itself.
fn giftcard() -> Result<PathBuf> {
    if let Some(path) = env::var_os("GIFTCARD_BIN") {
        return Ok(path.into());
    }
    let path = env::current_exe()?.with_file_name(format!("giftcard{}", env::consts::EXE_SUFFIX));
    let missing = "is missing; `cargo xtask demo` builds everything, `cargo build --package giftcard` this";
    ensure!(path.is_file(), "`{}` {missing}", path.display());
    Ok(path)
}

/// Two demos may run at once: neither may see half a file of the other.
fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let folder = path.parent().ok_or(io::ErrorKind::InvalidInput)?;
    fs::create_dir_all(folder)?;
    let half = path.with_extension(format!("half-{}", std::process::id()));
    fs::write(&half, bytes)?;
    fs::rename(&half, path)
}
