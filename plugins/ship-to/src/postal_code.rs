//! Postal codes as merchants list them: one, all with the same beginning, or a range. Must not know a country.

/// A way to write postal codes. Spaces and case never count.
pub(crate) enum Pattern<'a> {
    Exact(&'a str),
    Prefix(&'a str),
    /// Both ends belong to it; digits only, equally many.
    Range(&'a str, &'a str),
}

impl<'a> Pattern<'a> {
    /// Or what is wrong with it.
    pub(crate) fn parse(text: &'a str) -> Result<Self, &'static str> {
        let (code, open) = match text.trim().strip_suffix('*') {
            Some(code) => (code, true),
            None => (text, false),
        };
        if plain(code).next().is_none() {
            return Err("is empty; write a postal code such as `10115`, `SW1*` or `10000-19999`");
        }
        if !plain(code).all(|char| char.is_ascii_alphanumeric() || char == '-') {
            return Err("is no postal code; write letters, digits, spaces and dashes, and `*` only at the end");
        }
        if open {
            return Ok(Self::Prefix(code));
        }
        let ends = code.split_once('-').filter(|(from, to)| is_number(from) && is_number(to));
        let Some((from, to)) = ends else { return Ok(Self::Exact(code)) };
        match (plain(from).count(), plain(to).count()) {
            (from_count, to_count) if from_count == to_count => match plain(from).gt(plain(to)) {
                true => Err("begins after its end; write the lower postal code first"),
                false => Ok(Self::Range(from, to)),
            },
            // Postal codes that are written with a dash, as in 00-950, 100-0001, 1000-205, 01310-100 and 94105-1234.
            (2, 3) | (3, 2 | 4) | (4, 3) | (5, 3 | 4) => Ok(Self::Exact(code)),
            _ => Err("has ends of different length; write both with as many digits, such as `01000-19999`"),
        }
    }

    /// What stands before a dash counts as a postal code as well: 94105-1234 lies in 94105.
    pub(crate) fn matches(&self, code: &str) -> bool {
        let head = code.split_once('-').map_or(code, |(head, _)| head);
        match self {
            Self::Exact(exact) => plain(exact).eq(plain(code)) || plain(exact).eq(plain(head)),
            Self::Prefix(prefix) => {
                let mut code = plain(code);
                plain(prefix).all(|char| code.next() == Some(char))
            }
            Self::Range(from, to) => {
                let same_length = plain(from).count() == plain(head).count();
                same_length && is_number(head) && plain(from).le(plain(head)) && plain(head).le(plain(to))
            }
        }
    }
}

/// Without spaces, in upper case.
fn plain(code: &str) -> impl Iterator<Item = char> {
    code.chars().filter(|char| !char.is_whitespace()).map(|char| char.to_ascii_uppercase())
}

/// Digits only, at least one.
fn is_number(code: &str) -> bool {
    plain(code).next().is_some() && plain(code).all(|char| char.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn postal_codes_match_exactly_by_prefix_or_within_a_range() {
        for (pattern, code, matches) in [
            ("10115", "10115", true),
            ("10115", "101 15", true),
            ("sw1a 1aa", "SW1A1AA", true),
            ("10115", "10116", false),
            ("94105", "94105-1234", true),
            ("00-950", "00-950", true),
            ("00-950", "00-951", false),
            ("SW1*", "sw1a 1aa", true),
            ("SW 1*", "SW2A 1AA", false),
            ("SW1*", "SW", false),
            ("10000-19999", "10000", true),
            ("10000 - 19999", "19999", true),
            ("10000-19999", "09999", false),
            ("10000-19999", "20000", false),
            ("10000-19999", "1000", false),
            ("10000-19999", "1000a", false),
            ("94000-94999", "94105-1234", true),
            ("10000-10000", "10000", true),
            ("10000-19999", "äöü–", false),
        ] {
            let pattern = Pattern::parse(pattern).unwrap_or_else(|wrong| panic!("`{pattern}` {wrong}"));
            assert_eq!(pattern.matches(code), matches, "{code}");
        }
    }
}
