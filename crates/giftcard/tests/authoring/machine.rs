//! An author's machine for tests: an empty home with the toolchains, and the built binary in it. Holds no expectation of a
//! language.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use tempfile::TempDir;

/// An author's machine: an empty home, and the toolchain.
pub(crate) struct Author {
    pub(crate) home: TempDir,
}

pub(crate) struct Run {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl From<Output> for Run {
    fn from(output: Output) -> Self {
        let text = |bytes| String::from_utf8(bytes).unwrap();
        Self { code: output.status.code().unwrap(), out: text(output.stdout), err: text(output.stderr) }
    }
}

impl Run {
    pub(crate) fn succeeded(self) -> Self {
        assert_eq!(self.code, 0, "{}\n{}", self.out, self.err);
        self
    }

    #[allow(dead_code, reason = "not every test file looks at what was printed")]
    pub(crate) fn succeeded_with(self, text: &str) {
        let run = self.succeeded();
        assert!(run.out.contains(text), "{text}:\n{}\n{}", run.out, run.err);
    }

    pub(crate) fn failed_with(&self, code: i32, text: &str) {
        assert!(self.code == code && (self.out.clone() + &self.err).contains(text), "{}\n{}", self.out, self.err);
    }
}

/// Where the toolchain is, for a home that has none.
pub(crate) fn toolchain(name: &str, folder: &str) -> PathBuf {
    let home = || Path::new(&std::env::var_os("HOME").unwrap()).join(folder);
    std::env::var_os(name).map_or_else(home, PathBuf::from)
}

/// A folder of what `cargo xtask setup` downloads for plugins in other languages.
fn downloaded(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/authoring").join(name)
}

/// Without these a test of another language would fail with what an installer says of a network.
#[allow(dead_code, reason = "Rust needs none of it")]
pub(crate) fn tools_of_other_languages_are_there() {
    for name in ["npm", "wheels"] {
        let folder = downloaded(name);
        assert!(
            folder.is_dir(),
            "{} is missing: `cargo xtask setup` downloads it, and needs the network once",
            folder.display()
        );
    }
}

impl Author {
    pub(crate) fn new() -> Self {
        Self { home: TempDir::new().unwrap() }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.home.path().join(name)
    }

    pub(crate) fn command(&self, program: &str, folder: &Path, arguments: &[&str]) -> Command {
        let mut command = Command::new(program);
        command.args(arguments).current_dir(folder).env("HOME", self.home.path());
        command.env("CARGO_HOME", toolchain("CARGO_HOME", ".cargo")).env("CARGO_NET_OFFLINE", "true");
        command.env("RUSTUP_HOME", toolchain("RUSTUP_HOME", ".rustup"));
        // What `cargo xtask setup` has downloaded, and nothing else.
        command.env("npm_config_cache", downloaded("npm")).env("npm_config_offline", "true");
        command.env("PIP_FIND_LINKS", downloaded("wheels")).env("PIP_NO_INDEX", "1");
        // Those of the build that runs this test.
        for name in ["CARGO_TARGET_DIR", "RUSTFLAGS", "CARGO_ENCODED_RUSTFLAGS", "CARGO_BUILD_TARGET"] {
            command.env_remove(name);
        }
        command
    }

    pub(crate) fn giftcard(&self, folder: &Path, arguments: &[&str]) -> Run {
        self.command(env!("CARGO_BIN_EXE_giftcard"), folder, arguments).output().unwrap().into()
    }
}

pub(crate) fn edit(path: &Path, from: &str, to: &str) {
    let text = fs::read_to_string(path).unwrap();
    assert!(text.contains(from), "{text}");
    fs::write(path, text.replacen(from, to, 1)).unwrap();
}
