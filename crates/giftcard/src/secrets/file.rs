//! The key file: reading it strictly, writing it so that no key is ever lost. Must not know what the keys are for.
//!
//! ```json
//! {
//!   "format": 1,
//!   "peppers": [{"version": 1, "key": "<32 bytes, base64>"}],
//!   "sealing": [{"version": 1, "key": "<32 bytes, base64>"}],
//!   "fingerprint": {"key": "<32 bytes, base64>"},
//!   "signing": {"key": "<32 bytes, base64>"}
//! }
//! ```

use std::fmt::Write as _;
use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Read, Write};
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use ed25519_dalek::SigningKey;
use serde::Deserialize;
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use super::Secrets;
use super::keys::{KEY_LENGTH, KEYS_MAX, Key, Keyring};
use crate::files::{file_problem, without_number};

/// The format that is read and written.
const FORMAT: u32 = 1;

/// Most bytes of a key file; with every version there can be it has about 3 KiB.
const FILE_MAX: u64 = 64 << 10;

/// What is wrong with a key file. Never shows any of what is in it but the names of fields.
#[derive(Debug, thiserror::Error)]
#[error("the key file `{}` {flaw}", path.display())]
pub struct KeyFileProblem {
    /// The file.
    pub path: PathBuf,
    /// What is wrong with it.
    pub flaw: KeyFileFlaw,
}

