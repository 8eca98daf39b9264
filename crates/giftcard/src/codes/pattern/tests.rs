//! What patterns promise: what parses, how strong it is, what is generated, and which mistakes are told.

use std::collections::HashSet;

use proptest::prelude::*;

use super::super::tests::Seeded;
use super::super::{LENGTH_MIN, check_custom, check_entered};
use super::*;

fn weak(text: &str) -> Pattern {
    Pattern::accept_weak(text).unwrap()
}

#[test]
fn patterns_are_read_or_refused_with_the_place() {
    use PatternProblem as P;
    for (text, expected) in [
        ("HAPPYBD_XXXX-XXXX-XXXX-XXXX", Ok(80)),
        ("happybd_xxxx-xxxx-xxxx-xxxx", Ok(80)),
        (STANDARD_PATTERN, Ok(85)),
        ("GC****************", Ok(80)),
        ("######################", Ok(66)),
        ("@@@@@@@@@@@@@@", Ok(64)),
        ("XXXX XXXX XXXX X=@#X", Ok(5 * 14 + 4 + 3)),
        ("'XMAS'XXXXXXXXXXXXX", Ok(65)),
        ("'xmas-fax'-XXXXXXXXXXXXX", Ok(65)),
        ("XXXXXXXXXXXX@", Ok(64)),
        ("XXXXXXXXXXXX#", Err(P::TooWeak { bits: 63, needed: 64 })),
        ("HAPPYBD_XXXX", Err(P::TooWeak { bits: 20, needed: 64 })),
        ("HAPPYBD_GC12", Err(P::TooWeak { bits: 0, needed: 64 })),
        ("", Err(P::TooShort { characters: 0 })),
        ("XXX-XXX=", Err(P::TooShort { characters: 7 })),
        ("XMAS-XXXX-XXXX-XXXX-XXXX", Err(P::UnclearX { position: 1 })),
        ("MAX_XXXX-XXXX-XXXX-XXXX", Err(P::UnclearX { position: 3 })),
        ("GCXXXXXXXXXXXXXXXX", Err(P::UnclearX { position: 3 })),
        ("XXXXXXXXXXXXXXXX7", Err(P::UnclearX { position: 16 })),
        ("GRÜN-XXXX-XXXX-XXXX-XXXX", Err(P::Forbidden { position: 3, character: 'Ü' })),
        ("XXXX\u{2013}XXXX-XXXX-XXXX", Err(P::Forbidden { position: 5, character: '\u{2013}' })),
        ("XXXX.XXXX", Err(P::Forbidden { position: 5, character: '.' })),
        ("'XM*S'-XXXX", Err(P::Forbidden { position: 4, character: '*' })),
        ("XXXX-'SALE", Err(P::UnclosedQuote { position: 6 })),
        ("-XXXX-XXXX", Err(P::LooseSeparator { position: 1 })),
        ("XXXX-XXXX ", Err(P::LooseSeparator { position: 10 })),
        ("XXXX--XXXX", Err(P::LooseSeparator { position: 5 })),
        ("XXXX=XXXX=", Err(P::SecondCheck { position: 10 })),
    ] {
        assert_eq!(Pattern::parse(text).map(|pattern| pattern.bits()), expected, "{text}");
    }
    assert_eq!(Pattern::parse(&"X".repeat(64)).unwrap().bits(), 320);
    assert_eq!(Pattern::parse(&"X".repeat(65)), Err(P::TooLong));
    assert_eq!(Pattern::parse(&"X".repeat(201)), Err(P::TooLong));
    assert_eq!("XXXX-XXXX".parse::<Pattern>(), Err(P::TooWeak { bits: 40, needed: 64 }));
}

#[test]
fn messages_say_what_would_be_right_and_codes_are_kebab_case() {
    let problem = |text| Pattern::parse(text).unwrap_err();
    assert_eq!(
        problem("XMAS-XXXX").to_string(),
        "the `X` at position 1 of the pattern stands beside fixed text, so it could be a letter or a placeholder; write \
         `*` for a random character, or the letter in quotes as in `'XMAS'`"
    );
    assert_eq!(
        problem("XXXX-XXXX").to_string(),
        "codes of the pattern have 40 random bits, and 64 are needed not to be guessed; an `X` has 5, so add some, or \
         accept weak codes on purpose (`accept_weak`)"
    );
    for text in ["XM", "'", "-", "==", "X", "XXXXXXXX", "!", &"X".repeat(65)] {
        let problem = problem(text);
        assert!(problem.code().bytes().all(|b| b.is_ascii_lowercase() || b == b'-'));
        assert!(problem.to_string().starts_with(|first: char| first.is_lowercase() || first == '`'));
    }
}

