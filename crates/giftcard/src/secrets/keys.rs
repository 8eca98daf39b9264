//! Keys in versions. Must not know what they are for.

use rand::CryptoRng;
use zeroize::Zeroizing;

/// Bytes of a key.
pub(super) const KEY_LENGTH: usize = 32;

/// Most versions of a kind of key at the same time: a lookup tries every pepper.
pub const KEYS_MAX: usize = 16;

/// Why keys stay as they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyProblem {
    /// There is no such version.
    #[error("there is no key of version {version}")]
    Unknown {
        /// The version.
        version: u32,
    },
    /// It is the version in use.
    #[error("version {version} is the newest and in use; add a newer one first")]
    Newest {
        /// The version.
        version: u32,
    },
    /// As many versions as can be.
    #[error("there are {KEYS_MAX} versions, which is the most; retire one that nothing uses first")]
    TooMany,
    /// The newest version has the greatest number.
    #[error("no greater version number is left")]
    NoVersionLeft,
}

/// A key of a version.
pub(super) struct Key {
    version: u32,
    /// On the heap, so that moving it leaves no copy behind.
    bytes: Box<Zeroizing<[u8; KEY_LENGTH]>>,
}

/// All versions of a kind of key.
pub(super) struct Keyring {
    /// INVARIANT: not empty, at most [`KEYS_MAX`], versions at least 1 and ascending.
    keys: Vec<Key>,
}

impl Key {
    /// A key of zeros, to be filled.
    pub(super) fn zeros(version: u32) -> Self {
        Self { version, bytes: Box::new(Zeroizing::new([0; KEY_LENGTH])) }
    }

    pub(super) fn generate(version: u32, random: &mut (impl CryptoRng + ?Sized)) -> Self {
        let mut key = Self::zeros(version);
        random.fill_bytes(key.bytes_mut());
        key
    }

    pub(super) fn version(&self) -> u32 {
        self.version
    }

    pub(super) fn bytes(&self) -> &[u8; KEY_LENGTH] {
        &self.bytes
    }

    pub(super) fn bytes_mut(&mut self) -> &mut [u8; KEY_LENGTH] {
        &mut self.bytes
    }
}

impl Keyring {
    pub(super) fn generate(random: &mut (impl CryptoRng + ?Sized)) -> Self {
        Self { keys: vec![Key::generate(1, random)] }
    }

    /// `None` without a key, with more than [`KEYS_MAX`], with version 0, and with a version twice.
    pub(super) fn new(mut keys: Vec<Key>) -> Option<Self> {
        keys.sort_by_key(Key::version);
        let is_ascending = keys.windows(2).all(|pair| pair[0].version < pair[1].version);
        let is_valid = is_ascending && keys.len() <= KEYS_MAX && keys.first().is_some_and(|first| first.version > 0);
        is_valid.then_some(Self { keys })
    }

    pub(super) fn newest(&self) -> &Key {
        self.keys.last().expect("INVARIANT: a keyring is not empty")
    }

    pub(super) fn newest_first(&self) -> impl Iterator<Item = &Key> {
        self.keys.iter().rev()
    }

    pub(super) fn get(&self, version: u32) -> Option<&Key> {
        self.keys.iter().find(|key| key.version == version)
    }

    pub(super) fn rotate(&mut self, random: &mut (impl CryptoRng + ?Sized)) -> Result<u32, KeyProblem> {
        if self.keys.len() >= KEYS_MAX {
            return Err(KeyProblem::TooMany);
        }
        // The newest is never retired, so a version is never given twice.
        let version = self.newest().version.checked_add(1).ok_or(KeyProblem::NoVersionLeft)?;
        self.keys.push(Key::generate(version, random));
        Ok(version)
    }

    pub(super) fn retire(&mut self, version: u32) -> Result<(), KeyProblem> {
        if self.get(version).is_none() {
            return Err(KeyProblem::Unknown { version });
        }
        if self.newest().version == version {
            return Err(KeyProblem::Newest { version });
        }
        self.keys.retain(|key| key.version != version);
        Ok(())
    }
}
