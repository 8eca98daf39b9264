//! Condition: what must be in the cart. Lines are picked by sku, category or tag; any, all or none of the listed
//! values must be found, and the picked lines must reach a quantity or an amount.

use giftcard_plugin::prelude::*;

struct CartContents;

const MISSING: &str = "the cart must contain {match} of: {wanted}";
const FORBIDDEN: &str = "the cart must not contain: {found}";
const TOO_FEW: &str = "the cart must contain at least {needed} thousandths of what the card is for";
const TOO_LITTLE: &str = "what the card is for must come to at least {needed}";

impl Condition for CartContents {
    fn describe() -> Description {
        describe(
            "cart-contents",
            env!("CARGO_PKG_VERSION"),
            "Cart contents",
            "The cart must, or must not, contain certain products, categories or tags.",
        )
        .setting(
            choice(
                "match",
                "Must contain",
                "How many of the listed values must be found.",
                &[("any", "at least one of"), ("all", "all of"), ("none", "none of")],
            )
            .default_text("any"),
        )
        .setting(texts("skus", "Products", "Stock keeping units, exactly as on the line.").items_max(1000))
        .setting(texts("categories", "Categories", "Upper and lower case count as the same.").items_max(1000))
        .setting(texts("tags", "Tags", "Upper and lower case count as the same.").items_max(1000))
        .setting(quantity("quantity", "Least quantity", "Of all matching lines together, in thousandths.").at_least(0))
        .setting(money("amount", "Least amount", "Of all matching lines together, tax included.").at_least(0))
        .reject("not-in-cart", MISSING)
        .reject("forbidden-in-cart", FORBIDDEN)
        .reject("too-few-in-cart", TOO_FEW)
        .reject("too-little-in-cart", TOO_LITTLE)
        .needs(&["lines", "lines.sku", "lines.categories", "lines.tags"])
    }

    fn check_settings(settings: &Settings) -> Result<(), Vec<Problem>> {
        let listed = |name: &str| settings.texts(name).map(<[String]>::len).unwrap_or(0);
        if listed("skus") + listed("categories") + listed("tags") == 0 {
            return Err(vec![problem("skus", "name at least one product, category or tag")]);
        }
        Ok(())
    }

    fn evaluate(request: &Request, settings: &Settings, trace: &mut Trace) -> Result<Evaluation, Failure> {
        let Some(lines) = &request.order.lines else {
            return Err(failure("order-lines-needed", "the order came without lines"));
        };
        let wanted = Wanted::of(settings)?;
        let mut found = vec![false; wanted.len()];
        let (mut quantity, mut amount) = (0_i64, 0_i64);
        for line in lines.iter().filter(|line| matches!(line.part, Part::Goods | Part::GiftCard)) {
            if wanted.find(line, &mut found) {
                quantity = quantity.saturating_add(line.quantity_milli);
                amount = amount.saturating_add(line.total);
            }
        }
        let mode = settings.text("match")?;
        let names = |which: bool| wanted.names(&found, which);
        let passed = match mode {
            "none" => !found.contains(&true),
            "all" => !found.contains(&false),
            _ => found.contains(&true),
        };
        trace.order("cart contents", passed, names(true).join(", "), format!("{mode} of {}", wanted.all().join(", ")));
        if !passed && mode == "none" {
            return Ok(reject_all(request, reject("forbidden-in-cart", FORBIDDEN).texts("found", &names(true))));
        }
        if !passed {
            let reject = reject("not-in-cart", MISSING).text("match", mode);
            let listed = if mode == "all" { names(false) } else { wanted.all() };
            return Ok(reject_all(request, reject.texts("wanted", &listed)));
        }
        if mode == "none" {
            return Ok(accept_all(request));
        }
        if let Some(needed) = settings.maybe_integer("quantity")? {
            trace.order("quantity, thousandths", quantity >= needed, quantity, format!("at least {needed}"));
            if quantity < needed {
                return Ok(reject_all(request, reject("too-few-in-cart", TOO_FEW).integer("needed", needed)));
            }
        }
        if let Some(needed) = settings.maybe_money("amount")? {
            if needed.currency != request.order.currency {
                return Err(failure("currency-mismatch", "the amount is set in another currency than the order's"));
            }
            trace.order("amount, minor units", amount >= needed.amount, amount, format!("at least {}", needed.amount));
            if amount < needed.amount {
                return Ok(reject_all(
                    request,
                    reject("too-little-in-cart", TOO_LITTLE).money("needed", needed.clone()),
                ));
            }
        }
        Ok(accept_all(request))
    }
}

giftcard_plugin::export_condition!(CartContents);

/// What lines are picked by.
struct Wanted<'a> {
    skus: &'a [String],
    categories: &'a [String],
    tags: &'a [String],
}

impl<'a> Wanted<'a> {
    fn of(settings: &'a Settings) -> Result<Self, Failure> {
        Ok(Self {
            skus: settings.texts("skus")?,
            categories: settings.texts("categories")?,
            tags: settings.texts("tags")?,
        })
    }

    fn len(&self) -> usize {
        self.skus.len() + self.categories.len() + self.tags.len()
    }

    fn all(&self) -> Vec<String> {
        [self.skus, self.categories, self.tags].concat()
    }

    fn names(&self, found: &[bool], which: bool) -> Vec<String> {
        let all = self.all();
        all.into_iter().zip(found).filter(|(_, found)| **found == which).map(|(name, _)| name).collect()
    }

    /// Whether the line is picked; marks what it was picked by.
    fn find(&self, line: &Line, found: &mut [bool]) -> bool {
        let mut picked = false;
        let mut mark = |index: usize, matches: bool| {
            found[index] |= matches;
            picked |= matches;
        };
        for (index, sku) in self.skus.iter().enumerate() {
            mark(index, line.sku.as_ref() == Some(sku));
        }
        let start = self.skus.len();
        for (index, category) in self.categories.iter().enumerate() {
            mark(start + index, holds(line.categories.as_deref(), category));
        }
        let start = start + self.categories.len();
        for (index, tag) in self.tags.iter().enumerate() {
            mark(start + index, holds(line.tags.as_deref(), tag));
        }
        picked
    }
}

fn holds(texts: Option<&[String]>, wanted: &str) -> bool {
    texts.unwrap_or(&[]).iter().any(|text| text == wanted || text.to_lowercase() == wanted.to_lowercase())
}
