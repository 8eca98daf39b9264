//! Power cuts: records what a ledger under load writes and syncs, and opens what a disk may hold afterwards, for cuts at
//! every sync and in between. Must not know how a ledger recovers.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use anyhow::Result;
use giftcard_ledger::sqlite::{SqliteOptions, SqliteStore, Synchronous};
use giftcard_ledger::store::{Numbered, Store};

use super::books;
use super::client::Client;
use super::disk::{Image, Luck, Platter, write_image};
use super::scene::{CHECKPOINTS, LEDGER, Scene, check_pages, desk_of, not_failed, quick_folder};
use super::tape::{Event, Tape, Trap};
use super::vfs::Shim;
use crate::random::Random;

/// Faults that are told; the rest is counted.
const TOLD_MAX: usize = 10;

/// Of so many images one is gone on with: everything unanswered is sent again.
const GONE_ON_WITH: i64 = 8;

/// What is recorded.
#[derive(Clone, Copy, Debug)]
pub struct Recipe {
    /// The same seed makes the same requests; threads decide which share a commit.
    pub seed: u64,
    /// How the ledger is opened.
    pub synchronous: Synchronous,
    /// How many ask at the same time.
    pub shoppers: u64,
    /// How often each of them asks.
    pub rounds: usize,
    /// Whether the file is opened anew and its log emptied now and then. Otherwise the log grows until SQLite itself moves
    /// it into the file, after some hundred operations.
    pub disturbed: bool,
    /// What goes wrong with the disk after the cards are issued.
    pub trap: Option<Trap>,
}

/// Pages in the log of a disturbed ledger from which it moves them itself: some tens of operations.
const LOG_PAGES: u32 = 60;

/// What a ledger under load did to its files, and what its clients know.
pub struct Recording {
    /// The seed that it was made with.
    pub seed: u64,
    /// What became of the files.
    pub events: Vec<Event>,
    /// What was sent and acknowledged; its clock is the place in `events`.
    pub client: Client,
    /// All operations, as they were in the end.
    pub operations: Vec<Numbered>,
}

/// Lets shoppers pay, hold, capture and refund, with the file opened anew and its log emptied now and then, and records
/// what becomes of the files.
///
/// # Errors
/// Where anything but the recipe's trap goes wrong.
pub fn record(recipe: Recipe) -> Result<Recording> {
    let mut scene = Scene::new(recipe.seed, recipe.shoppers, recipe.synchronous)?;
    let mut random = Random::new(recipe.seed);
    if recipe.disturbed {
        scene.log_pages = LOG_PAGES;
    }
    let mut desk = scene.open()?;
    scene.shim.tape().set(recipe.trap);
    for _ in 0..recipe.rounds {
        let replies = match random.within(1, 40) {
            1 if recipe.disturbed => {
                drop(desk);
                desk = scene.open()?;
                scene.round(&desk)
            }
            2..=4 if recipe.disturbed => {
                scene.other()?.checkpoint(random.one(&CHECKPOINTS));
                scene.round(&desk)
            }
            5..=6 if recipe.disturbed => {
                let (other, how) = (scene.other()?, random.one(&CHECKPOINTS));
                scene.round_beside(&desk, || other.checkpoint(how))
            }
            _ => scene.round(&desk),
        };
        replies.iter().try_for_each(not_failed)?;
    }
    let operations = desk.store().operations(i64::MIN, usize::MAX)?;
    // What closing the file does is no part of it: the power went before.
    let events = std::mem::take(&mut scene.shim.tape().events);
    drop(desk);
    let client = std::mem::take(&mut *scene.client());
    Ok(Recording { seed: recipe.seed, events, client, operations })
}

impl Recording {
    /// How many cuts there are just before or after a sync.
    #[must_use]
    pub fn cuts_at_syncs(&self) -> usize {
        cuts(&self.events, 0, &mut Random::new(1)).iter().filter(|(_, at_sync)| *at_sync).count()
    }

    /// How often SQLite moved the log into the file and synced that.
    #[must_use]
    pub fn checkpoints(&self) -> usize {
        syncs_of(&self.events, LEDGER)
    }
}

/// How often a file was synced.
pub(super) fn syncs_of(events: &[Event], name: &str) -> usize {
    let named = |event: &Event| match event {
        Event::Named { file, name: given } if given == name => Some(*file),
        _ => None,
    };
    let wanted = events.iter().find_map(named);
    events.iter().filter(|event| matches!(event, Event::Synced { file } if Some(*file) == wanted)).count()
}

