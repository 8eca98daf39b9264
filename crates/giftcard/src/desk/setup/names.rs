//! Names that people give and programs use: which are allowed, and how one is made from a name for people. Must not
//! know what is named.

use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

use super::super::DeskError;
use crate::input::InputErrorKind;
use crate::json::excerpt;

/// Most characters of a name.
const NAME_MAX: usize = 64;

/// What a programme is called where nothing of its name can be used.
const NAMELESS: &str = "programme";

/// Refuses what cannot stand in an address or a file name: anything but letters, digits, `-`, `_` and `.`.
pub(in crate::desk) fn check_name(name: &str, path: &str) -> Result<(), DeskError> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    let begins = name.starts_with(|c: char| c.is_ascii_alphanumeric());
    if begins && name.chars().all(allowed) && name.len() <= NAME_MAX {
        return Ok(());
    }
    let problem = format!(
        "`{}` cannot be a name; it must have 1 to {NAME_MAX} characters, begin with a letter or a digit, and go on \
         with letters, digits, `-`, `_` and `.`",
        excerpt(name)
    );
    Err(DeskError::input(InputErrorKind::InvalidValue, path, problem))
}

/// A code name for a name for people: lower case, without accents, words joined with dashes. `taken` says which ones
/// are not free; those get `-2`, `-3` and so on.
pub(super) fn code_name(name: &str, taken: impl Fn(&str) -> bool) -> String {
    let slug = slug(name);
    if !taken(&slug) {
        return slug;
    }
    let with_number = (2_u32..).map(|number| format!("{}-{number}", &slug[..slug.len().min(NAME_MAX - 11)]));
    with_number.into_iter().find(|name| !taken(name)).expect("INVARIANT: not every number is taken")
}

fn slug(name: &str) -> String {
    let mut slug = String::with_capacity(NAME_MAX);
    let letters = name.nfkd().filter(|c| !is_combining_mark(*c)).flat_map(char::to_lowercase);
    for letter in letters {
        match plain(letter) {
            // An apostrophe is inside a word.
            "" if matches!(letter, '\'' | '\u{2019}') => {}
            "" if slug.is_empty() || slug.ends_with('-') => {}
            "" => slug.push('-'),
            text => slug.push_str(text),
        }
    }
    slug.truncate(NAME_MAX);
    slug.truncate(slug.trim_end_matches('-').len());
    if slug.is_empty() { NAMELESS.to_string() } else { slug }
}

/// A letter in the letters of ASCII; empty for what separates words.
fn plain(letter: char) -> &'static str {
    const ASCII: &str = "abcdefghijklmnopqrstuvwxyz0123456789";
    if let Some(place) = ASCII.find(letter) {
        return &ASCII[place..=place];
    }
    match letter {
        'ß' => "ss",
        'æ' => "ae",
        'œ' => "oe",
        'ø' => "o",
        'ł' => "l",
        'đ' | 'ð' => "d",
        'þ' => "th",
        'ı' => "i",
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_name_is_made_of_what_a_name_has_in_ascii() {
        for (name, expected) in [
            ("Happy Birthday", "happy-birthday"),
            ("  Mother's Day -- 2026! ", "mothers-day-2026"),
            ("Größe & Çà va", "grosse-ca-va"),
            ("Łódź Ærø", "lodz-aero"),
            ("ｆｕｌｌ ｗｉｄｔｈ ①", "full-width-1"),
            ("ギフトカード", "programme"),
            ("50 € 円", "50"),
            ("!!!", "programme"),
            ("", "programme"),
        ] {
            assert_eq!(code_name(name, |_| false), expected, "{name}");
            assert!(check_name(expected, "").is_ok());
        }
        assert_eq!(code_name(&"abc ".repeat(50), |_| false).len(), 63, "no dash at the end");
    }

    #[test]
    fn a_taken_code_name_gets_a_number() {
        assert_eq!(code_name("Gift", |name| name == "gift"), "gift-2");
        assert_eq!(code_name("Gift", |name| ["gift", "gift-2"].contains(&name)), "gift-3");
        let long = "a".repeat(80);
        let second = code_name(&long, |name| name.len() == NAME_MAX);
        assert!(second.ends_with("-2") && check_name(&second, "").is_ok(), "{second}");
    }

    #[test]
    fn names_are_what_an_address_can_hold() {
        for name in ["main", "shop.example", "A-1_b", "0"] {
            assert!(check_name(name, "id").is_ok(), "{name}");
        }
        let long = "a".repeat(65);
        for name in ["", "-a", ".", "..", "a b", "a/b", "größe", "a\n", &long] {
            assert!(check_name(name, "id").is_err(), "{name}");
        }
    }
}
