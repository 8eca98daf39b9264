//! Random steps for model and ledger: wishes that become requests once it is known what there is, so that any part of a
//! sequence is one, too. Must not know answers.

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::{BoxedStrategy, Just, Strategy, any, prop_oneof};

use super::{Account, Ask, Change, Entry, HoldState, IssueCard, Model, Money, Pay, Status, Target};

const MINUTE_MS: i64 = 60_000;
const HOUR_MS: i64 = 60 * MINUTE_MS;
const DAY_MS: i64 = 24 * HOUR_MS;

/// Customers and orders there are.
const CUSTOMERS: u8 = 3;
const ORDERS: u8 = 6;

/// One step.
#[derive(Clone, Debug)]
pub struct Step {
    /// How the asker's clock moves before it, which may be back.
    pub wait_ms: i64,
    /// Under which key.
    pub key: Key,
    /// What is wanted.
    pub wish: Wish,
}

/// Under which key something is asked.
#[derive(Clone, Copy, Debug)]
pub enum Key {
    /// A new one.
    New,
    /// An earlier request is sent again, in place of the wish.
    Again(u8),
    /// That of an earlier request, for another.
    OfAnother(u8),
}

/// An amount by what there is.
#[derive(Clone, Copy, Debug)]
pub enum Size {
    /// All of it.
    All,
    /// One more than there is.
    More,
    /// So many 256ths.
    Part(u8),
    /// So many units, whatever there is.
    Units(u16),
}

impl Size {
    fn of(self, all: i64) -> i64 {
        match self {
            Self::All => all,
            Self::More => all + 1,
            Self::Part(part) => all * i64::from(part) / 256,
            Self::Units(units) => units.into(),
        }
    }
}

/// Which account: by its place from the last, or a customer's credit.
#[derive(Clone, Copy, Debug)]
pub enum Pick {
    /// A card or credit account that is active and not empty, if there is one; a card by its code or not.
    Good(u8, bool),
    /// Any that is there.
    Any(u8, bool),
    /// Store credit that may not be there.
    Credit(u8, Money),
}

/// What is wanted.
#[derive(Clone, Debug)]
#[allow(missing_docs)]
pub enum Wish {
    Issue(Vec<IssueWish>),
    ChangeState(Pick, Change),
    Purchase {
        activate: bool,
        order: u8,
        skip: bool,
    },
    Load(Pick, Size, Option<u16>),
    AdjustBy(Pick, Size, bool),
    AdjustTo(Pick, Size),
    Close(Pick),
    Expire(Pick),
    Reveal(Pick),
    ToCredit(Pick, u8),
    Transfer(Pick),
    RefundPurchase(Pick, Option<Size>),
    Pay(PayWish),
    Capture(u8, Option<Size>, bool),
    Void(u8),
    Refund(u8, bool, Size),
    RefundOther(u8, Pick, Size, Option<u16>),
    /// The process ends and another begins.
    Restart,
}

/// A card that is wanted; its end is counted from now.
#[derive(Clone, Debug)]
#[allow(missing_docs)]
pub struct IssueWish {
    pub money: Money,
    pub value: i64,
    pub active: bool,
    pub ends_in_ms: Option<i64>,
    pub customer: Option<u8>,
    pub bought_by: Option<u8>,
}

/// A payment that is wanted.
#[derive(Clone, Debug)]
#[allow(missing_docs)]
pub struct PayWish {
    pub order: u8,
    pub money: Money,
    pub total: Size,
    pub customer: Option<u8>,
    pub entries: Vec<(Pick, Option<u16>)>,
    pub is_exact: bool,
    pub require_full: bool,
    pub hold_minutes: Option<u32>,
}

/// Sequences of at most `most` steps, which begin with some cards.
pub fn sequences(most: usize) -> impl Strategy<Value = Vec<Step>> {
    let cards = vec(card(), 3..=3).prop_map(|cards| Step { wait_ms: 0, key: Key::New, wish: Wish::Issue(cards) });
    (cards, vec(step(), most / 4..most)).prop_map(|(first, rest)| std::iter::once(first).chain(rest).collect())
}

fn step() -> impl Strategy<Value = Step> {
    let wait = prop_oneof![
        60 => Just(0),
        6 => Just(1),
        9 => Just(MINUTE_MS),
        6 => Just(19 * MINUTE_MS),
        4 => Just(31 * MINUTE_MS),
        1 => Just(2 * HOUR_MS),
        1 => Just(25 * HOUR_MS),
        1 => Just(40 * DAY_MS),
        6 => Just(-MINUTE_MS),
        3 => Just(-2 * HOUR_MS),
    ];
    let key = prop_oneof![
        12 => Just(Key::New),
        2 => any::<u8>().prop_map(Key::Again),
        1 => any::<u8>().prop_map(Key::OfAnother),
    ];
    (wait, key, wish()).prop_map(|(wait_ms, key, wish)| Step { wait_ms, key, wish })
}

