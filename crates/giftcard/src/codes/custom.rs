//! Rules for codes that a merchant sets or imports: pre-printed, or from another system. Must not know patterns.

use giftcard_engine::code::normalise;
use zeroize::Zeroizing;

use super::{BITS_NEEDED, LENGTH_MAX, LENGTH_MIN};

/// Most characters of a code as it is written, dashes and spaces counted.
const WRITTEN_MAX: usize = 256;

/// How hard a code can be to guess, at best.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Strength {
    /// Nothing against it. How it was made decides, which nobody can see from one code.
    Enough,
    /// Even if it was drawn at random, it has too few random bits.
    Weak {
        /// At most so many; fewer than [`BITS_NEEDED`].
        bits: u32,
    },
}

impl Strength {
    /// Whether the code must be accepted on purpose.
    #[must_use]
    pub const fn is_weak(self) -> bool {
        matches!(self, Self::Weak { .. })
    }
}

/// What is wrong with a code that a merchant brings along. Never shows any of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CustomProblem {
    /// Too few characters.
    #[error("the code has {characters} characters, not counting dashes and spaces; at least {LENGTH_MIN} are needed")]
    TooShort {
        /// How many it has, normalised.
        characters: usize,
    },
    /// Too many characters.
    #[error("the code is too long; at most {LENGTH_MAX} characters are allowed, not counting dashes and spaces")]
    TooLong,
    /// A letter that is none of A to Z.
    #[error(
        "character {position} of the code is a letter outside A to Z; such letters can look like others and change \
         with upper and lower case, so use A to Z, digits and `_`"
    )]
    ForeignLetter {
        /// From 1, dashes and spaces counted.
        position: usize,
    },
    /// Neither a letter, a digit nor `_`.
    #[error("character {position} of the code cannot be in one; use A to Z, digits and `_`")]
    Forbidden {
        /// From 1, dashes and spaces counted.
        position: usize,
    },
}

impl CustomProblem {
    /// Stable kebab-case code.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::TooShort { .. } => "code-too-short",
            Self::TooLong => "code-too-long",
            Self::ForeignLetter { .. } => "code-foreign-letter",
            Self::Forbidden { .. } => "code-forbidden-character",
        }
    }
}

/// Whether a merchant's own code can be taken, and how strong it is at best. Lower case counts as upper case; dashes
/// and spaces do not count.
///
/// # Errors
/// See [`CustomProblem`].
pub fn check_custom(code: &str) -> Result<Strength, CustomProblem> {
    if code.chars().nth(WRITTEN_MAX).is_some() {
        return Err(CustomProblem::TooLong);
    }
    for (character, position) in code.chars().zip(1..) {
        match character {
            '0'..='9' | 'A'..='Z' | 'a'..='z' | '_' => {}
            // Line ends and tabs are white space too, but where one is, two codes may have run into each other.
            _ if !character.is_control() && is_ignored(character) => {}
            _ if character.is_alphanumeric() => return Err(CustomProblem::ForeignLetter { position }),
            _ => return Err(CustomProblem::Forbidden { position }),
        }
    }
    let normal = Zeroizing::new(normalise(code));
    match normal.len() {
        0..LENGTH_MIN => Err(CustomProblem::TooShort { characters: normal.len() }),
        LENGTH_MIN..=LENGTH_MAX => Ok(strength(normal.as_bytes())),
        _ => Err(CustomProblem::TooLong),
    }
}

/// Whether a character is left out when codes are compared.
pub(super) fn is_ignored(character: char) -> bool {
    normalise(character.encode_utf8(&mut [0; 4])).is_empty()
}

