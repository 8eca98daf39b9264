//! Bytes as components: random ones, random modules and components, real components with bytes changed, and components that
//! fit the contract with random code, or with real code that was changed, behind it. What loads is asked for a quote, and every answer is checked. Must not know
//! which bytes should load.

use std::sync::LazyLock;

use arbitrary::{Arbitrary, Result, Unstructured};
use giftcard_engine::programme::{Binding, OnFailure, Programme};
use giftcard_engine::refund::{Payment, RefundRequest};
use giftcard_engine::{Minor, QuoteRequest};
use giftcard_host::{Component, Grant, Rulebook};
use wasm_mutate::WasmMutate;
use wasm_smith::Config;
use wit_component::{ComponentEncoder, StringEncoding, dummy_module, embed_component_metadata};
use wit_parser::{LiftLowerAbi, ManglingAndAbi, Resolve, WorldId};

use crate::bench::{check_quote, reached, show};
use crate::{bench, rest};

/// Loads the bytes, or what is made of them, and runs it if it loads.
pub fn run(data: &[u8]) {
    let mut random = Unstructured::new(data);
    if let Ok(bytes) = component(&mut random) {
        load(&bytes);
    }
}

fn component(random: &mut Unstructured<'_>) -> Result<Vec<u8>> {
    Ok(match random.int_in_range(0..=11)? {
        0 => rest(random)?.to_vec(),
        1 => {
            let config = Config::arbitrary(random)?;
            wasm_smith::Component::new(config, random)?.to_bytes()
        }
        2 => fitting(random)?,
        3 | 8..=11 => changed_code(random)?,
        4 => {
            let limits = match random.arbitrary()? {
                true => String::from_utf8_lossy(random.bytes(random.len().min(40))?).into_owned(),
                false => limits(random)?,
            };
            with_section(random.choose(&bench().components)?, &limits)
        }
        _ => {
            // The large ones take seconds to compile here, and their bytes are of the same kinds.
            let small = bench().components.iter().filter(|component| component.len() < 100_000).collect::<Vec<_>>();
            let all = random.ratio(1, 64)?;
            let component = if all { random.choose(&bench().components)? } else { *random.choose(&small)? };
            mutated(random, component.clone())?
        }
    })
}

/// A real component whose code was changed in places, so that it still is one: most of these load, and some answer what they
/// must not.
fn changed_code(random: &mut Unstructured<'_>) -> Result<Vec<u8>> {
    let mut module = random.choose(&bench().modules)?.clone();
    for _ in 0..random.int_in_range(1..=12)? {
        let mut mutate = WasmMutate::default();
        mutate.preserve_semantics(random.ratio(1, 8)?).seed(random.arbitrary()?).fuel(200);
        // Not every change can be made to every module.
        let Ok(mut changes) = mutate.run(&module) else { continue };
        let changed = changes.next();
        drop(changes);
        if let Some(Ok(changed)) = changed {
            module = changed;
        }
    }
    let encoded = ComponentEncoder::default().module(&module).and_then(|mut encoder| encoder.encode());
    Ok(encoded.unwrap_or(module))
}

/// A few changes of the kind that files suffer.
fn mutated(random: &mut Unstructured<'_>, mut bytes: Vec<u8>) -> Result<Vec<u8>> {
    for _ in 0..random.int_in_range(1..=4)? {
        // The head says what is there; most of the rest is code.
        let last = bytes.len().saturating_sub(1);
        let head = random.ratio(1, 3)?;
        let place = random.int_in_range(0..=if head { last.min(4_000) } else { last })?;
        let end = (place + random.int_in_range(0..=64)?).min(bytes.len());
        // Whatever changes the length is found out while parsing, so most changes do not.
        match random.int_in_range(0..=11)? {
            0..=3 => bytes[place] = random.arbitrary()?,
            4..=7 => bytes[place] ^= 1 << random.int_in_range(0..=7)?,
            8 => bytes[place..end].fill(random.arbitrary()?),
            9 => bytes.insert(place, random.arbitrary()?),
            10 => bytes.truncate(place.max(8)),
            _ => {
                bytes.drain(place..end);
            }
        }
        if bytes.is_empty() {
            break;
        }
    }
    Ok(bytes)
}

/// A request for limits as it should be, with any numbers.
fn limits(random: &mut Unstructured<'_>) -> Result<String> {
    let names =
        ["fuel", "deadline_ms", "memory_bytes", "table_elements", "component_bytes", "functions", "function_locals"];
    let mut fields = Vec::new();
    for name in names {
        if random.ratio(1, 3)? {
            fields.push(format!("\"{name}\":{}", random.arbitrary::<u64>()? >> random.int_in_range(0..=63)?));
        }
    }
    Ok(format!("{{{}}}", fields.join(",")))
}

