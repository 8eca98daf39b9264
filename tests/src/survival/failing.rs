//! Disks that fail: a sync or a write reports an error, or the disk is full. Nothing is acknowledged after it, the error
//! is clear, reading goes on, and the file recovers. Must not know how.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result, bail, ensure};
use giftcard::Desk;
use giftcard_ledger::sqlite::{SqliteOptions, SqliteStore, Synchronous};
use giftcard_ledger::store::{AccountFilter, Want};

use super::books;
use super::client::{Action, Client, Reply};
use super::power::{Recording, Tally, cut_power};
use super::scene::{CHECKPOINTS, LEDGER, Scene, check_pages, desk_of, not_failed};
use super::shopper::{ISSUE, issue};
use super::tape::{Fault, Trap};
use crate::bank;

/// Rounds before the disk fails.
const ROUNDS_BEFORE: usize = 2;

/// Rounds in which a fault has to come about.
const ROUNDS_MAX: usize = 200;

/// Rounds in which the log is moved beside commits some times.
const ROUNDS_BESIDE: usize = 40;

/// What is tried.
#[derive(Clone, Copy, Debug)]
pub struct Case {
    /// What goes wrong when.
    pub trap: Trap,
    /// Whether the ledger that failed stays open beside the one that is opened after it.
    pub beside: bool,
    /// Of the requests.
    pub seed: u64,
    /// Images of power cuts that are opened after the failure.
    pub images: usize,
    /// Pages from which the ledger moves its log beside the shoppers; so many that it never does where absent. Where
    /// moving fails, those who write next are told.
    pub log_pages: Option<u32>,
}

/// What a failure showed.
#[derive(Debug, Default)]
pub struct Outcome {
    /// Operations that got an error.
    pub failed: usize,
    /// Of these, those that were there all the same when the ledger was opened again.
    pub there: usize,
    /// Operations acknowledged before and after.
    pub acknowledged: usize,
    /// Power cuts after the failure.
    pub tally: Tally,
}

/// Lets a disk fail under load, and holds the ledger to what it promises.
///
/// # Errors
/// What was not as promised.
pub fn fail(case: Case) -> Result<Outcome> {
    let mut scene = Scene::new(case.seed, 5, Synchronous::Full)?;
    scene.log_pages = case.log_pages.unwrap_or(scene.log_pages);
    let desk = scene.open()?;
    for _ in 0..ROUNDS_BEFORE {
        scene.round(&desk).iter().try_for_each(not_failed)?;
    }
    let before = scene.shim.position();
    scene.shim.tape().set(Some(case.trap));
    let mut replies = Vec::new();
    for _ in 0..ROUNDS_MAX {
        replies = scene.round(&desk);
        let sprung = scene.shim.tape().sprung() > 0;
        if sprung && (case.log_pages.is_none() || error_of(&replies).is_ok()) {
            break;
        }
        if case.log_pages.is_some() {
            std::thread::sleep(std::time::Duration::from_millis(2));
            continue;
        }
        replies.iter().try_for_each(not_failed)?;
    }
    let why = error_of(&replies)?;
    // Whoever asks from now on gets the same error, also once the disk is well again.
    let mut failed = replies.iter().filter(|reply| matches!(reply, Reply::Failed(..))).count();
    failed += still_fails(&mut scene, &desk, &why)?;
    if !case.trap.lasts {
        scene.shim.tape().set(None);
        failed += still_fails(&mut scene, &desk, &why)?;
    }
    reads_go_on(&desk, &scene.client())?;
    // The one that failed is closed with the disk as it is then, or stays.
    let kept = match case.beside {
        true => Some(desk),
        false => {
            drop(desk);
            None
        }
    };
    scene.shim.tape().set(None);
    let (outcome, desk) = goes_on(&mut scene, failed)?;
    if let Some(kept) = &kept {
        // Beside the new one it still refuses to write.
        let reply = Action::Load { card: 0, amount: 1 }.perform(kept, "beside", bank::NOW);
        ensure!(matches!(&reply, Reply::Failed(code, _) if code == "database-failed"), "{reply:?}");
    }
    let tally = then_cut_power(&scene, case.seed, before, case.images, (desk, kept))?;
    Ok(Outcome { tally, ..outcome })
}