/// An upper bound, as if every letter and digit had been drawn from all of its kinds. Where half of them follow from
/// those before, as in `AAAA` and `12345678`, only the others count.
fn strength(normal: &[u8]) -> Strength {
    let has_digits = normal.iter().any(u8::is_ascii_digit);
    let has_letters = normal.iter().any(u8::is_ascii_uppercase);
    let symbols: u128 = if has_digits { 10 } else { 0 } + if has_letters { 26 } else { 0 };
    let drawn = normal.iter().filter(|symbol| **symbol != b'_').count();
    let goes_on = |run: &[u8]| {
        let step = i16::from(run[1]) - i16::from(run[0]);
        step.abs() <= 1 && i16::from(run[2]) - i16::from(run[1]) == step
    };
    let followed = normal.windows(3).filter(|run| goes_on(run)).count();
    let counted = if followed * 2 >= drawn { drawn.saturating_sub(followed) } else { drawn };
    // 64 bits are what matters, and 36^24 still fits.
    let codes = (0..counted.min(24)).fold(1_u128, |codes, _| codes.saturating_mul(symbols));
    match codes.ilog2() {
        bits if bits < BITS_NEEDED => Strength::Weak { bits },
        _ => Strength::Enough,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn codes_of_a_merchant_are_letters_digits_and_underscores() {
        for (code, expected) in [
            ("HAPPYBD_GC12", Ok(Strength::Weak { bits: 56 })),
            ("happybd_gc12", Ok(Strength::Weak { bits: 56 })),
            ("9F3K-7Q2M-X8BT-4RWN", Ok(Strength::Enough)),
            ("9F3K\u{2013}7Q2M\u{a0}X8BT 4RWN", Ok(Strength::Enough)),
            ("4929 1538 0275 9163", Ok(Strength::Weak { bits: 53 })),
            ("49291538027591634826", Ok(Strength::Enough)),
            ("AAAAAAAAAAAAAAAAAAAAAAAA", Ok(Strength::Weak { bits: 9 })),
            ("12345678901234567890", Ok(Strength::Weak { bits: 16 })),
            ("________", Ok(Strength::Weak { bits: 0 })),
            ("ABC-DEF", Err(CustomProblem::TooShort { characters: 6 })),
            ("", Err(CustomProblem::TooShort { characters: 0 })),
            (" - ", Err(CustomProblem::TooShort { characters: 0 })),
            ("CAFÉ-GUTSCHEIN", Err(CustomProblem::ForeignLetter { position: 4 })),
            // A Cyrillic letter that looks like an A.
            ("GIFT-\u{410}BCDEFG", Err(CustomProblem::ForeignLetter { position: 6 })),
            // Would become two letters in upper case.
            ("STRAßE-123456", Err(CustomProblem::ForeignLetter { position: 5 })),
            ("1.23457E+15", Err(CustomProblem::Forbidden { position: 2 })),
            ("ABCDEFGH\u{200b}", Err(CustomProblem::Forbidden { position: 9 })),
            ("ABCDEFGH\nJKLMNPQR", Err(CustomProblem::Forbidden { position: 9 })),
            ("ABCDEFGH\tJKLMNPQR", Err(CustomProblem::Forbidden { position: 9 })),
            ("ABCDEFGH\0", Err(CustomProblem::Forbidden { position: 9 })),
        ] {
            assert_eq!(check_custom(code), expected, "{code}");
        }
    }

    #[test]
    fn eight_to_64_characters_count_and_padding_is_bounded_too() {
        let code = |length: usize| "A9".chars().cycle().take(length).collect::<String>();
        assert_eq!(check_custom(&code(7)), Err(CustomProblem::TooShort { characters: 7 }));
        assert!(check_custom(&code(8)).is_ok() && check_custom(&code(64)).is_ok());
        assert_eq!(check_custom(&code(65)), Err(CustomProblem::TooLong));
        assert!(check_custom(&format!("{}{}", code(64), " ".repeat(192))).is_ok());
        assert_eq!(check_custom(&format!("{}{}", code(64), " ".repeat(193))), Err(CustomProblem::TooLong));
    }

    proptest! {
        #[test]
        fn what_is_accepted_normalises_to_plain_characters_within_limits(code in "\\PC{0,80}|[a-zA-Z0-9_ -]{0,80}") {
            if check_custom(&code).is_ok() {
                let normal = normalise(&code);
                prop_assert!((LENGTH_MIN..=LENGTH_MAX).contains(&normal.chars().count()));
                prop_assert!(normal.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_'));
            }
        }

        #[test]
        fn a_refusal_does_not_show_the_code(code in "[A-Z0-9]{4,7}|[A-Z]{5,9}[.!é][A-Z]{5,9}|[A-Z0-9]{65,80}") {
            let problem = check_custom(&code).unwrap_err();
            let shown = format!("{problem} {problem:?} {}", problem.code());
            prop_assert!(!shown.to_uppercase().contains(&code) && !shown.contains(&code[..4]), "{}", shown);
        }
    }
}
