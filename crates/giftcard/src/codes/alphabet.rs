//! The symbols of generated codes, and the check symbol. Must not know patterns.

/// What generated codes are made of: the digits and capital letters without `0`, `1`, `I` and `O`.
///
/// Codes are never folded, so a symbol that is read as another is a code that is not found. Of `0 O` neither is used,
/// and of `1 I L` only `L`, which has no twin left in capitals. 32 symbols are five bits each and a field to compute
/// the check symbol in, which finds the slips that remain (`2 Z`, `5 S`, `8 B`, `U V`).
pub const ALPHABET: &[u8; 32] = b"23456789ABCDEFGHJKLMNPQRSTUVWXYZ";

/// Of [`ALPHABET`], how many are digits; they come first.
pub(super) const DIGITS: u8 = 8;

/// Of [`ALPHABET`], how many are letters; they come last.
pub(super) const LETTERS: u8 = 24;

/// Bits of a symbol of [`ALPHABET`].
pub(super) const SYMBOL_BITS: u32 = 5;

/// Place of a symbol in [`ALPHABET`].
pub(super) fn value_of(symbol: u8) -> Option<u8> {
    ALPHABET.iter().zip(0..).find_map(|(known, value)| (*known == symbol).then_some(value))
}

/// The symbol at a place of [`ALPHABET`].
pub(super) fn symbol(value: u8) -> u8 {
    ALPHABET[usize::from(value & 31)]
}

/// What the check symbol at `place` must be for [`residue`] to be 0. `values` has anything at `place`.
///
/// A symbol's place is its element of the field of 32. From the last symbol to the first, weights are the powers of a
/// primitive element, which are all different for 31 symbols. So it finds every single wrong symbol and every swap of
/// two symbols that are less than 31 places apart, next to each other or not, and all but one in 32 of other mistakes.
pub(super) fn check_value(values: &mut [u8], place: usize) -> u8 {
    values[place] = 0;
    let rest = residue(values);
    let weight = (place + 1..values.len()).fold(1, |weight, _| times_two(weight));
    // INVARIANT: a weight is never 0, so its multiples are all elements of the field, the wanted one too.
    (0..32).find(|value| times(*value, weight) == rest).unwrap_or(0)
}

/// 0 for symbols with the right check symbol among them.
pub(super) fn residue(values: &[u8]) -> u8 {
    values.iter().fold(0, |sum, value| times_two(sum) ^ value)
}

/// Multiplication in the field of 32 elements, modulo x^5 + x^2 + 1.
fn times(a: u8, b: u8) -> u8 {
    (0..5).rev().fold(0, |product, bit| times_two(product) ^ if b >> bit & 1 == 1 { a } else { 0 })
}

/// Multiplication by x, which is primitive: its powers are all 31 elements but 0.
fn times_two(a: u8) -> u8 {
    (a << 1) ^ if a & 16 == 0 { 0 } else { 0b10_0101 }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Values with the check symbol at `place`.
    fn checked(mut values: Vec<u8>, place: usize) -> Vec<u8> {
        values[place] = check_value(&mut values, place);
        values
    }

    fn some_values(length: usize, seed: usize) -> Vec<u8> {
        (0..length).map(|i| u8::try_from((i * i * 7 + i * 11 + seed * 13 + seed) % 32).unwrap()).collect()
    }

    #[test]
    fn the_alphabet_has_digits_first_and_no_look_alikes() {
        assert!(ALPHABET.is_sorted());
        assert!(ALPHABET.iter().all(|symbol| !b"01IO".contains(symbol)));
        assert_eq!(ALPHABET.iter().filter(|symbol| symbol.is_ascii_digit()).count(), usize::from(DIGITS));
        assert_eq!(ALPHABET.iter().filter(|symbol| symbol.is_ascii_uppercase()).count(), usize::from(LETTERS));
        for (place, known) in ALPHABET.iter().enumerate() {
            assert_eq!(value_of(*known).map(usize::from), Some(place));
            assert_eq!(symbol(value_of(*known).unwrap()), *known);
        }
        assert_eq!(value_of(b'0'), None);
    }

    #[test]
    fn two_is_primitive_and_no_product_of_others_is_zero() {
        let mut power = 1;
        for exponent in 1..=31 {
            power = times_two(power);
            assert_eq!(power == 1, exponent == 31);
        }
        assert!((1..32).all(|a| (1..32).all(|b| times(a, b) != 0 && times(a, b) < 32)));
        assert!((0..32).all(|a| times(a, 2) == times_two(a)));
    }

    #[test]
    fn every_single_wrong_symbol_is_found() {
        for (length, seed) in [(8, 1), (18, 2), (31, 3), (64, 4)] {
            for place in [0, length / 2, length - 1] {
                let values = checked(some_values(length, seed), place);
                assert_eq!(residue(&values), 0);
                for wrong in 0..length {
                    for other in (0..32).filter(|other| *other != values[wrong]) {
                        let mut typed = values.clone();
                        typed[wrong] = other;
                        assert_ne!(residue(&typed), 0, "{length} {place} {wrong} {other}");
                    }
                }
            }
        }
    }

    #[test]
    fn every_swap_of_two_different_symbols_less_than_31_places_apart_is_found() {
        // Every pair of symbols at every pair of places, with the check symbol last.
        for length in [8, 18, 31] {
            for (first, second) in (0..length).flat_map(|a| (a + 1..length - 1).map(move |b| (a, b))) {
                for (a, b) in (0..32).flat_map(|a| (0..32).filter(move |b| *b != a).map(move |b| (a, b))) {
                    let mut values = some_values(length, 5);
                    (values[first], values[second]) = (a, b);
                    let mut typed = checked(values, length - 1);
                    typed.swap(first, second);
                    assert_ne!(residue(&typed), 0);
                }
            }
        }
        for seed in 0..500 {
            let values = checked(some_values(64, seed), 63);
            for place in (0..63).filter(|place| values[*place] != values[place + 1]) {
                let mut typed = values.clone();
                typed.swap(place, place + 1);
                assert_ne!(residue(&typed), 0);
            }
        }
    }
}
