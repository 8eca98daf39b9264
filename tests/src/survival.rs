//! Whether a ledger in a SQLite file survives what happens to machines: processes that are killed, power that goes, disks
//! that fail or fill up, backups that are taken while others pay. Must not know how the ledger does it.
//!
//! Everything is measured by what clients know: what they sent, and what they were answered ([`client`]), compared with
//! what is there afterwards and whether that adds up ([`books`]). Each harness comes with a way to break the promise on
//! purpose, so that a test can show that it would have noticed.

pub mod backup;
pub mod books;
pub mod client;
pub mod disk;
pub mod failing;
pub mod full;
pub mod killing;
pub mod power;
pub mod scene;
pub mod shopper;
pub mod tape;
pub mod vfs;
