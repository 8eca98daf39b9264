//! The condition of a new project in every language that there are projects in, for `--languages`: as it is, and asking for
//! all lines with five strings each. Needs npm's and Python's registries in reach, or their caches. Must not know what is
//! measured.

use std::fs;
use std::path::Path;
use std::time::Instant;

use giftcard::authoring::{Language, begin, build};
use giftcard_host::{CallRecord, Component, Condition, Host, HostConfig, Rulebook};
use giftcard_tests::harness::rules;

/// A built condition.
pub(crate) struct Built {
    pub(crate) name: &'static str,
    /// Reads nothing but the moment.
    pub(crate) condition: Condition,
    /// The same rule, for which the lines cross.
    pub(crate) with_lines: Condition,
    /// Loaded with the condition alone, to ask `check-settings`: an instance and an empty call.
    pub(crate) book: Rulebook,
    compiled_ms: u128,
    loaded_ms: u128,
    bytes: usize,
}

const NEEDS: &str = r#"["lines.sku", "lines.categories", "lines.tags"]"#;

/// Name, source, and where in it the needs go.
fn languages() -> [(&'static str, Language, &'static str, &'static str, String); 4] {
    let tail = "reject_codes={";
    [
        ("Rust", Language::Rust, "src/lib.rs", ".reject(", format!(".needs(&{NEEDS})\n        .reject(")),
        (
            "JavaScript",
            Language::JavaScript,
            "src/plugin.js",
            "rejectCodes:",
            format!("needs: {NEEDS},\n    rejectCodes:"),
        ),
        (
            "TypeScript",
            Language::TypeScript,
            "src/plugin.ts",
            "rejectCodes:",
            format!("needs: {NEEDS},\n    rejectCodes:"),
        ),
        ("Python", Language::Python, "src/plugin.py", tail, format!("needs={NEEDS},\n    {tail}")),
    ]
}

pub(crate) fn built() -> Vec<Built> {
    let folder = tempfile::tempdir().unwrap();
    let cache = folder.path().join("cache");
    let host = || Host::new(HostConfig { cache: Some(cache.clone()), ..HostConfig::default() }).unwrap();
    let load = |host: &Host, path: &Path| {
        let (name, bytes) = host.read_file(path).unwrap();
        let start = Instant::now();
        let component = host.load_granted(&name, &bytes, &host.wanted(&name, &bytes).unwrap()).unwrap();
        let Component::Condition(condition) = component else { panic!("no condition") };
        (condition, start.elapsed().as_millis())
    };
    let in_each = languages().map(|(name, language, source, from, to)| {
        println!("building the condition of a new project in {name}");
        let project = begin(folder.path(), &name.to_ascii_lowercase(), language).unwrap();
        let plain = build(&project, false).unwrap().path;
        let compiled_ms = load(&host(), &plain).1;
        let (condition, loaded_ms) = load(&host(), &plain);
        let source = project.join(source);
        let text = fs::read_to_string(&source).unwrap();
        assert!(text.contains(from), "{text}");
        fs::write(&source, text.replacen(from, &to, 1)).unwrap();
        let with_lines = load(&host(), &build(&project, false).unwrap().path).0;
        let mut book = Rulebook::new(rules(&host(), "gift-card"));
        book.add(condition.clone());
        let bytes = condition.facts().size;
        Built { name, condition, with_lines, book, compiled_ms, loaded_ms, bytes }
    });
    in_each.into_iter().collect()
}

/// What is not a matter of microseconds.
pub(crate) fn print(languages: &[Built], ask: impl Fn(&Condition) -> CallRecord) {
    if languages.is_empty() {
        return;
    }
    println!(
        "\n{:<12} {:>12} {:>12} {:>12} {:>12} {:>12}",
        "language", "bytes", "compile ms", "cached ms", "fuel", "memory KiB"
    );
    for Built { name, condition, compiled_ms, loaded_ms, bytes, .. } in languages {
        let CallRecord { fuel, memory_bytes, .. } = ask(condition);
        println!("{name:<12} {bytes:>12} {compiled_ms:>12} {loaded_ms:>12} {fuel:>12} {:>12}", memory_bytes >> 10);
    }
}
