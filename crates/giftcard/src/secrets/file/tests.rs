//! What the key file promises: for its owner only, never overwritten, never half written, read strictly.

use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};

use tempfile::TempDir;

use super::*;
use crate::codes::tests::Seeded;

const KEY: [&str; 4] = [
    "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=",
    "ICEiIyQlJicoKSorLC0uLzAxMjM0NTY3ODk6Ozw9Pj8=",
    "YGFiY2RlZmdoaWprbG1ub3BxcnN0dXZ3eHl6e3x9fn8=",
    "QEFCQ0RFRkdISUpLTE1OT1BRUlNUVVZXWFlaW1xdXl8=",
];

fn seeded(seed: u64) -> Secrets {
    Secrets::generate(&mut Seeded::new(seed))
}

/// A folder and the path of a key file in it, which is not there yet.
fn folder() -> (TempDir, PathBuf) {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("giftcard.keys");
    (folder, path)
}

fn write(path: &Path, text: &str) {
    let _ = fs::remove_file(path);
    create(path, text).unwrap();
}

fn valid() -> String {
    format!(
        r#"{{"format":1,"peppers":[{{"version":1,"key":"{}"}}],"sealing":[{{"version":2,"key":"{}"}}],"fingerprint":{{"key":"{}"}},"signing":{{"key":"{}"}}}}"#,
        KEY[0], KEY[1], KEY[3], KEY[2]
    )
}

/// What is said of a file with this text.
fn problem(text: &str) -> String {
    let (_folder, path) = folder();
    write(&path, text);
    let problem = Secrets::read(&path).unwrap_err();
    let shown = format!("{problem} {problem:?}");
    assert!(KEY.iter().all(|key| !shown.contains(&key[..8]) && !shown.contains(&key[36..])), "{shown}");
    let whole = problem.to_string();
    whole.strip_prefix(&format!("the key file `{}` ", path.display())).unwrap().to_string()
}

#[test]
fn a_new_file_reads_back_and_is_for_its_owner_only() {
    let (folder, path) = folder();
    let mut secrets = seeded(1);
    secrets.rotate_pepper(&mut Seeded::new(2)).unwrap();
    secrets.write_new(&path).unwrap();
    assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
    let read = Secrets::read(&path).unwrap();
    assert_eq!(read.lookups("demo", "ABCD1234"), secrets.lookups("demo", "ABCD1234"));
    assert_eq!(read.fingerprint("demo", "ABCD1234"), secrets.fingerprint("demo", "ABCD1234"));
    assert_eq!((read.public_key(), read.sign(&[1; 32])), (secrets.public_key(), secrets.sign(&[1; 32])));
    let sealed = secrets.seal(1, "ABCD-1234", &mut Seeded::new(3));
    assert_eq!(read.unseal(1, &sealed).unwrap().reveal(), "ABCD-1234");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "nothing else is left there");
}

#[test]
fn a_file_that_is_there_is_never_overwritten() {
    let (_folder, path) = folder();
    seeded(1).write_new(&path).unwrap();
    let before = fs::read(&path).unwrap();
    let problem = seeded(2).write_new(&path).unwrap_err();
    assert!(matches!(problem.flaw, KeyFileFlaw::Exists), "{problem}");
    assert_eq!(fs::read(&path).unwrap(), before);
    let link = path.with_extension("link");
    symlink(path.with_extension("nowhere"), &link).unwrap();
    assert!(matches!(seeded(2).write_new(&link).unwrap_err().flaw, KeyFileFlaw::Exists));
}

#[test]
fn a_file_that_others_can_use_is_refused_with_what_mends_it() {
    let (_folder, path) = folder();
    write(&path, &valid());
    for mode in [0o640, 0o604, 0o660, 0o610, 0o644, 0o777] {
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        let text = Secrets::read(&path).unwrap_err().to_string();
        let mend =
            format!("can be used by others than its owner (its mode is {mode:o}); run `chmod 600 {}`", path.display());
        assert!(text.ends_with(&mend), "{text}");
    }
    for mode in [0o600, 0o400] {
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        assert!(Secrets::read(&path).is_ok());
    }
    assert_eq!(shell_word(Path::new("/a b/it's")), r"-- '/a b/it'\''s'");
    assert_eq!(shell_word(Path::new("-x")), "-- '-x'");
}

