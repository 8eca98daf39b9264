//! Patterns of codes, and generation from them. Must not know where codes are kept.

mod parse;

use std::fmt;
use std::str::FromStr;

use giftcard_engine::code::normalise;
use rand::CryptoRng;
use zeroize::Zeroizing;

use super::alphabet::{ALPHABET, DIGITS, LETTERS, SYMBOL_BITS, check_value, residue, symbol, value_of};
use super::custom::is_ignored;
use super::secret::{NewCode, SecretCode};
use super::{BITS_NEEDED, LENGTH_MAX, STANDARD_PATTERN};

pub use parse::PatternProblem;

/// Characters that a hint shows.
const HINT_LENGTH: usize = 4;

/// One in so many possible codes may be made. Below, a guess hits too often, and drawing a free code takes many tries.
const POSSIBLE_PER_MADE: u128 = 1000;

/// How generated codes look: fixed text and placeholders, such as `HAPPYBD_XXXX-XXXX-XXXX-XXXX`.
///
/// | written | in the code |
/// | --- | --- |
/// | `X` or `*` | a random symbol of [`ALPHABET`]: digits and capitals without `0 1 I O` |
/// | `#` | a random digit, 2 to 9 |
/// | `@` | a random letter, `A` to `Z` without `I` and `O` |
/// | `=` | the check symbol over all placeholders, one of [`ALPHABET`]; at most once |
/// | `-`, space | itself; shown and not counted when codes are compared |
/// | any other letter, digit, `_` | itself |
/// | `'XMAS'` | the text between the quotes, where `X` is a letter |
///
/// Codes ignore case, so lower case is folded up, `x` to `X`. An `X` right beside fixed letters or digits, as in
/// `XMAS` or `GCXXXX`, could mean either and is refused: quote it, write `*`, or put a dash or `_` between.
///
/// ```
/// use giftcard::codes::{Pattern, PatternProblem};
///
/// let pattern: Pattern = "HAPPYBD_XXXX-XXXX-XXXX-XXXX".parse()?;
/// assert_eq!(pattern.bits(), 80);
/// assert_eq!(Pattern::parse("HAPPYBD_XXXX"), Err(PatternProblem::TooWeak { bits: 20, needed: 64 }));
/// # Ok::<(), PatternProblem>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern {
    text: String,
    /// INVARIANT: 8 to 64 of them are in the code when it is compared, at most one is the check symbol.
    places: Vec<Place>,
}

/// What stands at one place of a code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Fixed(u8),
    /// A dash or a space.
    Separator(u8),
    Drawn(Kind),
    Check,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Any,
    Digit,
    Letter,
}

/// A code that a person typed has a mistake in it. For telling people, never for refusing: whether there is such a
/// code, the lookup says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CheckProblem {
    /// The check symbol does not fit the others.
    #[error("a character of the code is wrong; check it against the card")]
    WrongSymbol,
    /// It has one of `0`, `1`, `I`, `O` where generated codes have none.
    #[error("a character of the code is wrong: `0`, `1`, `I` and `O` are not used in it; check it against the card")]
    LookAlike,
}

/// There are too few possible codes for so many.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the pattern has room for {room} codes and {made} are made; for {more} more, add placeholders to it")]
pub struct NoRoom {
    /// How many codes may be made of the pattern in all.
    pub room: u64,
    /// How many are made.
    pub made: u64,
    /// How many more were asked for.
    pub more: u64,
}

impl Pattern {
    /// Reads a pattern.
    ///
    /// # Errors
    /// See [`PatternProblem`]; [`PatternProblem::TooWeak`] below [`BITS_NEEDED`] random bits.
    pub fn parse(text: &str) -> Result<Self, PatternProblem> {
        let pattern = Self::accept_weak(text)?;
        match pattern.bits() {
            bits if bits < BITS_NEEDED => Err(PatternProblem::TooWeak { bits, needed: BITS_NEEDED }),
            _ => Ok(pattern),
        }
    }