/// The ledger opens again and has what it has to have, and it can be gone on with.
fn goes_on(scene: &mut Scene, failed: usize) -> Result<(Outcome, Desk)> {
    let desk = scene.open().context("it does not open again")?;
    let outcome = recovered(&desk, &mut scene.client(), || scene.shim.position(), failed)?;
    for _ in 0..ROUNDS_BEFORE {
        scene.round(&desk).iter().try_for_each(not_failed)?;
    }
    scene.client().compare(desk.store(), usize::MAX, usize::MAX)?.into_result()?;
    books::verify(&desk)?;
    check_pages(&scene.path)?;
    Ok((outcome, desk))
}

/// If the power goes now, what was acknowledged after the failure does not stand on what was never on the disk.
fn then_cut_power(scene: &Scene, seed: u64, from: usize, images: usize, open: (Desk, Option<Desk>)) -> Result<Tally> {
    let events = std::mem::take(&mut scene.shim.tape().events);
    drop(open);
    let client = std::mem::take(&mut *scene.client());
    cut_power(&Recording { seed, events, client, operations: Vec::new() }, from, images, false)
}

/// Lets the sync of who moves the log fail while a commit beside it is written and not synced yet. The system tells of that
/// failure once, so the commit's own sync works and says nothing. Returns how often the file was synced meanwhile, and
/// what power cuts from then on showed.
///
/// # Errors
/// What was not as promised.
pub fn fail_beside_a_commit(seed: u64, images: usize) -> Result<(usize, Tally)> {
    let mut scene = Scene::new(seed, 5, Synchronous::Full)?;
    scene.log_pages = 12;
    let desk = scene.open()?;
    let before = scene.shim.position();
    scene.shim.arm_gate();
    for _ in 0..ROUNDS_BESIDE {
        let replies = scene.round(&desk);
        if replies.iter().any(|reply| not_failed(reply).is_err()) {
            break;
        }
    }
    scene.shim.disarm_gate();
    let moved = super::power::syncs_of(&scene.shim.tape().events, LEDGER);
    drop(desk);
    let (_, desk) = goes_on(&mut scene, 0)?;
    Ok((moved, then_cut_power(&scene, seed, before, images, (desk, None))?))
}

/// Lets one sync fail while the ledger is closed, be it that of who moves the log beside commits or that of closing itself:
/// whatever is not in the file for sure has to stay in the log. Returns whether a sync failed, and what power cuts from
/// then on showed.
///
/// # Errors
/// What was not as promised.
pub fn fail_while_closing(seed: u64, after: u32, images: usize) -> Result<(bool, Tally)> {
    let mut scene = Scene::new(seed, 5, Synchronous::Full)?;
    scene.log_pages = 12;
    let desk = scene.open()?;
    let before = scene.shim.position();
    (0..ROUNDS_BEFORE).try_for_each(|_| scene.round(&desk).iter().try_for_each(not_failed))?;
    scene.shim.tape().set(Some(Trap { fault: Fault::SyncFails, after, lasts: false }));
    drop(desk);
    let sprung = scene.shim.tape().sprung() > 0;
    scene.shim.tape().set(None);
    let (_, desk) = goes_on(&mut scene, 0)?;
    Ok((sprung, then_cut_power(&scene, seed, before, images, (desk, None))?))
}

