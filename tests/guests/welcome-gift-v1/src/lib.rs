//! Condition: a welcome gift pays for a varied cart only. A whole plugin in one file; `welcome-gift-v2` replaces it.

use giftcard_plugin::prelude::*;

struct WelcomeGift;

const TOO_FEW: &str = "the welcome gift can be used on {needed} or more different products, not on {found}";

impl Condition for WelcomeGift {
    fn describe() -> Description {
        describe("welcome-gift", "1.0.0", "Welcome gift", "The cart must hold several different products.")
            .setting(
                integer("products", "Different products", "Lines of goods; how many of each does not matter.")
                    .at_least(1)
                    .default_integer(3),
            )
            .reject("too-few-products", TOO_FEW)
            .needs(&["lines"])
    }

    fn evaluate(request: &Request, settings: &Settings, trace: &mut Trace) -> Result<Evaluation, Failure> {
        let Some(lines) = &request.order.lines else {
            return Err(failure("order-lines-needed", "the order came without lines"));
        };
        let needed = settings.integer("products")?;
        let found = lines.iter().filter(|line| line.part == Part::Goods).count() as i64;
        trace.order("different products", found >= needed, found, format_args!("at least {needed}"));
        if found >= needed {
            return Ok(accept_all(request));
        }
        let reject = reject("too-few-products", TOO_FEW).integer("needed", needed).integer("found", found);
        Ok(reject_all(request, reject))
    }
}

giftcard_plugin::export_condition!(WelcomeGift);
