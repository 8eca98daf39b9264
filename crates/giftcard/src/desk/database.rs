//! Opening a ledger's database by its address, and the key file that belongs to it. Must not know SQL, and never shows a
//! password.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use giftcard_ledger::model::{RecordKey, RecordKind};
use giftcard_ledger::postgres::{self, PostgresOptions, PostgresStore};
use giftcard_ledger::sqlite::{self, SqliteOptions, SqliteStore};
use giftcard_ledger::store::{Changes, RecordChange, Store, StoreError, Verdict, Want};

use super::DeskError;
use super::pay::hex;
use crate::input::SiteDocument;
use crate::json::excerpt;
use crate::secrets::Secrets;

/// Note of a database: the public key of its key file, in hexadecimal.
const SIGNING_KEY_NOTE: &str = "signing-key";

/// The parameter of a PostgreSQL address that names the schema.
const SCHEMA_PARAMETER: &str = "schema=";

/// Where a ledger's database is.
#[derive(Clone, PartialEq, Eq)]
pub enum Address {
    /// A SQLite file.
    Sqlite(PathBuf),
    /// A schema of a PostgreSQL database.
    Postgres {
        /// As libpq reads it. May have a password.
        url: String,
        /// The schema; `giftcard` where none is named.
        schema: Option<String>,
    },
}

/// Why a database is not opened.
#[derive(Debug, thiserror::Error)]
pub enum DatabaseProblem {
    /// The address is none.
    #[error("{0}")]
    Address(String),
    /// There is no ledger there.
    #[error("there is no ledger at `{place}`; `giftcard init` makes one")]
    Missing {
        /// The file, or the schema of the database.
        place: String,
    },
    /// The file cannot be opened.
    #[error(transparent)]
    Sqlite(sqlite::OpenError),
    /// The server cannot be reached, or its schema cannot be used.
    #[error(transparent)]
    Postgres(postgres::OpenError),
    /// It was opened, and failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The key file is another database's.
    #[error(
        "the key file is not the one of this database: the database belongs to the keys that sign as {expected}, these \
         sign as {found}; name the right file with `--keys`"
    )]
    OtherKeys {
        /// Beginning of the public key that the database remembers.
        expected: String,
        /// Beginning of the public key of the file.
        found: String,
    },
}

impl DatabaseProblem {
    /// Stable kebab-case code.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Address(_) => "invalid-database-address",
            Self::Missing { .. } => "database-missing",
            Self::Sqlite(_) | Self::Postgres(_) => "database-unusable",
            Self::Store(error) => error.code(),
            Self::OtherKeys { .. } => "other-keys",
        }
    }
}

impl Address {
    /// Reads `sqlite:PATH` or `postgres://user:password@host/database`, in which `schema=NAME` may stand among the
    /// parameters.
    ///
    /// # Errors
    /// [`DatabaseProblem::Address`], which repeats nothing that could be a password.
    pub fn parse(text: &str) -> Result<Self, DatabaseProblem> {
        let refuse = |problem: String| Err(DatabaseProblem::Address(problem));
        let right = "write `sqlite:PATH` or `postgres://user:password@host/database`";
        if let Some(path) = text.strip_prefix("sqlite:") {
            let path = path.strip_prefix("//").unwrap_or(path);
            if path.is_empty() || path.starts_with(':') {
                return refuse("the address of the database names no file; write `sqlite:PATH`".to_string());
            }
            return Ok(Self::Sqlite(PathBuf::from(path)));
        }
        if text.starts_with("postgres://") || text.starts_with("postgresql://") {
            let (url, schema) = without_schema(text);
            return Ok(Self::Postgres { url, schema });
        }
        match text.split_once(':') {
            // A drive of Windows is no scheme.
            Some((scheme, _)) if scheme.len() > 1 && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric()) => {
                refuse(format!("`{}` is no kind of database; {right}", excerpt(scheme)))
            }
            Some((_, rest)) if rest.contains('@') => {
                refuse(format!("the address of the database has no scheme; {right}"))
            }
            _ if text.trim().is_empty() => refuse(format!("the address of the database is empty; {right}")),
            _ => refuse(format!("the address of the database has no scheme; did you mean `sqlite:{}`?", excerpt(text))),
        }
    }

    /// The file, where it is one.
    #[must_use]
    pub fn file(&self) -> Option<&Path> {
        match self {
            Self::Sqlite(path) => Some(path),
            Self::Postgres { .. } => None,
        }
    }

    /// Opens the ledger, and makes it where `create` says so.
    ///
    /// # Errors
    /// See [`DatabaseProblem`].
    pub fn open(&self, create: bool) -> Result<Arc<dyn Store>, DatabaseProblem> {
        let missing = || DatabaseProblem::Missing { place: self.to_string() };
        match self {
            Self::Sqlite(path) => {
                match SqliteStore::open(path, &SqliteOptions { create, ..SqliteOptions::default() }) {
                    Ok(store) => Ok(Arc::new(store)),
                    Err(sqlite::OpenError::Missing { .. }) => Err(missing()),
                    Err(error) => Err(DatabaseProblem::Sqlite(error)),
                }
            }
            Self::Postgres { url, schema } => {
                match PostgresStore::open(url, &postgres_options(schema.as_deref(), create)) {
                    Ok(store) => Ok(Arc::new(store)),
                    Err(postgres::OpenError::NotThere { .. }) => Err(missing()),
                    Err(error) => Err(DatabaseProblem::Postgres(error)),
                }
            }
        }
    }
}

