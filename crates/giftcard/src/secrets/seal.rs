//! Seals around codes that still have to be delivered. Must not know where they are kept.
//!
//! A seal is the version of its key (four bytes, the highest first), a random nonce (24 bytes), and the encrypted code
//! with its tag. The id of the code is authenticated too, so that a seal moved to another row does not open.

use chacha20poly1305::aead::{Aead, AeadInOut, Payload};
use chacha20poly1305::{KeyInit, XChaCha20Poly1305, XNonce};
use rand::CryptoRng;
use zeroize::Zeroizing;

use super::Secrets;
use super::keys::Key;
use crate::codes::SecretCode;

const VERSION_LENGTH: usize = 4;
/// Long enough to be drawn at random for every seal there will ever be.
const NONCE_LENGTH: usize = 24;
const TAG_LENGTH: usize = 16;

/// Why a seal does not open.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UnsealProblem {
    /// Too few bytes to be a seal.
    #[error("the sealed code is cut off")]
    CutOff,
    /// Its key is not in the key file.
    #[error("the code is sealed with version {version} of the sealing key, which is not in the key file")]
    NoKey {
        /// The version of the key.
        version: u32,
    },
    /// It was changed, belongs to another code, or its key is another of the same version.
    #[error("the sealed code is damaged, belongs to another code, or was sealed with another key file")]
    Broken,
}

impl Secrets {
    /// Seals the code with this id, as it is shown, with the newest sealing key.
    #[must_use]
    pub fn seal(&self, id: i64, code: &str, random: &mut (impl CryptoRng + ?Sized)) -> Vec<u8> {
        let key = self.sealing.newest();
        let mut nonce = [0; NONCE_LENGTH];
        random.fill_bytes(&mut nonce);
        let mut sealed = Vec::with_capacity(VERSION_LENGTH + NONCE_LENGTH + code.len() + TAG_LENGTH);
        sealed.extend_from_slice(&key.version().to_be_bytes());
        sealed.extend_from_slice(&nonce);
        let payload = Payload { msg: code.as_bytes(), aad: &id.to_be_bytes() };
        let encrypted = cipher(key).encrypt(&XNonce::from(nonce), payload);
        sealed.extend(encrypted.expect("INVARIANT: a code is shorter than the 256 GiB that can be encrypted"));
        sealed
    }

    /// Opens a seal around the code with this id.
    ///
    /// # Errors
    /// See [`UnsealProblem`].
    pub fn unseal(&self, id: i64, sealed: &[u8]) -> Result<SecretCode, UnsealProblem> {
        let (version, rest) = sealed.split_first_chunk::<VERSION_LENGTH>().ok_or(UnsealProblem::CutOff)?;
        let (nonce, encrypted) = rest.split_first_chunk::<NONCE_LENGTH>().ok_or(UnsealProblem::CutOff)?;
        if encrypted.len() < TAG_LENGTH {
            return Err(UnsealProblem::CutOff);
        }
        let version = u32::from_be_bytes(*version);
        let key = self.sealing.get(version).ok_or(UnsealProblem::NoKey { version })?;
        let mut opened = Zeroizing::new(encrypted.to_vec());
        cipher(key)
            .decrypt_in_place(&XNonce::from(*nonce), &id.to_be_bytes(), &mut *opened)
            .map_err(|_| UnsealProblem::Broken)?;
        let code = std::str::from_utf8(&opened).map_err(|_| UnsealProblem::Broken)?;
        Ok(SecretCode::new(code.to_string()))
    }
}

fn cipher(key: &Key) -> XChaCha20Poly1305 {
    XChaCha20Poly1305::new(key.bytes().into())
}