#[test]
fn what_is_no_key_file_is_told_so() {
    let (folder, path) = folder();
    let shown = |path: &Path| Secrets::read(path).unwrap_err().to_string();
    assert!(shown(&path).ends_with("giftcard.keys` cannot be used: there is no such file"));
    assert!(shown(folder.path()).ends_with("is not a key file; it must be a plain file of at most 65536 bytes"));
    write(&path, &" ".repeat(65537));
    assert!(shown(&path).ends_with("is not a key file; it must be a plain file of at most 65536 bytes"));
    write(&path, &format!("{}{}", valid(), " ".repeat(65536 - valid().len())));
    assert!(Secrets::read(&path).is_ok());
    let no_folder = path.join("keys");
    assert!(matches!(seeded(1).write_new(&no_folder).unwrap_err().flaw, KeyFileFlaw::Unwritable(_)));
}

#[test]
fn only_the_format_is_read_and_no_message_shows_a_key() {
    let expected = "expected `{\"format\": 1, \"peppers\": [{\"version\": 1, \"key\": \"...\"}], \"sealing\": [the same], \
                    \"fingerprint\": {\"key\": \"...\"}, \"signing\": {\"key\": \"...\"}}`";
    let at = |field: &str, problem: &str| format!("is wrong at `{field}` (line 1): {problem}");
    let bad = |field: &str, problem: &str| format!("is wrong at `{field}`: {problem}");
    let text = valid();
    for (from, to, told) in [
        (&text[..], "", "is not JSON from line 1, column 0 on".to_string()),
        (&text, "keys", "is not JSON from line 1, column 1 on".to_string()),
        ("\"}}", "\"}} x", format!("is not JSON from line 1, column {} on", text.len() + 2)),
        ("\"format\":1", "\"format\":2,\"new\":[]", "has format 2, and this program reads format 1".to_string()),
        ("\"format\":1,", "", at(".", "the field `format` is missing")),
        ("\"format\":1", "\"format\":1,\"format\":1", at(".", "this field is there twice")),
        ("\"signing\"", "\"singing\"", at("singing", "there is no such field")),
        ("\"version\":1", "\"version\":1,\"note\":\"\"", at("peppers[0].note", "there is no such field")),
        ("\"version\":1,", "", at("peppers[0]", "the field `version` is missing")),
        ("\"version\":1", "\"version\":-1", at("peppers[0].version", expected)),
        ("\"version\":1", "\"version\":\"1\"", at("peppers[0].version", expected)),
        ("\"version\":1", "\"version\":4294967296", at("peppers[0].version", expected)),
        ("\"version\":1", "\"version\":0", bad("peppers[0].version", "versions begin with 1")),
        (&format!("{{\"key\":\"{}\"}}", KEY[2]), &format!("\"{}\"", KEY[2]), at("signing", expected)),
        (&format!("\"{}\"", KEY[1]), &format!("[\"{}\"]", KEY[1]), at("sealing[0].key", expected)),
        (KEY[0], "", bad("peppers[0].key", "a key must have 32 bytes")),
        (KEY[0], "AAEC", bad("peppers[0].key", "a key must have 32 bytes")),
        (KEY[1], &KEY[1].replace('=', "").repeat(4), bad("sealing[0].key", "a key must have 32 bytes")),
        (
            KEY[2],
            KEY[2].trim_end_matches('='),
            bad("signing.key", "a key must be base64 (the alphabet with `+` and `/`, padded with `=`)"),
        ),
        (KEY[2], "!!!", bad("signing.key", "a key must be base64 (the alphabet with `+` and `/`, padded with `=`)")),
        (
            KEY[0],
            "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
            bad("peppers[0].key", "a key must be random, and these bytes are all the same"),
        ),
        (KEY[2], KEY[0], bad("signing.key", "this key is there twice; every key must be another")),
        (KEY[3], KEY[1], bad("fingerprint.key", "this key is there twice; every key must be another")),
        (KEY[1], KEY[0], bad("sealing[0].key", "this key is there twice; every key must be another")),
    ] {
        let changed = text.replacen(from, to, 1);
        assert_ne!(changed, text, "{from}");
        assert_eq!(problem(&changed), told, "{to}");
    }
}

