//! A flame graph: a profile as a picture (SVG), where a function is as wide as what it used with all that it called,
//! and lies on the one that called it. Must not know how a profile came to be. The same profile is the same picture,
//! byte for byte.

use std::collections::BTreeMap;
use std::fmt::Write;

use super::profile::FuelProfile;

/// Pixels.
const WIDTH: u64 = 1200;
const MARGIN: u64 = 10;
const ROW: u64 = 18;
const HEADER: u64 = 40;

/// A letter's width in hundredths of a pixel, in the font that is asked for.
const LETTER: u64 = 720;

/// What is narrower, in hundredths of a pixel, is left out.
const NARROWEST: u64 = 20;

/// A function below the one that called it, and what both of them used.
#[derive(Default)]
struct Frame<'a> {
    total: u64,
    own: u64,
    calls: BTreeMap<&'a str, Frame<'a>>,
}

impl Frame<'_> {
    fn depth(&self) -> u64 {
        1 + self.calls.values().map(Frame::depth).max().unwrap_or_default()
    }
}

/// The flame graph of a profile. `title` stands above it.
#[must_use]
pub fn flame_graph(profile: &FuelProfile, title: &str) -> String {
    let mut root = Frame::default();
    for way in &profile.stacks {
        let mut frame = &mut root;
        frame.total += way.fuel;
        for function in &way.stack {
            frame = frame.calls.entry(function).or_default();
            frame.total += way.fuel;
        }
        frame.own += way.fuel;
    }
    let height = HEADER + root.depth() * ROW + MARGIN;
    let mut picture = Picture { svg: String::new(), fuel: profile.fuel.max(1), bottom: height - MARGIN };
    picture.line(format_args!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{WIDTH}\" height=\"{height}\" viewBox=\"0 0 {WIDTH} {height}\" \
         font-family=\"monospace\" font-size=\"12\">"
    ));
    picture.line(format_args!("<rect width=\"100%\" height=\"100%\" fill=\"#fffdf5\"/>"));
    picture.line(format_args!("<text x=\"{MARGIN}\" y=\"24\" font-size=\"15\">{}</text>", escaped(title)));
    picture.frame("all", &root, 0, 0);
    picture.line(format_args!("</svg>"));
    picture.svg
}

struct Picture {
    svg: String,
    fuel: u64,
    bottom: u64,
}

impl Picture {
    fn line(&mut self, line: std::fmt::Arguments<'_>) {
        // Writing into a string does not fail.
        let _ = writeln!(self.svg, "{line}");
    }

    /// Hundredths of a pixel for so much fuel.
    fn wide(&self, fuel: u64) -> u64 {
        let width = u128::from(fuel) * u128::from((WIDTH - 2 * MARGIN) * 100) / u128::from(self.fuel);
        u64::try_from(width).unwrap_or(u64::MAX)
    }

    /// `begin` is the fuel that lies to the left of it.
    fn frame(&mut self, name: &str, frame: &Frame<'_>, begin: u64, row: u64) {
        let (left, right) = (self.wide(begin), self.wide(begin + frame.total));
        let width = right - left;
        if width < NARROWEST {
            return;
        }
        let (total, own) = (self.share(frame.total), self.share(frame.own));
        let (x, y) = (left + MARGIN * 100, self.bottom - (row + 1) * ROW);
        let (name_shown, colour) = (escaped(name), colour(name));
        self.line(format_args!("<g><title>{name_shown}: {total}, by itself {own}</title>"));
        self.line(format_args!(
            "<rect x=\"{}\" y=\"{y}\" width=\"{}\" height=\"{}\" rx=\"1\" fill=\"{colour}\"/>",
            pixels(x),
            pixels(width),
            ROW - 1
        ));
        let letters = usize::try_from(width.saturating_sub(600) / LETTER).unwrap_or_default();
        if letters > 2 {
            let text = match name.chars().nth(letters) {
                None => name_shown,
                Some(_) => escaped(&format!("{}..", name.chars().take(letters - 2).collect::<String>())),
            };
            self.line(format_args!("<text x=\"{}\" y=\"{}\">{text}</text>", pixels(x + 300), y + 13));
        }
        self.line(format_args!("</g>"));
        let mut begin = begin;
        for (name, call) in &frame.calls {
            self.frame(name, call, begin, row + 1);
            begin += call.total;
        }
    }

    fn share(&self, fuel: u64) -> String {
        let basis_points = u128::from(fuel) * 10_000 / u128::from(self.fuel);
        format!("{fuel} units of fuel ({}.{:02} %)", basis_points / 100, basis_points % 100)
    }
}

fn pixels(hundredths: u64) -> String {
    format!("{}.{:02}", hundredths / 100, hundredths % 100)
}

/// A warm colour that a name always has.
fn colour(name: &str) -> String {
    let hash = name
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3));
    format!("rgb({},{},{})", 215 + hash % 40, 110 + (hash >> 8) % 110, 60 + (hash >> 16) % 40)
}

/// A text as it may stand in XML.
pub(crate) fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            // No XML may have these.
            c if c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}') => escaped.push('\u{fffd}'),
            c => escaped.push(c),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::super::profile::StackFuel;
    use super::*;

    fn profile(ways: &[(&[&str], u64)]) -> FuelProfile {
        let way = |(stack, fuel): &(&[&str], u64)| StackFuel {
            stack: stack.iter().map(|name| (*name).to_string()).collect(),
            fuel: *fuel,
        };
        let fuel = ways.iter().map(|(_, fuel)| fuel).sum();
        let stacks = ways.iter().map(way).collect();
        FuelProfile { cards: Vec::new(), fuel, step: 1, functions: Vec::new(), stacks }
    }

    #[test]
    fn a_function_is_as_wide_as_what_it_used_and_lies_on_its_caller() {
        let svg = flame_graph(&profile(&[(&["a"], 25), (&["a", "b<T>"], 50), (&["c"], 25)]), "x & y");
        let place = |name: &str| {
            let after = svg.split(&format!("<title>{name}: ")).nth(1).unwrap();
            let number = |field: &str| after.split(&format!(" {field}=\"")).nth(1).unwrap().split('"').next().unwrap();
            (number("x").to_string(), number("y").to_string(), number("width").to_string())
        };
        let is = |x: &str, y: &str, width: &str| (x.to_string(), y.to_string(), width.to_string());
        assert_eq!(place("all"), is("10.00", "76", "1180.00"));
        assert_eq!(place("a"), is("10.00", "58", "885.00"));
        assert_eq!(place("b&lt;T&gt;"), is("10.00", "40", "590.00"));
        assert_eq!(place("c"), is("895.00", "58", "295.00"));
        assert!(svg.contains("x &amp; y") && svg.contains("75 units of fuel (75.00 %), by itself 25 units"), "{svg}");
    }

    #[test]
    fn names_do_not_break_the_picture() {
        let svg = flame_graph(&profile(&[(&["\"><script>\u{1b}&"], 1)]), "");
        assert!(svg.contains("&quot;&gt;&lt;script&gt;\u{fffd}&amp;") && !svg.contains("<script>"), "{svg}");
        assert_eq!(svg.matches("<g>").count(), svg.matches("</g>").count());
        // A call that used nothing.
        assert!(flame_graph(&profile(&[]), "").ends_with("</svg>\n"));
    }
}
