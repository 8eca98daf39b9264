//! The keys that are kept outside of the database, and what is computed with them: lookups of codes, seals around codes
//! that have to be delivered, signatures of checkpoints. Must not know the database, and shows no key and no code.
//!
//! Whoever has the database but not the key file can neither find out codes, nor try them, nor unseal them, nor sign.
//! Without the key file no card can be found by its code: back it up, apart from the database.

mod file;
mod keys;
mod random;
mod seal;
mod signer;

use std::fmt;

use ed25519_dalek::{Signature, Signer, SigningKey, VerifyingKey};
use giftcard_engine::code::normalise;
use hmac::{Hmac, KeyInit, Mac};
use rand::CryptoRng;
use sha2::Sha256;
use zeroize::Zeroizing;

pub use file::{KeyFileFlaw, KeyFileProblem};
pub use keys::{KEYS_MAX, KeyProblem};
pub use random::{NoRandomness, SystemRandom};
pub use seal::UnsealProblem;
pub use signer::PluginSigner;

use keys::{Key, Keyring};

/// The keys: peppers for lookups and sealing keys, both in versions, one key for fingerprints and one for signatures.
/// `Debug` shows versions only; the memory of the keys is wiped when they are dropped.
///
/// A pepper's version is kept with each lookup, a sealing key's within each seal, so that several live at once: the
/// newest is for what is new, all are for what is there.
pub struct Secrets {
    peppers: Keyring,
    sealing: Keyring,
    fingerprint: Key,
    /// On the heap, as the other keys are.
    signing: Box<SigningKey>,
    /// Digest of the file they were read from or written to, for [`Secrets::replace`].
    file: Option<[u8; 32]>,
}

impl Secrets {
    /// New keys, each in version 1.
    pub fn generate(random: &mut (impl CryptoRng + ?Sized)) -> Self {
        let seed = Key::generate(1, random);
        Self {
            peppers: Keyring::generate(random),
            sealing: Keyring::generate(random),
            fingerprint: Key::generate(1, random),
            signing: Box::new(SigningKey::from_bytes(seed.bytes())),
            file: None,
        }
    }

    /// Adds a pepper, which is the newest from then on, and tells its version. The earlier ones still find what was
    /// looked up with them.
    ///
    /// # Errors
    /// [`KeyProblem::TooMany`] and [`KeyProblem::NoVersionLeft`].
    pub fn rotate_pepper(&mut self, random: &mut (impl CryptoRng + ?Sized)) -> Result<u32, KeyProblem> {
        self.peppers.rotate(random)
    }

    /// Drops a pepper. Codes whose lookups have its version are found no more, so this is for when no usable card has.
    ///
    /// # Errors
    /// [`KeyProblem::Unknown`] and [`KeyProblem::Newest`].
    pub fn retire_pepper(&mut self, version: u32) -> Result<(), KeyProblem> {
        self.peppers.retire(version)
    }

    /// Adds a sealing key, which is the newest from then on, and tells its version. The earlier ones still unseal.
    ///
    /// # Errors
    /// [`KeyProblem::TooMany`] and [`KeyProblem::NoVersionLeft`].
    pub fn rotate_sealing(&mut self, random: &mut (impl CryptoRng + ?Sized)) -> Result<u32, KeyProblem> {
        self.sealing.rotate(random)
    }

    /// Drops a sealing key. What is sealed with it can be delivered no more.
    ///
    /// # Errors
    /// [`KeyProblem::Unknown`] and [`KeyProblem::Newest`].
    pub fn retire_sealing(&mut self, version: u32) -> Result<(), KeyProblem> {
        self.sealing.retire(version)
    }

    /// Version of the pepper that [`Secrets::lookup`] uses.
    #[must_use]
    pub fn newest_pepper(&self) -> u32 {
        self.peppers.newest().version()
    }

    /// Versions of all peppers, the newest first.
    pub fn pepper_versions(&self) -> impl Iterator<Item = u32> {
        self.peppers.newest_first().map(Key::version)
    }

    /// Versions of all sealing keys, the newest first.
    pub fn sealing_versions(&self) -> impl Iterator<Item = u32> {
        self.sealing.newest_first().map(Key::version)
    }

    /// What a code of a site is found by in the database, with the newest pepper. Codes that are the same normalised
    /// have the same lookup; the same code on two sites has two.
    #[must_use]
    pub fn lookup(&self, site: &str, code: &str) -> [u8; 32] {
        authenticate(self.peppers.newest(), site, &Zeroizing::new(normalise(code)))
    }

    /// What a code of a site may be found by, with each pepper and its version, the newest first.
    #[must_use]
    pub fn lookups(&self, site: &str, code: &str) -> Vec<(u32, [u8; 32])> {
        let normal = Zeroizing::new(normalise(code));
        self.peppers.newest_first().map(|pepper| (pepper.version(), authenticate(pepper, site, &normal))).collect()
    }

    /// What stands for a code of a site in the hash of a request. It stays the same for ever, whatever becomes of the
    /// peppers, so that a repeated request is known again; it finds nothing.
    #[must_use]
    pub fn fingerprint(&self, site: &str, code: &str) -> [u8; 32] {
        authenticate(&self.fingerprint, site, &Zeroizing::new(normalise(code)))
    }

    /// Signature over a digest, ed25519. The signing key signs nothing but digests of checkpoints.
    #[must_use]
    pub fn sign(&self, digest: &[u8; 32]) -> [u8; 64] {
        self.signing.sign(digest).to_bytes()
    }

    /// What [`verify`] needs to check signatures.
    #[must_use]
    pub fn public_key(&self) -> [u8; 32] {
        self.signing.verifying_key().to_bytes()
    }
}

/// Whether a digest was signed with the signing key that belongs to a public key.
#[must_use]
pub fn verify(public_key: &[u8; 32], digest: &[u8; 32], signature: &[u8; 64]) -> bool {
    // Strict: refuses weak public keys, for which signatures fit many messages.
    VerifyingKey::from_bytes(public_key)
        .is_ok_and(|key| key.verify_strict(digest, &Signature::from_bytes(signature)).is_ok())
}

impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Secrets")
            .field("peppers", &self.pepper_versions().collect::<Vec<_>>())
            .field("sealing", &self.sealing_versions().collect::<Vec<_>>())
            .finish_non_exhaustive()
    }
}

/// HMAC-SHA-256 (RFC 2104) over site and code, each after its length in bytes as eight bytes, the highest first:
/// without lengths, what ends the one could begin the other.
fn authenticate(key: &Key, site: &str, normal_code: &str) -> [u8; 32] {
    let mac = Hmac::<Sha256>::new_from_slice(key.bytes()).expect("INVARIANT: HMAC takes keys of any length");
    let whole = [site, normal_code].into_iter().fold(mac, |mut mac, part| {
        mac.update(&(part.len() as u64).to_be_bytes());
        mac.update(part.as_bytes());
        mac
    });
    whole.finalize().into_bytes().into()
}

#[cfg(test)]
mod tests;