/// What power cuts did.
#[derive(Debug, Default)]
pub struct Tally {
    /// Images that were opened.
    pub images: usize,
    /// Moments at which the power went.
    pub cuts: usize,
    /// Images that were gone on with.
    pub gone_on_with: usize,
    /// Images without an operation that was acknowledged before, and how many operations those are.
    pub lost: (usize, usize),
    /// Images with any other fault.
    pub broken: usize,
    /// The first of everything that was wrong.
    pub faults: Vec<String>,
    /// The image that the first fault was found in, to be looked into.
    pub example: Option<Image>,
}

impl Tally {
    /// Adds another's figures.
    pub fn add(&mut self, other: Self) {
        self.images += other.images;
        self.cuts += other.cuts;
        self.gone_on_with += other.gone_on_with;
        self.lost = (self.lost.0 + other.lost.0, self.lost.1 + other.lost.1);
        self.broken += other.broken;
        self.faults.extend(other.faults);
        self.faults.truncate(TOLD_MAX);
        self.example = self.example.take().or(other.example);
    }
}

/// The moments at which the power goes, with whether that is just before or after a sync: all of these, and as many
/// others.
fn cuts(events: &[Event], from: usize, random: &mut Random) -> Vec<(usize, bool)> {
    let is_sync =
        |event: &Event| matches!(event, Event::Synced { .. } | Event::SyncFailed { .. } | Event::FolderSynced);
    let mut cuts: BTreeMap<usize, bool> = BTreeMap::from([(events.len(), true)]);
    for (place, event) in events.iter().enumerate().skip(from) {
        if is_sync(event) {
            cuts.extend([(place, true), (place + 1, true)]);
        }
    }
    for _ in 0..cuts.len() {
        let place = random.within(from as i64, events.len() as i64);
        cuts.entry(usize::try_from(place).unwrap_or(from)).or_insert(false);
    }
    cuts.into_iter().collect()
}

/// Opens at least `images` of what a disk may hold after cuts from event `from` on, and compares each with what its
/// clients know. Every sync is a cut as long as there are no more of them than images. With `strict` each ledger has to
/// begin as the whole one did.
///
/// # Errors
/// Where the test itself cannot go on.
pub fn cut_power(recording: &Recording, from: usize, images: usize, strict: bool) -> Result<Tally> {
    let mut random = Random::new(recording.seed ^ 0x5eed);
    let mut cuts = cuts(&recording.events, from, &mut random);
    // Where fewer are wanted, those go first that are at no sync.
    while cuts.len() > images.max(1) {
        let place = usize::try_from(random.within(0, cuts.len() as i64 - 1)).unwrap_or(0);
        if !cuts[place].1 || cuts.iter().all(|(_, at_sync)| *at_sync) {
            cuts.remove(place);
        }
    }
    let each = images.div_ceil(cuts.len().max(1));
    let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let of_thread = |thread: usize| -> Result<Tally> {
        let mut random = Random::new(recording.seed.wrapping_mul(31) + thread as u64 + 1);
        let (mut platter, mut passed, mut tally) = (Platter::default(), 0, Tally::default());
        for (cut, at_sync) in cuts.iter().skip(thread).step_by(threads).copied() {
            recording.events[passed..cut].iter().for_each(|event| platter.pass(event, &mut random));
            passed = cut;
            tally.cuts += 1;
            for number in 0..each {
                // Nothing beyond what was synced is what shows best whether that was enough.
                let bare = at_sync && number == 0 && (each > 1 || random.chance(30));
                let luck = if bare { Luck::Nothing } else { random.one(&Luck::ALL) };
                let image = platter.image(luck, &mut random);
                examine(recording, cut, luck, &image, strict, &mut random, &mut tally)?;
            }
        }
        Ok(tally)
    };
    let mut tally = Tally::default();
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..threads).map(|thread| scope.spawn(move || of_thread(thread))).collect();
        threads.into_iter().try_for_each(|thread| {
            tally.add(thread.join().map_err(|_| anyhow::anyhow!("a thread panicked"))??);
            Ok(())
        })
    })
    .map(|()| tally)
}

