//! Orders in the model: paid, held, captured, given back.

use std::collections::btree_map::Entry::{Occupied, Vacant};

use super::{
    Account, Counter, EXTENSION_MS, Hold, HoldLine, HoldState, Model, Money, No, Order, Pay, Reply, Status, Target,
    Tender, mistake, no,
};

/// A share of an order: account, applied, taken.
type Share = (usize, i64, i64);

/// What one entry comes to: a share, which may be nothing, or why it may not pay.
type Entered = Result<Share, &'static str>;

/// The greatest whole number that is not above `amount * numerator / denominator`.
fn floor(amount: i64, numerator: i128, denominator: i128) -> i64 {
    i64::try_from(i128::from(amount) * numerator / denominator).expect("amounts of tests are small")
}

/// The least whole number that is not below it.
fn ceil(amount: i64, numerator: i128, denominator: i128) -> i64 {
    let product = i128::from(amount) * numerator;
    i64::try_from((product + denominator - 1) / denominator).expect("amounts of tests are small")
}

impl Model {
    fn is_open(&self, hold: usize, now: i64) -> bool {
        self.holds[hold].state == HoldState::Open && self.holds[hold].ends_at > now
    }

    /// What an account has for an order, whose own open hold is given up for it.
    fn available_for(&self, account: usize, order: u8) -> i64 {
        let own = self.orders.get(&order).and_then(|order| order.hold).map_or(&[][..], |hold| &self.holds[hold].lines);
        let own: i64 =
            own.iter().filter(|line| line.account == account).map(|line| line.taken - line.taken_captured).sum();
        self.accounts[account].balance - self.held(account) + own
    }

    /// What each entry pays, in their order; a card that was entered before pays once.
    fn decide(&self, pay: &Pay, now: i64) -> Vec<Entered> {
        let mut left = pay.total - pay.paid;
        let mut paid: Vec<usize> = Vec::new();
        let mut entered = Vec::new();
        for entry in &pay.entries {
            let Ok(account) = self.find(&entry.target) else {
                entered.push(Err("card-not-found"));
                continue;
            };
            if paid.contains(&account) {
                continue;
            }
            paid.push(account);
            let share = self.share(account, pay, entry.most, left, now);
            left -= share.map_or(0, |(_, applied, _)| applied);
            entered.push(share);
        }
        entered
    }

    fn share(&self, account: usize, pay: &Pay, most: Option<i64>, left: i64, now: i64) -> Entered {
        let Account { status, money, .. } = self.accounts[account];
        let available = self.available_for(account, pay.order);
        match status {
            Status::Closed => return Err("card-closed"),
            Status::Disabled => return Err("card-disabled"),
            Status::Pending => return Err("card-pending"),
            Status::Active => {}
        }
        if self.has_expired(account, now) {
            return Err("card-expired");
        }
        if available == 0 {
            return Err("card-empty");
        }
        let Some((numerator, denominator)) = money.rate_to(pay.money) else { return Err("currency-mismatch") };
        let worth = floor(available, numerator, denominator);
        if worth == 0 {
            return Err("worth-nothing-here");
        }
        let applied = worth.min(left).min(most.unwrap_or(i64::MAX));
        let taken = ceil(applied, denominator, numerator).min(available);
        Ok((account, applied, taken))
    }

