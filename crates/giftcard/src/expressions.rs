//! Expressions put together from rules: a catalogue of rules with parameters that a form can offer, trees of them, and
//! the way from a tree to the text that the condition `expression` takes, and back. Must not know an order, nor run an
//! expression: the component does both, and checks what it is given.
//!
//! ```
//! use giftcard::expressions::Tree;
//!
//! let tree = Tree::from_json(r#"{"all": [
//!     {"rule": "order-total-at-least", "arguments": {"amount": "50.00"}},
//!     {"not": {"rule": "ship-to-country", "arguments": {"countries": ["CH", "NO"]}}}
//! ]}"#)?;
//! let text = tree.to_expression();
//! assert_eq!(text, r#"order.total >= money("50.00") && !(order.ship_to.country in ["CH", "NO"])"#);
//! assert_eq!(Tree::from_expression(&text), tree);
//! // What no rule says is kept as it is written.
//! assert_eq!(Tree::from_expression("card.age_days % 2 == 0"), Tree::Code("card.age_days % 2 == 0".to_string()));
//! # Ok::<(), giftcard::input::InputError>(())
//! ```
//!
//! INVARIANT: a tree with a rule in it is what is read from its text, and nothing of a text is lost that a tree is read
//! from: what is not a rule is code, with its comments.

mod argument;
mod catalogue;
mod document;
mod read;
mod rules;
mod tree;

#[cfg(test)]
mod tests;

pub use argument::{Argument, Kind};
pub use catalogue::{Catalogue, Parameter, Rule};
pub use tree::{Known, Tree};

/// Bytes of an expression, as the component allows.
pub const EXPRESSION_BYTES_MAX: usize = 4000;
