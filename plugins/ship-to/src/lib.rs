//! Condition: where the order is shipped or billed to. An area is made of countries, regions and postal codes; cards
//! may pay inside it or, when it is blocked, outside it.

mod area;
mod postal_code;

use std::fmt;

use area::{Area, Standing, given, is_country, split_region};
use giftcard_plugin::prelude::*;
use postal_code::Pattern;

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
        .setting(
            choice(
                "address",
                "Address",
                "Which address counts. With an area that the order must not be in, it cannot be `either`.",
                &addresses,
            )
            .default_text("ship-to"),
        )
        .setting(choice("mode", "Rule", "What is asked of the address.", &modes).default_text("allow"))
        .setting(texts("countries", "Countries", "Two letters each, such as US (ISO 3166-1).").items_max(250))
        .setting(
            texts(
                "regions",
                "Regions",
                "Such as US-CA, or CA for that region in every listed country. Where addresses may have names instead \
                 of codes, list both: US-CA and US-California. A country with listed regions does not count as \
                 a whole.",
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
        if settings.maybe_text("mode")? == Some("block") && settings.maybe_text("address")? == Some("either") {
            let message = "cannot be `either` where `mode` is `block`: one address outside the area would be enough to \
                           get round it; write `both`, so that neither may be in the area";
            problems.push(problem("address", message));
        }
        if countries.is_empty() && regions.is_empty() && codes.is_empty() {
            problems.push(problem("countries", "name at least one country, region or postal code"));
        }
        for country in countries {
            let code = country.trim();
            if !is_country(code) {
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
        let wrong = |code: &String| Pattern::parse(code).err().map(|wrong| format!("`{code}` {wrong}"));
        problems.extend(codes.iter().filter_map(wrong).map(|wrong| problem("postal-codes", wrong)));
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

fn refusal(standing: Standing) -> Reject {
    match standing {
        Standing::Missing => reject("address-missing", MISSING),
        Standing::Without(part) => reject("address-incomplete", INCOMPLETE).text("part", part),
        Standing::Outside => reject("area-not-served", NOT_SERVED),
        Standing::Inside => reject("area-blocked", BLOCKED),
    }
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
    fn a_platforms_own_name_of_a_region_is_not_taken_for_another_region() {
        let with_name = |country: &str, region: &str| {
            let region = Some(region.to_string());
            Order { ship_to: Some(Address { region, ..testing::address(country) }), ..testing::order(0) }
        };
        let incomplete = "reject address-incomplete";
        for (mode, regions, country, region, expected) in [
            ("allow", vec!["US-CA"], "US", "California", incomplete),
            ("allow", vec!["US-CA"], "US", "US-California", incomplete),
            ("allow", vec!["US-CA"], "US", "カリフォルニア", incomplete),
            ("allow", vec!["US-CA"], "DE", "Bayern", "reject area-not-served"),
            ("allow", vec!["US-CA"], "US", "NY", "reject area-not-served"),
            ("allow", vec!["GB-SCT"], "GB", "ENG", "reject area-not-served"),
            ("allow", vec!["US-CA", "US-California"], "US", "california", "accept"),
            ("allow", vec!["US-CA", "US-California"], "US", "CA", "accept"),
            ("allow", vec!["US-CA", "US-California"], "US", "NY", "reject area-not-served"),
            ("block", vec!["US-HI"], "US", "Hawaii", incomplete),
            ("block", vec!["US-HI", "US-Hawaii"], "US", "Hawaii", "reject area-blocked"),
            ("block", vec!["US-HI"], "DE", "Bayern", "accept"),
        ] {
            let regions = Value::Texts(regions.into_iter().map(str::to_string).collect());
            let settings = testing::settings::<ShipTo>(&[("mode", mode.into()), ("regions", regions)]);
            let request = testing::request(with_name(country, region));
            assert_eq!(testing::answer::<ShipTo>(&request, &settings), expected, "{mode} {country} {region}");
            if expected == incomplete {
                let told = "complete the shipping address first: the region's code is needed";
                assert_eq!(testing::message::<ShipTo>(&request, &settings), told);
            }
        }
        // Where the postal code decides already, nobody is asked for the region.
        let settings = testing::settings::<ShipTo>(&[("regions", ["US-CA"].into()), ("postal-codes", ["9*"].into())]);
        check(&settings, "US California 10001", "", "reject area-not-served");
        check(&settings, "US California 94105", "", incomplete);
        let regions = ShipTo::describe().settings.into_iter().find(|setting| setting.name == "regions");
        assert!(regions.is_some_and(|regions| regions.help.contains("list both: US-CA and US-California")));
    }

    #[test]
    fn a_blocked_area_cannot_be_passed_with_one_address_outside() {
        for (mode, which, expected) in [
            ("block", "either", "address"),
            ("block", "both", ""),
            ("block", "ship-to", ""),
            ("block", "billing", ""),
            ("allow", "either", ""),
        ] {
            let given = [("mode", mode.into()), ("address", which.into()), ("countries", ["DE"].into())];
            assert_eq!(testing::problems::<ShipTo>(&testing::settings::<ShipTo>(&given)), expected, "{mode} {which}");
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
