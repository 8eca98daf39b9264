//! What the keys promise: lookups, seals and signatures that others can compute too, and no key or code ever shown.

use std::collections::HashSet;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use proptest::prelude::*;

use super::*;
use crate::codes::Pattern;
use crate::codes::tests::Seeded;

/// Keys whose bytes count up: the pepper from 0, the sealing key from 32, the key for fingerprints and
/// the signing key from 0.
fn counted() -> Secrets {
    let key = |version, from: u8| {
        let mut key = Key::zeros(version);
        key.bytes_mut().iter_mut().zip(from..).for_each(|(byte, count)| *byte = count);
        key
    };
    let ring = |key| Keyring::new(vec![key]).unwrap();
    let signing = Box::new(SigningKey::from_bytes(key(1, 0).bytes()));
    Secrets { peppers: ring(key(1, 0)), sealing: ring(key(3, 32)), fingerprint: key(1, 0), signing, file: None }
}

fn seeded(seed: u64) -> Secrets {
    Secrets::generate(&mut Seeded::new(seed))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unhex(text: &str) -> Vec<u8> {
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap()).collect()
}

#[test]
fn lookups_are_those_of_another_implementation() {
    // HMAC-SHA-256 by Python's hmac.
    let expected = "a2476a8f01894ffdd0c6378ea0a9de787d67b106ce7226b4b686d87b22d0ea73";
    for code in ["ABCD1234EFGH5678", " abcd-1234 efgh\u{2013}5678 "] {
        assert_eq!(hex(&counted().lookup("demo", code)), expected);
        assert_eq!(hex(&counted().fingerprint("demo", code)), expected);
    }
}

#[test]
fn lookups_differ_by_site_code_and_pepper_and_lengths_keep_site_and_code_apart() {
    let secrets = seeded(1);
    let pairs =
        [("demo", "ABCD1234"), ("demoA", "BCD1234"), ("dem", "OABCD1234"), ("demo", "ABCD_1234"), ("", "DEMOABCD1234")];
    let lookups: HashSet<_> = pairs.iter().map(|(site, code)| secrets.lookup(site, code)).collect();
    assert_eq!(lookups.len(), pairs.len());
    assert_ne!(secrets.lookup("demo", "ABCD1234"), seeded(2).lookup("demo", "ABCD1234"));
    assert_eq!(secrets.lookup("demo", "ABCD-1234"), secrets.lookup("demo", "abcd 1234"));
}

#[test]
fn every_live_pepper_is_tried_the_newest_first() {
    let mut random = Seeded::new(3);
    let mut secrets = Secrets::generate(&mut random);
    let first = secrets.lookup("demo", "ABCD1234");
    assert_eq!(secrets.lookups("demo", "ABCD1234"), [(1, first)]);
    assert_eq!(secrets.rotate_pepper(&mut random), Ok(2));
    assert_eq!(secrets.rotate_pepper(&mut random), Ok(3));
    let newest = secrets.lookup("demo", "ABCD1234");
    let lookups = secrets.lookups("demo", "ABCD1234");
    assert_eq!(lookups.iter().map(|(version, _)| *version).collect::<Vec<_>>(), [3, 2, 1]);
    assert_eq!((lookups[0].1, lookups[2].1, secrets.newest_pepper()), (newest, first, 3));
    assert_eq!(secrets.retire_pepper(2), Ok(()));
    assert_eq!(secrets.pepper_versions().collect::<Vec<_>>(), [3, 1]);
    assert_eq!(secrets.retire_pepper(2), Err(KeyProblem::Unknown { version: 2 }));
    assert_eq!(secrets.retire_pepper(3), Err(KeyProblem::Newest { version: 3 }));
    assert_eq!(secrets.rotate_pepper(&mut random), Ok(4), "a version is never given twice");
}

#[test]
fn a_fingerprint_stays_whatever_becomes_of_the_peppers_and_is_no_lookup() {
    let mut random = Seeded::new(11);
    let mut secrets = Secrets::generate(&mut random);
    let first = secrets.fingerprint("demo", "ABCD-1234");
    assert_ne!(first, secrets.lookup("demo", "ABCD-1234"));
    assert_ne!(first, secrets.fingerprint("other", "ABCD-1234"));
    secrets.rotate_pepper(&mut random).unwrap();
    secrets.retire_pepper(1).unwrap();
    assert_eq!(first, secrets.fingerprint("demo", "abcd1234"));
}

#[test]
fn there_is_an_end_to_versions_and_to_how_many_live_at_once() {
    let mut random = Seeded::new(4);
    let mut secrets = Secrets::generate(&mut random);
    for version in 2..=16 {
        assert_eq!(secrets.rotate_sealing(&mut random), Ok(version));
    }
    assert_eq!(secrets.rotate_sealing(&mut random), Err(KeyProblem::TooMany));
    assert_eq!(secrets.retire_sealing(1), Ok(()));
    assert_eq!(secrets.rotate_sealing(&mut random), Ok(17));
    secrets.peppers = Keyring::new(vec![Key::generate(u32::MAX, &mut random)]).unwrap();
    assert_eq!(secrets.rotate_pepper(&mut random), Err(KeyProblem::NoVersionLeft));
}

#[test]
fn a_seal_of_another_implementation_opens() {
    // XChaCha20-Poly1305 by Python: HChaCha20 as in draft-irtf-cfrg-xchacha, the rest by its cryptography package.
    let sealed = unhex(
        "0000000328292a2b2c2d2e2f303132333435363738393a3b3c3d3e3ffd6ec92c51577dab44f09dd03c842bd83b59f2a449e4624559",
    );
    assert_eq!(counted().unseal(5, &sealed).unwrap().reveal(), "ABCD-1234");
}

