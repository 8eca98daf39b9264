//! The rules of the catalogue, one row each. Must not know how they are printed or read.
//!
//! A rule is written once, as a template: filled in it is its expression, and an expression that fits it is the rule
//! again. Three things keep that unambiguous, and what is not known from counting as none of it:
//!
//! - Of a rule that is a conjunction or a disjunction the first part is no rule by itself (`A <= x`, where another rule has
//!   `x >= A`).
//! - What a platform does not send makes an expression fail, negated or not, so no rule asks `has(...)`, but for what is
//!   known to be none: the code of an automatic discount, the end of a card without end.
//! - Only lines of goods and of gift cards are products; shipping and fees have no categories, known or not.

use super::argument::Kind;
use super::catalogue::{Parameter, Rule};

const fn parameter(name: &'static str, label: &'static str, kind: Kind) -> Parameter {
    Parameter { name, label, kind }
}

const AMOUNT: &[Parameter] = &[parameter("amount", "Amount", Kind::Money)];
const AMOUNTS: &[Parameter] = &[parameter("from", "At least", Kind::Money), parameter("to", "At most", Kind::Money)];
const COUNT: &[Parameter] = &[parameter("count", "Number", Kind::Number)];
const DAYS: &[Parameter] = &[parameter("days", "Days", Kind::Number)];
const CATEGORIES: &[Parameter] = &[parameter("categories", "Categories", Kind::Texts)];
const TAGS: &[Parameter] = &[parameter("tags", "Tags", Kind::Texts)];
const SKUS: &[Parameter] = &[parameter("skus", "Stock keeping units", Kind::Texts)];
const UNITS_OF_CATEGORIES: &[Parameter] =
    &[parameter("categories", "Categories", Kind::Texts), parameter("count", "Units", Kind::Number)];
const AMOUNT_OF_CATEGORIES: &[Parameter] =
    &[parameter("categories", "Categories", Kind::Texts), parameter("amount", "Amount", Kind::Money)];
const UNITS_OF_SKUS: &[Parameter] =
    &[parameter("skus", "Stock keeping units", Kind::Texts), parameter("count", "Units", Kind::Number)];
const AMOUNT_OF_SKUS: &[Parameter] =
    &[parameter("skus", "Stock keeping units", Kind::Texts), parameter("amount", "Amount", Kind::Money)];
const TYPES: &[Parameter] = &[parameter("types", "Product types", Kind::Texts)];
const METHODS: &[Parameter] = &[parameter("methods", "Methods", Kind::Texts)];
const CURRENCIES: &[Parameter] = &[parameter("currencies", "Currencies", Kind::Currencies)];
const COUNTRIES: &[Parameter] = &[parameter("countries", "Countries", Kind::Countries)];
const REGIONS: &[Parameter] =
    &[parameter("country", "Country", Kind::Country), parameter("regions", "Regions", Kind::Texts)];
const PREFIXES: &[Parameter] = &[parameter("prefixes", "First characters", Kind::Texts)];
const TEXT: &[Parameter] = &[parameter("name", "Attribute", Kind::Text), parameter("text", "Text", Kind::Text)];
const NUMBER: &[Parameter] = &[parameter("name", "Attribute", Kind::Text), parameter("number", "Number", Kind::Number)];
const FLAG: &[Parameter] = &[parameter("name", "Attribute", Kind::Text), parameter("flag", "Yes or no", Kind::Flag)];

const EXACT: &str = "Exactly as the platform writes them, upper and lower case included.";
const UNKNOWN_HISTORY: &str = "Where the platform does not say, no card is taken.";
const CONVERTED: &str = "In the order's currency unless another is named, which is converted at the recorded rate.";
const WITHOUT_CHOICE: &str = "By the platform's name. Before one is chosen, no card is taken.";
const TOGETHER: &str = "Of all lines of goods and gift cards together. Exactly as the platform writes them.";
const PRODUCTS: &str = "Of goods and gift cards in the cart. Exactly as the platform writes them.";

