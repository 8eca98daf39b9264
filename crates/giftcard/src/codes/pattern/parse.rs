//! Reading the text of a pattern, with errors that say where and what would be right. Must not know generation.

use super::super::{LENGTH_MAX, LENGTH_MIN};
use super::{Kind, Place};

/// Most characters of a pattern's text.
const TEXT_MAX: usize = 200;

/// What is wrong with a pattern. Positions count characters from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PatternProblem {
    /// A character that cannot be in a code.
    #[error(
        "`{character}` at position {position} of the pattern cannot be in a code; use letters A to Z, digits, `_`, \
         `-`, spaces, and for random places `X` or `*` (any), `#` (a digit), `@` (a letter), `=` (the check symbol)"
    )]
    Forbidden {
        /// Where.
        position: usize,
        /// Which.
        character: char,
    },
    /// An `X` beside fixed text.
    #[error(
        "the `X` at position {position} of the pattern stands beside fixed text, so it could be a letter or a \
         placeholder; write `*` for a random character, or the letter in quotes as in `'XMAS'`"
    )]
    UnclearX {
        /// Where.
        position: usize,
    },
    /// A quote without its end.
    #[error("the quote at position {position} of the pattern is not closed; write fixed text as in `'XMAS'`")]
    UnclosedQuote {
        /// Where it begins.
        position: usize,
    },
    /// A dash or a space with nothing to separate.
    #[error("the dash or space at position {position} of the pattern must stand between two other characters")]
    LooseSeparator {
        /// Where.
        position: usize,
    },
    /// Two check symbols.
    #[error("the `=` at position {position} of the pattern is the second; a code has one check symbol")]
    SecondCheck {
        /// Where the second is.
        position: usize,
    },
    /// Too few characters.
    #[error(
        "codes of the pattern have {characters} characters, not counting dashes and spaces; at least {LENGTH_MIN} are \
         needed"
    )]
    TooShort {
        /// How many a code would have.
        characters: usize,
    },
    /// Too many characters.
    #[error(
        "codes of the pattern are too long; at most {LENGTH_MAX} characters are allowed, not counting dashes and spaces"
    )]
    TooLong,
    /// Too easy to guess.
    #[error(
        "codes of the pattern have {bits} random bits, and {needed} are needed not to be guessed; an `X` has 5, so add \
         some, or accept weak codes on purpose (`accept_weak`)"
    )]
    TooWeak {
        /// How many random bits a code would have.
        bits: u32,
        /// How many are needed.
        needed: u32,
    },
}

impl PatternProblem {
    /// Stable kebab-case code.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Forbidden { .. } => "pattern-forbidden-character",
            Self::UnclearX { .. } => "pattern-unclear-x",
            Self::UnclosedQuote { .. } => "pattern-unclosed-quote",
            Self::LooseSeparator { .. } => "pattern-loose-separator",
            Self::SecondCheck { .. } => "pattern-second-check-symbol",
            Self::TooShort { .. } => "pattern-too-short",
            Self::TooLong => "pattern-too-long",
            Self::TooWeak { .. } => "pattern-too-weak",
        }
    }
}

/// A place, where it stands in the text, and how it is written.
struct Written {
    place: Place,
    position: usize,
    how: How,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum How {
    Plain,
    Quoted,
    LetterX,
}

/// The places of a pattern, in order.
pub(super) fn places(text: &str) -> Result<Vec<Place>, PatternProblem> {
    if text.chars().nth(TEXT_MAX).is_some() {
        return Err(PatternProblem::TooLong);
    }
    let written = read(text)?;
    for (index, this) in written.iter().enumerate() {
        let before = index.checked_sub(1).and_then(|index| written.get(index));
        check_neighbours(this, [before, written.get(index + 1)])?;
    }
    let mut checks = written.iter().filter(|this| this.place == Place::Check);
    if let Some(second) = checks.nth(1) {
        return Err(PatternProblem::SecondCheck { position: second.position });
    }
    match written.iter().filter(|this| this.place.is_counted()).count() {
        characters @ 0..LENGTH_MIN => Err(PatternProblem::TooShort { characters }),
        LENGTH_MIN..=LENGTH_MAX => Ok(written.into_iter().map(|this| this.place).collect()),
        _ => Err(PatternProblem::TooLong),
    }
}

fn read(text: &str) -> Result<Vec<Written>, PatternProblem> {
    let mut written = Vec::new();
    let mut quote = None;
    for (character, position) in text.chars().zip(1..) {
        let place = match (character, quote) {
            ('\'', None) => {
                quote = Some(position);
                continue;
            }
            ('\'', Some(_)) => {
                quote = None;
                continue;
            }
            ('-' | ' ', _) => Place::Separator(character as u8),
            ('X' | 'x' | '*', None) => Place::Drawn(Kind::Any),
            ('#', None) => Place::Drawn(Kind::Digit),
            ('@', None) => Place::Drawn(Kind::Letter),
            ('=', None) => Place::Check,
            ('0'..='9' | 'A'..='Z' | 'a'..='z' | '_', _) => Place::Fixed(character.to_ascii_uppercase() as u8),
            _ => return Err(PatternProblem::Forbidden { position, character }),
        };
        let how = match (character, quote) {
            (_, Some(_)) => How::Quoted,
            ('X' | 'x', None) => How::LetterX,
            _ => How::Plain,
        };
        written.push(Written { place, position, how });
    }
    quote.map_or(Ok(written), |position| Err(PatternProblem::UnclosedQuote { position }))
}

fn check_neighbours(this: &Written, neighbours: [Option<&Written>; 2]) -> Result<(), PatternProblem> {
    let position = this.position;
    let separates = |beside: Option<&Written>| beside.is_some_and(|beside| beside.place.is_counted());
    if !this.place.is_counted() && !neighbours.into_iter().all(separates) {
        return Err(PatternProblem::LooseSeparator { position });
    }
    let is_fixed = |beside: &Written| matches!(beside.place, Place::Fixed(literal) if literal != b'_');
    let unclear = neighbours.into_iter().flatten().any(|beside| beside.how == How::Plain && is_fixed(beside));
    if this.how == How::LetterX && unclear {
        return Err(PatternProblem::UnclearX { position });
    }
    Ok(())
}
