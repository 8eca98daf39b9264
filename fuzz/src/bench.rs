//! The host and the rulebook that all inputs of a process meet, what must be true of every quote, and how long inputs take.
//! Must not know how an input is made.

use std::path::{Path, PathBuf};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use giftcard_engine::quote::{CardOutcome, Quote};
use giftcard_engine::{Minor, QuoteError, QuoteRequest};
use giftcard_host::{CallError, Component, Host, HostConfig, Rulebook};

/// What is set up once.
pub struct Bench {
    /// With the standard limits. Keeps no compiled code: what loads is never the same again.
    pub host: Host,
    /// The standard rules and conditions, and those of the tests that answer what they are told.
    pub book: Rulebook,
    /// The files of all components, standard ones first.
    pub components: Vec<Vec<u8>>,
    /// The modules that small components are made of.
    pub modules: Vec<Vec<u8>>,
}

/// Sets up at the first call.
///
/// # Panics
/// If the components are not built: `cargo xtask components`.
pub fn bench() -> &'static Bench {
    static BENCH: LazyLock<Bench> = LazyLock::new(|| {
        // Compiling is slow in an instrumented compiler, so it is done once.
        let cache = Some(folder().join("../fuzz/code"));
        let cached = Host::new(HostConfig { cache, ..HostConfig::default() }).expect("a host");
        let mut book = giftcard::standard_rulebook(&cached).expect("the standard components load");
        for name in ["hostile-condition", "minimal-condition"] {
            let bytes = std::fs::read(folder().join("tests").join(name).with_extension("wasm"));
            match cached.load(name, &bytes.expect("run `cargo xtask components`")) {
                Ok(Component::Condition(condition)) => book.add(condition),
                Ok(Component::Rules(_)) => panic!("`{name}` is no condition"),
                Err(error) => panic!("{error}"),
            }
        }
        let mut components = files(&folder());
        components.extend(files(&folder().join("tests")));
        assert!(components.len() > 7, "run `cargo xtask components`");
        let mut modules = files(&folder().join("../wasm32-unknown-unknown/component"));
        // The large ones take seconds to compile here.
        modules.retain(|module| module.len() < 50_000);
        assert!(modules.len() > 5, "run `cargo xtask components`");
        let host = Host::new(HostConfig::default()).expect("a host");
        Bench { host, book, components, modules }
    });
    &BENCH
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/components")
}

/// In the order of their names, so that an input means the same on every machine.
fn files(folder: &Path) -> Vec<Vec<u8>> {
    let entries = std::fs::read_dir(folder).expect("run `cargo xtask components`");
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.expect("readable").path()).collect();
    paths.retain(|path| path.extension().is_some_and(|ending| ending == "wasm"));
    paths.sort();
    paths.iter().map(|path| std::fs::read(path).expect("readable")).collect()
}

/// How many inputs there were, and how many got to something worth trying: a quote, a component that loads, an expression
/// that is evaluated. Few of them would mean that next to nothing is tried.
static INPUTS: AtomicU64 = AtomicU64::new(0);
static REACHED: AtomicU64 = AtomicU64::new(0);

/// The input got through.
pub fn reached() {
    REACHED.fetch_add(1, Ordering::Relaxed);
}

/// Says what became of an input, where one is looked at by itself.
pub fn show(what: impl FnOnce() -> String) {
    static SHOWN: LazyLock<bool> = LazyLock::new(|| std::env::var_os("GIFTCARD_FUZZ_SHOW").is_some());
    if *SHOWN {
        eprintln!("{}", what());
    }
}

