//! Condition: what must be in the cart. Lines are picked by sku, category or tag; any, all or none of the listed
//! values must be found, and the picked lines must reach a quantity or an amount.

use std::cmp::Ordering;

use giftcard_plugin::prelude::*;

struct CartContents;

const MISSING: &str = "the cart must contain: {wanted}";
const MISSING_ANY: &str = "the cart must contain at least one of: {wanted}";
const FORBIDDEN: &str = "the cart must not contain: {found}";
const TOO_FEW: &str =
    "the cart contains {quantity} of the products that the card is for; at least {needed} must be in it";
const TOO_LITTLE: &str = "the products that the card is for must come to at least {needed}";

impl Condition for CartContents {
    fn describe() -> Description {
        let matches = [("any", "at least one of"), ("all", "all of"), ("none", "none of")];
        describe(
            "cart-contents",
            env!("CARGO_PKG_VERSION"),
            "Cart contents",
            "The cart must, or must not, contain certain products, categories or tags.",
        )
        .setting(
            choice("match", "Must contain", "How many of the listed values must be found.", &matches)
                .default_text("any"),
        )
        .setting(texts("skus", "Products", "Stock keeping units, exactly as on the line.").items_max(1000))
        .setting(texts("categories", "Categories", "Upper and lower case count as the same.").items_max(1000))
        .setting(texts("tags", "Tags", "Upper and lower case count as the same.").items_max(1000))
        .setting(quantity("quantity", "Least quantity", "Of all matching lines together.").at_least(0))
        .setting(money("amount", "Least amount", "Of all matching lines together, tax included.").at_least(0))
        .reject("not-in-cart", MISSING)
        .reject("forbidden-in-cart", FORBIDDEN)
        .reject("too-few-in-cart", TOO_FEW)
        .reject("too-little-in-cart", TOO_LITTLE)
        .needs(&["lines", "lines.sku", "lines.categories", "lines.tags"])
    }

    fn check_settings(settings: &Settings) -> Result<(), Vec<Problem>> {
        let mut problems = Vec::new();
        if Wanted::of(settings)?.lists().all(|list| list.0.is_empty()) {
            problems.push(problem("skus", "name at least one product, category or tag"));
        }
        for name in ["skus", "categories", "tags"] {
            if settings.texts(name)?.iter().any(|text| text.trim().is_empty()) {
                problems.push(problem(name, "has an empty entry; take it out"));
            }
        }
        let sums =
            [("quantity", settings.maybe_integer("quantity")?), ("amount", minor(settings.maybe_money("amount")?))];
        for (name, least) in sums {
            if settings.maybe_text("match")? == Some("none") && least.is_some_and(|least| least > 0) {
                problems.push(problem(name, "says nothing where the cart must contain none of them; take it out"));
            }
        }
        report(problems)
    }

    fn evaluate(request: &Request, settings: &Settings, trace: &mut Trace) -> Result<Evaluation, Failure> {
        let Some(lines) = &request.order.lines else {
            return Err(failure("order-lines-needed", "the order came without lines"));
        };
        let mut cart = Cart { wanted: Wanted::of(settings)?, quantity: 0, amount: 0, unsure: false };
        for line in lines.iter().filter(|line| matches!(line.part, Part::Goods | Part::GiftCard)) {
            cart.add(line);
        }
        let mode = settings.text("match")?;
        let refused = match cart.contents(mode, trace) {
            None if mode != "none" => cart.sums(request, settings, trace)?,
            refused => refused,
        };
        // What is found stays found, so that more knowledge could turn these answers and no others.
        if cart.unsure && refused.is_some() == (mode != "none") {
            return Err(failure("line-facts-needed", "lines came without the categories or tags that are looked for"));
        }
        Ok(match refused {
            Some(reject) => reject_all(request, reject),
            None => accept_all(request),
        })
    }
}

giftcard_plugin::export_condition!(CartContents);

