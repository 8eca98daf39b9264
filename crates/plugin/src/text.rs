//! Comparing texts while upper and lower case count as the same, without building new texts, and listing them for
//! people. Must not know a language.

use core::cmp::Ordering;

/// Most texts that a message or a step lists.
const LISTED_MAX: usize = 10;

/// Whether two texts are the same but for case.
#[must_use]
pub fn same_text(a: &str, b: &str) -> bool {
    a == b || compare_texts(a, b).is_eq()
}

/// Orders texts without regard to case, so that a sorted list can be searched.
#[must_use]
pub fn compare_texts(a: &str, b: &str) -> Ordering {
    // Code point order is byte order in UTF-8, so both ways agree with each other.
    if a.is_ascii() && b.is_ascii() {
        let lower = |byte: u8| byte.to_ascii_lowercase();
        return a.bytes().map(lower).cmp(b.bytes().map(lower));
    }
    a.chars().flat_map(char::to_lowercase).cmp(b.chars().flat_map(char::to_lowercase))
}

/// The first ten, then "..." for the others: for a message or a step.
#[must_use]
pub fn first_few<'a>(texts: impl IntoIterator<Item = &'a str>) -> Vec<&'a str> {
    let mut texts = texts.into_iter();
    let mut few: Vec<&str> = texts.by_ref().take(LISTED_MAX).collect();
    few.extend(texts.next().map(|_| "..."));
    few
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_lists_end_in_dots() {
        let letters = ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l"];
        for (count, expected) in [(0, ""), (1, "a"), (10, "abcdefghij"), (11, "abcdefghij..."), (12, "abcdefghij...")] {
            assert_eq!(first_few(letters[..count].iter().copied()).concat(), expected);
        }
    }

    #[test]
    fn case_does_not_count_in_any_script() {
        for (a, b, expected) in [
            ("Shoes", "sHOES", Ordering::Equal),
            ("ÜBER", "über", Ordering::Equal),
            ("ДЕТИ", "дети", Ordering::Equal),
            ("\u{212a}g", "kg", Ordering::Equal),
            ("", "a", Ordering::Less),
            ("B", "a", Ordering::Greater),
            ("z", "é", Ordering::Less),
            ("shoe", "shoes", Ordering::Less),
        ] {
            assert_eq!(compare_texts(a, b), expected, "{a} {b}");
            assert_eq!(compare_texts(b, a), expected.reverse(), "{b} {a}");
            assert_eq!(same_text(a, b), expected.is_eq());
        }
    }
}