/// Kills the process at some syncs, which leaves what it wrote with the system, unsynced; opens the ledger again, repeats
/// what was not answered, and cuts the power then: what was answered after the kill has to be durable too, also where
/// it was found and not done anew. Opens at least `images` for each of so many `kills`.
///
/// # Errors
/// Where the test itself cannot go on.
pub fn kill_and_cut_power(recording: &Recording, kills: usize, images: usize) -> Result<Tally> {
    let mut random = Random::new(recording.seed ^ 0x0dead);
    let syncs: Vec<usize> = recording
        .events
        .iter()
        .enumerate()
        .filter_map(|(place, event)| match event {
            Event::Synced { .. } => Some(place),
            _ => None,
        })
        .collect();
    let mut tally = Tally::default();
    for _ in 0..kills {
        let at = random.one(&syncs);
        let before = &recording.events[..at];
        let mut platter = Platter::default();
        before.iter().for_each(|event| platter.pass(event, &mut random));
        let folder = quick_folder()?;
        write_image(&platter.image(Luck::Everything, &mut random), folder.path())?;
        let shim = Shim::register()?;
        *shim.tape() = Tape::resumed(before);
        let path = folder.path().join(LEDGER);
        let options = SqliteOptions { create: true, vfs: Some(shim.name()), ..SqliteOptions::default() };
        let desk = desk_of(Arc::new(SqliteStore::open(&path, &options)?), recording.seed.wrapping_mul(99) + at as u64)?;
        let mut client = recording.client.sent_by(at);
        client.repeat(&desk, || shim.position(), |_, sent| sent.acknowledged.is_none())?;
        client.compare(desk.store(), usize::MAX, usize::MAX)?.into_result()?;
        let events = std::mem::take(&mut shim.tape().events);
        drop(desk);
        let after = Recording { seed: recording.seed + at as u64, events, client, operations: Vec::new() };
        tally.add(cut_power(&after, at, images, false)?);
    }
    Ok(tally)
}

fn examine(
    recording: &Recording,
    cut: usize,
    luck: Luck,
    image: &Image,
    strict: bool,
    random: &mut Random,
    tally: &mut Tally,
) -> Result<()> {
    let folder = quick_folder()?;
    write_image(image, folder.path())?;
    if random.chance(20) {
        // What was shared memory before may be on the disk too, and means nothing.
        let garbage: Vec<u8> = (0..32_768).map(|_| random.seed() as u8).collect();
        std::fs::write(folder.path().join(format!("{LEDGER}-shm")), garbage)?;
    }
    tally.images += 1;
    let go_on = random.within(1, GONE_ON_WITH) == 1;
    tally.gone_on_with += usize::from(go_on);
    let (lost, fault) = match reopen(recording, cut, &folder.path().join(LEDGER), strict, go_on) {
        Ok((lost, fault)) => (lost, fault),
        Err(error) => (0, Some(format!("{error:#}"))),
    };
    tally.lost = (tally.lost.0 + usize::from(lost > 0), tally.lost.1 + lost);
    if let Some(fault) = fault {
        tally.broken += usize::from(lost == 0);
        tally.example.get_or_insert_with(|| image.clone());
        if tally.faults.len() < TOLD_MAX {
            let seed = recording.seed;
            let files: Vec<String> = image.iter().map(|(name, bytes)| format!("{name} {}", bytes.len())).collect();
            tally.faults.push(format!("seed {seed}, cut {cut}, {luck:?}, {}: {fault}", files.join(", ")));
        }
    }
    Ok(())
}

/// How many acknowledged operations are lost, and the first thing that is wrong.
fn reopen(
    recording: &Recording,
    cut: usize,
    path: &Path,
    strict: bool,
    go_on: bool,
) -> Result<(usize, Option<String>)> {
    let store = SqliteStore::open(path, &SqliteOptions { create: true, readers: 1, ..SqliteOptions::default() })?;
    let store: Arc<dyn Store> = Arc::new(store);
    let findings = recording.client.compare(&*store, cut, cut)?;
    if let Some(fault) = findings.faults.first() {
        return Ok((findings.lost, Some(fault.clone())));
    }
    if strict {
        let there = store.operations(i64::MIN, usize::MAX)?;
        if let Err(fault) = books::is_beginning_of(&recording.operations, &there) {
            return Ok((0, Some(fault)));
        }
    }
    check_pages(path)?;
    if go_on {
        let mut client = recording.client.sent_by(cut);
        let desk = desk_of(Arc::clone(&store), recording.seed.wrapping_mul(77) + 500 + cut as u64)?;
        client.repeat(&desk, || cut, |_, sent| sent.acknowledged.is_none())?;
        client.compare(&*store, cut, cut)?.into_result()?;
        books::verify(&desk)?;
        check_pages(path)?;
    }
    Ok((0, None))
}