/// What the picked lines come to.
struct Cart<'a> {
    wanted: Wanted<'a>,
    quantity: i64,
    amount: i64,
    /// A line came without something that it could have been picked by.
    unsure: bool,
}

impl Cart<'_> {
    fn add(&mut self, line: &Line) {
        let Wanted { skus, categories, tags } = &mut self.wanted;
        let mut picked = line.sku.as_ref().is_some_and(|sku| skus.mark(sku));
        for (listed, texts) in [(categories, &line.categories), (tags, &line.tags)] {
            self.unsure |= texts.is_none() && !listed.0.is_empty();
            for text in texts.iter().flatten() {
                picked |= listed.mark(text);
            }
        }
        if picked {
            self.quantity = self.quantity.saturating_add(line.quantity_milli);
            self.amount = self.amount.saturating_add(line.total);
        }
    }

    fn contents(&self, mode: &str, trace: &mut Trace) -> Option<Reject> {
        let any = |found: bool| self.wanted.lists().any(|list| list.0.iter().any(|entry| entry.found == found));
        let passed = match mode {
            "none" => !any(true),
            "all" => !any(false),
            _ => any(true),
        };
        if trace.wanted() {
            let (seen, needed) = (self.wanted.names(Some(true)).join(", "), self.wanted.names(None).join(", "));
            trace.order("cart contents", passed, seen, format_args!("{mode} of {needed}"));
        }
        match (passed, mode) {
            (true, _) => None,
            (false, "none") => {
                Some(reject("forbidden-in-cart", FORBIDDEN).texts("found", &self.wanted.names(Some(true))))
            }
            (false, _) => {
                let listed = self.wanted.names((mode == "all").then_some(false));
                let message = if mode == "all" || listed.len() == 1 { MISSING } else { MISSING_ANY };
                Some(reject("not-in-cart", message).texts("wanted", &listed))
            }
        }
    }

    fn sums(&self, request: &Request, settings: &Settings, trace: &mut Trace) -> Result<Option<Reject>, Failure> {
        if let Some(needed) = settings.maybe_integer("quantity")? {
            let shown = format_args!("at least {}", show_quantity(needed));
            trace.order("quantity", self.quantity >= needed, show_quantity(self.quantity), shown);
            if self.quantity < needed {
                let reject = reject("too-few-in-cart", TOO_FEW).quantity("needed", needed);
                return Ok(Some(reject.quantity("quantity", self.quantity)));
            }
        }
        if let Some(money) = settings.maybe_money("amount")? {
            let needed = convert(request, money, Rounding::Up)?;
            let (seen, shown) = (order_money(request, self.amount), order_money(request, needed));
            trace.order("amount", self.amount >= needed, seen, format_args!("at least {shown}"));
            if self.amount < needed {
                return Ok(Some(reject("too-little-in-cart", TOO_LITTLE).money("needed", shown)));
            }
        }
        Ok(None)
    }
}

/// What lines are picked by.
struct Wanted<'a> {
    skus: Listed<'a>,
    categories: Listed<'a>,
    tags: Listed<'a>,
}

impl<'a> Wanted<'a> {
    fn of(settings: &'a Settings) -> Result<Self, BadSetting> {
        Ok(Self {
            skus: Listed::new(settings.texts("skus")?, str::cmp),
            categories: Listed::new(settings.texts("categories")?, compare_texts),
            tags: Listed::new(settings.texts("tags")?, compare_texts),
        })
    }

    fn lists(&self) -> impl Iterator<Item = &Listed<'a>> {
        [&self.skus, &self.categories, &self.tags].into_iter()
    }

    /// The first few as the merchant wrote them, of those found or not found.
    fn names(&self, found: Option<bool>) -> Vec<&'a str> {
        let mut names = Vec::new();
        for list in self.lists() {
            let picked = list.0.iter().filter(|entry| found.is_none_or(|found| entry.found == found));
            let mut picked: Vec<_> = picked.collect();
            picked.sort_unstable_by_key(|entry| entry.place);
            names.extend(picked.into_iter().map(|entry| entry.text));
        }
        first_few(names)
    }
}

