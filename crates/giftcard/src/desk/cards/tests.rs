//! Cards and store credit: issued, moved by staff, shown.

mod issue;
mod public;
mod purchases;
mod staff;