    pub(super) fn pay(&mut self, pay: &Pay, now: i64) -> Result<Reply, No> {
        let entered = self.decide(pay, now);
        let applied: i64 = entered.iter().flatten().map(|(_, applied, _)| applied).sum();
        let due = pay.total - pay.paid - applied;
        if pay.is_exact && Some(applied) != pay.entries[0].most {
            return no(entered[0].err().unwrap_or("insufficient-funds"));
        }
        if pay.require_full && due > 0 {
            return no("not-fully-covered");
        }
        if applied == 0 && due > 0 {
            return no("no-card-usable");
        }
        self.begin_order(pay, applied, now)?;
        let shares: Vec<Share> = entered.into_iter().flatten().filter(|(_, applied, _)| *applied > 0).collect();
        let mut reply = Reply { applied: Some(applied), due: Some(due), ..Reply::default() };
        for (account, applied, _) in &shares {
            self.line(&mut reply, *account, Some(*applied));
        }
        match pay.hold_minutes {
            None => shares.iter().for_each(|share| self.paid(pay.order, *share)),
            Some(minutes) => {
                let ends_at = now + i64::from(minutes) * 60_000;
                let line = |(account, applied, taken)| HoldLine {
                    account,
                    applied,
                    taken,
                    applied_captured: 0,
                    taken_captured: 0,
                };
                let lines = shares.into_iter().map(line).collect();
                let (order, money) = (pay.order, pay.money);
                self.holds.push(Hold { order, money, state: HoldState::Open, ends_at, due, lines });
                let hold = self.holds.len() - 1;
                self.order(order).hold = Some(hold);
                (reply.hold, reply.hold_state, reply.ends_at) = (Some(hold), Some(HoldState::Open), Some(ends_at));
                reply.remaining = Some(applied);
            }
        }
        Ok(reply)
    }

    fn order(&mut self, order: u8) -> &mut Order {
        self.orders.get_mut(&order).expect("an order of a hold or payment is there")
    }

    /// The order as it is paid for now; an open hold of it is replaced.
    fn begin_order(&mut self, pay: &Pay, applied: i64, now: i64) -> Result<(), No> {
        if let Some(order) = self.orders.get(&pay.order) {
            if order.money != pay.money {
                return mistake("order-currency-changed");
            }
            if let Some(hold) = order.hold {
                if self.holds[hold].lines.iter().any(|line| line.applied_captured > 0) {
                    return no("hold-partly-captured");
                }
                let state = if self.is_open(hold, now) { HoldState::Replaced } else { HoldState::Expired };
                self.end_hold(hold, state);
            }
        }
        if applied > 0 && self.paid_by_cards(pay.order) + applied > pay.total {
            return mistake("order-already-paid");
        }
        let new =
            Order { money: pay.money, total: 0, hold: None, tenders: Vec::new(), other_returned: 0, customer: None };
        let order = self.orders.entry(pay.order).or_insert(new);
        order.total = pay.total;
        order.customer = pay.customer.or(order.customer);
        Ok(())
    }

    /// What cards paid for an order and did not get back.
    #[must_use]
    pub fn paid_by_cards(&self, order: u8) -> i64 {
        let tenders = self.orders.get(&order).map_or(&[][..], |order| &order.tenders);
        tenders.iter().map(|tender| tender.applied - tender.applied_returned).sum()
    }

    pub(super) fn end_hold(&mut self, hold: usize, state: HoldState) {
        self.holds[hold].state = state;
        let order = self.holds[hold].order;
        self.order(order).hold = None;
    }

    /// A share leaves its account for the order.
    fn paid(&mut self, order: u8, (account, applied, taken): Share) {
        let (money, order_money) = (self.accounts[account].money, self.orders[&order].money);
        self.accounts[account].balance -= taken;
        self.count(Counter::Redemption, order_money, applied);
        if money != order_money {
            self.count(Counter::Exchange, money, taken);
            self.count(Counter::Exchange, order_money, -applied);
        }
        let tenders = &mut self.order(order).tenders;
        // What goes back of a converted payment follows from that payment alone.
        match tenders.iter_mut().find(|tender| tender.account == account && money == order_money) {
            Some(tender) => {
                tender.applied += applied;
                tender.taken += taken;
            }
            None => tenders.push(Tender { account, applied, taken, applied_returned: 0, taken_returned: 0 }),
        }
    }