/// How a PostgreSQL database is opened.
pub(super) fn postgres_options(schema: Option<&str>, create: bool) -> PostgresOptions {
    let options = PostgresOptions { create, ..PostgresOptions::default() };
    match schema {
        Some(schema) => PostgresOptions { schema: schema.to_string(), ..options },
        None => options,
    }
}

/// For people: without user and password.
impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sqlite(path) => path.display().fmt(f),
            Self::Postgres { url, schema } => {
                let rest = url.split_once("://").map_or("", |(_, rest)| rest);
                let rest = rest.split(['?', '#']).next().unwrap_or_default();
                // The last `@`, since one may stand in a password that is not escaped.
                let place = rest.rsplit_once('@').map_or(rest, |(_, place)| place);
                write!(f, "postgres://{place}")?;
                schema.as_ref().map_or(Ok(()), |schema| write!(f, " (schema {schema})"))
            }
        }
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Address({self})")
    }
}

/// The address as libpq knows it, and the schema that it named.
fn without_schema(url: &str) -> (String, Option<String>) {
    let Some((place, parameters)) = url.split_once('?') else { return (url.to_string(), None) };
    let mut schema = None;
    let rest: Vec<&str> = parameters
        .split('&')
        .filter(|parameter| match parameter.strip_prefix(SCHEMA_PARAMETER) {
            Some(name) => {
                schema = Some(name.to_string());
                false
            }
            None => !parameter.is_empty(),
        })
        .collect();
    let joint = if rest.is_empty() { "" } else { "?" };
    (format!("{place}{joint}{}", rest.join("&")), schema)
}

/// Opens a ledger by its address: `sqlite:PATH` or `postgres://user:password@host/database`. One that is not there is
/// made where `create` says so, and an older one is brought to the newest schema.
///
/// # Errors
/// See [`DatabaseProblem`].
pub fn open_store(address: &str, create: bool) -> Result<Arc<dyn Store>, DatabaseProblem> {
    Address::parse(address)?.open(create)
}

/// The public key of the keys that a database belongs to; `None` where that was never said.
///
/// # Errors
/// [`DatabaseProblem::Store`].
pub fn keys_of(store: &dyn Store) -> Result<Option<[u8; 32]>, DatabaseProblem> {
    let corrupt = || StoreError::Corrupt("the public key of the key file cannot be read".to_string());
    let note = store.note(SIGNING_KEY_NOTE)?;
    Ok(note.map(|text| super::decision::unhex(&text).ok_or_else(corrupt)).transpose()?)
}

/// Makes a database belong to keys, unless it belongs to some already. Told whether it did not before.
///
/// # Errors
/// [`DatabaseProblem::OtherKeys`] where it belongs to other keys.
pub fn bind_keys(store: &dyn Store, secrets: &Secrets) -> Result<bool, DatabaseProblem> {
    let new = keys_of(store)?.is_none();
    if new {
        store.set_note(SIGNING_KEY_NOTE, &hex(&secrets.public_key()))?;
    }
    // Read again: of two who do this at once, one has to find out.
    check_keys(store, secrets)?;
    Ok(new)
}

/// Whether the keys are those that the database belongs to.
///
/// # Errors
/// [`DatabaseProblem::OtherKeys`] where they are not.
pub fn check_keys(store: &dyn Store, secrets: &Secrets) -> Result<(), DatabaseProblem> {
    let found = secrets.public_key();
    match keys_of(store)? {
        Some(expected) if expected != found => {
            Err(DatabaseProblem::OtherKeys { expected: short(&expected), found: short(&found) })
        }
        _ => Ok(()),
    }
}

