//! Guest SDK: a gift card condition is one small file.
//!
//! ```
//! //! Cards may pay on some days of the week only.
//!
//! use giftcard_plugin::prelude::*;
//!
//! struct Weekdays;
//!
//! const DAYS: [&str; 7] = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];
//! const WRONG_DAY: &str = "the card can be used only on: {days}";
//!
//! impl Condition for Weekdays {
//!     fn describe() -> Description {
//!         describe("weekdays", "1.0.0", "Weekdays", "Cards may pay on some days of the week only.")
//!             .setting(choices("days", "Days", "Cards may pay on these.", &DAYS.map(|day| (day, day))).required())
//!             .reject("wrong-day", WRONG_DAY)
//!     }
//!
//!     fn evaluate(request: &Request, settings: &Settings, trace: &mut Trace) -> Result<Evaluation, Failure> {
//!         let (today, days) = (DAYS[usize::from(request.now.weekday) - 1], settings.texts("days")?);
//!         let passed = days.iter().any(|day| day == today);
//!         trace.order("day of the week", passed, today, days.join(", "));
//!         if passed {
//!             return Ok(accept_all(request));
//!         }
//!         Ok(reject_all(request, reject("wrong-day", WRONG_DAY).texts("days", days)))
//!     }
//! }
//!
//! giftcard_plugin::export_condition!(Weekdays);
//! #
//! # fn main() {
//! #     use giftcard_plugin::testing;
//! #     let thursday = testing::request(testing::order(1000));
//! #     let settings = |days: Value| testing::settings::<Weekdays>(&[("days", days)]);
//! #     let told = |days: Value| testing::message::<Weekdays>(&thursday, &settings(days));
//! #     assert_eq!(told(["Thursday"].into()), "");
//! #     assert_eq!(told(["Monday", "Friday"].into()), "the card can be used only on: Monday, Friday");
//! # }
//! ```
//!
//! Build it as a `cdylib` for `wasm32-unknown-unknown`. There is no clock, no randomness, no file and no network: all
//! that a condition may know is in the [`Request`], and the same request must always get the same answer. Every call
//! runs in a fresh instance, so nothing can be kept from one call to the next.
//!
//! [`testing`] makes requests for the tests of a condition, which run natively with `cargo test`.

#[cfg(target_arch = "wasm32")]
mod allocator;
mod bindings;
mod build;
mod date;
mod money;
mod settings;
pub mod testing;
mod text;
mod trace;

#[doc(hidden)]
pub use bindings::condition_world;

/// The records of the contract that a condition sees and answers with; see `wit/` for their meaning.
pub mod types {
    pub use crate::bindings::condition_world::exports::giftcard::rules::condition::{
        Address, Card, Customer, Discount, Evaluation, Line, Order, Part, Request, SharedLimit, Verdict,
    };
    pub use crate::bindings::condition_world::exports::giftcard::rules::plugin::{
        Choice, Description, Problem, RejectCode, Setting,
    };
    pub use crate::bindings::condition_world::giftcard::rules::types::{
        Currency, Date, Failure, Moment, Money, Named, Rate, Ratio, Reject, Step, Value,
    };
}

/// Everything a condition needs.
pub mod prelude {
    pub use crate::Condition;
    pub use crate::bindings::log_line as log;
    pub use crate::build::{
        DescriptionExt, RejectExt, SettingExt, accept_all, choice, choices, date, describe, failure, flag, integer,
        money, percent, problem, quantity, reject, reject_all, report, text, texts, time, verdict_for_each,
    };
    pub use crate::date::{parse_time, show_time};
    pub use crate::money::{Rounding, convert, convert_at, order_money, show_percent, show_quantity};
    pub use crate::settings::{BadSetting, Settings};
    pub use crate::text::{compare_texts, first_few, same_text};
    pub use crate::trace::Trace;
    pub use crate::types::*;
}

use prelude::{Description, Evaluation, Failure, Problem, Request, Settings, Trace};

