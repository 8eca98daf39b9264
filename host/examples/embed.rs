//! A platform embeds the host in ten lines: two cards pay for an order of 35.00.
//! `cargo run -p giftcard-host --example embed`, after `cargo xtask components`.
#![allow(clippy::print_stdout, reason = "an example")]

use std::path::Path;

use giftcard_host::engine::card::CardSnapshot;
use giftcard_host::engine::moment::Moment;
use giftcard_host::engine::order::Order;
use giftcard_host::engine::programme::Site;
use giftcard_host::engine::{Currency, QuoteRequest};
use giftcard_host::{Component, Host, HostConfig, Rulebook};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let host = Host::new(HostConfig::default())?;
    let Component::Rules(rules) = host.load_file(Path::new("target/components/gift-card.wasm"))? else {
        return Err("target/components/gift-card.wasm are no rules".into());
    };
    let rulebook = Rulebook::new(rules);

    let usd = Currency::iso("USD").ok_or("no such currency")?;
    let request = QuoteRequest {
        order: Order::of_total("main", usd, usd.parse("35.00")?),
        site: Site::new("main", usd).into(),
        programmes: Vec::new(),
        cards: vec![
            CardSnapshot::new("A", "main", usd, usd.parse("15.00")?),
            CardSnapshot::new("B", "main", usd, usd.parse("40.00")?),
        ],
        now: Moment::new(1_795_000_000_000, 0).ok_or("no such instant")?,
    };
    let quoted = rulebook.quote(&request, false)?;
    for share in &quoted.quote.shares {
        println!("{} pays {}", request.cards[share.card].id, usd.format(share.applied));
    }
    println!("{} is still due", usd.format(quoted.quote.due));
    Ok(())
}