#[test]
fn versions_are_different_and_not_too_many() {
    let versioned = |version: u32| {
        let mut bytes = [0; 32];
        bytes[..4].copy_from_slice(&version.to_be_bytes());
        format!("{{\"version\":{version},\"key\":\"{}\"}}", BASE64.encode(bytes))
    };
    let with = |versions: &[u32]| {
        let versions: Vec<String> = versions.iter().map(|version| versioned(*version)).collect();
        let from = format!("\"peppers\":[{{\"version\":1,\"key\":\"{}\"}}]", KEY[0]);
        valid().replacen(&from, &format!("\"peppers\":[{}]", versions.join(",")), 1)
    };
    assert_eq!(problem(&with(&[])), "is wrong at `peppers`: from 1 to 16 versions are needed");
    assert_eq!(
        problem(&with(&(1..=17).collect::<Vec<_>>())),
        "is wrong at `peppers`: from 1 to 16 versions are needed"
    );
    assert_eq!(problem(&with(&[3, 7, 3])), "is wrong at `peppers[2].version`: this version is there twice");
    let (_folder, path) = folder();
    write(&path, &with(&[3, 7, 5]));
    let secrets = Secrets::read(&path).unwrap();
    assert_eq!(secrets.pepper_versions().collect::<Vec<_>>(), [7, 5, 3], "whatever their order in the file");
    write(&path, &with(&(1..=16).collect::<Vec<_>>()));
    assert!(Secrets::read(&path).is_ok());
}

#[test]
fn a_replaced_file_has_the_new_keys_and_leaves_nothing_behind() {
    let (folder, path) = folder();
    let mut secrets = seeded(1);
    secrets.write_new(&path).unwrap();
    for expected in 2..5 {
        assert_eq!(secrets.rotate_pepper(&mut Seeded::new(u64::from(expected))), Ok(expected));
        secrets.replace(&path).unwrap();
        let read = Secrets::read(&path).unwrap();
        assert_eq!(read.lookups("demo", "ABCD1234"), secrets.lookups("demo", "ABCD1234"));
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
    }
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[test]
fn two_who_change_the_same_file_do_not_lose_each_others_keys() {
    let (_folder, path) = folder();
    seeded(1).write_new(&path).unwrap();
    let (mut one, mut other) = (Secrets::read(&path).unwrap(), Secrets::read(&path).unwrap());
    one.rotate_pepper(&mut Seeded::new(2)).unwrap();
    other.rotate_pepper(&mut Seeded::new(3)).unwrap();
    one.replace(&path).unwrap();
    let problem = other.replace(&path).unwrap_err();
    assert!(matches!(problem.flaw, KeyFileFlaw::Changed), "{problem}");
    assert_eq!(Secrets::read(&path).unwrap().lookup("demo", "ABCD1234"), one.lookup("demo", "ABCD1234"));
    // Keys that were never in the file do not take its place either.
    assert!(matches!(seeded(9).replace(&path).unwrap_err().flaw, KeyFileFlaw::Changed));
}

#[test]
fn an_interrupted_change_is_found_and_nothing_is_lost() {
    let (folder, path) = folder();
    let mut secrets = seeded(1);
    secrets.write_new(&path).unwrap();
    secrets.rotate_pepper(&mut Seeded::new(2)).unwrap();
    let lock = folder.path().join("giftcard.keys.new");
    fs::write(&lock, "half a fi").unwrap();
    let text = secrets.replace(&path).unwrap_err().to_string();
    assert!(text.contains("is being changed, or a change was interrupted; if nobody is at it, remove `"), "{text}");
    assert!(text.contains("giftcard.keys.new`"), "{text}");
    assert_eq!(Secrets::read(&path).unwrap().newest_pepper(), 1);
    fs::remove_file(lock).unwrap();
    secrets.replace(&path).unwrap();
    assert_eq!(Secrets::read(&path).unwrap().newest_pepper(), 2);
}

#[test]
fn a_link_stays_one_when_the_file_it_leads_to_is_replaced() {
    let (folder, path) = folder();
    let link = folder.path().join("link");
    let mut secrets = seeded(1);
    secrets.write_new(&path).unwrap();
    symlink(&path, &link).unwrap();
    secrets.rotate_sealing(&mut Seeded::new(2)).unwrap();
    secrets.replace(&link).unwrap();
    assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
    assert_eq!(Secrets::read(&path).unwrap().sealing_versions().collect::<Vec<_>>(), [2, 1]);
    fs::remove_file(&path).unwrap();
    assert!(matches!(secrets.replace(&link).unwrap_err().flaw, KeyFileFlaw::Unreadable(_)));
}
