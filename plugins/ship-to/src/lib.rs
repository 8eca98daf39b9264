//! Condition: where the order is shipped or billed to. An area is made of countries, regions and postal codes; cards
//! may pay inside it or, when it is blocked, outside it.

use std::fmt;

use giftcard_plugin::prelude::*;

struct ShipTo;

const MISSING: &str = "enter the {address} first";
const INCOMPLETE: &str = "complete the {address} first: the {part} is needed";
const NOT_SERVED: &str = "the card cannot be used with this {address}: it is outside the card's area";
const BLOCKED: &str = "the card cannot be used with this {address}: its area is excluded";

impl Condition for ShipTo {
    fn describe() -> Description {
        let addresses = [
            ("ship-to", "the shipping address"),
            ("billing", "the billing address"),
            ("both", "both addresses"),
            ("either", "at least one of them"),
        ];
        let modes = [("allow", "must be in the area"), ("block", "must not be in the area")];
        describe(
            "ship-to",
            env!("CARGO_PKG_VERSION"),
            "Shipping or billing area",
            "The order must, or must not, go to certain countries, regions or postal codes.",
        )
        .setting(choice("address", "Address", "Which address counts.", &addresses).default_text("ship-to"))
        .setting(choice("mode", "Rule", "What is asked of the address.", &modes).default_text("allow"))
        .setting(texts("countries", "Countries", "Two letters each, such as US (ISO 3166-1).").items_max(250))
        .setting(
            texts(
                "regions",
                "Regions",
                "Such as US-CA, or CA for that region in every listed country. A country with listed regions does not \
                 count as a whole.",
            )
            .items_max(1000),
        )
        .setting(
            texts(
                "postal-codes",
                "Postal codes",
                "Such as 10115, SW1* or 10000-19999. They narrow the countries and regions.",
            )
            .items_max(1000),
        )
        .reject("address-missing", MISSING)
        .reject("address-incomplete", INCOMPLETE)
        .reject("area-not-served", NOT_SERVED)
        .reject("area-blocked", BLOCKED)
        .needs(&["addresses"])
    }

    fn check_settings(settings: &Settings) -> Result<(), Vec<Problem>> {
        let (countries, regions) = (settings.texts("countries")?, settings.texts("regions")?);
        let codes = settings.texts("postal-codes")?;
        let mut problems = Vec::new();
        if countries.is_empty() && regions.is_empty() && codes.is_empty() {
            problems.push(problem("countries", "name at least one country, region or postal code"));
        }
        for country in countries {
            let code = country.trim();
            if code.len() != 2 || !code.bytes().all(|byte| byte.is_ascii_alphabetic()) {
                let message = format!("`{country}` is no country code; write two letters, such as `DE`");
                problems.push(problem("countries", message));
            } else if same_text(code, "UK") {
                problems.push(problem("countries", "`UK` is no country code; write `GB`"));
            }
        }
        for region in regions {
            let (country, name) = split_region(region);
            if name.is_empty() || country.is_some_and(|country| same_text(country, "UK")) {
                let message = format!("`{region}` is no region; write one such as `US-CA`, `GB-SCT` or `CA`");
                problems.push(problem("regions", message));
            }
        }
        for code in codes {
            if let Err(wrong) = Pattern::parse(code) {
                problems.push(problem("postal-codes", format!("`{code}` {wrong}")));
            }
        }
        report(problems)
    }

    fn evaluate(request: &Request, settings: &Settings, trace: &mut Trace) -> Result<Evaluation, Failure> {
        let area = Area::of(settings)?;
        let blocked = settings.text("mode")? == "block";
        let which = settings.text("address")?;
        let order = &request.order;
        let all = [("shipping address", &order.ship_to), ("billing address", &order.billing)];
        let counted = match which {
            "billing" => &all[1..],
            "both" | "either" => &all[..],
            _ => &all[..1],
        };
        let needed = if blocked { "outside" } else { "inside" };
        let mut seen = Vec::with_capacity(counted.len());
        for (label, address) in counted {
            let standing = address.as_ref().map_or(Standing::Missing, |address| area.standing(address));
            let fits = standing == if blocked { Standing::Outside } else { Standing::Inside };
            let shown = fmt::from_fn(|f| show_address(address.as_ref(), f));
            trace.order(label, fits, shown, format_args!("{needed} {area}"));
            seen.push((*label, standing, fits));
        }
        let either = which == "either";
        let passed = if either { seen.iter().any(|seen| seen.2) } else { seen.iter().all(|seen| seen.2) };
        // Told first is what is wrong for good, or, where one address is enough, what another one could still mend.
        let unknown = |standing: Standing| !matches!(standing, Standing::Inside | Standing::Outside);
        let told = seen.iter().filter(|(_, _, fits)| !fits).min_by_key(|seen| unknown(seen.1) != either);
        Ok(match told {
            Some((label, standing, _)) if !passed => reject_all(request, refusal(*standing).text("address", label)),
            _ => accept_all(request),
        })
    }
}