type Compare = fn(&str, &str) -> Ordering;

/// Values of one setting, sorted and each once, so that a line's value is looked up without going through them all.
struct Listed<'a>(Vec<Entry<'a>>, Compare);

struct Entry<'a> {
    text: &'a str,
    /// In the setting.
    place: usize,
    found: bool,
}

impl<'a> Listed<'a> {
    fn new(texts: &'a [String], compare: Compare) -> Self {
        let entry = |(place, text): (usize, &'a String)| Entry { text, place, found: false };
        let mut entries: Vec<_> = texts.iter().enumerate().map(entry).collect();
        entries.sort_unstable_by(|a, b| compare(a.text, b.text).then(a.place.cmp(&b.place)));
        entries.dedup_by(|a, b| compare(a.text, b.text).is_eq());
        Self(entries, compare)
    }

    /// Whether the text is among them.
    fn mark(&mut self, text: &str) -> bool {
        let Ok(index) = self.0.binary_search_by(|entry| (self.1)(entry.text, text)) else { return false };
        self.0[index].found = true;
        true
    }
}

fn minor(money: Option<&Money>) -> Option<i64> {
    money.map(|money| money.amount)
}

#[cfg(test)]
mod tests {
    use super::*;
    use giftcard_plugin::testing;

    fn texts(texts: &[&str]) -> Option<Vec<String>> {
        Some(texts.iter().map(ToString::to_string).collect())
    }

    /// One and a half red shoes for 30.00, a bag for 20.00, and shipping.
    fn request() -> Request {
        let shoes = Line {
            quantity_milli: 1500,
            sku: Some("S-1".to_string()),
            categories: texts(&["Shoes", "SALE"]),
            tags: texts(&["red"]),
            ..testing::line(3000)
        };
        let bag = Line { categories: texts(&["bags"]), tags: texts(&[]), ..testing::line(2000) };
        let shipping = Line { part: Part::Shipping, sku: Some("DHL".to_string()), ..testing::line(500) };
        let order = Order { lines: Some(vec![shoes, bag, shipping]), ..testing::order(5500) };
        Request { rates: vec![testing::rate("PLN", 1, 3)], ..testing::request(order) }
    }

    fn check(settings: &[(&str, Value)], request: &Request, expected: &str) {
        let settings = testing::settings::<CartContents>(settings);
        assert_eq!(testing::answer::<CartContents>(request, &settings), expected);
    }

    #[test]
    fn any_all_or_none_of_the_values_must_be_found() {
        for (mode, name, values, expected) in [
            ("any", "skus", ["S-1", "S-2"], "accept"),
            ("any", "skus", ["s-1", "DHL"], "reject not-in-cart"),
            ("any", "categories", ["SHOES", "hats"], "accept"),
            ("any", "tags", ["RED", "blue"], "accept"),
            ("all", "categories", ["shoes", "Bags"], "accept"),
            ("all", "categories", ["shoes", "SHOES"], "accept"),
            ("all", "categories", ["shoes", "hats"], "reject not-in-cart"),
            ("none", "categories", ["hats", "coats"], "accept"),
            ("none", "categories", ["hats", "sale"], "reject forbidden-in-cart"),
        ] {
            check(&[("match", mode.into()), (name, values.into())], &request(), expected);
        }
        let across = [("match", "all".into()), ("skus", ["S-1"].into()), ("tags", ["red"].into())];
        check(&across, &request(), "accept");
    }

