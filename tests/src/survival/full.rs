//! A disk that is really full: a small file system, filled by a ledger under load. Must not know how a ledger recovers.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use anyhow::{Context, Result, bail, ensure};
use giftcard_ledger::sqlite::{SqliteOptions, SqliteStore};

use super::books;
use super::client::{Client, Reply};
use super::failing::{error_of, reads_go_on, recovered};
use super::scene::{LEDGER, check_pages, desk_of};
use super::shopper::{ISSUE, Shopper, issue};
use crate::bank;

/// What the disk has in MiB.
const DISK_MIB: u64 = 16;

/// What is put on it beside the ledger, and taken away once it is full, in MiB.
const BALLAST_MIB: usize = 6;

/// Operations after which the disk has to be full.
const OPERATIONS_MAX: usize = 20_000;

/// Ways to a small file system that is gone with the process that made it, the most real one first: a shell's commands
/// with the image as `$1`, the folder as `$2`, and then the program.
const WAYS: [(&str, &[&str], &str); 2] = [
    (
        "ext4 on a loop device",
        &["--mount"],
        r#"mkfs.ext4 -q -F "$1" && mount -o loop "$1" "$2" && shift && folder=$1 && shift && exec "$@" "$folder""#,
    ),
    (
        "tmpfs",
        &["--mount", "--map-root-user"],
        r#"mount -t tmpfs -o size=16m tmpfs "$2" && shift && folder=$1 && shift && exec "$@" "$folder""#,
    ),
];

/// What came of it.
#[derive(Debug)]
pub enum Filled {
    /// It was filled; on which file system, and what the program said.
    On(&'static str, String),
    /// No file system can be made here, and why.
    NotHere(String),
}

/// Runs `program full <folder>` on a small file system of its own, which is gone with it.
///
/// # Errors
/// What the program found wrong.
pub fn on_a_small_disk(program: &Path) -> Result<Filled> {
    let place = tempfile::tempdir()?;
    let (image, folder) = (place.path().join("image"), place.path().join("disk"));
    std::fs::create_dir(&folder)?;
    std::fs::File::create(&image)?.set_len(DISK_MIB << 20)?;
    let mut reasons = Vec::new();
    for (name, namespace, commands) in WAYS {
        let can = shell(namespace, commands, &image, &folder).arg("true").output();
        match can {
            Ok(output) if output.status.success() => {}
            Ok(output) => {
                reasons.push(format!("{name}: {}", String::from_utf8_lossy(&output.stderr).trim()));
                continue;
            }
            Err(error) => {
                reasons.push(format!("{name}: {error}"));
                continue;
            }
        }
        let output = shell(namespace, commands, &image, &folder).arg(program).arg("full").output()?;
        let (said, why) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        ensure!(output.status.success(), "on {name}: {}{}", said, why);
        return Ok(Filled::On(name, said.trim().to_string()));
    }
    Ok(Filled::NotHere(reasons.join("; ")))
}

fn shell(namespace: &[&str], commands: &str, image: &Path, folder: &Path) -> Command {
    let mut command = Command::new("unshare");
    command.args(namespace).args(["sh", "-c", commands, "sh"]).arg(image).arg(folder);
    command
}

/// Fills the file system of `folder` with a ledger, and holds it to what it promises. Returns what it saw, in words.
///
/// # Errors
/// What was not as promised.
pub fn fill(folder: &Path) -> Result<String> {
    let ballast: PathBuf = folder.join("ballast");
    std::fs::write(&ballast, vec![1; BALLAST_MIB << 20]).context("no room for the ballast")?;
    let path = folder.join(LEDGER);
    let store = SqliteStore::open(&path, &SqliteOptions { create: true, ..SqliteOptions::default() })?;
    let desk = desk_of(Arc::new(store), 1)?;
    let mut client = Client::default();
    client.sends(ISSUE, &issue(), bank::NOW, 0);
    client.hears(ISSUE, &issue().perform(&desk, ISSUE, bank::NOW), 0);
    let mut shopper = Shopper::new("s".to_string(), 1, bank::NOW);
    let mut ask = |client: &mut Client| {
        let (key, action, now) = shopper.wish();
        client.sends(&key, &action, now, 0);
        let reply = action.perform(&desk, &key, now);
        client.hears(&key, &reply, 0);
        shopper.hears(&key, &action, &reply);
        reply
    };
    let mut count = 0;
    let full = loop {
        match ask(&mut client) {
            failed @ Reply::Failed(..) => break failed,
            _ if count > OPERATIONS_MAX => bail!("{count} operations did not fill the disk"),
            _ => count += 1,
        }
    };
    let why = error_of(std::slice::from_ref(&full))?;
    ensure!(why.contains("full"), "{why}");
    // Later operations get the same error, also where there is room again.
    for step in 0..4 {
        if step == 2 {
            std::fs::remove_file(&ballast)?;
        }
        let reply = ask(&mut client);
        ensure!(reply == full, "after `{why}` an operation got {reply:?}");
        reads_go_on(&desk, &client)?;
    }
    drop(desk);
    let store = SqliteStore::open(&path, &SqliteOptions::default()).context("it does not open again")?;
    let desk = desk_of(Arc::new(store), 2)?;
    let outcome = recovered(&desk, &mut client, || 0, 5)?;
    books::verify(&desk)?;
    check_pages(&path)?;
    Ok(format!("{count} operations, then `{why}`; {} acknowledged in the end, none lost", outcome.acknowledged))
}
