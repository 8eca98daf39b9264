//! A code in memory: shown only on purpose, wiped when done with. Must not know how it was made.

use std::fmt;

use zeroize::Zeroizing;

/// A code as people are shown it. `Debug` does not show it; the memory is wiped when it is dropped.
#[derive(Clone, PartialEq, Eq)]
pub struct SecretCode(Zeroizing<String>);

impl SecretCode {
    /// Keeps `code`, as it is.
    #[must_use]
    pub fn new(code: String) -> Self {
        Self(Zeroizing::new(code))
    }

    /// The code, with its dashes. For the shopper, the delivery and the lookup; never for a log, an error or a hash.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for SecretCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretCode(..)")
    }
}

/// A generated code, and what of it may be shown later.
#[derive(Clone, PartialEq, Eq)]
pub struct NewCode {
    code: SecretCode,
    hint: Option<String>,
}

impl NewCode {
    pub(super) fn new(code: SecretCode, hint: Option<String>) -> Self {
        Self { code, hint }
    }

    /// The code, with its dashes. For the shopper, the delivery and the lookup; never for a log, an error or a hash.
    #[must_use]
    pub fn reveal(&self) -> &str {
        self.code.reveal()
    }

    /// The last four characters of the normalised code, by which people can tell cards apart; `None` where fewer than
    /// [`super::BITS_NEEDED`] random bits would remain secret.
    #[must_use]
    pub fn hint(&self) -> Option<&str> {
        self.hint.as_deref()
    }

    /// The code without its hint.
    #[must_use]
    pub fn into_code(self) -> SecretCode {
        self.code
    }
}

impl fmt::Debug for NewCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("NewCode(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_shows_neither_code_nor_hint() {
        let code = NewCode::new(SecretCode::new("ABCD-EFGH-JKLM".to_string()), Some("JKLM".to_string()));
        assert_eq!(format!("{code:?} {code:#?}"), "NewCode(..) NewCode(..)");
        assert_eq!(code.reveal(), "ABCD-EFGH-JKLM");
        assert_eq!(code.hint(), Some("JKLM"));
        assert_eq!(format!("{:?}", code.into_code()), "SecretCode(..)");
    }
}
