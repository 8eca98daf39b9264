//! Many clients at once, in threads and in processes, on a ledger that may be cut off, killed or lying; and what must
//! hold of its books afterwards. Must not know which store it is.
#![allow(clippy::expect_used, clippy::panic, reason = "only tests and the project's own programs use it")]

pub mod books;
pub mod calls;
pub mod faults;
pub mod fleet;
pub mod medley;
pub mod place;

/// Makes a test of each function on every store: `name;` becomes `sqlite::name` and `postgres::name`, which get an
/// empty [`place::Place`].
#[macro_export]
macro_rules! on_every_store {
    ($($name:ident;)*) => {
        mod sqlite {
            $(
                #[test]
                fn $name() {
                    super::$name(&giftcard_tests::concurrency::place::Place::sqlite());
                }
            )*
        }
        mod postgres {
            $(
                #[test]
                fn $name() {
                    super::$name(&giftcard_tests::concurrency::place::Place::postgres());
                }
            )*
        }
    };
}