    pub(super) fn capture(&mut self, hold: usize, amount: Option<i64>, is_final: bool, now: i64) -> Result<Reply, No> {
        if !self.is_open(hold, now) {
            return no("hold-not-open");
        }
        let Hold { order, ends_at, .. } = self.holds[hold];
        let left: i64 = self.holds[hold].lines.iter().map(|line| line.applied - line.applied_captured).sum();
        let amount = amount.unwrap_or(left);
        if amount == 0 && !is_final && left > 0 {
            return mistake("amount-not-positive");
        }
        if amount > left {
            return no("capture-above-hold");
        }
        let is_final = is_final || amount == left;
        let mut reply = Reply { applied: Some(amount), hold: Some(hold), ..Reply::default() };
        let mut open = amount;
        for number in 0..self.holds[hold].lines.len() {
            let line = self.holds[hold].lines[number].clone();
            let applied = open.min(line.applied - line.applied_captured);
            open -= applied;
            // Of what is held, the part of it that was captured so far, rounded up.
            let captured = line.applied_captured + applied;
            let taken_so_far = ceil(line.taken, captured.into(), line.applied.into());
            let taken = taken_so_far - line.taken_captured;
            let freed = if is_final { line.taken - taken_so_far } else { 0 };
            if taken + freed > 0 {
                self.line(&mut reply, line.account, Some(applied));
            }
            let line = &mut self.holds[hold].lines[number];
            (line.applied_captured, line.taken_captured) = (captured, taken_so_far);
            if applied > 0 {
                let account = line.account;
                self.paid(order, (account, applied, taken));
            }
        }
        if is_final {
            self.end_hold(hold, HoldState::Captured);
        }
        reply.hold_state = Some(self.holds[hold].state);
        reply.remaining = Some(if is_final { 0 } else { left - amount });
        reply.ends_at = (!is_final).then_some(ends_at);
        Ok(reply)
    }

    pub(super) fn void(&mut self, hold: usize, now: i64) -> Result<Reply, No> {
        if !self.is_open(hold, now) {
            return no("hold-not-open");
        }
        if self.holds[hold].lines.iter().any(|line| line.applied_captured > 0) {
            return no("hold-partly-captured");
        }
        let accounts: Vec<usize> = self.holds[hold].lines.iter().map(|line| line.account).collect();
        let reply = self.reply(&accounts);
        self.end_hold(hold, HoldState::Voided);
        Ok(Reply { hold: Some(hold), hold_state: Some(HoldState::Voided), ..reply })
    }

    /// Where what an account paid goes back to: itself, what replaced it, its customer's credit, or a new card.
    fn refund_target(&self, order: &Order, tender: usize) -> Result<usize, Option<u8>> {
        let mut account = order.tenders[tender].account;
        while let Some(next) = self.accounts[account].replaced_by {
            account = next;
        }
        match self.accounts[account].status {
            Status::Closed => Err(self.accounts[account].customer.or(order.customer)),
            _ => Ok(account),
        }
    }

    /// How many new cards a refund of an order may need.
    #[must_use]
    pub fn new_cards_for(&self, order: u8) -> usize {
        let Some(order) = self.orders.get(&order) else { return 0 };
        (0..order.tenders.len()).filter(|tender| self.refund_target(order, *tender) == Err(None)).count()
    }

    /// What each tender gets back of an amount, by what it still has refundable; the last is the other payment.
    fn split(&self, order: &Order, whole: bool, amount: i64) -> Result<Vec<i64>, No> {
        let mut left: Vec<i64> = order.tenders.iter().map(|tender| tender.applied - tender.applied_returned).collect();
        let by_cards: i64 = order.tenders.iter().map(|tender| tender.applied).sum();
        let other = (order.total - by_cards).max(0);
        left.push(if whole { other - order.other_returned.min(other) } else { 0 });
        let all: i64 = left.iter().sum();
        if amount > all {
            return no("refund-above-refundable");
        }
        // Whole units first, then one more each to those who lost most, the earlier first.
        let exact = |left: i64| i128::from(amount) * i128::from(left);
        let mut back: Vec<i64> = left.iter().map(|left| floor(amount, (*left).into(), all.into())).collect();
        let mut by_loss: Vec<usize> = (0..left.len()).collect();
        by_loss.sort_by_key(|place| std::cmp::Reverse(exact(left[*place]) % i128::from(all)));
        let missing = usize::try_from(amount - back.iter().sum::<i64>()).expect("shares are rounded down");
        by_loss.iter().take(missing).for_each(|place| back[*place] += 1);
        Ok(back)
    }