#[test]
fn a_seal_opens_for_its_code_only_and_by_any_live_key() {
    let mut random = Seeded::new(5);
    let mut secrets = Secrets::generate(&mut random);
    let sealed = secrets.seal(7, "ABCD-1234", &mut random);
    assert_ne!(sealed, secrets.seal(7, "ABCD-1234", &mut random), "each seal has a nonce of its own");
    secrets.rotate_sealing(&mut random).unwrap();
    assert_eq!(secrets.unseal(7, &sealed).unwrap().reveal(), "ABCD-1234");
    assert_eq!(secrets.unseal(8, &sealed), Err(UnsealProblem::Broken));
    assert_eq!(seeded(6).unseal(7, &sealed), Err(UnsealProblem::Broken));
    let newer = secrets.seal(7, "ABCD-1234", &mut random);
    assert_eq!(newer[..4], [0, 0, 0, 2]);
    assert_eq!(seeded(5).unseal(7, &newer), Err(UnsealProblem::NoKey { version: 2 }));
    secrets.retire_sealing(1).unwrap();
    assert_eq!(secrets.unseal(7, &sealed), Err(UnsealProblem::NoKey { version: 1 }));
}

#[test]
fn a_seal_that_was_changed_anywhere_does_not_open() {
    let mut random = Seeded::new(7);
    let secrets = Secrets::generate(&mut random);
    let sealed = secrets.seal(7, "ABCD-1234", &mut random);
    for (byte, bit) in (0..sealed.len()).flat_map(|byte| (0..8).map(move |bit| (byte, bit))) {
        let mut changed = sealed.clone();
        changed[byte] ^= 1 << bit;
        assert!(secrets.unseal(7, &changed).is_err());
    }
    for length in 0..sealed.len() {
        let expected = if length < 4 + 24 + 16 { UnsealProblem::CutOff } else { UnsealProblem::Broken };
        assert_eq!(secrets.unseal(7, &sealed[..length]), Err(expected));
    }
}

#[test]
fn signatures_are_those_of_another_implementation() {
    // Ed25519 by Python's cryptography package.
    let (public, signature) = (
        "03a107bff3ce10be1d70dd18e74bc09967e4d6309ba50d5f1ddc8664125531b8",
        "b6c8790330ad9053c84b389fa82359a9bcea86f90f6efdd6b798e57591cb1860d740744e07db8a39cc94b4faa6b540dd285f7cb2641b931965c47cd468f7ae04",
    );
    let secrets = counted();
    assert_eq!(hex(&secrets.public_key()), public);
    assert_eq!(hex(&secrets.sign(&[7; 32])), signature);
}

#[test]
fn a_signature_fits_its_digest_and_key_only() {
    let secrets = seeded(8);
    let signature = secrets.sign(&[7; 32]);
    assert!(verify(&secrets.public_key(), &[7; 32], &signature));
    assert!(!verify(&secrets.public_key(), &[8; 32], &signature));
    assert!(!verify(&seeded(9).public_key(), &[7; 32], &signature));
    let mut changed = signature;
    changed[63] ^= 1;
    assert!(!verify(&secrets.public_key(), &[7; 32], &changed));
    assert!(!verify(&[0; 32], &[7; 32], &[0; 64]), "a weak public key");
    assert!(!verify(&[255; 32], &[7; 32], &signature), "no public key at all");
}

#[test]
fn debug_shows_versions_and_no_key() {
    let secrets = counted();
    let shown = format!("{secrets:?} {secrets:#?}");
    assert!(shown.starts_with("Secrets { peppers: [1], sealing: [3], .. }"), "{shown}");
    for key in [secrets.peppers.newest(), secrets.sealing.newest()] {
        assert!(!shown.contains(&BASE64.encode(key.bytes())) && !shown.contains("31"));
    }
}

#[test]
fn keys_are_all_different() {
    let mut random = Seeded::new(10);
    let mut secrets = Secrets::generate(&mut random);
    secrets.rotate_pepper(&mut random).unwrap();
    secrets.rotate_sealing(&mut random).unwrap();
    let rings = secrets.peppers.newest_first().chain(secrets.sealing.newest_first());
    let others = [*secrets.fingerprint.bytes(), secrets.signing.to_bytes()];
    let keys: HashSet<[u8; 32]> = rings.map(|key| *key.bytes()).chain(others).collect();
    assert_eq!(keys.len(), 6);
}

proptest! {
    #[test]
    fn what_is_sealed_is_unsealed_and_told_by_nothing_else(seed: u64, id: i64) {
        let mut random = Seeded::new(seed);
        let secrets = Secrets::generate(&mut random);
        let code = Pattern::standard().generate(&mut random);
        let sealed = secrets.seal(id, code.reveal(), &mut random);
        let unsealed = secrets.unseal(id, &sealed).unwrap();
        prop_assert_eq!(unsealed.reveal(), code.reveal());
        let wrong = secrets.unseal(id ^ 1, &sealed).unwrap_err();
        let shown = format!("{unsealed:?} {code:?} {secrets:?} {wrong} {wrong:?} {}", String::from_utf8_lossy(&sealed));
        prop_assert!(!shown.contains(&code.reveal()[..6]) && !shown.contains(code.hint().unwrap()));
    }

    #[test]
    fn no_bytes_unseal(id: i64, bytes in prop::collection::vec(any::<u8>(), 0..80)) {
        prop_assert!(counted().unseal(id, &bytes).is_err());
        let sealed: Vec<u8> = [0, 0, 0, 3].into_iter().chain(bytes).collect();
        prop_assert!(counted().unseal(id, &sealed).is_err());
    }
}
