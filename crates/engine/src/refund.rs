//! How a refund goes back to the tenders that paid. Must not know cards or where the money is booked.
//!
//! The amount is split by what each tender still has refundable, by largest remainder, ties to the earlier tender.
//! What goes back to a converted card follows cumulatively from what has been applied and taken, so that a full
//! refund returns exactly what was taken.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::cmp::Reverse;
use core::fmt;

use crate::money::{Minor, proportional_floor};
use crate::value::Step;

/// What one tender paid for an order, and what has gone back to it. `applied` in the order's currency, `taken` in the
/// tender's own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Payment {
    /// Paid for the order; at least 0.
    pub applied: Minor,
    /// Taken from the tender; at least 0.
    pub taken: Minor,
    /// Of `applied`, gone back already.
    pub applied_returned: Minor,
    /// Of `taken`, gone back already.
    pub taken_returned: Minor,
}

impl Payment {
    /// What may still go back, in the order's currency.
    #[must_use]
    pub fn refundable(&self) -> Minor {
        self.applied.less(self.applied_returned)
    }

    /// What goes back to the tender, in its own currency, when `applied` more of the order's goes back: cumulative,
    /// rounded down, and everything that is left with the last of it.
    #[must_use]
    pub fn taken_for(&self, applied: Minor) -> Minor {
        let returned = self.applied_returned.plus(applied).unwrap_or(Minor::MAX);
        proportional_floor(self.taken, returned, self.applied).less(self.taken_returned)
    }
}

/// A refund to split.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefundRequest {
    /// In the order's currency; more than 0.
    pub amount: Minor,
    /// Decimals of the order's currency, for explanations only.
    pub exponent: u8,
    /// The tenders, in the order they paid.
    pub payments: Vec<Payment>,
}

/// One tender's part of a refund.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RefundShare {
    /// In the order's currency.
    pub applied: Minor,
    /// In the tender's own.
    pub taken: Minor,
}

/// Why a refund is refused whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RefundRefused {
    /// Nothing or less was asked for.
    NotPositive,
    /// More than is still refundable, which is given.
    AboveRefundable(Minor),
    /// A payment contradicts itself: its index and what is wrong.
    BadPayment(usize, String),
}

impl RefundRefused {
    /// Stable code.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::NotPositive => "refund-not-positive",
            Self::AboveRefundable(_) => "refund-above-refundable",
            Self::BadPayment(..) => "refund-payment-invalid",
        }
    }
}

impl fmt::Display for RefundRefused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotPositive => f.write_str("a refund must be more than nothing"),
            Self::AboveRefundable(left) => {
                write!(f, "more than is still refundable, which is {} minor units", left.get())
            }
            Self::BadPayment(index, problem) => write!(f, "payments[{index}]: {problem}"),
        }
    }
}

impl core::error::Error for RefundRefused {}

/// Whether the request makes sense: what the host checks before any component is asked.
///
/// # Errors
/// See [`RefundRefused`].
pub fn check_refund_request(request: &RefundRequest) -> Result<(), RefundRefused> {
    for (index, payment) in request.payments.iter().enumerate() {
        let bad = |problem: &str| Err(RefundRefused::BadPayment(index, problem.to_string()));
        let Payment { applied, taken, applied_returned, taken_returned } = *payment;
        if [applied, taken, applied_returned, taken_returned].iter().any(|amount| amount.is_negative()) {
            return bad("amounts must be at least 0");
        }
        if applied_returned > applied || taken_returned > taken {
            return bad("more has gone back than was paid");
        }
        if taken.is_zero() != applied.is_zero() {
            return bad("`applied` and `taken` must both be nothing or both be something");
        }
        if taken_returned > proportional_floor(taken, applied_returned, applied) {
            return bad("`taken_returned` is more than its share of `taken`");
        }
    }
    if request.amount <= Minor::ZERO {
        return Err(RefundRefused::NotPositive);
    }
    let refundable = Minor::sum(request.payments.iter().map(Payment::refundable)).unwrap_or(Minor::MAX);
    if request.amount > refundable {
        return Err(RefundRefused::AboveRefundable(refundable));
    }
    Ok(())
}

/// Splits a refund. INVARIANT: the shares' `applied` add up to the amount, and none is above what its tender still
/// has refundable. Example: 50.00 over cards that paid 30.00 and 70.00 gives 15.00 and 35.00.
///
/// # Errors
/// As [`check_refund_request`].
pub fn refund(request: &RefundRequest) -> Result<Vec<RefundShare>, RefundRefused> {
    check_refund_request(request)?;
    let weights: Vec<Minor> = request.payments.iter().map(Payment::refundable).collect();
    let applied = largest_remainder(request.amount, &weights);
    let shares = request.payments.iter().zip(applied);
    Ok(shares.map(|(payment, applied)| RefundShare { applied, taken: payment.taken_for(applied) }).collect())
}

