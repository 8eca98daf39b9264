//! Installs what a fresh machine lacks. Must not touch anything that is there.

use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

use crate::run_command;

const TARGET: &str = "wasm32-unknown-unknown";

/// The wasm target and a C linker.
pub(crate) fn set_up() -> Result<()> {
    wasm_target()?;
    linker()
}

fn wasm_target() -> Result<()> {
    let sysroot =
        Command::new("rustc").args(["--print", "sysroot"]).output().context("`rustc` could not be started")?;
    let sysroot = String::from_utf8(sysroot.stdout).context("`rustc --print sysroot` is no text")?;
    if Path::new(sysroot.trim()).join("lib/rustlib").join(TARGET).join("lib").is_dir() {
        return Ok(());
    }
    println!("setup: adding the {TARGET} target");
    run_command(Command::new("rustup").args(["target", "add", TARGET])).context(
        "components are compiled for wasm32-unknown-unknown: install rustup, or your distribution's package for that \
         target, then run this again",
    )
}

fn linker() -> Result<()> {
    if runs("cc") {
        return Ok(());
    }
    let package = "gcc libc6-dev";
    if !runs("apt-get") {
        bail!("no C linker `cc` was found; install a C toolchain (Debian: {package}), then run this again");
    }
    if !is_root()? {
        bail!("no C linker `cc` was found; run `sudo apt-get install {package}`, then run this again");
    }
    println!("setup: installing {package}");
    run_command(Command::new("apt-get").args(["update", "-q"]))?;
    run_command(
        Command::new("apt-get")
            .args(["install", "-qy"])
            .args(package.split(' '))
            .env("DEBIAN_FRONTEND", "noninteractive"),
    )
}

fn runs(program: &str) -> bool {
    Command::new(program).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok()
}

fn is_root() -> Result<bool> {
    let id = Command::new("id").arg("-u").output().context("`id` could not be started")?;
    Ok(id.stdout.trim_ascii() == b"0")
}
