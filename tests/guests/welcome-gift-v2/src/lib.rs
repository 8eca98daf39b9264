//! Condition: a welcome gift pays for orders to certain countries only. It has the id of `welcome-gift-v1` and a higher
//! version, so that its file in a plugin folder changes the decision and nothing else does.

use giftcard_plugin::prelude::*;

struct WelcomeGift;

const ELSEWHERE: &str = "the welcome gift can be used on orders to {countries} only, not to {country}";

impl Condition for WelcomeGift {
    fn describe() -> Description {
        describe("welcome-gift", "2.0.0", "Welcome gift", "The order must be shipped to certain countries.")
            .setting(text("countries", "Countries", "Two letters each, such as US CA.").default_text("US"))
            .reject("shipped-elsewhere", ELSEWHERE)
            .reject("address-missing", "enter the shipping address first")
            .needs(&["addresses"])
    }

    fn evaluate(request: &Request, settings: &Settings, trace: &mut Trace) -> Result<Evaluation, Failure> {
        let Some(address) = &request.order.ship_to else {
            return Ok(reject_all(request, reject("address-missing", "enter the shipping address first")));
        };
        let (country, countries) = (address.country.as_str(), settings.text("countries")?);
        let served = countries.split_whitespace().any(|served| served == country);
        trace.order("shipped to", served, country, format_args!("one of {countries}"));
        if served {
            return Ok(accept_all(request));
        }
        let reject = reject("shipped-elsewhere", ELSEWHERE).text("countries", countries).text("country", country);
        Ok(reject_all(request, reject))
    }
}

giftcard_plugin::export_condition!(WelcomeGift);