/// The component with a request for limits that nobody has checked.
fn with_section(component: &[u8], text: &str) -> Vec<u8> {
    let name = giftcard_host::LIMITS_SECTION;
    let mut bytes = component.to_vec();
    let size = 1 + name.len() + text.len();
    bytes.push(0);
    // Two bytes of LEB128 hold any size that there is here.
    bytes.extend([(size & 0x7f) as u8 | 0x80, (size >> 7) as u8, name.len() as u8]);
    bytes.extend_from_slice(name.as_bytes());
    bytes.extend_from_slice(text.as_bytes());
    bytes
}

/// A world of the contract, and a module with its exports.
struct World {
    resolve: Resolve,
    world: WorldId,
    shape: Vec<u8>,
}

fn worlds() -> &'static [World; 2] {
    static WORLDS: LazyLock<[World; 2]> = LazyLock::new(|| {
        ["condition-plugin", "gift-card"].map(|name| {
            let mut resolve = Resolve::default();
            let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../wit/0.1");
            let (package, _) = resolve.push_dir(folder).expect("the contract parses");
            let world = resolve.select_world(&[package], Some(name)).expect("the contract has the world");
            let shape = dummy_module(&resolve, world, ManglingAndAbi::Legacy(LiftLowerAbi::Sync));
            World { resolve, world, shape }
        })
    });
    &WORLDS
}

/// A component that fits the contract, with random code behind it.
fn fitting(random: &mut Unstructured<'_>) -> Result<Vec<u8>> {
    let world = random.choose(worlds())?;
    let config = Config {
        exports: Some(world.shape.clone()),
        available_imports: None,
        max_imports: 0,
        allow_start_export: random.arbitrary()?,
        // What the canonical options know.
        memory64_enabled: false,
        max_memory32_bytes: 4 << 20,
        shared_everything_threads_enabled: false,
        threads_enabled: false,
        gc_enabled: false,
        reference_types_enabled: false,
        relaxed_simd_enabled: false,
        // Half of them get as far as an answer.
        disallow_traps: random.arbitrary()?,
        exceptions_enabled: random.ratio(1, 10)?,
        max_memories: 2,
        ..Config::default()
    };
    let mut module = wasm_smith::Module::new(config, random)?.to_bytes();
    let encoded = embed_component_metadata(&mut module, &world.resolve, world.world, StringEncoding::UTF8)
        .and_then(|()| ComponentEncoder::default().module(&module))
        .and_then(|mut encoder| encoder.encode());
    // Not every random module can be wrapped; the host gets it as it is then.
    Ok(encoded.unwrap_or(module))
}

fn load(bytes: &[u8]) {
    let bench = bench();
    let granted = match bench.host.wanted("fuzzed", bytes) {
        Ok(wanted) => {
            assert_eq!(
                Grant::from_json(&wanted.to_json()).as_ref(),
                Ok(&wanted),
                "a request for limits, written and read"
            );
            wanted
        }
        Err(error) => {
            assert!(!error.to_string().is_empty());
            Grant::default()
        }
    };
    let loaded = bench.host.load_granted("fuzzed", bytes, &granted);
    show(|| match &loaded {
        Ok(component) => format!("{} bytes load: {:?}", bytes.len(), component.facts()),
        Err(error) => format!("{} bytes: {error}", bytes.len()),
    });
    match loaded {
        Err(error) => assert!(error.to_string().len() < 100_000, "an error of {} bytes", error.to_string().len()),
        Ok(Component::Condition(condition)) => {
            reached();
            let mut book = bench.book.clone();
            let id = condition.facts().id.clone();
            assert!(!id.is_empty() && condition.facts().digest.len() == 64);
            book.add(condition);
            check_quote(&book, &request(&id), true);
        }
        Ok(Component::Rules(rules)) => {
            reached();
            let book = Rulebook::new(rules);
            check_quote(&book, &request(""), false);
            let minor = |amount| Minor::new(amount).expect("in range");
            let (applied, none) = (minor(1_000), Minor::ZERO);
            let payment = Payment { applied, taken: applied, applied_returned: none, taken_returned: none };
            let refund = RefundRequest { amount: minor(500), exponent: 2, payments: vec![payment, payment] };
            if let Ok(refunded) = book.refund(&refund, true) {
                let back: i64 = refunded.shares.iter().map(|share| share.applied.get()).sum();
                assert_eq!(back, 500, "what goes back");
            }
        }
    }
}

/// Two cards and an order of two lines, with this condition where there is one.
fn request(plugin: &str) -> QuoteRequest {
    let text = r#"{"order":{"currency":"USD","total":"35.00","lines":[{"total":"30.00","sku":"B-1","categories":["books"]},
        {"total":"5.00","part":"shipping"}]},"cards":[{"id":"A","balance":"15.00"},{"id":"B","balance":"40.00"}]}"#;
    let mut request = giftcard::input::read_quote(text, &bench().book, 1_795_000_000_000).expect("a right order");
    if !plugin.is_empty() {
        let binding = Binding { plugin: plugin.into(), settings: Vec::new(), on_failure: OnFailure::RefuseCard };
        let manual = Programme::unrestricted(&request.site.id, "manual");
        request.programmes.push(Programme { conditions: vec![binding], ..manual }.into());
    }
    request
}