/// What is wrong with a key file, as it follows its name.
#[derive(Debug, thiserror::Error)]
pub enum KeyFileFlaw {
    /// It cannot be read.
    #[error("cannot be used: {}", file_problem(.0))]
    Unreadable(#[source] io::Error),
    /// It cannot be written.
    #[error("cannot be written: {}", without_number(&.0.to_string()))]
    Unwritable(#[source] io::Error),
    /// It is no file but a folder, a pipe or a device, or is far too long.
    #[error("is not a key file; it must be a plain file of at most {FILE_MAX} bytes")]
    NoFile,
    /// Others than its owner can use it.
    #[error("can be used by others than its owner (its mode is {mode:03o}); run `chmod 600 {}`", shell_word(path))]
    Exposed {
        /// The file.
        path: PathBuf,
        /// Its permissions.
        mode: u32,
    },
    /// A new file would take the place of one that is there.
    #[error("is already there and would be overwritten; without its keys no card of its database can be found")]
    Exists,
    /// A new key would take the place of a file that is there.
    #[error("is there already; choose another name")]
    ThereAlready,
    /// It is no JSON.
    #[error("is not JSON from line {line}, column {column} on")]
    NotJson {
        /// The line, from 1.
        line: usize,
        /// The column, from 1; 0 at the end of the line before.
        column: usize,
    },
    /// It has another format.
    #[error("has format {format}, and this program reads format {FORMAT}")]
    Format {
        /// Its format.
        format: u32,
    },
    /// It is JSON that is not as it should be.
    #[error("is wrong at `{field}` (line {line}): {problem}")]
    Content {
        /// The field, such as `peppers[0].key`; a dot for the whole.
        field: String,
        /// The line, from 1.
        line: usize,
        /// What is wrong and what would be right.
        problem: &'static str,
    },
    /// A key is not what a key must be.
    #[error("is wrong at `{field}`: {problem}")]
    Key {
        /// The field, such as `peppers[0].key`.
        field: String,
        /// What is wrong and what would be right.
        problem: &'static str,
    },
    /// Somebody changed it since it was read.
    #[error("was changed by somebody else meanwhile; read it and make the change again")]
    Changed,
    /// Somebody is changing it.
    #[error("is being changed, or a change was interrupted; if nobody is at it, remove `{}`", lock.display())]
    Locked {
        /// The file that is in the way.
        lock: PathBuf,
    },
}

/// The file. Keys are borrowed from its text, so that no copy is left behind.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Content<'a> {
    #[serde(rename = "format")]
    _format: u32,
    #[serde(borrow)]
    peppers: Vec<Versioned<'a>>,
    #[serde(borrow)]
    sealing: Vec<Versioned<'a>>,
    #[serde(borrow)]
    fingerprint: Single<'a>,
    #[serde(borrow)]
    signing: Single<'a>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Versioned<'a> {
    version: u32,
    key: &'a str,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Single<'a> {
    pub(super) key: &'a str,
}

/// What is read first: a file of another format may have other fields.
#[derive(Deserialize)]
struct Format {
    format: u32,
}

impl Secrets {
    /// Reads a key file, which only its owner may be able to use.
    ///
    /// # Errors
    /// See [`KeyFileFlaw`].
    pub fn read(path: &Path) -> Result<Self, KeyFileProblem> {
        read(path).map_err(|flaw| KeyFileProblem { path: path.to_path_buf(), flaw })
    }

    /// Writes a key file that is not there yet, for its owner only. Once this returns, the file outlasts a power cut.
    ///
    /// # Errors
    /// [`KeyFileFlaw::Exists`], [`KeyFileFlaw::Unwritable`].
    pub fn write_new(&mut self, path: &Path) -> Result<(), KeyFileProblem> {
        let text = self.to_text();
        let written = create(path, &text).and_then(|()| sync_folder(path)).map_err(|error| match error.kind() {
            ErrorKind::AlreadyExists => KeyFileFlaw::Exists,
            _ => KeyFileFlaw::Unwritable(error),
        });
        written.map_err(|flaw| KeyFileProblem { path: path.to_path_buf(), flaw })?;
        self.file = Some(digest(text.as_bytes()));
        Ok(())
    }

    /// Puts these keys in place of the file that they were read from, or written to, and then changed. At any moment
    /// the file has either all old or all new keys. Once this returns, the new ones outlast a power cut.
    ///
    /// Two who change the same file do not overwrite each other's keys: the second is refused.
    ///
    /// # Errors
    /// [`KeyFileFlaw::Changed`] where the file is not the one that was read, [`KeyFileFlaw::Locked`], and those of
    /// reading and writing.
    pub fn replace(&mut self, path: &Path) -> Result<(), KeyFileProblem> {
        self.replace_unnamed(path).map_err(|flaw| KeyFileProblem { path: path.to_path_buf(), flaw })
    }

    fn replace_unnamed(&mut self, path: &Path) -> Result<(), KeyFileFlaw> {
        // Renaming would take the place of a link, not of what it leads to.
        let path = &fs::canonicalize(path).map_err(KeyFileFlaw::Unreadable)?;
        let mut lock = path.clone().into_os_string();
        lock.push(".new");
        let lock = PathBuf::from(lock);
        let text = self.to_text();
        // The new file is the lock too: whoever creates it is the only one to change the keys.
        create(&lock, &text).map_err(|error| match error.kind() {
            ErrorKind::AlreadyExists => KeyFileFlaw::Locked { lock: lock.clone() },
            _ => KeyFileFlaw::Unwritable(error),
        })?;
        let replaced = match read_text(path) {
            Ok(old) if self.file == Some(digest(&old)) => fs::rename(&lock, path).map_err(KeyFileFlaw::Unwritable),
            Ok(_) => Err(KeyFileFlaw::Changed),
            Err(flaw) => Err(flaw),
        };
        if replaced.is_err() {
            // What is reported is why the keys were not replaced, not that this could not be tidied up.
            let _ = fs::remove_file(&lock);
            return replaced;
        }
        self.file = Some(digest(text.as_bytes()));
        sync_folder(path).map_err(KeyFileFlaw::Unwritable)
    }

    fn to_text(&self) -> Zeroizing<String> {
        // Big enough from the start, so that growing leaves no copy behind.
        let mut text = Zeroizing::new(String::with_capacity(512 + 2 * KEYS_MAX * 128));
        let versions = |text: &mut String, name: &str, keys: &Keyring| {
            let _ = write!(text, "  \"{name}\": [");
            let mut separator = "\n";
            for key in keys.newest_first() {
                let _ = write!(text, "{separator}    {{\"version\": {}, \"key\": \"", key.version());
                BASE64.encode_string(key.bytes(), text);
                text.push_str("\"}");
                separator = ",\n";
            }
            text.push_str("\n  ],\n");
        };
        let _ = write!(text, "{{\n  \"format\": {FORMAT},\n");
        versions(&mut text, "peppers", &self.peppers);
        versions(&mut text, "sealing", &self.sealing);
        for (name, bytes, end) in
            [("fingerprint", self.fingerprint.bytes(), ",\n"), ("signing", self.signing.as_bytes(), "\n}\n")]
        {
            let _ = write!(text, "  \"{name}\": {{\"key\": \"");
            BASE64.encode_string(bytes, &mut text);
            let _ = write!(text, "\"}}{end}");
        }
        text
    }
}

fn read(path: &Path) -> Result<Secrets, KeyFileFlaw> {
    let text = read_text(path)?;
    check_format(&text)?;
    let content: Content<'_> = parse(&text)?;
    let peppers = versions("peppers", &content.peppers)?;
    let sealing = versions("sealing", &content.sealing)?;
    let fingerprint = key("fingerprint.key".to_string(), 1, content.fingerprint.key)?;
    let signing = key("signing.key".to_string(), 1, content.signing.key)?;
    let mut all: Vec<(&Key, String)> = Vec::new();
    let kinds = [("peppers", &peppers, &content.peppers), ("sealing", &sealing, &content.sealing)];
    for (name, keys, versions) in kinds {
        for (index, versioned) in versions.iter().enumerate() {
            all.extend(keys.get(versioned.version).map(|key| (key, format!("{name}[{index}].key"))));
        }
    }
    all.push((&fingerprint, "fingerprint.key".to_string()));
    all.push((&signing, "signing.key".to_string()));
    while let Some((key, field)) = all.pop() {
        if all.iter().any(|(other, _)| other.bytes() == key.bytes()) {
            return Err(KeyFileFlaw::Key { field, problem: "this key is there twice; every key must be another" });
        }
    }
    let signing = Box::new(SigningKey::from_bytes(signing.bytes()));
    Ok(Secrets { peppers, sealing, fingerprint, signing, file: Some(digest(&text)) })
}

/// The text of a file that is plain, short enough, and for its owner only.
/// Whether a file has the format that is read.
pub(super) fn check_format(text: &[u8]) -> Result<(), KeyFileFlaw> {
    match parse(text)? {
        Format { format: FORMAT } => Ok(()),
        Format { format } => Err(KeyFileFlaw::Format { format }),
    }
}

pub(super) fn read_text(path: &Path) -> Result<Zeroizing<Vec<u8>>, KeyFileFlaw> {
    // Looked at before it is opened too, since opening a pipe waits for its other end.
    let is_plain = |metadata: &fs::Metadata| metadata.is_file() && metadata.len() <= FILE_MAX;
    if !is_plain(&fs::metadata(path).map_err(KeyFileFlaw::Unreadable)?) {
        return Err(KeyFileFlaw::NoFile);
    }
    let file = File::open(path).map_err(KeyFileFlaw::Unreadable)?;
    let metadata = file.metadata().map_err(KeyFileFlaw::Unreadable)?;
    if !is_plain(&metadata) {
        return Err(KeyFileFlaw::NoFile);
    }
    check_mode(path, &metadata)?;
    // As much as it can be, so that growing leaves no copy behind.
    let mut text = Zeroizing::new(Vec::with_capacity(FILE_MAX as usize + 1));
    file.take(FILE_MAX + 1).read_to_end(&mut text).map_err(KeyFileFlaw::Unreadable)?;
    if text.len() as u64 > FILE_MAX { Err(KeyFileFlaw::NoFile) } else { Ok(text) }
}

#[cfg(unix)]
fn check_mode(path: &Path, metadata: &fs::Metadata) -> Result<(), KeyFileFlaw> {
    use std::os::unix::fs::PermissionsExt;

    match metadata.permissions().mode() & 0o777 {
        mode if mode & 0o077 != 0 => Err(KeyFileFlaw::Exposed { path: path.to_path_buf(), mode }),
        _ => Ok(()),
    }
}

/// Elsewhere the folder's own rules have to keep others out.
#[cfg(not(unix))]
fn check_mode(_: &Path, _: &fs::Metadata) -> Result<(), KeyFileFlaw> {
    Ok(())
}

/// Parses JSON. What the parser says is not passed on: it would quote keys.
pub(super) fn parse<'a, T: Deserialize<'a>>(text: &'a [u8]) -> Result<T, KeyFileFlaw> {
    let mut deserializer = serde_json::Deserializer::from_slice(text);
    let parsed = serde_path_to_error::deserialize(&mut deserializer).map_err(|error| {
        let field = error.path().to_string();
        flaw(error.inner(), field)
    })?;
    deserializer.end().map_err(|error| flaw(&error, ".".to_string()))?;
    Ok(parsed)
}

fn flaw(error: &serde_json::Error, field: String) -> KeyFileFlaw {
    if !error.is_data() {
        return KeyFileFlaw::NotJson { line: error.line(), column: error.column() };
    }
    // These begin with words of the library; only what follows comes from the file.
    let problem = match error.to_string() {
        text if text.starts_with("unknown field") => "there is no such field",
        text if text.starts_with("missing field `format`") => "the field `format` is missing",
        text if text.starts_with("missing field `peppers`") => "the field `peppers` is missing",
        text if text.starts_with("missing field `sealing`") => "the field `sealing` is missing",
        text if text.starts_with("missing field `fingerprint`") => "the field `fingerprint` is missing",
        text if text.starts_with("missing field `signing`") => "the field `signing` is missing",
        text if text.starts_with("missing field `version`") => "the field `version` is missing",
        text if text.starts_with("missing field `key`") => "the field `key` is missing",
        text if text.starts_with("duplicate field") => "this field is there twice",
        _ => {
            "expected `{\"format\": 1, \"peppers\": [{\"version\": 1, \"key\": \"...\"}], \"sealing\": [the same], \
             \"fingerprint\": {\"key\": \"...\"}, \"signing\": {\"key\": \"...\"}}`"
        }
    };
    KeyFileFlaw::Content { field, line: error.line(), problem }
}

fn versions(name: &'static str, versions: &[Versioned<'_>]) -> Result<Keyring, KeyFileFlaw> {
    let flaw = |field: String, problem| Err(KeyFileFlaw::Key { field, problem });
    if versions.is_empty() || versions.len() > KEYS_MAX {
        return flaw(name.to_string(), "from 1 to 16 versions are needed");
    }
    for (index, versioned) in versions.iter().enumerate() {
        let field = format!("{name}[{index}].version");
        if versioned.version == 0 {
            return flaw(field, "versions begin with 1");
        }
        if versions[..index].iter().any(|earlier| earlier.version == versioned.version) {
            return flaw(field, "this version is there twice");
        }
    }
    let keys: Result<Vec<Key>, KeyFileFlaw> = versions
        .iter()
        .enumerate()
        .map(|(index, versioned)| key(format!("{name}[{index}].key"), versioned.version, versioned.key))
        .collect();
    Ok(Keyring::new(keys?).expect("INVARIANT: the versions were checked above"))
}

pub(super) fn key(field: String, version: u32, text: &str) -> Result<Key, KeyFileFlaw> {
    let flaw = |problem| Err(KeyFileFlaw::Key { field, problem });
    let mut key = Key::zeros(version);
    // A little room for a key that is too long to be told from one that is not base64.
    let mut bytes = Zeroizing::new([0; 2 * KEY_LENGTH]);
    match BASE64.decode_slice(text, &mut *bytes) {
        Ok(KEY_LENGTH) => key.bytes_mut().copy_from_slice(&bytes[..KEY_LENGTH]),
        Ok(_) | Err(base64::DecodeSliceError::OutputSliceTooSmall) => return flaw("a key must have 32 bytes"),
        Err(base64::DecodeSliceError::DecodeError(_)) => {
            return flaw("a key must be base64 (the alphabet with `+` and `/`, padded with `=`)");
        }
    }
    if key.bytes().iter().all(|byte| *byte == key.bytes()[0]) {
        return flaw("a key must be random, and these bytes are all the same");
    }
    Ok(key)
}

fn digest(text: &[u8]) -> [u8; 32] {
    Sha256::digest(text).into()
}

/// Creates a file for its owner only and writes it through to the disk. Never overwrites; leaves no part of a file
/// behind.
pub(super) fn create(path: &Path, text: &str) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path)?;
    let written = file.write_all(text.as_bytes()).and_then(|()| file.sync_all());
    if written.is_err() {
        // What is reported is why the file could not be written.
        let _ = fs::remove_file(path);
    }
    written
}

/// Writes the entry of a file in its folder through to the disk.
fn sync_folder(path: &Path) -> io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    if cfg!(unix) { File::open(folder)?.sync_all() } else { Ok(()) }
}

/// A path as a shell takes it.
fn shell_word(path: &Path) -> String {
    let text = path.display().to_string();
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "/._-+,:@%".contains(c);
    match text.starts_with('-') || !text.chars().all(is_plain) {
        true => format!("-- '{}'", text.replace('\'', r"'\''")),
        false => text,
    }
}

// The tests look at modes and links as Unix has them.
#[cfg(test)]
#[cfg(unix)]
mod tests;
