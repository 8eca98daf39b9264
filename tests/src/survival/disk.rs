//! What a disk may hold after the power went: everything that was synced, and of the rest any part. Must not know SQLite.
//!
//! A disk writes sectors of 512 bytes whole or not at all, in any order; a page of 4 KiB can be torn. Bytes of a sector
//! that were not being written stay what they were, which is what SQLite relies on (its `PSOW`). Entries of a folder
//! appear and go in their order, up to some point.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, Result};

use super::tape::Event;
use crate::random::Random;

/// Bytes that a disk writes at once.
const SECTOR: usize = 512;

/// Which part of what was not synced is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Luck {
    /// Nothing.
    Nothing,
    /// Everything.
    Everything,
    /// Everything up to some write, which is torn.
    UpToOne,
    /// Everything but one write.
    AllButOne,
    /// Any of the writes.
    Any,
    /// Any of the sectors.
    Torn,
    /// Any of the sectors, and in the place of some bytes that were never written.
    Garbled,
}

impl Luck {
    /// Every kind.
    pub const ALL: [Self; 7] =
        [Self::Nothing, Self::Everything, Self::UpToOne, Self::AllButOne, Self::Any, Self::Torn, Self::Garbled];
}

/// Files by name, as they are found when the power is back.
pub type Image = BTreeMap<String, Vec<u8>>;

/// A disk, as far as what was done to it is known.
#[derive(Default)]
pub struct Platter<'a> {
    files: Vec<File<'a>>,
    names: BTreeMap<String, usize>,
    /// Changes of the folder that were not synced.
    renames: Vec<(&'a str, Option<usize>)>,
}

#[derive(Default)]
struct File<'a> {
    durable: Vec<u8>,
    pending: Vec<Change<'a>>,
}

#[derive(Clone, Copy)]
enum Change<'a> {
    Write { at: usize, bytes: &'a [u8] },
    Resize { length: usize },
}

/// What becomes of one change.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Fate {
    Whole,
    Gone,
    Torn,
    Garbled,
}

impl<'a> Platter<'a> {
    /// Goes on by one event. What a failed sync leaves behind is `random`'s to say.
    pub fn pass(&mut self, event: &'a Event, random: &mut Random) {
        match event {
            Event::Named { file, name } => self.renames.push((name, Some(*file))),
            Event::Unnamed { name } => self.renames.push((name, None)),
            Event::Written { file, at, bytes } => {
                let at = usize::try_from(*at).unwrap_or(usize::MAX);
                self.file(*file).pending.push(Change::Write { at, bytes });
            }
            Event::Resized { file, length } => {
                let length = usize::try_from(*length).unwrap_or(usize::MAX);
                self.file(*file).pending.push(Change::Resize { length });
            }
            Event::Synced { file } => {
                let file = self.file(*file);
                for change in std::mem::take(&mut file.pending) {
                    change.apply(&mut file.durable, Fate::Whole, random);
                }
            }
            Event::SyncFailed { file } => {
                let luck = random.one(&Luck::ALL);
                let file = self.file(*file);
                file.durable = file.found(luck, random);
                file.pending.clear();
            }
            Event::FolderSynced => {
                for (name, file) in std::mem::take(&mut self.renames) {
                    rename(&mut self.names, name, file);
                }
            }
        }
    }

    /// What may be found if the power goes now.
    pub fn image(&self, luck: Luck, random: &mut Random) -> Image {
        let mut names = self.names.clone();
        let kept = match luck {
            Luck::Nothing => 0,
            Luck::Everything | Luck::AllButOne => self.renames.len(),
            _ => usize::try_from(random.within(0, self.renames.len() as i64)).unwrap_or(0),
        };
        for (name, file) in &self.renames[..kept] {
            rename(&mut names, name, *file);
        }
        let mut found = |file: usize| self.files.get(file).map(|file| file.found(luck, random)).unwrap_or_default();
        names.into_iter().map(|(name, file)| (name, found(file))).collect()
    }

    fn file(&mut self, number: usize) -> &mut File<'a> {
        if self.files.len() <= number {
            self.files.resize_with(number + 1, File::default);
        }
        &mut self.files[number]
    }
}

fn rename(names: &mut BTreeMap<String, usize>, name: &str, file: Option<usize>) {
    match file {
        Some(file) => names.insert(name.to_string(), file),
        None => names.remove(name),
    };
}

impl File<'_> {
    fn found(&self, luck: Luck, random: &mut Random) -> Vec<u8> {
        let mut bytes = self.durable.clone();
        let chosen = usize::try_from(random.within(0, self.pending.len() as i64)).unwrap_or(0);
        for (place, change) in self.pending.iter().enumerate() {
            let fate = match luck {
                Luck::Nothing => Fate::Gone,
                Luck::Everything => Fate::Whole,
                Luck::UpToOne if place == chosen => Fate::Torn,
                Luck::UpToOne if place > chosen => Fate::Gone,
                Luck::AllButOne if place == chosen => Fate::Gone,
                Luck::UpToOne | Luck::AllButOne => Fate::Whole,
                Luck::Any => random.one(&[Fate::Whole, Fate::Gone]),
                Luck::Torn => random.one(&[Fate::Whole, Fate::Gone, Fate::Torn]),
                Luck::Garbled => random.one(&[Fate::Whole, Fate::Gone, Fate::Torn, Fate::Garbled]),
            };
            change.apply(&mut bytes, fate, random);
        }
        bytes
    }
}

