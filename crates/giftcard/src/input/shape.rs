//! The shape of an input. The comments are the descriptions of the JSON Schema. Must not check what a value means.

use giftcard_engine::Money;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::bounds::{CARDS_MAX_INPUT, Count, Fields, LINES_MAX, LIST_ITEMS_MAX, List, Name, Text};
use super::leaf::{
    Amount, Attribute, CardCode, CurrencyCode, DayOrInstant, Instant, MinimumOrderInput, PositiveAmount, Quantity,
    RateText, minor,
};
use super::{InputError, Within};

/// An order and the cards entered for it: the input of `giftcard quote`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "an object")]
#[schemars(rename = "quote-input")]
pub struct QuoteInput {
    /// The moment to decide at; the present if left out.
    pub now: Option<Instant>,
    /// The shop.
    pub site: Option<SiteInput>,
    /// The order.
    pub order: OrderInput,
    /// The programmes that the cards belong to. `manual`, without restrictions, need not be given.
    #[serde(default)]
    pub programmes: List<ProgrammeInput, LIST_ITEMS_MAX>,
    /// The cards, in the order in which the shopper entered them.
    pub cards: List<CardInput, CARDS_MAX_INPUT>,
}

/// A shop.
#[derive(Clone, Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "an object")]
#[schemars(rename = "Site")]
pub struct SiteInput {
    /// Its name; the order's `site`, else `main`, if left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<Name>,
    /// Its main currency, in which minimum order amounts are; the order's if left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub currency: Option<CurrencyCode>,
    /// Its time zone, as the IANA database calls it, such as `Europe/Berlin`; UTC if left out. It must be one that the
    /// database knows, which a schema cannot say.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub time_zone: Option<Name>,
    /// In which order cards are used; as entered if left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub order_of_use: Option<OrderOfUseInput>,
    /// Most cards for one order; 20 if left out. Written without a fraction: `20.0` is refused, which a schema cannot
    /// say.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cards_max: Option<Count>,
    /// Recorded exchange rates. Without one, a card in another currency is refused.
    #[serde(default, skip_serializing_if = "super::bounds::is_empty_list")]
    pub rates: List<RateInput, LIST_ITEMS_MAX>,
}

/// In which order cards are used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(rename = "OrderOfUse")]
pub enum OrderOfUseInput {
    /// As the shopper entered them.
    AsEntered,
    /// The one that ends sooner first, then the smaller balance.
    SoonestExpiry,
    /// The smaller balance first, then the one that ends sooner.
    SmallestBalance,
    /// The one that was issued earlier first.
    OldestFirst,
}

/// An exchange rate.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "an object")]
#[schemars(rename = "Rate")]
pub struct RateInput {
    /// The currency of the one unit.
    pub from: CurrencyCode,
    /// The currency of its worth.
    pub to: CurrencyCode,
    /// What one unit of `from` is worth in `to`; more than 0. It also holds the other way, unless another rate is given
    /// for that.
    pub rate: RateText,
}

/// An order. Amounts are in its currency.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "an object")]
#[schemars(rename = "Order")]
pub struct OrderInput {
    /// The platform's id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<Name>,
    /// The shop; the `site` of this document if left out, and the same if given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub site: Option<Name>,
    /// Sales channel.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub channel: Option<Text>,
    /// The other payment method.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub payment_method: Option<Text>,
    /// Shipping method.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shipping_method: Option<Text>,
    /// Currency of every amount of the order.
    pub currency: CurrencyCode,
    /// What the order costs after all discounts, with shipping and tax, before any card.
    pub total: Amount,
    /// Paid already: by other means, and by cards in earlier payments for the order; nothing if left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub paid: Option<Amount>,
    /// Sums by part, for an order without lines. With lines they are worked out, and must agree where given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub totals: Option<TotalsInput>,
    /// The lines, shipping and fees among them; they add up to the total. May be left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lines: Option<List<LineInput, LINES_MAX>>,
    /// The discounts that were taken off already.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub discounts: Option<List<DiscountInput, LIST_ITEMS_MAX>>,
    /// Billing address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub billing: Option<AddressInput>,
    /// Shipping address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ship_to: Option<AddressInput>,
    /// Who orders; a guest if left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub customer: Option<CustomerInput>,
    /// When it was placed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub placed_at: Option<Instant>,
    /// Whatever else the platform knows.
    #[serde(default, skip_serializing_if = "super::bounds::is_empty_fields")]
    pub attributes: Fields<Attribute>,
}