giftcard_plugin::export_condition!(ShipTo);

/// Where an address lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Standing {
    Inside,
    Outside,
    /// The address lacks a part that the answer hangs on.
    Without(&'static str),
    /// There is no address.
    Missing,
}

fn refusal(standing: Standing) -> Reject {
    match standing {
        Standing::Missing => reject("address-missing", MISSING),
        Standing::Without(part) => reject("address-incomplete", INCOMPLETE).text("part", part),
        Standing::Outside => reject("area-not-served", NOT_SERVED),
        Standing::Inside => reject("area-blocked", BLOCKED),
    }
}

struct Area<'a> {
    countries: &'a [String],
    regions: &'a [String],
    codes: &'a [String],
    patterns: Vec<Pattern<'a>>,
}

impl<'a> Area<'a> {
    fn of(settings: &'a Settings) -> Result<Self, Failure> {
        let codes = settings.texts("postal-codes")?;
        let pattern = |code: &'a String| {
            Pattern::parse(code).map_err(|wrong| failure("bad-setting", format!("`postal-codes`: `{code}` {wrong}")))
        };
        Ok(Self {
            countries: settings.texts("countries")?,
            regions: settings.texts("regions")?,
            codes,
            patterns: codes.iter().map(pattern).collect::<Result<_, _>>()?,
        })
    }

    fn standing(&self, address: &Address) -> Standing {
        match (self.place(address), self.code(address)) {
            (Standing::Outside, _) | (_, Standing::Outside) => Standing::Outside,
            (Standing::Inside, code) => code,
            (place, _) => place,
        }
    }

    /// By country and region alone.
    fn place(&self, address: &Address) -> Standing {
        let country = address.country.trim();
        if self.countries.is_empty() && self.regions.is_empty() {
            return Standing::Inside;
        }
        if country.is_empty() {
            return Standing::Without("country");
        }
        let listed = self.countries.iter().any(|listed| same_text(listed.trim(), country));
        let narrowing = |region: &'a String| match split_region(region) {
            (Some(of), name) => same_text(of, country).then_some(name),
            (None, name) => (listed || self.countries.is_empty()).then_some(name),
        };
        let mut names = self.regions.iter().filter_map(narrowing).peekable();
        if names.peek().is_none() {
            return if listed { Standing::Inside } else { Standing::Outside };
        }
        let Some(region) = given(address.region.as_deref()) else { return Standing::Without("region") };
        // Some platforms write the country into the region.
        let (of, name) = split_region(region);
        let name = if of.is_some_and(|of| same_text(of, country)) { name } else { region };
        if names.any(|wanted| same_text(wanted, name)) { Standing::Inside } else { Standing::Outside }
    }

    /// By postal code alone.
    fn code(&self, address: &Address) -> Standing {
        if self.patterns.is_empty() {
            return Standing::Inside;
        }
        let Some(code) = given(address.postal_code.as_deref()) else { return Standing::Without("postal code") };
        match self.patterns.iter().any(|pattern| pattern.matches(code)) {
            true => Standing::Inside,
            false => Standing::Outside,
        }
    }
}

impl fmt::Display for Area<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the area of")?;
        let lists = [("countries", self.countries), ("regions", self.regions), ("postal codes", self.codes)];
        for (label, texts) in lists.into_iter().filter(|(_, texts)| !texts.is_empty()) {
            let more = if texts.len() > 10 { ", ..." } else { "" };
            write!(f, " {label} {}{more}", texts[..texts.len().min(10)].join(", "))?;
        }
        Ok(())
    }
}