    /// Reads a pattern that may be weak, for somebody who accepts that on purpose. [`Pattern::is_weak`] tells.
    ///
    /// # Errors
    /// See [`PatternProblem`].
    pub fn accept_weak(text: &str) -> Result<Self, PatternProblem> {
        let places = parse::places(text)?;
        Ok(Self { text: text.to_ascii_uppercase(), places })
    }

    /// [`STANDARD_PATTERN`].
    #[must_use]
    pub fn standard() -> Self {
        Self::parse(STANDARD_PATTERN).expect("INVARIANT: the standard pattern is a pattern")
    }

    /// The pattern in upper case. Reading it again gives this pattern.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// How many random bits a code has, rounded down. The check symbol follows from the others and adds none.
    #[must_use]
    pub fn bits(&self) -> u32 {
        bits_of(self.places.iter())
    }

    /// Whether it has fewer than [`BITS_NEEDED`] random bits.
    #[must_use]
    pub fn is_weak(&self) -> bool {
        self.bits() < BITS_NEEDED
    }

    /// How many different codes there are; `u128::MAX` for more.
    #[must_use]
    pub fn capacity(&self) -> u128 {
        let sizes = self.places.iter().filter_map(|place| place.kind()).map(|kind| u128::from(kind.size()));
        sizes.fold(1, u128::saturating_mul)
    }

    /// How many codes may be made: one in a thousand possible ones, at least one.
    #[must_use]
    pub fn room(&self) -> u64 {
        u64::try_from((self.capacity() / POSSIBLE_PER_MADE).max(1)).unwrap_or(u64::MAX)
    }

    /// Whether `more` codes can be made where `made` exist.
    ///
    /// # Errors
    /// [`NoRoom`] where that is more than [`Pattern::room`].
    pub fn check_room(&self, made: u64, more: u64) -> Result<(), NoRoom> {
        let room = self.room();
        match made.checked_add(more) {
            Some(all) if all <= room => Ok(()),
            _ => Err(NoRoom { room, made, more }),
        }
    }

    /// Whether codes of this pattern show their last four characters: where [`BITS_NEEDED`] random bits remain without.
    #[must_use]
    pub fn has_hint(&self) -> bool {
        let counted: Vec<&Place> = self.places.iter().filter(|place| place.is_counted()).collect();
        let (kept, shown) = counted.split_at(counted.len().saturating_sub(HINT_LENGTH));
        // Who sees the check symbol knows one equation over all placeholders, which is worth one symbol of them.
        let told = if shown.contains(&&Place::Check) { SYMBOL_BITS } else { 0 };
        bits_of(kept.iter().copied()) >= BITS_NEEDED + told
    }

    /// A random code. Every possible one is equally likely; that it is new is the caller's to see to.
    pub fn generate(&self, random: &mut (impl CryptoRng + ?Sized)) -> NewCode {
        let mut draws = Draws::new(random);
        // Literals have no value; what stands for them here is not looked at.
        let mut values: Zeroizing<[u8; LENGTH_MAX]> = Zeroizing::new([0; LENGTH_MAX]);
        let mut length = 0;
        let mut check = None;
        for place in &self.places {
            match place {
                Place::Drawn(kind) => values[length] = kind.first() + draws.below(kind.size()),
                Place::Check => check = Some(length),
                Place::Fixed(_) | Place::Separator(_) => continue,
            }
            length += 1;
        }
        if let Some(place) = check {
            values[place] = check_value(&mut values[..length], place);
        }
        let mut symbols = values[..length].iter().map(|value| symbol(*value));
        // Big enough from the start, so that growing leaves no copy behind.
        let mut shown = String::with_capacity(self.places.len());
        for place in &self.places {
            shown.push(char::from(match place {
                Place::Fixed(literal) | Place::Separator(literal) => *literal,
                Place::Drawn(_) | Place::Check => symbols.next().unwrap_or_default(),
            }));
        }
        let hint = self.has_hint().then(|| {
            let last = shown.chars().filter(|c| !is_ignored(*c)).rev().take(HINT_LENGTH).collect::<Vec<_>>();
            last.into_iter().rev().collect()
        });
        NewCode::new(SecretCode::new(shown), hint)
    }