/// The error that operations got. It has to say what happened and what helps.
///
/// # Errors
/// Where there is none, or it does not.
pub fn error_of(replies: &[Reply]) -> Result<String> {
    let failed = |reply: &Reply| match reply {
        Reply::Failed(code, why) if code != "busy" => Some((code.clone(), why.clone())),
        _ => None,
    };
    let mut errors: Vec<_> = replies.iter().filter_map(failed).collect();
    errors.dedup();
    let Some((code, why)) = errors.pop() else { bail!("the disk failed, and everything was acknowledged") };
    ensure!(errors.is_empty(), "one failure is told in several ways: {errors:?}, {why}");
    ensure!(code == "database-failed", "the failure is called `{code}`: {why}");
    ensure!(why.contains("nothing is written until it is opened again"), "{why}");
    Ok(why)
}

/// Everything that is sent to a failed ledger gets its error. Returns how much that was.
fn still_fails(scene: &mut Scene, desk: &Desk, why: &str) -> Result<usize> {
    let replies = scene.round(desk);
    for reply in &replies {
        let same = matches!(reply, Reply::Failed(code, now) if code == "database-failed" && now == why);
        ensure!(same, "after `{why}` an operation got {reply:?}");
    }
    Ok(replies.len())
}

/// A failed ledger can be read: everything that was acknowledged is there, and it adds up.
///
/// # Errors
/// What cannot be read, or is wrong.
pub fn reads_go_on(desk: &Desk, client: &Client) -> Result<()> {
    let store = desk.store();
    store.find(&Want::default())?;
    let accounts = store.accounts(&AccountFilter { limit: 10, ..AccountFilter::default() })?;
    ensure!(!accounts.is_empty(), "a failed ledger shows no accounts");
    let quote = bank::payment("quote", "quote", 100, &[bank::code(1)]);
    desk.quote(&quote, bank::NOW, false).context("a failed ledger gives no quote")?;
    client.compare(store, usize::MAX, usize::MAX)?.into_result().context("while it is failed")?;
    Ok(())
}

/// A ledger that was opened again has everything that was acknowledged, of the rest each operation wholly or not at all,
/// and takes what was not answered again.
///
/// # Errors
/// What is wrong.
pub fn recovered(desk: &Desk, client: &mut Client, clock: impl Fn() -> usize, failed: usize) -> Result<Outcome> {
    let findings = client.compare(desk.store(), usize::MAX, usize::MAX)?.into_result().context("opened again")?;
    let (there, gone) = findings.unanswered;
    ensure!(there + gone >= failed, "{failed} operations failed, and only {there} + {gone} are unanswered");
    client.repeat(desk, clock, |_, sent| sent.acknowledged.is_none())?;
    let findings = client.compare(desk.store(), usize::MAX, usize::MAX)?.into_result().context("repeated")?;
    ensure!(findings.unanswered == (0, 0), "something is unanswered still");
    Ok(Outcome { failed, there, acknowledged: findings.acknowledged, tally: Tally::default() })
}

/// Lets the sync of one operation fail, which leaves it in the write-ahead log as far as the system can read it, opens the
/// ledger again, and cuts the power while it is opened and once the operation was repeated: nothing else is synced by then.
///
/// # Errors
/// What was not as promised.
pub fn repeat_what_failed(seed: u64, images: usize) -> Result<Tally> {
    let mut scene = Scene::new(seed, 5, Synchronous::Full)?;
    let desk = scene.open()?;
    (0..ROUNDS_BEFORE).try_for_each(|_| scene.round(&desk).iter().try_for_each(not_failed))?;
    let before = scene.shim.position();
    scene.shim.tape().set(Some(Trap { fault: Fault::SyncFails, after: 0, lasts: true }));
    let load = Action::Load { card: 0, amount: 1 };
    let reply = scene.ask(&desk, "failed", &load, bank::NOW);
    ensure!(matches!(&reply, Reply::Failed(code, _) if code == "database-failed"), "{reply:?}");
    // Closing cannot move the log into the file either, so that it is left behind.
    drop(desk);
    scene.shim.tape().set(None);
    let desk = scene.open().context("it does not open again")?;
    let there = desk.store().operations(i64::MIN, usize::MAX)?;
    ensure!(!there.iter().any(|one| one.operation.key.key == "failed"), "what failed is answered without a sync");
    let answered = scene.ask(&desk, "failed", &load, bank::NOW);
    ensure!(matches!(answered, Reply::Done(_)), "{answered:?}");
    let events = std::mem::take(&mut scene.shim.tape().events);
    drop(desk);
    let client = std::mem::take(&mut *scene.client());
    cut_power(&Recording { seed, events, client, operations: Vec::new() }, before, images, false)
}

