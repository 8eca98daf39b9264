//! Card codes as people type them. Must not log or show one.

use alloc::string::String;

/// The code as it is compared: upper case, without white space and dashes. `_` counts, and look-alikes are never
/// folded, since two codes that differ by one are two cards. The dashes are the hyphen and the Unicode ones that
/// word processors put in its place.
#[must_use]
pub fn normalise(code: &str) -> String {
    let ignored = |c: char| c.is_whitespace() || matches!(c, '-' | '\u{2010}'..='\u{2015}' | '\u{2212}' | '\u{00ad}');
    code.chars().filter(|c| !ignored(*c)).flat_map(char::to_uppercase).collect()
}

#[cfg(test)]
mod tests {
    use super::normalise;

    #[test]
    fn case_spaces_and_dashes_do_not_matter_and_nothing_else_is_folded() {
        assert_eq!(normalise("  abcd-1234 efgh\u{2013}5678 "), "ABCD1234EFGH5678");
        assert_eq!(normalise("happybd_gc12"), "HAPPYBD_GC12");
        assert_ne!(normalise("O0"), normalise("00"));
        assert_ne!(normalise("A_B"), normalise("AB"));
    }
}
