//! The gift card rules as a pure library: money, orders, cards, programmes, how cards pay for an order and how a
//! refund goes back to them.
//!
//! Knows no I/O, no clock, no randomness, no serialisation format, no database and no WebAssembly. Time is an
//! argument. The same code is compiled into the `gift-card` component and runs natively beside it.
//!
//! # Reading order
//!
//! [`money`] and [`order`] are the nouns; [`redemption`] is the decision on bare amounts, the same records that
//! cross the component boundary; [`check`] holds whatever answers that decision to its guarantees; [`quote()`]
//! goes all the way from an order with its cards to what each card pays.

#![no_std]

extern crate alloc;

pub mod card;
pub mod check;
pub mod code;
pub mod moment;
pub mod money;
pub mod order;
pub mod programme;
pub mod quote;
pub mod redemption;
pub mod refund;
pub mod value;

pub use check::Broken;
pub use money::{Currency, Minor, Money, MoneyError, Ratio};
pub use quote::{Quote, QuoteError, QuoteRequest, quote};