/// Runs an input and says so on standard error where it took longer than any before it, from ten milliseconds on.
pub fn timed(input: &[u8], run: impl FnOnce(&[u8])) {
    static SLOWEST_US: AtomicU64 = AtomicU64::new(10_000);
    // Setting up is no input's fault.
    bench();
    let begun = Instant::now();
    run(input);
    let micros = u64::try_from(begun.elapsed().as_micros()).unwrap_or(u64::MAX);
    let inputs = INPUTS.fetch_add(1, Ordering::Relaxed) + 1;
    if inputs.is_power_of_two() && inputs >= 256 {
        eprintln!("reached: {} of {inputs} inputs", REACHED.load(Ordering::Relaxed));
    }
    if SLOWEST_US.fetch_max(micros, Ordering::Relaxed) < micros {
        eprintln!("slowest: {} ms, an input of {} bytes", micros / 1000, input.len());
    }
}

/// Asks the rulebook, plain and explained, and checks whatever comes out. `trusted` where the rules are the standard ones,
/// which answer every request that is not refused as wrong.
pub fn check_quote(book: &Rulebook, request: &QuoteRequest, trusted: bool) -> Option<Quote> {
    let plain = check_one(book, request, false, trusted);
    let explained = check_one(book, request, true, trusted);
    if let (Some(plain), Some(explained)) = (&plain, &explained) {
        let shares =
            |quote: &Quote| quote.shares.iter().map(|share| (share.card, share.applied, share.taken)).collect();
        let failed = |quote: &Quote| quote.conditions.iter().any(|run| run.failure.is_some());
        let (one, other): (Vec<_>, Vec<_>) = (shares(plain), shares(explained));
        // A condition that answers otherwise when it explains itself has failed: only then may the amounts differ.
        assert!(one == other || failed(explained), "explaining changed what cards pay: {one:?}, {other:?}");
    }
    plain
}

fn check_one(book: &Rulebook, request: &QuoteRequest, explain: bool, trusted: bool) -> Option<Quote> {
    let error: Box<CallError> = match book.quote(request, explain) {
        Ok(quoted) => {
            check_invariants(request, &quoted.quote);
            return Some(quoted.quote);
        }
        Err(QuoteError::Input { path, problem }) => {
            assert!(!path.is_empty() && !problem.is_empty(), "an error that says nothing");
            return None;
        }
        Err(QuoteError::Broken(broken)) => panic!("the host names the component that broke a guarantee: {broken}"),
        Err(QuoteError::Rules(error)) => error,
    };
    assert!(!trusted || error.failure.is_busy(), "the standard rules failed: {error}");
    None
}

/// What the engine promises of every quote, worked out anew from the request alone.
fn check_invariants(request: &QuoteRequest, quote: &Quote) {
    let payable = (request.order.total.get() - request.order.paid.get()).max(0);
    let applied: i128 = quote.shares.iter().map(|share| i128::from(share.applied.get())).sum();
    assert_eq!(applied, i128::from(quote.applied.get()), "what cards pay together");
    assert!(quote.applied.get() <= payable, "cards pay {:?} of {payable}", quote.applied);
    assert_eq!(quote.due.get(), payable - quote.applied.get(), "what is due");
    assert_eq!(quote.shares.len() + quote.repeated.len(), request.cards.len(), "one share for each card");
    let mut seen = vec![false; request.cards.len()];
    for share in &quote.shares {
        let card = &request.cards[share.card];
        assert!(!std::mem::replace(&mut seen[share.card], true), "two shares of one card");
        assert!(!share.applied.is_negative() && !share.taken.is_negative() && !share.left.is_negative());
        assert_eq!(share.taken.get() + share.left.get(), card.available().get(), "a card's money");
        assert!(card.use_at_most.is_none_or(|most| share.applied <= most), "the shopper's own limit");
        let pays = share.applied != Minor::ZERO || share.taken != Minor::ZERO;
        match &share.outcome {
            CardOutcome::Used => {}
            CardOutcome::NotNeeded | CardOutcome::Refused(_) => assert!(!pays, "a card that does not pay, pays"),
        }
        if pays {
            assert_eq!(card.status, giftcard_engine::card::Status::Active);
            assert!(card.expires_at.is_none_or(|end| request.now.at() < end), "an expired card pays");
        }
        if card.currency == request.order.currency {
            assert_eq!(share.applied, share.taken, "one currency");
        }
    }
}