fn money() -> impl Strategy<Value = Money> {
    prop_oneof![6 => Just(Money::Usd), 3 => Just(Money::Pln), 1 => Just(Money::Eur)]
}

fn size() -> impl Strategy<Value = Size> {
    prop_oneof![
        3 => Just(Size::All),
        1 => Just(Size::More),
        4 => any::<u8>().prop_map(Size::Part),
        2 => (0_u16..12).prop_map(Size::Units),
    ]
}

fn customer() -> impl Strategy<Value = u8> {
    0..CUSTOMERS
}

fn order() -> impl Strategy<Value = u8> {
    0..ORDERS
}

fn pick() -> impl Strategy<Value = Pick> {
    prop_oneof![
        12 => (any::<u8>(), any::<bool>()).prop_map(|(place, by_code)| Pick::Good(place, by_code)),
        4 => (any::<u8>(), any::<bool>()).prop_map(|(place, by_code)| Pick::Any(place, by_code)),
        1 => (customer(), money()).prop_map(|(customer, money)| Pick::Credit(customer, money)),
    ]
}

fn card() -> impl Strategy<Value = IssueWish> {
    let value = prop_oneof![4 => 500_i64..20_000, 1 => 1_i64..12];
    let end = prop_oneof![Just(10 * MINUTE_MS), Just(HOUR_MS), Just(DAY_MS)];
    let active = prop_oneof![8 => Just(true), 1 => Just(false)];
    (
        money(),
        value,
        active,
        option::weighted(0.3, end),
        option::weighted(0.4, customer()),
        option::weighted(0.3, 0_u8..2),
    )
        .prop_map(|(money, value, active, ends_in_ms, customer, bought_by)| IssueWish {
            money,
            value,
            // What is bought waits for its invoice, mostly.
            active: active && (bought_by.is_none() || value % 3 == 0),
            ends_in_ms,
            customer,
            bought_by,
        })
}

fn payment() -> impl Strategy<Value = PayWish> {
    let entry = (pick(), option::weighted(0.3, 0_u16..6_000));
    let total = prop_oneof![5 => any::<u8>().prop_map(Size::Part), 1 => Just(Size::All), 1 => (0_u16..12).prop_map(Size::Units)];
    let minutes = option::of(prop_oneof![Just(1_u32), Just(20), Just(30), Just(600)]);
    let (exact, full) = (proptest::bool::weighted(0.2), proptest::bool::weighted(0.2));
    (order(), money(), total, option::weighted(0.4, customer()), vec(entry, 1..4), exact, full, minutes).prop_map(
        |(order, money, total, customer, mut entries, is_exact, require_full, hold_minutes)| {
            if is_exact {
                entries.truncate(1);
            }
            PayWish { order, money, total, customer, entries, is_exact, require_full, hold_minutes }
        },
    )
}

fn wish() -> BoxedStrategy<Wish> {
    let change = prop_oneof![Just(Change::Activate), Just(Change::Disable), Just(Change::Enable)];
    prop_oneof![
        4 => vec(card(), 1..3).prop_map(Wish::Issue),
        3 => (pick(), change).prop_map(|(pick, change)| Wish::ChangeState(pick, change)),
        2 => (any::<bool>(), 0_u8..2, any::<bool>())
            .prop_map(|(activate, order, skip)| Wish::Purchase { activate, order, skip }),
        3 => (pick(), size(), option::weighted(0.3, any::<u16>())).prop_map(|(pick, size, most)| Wish::Load(pick, size, most)),
        2 => (pick(), size(), any::<bool>()).prop_map(|(pick, size, up)| Wish::AdjustBy(pick, size, up)),
        1 => (pick(), size()).prop_map(|(pick, size)| Wish::AdjustTo(pick, size)),
        1 => pick().prop_map(Wish::Close),
        1 => pick().prop_map(Wish::Expire),
        1 => pick().prop_map(Wish::Reveal),
        2 => (pick(), customer()).prop_map(|(pick, customer)| Wish::ToCredit(pick, customer)),
        2 => pick().prop_map(Wish::Transfer),
        1 => (pick(), option::of(size())).prop_map(|(pick, size)| Wish::RefundPurchase(pick, size)),
        22 => payment().prop_map(Wish::Pay),
        10 => (any::<u8>(), option::weighted(0.7, size()), proptest::bool::weighted(0.2))
            .prop_map(|(hold, size, is_final)| Wish::Capture(hold, size, is_final)),
        2 => any::<u8>().prop_map(Wish::Void),
        9 => (any::<u8>(), any::<bool>(), size()).prop_map(|(order, whole, size)| Wish::Refund(order, whole, size)),
        2 => (any::<u8>(), pick(), size(), option::of(any::<u16>()))
            .prop_map(|(order, pick, size, paid)| Wish::RefundOther(order, pick, size, paid)),
        1 => Just(Wish::Restart),
    ]
    .boxed()
}