#[test]
fn a_weak_pattern_is_accepted_on_purpose_only() {
    let pattern = weak("HAPPYBD_XXXX");
    assert!(pattern.is_weak() && !pattern.has_hint());
    assert_eq!((pattern.bits(), pattern.capacity(), pattern.room()), (20, 1 << 20, 1048));
    assert_eq!(pattern.check_room(1000, 48), Ok(()));
    let refused = NoRoom { room: 1048, made: 1000, more: 49 };
    assert_eq!(pattern.check_room(1000, 49), Err(refused));
    assert_eq!(
        refused.to_string(),
        "the pattern has room for 1048 codes and 1000 are made; for 49 more, add placeholders to it"
    );
    assert!(pattern.check_room(u64::MAX, u64::MAX).is_err());
    assert!(Pattern::accept_weak("XMAS-XXXX").is_err(), "accepting a weak code accepts no mistake");
}

#[test]
fn capacity_and_bits_are_exact_and_saturate() {
    assert_eq!(weak("@@@@@@@@").capacity(), 24_u128.pow(8));
    assert_eq!(weak("@@@@@@@@").bits(), 24_u128.pow(8).ilog2());
    assert_eq!(weak("@@@@@@@@=").bits(), 24_u128.pow(8).ilog2());
    assert_eq!(weak("PLAIN-CODE").capacity(), 1);
    assert_eq!(weak("PLAIN-CODE").room(), 1);
    assert_eq!(weak(&"X".repeat(25)).capacity(), 1 << 125);
    assert_eq!(weak(&"X".repeat(26)).capacity(), u128::MAX);
    assert_eq!(weak(&"X".repeat(64)).room(), u64::MAX);
    assert_eq!(weak(&"X".repeat(64)).check_room(u64::MAX - 1, 1), Ok(()));
    // 24^64 = 2^192 * 3^64, and 3^64 is a little more than 2^101.
    assert_eq!(weak(&"@".repeat(64)).bits(), 192 + 101);
}

#[test]
fn the_last_four_are_shown_only_where_64_bits_remain_without_them() {
    for (text, expected) in [
        (STANDARD_PATTERN, true),
        // 17 random symbols: 85 bits, of which the last four take 20.
        ("XXXXXXXXXXXXXXXXX", true),
        // 16 random symbols: 80 - 20.
        ("XXXX-XXXX-XXXX-XXXX", false),
        // 75 bits and the check symbol: 60 - 5.
        ("XXXX-XXXX-XXXX-XXX=", false),
        // 80 bits: 65, of which the check symbol tells 5.
        ("XXXX-XXXX-XXXX-XXXX=", false),
        // The check symbol is not shown.
        ("=XXXX-XXXX-XXXX-XXXXX", true),
        // The last four are known anyway.
        ("XXXXXXXXXXXXX-SHOP", true),
    ] {
        assert_eq!(Pattern::parse(text).unwrap().has_hint(), expected, "{text}");
    }
    let mut random = Seeded::new(1);
    let pattern: Pattern = "XXXX-XXXX-XXXX-XXXX-X-X".parse().unwrap();
    let code = pattern.generate(&mut random);
    assert!(normalise(code.reveal()).ends_with(code.hint().unwrap()) && code.hint().unwrap().len() == 4);
}

#[test]
fn generated_codes_follow_their_pattern() {
    let mut random = Seeded::new(2);
    let code = Pattern::parse("'XMAS'#@-XXXX-XXXX-XXXX-=_xxxx").unwrap().generate(&mut random);
    let shown = code.reveal().as_bytes();
    assert_eq!(shown.len(), "XMAS#@-XXXX-XXXX-XXXX-=_XXXX".len());
    assert!(shown.starts_with(b"XMAS") && shown[4].is_ascii_digit() && shown[5].is_ascii_uppercase());
    assert_eq!([shown[6], shown[11], shown[16], shown[21], shown[23]], *b"----_");
    assert!(shown[7..11].iter().all(|symbol| ALPHABET.contains(symbol)) && ALPHABET.contains(&shown[22]));
}

#[test]
fn the_same_seed_gives_the_same_codes_and_no_two_are_alike() {
    let standard = Pattern::standard();
    let (mut random, mut again) = (Seeded::new(3), Seeded::new(3));
    let mut seen = HashSet::new();
    for _ in 0..2000 {
        let code = standard.generate(&mut random);
        assert!(code == standard.generate(&mut again));
        assert_eq!(check_entered(code.reveal()), Ok(()));
        assert_eq!(code.hint().map(str::len), Some(4));
        assert!(seen.insert(code.reveal().to_string()));
    }
    // Pinned: a change of how codes are drawn is meant or a mistake.
    assert_eq!(standard.generate(&mut Seeded::new(4)).reveal(), "W4DSKT-VEPVM9-URPQLX");
}