/// A rule that a merchant binds to gift card programmes.
pub trait Condition {
    /// Who this is, what can be set, and what parts of the order it reads.
    fn describe() -> Description;

    /// Whether settings make sense together. Each one by itself has been checked against the description.
    ///
    /// # Errors
    /// One [`Problem`] for each setting that does not.
    fn check_settings(settings: &Settings) -> Result<(), Vec<Problem>> {
        let _ = settings;
        Ok(())
    }

    /// The parts of the order that [`Self::evaluate`] reads with these settings: no more than the description names. All
    /// of them unless a condition says otherwise, which pays where what it reads is for the merchant to choose: each text of
    /// a large order costs time.
    ///
    /// # Errors
    /// One [`Problem`] for each setting that makes no sense.
    fn needs_of(settings: &Settings) -> Result<Vec<String>, Vec<Problem>> {
        let _ = settings;
        Ok(Self::describe().needs)
    }

    /// One verdict for each card of the request, in its order. What is written to `trace` is kept only if somebody
    /// asked for an explanation, and must not change the answer; [`Evaluation::steps`] stays empty.
    ///
    /// # Errors
    /// [`Failure`] if the condition cannot decide at all: then the binding says what happens, by default the cards
    /// are refused.
    fn evaluate(request: &Request, settings: &Settings, trace: &mut Trace) -> Result<Evaluation, Failure>;
}

#[doc(hidden)]
pub fn evaluate_condition<C: Condition>(
    request: Request,
    settings: Vec<types::Named>,
    explain: bool,
) -> Result<Evaluation, Failure> {
    let mut trace = Trace::new(explain);
    let mut evaluation = C::evaluate(&request, &Settings::new(settings), &mut trace)?;
    evaluation.steps = trace.into_steps();
    // The instance is thrown away after the call; so is everything it allocated.
    core::mem::forget(request);
    Ok(evaluation)
}

/// Exports a [`Condition`] as a component of the `condition-plugin` world.
#[macro_export]
macro_rules! export_condition {
    ($condition:ty) => {
        const _: () = {
            use $crate::condition_world as world;

            #[allow(dead_code, reason = "nothing but its functions is exported")]
            struct Exported;

            impl world::exports::giftcard::rules::plugin::Guest for Exported {
                fn describe() -> $crate::types::Description {
                    <$condition as $crate::Condition>::describe()
                }

                fn check_settings(
                    settings: ::std::vec::Vec<$crate::types::Named>,
                ) -> ::core::result::Result<(), ::std::vec::Vec<$crate::types::Problem>> {
                    <$condition as $crate::Condition>::check_settings(&$crate::prelude::Settings::new(settings))
                }
            }

            impl world::exports::giftcard::rules::condition::Guest for Exported {
                fn needs_of(
                    settings: ::std::vec::Vec<$crate::types::Named>,
                ) -> ::core::result::Result<
                    ::std::vec::Vec<::std::string::String>,
                    ::std::vec::Vec<$crate::types::Problem>,
                > {
                    <$condition as $crate::Condition>::needs_of(&$crate::prelude::Settings::new(settings))
                }

                fn evaluate(
                    request: $crate::types::Request,
                    settings: ::std::vec::Vec<$crate::types::Named>,
                    explain: bool,
                ) -> ::core::result::Result<$crate::types::Evaluation, $crate::types::Failure> {
                    $crate::evaluate_condition::<$condition>(request, settings, explain)
                }
            }

            #[cfg(target_arch = "wasm32")]
    world::export!(Exported with_types_in world);
            // A native linker refuses the names of the exports; the rest is checked and tested natively all the same.
            #[cfg(not(target_arch = "wasm32"))]
            const _: () = {
                let _ = <Exported as world::exports::giftcard::rules::plugin::Guest>::describe;
                let _ = <Exported as world::exports::giftcard::rules::plugin::Guest>::check_settings;
                let _ = <Exported as world::exports::giftcard::rules::condition::Guest>::needs_of;
                let _ = <Exported as world::exports::giftcard::rules::condition::Guest>::evaluate;
            };
        };
    };
}
