//! Comparing texts while upper and lower case count as the same, without building new texts. Must not know a language.

use core::cmp::Ordering;

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

#[cfg(test)]
mod tests {
    use super::*;

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
