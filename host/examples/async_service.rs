//! The host in async code: a call takes microseconds but may wait for a sandbox, so it runs where blocking is allowed.
//! `cargo run -p giftcard-host --example async_service`, after `cargo xtask components`.
#![allow(clippy::print_stdout, reason = "an example")]

use std::path::Path;
use std::sync::Arc;

use giftcard_host::engine::card::CardSnapshot;
use giftcard_host::engine::moment::Moment;
use giftcard_host::engine::order::Order;
use giftcard_host::engine::programme::Site;
use giftcard_host::engine::{Currency, Minor, QuoteRequest};
use giftcard_host::{Component, Host, HostConfig, Rulebook};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let host = Host::new(HostConfig::default())?;
    let Component::Rules(rules) = host.load_file(Path::new("target/components/gift-card.wasm"))? else {
        return Err("target/components/gift-card.wasm are no rules".into());
    };
    // To swap a rule, put another `Arc` in its place: requests under way finish with the rulebook they started with.
    let rulebook = Arc::new(Rulebook::new(rules));
    let usd = Currency::iso("USD").ok_or("no such currency")?;
    let tasks: Vec<_> = (1..=8)
        .map(|dollars| {
            let rulebook = Arc::clone(&rulebook);
            tokio::task::spawn_blocking(move || {
                let request = QuoteRequest {
                    order: Order::of_total("main", usd, Minor::new(dollars * 1_000)?),
                    site: Site::new("main", usd).into(),
                    programmes: Vec::new(),
                    cards: vec![CardSnapshot::new("A", "main", usd, Minor::new(4_000)?)],
                    now: Moment::new(1_795_000_000_000, 0).ok_or("no such instant")?,
                };
                let quoted = rulebook.quote(&request, false)?;
                Ok::<_, Box<dyn std::error::Error + Send + Sync>>((dollars, quoted.quote.due))
            })
        })
        .collect();
    for task in tasks {
        let (dollars, due) = task.await?.map_err(|error| error.to_string())?;
        println!("order of {dollars}0.00 USD: {} still due", usd.format(due));
    }
    Ok(())
}
