//! The key that somebody signs plugins with, in a file of its own. Must not know what is signed.
//!
//! ```json
//! {"format": 1, "plugin_signing": {"key": "<32 bytes, base64>"}}
//! ```

use std::fmt;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use ed25519_dalek::{Signer as _, SigningKey};
use rand::CryptoRng;
use serde::Deserialize;
use zeroize::Zeroizing;

use super::file::{self, KeyFileFlaw, KeyFileProblem, Single};
use super::keys::Key;

/// A signing key, ed25519. `Debug` shows nothing of it; its memory is wiped when it is dropped.
pub struct PluginSigner(Box<SigningKey>);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Content<'a> {
    #[serde(rename = "format")]
    _format: u32,
    #[serde(borrow)]
    plugin_signing: Single<'a>,
}

impl PluginSigner {
    /// A new key.
    pub fn generate(random: &mut (impl CryptoRng + ?Sized)) -> Self {
        Self(Box::new(SigningKey::from_bytes(Key::generate(1, random).bytes())))
    }

    /// Reads a file, which only its owner may be able to use.
    ///
    /// # Errors
    /// See [`KeyFileFlaw`].
    pub fn read(path: &Path) -> Result<Self, KeyFileProblem> {
        let read = || {
            let text = file::read_text(path)?;
            file::check_format(&text)?;
            let content: Content<'_> = file::parse(&text)?;
            let key = file::key("plugin_signing.key".to_string(), 1, content.plugin_signing.key)?;
            Ok(Self(Box::new(SigningKey::from_bytes(key.bytes()))))
        };
        read().map_err(|flaw| KeyFileProblem { path: path.to_path_buf(), flaw })
    }

    /// Writes a file that is not there yet, for its owner only.
    ///
    /// # Errors
    /// [`KeyFileFlaw::ThereAlready`], [`KeyFileFlaw::Unwritable`].
    pub fn write_new(&self, path: &Path) -> Result<(), KeyFileProblem> {
        let mut text = Zeroizing::new(String::with_capacity(256));
        text.push_str("{\n  \"format\": 1,\n  \"plugin_signing\": {\"key\": \"");
        BASE64.encode_string(self.0.as_bytes(), &mut text);
        text.push_str("\"}\n}\n");
        let written = file::create(path, &text).map_err(|error| match error.kind() {
            std::io::ErrorKind::AlreadyExists => KeyFileFlaw::ThereAlready,
            _ => KeyFileFlaw::Unwritable(error),
        });
        written.map_err(|flaw| KeyFileProblem { path: path.to_path_buf(), flaw })
    }

    /// What others check signatures with.
    #[must_use]
    pub fn public_key(&self) -> [u8; 32] {
        self.0.verifying_key().to_bytes()
    }

    /// Signature over a digest.
    #[must_use]
    pub fn sign(&self, digest: &[u8; 32]) -> [u8; 64] {
        self.0.sign(digest).to_bytes()
    }
}

impl fmt::Debug for PluginSigner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PluginSigner").finish_non_exhaustive()
    }
}