/// How the standard rules came to a split: for each tender what was still refundable, and its share.
#[must_use]
pub fn explain_refund(request: &RefundRequest, shares: &[RefundShare]) -> Vec<Step> {
    let show = |amount: Minor| amount.to_decimal(request.exponent);
    let all = Minor::sum(request.payments.iter().map(Payment::refundable)).unwrap_or(Minor::MAX);
    let step = |(index, (payment, share)): (usize, (&Payment, &RefundShare))| Step {
        card: Some(index),
        check: "share of the refund".into(),
        passed: !share.applied.is_zero(),
        seen: format!("{} of the {} that is refundable", show(payment.refundable()), show(all)),
        needed: format!("{} of {}", show(share.applied), show(request.amount)),
    };
    request.payments.iter().zip(shares).enumerate().map(step).collect()
}

/// Splits `amount` by weight, to the unit: everyone's share rounded down, then one unit more to those who lost most,
/// the earlier first. Weights are at least 0 and add up to at least `amount`, so no share is above its weight.
fn largest_remainder(amount: Minor, weights: &[Minor]) -> Vec<Minor> {
    let sum: i128 = weights.iter().map(|weight| i128::from(weight.get())).sum();
    if sum == 0 {
        return weights.iter().map(|_| Minor::ZERO).collect();
    }
    let product = |weight: &Minor| i128::from(amount.get()) * i128::from(weight.get());
    let mut shares: Vec<i64> = weights.iter().map(|weight| (product(weight) / sum) as i64).collect();
    let missing = amount.get() - shares.iter().sum::<i64>();
    let mut by_loss: Vec<usize> = (0..weights.len()).collect();
    // Stable: ties stay with the earlier.
    by_loss.sort_by_key(|&index| Reverse(product(&weights[index]) % sum));
    for &index in by_loss.iter().take(missing as usize) {
        shares[index] += 1;
    }
    shares.into_iter().map(|share| Minor::new(share).unwrap_or(Minor::MAX)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;

    fn minor(amount: i64) -> Minor {
        Minor::new(amount).unwrap()
    }

    fn paid(applied: i64, taken: i64) -> Payment {
        Payment {
            applied: minor(applied),
            taken: minor(taken),
            applied_returned: Minor::ZERO,
            taken_returned: Minor::ZERO,
        }
    }

    fn check(amount: i64, payments: &[Payment], expected: Result<&[(i64, i64)], &str>) {
        let request = RefundRequest { amount: Minor::new(amount).unwrap(), exponent: 2, payments: payments.to_vec() };
        let found = refund(&request);
        match expected {
            Ok(shares) => {
                let found: Vec<(i64, i64)> =
                    found.unwrap().iter().map(|share| (share.applied.get(), share.taken.get())).collect();
                assert_eq!(found, shares);
            }
            Err(code) => assert_eq!(found.unwrap_err().code(), code),
        }
    }

    #[test]
    fn a_refund_is_split_by_what_is_still_refundable() {
        check(5000, &[paid(3000, 3000), paid(7000, 7000)], Ok(&[(1500, 1500), (3500, 3500)]));
        // A tie in the remainder goes to the earlier tender.
        check(1, &[paid(500, 500), paid(500, 500)], Ok(&[(1, 1), (0, 0)]));
        check(100, &[paid(100, 100), paid(100, 100), paid(100, 100)], Ok(&[(34, 34), (33, 33), (33, 33)]));
        let mut returned = paid(3000, 3000);
        returned.applied_returned = minor(3000);
        returned.taken_returned = minor(3000);
        check(100, &[returned, paid(7000, 7000)], Ok(&[(0, 0), (100, 100)]));
    }

    #[test]
    fn what_goes_back_to_a_converted_card_is_cumulative() {
        let mut payment = paid(3333, 9999);
        let mut returned = 0;
        for amount in [1, 1000, 17, 2314, 1] {
            let request = RefundRequest { amount: minor(amount), exponent: 2, payments: vec![payment] };
            let share = refund(&request).unwrap()[0];
            payment.applied_returned = payment.applied_returned.plus(share.applied).unwrap();
            payment.taken_returned = payment.taken_returned.plus(share.taken).unwrap();
            returned += share.taken.get();
        }
        assert_eq!((payment.refundable(), returned), (Minor::ZERO, 9999));
    }

    #[test]
    fn too_much_is_refused_whole() {
        check(10001, &[paid(3000, 3000), paid(7000, 7000)], Err("refund-above-refundable"));
        check(0, &[paid(1, 1)], Err("refund-not-positive"));
        check(-5, &[paid(1, 1)], Err("refund-not-positive"));
        check(1, &[], Err("refund-above-refundable"));
        check(1, &[paid(-1, 1)], Err("refund-payment-invalid"));
        check(1, &[paid(5, 0)], Err("refund-payment-invalid"));
        let over = Payment { applied_returned: minor(2), ..paid(1, 1) };
        check(1, &[over], Err("refund-payment-invalid"));
    }
}