/// Sums by part, tax included.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "an object")]
#[schemars(rename = "Totals")]
pub struct TotalsInput {
    /// Goods.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub goods: Option<Amount>,
    /// Lines that sell gift cards.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gift_cards: Option<Amount>,
    /// Shipping.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shipping: Option<Amount>,
    /// Fees.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fees: Option<Amount>,
    /// Tax within the total.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tax: Option<Amount>,
    /// All discounts, which were taken off already.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub discounts: Option<Amount>,
}

/// A line of an order.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "an object")]
#[schemars(rename = "Line")]
pub struct LineInput {
    /// What it is; goods if left out.
    #[serde(default)]
    pub part: PartInput,
    /// False for goods that no gift card may pay for; true if left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub payable_by_card: Option<bool>,
    /// How many; one if left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub quantity: Option<Quantity>,
    /// Price of one unit before discounts. May be left out for a quantity of one: then it is the total.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unit_price: Option<Amount>,
    /// What the shopper pays: after line discounts and the share of order discounts, tax included.
    pub total: Amount,
    /// How much of the total is tax.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tax: Option<Amount>,
    /// Stock keeping unit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sku: Option<Text>,
    /// Name on the invoice.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<Text>,
    /// The platform's product type.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub product_type: Option<Text>,
    /// Categories.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub categories: Option<List<Text, LIST_ITEMS_MAX>>,
    /// Tags.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tags: Option<List<Text, LIST_ITEMS_MAX>>,
    /// Whatever else the platform knows.
    #[serde(default, skip_serializing_if = "super::bounds::is_empty_fields")]
    pub attributes: Fields<Attribute>,
}

/// What a line is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(rename = "Part")]
pub enum PartInput {
    /// Something for sale that is not a gift card.
    #[default]
    Goods,
    /// The line sells a gift card.
    GiftCard,
    /// Shipping.
    Shipping,
    /// A fee.
    Fee,
}

/// A discount, already taken off the lines.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "an object")]
#[schemars(rename = "Discount")]
pub struct DiscountInput {
    /// The code the shopper entered.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<Text>,
    /// What it took off.
    pub amount: Amount,
}

/// A postal address.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "an object")]
#[schemars(rename = "Address")]
pub struct AddressInput {
    /// Two upper-case letters, as ISO 3166-1 lists them.
    #[schemars(regex(pattern = "^[A-Z]{2}$"))]
    pub country: String,
    /// Subdivision as ISO 3166-2 calls it, without the country, or the platform's own name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub region: Option<Text>,
    /// Postal code as written.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub postal_code: Option<Text>,
    /// City.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub city: Option<Text>,
}

/// Who orders.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "an object")]
#[schemars(rename = "Customer")]
pub struct CustomerInput {
    /// The platform's id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<Name>,
    /// Signed in with an account; false if left out.
    #[serde(default)]
    pub registered: bool,
    /// Roles.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub roles: Option<List<Text, LIST_ITEMS_MAX>>,
    /// Segments.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub segments: Option<List<Text, LIST_ITEMS_MAX>>,
    /// Email address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub email: Option<Text>,
    /// Number of earlier orders. Written without a fraction: `3.0` is refused, which a schema cannot say.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub orders: Option<Count>,
    /// Value of earlier orders, in the order's currency.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub spent: Option<Amount>,
    /// Whatever else the platform knows.
    #[serde(default, skip_serializing_if = "super::bounds::is_empty_fields")]
    pub attributes: Fields<Attribute>,
}