    pub(super) fn refund(&mut self, order: u8, whole: bool, amount: i64, now: i64) -> Result<Reply, No> {
        let Some(record) = self.orders.get(&order).cloned() else { return mistake("order-not-found") };
        let back = self.split(&record, whole, amount)?;
        let (to_tenders, other) = back.split_at(record.tenders.len());
        let other = other[0];
        let targets: Vec<_> = (0..record.tenders.len()).map(|tender| self.refund_target(&record, tender)).collect();
        let mut reply = Reply { applied: Some(amount - other), due: (other > 0).then_some(other), ..Reply::default() };
        for (number, applied) in to_tenders.iter().enumerate().filter(|(_, applied)| **applied > 0) {
            let tender = record.tenders[number].clone();
            let returned = tender.applied_returned + applied;
            let taken = floor(tender.taken, returned.into(), tender.applied.into()) - tender.taken_returned;
            let paid = self.accounts[tender.account].clone();
            let account = match targets[number] {
                Ok(account) => account,
                Err(Some(customer)) => self.credit(customer, paid.money),
                Err(None) => {
                    self.accounts.push(Account {
                        status: Status::Active,
                        balance: 0,
                        initial: taken,
                        replaced_by: None,
                        bought_by: None,
                        ..paid.clone()
                    });
                    self.accounts.len() - 1
                }
            };
            if self.has_expired(account, now) {
                let end = self.accounts[account].expires_at.expect("it has an end");
                self.accounts[account].expires_at = Some(end.max(now + EXTENSION_MS));
            }
            self.line(&mut reply, account, Some(*applied));
            self.accounts[account].balance += taken;
            self.count(Counter::Redemption, record.money, -applied);
            if paid.money != record.money {
                self.count(Counter::Exchange, paid.money, -taken);
                self.count(Counter::Exchange, record.money, *applied);
            }
            let tender = &mut self.order(order).tenders[number];
            tender.applied_returned += applied;
            tender.taken_returned += taken;
        }
        self.order(order).other_returned += other;
        Ok(reply)
    }

    pub(super) fn refund_other(
        &mut self,
        order: u8,
        target: &Target,
        amount: i64,
        paid: Option<i64>,
    ) -> Result<Reply, No> {
        let account = self.find_or_open(target)?;
        let money: Money = self.accounts[account].money;
        if self.accounts[account].status == Status::Closed {
            return no("card-closed");
        }
        if amount <= 0 {
            return mistake("amount-not-positive");
        }
        let new = |total| Order { money, total, hold: None, tenders: Vec::new(), other_returned: 0, customer: None };
        let record = match (self.orders.entry(order), paid) {
            (Occupied(known), _) => known.into_mut(),
            (Vacant(unknown), Some(total)) => unknown.insert(new(total)),
            (Vacant(_), None) => return mistake("order-not-found"),
        };
        if record.money != money {
            return mistake("currency-mismatch");
        }
        let by_cards: i64 = record.tenders.iter().map(|tender| tender.applied).sum();
        if amount > record.total - by_cards - record.other_returned {
            return no("refund-above-refundable");
        }
        record.other_returned += amount;
        let mut reply = Reply { applied: Some(amount), ..Reply::default() };
        self.line(&mut reply, account, Some(amount));
        self.move_money(account, amount, Counter::Redemption);
        Ok(reply)
    }
}