#[test]
fn every_symbol_is_equally_likely_at_every_place() {
    const CODES: usize = 24_000;
    let pattern = weak("XXXX@@@@####====".replace("====", "=").as_str());
    let mut random = Seeded::new(5);
    let mut counts = [[0_usize; 32]; 13];
    for _ in 0..CODES {
        for (place, symbol) in pattern.generate(&mut random).reveal().bytes().enumerate() {
            counts[place][usize::from(value_of(symbol).unwrap())] += 1;
        }
    }
    for (place, counts) in counts.iter().enumerate() {
        let possible = match place {
            0..4 | 12 => 0..32,
            4..8 => 8..32,
            _ => 0..8,
        };
        let expected = CODES / possible.len();
        for (value, count) in counts.iter().enumerate() {
            // Five standard deviations: the root of 750 is 27, of 1000 is 32, of 3000 is 55.
            let slack = 5 * expected.isqrt();
            let wanted = if possible.contains(&value) { expected } else { 0 };
            assert!(count.abs_diff(wanted) <= if wanted == 0 { 0 } else { slack }, "{place} {value} {count}");
        }
    }
}

#[test]
fn every_wrong_symbol_and_every_swap_in_a_typed_code_is_told() {
    let mut random = Seeded::new(6);
    for pattern in [Pattern::standard(), "GC_XX=XX-XXXX-XXXX-XXXX".parse().unwrap()] {
        let code = pattern.generate(&mut random);
        let places: Vec<usize> = pattern.places.iter().enumerate().fold(Vec::new(), |mut drawn, (index, place)| {
            if matches!(place, Place::Drawn(_) | Place::Check) {
                drawn.push(index);
            }
            drawn
        });
        let typed = |change: &dyn Fn(&mut Vec<u8>)| {
            let mut typed = code.reveal().as_bytes().to_vec();
            change(&mut typed);
            pattern.check_entered(&String::from_utf8(typed).unwrap())
        };
        for place in &places {
            let right = code.reveal().as_bytes()[*place];
            for wrong in ALPHABET.iter().filter(|symbol| **symbol != right) {
                assert_eq!(typed(&|typed| typed[*place] = *wrong), Err(CheckProblem::WrongSymbol));
            }
            for look_alike in *b"01IOio" {
                assert_eq!(typed(&|typed| typed[*place] = look_alike), Err(CheckProblem::LookAlike));
            }
            for other in places.iter().filter(|other| code.reveal().as_bytes()[**other] != right) {
                assert_eq!(typed(&|typed| typed.swap(*place, *other)), Err(CheckProblem::WrongSymbol));
            }
        }
        assert_eq!(pattern.check_entered(&code.reveal().to_lowercase().replace('-', " ")), Ok(()));
    }
}

#[test]
fn codes_of_another_format_pass() {
    for code in [
        "",
        "HAPPYBD_GC12",
        "9F3K-7Q2M-X8BT-4RWN",
        "7KQ2MX-B9RT4C-WHN3P",
        "7KQ2MX-B9RT4C-WHN3PEE",
        "7KQ2MX-B9RT4C-WHN3P_",
        "7KQ2MX-B9RT4C-WHN3P!",
        "7KQ2MX-B9RT4C-WHN3É",
        &"7".repeat(1_000_000),
    ] {
        assert_eq!(check_entered(code), Ok(()));
    }
    assert_eq!(weak("GC_XXXXXXXX").check_entered("GC_23456789"), Ok(()), "no check symbol");
    assert_eq!(weak("GC_XXXXXXX=").check_entered("GD_23456789"), Ok(()), "other text");
}

proptest! {
    #[test]
    fn generated_codes_can_be_brought_along_and_checked(text in "['_#@*=A-DX0-9 -]{8,40}", seed: u64) {
        let Ok(pattern) = Pattern::accept_weak(&text) else { return Ok(()) };
        prop_assert_eq!(Pattern::accept_weak(pattern.as_str()), Ok(pattern.clone()));
        prop_assert_eq!(pattern.to_string(), pattern.as_str());
        let code = pattern.generate(&mut Seeded::new(seed));
        let normal = normalise(code.reveal());
        prop_assert!((LENGTH_MIN..=LENGTH_MAX).contains(&normal.len()));
        prop_assert!(check_custom(code.reveal()).is_ok());
        prop_assert_eq!(pattern.check_entered(code.reveal()), Ok(()));
        prop_assert_eq!(code.hint().is_some(), pattern.has_hint());
        prop_assert_eq!(pattern.capacity().ilog2().min(127), pattern.bits().min(127));
    }

    #[test]
    fn any_text_parses_or_says_where(text in "\\PC{0,30}") {
        match Pattern::accept_weak(&text) {
            Ok(pattern) => prop_assert!(pattern.places.len() >= LENGTH_MIN),
            Err(problem) => prop_assert!(!problem.to_string().is_empty()),
        }
    }

    #[test]
    fn no_message_about_a_typed_code_shows_it(code in "[2-9A-HJ-NP-Z]{18}|[01IO2-9]{18}") {
        if let Err(problem) = check_entered(&code) {
            let shown = format!("{problem} {problem:?}").to_uppercase();
            prop_assert!(!shown.contains(&code) && !shown.contains(&code[..6]));
        }
    }
}
