//! Card codes: the symbols they are made of, patterns and generation, the check symbol, rules for codes that a merchant
//! brings along, and files of them. Must not know where codes are kept, and never puts one into an error, a `Debug` or
//! a `Display`.
//!
//! A code is compared as [`giftcard_engine::code::normalise`] leaves it: upper case, without dashes and spaces.

mod alphabet;
mod custom;
mod import;
mod pattern;
mod secret;

pub use alphabet::ALPHABET;
pub use custom::{CustomProblem, Strength, check_custom};
pub use import::{CodeRows, CsvFlaw, CsvProblem, Imported, read_codes};
pub use pattern::{CheckProblem, NoRoom, Pattern, PatternProblem};
pub use secret::{NewCode, SecretCode};

/// Fewest characters of a code, normalised.
pub const LENGTH_MIN: usize = 8;

/// Most characters of a code, normalised.
pub const LENGTH_MAX: usize = 64;

/// Random bits that a code must have not to be weak, and must keep when its last four characters are shown.
///
/// With a million cards in use, a guess at 64 bits hits one in 2^44 times.
pub const BITS_NEEDED: u32 = 64;

/// The pattern of codes when nobody chose another: 85 random bits and a check symbol, as `W4DSKT-VEPVM9-URPQLX`.
///
/// 75 bits would be enough for a secret and fit 16 characters; two more leave 65 bits when the last four are shown,
/// without which people could not tell one of their cards from another.
pub const STANDARD_PATTERN: &str = "XXXXXX-XXXXXX-XXXXX=";

/// Whether a code as somebody typed it can be right, for codes of [`STANDARD_PATTERN`]; any other code passes. See
/// [`Pattern::check_entered`] for when to ask.
///
/// # Errors
/// Which mistake it is. Neither names a place: the check symbol only tells that there is one.
pub fn check_entered(code: &str) -> Result<(), CheckProblem> {
    Pattern::standard().check_entered(code)
}

#[cfg(test)]
pub(crate) mod tests {
    use std::convert::Infallible;

    use rand::{Rng, SeedableRng, TryCryptoRng, TryRng};
    use rand_xorshift::XorShiftRng;

    /// Randomness that is the same each time.
    pub(crate) struct Seeded(XorShiftRng);

    impl Seeded {
        pub(crate) fn new(seed: u64) -> Self {
            Self(XorShiftRng::seed_from_u64(seed))
        }
    }

    impl TryRng for Seeded {
        type Error = Infallible;

        fn try_next_u32(&mut self) -> Result<u32, Infallible> {
            Ok(self.0.next_u32())
        }

        fn try_next_u64(&mut self) -> Result<u64, Infallible> {
            Ok(self.0.next_u64())
        }

        fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
            self.0.fill_bytes(bytes);
            Ok(())
        }
    }

    /// It is none: for tests, where the same codes must come out again.
    impl TryCryptoRng for Seeded {}
}