/// Lets a disk fail while another process moves the write-ahead log into the file: that is no failure of the ledger, and
/// nothing that was acknowledged depends on it. Returns whether it failed, and what power cuts from then on showed.
///
/// # Errors
/// What was not as promised.
pub fn fail_at_checkpoint(trap: Trap, seed: u64, images: usize) -> Result<(bool, Tally)> {
    let mut scene = Scene::new(seed, 5, Synchronous::Full)?;
    let desk = scene.open()?;
    let other = scene.other()?;
    let rounds = |scene: &mut Scene| (0..3).try_for_each(|_| scene.round(&desk).iter().try_for_each(not_failed));
    rounds(&mut scene)?;
    let before = scene.shim.position();
    scene.shim.tape().set(Some(trap));
    other.checkpoint(CHECKPOINTS[usize::try_from(seed)? % CHECKPOINTS.len()]);
    let sprung = scene.shim.tape().sprung() > 0;
    scene.shim.tape().set(None);
    rounds(&mut scene)?;
    other.checkpoint("TRUNCATE");
    rounds(&mut scene)?;
    scene.client().compare(desk.store(), usize::MAX, usize::MAX)?.into_result()?;
    books::verify(&desk)?;
    let operations = desk.store().operations(i64::MIN, usize::MAX)?;
    let events = std::mem::take(&mut scene.shim.tape().events);
    drop((desk, other));
    let client = std::mem::take(&mut *scene.client());
    let recording = Recording { seed, events, client, operations };
    Ok((sprung, cut_power(&recording, before, images, true)?))
}

/// Lets the disk fail at every write, or sync, while a ledger is made. Each time the error names the file, and making it
/// again works. Returns how many failures there were.
///
/// # Errors
/// What was not as promised.
pub fn fail_while_opening(fault: Fault) -> Result<usize> {
    for after in 0..1000 {
        let scene = Scene::new(1, 0, Synchronous::Full)?;
        scene.shim.tape().set(Some(Trap { fault, after, lasts: true }));
        let opened = SqliteStore::open(&scene.path, &scene.options());
        let sprung = scene.shim.tape().sprung() > 0;
        scene.shim.tape().set(None);
        match opened {
            Ok(_) if !sprung => return Ok(usize::try_from(after)?),
            Ok(_) => bail!("{fault:?} after {after} was not noticed while a ledger was made"),
            Err(error) => {
                let told = error.to_string();
                ensure!(sprung, "it does not open, and nothing was wrong: {told}");
                ensure!(told.contains(&*scene.path.to_string_lossy()), "{told}");
            }
        }
        works(&scene.path).with_context(|| format!("after {fault:?} after {after} while it was made"))?;
    }
    bail!("{fault:?} never let a ledger be made")
}

fn works(path: &Path) -> Result<()> {
    let store = SqliteStore::open(path, &SqliteOptions { create: true, ..SqliteOptions::default() })?;
    let desk = desk_of(Arc::new(store), 1)?;
    let mut client = Client::default();
    client.sends(ISSUE, &issue(), bank::NOW, 0);
    client.repeat(&desk, || 0, |_, _| true)?;
    client.compare(desk.store(), usize::MAX, usize::MAX)?.into_result()?;
    check_pages(path)
}