impl Wish {
    /// The request that a wish is now; `None` where there is nothing that it could be about, and for a restart.
    #[must_use]
    pub fn request(&self, model: &Model, now: i64) -> Option<Ask> {
        let target = |pick: &Pick| target(model, *pick);
        let balance = |pick: &Pick| account(model, *pick).map_or(1_000, |account| model.accounts[account].balance);
        Some(match self {
            Self::Issue(cards) => Ask::Issue(cards.iter().map(|card| issued(card, now)).collect()),
            Self::ChangeState(pick, change) => {
                let status = match change {
                    Change::Activate => Status::Pending,
                    Change::Disable => Status::Active,
                    Change::Enable => Status::Disabled,
                };
                let pick = fitting(model, *pick, |account| account.status == status);
                Ask::ChangeState { target: target(&pick)?, change: *change }
            }
            Self::Purchase { activate, order, skip } => purchase(model, *activate, *order, *skip)?,
            Self::Load(pick, size, most) => {
                let most = most.map(i64::from);
                Ask::Load { target: target(pick)?, amount: size.of(2_000), most }
            }
            Self::AdjustBy(pick, size, up) => {
                let by = size.of(balance(pick));
                Ask::AdjustBy { target: target(pick)?, by: if *up { by } else { -by } }
            }
            Self::AdjustTo(pick, size) => Ask::AdjustTo { target: target(pick)?, to: size.of(balance(pick)) },
            Self::Close(pick) => {
                let is_empty = |account: &Account| account.status != Status::Closed && account.balance == 0;
                Ask::Close {
                    target: target(&fitting(model, *pick, |account| is_empty(account) && !account.is_credit))?,
                }
            }
            Self::Expire(pick) => {
                let has_ended = |account: &Account| account.expires_at.is_some_and(|end| end <= now);
                let fits = |account: &Account| account.status != Status::Closed && has_ended(account);
                Ask::Expire { target: target(&fitting(model, *pick, fits))? }
            }
            Self::Reveal(pick) => Ask::Reveal { target: target(pick)? },
            Self::ToCredit(pick, customer) => {
                let owner = account(model, *pick).and_then(|account| model.accounts[account].customer);
                // Mostly the owner's, or it is refused for that alone.
                let customer = if customer % CUSTOMERS == 0 { *customer } else { owner.unwrap_or(*customer) };
                Ask::ToCredit { target: target(pick)?, customer }
            }
            Self::Transfer(pick) => Ask::Transfer { target: target(pick)? },
            Self::RefundPurchase(pick, size) => {
                Ask::RefundPurchase { target: target(pick)?, amount: size.map(|size| size.of(balance(pick))) }
            }
            Self::Pay(wish) => Ask::Pay(pay(model, wish)?),
            Self::Capture(hold, size, is_final) => {
                let hold = pick_hold(model, *hold)?;
                let left = model.holds[hold].lines.iter().map(|line| line.applied - line.applied_captured).sum();
                Ask::Capture { hold, amount: size.map(|size| size.of(left)), is_final: *is_final }
            }
            Self::Void(hold) => Ask::Void { hold: pick_hold(model, *hold)? },
            Self::Refund(order, whole, size) => {
                let (order, whole) = (pick_order(model, *order), *whole);
                Ask::Refund { order, whole, amount: size.of(refundable(model, order, whole)).max(1) }
            }
            Self::RefundOther(order, pick, size, paid) => {
                let order = pick_order(model, *order);
                let left = refundable(model, order, true) - refundable(model, order, false);
                let (amount, paid) = (size.of(left), paid.map(i64::from));
                Ask::RefundOther { order, target: target(pick)?, amount, paid }
            }
            Self::Restart => return None,
        })
    }
}

fn issued(card: &IssueWish, now: i64) -> IssueCard {
    IssueCard {
        money: card.money,
        value: card.value,
        active: card.active,
        expires_at: card.ends_in_ms.map(|after| now + after),
        customer: card.customer,
        bought_by: card.bought_by,
    }
}

/// The accounts that are there, counted from the last.
fn account(model: &Model, pick: Pick) -> Option<usize> {
    match pick {
        Pick::Any(place, _) => from_last(0..model.accounts.len(), place),
        Pick::Good(place, _) => {
            let is_good = |account: &usize| {
                let account = &model.accounts[*account];
                account.status == Status::Active && account.balance > 0
            };
            from_last((0..model.accounts.len()).filter(is_good), place)
                .or_else(|| account(model, Pick::Any(place, false)))
        }
        Pick::Credit(customer, money) => model.credits.get(&(customer, money)).copied(),
    }
}