/// A way to write postal codes. Spaces and case never count.
enum Pattern<'a> {
    Exact(&'a str),
    Prefix(&'a str),
    /// Both ends belong to it; digits only, equally many.
    Range(&'a str, &'a str),
}

impl<'a> Pattern<'a> {
    /// Or what is wrong with it.
    fn parse(text: &'a str) -> Result<Self, &'static str> {
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
    fn matches(&self, code: &str) -> bool {
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

/// "US-CA" as its country and the region there; a region alone has no country. A name such as "Al-Qahira" is a region
/// alone: before the dash stand two capitals, or after it at most three letters or digits.
fn split_region(region: &str) -> (Option<&str>, &str) {
    let region = region.trim();
    match region.split_once('-') {
        Some((country, name))
            if country.len() == 2
                && country.bytes().all(|byte| byte.is_ascii_alphabetic())
                && (country.bytes().all(|byte| byte.is_ascii_uppercase()) || name.len() <= 3) =>
        {
            (Some(country), name.trim())
        }
        _ => (None, region),
    }
}

/// A blank part of an address is none.
fn given(part: Option<&str>) -> Option<&str> {
    part.map(str::trim).filter(|part| !part.is_empty())
}

fn show_address(address: Option<&Address>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let Some(address) = address else { return f.write_str("no address") };
    f.write_str(&address.country)?;
    for (label, part) in [("region", &address.region), ("postal code", &address.postal_code)] {
        match given(part.as_deref()) {
            Some(part) => write!(f, ", {label} {part}")?,
            None => write!(f, ", no {label}")?,
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use giftcard_plugin::testing;

    /// "DE CA 10115": country, region and postal code; "-" for one that is not known, "" for no address.
    fn address(text: &str) -> Option<Address> {
        let mut parts = text.split(' ').map(|part| (part != "-").then(|| part.to_string()));
        let country = parts.next()??;
        let address = testing::address(&country);
        let (region, postal_code) = (parts.next()?, parts.next()?);
        Some(Address { region, postal_code, ..address })
    }

    fn check(settings: &Settings, ship_to: &str, billing: &str, expected: &str) {
        let (ship_to, billing) = (address(ship_to), address(billing));
        let request = testing::request(Order { ship_to, billing, ..testing::order(1000) });
        assert_eq!(testing::answer::<ShipTo>(&request, settings), expected, "{:?}", request.order);
    }

    #[test]
    fn regions_narrow_their_country_and_no_other() {
        let settings = |countries: Value, regions: Value| {
            testing::settings::<ShipTo>(&[("countries", countries), ("regions", regions)])
        };
        let none = || Value::Texts(Vec::new());
        for (countries, regions, ship_to, expected) in [
            (["DE", "at"].into(), none(), "DE - -", "accept"),
            (["DE", "at"].into(), none(), "AT - -", "accept"),
            (["DE", "at"].into(), none(), "FR - -", "reject area-not-served"),
            (["DE"].into(), none(), "", "reject address-missing"),
            (["DE"].into(), none(), "- - -", "reject address-missing"),
            (none(), ["us-ca"].into(), "US CA -", "accept"),
            (none(), ["US-CA"].into(), "US us-ca -", "accept"),
            (none(), ["US-CA"].into(), "US NY -", "reject area-not-served"),
            (none(), ["US-CA"].into(), "US - -", "reject address-incomplete"),
            (none(), ["US-CA"].into(), "CA CA -", "reject area-not-served"),
            (none(), ["CA"].into(), "US ca -", "accept"),
            (none(), ["Al-Qahira"].into(), "EG AL-QAHIRA -", "accept"),
            (["US", "DE"].into(), ["US-CA"].into(), "DE BY -", "accept"),
            (["US", "DE"].into(), ["US-CA"].into(), "US NY -", "reject area-not-served"),
            (["DE"].into(), ["US-CA"].into(), "US CA -", "accept"),
            (["US"].into(), ["CA"].into(), "US CA -", "accept"),
            (["US"].into(), ["CA"].into(), "IT CA -", "reject area-not-served"),
        ] {
            check(&settings(countries, regions), ship_to, "", expected);
        }
    }

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

    #[test]
    fn postal_codes_narrow_the_countries() {
        let settings = testing::settings::<ShipTo>(&[
            ("countries", ["DE", "AT"].into()),
            ("postal-codes", ["1*", "20000-29999"].into()),
        ]);
        check(&settings, "DE - 10115", "", "accept");
        check(&settings, "DE - 20000", "", "accept");
        check(&settings, "DE - 30000", "", "reject area-not-served");
        check(&settings, "FR - 10115", "", "reject area-not-served");
        check(&settings, "FR - -", "", "reject area-not-served");
        check(&settings, "DE - -", "", "reject address-incomplete");
    }

    #[test]
    fn a_blocked_area_refuses_what_may_lie_in_it() {
        let settings = testing::settings::<ShipTo>(&[("mode", "block".into()), ("regions", ["US-HI", "US-AK"].into())]);
        check(&settings, "US HI -", "", "reject area-blocked");
        check(&settings, "US CA -", "", "accept");
        check(&settings, "US - -", "", "reject address-incomplete");
        check(&settings, "DE - -", "", "accept");
        check(&settings, "", "", "reject address-missing");
    }

    #[test]
    fn the_chosen_addresses_count() {
        for (which, ship_to, billing, expected) in [
            ("ship-to", "DE - -", "", "accept"),
            ("ship-to", "FR - -", "DE - -", "reject area-not-served"),
            ("billing", "FR - -", "DE - -", "accept"),
            ("billing", "DE - -", "", "reject address-missing"),
            ("both", "DE - -", "DE - -", "accept"),
            ("both", "DE - -", "FR - -", "reject area-not-served"),
            ("both", "DE - -", "", "reject address-missing"),
            ("both", "", "FR - -", "reject area-not-served"),
            ("either", "FR - -", "DE - -", "accept"),
            ("either", "", "DE - -", "accept"),
            ("either", "FR - -", "", "reject address-missing"),
            ("either", "FR - -", "IT - -", "reject area-not-served"),
        ] {
            let settings = testing::settings::<ShipTo>(&[("address", which.into()), ("countries", ["DE"].into())]);
            check(&settings, ship_to, billing, expected);
        }
    }

    #[test]
    fn shoppers_are_told_which_address_without_its_details() {
        let settings = testing::settings::<ShipTo>(&[("countries", ["DE"].into()), ("postal-codes", ["1*"].into())]);
        let told = |ship_to| {
            let order = Order { ship_to: address(ship_to), ..testing::order(0) };
            testing::message::<ShipTo>(&testing::request(order), &settings)
        };
        assert_eq!(told(""), "enter the shipping address first");
        assert_eq!(told("DE - -"), "complete the shipping address first: the postal code is needed");
        assert_eq!(
            told("FR - 75001"),
            "the card cannot be used with this shipping address: it is outside the card's area"
        );
    }

    #[test]
    fn settings_that_cannot_work_are_refused() {
        for (name, value, expected) in [
            ("countries", Value::Texts(Vec::new()), "countries"),
            ("countries", ["DE", "Germany", "D1", "", "UK"].into(), "countries, countries, countries, countries"),
            ("countries", ["gb"].into(), ""),
            ("countries", "DE".into(), "countries"),
            ("regions", ["", " ", "US-", "UK-SCT"].into(), "regions, regions, regions, regions"),
            ("regions", ["US-CA", "Bayern", "Île-de-France"].into(), ""),
            ("postal-codes", ["", "*", "S*1", "19999-10000", "1-100"].into(), &["postal-codes"; 5].join(", ")),
            ("postal-codes", ["10115", "SW1*", "1000-1999", "100-0001", "01310-100", "SW1A 1AA"].into(), ""),
            ("postal-codes", ["10000–19999"].into(), "postal-codes"),
        ] {
            let settings = testing::settings::<ShipTo>(&[(name, value)]);
            assert_eq!(testing::problems::<ShipTo>(&settings), expected, "{name}");
        }
    }

    #[test]
    fn an_unchecked_pattern_is_a_failure() {
        check(&testing::settings::<ShipTo>(&[("postal-codes", ["*"].into())]), "DE - 1", "", "failure bad-setting");
    }
}
