//! Random requests through the component, the native engine and the naive second implementation. All three must say the
//! same, and the component twice the same with the same fuel.

use anyhow::{Context, Result, ensure};
use giftcard_engine::{redemption, refund};
use giftcard_host::Rulebook;

use crate::naive;
use crate::native::NativeEvaluator;
use crate::random::{self, Random};

/// What one seed stands for: a request, a refund and a whole quote.
///
/// # Errors
/// The seed and the first difference.
pub fn compare(book: &Rulebook, seed: u64) -> Result<()> {
    applied(book, seed).with_context(|| format!("apply, seed {seed}"))?;
    refunded(book, seed).with_context(|| format!("refund, seed {seed}"))?;
    quoted(book, seed).with_context(|| format!("quote, seed {seed}"))
}

fn applied(book: &Rulebook, seed: u64) -> Result<()> {
    let request = random::request(&mut Random::new(seed));
    let native = redemption::apply(&request, false)?;
    ensure!(naive::apply(&request) == native, "naive and native differ: {request:?}");
    let (component, record) = book.apply(&request)?;
    ensure!(component == native, "component and native differ: {request:?}\n{component:?}\n{native:?}");
    let (again, fuel_again) = book.apply(&request)?;
    ensure!(again == component && fuel_again == record, "two runs differ: {request:?}");
    Ok(())
}

fn refunded(book: &Rulebook, seed: u64) -> Result<()> {
    let request = random::refund_request(&mut Random::new(seed));
    let native = refund::refund(&request);
    let naive = naive::refund(&request);
    let codes = native.clone().map_err(|refused| refused.code());
    ensure!(naive == codes, "naive and native differ: {request:?}");
    match (native, book.refund(&request, seed.is_multiple_of(8))) {
        (Ok(native), Ok(component)) => ensure!(component.shares == native, "they differ: {request:?}"),
        (Err(native), Err(giftcard_host::RefundError::Refused(component))) => ensure!(native == component),
        (native, component) => anyhow::bail!("{native:?} and {component:?}: {request:?}"),
    }
    Ok(())
}

fn quoted(book: &Rulebook, seed: u64) -> Result<()> {
    let request = random::quote_request(&mut Random::new(seed));
    let native = NativeEvaluator::default().quote(&request);
    let native = native.map_err(|error| anyhow::anyhow!("{error}"))?;
    let component = book.quote(&request, false)?;
    ensure!(component.quote == native, "component and native differ: {request:?}");
    ensure!(book.quote(&request, false)? == component, "two runs differ: {request:?}");
    Ok(())
}
