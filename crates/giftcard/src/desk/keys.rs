//! Changing the keys that codes are found by: the file first, then what this process uses. Must not know what a key is.

use std::path::Path;

use giftcard_ledger::Refused;

use super::{Desk, DeskError};
use crate::output::{KeysOutput, PepperOutput};
use crate::secrets::Secrets;

impl Desk {
    /// The versions of the keys, and how many codes need each.
    ///
    /// # Errors
    /// [`DeskError::Store`].
    pub fn keys(&self) -> Result<KeysOutput, DeskError> {
        let secrets = self.secrets();
        let uses = self.store().pepper_uses()?;
        let known: Vec<u32> = secrets.pepper_versions().collect();
        let lost = uses.keys().filter(|version| !known.contains(version));
        let mut versions: Vec<u32> = known.iter().chain(lost).copied().collect();
        versions.sort_unstable_by(|left, right| right.cmp(left));
        let pepper = |version: u32| PepperOutput {
            version,
            codes: uses.get(&version).copied().unwrap_or(0),
            newest: version == secrets.newest_pepper(),
            known: known.contains(&version),
        };
        Ok(KeysOutput {
            peppers: versions.into_iter().map(pepper).collect(),
            sealing: secrets.sealing_versions().collect(),
        })
    }

    /// Adds a pepper to the key file, and uses it from then on. Codes move to it as they are presented. The new
    /// version. Other processes know it once they have read the file again.
    ///
    /// # Errors
    /// [`DeskError::Secrets`].
    pub fn rotate_pepper(&self, file: &Path) -> Result<u32, DeskError> {
        let mut secrets = self.read_keys(file)?;
        let version = secrets.rotate_pepper(&mut **self.randomness()).map_err(unusable)?;
        secrets.replace(file).map_err(unusable)?;
        self.set_secrets(secrets);
        Ok(version)
    }

    /// Drops a pepper from the key file, if no code needs it any more.
    ///
    /// # Errors
    /// [`Refused`] code `pepper-in-use`; [`DeskError::Secrets`].
    pub fn retire_pepper(&self, file: &Path, version: u32) -> Result<(), DeskError> {
        let mut secrets = self.read_keys(file)?;
        let codes = self.store().pepper_uses()?.get(&version).copied().unwrap_or(0);
        if codes > 0 && version != secrets.newest_pepper() {
            let message = format!(
                "{codes} codes of cards with a balance, or free in pools, are found by pepper {version} and nothing \
                 else; they move to the newest when they are presented, those of pools with `giftcard secrets \
                 renew-pools`"
            );
            return Err(Refused::mistake("pepper-in-use", message).into());
        }
        secrets.retire_pepper(version).map_err(unusable)?;
        secrets.replace(file).map_err(unusable)?;
        self.set_secrets(secrets);
        Ok(())
    }

    /// The keys as they are in the file now, which must be those of this desk.
    fn read_keys(&self, file: &Path) -> Result<Secrets, DeskError> {
        let secrets = Secrets::read(file).map_err(unusable)?;
        if secrets.public_key() != self.secrets().public_key() {
            let message = format!("the key file `{}` is another database's", file.display());
            return Err(DeskError::Secrets(message));
        }
        Ok(secrets)
    }
}

fn unusable(problem: impl std::fmt::Display) -> DeskError {
    DeskError::Secrets(problem.to_string())
}

#[cfg(test)]
mod tests;