/// A programme: what cards of one kind have in common.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "an object")]
#[schemars(rename = "Programme")]
pub struct ProgrammeInput {
    /// Unique within its site.
    pub code_name: Name,
    /// The site it belongs to; the `site` of this document if left out. Its amounts are in the currency of this
    /// document's site even where it belongs to another.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub site: Option<Name>,
    /// Switched on; true if left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub enabled: Option<bool>,
    /// Its cards work from here on: an instant, or the start of a day in the site's zone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub valid_from: Option<DayOrInstant>,
    /// Its cards work until just before this instant, or to the end of this day in the site's zone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub valid_to: Option<DayOrInstant>,
    /// Who may use its cards; everyone if left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub audience: Option<AudienceInput>,
    /// The least order its cards can be used on, in the currency of this document's site, also where the programme is
    /// another site's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub minimum_order: Option<MinimumOrderInput>,
    /// What its cards may pay for, beside goods.
    #[serde(default)]
    pub pays: PaysInput,
    /// Other sites that accept its cards.
    #[serde(default, skip_serializing_if = "super::bounds::is_empty_list")]
    pub accepted_by: List<Name, LIST_ITEMS_MAX>,
    /// Its conditions, all of which must accept.
    #[serde(default, skip_serializing_if = "super::bounds::is_empty_list")]
    pub conditions: List<ConditionInput, LIST_ITEMS_MAX>,
}

