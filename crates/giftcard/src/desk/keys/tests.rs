//! Peppers: added, kept while they are needed, dropped.

use serde_json::json;

use super::super::CardName;
use super::super::testing::{NOW, bench, document, doing, empty, told};
use crate::codes::tests::Seeded;
use crate::secrets::Secrets;

#[test]
fn a_pepper_is_kept_as_long_as_a_usable_card_needs_it() {
    let bench = bench();
    let file = bench.folder.path().join("keys.json");
    let (card, code) = bench.card("1", json!({ "value": "5.00" }));
    assert_eq!(bench.desk.rotate_pepper(&file).unwrap(), 2);
    let keys = bench.desk.keys().unwrap();
    let found: Vec<(u32, u64, bool)> = keys.peppers.iter().map(|key| (key.version, key.codes, key.newest)).collect();
    assert_eq!(found, [(2, 0, true), (1, 1, false)]);
    let refused = bench.desk.retire_pepper(&file, 1).unwrap_err();
    assert_eq!(refused.code(), "pepper-in-use");
    assert!(refused.to_string().starts_with("1 codes"), "{refused}");
    assert!(Secrets::read(&file).unwrap().pepper_versions().eq([2, 1]), "the file is as it was");
    // Once the card is spent, nothing needs it.
    let all = document(&json!({ "to": "0.00", "reason": "r" }));
    bench.desk.adjust(&doing("2"), &card, &all).unwrap();
    bench.desk.retire_pepper(&file, 1).unwrap();
    assert_eq!(told(bench.desk.card("main", &CardName::Code(code), NOW)).0, "card-not-found");
    assert!(Secrets::read(&file).unwrap().pepper_versions().eq([2]));
}

#[test]
fn another_process_finds_new_cards_once_it_has_read_the_file() {
    let bench = bench();
    let file = bench.folder.path().join("keys.json");
    let other = bench.another(9);
    bench.desk.rotate_pepper(&file).unwrap();
    let (_, code) = bench.card("1", json!({ "value": "5.00" }));
    assert!(other.card("main", &CardName::Code(code.clone()), NOW).is_err());
    other.set_secrets(Secrets::read(&file).unwrap());
    assert!(other.card("main", &CardName::Code(code), NOW).is_ok());
}

#[test]
fn what_cannot_be_rotated_or_retired_is_refused_and_changes_nothing() {
    let bench = empty();
    let file = bench.folder.path().join("keys.json");
    let other = bench.folder.path().join("other.json");
    Secrets::generate(&mut Seeded::new(77)).write_new(&other).unwrap();
    assert_eq!(told(bench.desk.rotate_pepper(&other)).0, "secrets-unusable");
    assert_eq!(told(bench.desk.rotate_pepper(&bench.folder.path().join("none.json"))).0, "secrets-unusable");
    let newest = bench.desk.retire_pepper(&file, 1).unwrap_err();
    assert!(newest.to_string().contains("newest"), "{newest}");
    let unknown = bench.desk.retire_pepper(&file, 5).unwrap_err();
    assert!(unknown.to_string().contains("no key of version 5"), "{unknown}");
    assert_eq!(bench.desk.keys().unwrap().peppers.len(), 1);
    assert_eq!(Secrets::read(&file).unwrap().newest_pepper(), 1);
}