/// The site of a document, which is made unless it is there; and whether it was made.
///
/// # Errors
/// [`DeskError::Input`](super::DeskError::Input) where the document is no site.
pub fn first_site(store: &dyn Store, document: SiteDocument) -> Result<(SiteDocument, bool), DeskError> {
    super::setup::check_site(&document)?;
    let key = RecordKey { kind: RecordKind::Site, site: String::new(), id: document.id.to_string() };
    for _ in 0..2 {
        let found = store.find(&Want { records: vec![key.clone()], ..Want::default() })?;
        if let Some(record) = found.records.get(&key) {
            return Ok((giftcard_ledger::plan::read_record(&record.body)?, false));
        }
        let body = serde_json::to_string(&document).expect("INVARIANT: a site has string keys only");
        let change = RecordChange { key: key.clone(), before: None, body: Some(body) };
        let changes = Changes { records: vec![change], ..Changes::default() };
        if store.commit(0, &[&changes])?.first() == Some(&Verdict::Committed) {
            return Ok((document, true));
        }
    }
    Err(DeskError::Busy)
}

/// The beginning of a public key, as people compare it.
fn short(key: &[u8; 32]) -> String {
    hex(&key[..8])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codes::tests::Seeded;

    #[test]
    fn an_address_is_a_file_or_a_server() {
        let file = |path: &str| Address::Sqlite(PathBuf::from(path));
        for (text, expected) in [
            ("sqlite:giftcard.db", file("giftcard.db")),
            ("sqlite:/var/a b.db", file("/var/a b.db")),
            ("sqlite:///var/a.db", file("/var/a.db")),
            ("sqlite:C:\\shop\\a.db", file("C:\\shop\\a.db")),
        ] {
            assert_eq!(Address::parse(text).unwrap(), expected, "{text}");
        }
        for (text, url, schema) in [
            ("postgres://a:b@h/d", "postgres://a:b@h/d", None),
            ("postgres://h/d?sslmode=require", "postgres://h/d?sslmode=require", None),
            ("postgres://h/d?schema=shop", "postgres://h/d", Some("shop")),
            ("postgresql://h/d?schema=shop&sslmode=disable", "postgresql://h/d?sslmode=disable", Some("shop")),
        ] {
            let schema = schema.map(str::to_string);
            assert_eq!(Address::parse(text).unwrap(), Address::Postgres { url: url.to_string(), schema }, "{text}");
        }
    }

    #[test]
    fn what_is_no_address_is_told_without_a_password() {
        for (text, expected) in [
            ("", "is empty"),
            ("sqlite:", "names no file"),
            ("sqlite::memory:", "names no file"),
            ("shop.db", "did you mean `sqlite:shop.db`?"),
            ("mysql://root:secret@host/db", "`mysql` is no kind of database; write `sqlite:PATH` or `postgres://"),
            ("root:secret@host/db", "is no kind of database"),
            ("r o:secret@host/db", "has no scheme"),
        ] {
            let problem = Address::parse(text).unwrap_err().to_string();
            assert!(problem.contains(expected) && !problem.contains("secret"), "{text}: {problem}");
        }
        let shown = Address::parse("postgres://root:se@cret@host:5/db?password=secret&schema=s").unwrap();
        assert_eq!(format!("{shown} {shown:?}"), {
            let shown = "postgres://host:5/db (schema s)";
            format!("{shown} Address({shown})")
        });
    }

    #[test]
    fn a_database_belongs_to_the_keys_it_was_first_used_with() {
        let folder = tempfile::tempdir().unwrap();
        let address = format!("sqlite:{}", folder.path().join("a.db").display());
        let missing = open_store(&address, false).err().unwrap();
        assert_eq!(missing.code(), "database-missing");
        assert!(missing.to_string().contains("`giftcard init`"), "{missing}");
        let store = open_store(&address, true).unwrap();
        let (ours, others) = (Secrets::generate(&mut Seeded::new(1)), Secrets::generate(&mut Seeded::new(2)));
        assert!(keys_of(&*store).unwrap().is_none() && check_keys(&*store, &others).is_ok());
        assert!(bind_keys(&*store, &ours).unwrap());
        assert!(!bind_keys(&*store, &ours).unwrap());
        for refused in [check_keys(&*store, &others), bind_keys(&*store, &others).map(drop)] {
            assert_eq!(refused.unwrap_err().code(), "other-keys");
        }
    }
}
