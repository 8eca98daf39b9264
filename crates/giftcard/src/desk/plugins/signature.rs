//! Signatures of components: an ed25519 signature over what names the component's digest. Must not know where files are.

use giftcard_ledger::Refused;

use super::component_digest;
use super::document::{Signed, Version};
use crate::desk::DeskError;
use crate::desk::decision::unhex;
use crate::desk::pay::hex;
use crate::input::PluginPolicy;
use crate::json::excerpt;
use crate::secrets::PluginSigner;

/// What is signed begins with it, so that a signature for something else never passes for one of a plugin.
const PURPOSE: &str = "giftcard-plugin-v1\n";

/// What is signed of a component with this digest: SHA-256 over the purpose and the digest in hexadecimal.
fn message(digest: &str) -> [u8; 32] {
    giftcard_ledger::chain::digest(&format!("{PURPOSE}{digest}"))
}

/// Whether a signature fits a component and its key is one of the site's.
pub(super) fn is_trusted(policy: &PluginPolicy, digest: &str, signed: &Signed) -> bool {
    let is_listed = policy.trusted_keys.iter().any(|key| key.eq_ignore_ascii_case(&signed.key));
    is_listed && fits(digest, signed)
}

/// Whether a signature fits a component.
fn fits(digest: &str, signed: &Signed) -> bool {
    let (key, signature) = (unhex::<32>(&signed.key), unhex::<64>(&signed.signature));
    key.zip(signature).is_some_and(|(key, signature)| crate::secrets::verify(&key, &message(digest), &signature))
}

/// A signature of a component, as its author gives it, in hexadecimal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PluginSignature {
    /// Public key, 64 digits.
    pub key: String,
    /// 128 digits.
    pub signature: String,
}

impl PluginSignature {
    /// A signature by `signer` of a component, by its bytes.
    #[must_use]
    pub fn by(signer: &PluginSigner, component: &[u8]) -> Self {
        let digest = component_digest(component);
        let signature = signer.sign(&message(&digest));
        Self { key: hex(&signer.public_key()), signature: hex(&signature) }
    }

    /// As a file beside the component has it: `ed25519`, the public key and the signature, apart by spaces.
    #[must_use]
    pub fn to_text(&self) -> String {
        format!("ed25519 {} {}\n", self.key, self.signature)
    }

    /// Reads what [`Self::to_text`] wrote.
    ///
    /// # Errors
    /// What is wrong with it and what would be right.
    pub fn read(text: &str) -> Result<Self, String> {
        let right = "one line is right: `ed25519`, 64 hexadecimal digits of a public key, 128 of a signature";
        match text.split_whitespace().collect::<Vec<_>>()[..] {
            ["ed25519", key, signature] if unhex::<32>(key).is_some() && unhex::<64>(signature).is_some() => {
                Ok(Self { key: key.to_string(), signature: signature.to_string() })
            }
            ["ed25519", ..] => Err(format!("the signature is cut off or damaged; {right}")),
            _ => Err(format!("is no signature; {right}")),
        }
    }
}

/// Whether a version is signed as its site demands, and no signature is wrong.
pub(super) fn check_signature(version: &Version, policy: &PluginPolicy) -> Result<(), DeskError> {
    match &version.signed {
        Some(signed) if !fits(&version.digest, signed) => {
            let message = format!("the signature is not one of key {} for this component", excerpt(&signed.key));
            Err(Refused::mistake("signature-wrong", message).into())
        }
        Some(signed) if policy.require_signature && !is_trusted(policy, &version.digest, signed) => {
            let message = format!("key {} is not among the site's trusted keys", signed.key);
            Err(Refused::mistake("signature-wrong", message).into())
        }
        None if policy.require_signature => {
            let message = "the site takes signed plugins only; `giftcard plugin sign` signs one";
            Err(Refused::mistake("signature-missing", message).into())
        }
        _ => Ok(()),
    }
}