    /// Whether a code as somebody typed it can be right. A code that does not look like one of this pattern passes, and
    /// so does every code of a pattern without a check symbol.
    ///
    /// Ask once the lookup has found nothing, and only to say more than "not found": a merchant's own code may look
    /// like one of this pattern by chance. The answer tells nobody anything about which codes there are.
    ///
    /// # Errors
    /// Which mistake it is.
    pub fn check_entered(&self, code: &str) -> Result<(), CheckProblem> {
        if !self.places.contains(&Place::Check) || code.len() > 4 * LENGTH_MAX {
            return Ok(());
        }
        let normal = Zeroizing::new(normalise(code));
        let places = self.places.iter().filter(|place| place.is_counted());
        if normal.len() != places.clone().count() {
            return Ok(());
        }
        let mut values = Zeroizing::new(Vec::with_capacity(normal.len()));
        let mut look_alike = false;
        for (place, typed) in places.zip(normal.bytes()) {
            match (place, value_of(typed)) {
                (Place::Fixed(literal), _) if *literal == typed => {}
                (Place::Drawn(kind), Some(value)) if kind.has(value) => values.push(value),
                (Place::Check, Some(value)) => values.push(value),
                (Place::Drawn(_) | Place::Check, None) if b"01IO".contains(&typed) => look_alike = true,
                _ => return Ok(()),
            }
        }
        match (look_alike, residue(&values)) {
            (true, _) => Err(CheckProblem::LookAlike),
            (false, 0) => Ok(()),
            (false, _) => Err(CheckProblem::WrongSymbol),
        }
    }
}

impl FromStr for Pattern {
    type Err = PatternProblem;

    fn from_str(text: &str) -> Result<Self, PatternProblem> {
        Self::parse(text)
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Place {
    const fn kind(self) -> Option<Kind> {
        match self {
            Self::Drawn(kind) => Some(kind),
            Self::Fixed(_) | Self::Separator(_) | Self::Check => None,
        }
    }

    /// Whether it is still there when codes are compared.
    const fn is_counted(self) -> bool {
        !matches!(self, Self::Separator(_))
    }
}

impl Kind {
    const fn size(self) -> u8 {
        match self {
            Self::Any => ALPHABET.len() as u8,
            Self::Digit => DIGITS,
            Self::Letter => LETTERS,
        }
    }

    /// The first of its values; the others follow.
    const fn first(self) -> u8 {
        match self {
            Self::Any | Self::Digit => 0,
            Self::Letter => DIGITS,
        }
    }

    fn has(self, value: u8) -> bool {
        (self.first()..self.first() + self.size()).contains(&value)
    }
}

/// The logarithm to base 2 of the number of possibilities, rounded down, exactly: 32 and 8 are powers of two, 24 is
/// eight times three, and the threes of 64 places fit 102 bits.
fn bits_of<'a>(places: impl Iterator<Item = &'a Place>) -> u32 {
    let (mut twos, mut threes) = (0, 1_u128);
    for kind in places.filter_map(|place| place.kind()) {
        twos += kind.size().trailing_zeros();
        threes *= u128::from(kind.size() >> kind.size().trailing_zeros());
    }
    twos + threes.ilog2()
}

/// Random numbers below small limits, each equally likely.
struct Draws<'a, R: ?Sized> {
    random: &'a mut R,
    bytes: Zeroizing<[u8; 64]>,
    used: usize,
}

impl<'a, R: CryptoRng + ?Sized> Draws<'a, R> {
    fn new(random: &'a mut R) -> Self {
        Self { random, bytes: Zeroizing::new([0; 64]), used: 64 }
    }

    /// A number below `limit`, which is at most 32. The remainder of a byte would favour the small ones, so numbers
    /// that are too big are drawn again.
    fn below(&mut self, limit: u8) -> u8 {
        let mask = limit.next_power_of_two() - 1;
        loop {
            if self.used == self.bytes.len() {
                self.random.fill_bytes(&mut *self.bytes);
                self.used = 0;
            }
            let drawn = self.bytes[self.used] & mask;
            self.used += 1;
            if drawn < limit {
                return drawn;
            }
        }
    }
}

#[cfg(test)]
mod tests;
