//! Signatures of components: an ed25519 signature over what names the component's digest. Must not know where files are.

use super::document::Signed;
use crate::desk::decision::unhex;
use crate::input::PluginPolicy;

/// What is signed begins with it, so that a signature for something else never passes for one of a plugin.
const PURPOSE: &str = "giftcard-plugin-v1\n";

/// What is signed of a component with this digest: SHA-256 over the purpose and the digest in hexadecimal.
pub(super) fn message(digest: &str) -> [u8; 32] {
    giftcard_ledger::chain::digest(&format!("{PURPOSE}{digest}"))
}

/// Whether a signature fits a component and its key is one of the site's.
pub(super) fn is_trusted(policy: &PluginPolicy, digest: &str, signed: &Signed) -> bool {
    let is_listed = policy.trusted_keys.iter().any(|key| key.eq_ignore_ascii_case(&signed.key));
    is_listed && fits(digest, signed)
}

/// Whether a signature fits a component.
pub(super) fn fits(digest: &str, signed: &Signed) -> bool {
    let (key, signature) = (unhex::<32>(&signed.key), unhex::<64>(&signed.signature));
    key.zip(signature).is_some_and(|(key, signature)| crate::secrets::verify(&key, &message(digest), &signature))
}
