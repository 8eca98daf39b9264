//! What the test programs share: the runner of the case files, the naive second implementation of the rules, the
//! generator of random orders, and a host without a sandbox. Holds no test of its own.

pub mod bank;
pub mod both;
pub mod cases;
pub mod concurrency;
pub mod differential;
pub mod harness;
pub mod linear;
pub mod model;
pub mod naive;
pub mod native;
pub mod orders;
pub mod postgres;
pub mod random;
pub mod scenarios;
pub mod shop;
pub mod stores;
pub mod survival;