    #[test]
    fn matching_lines_must_reach_the_quantity_and_the_amount() {
        let usd = |minor| testing::amount(minor, "USD").into();
        for (name, value, expected) in [
            ("quantity", 1500.into(), "accept"),
            ("quantity", 1501.into(), "reject too-few-in-cart"),
            ("amount", usd(3000), "accept"),
            ("amount", usd(3001), "reject too-little-in-cart"),
            ("amount", testing::amount(9000, "PLN").into(), "accept"),
            ("amount", testing::amount(9001, "PLN").into(), "reject too-little-in-cart"),
            ("amount", testing::amount(1, "EUR").into(), "failure currency-mismatch"),
        ] {
            check(&[("categories", ["shoes"].into()), (name, value)], &request(), expected);
        }
        let mut huge = request();
        for line in huge.order.lines.iter_mut().flatten() {
            (line.quantity_milli, line.total) = (i64::MAX, i64::MAX);
        }
        check(&[("categories", ["shoes", "bags"].into()), ("quantity", i64::MAX.into())], &huge, "accept");
    }

    #[test]
    fn what_is_not_known_is_a_failure_only_where_it_could_matter() {
        let mut request = request();
        for line in request.order.lines.iter_mut().flatten().skip(1) {
            (line.sku, line.categories, line.tags) = (None, None, None);
        }
        let failure = "failure line-facts-needed";
        check(&[("categories", ["shoes"].into())], &request, "accept");
        check(&[("categories", ["hats"].into())], &request, failure);
        check(&[("match", "none".into()), ("categories", ["shoes"].into())], &request, "reject forbidden-in-cart");
        check(&[("match", "none".into()), ("tags", ["blue"].into())], &request, failure);
        check(&[("categories", ["shoes"].into()), ("quantity", 2000.into())], &request, failure);
        check(&[("match", "none".into()), ("skus", ["S-2"].into())], &request, "accept");
        request.order.lines = None;
        check(&[("skus", ["S-1"].into())], &request, "failure order-lines-needed");
        request.order.lines = Some(Vec::new());
        check(&[("skus", ["S-1"].into())], &request, "reject not-in-cart");
        check(&[("match", "none".into()), ("skus", ["S-1"].into())], &request, "accept");
    }

    #[test]
    fn shoppers_are_told_what_in_their_words() {
        let many = ["j", "i", "h", "g", "f", "e", "d", "c", "b", "a", "k"];
        for (settings, expected) in [
            (vec![("tags", ["blue"].into())], "the cart must contain: blue"),
            (vec![("tags", ["blue", "green"].into())], "the cart must contain at least one of: blue, green"),
            (
                vec![("match", "all".into()), ("categories", ["shoes", "Hats", "Coats"].into())],
                "the cart must contain: Hats, Coats",
            ),
            (vec![("match", "none".into()), ("categories", ["sale"].into())], "the cart must not contain: sale"),
            (vec![("tags", many.into())], "the cart must contain at least one of: j, i, h, g, f, e, d, c, b, a, ..."),
            (
                vec![("tags", ["red"].into()), ("quantity", 2000.into())],
                "the cart contains 1.5 of the products that the card is for; at least 2 must be in it",
            ),
            (
                vec![("tags", ["red"].into()), ("amount", testing::amount(10_000, "PLN").into())],
                "the products that the card is for must come to at least 33.34 USD",
            ),
        ] {
            let settings = testing::settings::<CartContents>(&settings);
            assert_eq!(testing::message::<CartContents>(&request(), &settings), expected);
        }
    }

    #[test]
    fn settings_that_cannot_work_are_refused() {
        for (settings, expected) in [
            (vec![], "skus"),
            (vec![("quantity", 1.into())], "skus"),
            (vec![("tags", ["a", ""].into())], "tags"),
            (vec![("match", "none".into()), ("tags", ["a"].into()), ("quantity", 1.into())], "quantity"),
            (
                vec![("match", "none".into()), ("tags", ["a"].into()), ("amount", testing::amount(1, "USD").into())],
                "amount",
            ),
            (vec![("match", "any".into()), ("tags", ["a"].into()), ("quantity", 1.into())], ""),
        ] {
            let settings = testing::settings::<CartContents>(&settings);
            assert_eq!(testing::problems::<CartContents>(&settings), expected);
        }
    }
}