/// Who may use a programme's cards.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(rename = "Audience")]
pub enum AudienceInput {
    /// Anyone.
    Everyone,
    /// Signed-in customers.
    Registered,
    /// Signed-in customers in at least one of these roles.
    Roles(#[schemars(length(min = 1))] List<Name, LIST_ITEMS_MAX>),
    /// The customer with this id.
    Customer(Name),
}

/// An amount and what it is compared with.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "an object")]
#[schemars(rename = "AmountAndBasis")]
pub struct AmountWithBasis {
    /// In the currency of this document's site.
    pub amount: Amount,
    /// What it is compared with; the total if left out.
    #[serde(default)]
    pub basis: BasisInput,
}

/// What a minimum order amount is compared with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(rename = "Basis")]
pub enum BasisInput {
    /// The order's total.
    #[default]
    Total,
    /// The order's total without tax.
    TotalWithoutTax,
    /// Goods only.
    Goods,
    /// Goods only, without tax.
    GoodsWithoutTax,
}

/// What cards may pay for, beside goods.
#[derive(Clone, Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "an object")]
#[schemars(rename = "Pays")]
pub struct PaysInput {
    /// Shipping; true if left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shipping: Option<bool>,
    /// Fees; true if left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fees: Option<bool>,
    /// Lines that sell gift cards; false if left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gift_cards: Option<bool>,
}

/// A condition plugin bound to a programme.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "an object")]
#[schemars(rename = "Condition")]
pub struct ConditionInput {
    /// Its id, or `id@version`. `giftcard plugin list` names those that are loaded.
    pub plugin: Name,
    /// Settings by name. `giftcard plugin inspect` shows which there are. An amount is a decimal string in the currency
    /// of this document's site or `{"amount": "25.00", "currency": "USD"}`; a quantity and a percentage are decimal
    /// strings. Each is checked by what the plugin declares, which a schema cannot say.
    #[serde(default, skip_serializing_if = "super::bounds::is_empty_fields")]
    pub settings: Fields<serde_json::Value>,
    /// What happens to a card when the condition fails instead of deciding; the card is refused if left out.
    #[serde(default)]
    pub on_failure: OnFailureInput,
}

/// What happens to a card when its condition fails instead of deciding.
#[derive(Clone, Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(rename = "OnFailure")]
pub enum OnFailureInput {
    /// The card is refused.
    #[default]
    RefuseCard,
    /// As if the condition accepted. Not allowed where the plugin limits several cards together.
    Ignore,
    /// Another version decides; if it fails too, the card is refused.
    Previous(PreviousInput),
}

/// Another version of a condition plugin, with its own settings.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "an object")]
#[schemars(rename = "Previous")]
pub struct PreviousInput {
    /// As `id@version`.
    pub plugin: Name,
    /// Settings by name.
    #[serde(default, skip_serializing_if = "super::bounds::is_empty_fields")]
    pub settings: Fields<serde_json::Value>,
}

/// A card as it stands.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "an object")]
#[schemars(rename = "Card")]
pub struct CardInput {
    /// What the card is called in answers; never its code, since answers are shown. `card-1` and so on, by position, if
    /// left out. Two entries have one id only if both have the same code.
    pub id: Option<Name>,
    /// The code as entered: two entries with one code are one card, and must say the same of it.
    pub code: Option<CardCode>,
    /// Code name of its programme; `manual` if left out.
    pub programme: Option<Name>,
    /// The site that issued it; the `site` of this document if left out.
    pub site: Option<Name>,
    /// Its currency; the order's if left out.
    pub currency: Option<CurrencyCode>,
    /// What is on it, in its own currency.
    pub balance: Amount,
    /// What of the balance is reserved for other orders; nothing if left out.
    pub held: Option<Amount>,
    /// What it was issued with; the balance if left out.
    pub initial: Option<Amount>,
    /// Its state; active if left out.
    #[serde(default)]
    pub status: StatusInput,
    /// When it was issued; now if left out.
    pub issued_at: Option<DayOrInstant>,
    /// It works until just before this instant, or to the end of this day in the site's zone; for ever if left out.
    pub expires_at: Option<DayOrInstant>,
    /// The most that the shopper wants it to pay, in the order's currency; more than nothing.
    pub use_at_most: Option<PositiveAmount>,
    /// Whatever else the platform knows.
    #[serde(default)]
    pub attributes: Fields<Attribute>,
}

/// The stored state of a card.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(rename = "Status")]
pub enum StatusInput {
    /// Sold, but its order is not invoiced yet.
    Pending,
    /// Can be used.
    #[default]
    Active,
    /// Blocked.
    Disabled,
    /// Gone for good.
    Closed,
}

/// An amount with its currency.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "an object")]
#[schemars(rename = "Money")]
pub struct MoneyInput {
    /// The amount.
    pub amount: Amount,
    /// Its currency.
    pub currency: CurrencyCode,
}

impl MoneyInput {
    /// The amount; less than nothing only where `negative` says so.
    pub(super) fn money(&self, negative: bool) -> Result<Money, InputError> {
        let currency = self.currency.currency().within("currency")?;
        Ok(Money::new(minor(&self.amount.0, currency, negative).within("amount")?, currency))
    }
}

/// A refund and the tenders that paid for the order: the input of `giftcard refund`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "an object")]
#[schemars(rename = "refund-input")]
pub struct RefundInput {
    /// The order's currency.
    pub currency: CurrencyCode,
    /// What the amount is of.
    pub mode: RefundMode,
    /// What is to go back, in the order's currency; more than nothing.
    pub amount: PositiveAmount,
    /// The tenders, in the order in which they paid. All of them are checked, whichever take part.
    pub payments: List<PaymentInput, LIST_ITEMS_MAX>,
}

/// What a refund is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum RefundMode {
    /// Of what gift cards paid: only they take part.
    Cards,
    /// Of the order: split over all tenders.
    Order,
}

/// What one tender paid for an order, and what has gone back to it.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "an object")]
#[schemars(rename = "Payment")]
pub struct PaymentInput {
    /// What the tender is called in the answer.
    pub id: Name,
    /// A gift card, or any other way to pay; a gift card if left out.
    #[serde(default)]
    pub tender: TenderInput,
    /// The tender's own currency; the order's if left out.
    pub currency: Option<CurrencyCode>,
    /// What it paid, in the order's currency.
    pub applied: Amount,
    /// What was taken from it, in its own currency. May be left out where that is the order's.
    pub taken: Option<Amount>,
    /// Of `applied`, what has gone back already; nothing if left out.
    pub applied_returned: Option<Amount>,
    /// Of `taken`, what has gone back already. May be left out in the order's currency, or where nothing has.
    pub taken_returned: Option<Amount>,
}

/// A way to pay.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(rename = "Tender")]
pub enum TenderInput {
    /// A gift card.
    #[default]
    Card,
    /// Any other.
    Other,
}