/// The table. The order is that of a form.
pub(super) const RULES: &[Rule] = &[
    // Amounts of the order.
    rule(
        "order-total-at-least",
        "order",
        "The order comes to at least {amount}",
        CONVERTED,
        AMOUNT,
        "order.total >= AMOUNT",
    ),
    rule(
        "order-total-at-most",
        "order",
        "The order comes to at most {amount}",
        CONVERTED,
        AMOUNT,
        "order.total <= AMOUNT",
    ),
    ascending(
        "order-total-between",
        "order",
        "The order comes to {from} to {to}",
        "Both amounts included.",
        AMOUNTS,
        "FROM <= order.total && order.total <= TO",
    ),
    rule(
        "goods-total-at-least",
        "order",
        "The goods come to at least {amount}",
        CONVERTED,
        AMOUNT,
        "order.goods >= AMOUNT",
    ),
    rule(
        "goods-total-at-most",
        "order",
        "The goods come to at most {amount}",
        CONVERTED,
        AMOUNT,
        "order.goods <= AMOUNT",
    ),
    ascending(
        "goods-total-between",
        "order",
        "The goods come to {from} to {to}",
        "Both amounts included.",
        AMOUNTS,
        "FROM <= order.goods && order.goods <= TO",
    ),
    rule(
        "total-without-shipping-at-least",
        "order",
        "Without shipping the order comes to at least {amount}",
        CONVERTED,
        AMOUNT,
        "order.total - order.shipping >= AMOUNT",
    ),
    rule(
        "total-without-shipping-at-most",
        "order",
        "Without shipping the order comes to at most {amount}",
        CONVERTED,
        AMOUNT,
        "order.total - order.shipping <= AMOUNT",
    ),
    rule("shipping-at-most", "order", "Shipping costs at most {amount}", CONVERTED, AMOUNT, "order.shipping <= AMOUNT"),
    // Where and how.
    rule(
        "order-currency",
        "order",
        "The order is in one of {currencies}",
        "",
        CURRENCIES,
        "order.currency in CURRENCIES",
    ),
    rule(
        "order-channel",
        "order",
        "The order comes from one of the channels {channels}",
        EXACT,
        &[parameter("channels", "Channels", Kind::Texts)],
        "order.channel in CHANNELS",
    ),
    rule(
        "order-site",
        "order",
        "The order is placed on one of the sites {sites}",
        EXACT,
        &[parameter("sites", "Sites", Kind::Texts)],
        "order.site in SITES",
    ),
    rule(
        "payment-method",
        "order",
        "The rest is paid by one of {methods}",
        WITHOUT_CHOICE,
        METHODS,
        "order.payment_method in METHODS",
    ),
    rule(
        "shipping-method",
        "order",
        "The order is shipped by one of {methods}",
        WITHOUT_CHOICE,
        METHODS,
        "order.shipping_method in METHODS",
    ),
    // Any of the listed.
    rule(
        "cart-has-any-sku",
        "cart",
        "The cart has at least one of the products {skus}",
        PRODUCTS,
        SKUS,
        "order.lines.exists(l, l.part in [\"goods\", \"gift-card\"] && l.sku in SKUS)",
    ),
    rule(
        "cart-has-any-category",
        "cart",
        "The cart has a product of one of the categories {categories}",
        PRODUCTS,
        CATEGORIES,
        "order.lines.exists(l, l.part in [\"goods\", \"gift-card\"] && l.categories.exists(c, c in CATEGORIES))",
    ),
    rule(
        "cart-has-any-tag",
        "cart",
        "The cart has a product with one of the tags {tags}",
        PRODUCTS,
        TAGS,
        "order.lines.exists(l, l.part in [\"goods\", \"gift-card\"] && l.tags.exists(t, t in TAGS))",
    ),
    rule(
        "cart-has-any-type",
        "cart",
        "The cart has a product of one of the types {types}",
        PRODUCTS,
        TYPES,
        "order.lines.exists(l, l.part in [\"goods\", \"gift-card\"] && l.product_type in TYPES)",
    ),
    // All of the listed.
    rule(
        "cart-has-every-sku",
        "cart",
        "The cart has each of the products {skus}",
        PRODUCTS,
        SKUS,
        "SKUS.all(s, order.lines.exists(l, l.part in [\"goods\", \"gift-card\"] && l.sku == s))",
    ),
    rule(
        "cart-has-every-category",
        "cart",
        "The cart has a product of each of the categories {categories}",
        PRODUCTS,
        CATEGORIES,
        "CATEGORIES.all(c, order.lines.exists(l, l.part in [\"goods\", \"gift-card\"] && c in l.categories))",
    ),
    rule(
        "cart-has-every-tag",
        "cart",
        "The cart has a product with each of the tags {tags}",
        PRODUCTS,
        TAGS,
        "TAGS.all(t, order.lines.exists(l, l.part in [\"goods\", \"gift-card\"] && t in l.tags))",
    ),
    rule(
        "cart-has-every-type",
        "cart",
        "The cart has a product of each of the types {types}",
        PRODUCTS,
        TYPES,
        "TYPES.all(t, order.lines.exists(l, l.part in [\"goods\", \"gift-card\"] && l.product_type == t))",
    ),
    // None of the listed.
    rule(
        "cart-has-no-sku",
        "cart",
        "The cart has none of the products {skus}",
        PRODUCTS,
        SKUS,
        "order.lines.all(l, !(l.part in [\"goods\", \"gift-card\"]) || !(l.sku in SKUS))",
    ),
    rule(
        "cart-has-no-category",
        "cart",
        "The cart has no product of the categories {categories}",
        PRODUCTS,
        CATEGORIES,
        "order.lines.all(l, !(l.part in [\"goods\", \"gift-card\"]) || !l.categories.exists(c, c in CATEGORIES))",
    ),
    rule(
        "cart-has-no-tag",
        "cart",
        "The cart has no product with the tags {tags}",
        PRODUCTS,
        TAGS,
        "order.lines.all(l, !(l.part in [\"goods\", \"gift-card\"]) || !l.tags.exists(t, t in TAGS))",
    ),
    rule(
        "cart-has-no-type",
        "cart",
        "The cart has no product of the types {types}",
        PRODUCTS,
        TYPES,
        "order.lines.all(l, !(l.part in [\"goods\", \"gift-card\"]) || !(l.product_type in TYPES))",
    ),
    // Only the listed.
    rule(
        "cart-has-only-skus",
        "cart",
        "The cart has no products but {skus}",
        PRODUCTS,
        SKUS,
        "order.lines.all(l, !(l.part in [\"goods\", \"gift-card\"]) || l.sku in SKUS)",
    ),
    rule(
        "cart-has-only-categories",
        "cart",
        "Every product in the cart is of one of the categories {categories}",
        PRODUCTS,
        CATEGORIES,
        "order.lines.all(l, !(l.part in [\"goods\", \"gift-card\"]) || l.categories.exists(c, c in CATEGORIES))",
    ),
    rule(
        "cart-has-only-tags",
        "cart",
        "Every product in the cart has one of the tags {tags}",
        PRODUCTS,
        TAGS,
        "order.lines.all(l, !(l.part in [\"goods\", \"gift-card\"]) || l.tags.exists(t, t in TAGS))",
    ),
    rule(
        "cart-has-only-types",
        "cart",
        "Every product in the cart is of one of the types {types}",
        PRODUCTS,
        TYPES,
        "order.lines.all(l, !(l.part in [\"goods\", \"gift-card\"]) || l.product_type in TYPES)",
    ),
    // How much of it.
    rule(
        "cart-has-line-of-units",
        "cart",
        "A line of the categories {categories} has at least {count} units",
        "Of one line; units of several lines are not added up. Exactly as the platform writes them.",
        UNITS_OF_CATEGORIES,
        "order.lines.exists(l, l.quantity_milli >= COUNT * 1000 && l.part in [\"goods\", \"gift-card\"] && \
         l.categories.exists(c, c in CATEGORIES))",
    ),
    rule(
        "cart-has-line-of-amount",
        "cart",
        "A line of the categories {categories} comes to at least {amount}",
        "Of one line; amounts of several lines are not added up. Exactly as the platform writes them.",
        AMOUNT_OF_CATEGORIES,
        "order.lines.exists(l, l.total >= AMOUNT && l.part in [\"goods\", \"gift-card\"] && \
         l.categories.exists(c, c in CATEGORIES))",
    ),
    rule(
        "cart-units-of-category-at-least",
        "cart",
        "The cart has at least {count} units of products of the categories {categories}",
        TOGETHER,
        UNITS_OF_CATEGORIES,
        "order.lines.filter(l, l.part in [\"goods\", \"gift-card\"] && l.categories.exists(c, c in CATEGORIES))\
         .map(l, l.quantity_milli).sum() >= COUNT * 1000",
    ),
    rule(
        "cart-units-of-category-at-most",
        "cart",
        "The cart has at most {count} units of products of the categories {categories}",
        TOGETHER,
        UNITS_OF_CATEGORIES,
        "order.lines.filter(l, l.part in [\"goods\", \"gift-card\"] && l.categories.exists(c, c in CATEGORIES))\
         .map(l, l.quantity_milli).sum() <= COUNT * 1000",
    ),
    rule(
        "cart-amount-of-category-at-least",
        "cart",
        "In the cart, products of the categories {categories} come to at least {amount}",
        TOGETHER,
        AMOUNT_OF_CATEGORIES,
        "order.lines.filter(l, l.part in [\"goods\", \"gift-card\"] && l.categories.exists(c, c in CATEGORIES))\
         .map(l, l.total).sum() >= AMOUNT",
    ),
    rule(
        "cart-units-of-sku-at-least",
        "cart",
        "The cart has at least {count} units of the products {skus}",
        TOGETHER,
        UNITS_OF_SKUS,
        "order.lines.filter(l, l.part in [\"goods\", \"gift-card\"] && l.sku in SKUS)\
         .map(l, l.quantity_milli).sum() >= COUNT * 1000",
    ),
    rule(
        "cart-units-of-sku-at-most",
        "cart",
        "The cart has at most {count} units of the products {skus}",
        TOGETHER,
        UNITS_OF_SKUS,
        "order.lines.filter(l, l.part in [\"goods\", \"gift-card\"] && l.sku in SKUS)\
         .map(l, l.quantity_milli).sum() <= COUNT * 1000",
    ),
    rule(
        "cart-amount-of-sku-at-least",
        "cart",
        "In the cart, the products {skus} come to at least {amount}",
        TOGETHER,
        AMOUNT_OF_SKUS,
        "order.lines.filter(l, l.part in [\"goods\", \"gift-card\"] && l.sku in SKUS)\
         .map(l, l.total).sum() >= AMOUNT",
    ),
    rule(
        "cart-lines-at-least",
        "cart",
        "The cart has at least {count} lines of products",
        "",
        COUNT,
        "order.lines.filter(l, l.part in [\"goods\", \"gift-card\"]).size() >= COUNT",
    ),
    rule(
        "cart-lines-at-most",
        "cart",
        "The cart has at most {count} lines of products",
        "",
        COUNT,
        "order.lines.filter(l, l.part in [\"goods\", \"gift-card\"]).size() <= COUNT",
    ),
    rule("cart-sells-no-gift-cards", "cart", "No gift cards are bought", "", &[], "order.gift_cards == money(\"0\")"),
    // Who orders.
    rule("customer-registered", "customer", "The customer is signed in", "", &[], "customer.registered"),
    rule(
        "customer-role",
        "customer",
        "The customer is in one of the roles {roles}",
        "A guest is in none.",
        &[parameter("roles", "Roles", Kind::Texts)],
        "customer.roles.exists(r, r in ROLES)",
    ),
    rule(
        "customer-segment",
        "customer",
        "The customer is in one of the segments {segments}",
        "A guest is in none.",
        &[parameter("segments", "Segments", Kind::Texts)],
        "customer.segments.exists(s, s in SEGMENTS)",
    ),
    rule(
        "customer-first-order",
        "customer",
        "It is the customer's first order",
        UNKNOWN_HISTORY,
        &[],
        "customer.orders == 0",
    ),
    rule(
        "customer-orders-at-least",
        "customer",
        "The customer has ordered at least {count} times before",
        UNKNOWN_HISTORY,
        COUNT,
        "customer.orders >= COUNT",
    ),
    rule(
        "customer-spent-at-least",
        "customer",
        "The customer's earlier orders come to at least {amount}",
        UNKNOWN_HISTORY,
        AMOUNT,
        "customer.spent >= AMOUNT",
    ),
    rule(
        "customer-email-domain",
        "customer",
        "The customer's email address is at one of {domains}",
        "Such as example.com, in lower case; addresses are not verified.",
        &[parameter("domains", "Domains", Kind::Domains)],
        "DOMAINS.exists(d, customer.email.endsWith(d))",
    ),
    // Where it goes.
    rule(
        "ship-to-country",
        "address",
        "The order is shipped to one of the countries {countries}",
        "",
        COUNTRIES,
        "order.ship_to.country in COUNTRIES",
    ),
    rule(
        "ship-to-region",
        "address",
        "The order is shipped to {country}, to one of the regions {regions}",
        EXACT,
        REGIONS,
        "COUNTRY == order.ship_to.country && order.ship_to.region in REGIONS",
    ),
    rule(
        "ship-to-postal-code",
        "address",
        "The shipping address has a postal code that begins with one of {prefixes}",
        "As the shopper wrote it.",
        PREFIXES,
        "PREFIXES.exists(p, order.ship_to.postal_code.startsWith(p))",
    ),
    rule(
        "billing-country",
        "address",
        "The invoice goes to one of the countries {countries}",
        "",
        COUNTRIES,
        "order.billing.country in COUNTRIES",
    ),
    rule(
        "billing-region",
        "address",
        "The invoice goes to {country}, to one of the regions {regions}",
        EXACT,
        REGIONS,
        "COUNTRY == order.billing.country && order.billing.region in REGIONS",
    ),
    rule(
        "billing-postal-code",
        "address",
        "The billing address has a postal code that begins with one of {prefixes}",
        "As the shopper wrote it.",
        PREFIXES,
        "PREFIXES.exists(p, order.billing.postal_code.startsWith(p))",
    ),
    // When.
    rule(
        "day-of-week",
        "time",
        "It is one of {days}",
        "On the site's clock.",
        &[parameter("days", "Days", Kind::Weekdays)],
        "now.weekday in DAYS",
    ),
    ascending(
        "time-of-day",
        "time",
        "It is {from} or later, and before {to}",
        "On the site's clock. For a night, negate the day: not from 06:00 to 22:00.",
        &[parameter("from", "From", Kind::Time), parameter("to", "Before", Kind::Time)],
        "FROM <= now.time && now.time < TO",
    ),
    ascending(
        "date-between",
        "time",
        "It is {from} to {to}",
        "On the site's calendar, both days included.",
        &[parameter("from", "From", Kind::Date), parameter("to", "Last day", Kind::Date)],
        "FROM <= now.date && now.date <= TO",
    ),
    // Discounts.
    rule(
        "discount-code-used",
        "discounts",
        "One of the discount codes {codes} is used",
        EXACT,
        &[parameter("codes", "Codes", Kind::Texts)],
        "order.discounts.exists(d, has(d.code) && d.code in CODES)",
    ),
    rule(
        "no-discounts",
        "discounts",
        "There are no discounts on the order",
        "",
        &[],
        "order.discounts_total == money(\"0\")",
    ),
    // The card.
    rule(
        "card-programme",
        "card",
        "The card is of one of the programmes {programmes}",
        "By code name.",
        &[parameter("programmes", "Programmes", Kind::Texts)],
        "card.programme in PROGRAMMES",
    ),
    rule("card-currency", "card", "The card is in one of {currencies}", "", CURRENCIES, "card.currency in CURRENCIES"),
    rule(
        "card-age-at-least",
        "card",
        "The card was issued at least {days} days ago",
        "",
        DAYS,
        "card.age_days >= DAYS",
    ),
    rule("card-age-at-most", "card", "The card was issued at most {days} days ago", "", DAYS, "card.age_days <= DAYS"),
    rule(
        "card-days-left-at-least",
        "card",
        "The card works for at least {days} more days",
        "A card without end does.",
        DAYS,
        "!has(card.days_left) || card.days_left >= DAYS",
    ),
    rule(
        "card-days-left-at-most",
        "card",
        "The card ends within {days} days",
        "A card without end does not.",
        DAYS,
        "has(card.days_left) && card.days_left <= DAYS",
    ),
    rule(
        "card-available-at-least",
        "card",
        "The card has at least {amount} left",
        CONVERTED,
        AMOUNT,
        "card.available >= AMOUNT",
    ),
    // What else the platform says.
    rule(
        "order-attribute-text",
        "attributes",
        "The order's attribute {name} is {text}",
        EXACT,
        TEXT,
        "order.attributes[NAME] == TEXT",
    ),
    rule(
        "order-attribute-number",
        "attributes",
        "The order's attribute {name} is the number {number}",
        "",
        NUMBER,
        "order.attributes[NAME] == NUMBER",
    ),
    rule(
        "order-attribute-flag",
        "attributes",
        "The order's attribute {name} is {flag}",
        "",
        FLAG,
        "order.attributes[NAME] == FLAG",
    ),
    rule(
        "customer-attribute-text",
        "attributes",
        "The customer's attribute {name} is {text}",
        EXACT,
        TEXT,
        "customer.attributes[NAME] == TEXT",
    ),
    rule(
        "customer-attribute-number",
        "attributes",
        "The customer's attribute {name} is the number {number}",
        "",
        NUMBER,
        "customer.attributes[NAME] == NUMBER",
    ),
    rule(
        "customer-attribute-flag",
        "attributes",
        "The customer's attribute {name} is {flag}",
        "",
        FLAG,
        "customer.attributes[NAME] == FLAG",
    ),
    rule(
        "card-attribute-text",
        "attributes",
        "The card's attribute {name} is {text}",
        EXACT,
        TEXT,
        "card.attributes[NAME] == TEXT",
    ),
    rule(
        "card-attribute-number",
        "attributes",
        "The card's attribute {name} is the number {number}",
        "",
        NUMBER,
        "card.attributes[NAME] == NUMBER",
    ),
    rule(
        "card-attribute-flag",
        "attributes",
        "The card's attribute {name} is {flag}",
        "",
        FLAG,
        "card.attributes[NAME] == FLAG",
    ),
];

const fn rule(
    id: &'static str,
    group: &'static str,
    label: &'static str,
    help: &'static str,
    parameters: &'static [Parameter],
    template: &'static str,
) -> Rule {
    Rule { id, group, label, help, parameters, template, ascends: false }
}

const fn ascending(
    id: &'static str,
    group: &'static str,
    label: &'static str,
    help: &'static str,
    parameters: &'static [Parameter],
    template: &'static str,
) -> Rule {
    Rule { ascends: true, ..rule(id, group, label, help, parameters, template) }
}