impl Change<'_> {
    fn apply(self, file: &mut Vec<u8>, fate: Fate, random: &mut Random) {
        match (self, fate) {
            (_, Fate::Gone) => {}
            (Self::Resize { length }, Fate::Whole) => file.resize(length, 0),
            (Self::Resize { length }, Fate::Torn | Fate::Garbled) => {
                if random.chance(50) {
                    file.resize(length, 0);
                }
            }
            (Self::Write { at, bytes }, Fate::Whole) => put(file, at, bytes),
            (Self::Write { at, bytes }, Fate::Torn | Fate::Garbled) => {
                let mut start = 0;
                while start < bytes.len() {
                    // To the end of the sector that it begins in.
                    let end = bytes.len().min((at + start) / SECTOR * SECTOR + SECTOR - at);
                    match random.within(0, 7) {
                        0 if fate == Fate::Garbled => {
                            let garbage: Vec<u8> = bytes[start..end].iter().map(|_| random.seed() as u8).collect();
                            put(file, at + start, &garbage);
                        }
                        0..4 => {}
                        _ => put(file, at + start, &bytes[start..end]),
                    }
                    start = end;
                }
            }
        }
    }
}

fn put(file: &mut Vec<u8>, at: usize, bytes: &[u8]) {
    if file.len() < at + bytes.len() {
        file.resize(at + bytes.len(), 0);
    }
    file[at..at + bytes.len()].copy_from_slice(bytes);
}

/// Writes the files of an image into an empty folder.
///
/// # Errors
/// Where a file cannot be written.
pub fn write_image(image: &Image, folder: &Path) -> Result<()> {
    for (name, bytes) in image {
        let path = folder.join(name);
        std::fs::write(&path, bytes).with_context(|| format!("cannot write `{}`", path.display()))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(at: u64, byte: u8, length: usize) -> Event {
        Event::Written { file: 0, at, bytes: vec![byte; length].into() }
    }

    fn named() -> Event {
        Event::Named { file: 0, name: "a".into() }
    }

    fn images(events: &[Event], luck: Luck) -> Vec<Image> {
        let mut random = Random::new(1);
        let mut platter = Platter::default();
        events.iter().for_each(|event| platter.pass(event, &mut random));
        (0..200).map(|_| platter.image(luck, &mut random)).collect()
    }

    #[test]
    fn what_was_synced_is_there_whatever_the_luck() {
        let events = [named(), write(0, 1, 5000), Event::Synced { file: 0 }, Event::FolderSynced, write(5000, 2, 5000)];
        for luck in Luck::ALL {
            for image in images(&events, luck) {
                assert!(image["a"].len() >= 5000 && image["a"][..5000].iter().all(|byte| *byte == 1), "{luck:?}");
            }
        }
    }

    #[test]
    fn of_what_was_not_synced_anything_may_be_there() {
        let events = [named(), write(0, 1, 4096), Event::Synced { file: 0 }, Event::FolderSynced, write(0, 2, 4096)];
        let sectors = |image: &Image| image["a"].chunks(SECTOR).map(|sector| sector[0]).collect::<Vec<_>>();
        assert!(images(&events, Luck::Nothing).iter().all(|image| sectors(image) == [1; 8]));
        assert!(images(&events, Luck::Everything).iter().all(|image| sectors(image) == [2; 8]));
        let torn: std::collections::BTreeSet<_> = images(&events, Luck::Torn).iter().map(sectors).collect();
        assert!(torn.len() > 20, "{torn:?}");
        assert!(torn.iter().flatten().all(|byte| [1, 2].contains(byte)));
        assert!(images(&events, Luck::Garbled).iter().flat_map(sectors).any(|byte| byte > 2));
    }

    #[test]
    fn a_name_is_only_sure_once_its_folder_is_synced() {
        let events = [named(), write(0, 1, 10), Event::Synced { file: 0 }];
        assert!(images(&events, Luck::Nothing).iter().all(Image::is_empty));
        assert!(images(&events, Luck::Everything).iter().all(|image| image["a"] == [1; 10]));
        let mut gone = events.to_vec();
        gone.extend([Event::FolderSynced, Event::Unnamed { name: "a".into() }]);
        assert!(images(&gone, Luck::Nothing).iter().all(|image| image.contains_key("a")));
        assert!(images(&gone, Luck::Everything).iter().all(Image::is_empty));
    }

    #[test]
    fn what_a_failed_sync_left_behind_is_not_tried_again() {
        let events =
            [named(), Event::FolderSynced, write(0, 1, 10), Event::SyncFailed { file: 0 }, Event::Synced { file: 0 }];
        let lost = (0..50).filter(|seed| {
            let mut random = Random::new(*seed);
            let mut platter = Platter::default();
            events.iter().for_each(|event| platter.pass(event, &mut random));
            platter.image(Luck::Everything, &mut random)["a"] != [1; 10]
        });
        assert!(lost.count() > 5);
    }
}
