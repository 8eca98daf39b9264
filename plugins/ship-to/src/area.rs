//! Areas of countries, regions and postal codes, and where an address lies. Must not know who may pay there.

use std::fmt;

use giftcard_plugin::prelude::*;

use crate::postal_code::Pattern;

/// Where an address lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    Inside,
    Outside,
    /// The address lacks a part that the answer hangs on.
    Without(&'static str),
    /// There is no address.
    Missing,
}

pub(crate) struct Area<'a> {
    countries: &'a [String],
    regions: &'a [String],
    codes: &'a [String],
    patterns: Vec<Pattern<'a>>,
}

impl<'a> Area<'a> {
    pub(crate) fn of(settings: &'a Settings) -> Result<Self, Failure> {
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

    pub(crate) fn standing(&self, address: &Address) -> Standing {
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
        match names.any(|wanted| same_text(wanted, name)) {
            true => Standing::Inside,
            false if is_region_code(name) => Standing::Outside,
            // A platform's own name may mean a region that is listed by its code.
            false => Standing::Without("region's code"),
        }
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
            write!(f, " {label} {}", first_few(texts.iter().map(String::as_str)).join(", "))?;
        }
        Ok(())
    }
}

/// "US-CA" as its country and the region there; a region alone has no country. A name such as "Al-Qahira" is a region
/// alone: before the dash stand two capitals, or after it at most three letters or digits.
pub(crate) fn split_region(region: &str) -> (Option<&str>, &str) {
    let region = region.trim();
    match region.split_once('-') {
        Some((country, name))
            if is_country(country) && (country.bytes().all(|byte| byte.is_ascii_uppercase()) || name.len() <= 3) =>
        {
            (Some(country), name.trim())
        }
        _ => (None, region),
    }
}

/// As in ISO 3166-1.
pub(crate) fn is_country(code: &str) -> bool {
    code.len() == 2 && code.bytes().all(|byte| byte.is_ascii_alphabetic())
}

/// As in ISO 3166-2, without the country.
fn is_region_code(region: &str) -> bool {
    (1..=3).contains(&region.len()) && region.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

/// A blank part of an address is none.
pub(crate) fn given(part: Option<&str>) -> Option<&str> {
    part.map(str::trim).filter(|part| !part.is_empty())
}