/// Mostly an account that fits, if there is one.
fn fitting(model: &Model, pick: Pick, fits: impl Fn(&Account) -> bool) -> Pick {
    let (Pick::Good(place, by_code) | Pick::Any(place, by_code)) = pick else { return pick };
    let fitting = (0..model.accounts.len()).filter(|account| fits(&model.accounts[*account]));
    match from_last(fitting, place) {
        Some(account) if !place.is_multiple_of(4) => {
            let from_last = model.accounts.len() - 1 - account;
            Pick::Any(u8::try_from(from_last).unwrap_or(place), by_code)
        }
        _ => pick,
    }
}

fn target(model: &Model, pick: Pick) -> Option<Target> {
    match pick {
        Pick::Credit(customer, money) => Some(Target::Credit(customer, money)),
        Pick::Any(_, by_code) | Pick::Good(_, by_code) => {
            let card = account(model, pick)?;
            let found = &model.accounts[card];
            match (found.is_credit, found.customer) {
                (true, Some(customer)) => Some(Target::Credit(customer, found.money)),
                _ => Some(Target::Card { card, by_code }),
            }
        }
    }
}

fn from_last(places: impl Iterator<Item = usize>, place: u8) -> Option<usize> {
    let places: Vec<usize> = places.collect();
    let count = places.len();
    (count > 0).then(|| places[count - 1 - usize::from(place) % count])
}

/// Mostly one that is open.
fn pick_hold(model: &Model, place: u8) -> Option<usize> {
    let all = 0..model.holds.len();
    let open = all.clone().filter(|hold| model.holds[*hold].state == HoldState::Open);
    if place.is_multiple_of(8) { from_last(all, place / 8) } else { from_last(open, place) }
}

/// Mostly one that is known.
fn pick_order(model: &Model, place: u8) -> u8 {
    let known: Vec<u8> = model.orders.keys().copied().collect();
    if known.is_empty() || place.is_multiple_of(16) { place % ORDERS } else { known[usize::from(place) % known.len()] }
}

fn purchase(model: &Model, activate: bool, order: u8, skip: bool) -> Option<Ask> {
    let cards = (0..model.accounts.len()).filter(|account| model.accounts[*account].bought_by == Some(order));
    let cards: Vec<usize> = cards.skip(usize::from(skip)).collect();
    if cards.is_empty() {
        return None;
    }
    Some(match activate {
        true => Ask::ActivatePurchase { order, cards },
        false => Ask::CancelPurchase { order, cards },
    })
}

fn pay(model: &Model, wish: &PayWish) -> Option<Pay> {
    // The same order mostly keeps its currency, or it is refused for that alone.
    let known = model.orders.get(&wish.order).map(|order| order.money);
    let money = known.filter(|_| wish.total.of(256) % 8 != 0).unwrap_or(wish.money);
    let mut entries: Vec<Entry> = Vec::new();
    let mut all = 0;
    for (pick, most) in &wish.entries {
        let target = match target(model, *pick)? {
            // A customer's credit pays in the order's currency.
            Target::Credit(customer, _) => Target::Credit(customer, money),
            target => target,
        };
        let account = model.find(&target).ok();
        all += account.map_or(0, |account| model.accounts[account].balance);
        // The same card twice has the same limit twice.
        let same = entries.iter().find(|entry| model.find(&entry.target).ok() == account || entry.target == target);
        let most = same.map_or_else(|| most.map(|most| i64::from(most) + 1), |same| same.most);
        entries.push(Entry { target, most });
    }
    let mut total = wish.total.of(2 * all);
    if wish.is_exact {
        let most = entries[0].most.unwrap_or(all / 2 + 1);
        entries[0].most = Some(most);
        total = total.max(most);
    }
    // Who pays an order again mostly knows what was paid already.
    let known = model.paid_by_cards(wish.order);
    let paid = if wish.total.of(256) % 16 == 5 { 0 } else { known };
    Some(Pay {
        order: wish.order,
        money,
        total: total + known,
        paid,
        customer: wish.customer,
        entries,
        is_exact: wish.is_exact,
        require_full: wish.require_full,
        hold_minutes: wish.hold_minutes,
    })
}

fn refundable(model: &Model, order: u8, whole: bool) -> i64 {
    let Some(order) = model.orders.get(&order) else { return 100 };
    let by_cards: i64 = order.tenders.iter().map(|tender| tender.applied).sum();
    let left: i64 = order.tenders.iter().map(|tender| tender.applied - tender.applied_returned).sum();
    if whole { left + (order.total - by_cards - order.other_returned).max(0) } else { left }
}
