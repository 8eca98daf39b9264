//! What an expression may name, and of what kind it is. Must not know values.

/// The kind of a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Flag,
    /// A whole number.
    Number,
    /// Minor units of the order's currency.
    Money,
    Text,
    List(Box<Kind>),
    Record(&'static Record),
    /// What the platform gave, of whatever kind.
    Any,
}

impl Kind {
    pub(crate) fn name(&self) -> String {
        match self {
            Self::Flag => "true or false".to_string(),
            Self::Number => "a number".to_string(),
            Self::Money => "an amount of money".to_string(),
            Self::Text => "a text".to_string(),
            Self::List(_) => "a list".to_string(),
            Self::Record(record) => format!("`{}`, which has parts", record.name),
            Self::Any => "an attribute".to_string(),
        }
    }

    /// Whether two of them can be compared.
    pub(crate) fn fits(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Any, _) | (_, Self::Any) => true,
            (Self::List(one), Self::List(other)) => one.fits(other),
            (one, other) => one == other,
        }
    }

    /// The one of two that fit of which more is known.
    pub(crate) fn or(self, other: Self) -> Self {
        if self == Self::Any { other } else { self }
    }

    /// Whether one is an amount and the other of an unknown kind: together they would pass for either.
    pub(crate) fn hides(&self, other: &Self) -> bool {
        matches!((self, other), (Self::Any, Self::Money) | (Self::Money, Self::Any))
    }
}

/// A record and its fields.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Record {
    pub(crate) name: &'static str,
    pub(crate) fields: &'static [(&'static str, Field)],
}

/// [`Kind`], as a constant can have it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Field {
    Flag,
    Number,
    Money,
    Text,
    Texts,
    Record(&'static Record),
    Records(&'static Record),
    /// By name, of any kind.
    Attributes,
}

impl Field {
    pub(crate) fn kind(&self) -> Kind {
        match self {
            Self::Flag => Kind::Flag,
            Self::Number => Kind::Number,
            Self::Money => Kind::Money,
            Self::Text => Kind::Text,
            Self::Texts => Kind::List(Box::new(Kind::Text)),
            Self::Record(record) => Kind::Record(record),
            Self::Records(record) => Kind::List(Box::new(Kind::Record(record))),
            Self::Attributes => Kind::Any,
        }
    }
}

impl Record {
    pub(crate) fn field(&self, name: &str) -> Option<Kind> {
        self.fields.iter().find(|(field, _)| *field == name).map(|(_, field)| field.kind())
    }

    pub(crate) fn names(&self) -> String {
        self.fields.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ")
    }
}

/// What stands by itself.
pub(crate) static ROOTS: [(&str, &Record); 4] =
    [("order", &ORDER), ("customer", &CUSTOMER), ("card", &CARD), ("now", &NOW)];

static ORDER: Record = Record {
    name: "order",
    fields: &[
        ("id", Field::Text),
        ("site", Field::Text),
        ("channel", Field::Text),
        ("payment_method", Field::Text),
        ("shipping_method", Field::Text),
        ("currency", Field::Text),
        ("total", Field::Money),
        ("paid", Field::Money),
        ("goods", Field::Money),
        ("gift_cards", Field::Money),
        ("shipping", Field::Money),
        ("fees", Field::Money),
        ("tax", Field::Money),
        ("discounts_total", Field::Money),
        ("lines", Field::Records(&LINE)),
        ("discounts", Field::Records(&DISCOUNT)),
        ("billing", Field::Record(&ADDRESS)),
        ("ship_to", Field::Record(&ADDRESS)),
        ("attributes", Field::Attributes),
    ],
};

static LINE: Record = Record {
    name: "line",
    fields: &[
        ("part", Field::Text),
        ("quantity_milli", Field::Number),
        ("unit_price", Field::Money),
        ("total", Field::Money),
        ("tax", Field::Money),
        ("sku", Field::Text),
        ("name", Field::Text),
        ("product_type", Field::Text),
        ("categories", Field::Texts),
        ("tags", Field::Texts),
        ("attributes", Field::Attributes),
    ],
};

static DISCOUNT: Record = Record { name: "discount", fields: &[("code", Field::Text), ("amount", Field::Money)] };

static ADDRESS: Record = Record {
    name: "address",
    fields: &[("country", Field::Text), ("region", Field::Text), ("postal_code", Field::Text), ("city", Field::Text)],
};

static CUSTOMER: Record = Record {
    name: "customer",
    fields: &[
        ("id", Field::Text),
        ("registered", Field::Flag),
        ("roles", Field::Texts),
        ("segments", Field::Texts),
        ("email", Field::Text),
        ("orders", Field::Number),
        ("spent", Field::Money),
        ("attributes", Field::Attributes),
    ],
};

static CARD: Record = Record {
    name: "card",
    fields: &[
        ("programme", Field::Text),
        ("currency", Field::Text),
        ("available", Field::Money),
        ("age_days", Field::Number),
        ("days_left", Field::Number),
        ("attributes", Field::Attributes),
    ],
};

static NOW: Record =
    Record { name: "now", fields: &[("date", Field::Text), ("time", Field::Text), ("weekday", Field::Number)] };
