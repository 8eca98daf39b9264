//! Compiled code on disk, in a directory of the host's own. INVARIANT: what is deserialised was compiled by a host of
//! this user from a component with this digest: the directory belongs to the user, nobody else can write to it, and a
//! damaged file is a miss. Must not know what the code is for.

use std::io::{self, Read, Write};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use cap_std::ambient_authority;
use cap_std::fs::{Dir, MetadataExt, OpenOptions, OpenOptionsExt};
use sha2::{Digest, Sha256};

use crate::error::HostError;

/// A directory of compiled components.
pub(crate) struct CodeCache {
    dir: Dir,
}

const CHECKSUM_BYTES: usize = 32;

impl CodeCache {
    /// Opens the directory, making it if it is missing.
    pub(crate) fn open(path: &Path) -> Result<Self, HostError> {
        let failed = |cause: String| HostError::Cache { path: path.display().to_string(), cause };
        create_private(path).map_err(|error| failed(error.to_string()))?;
        let dir = Dir::open_ambient_dir(path, ambient_authority()).map_err(|error| failed(error.to_string()))?;
        let metadata = dir.dir_metadata().map_err(|error| failed(error.to_string()))?;
        if metadata.uid() != rustix::process::geteuid().as_raw() {
            return Err(failed("it belongs to another user; compiled code is only trusted from one's own".into()));
        }
        if metadata.mode() & 0o022 != 0 {
            // What is in there already may be anybody's: making it private now would not make it ours.
            let advice = "others can write to it; remove it, or name a directory that does not exist yet";
            return Err(failed(advice.into()));
        }
        Ok(Self { dir })
    }

    /// The compiled code of the component with this digest for this engine.
    pub(crate) fn get(&self, digest: &str, engine: &str) -> Option<Vec<u8>> {
        let name = file_name(digest, engine);
        // A pipe would hang `open`; the directory is ours alone, so what is seen now is what is opened.
        let metadata = self.dir.symlink_metadata(&name).ok()?;
        let ours = metadata.uid() == rustix::process::geteuid().as_raw() && metadata.mode() & 0o022 == 0;
        if !metadata.is_file() || !ours {
            return None;
        }
        let mut bytes = Vec::new();
        self.dir.open(&name).ok()?.read_to_end(&mut bytes).ok()?;
        let (checksum, code) = bytes.split_at_checked(CHECKSUM_BYTES)?;
        if Sha256::digest(code).as_slice() != checksum {
            // Damaged: compiled anew, and written over.
            return None;
        }
        bytes.drain(..CHECKSUM_BYTES);
        Some(bytes)
    }

    /// Keeps compiled code. Written beside and renamed, so that nobody reads half a file.
    pub(crate) fn put(&self, digest: &str, engine: &str, code: &[u8]) -> io::Result<()> {
        static SERIAL: AtomicU64 = AtomicU64::new(0);
        // A crash may have left a file of this name behind.
        const TRIES: usize = 64;
        let mut options = OpenOptions::new();
        options.write(true).create_new(true).mode(0o600);
        let opened = (0..TRIES).find_map(|_| {
            let serial = SERIAL.fetch_add(1, Ordering::Relaxed);
            let temporary = format!("{}.{}.{serial}.tmp", file_name(digest, engine), std::process::id());
            match self.dir.open_with(&temporary, &options) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => None,
                opened => Some(opened.map(|file| (file, temporary))),
            }
        });
        let (mut file, temporary) = opened.unwrap_or_else(|| Err(io::ErrorKind::AlreadyExists.into()))?;
        let written = file
            .write_all(Sha256::digest(code).as_slice())
            .and_then(|()| file.write_all(code))
            .and_then(|()| self.dir.rename(&temporary, &self.dir, file_name(digest, engine)));
        if written.is_err() {
            let _ = self.dir.remove_file(&temporary);
        }
        self.forget_other_engines(digest, engine);
        written
    }

    /// After an upgrade the code of the old engine is of no use.
    fn forget_other_engines(&self, digest: &str, engine: &str) {
        let Ok(entries) = self.dir.entries() else { return };
        for entry in entries.flatten() {
            let name = entry.file_name();
            let name = name.to_string_lossy();
            let other = name.starts_with(digest) && name.ends_with(".cwasm") && name != file_name(digest, engine);
            if other {
                let _ = self.dir.remove_file(&*name);
            }
        }
    }
}

fn file_name(digest: &str, engine: &str) -> String {
    format!("{digest}-{engine}.cwasm")
}

fn create_private(path: &Path) -> io::Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(path)
}
