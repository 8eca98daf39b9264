//! Files of codes that a merchant brings along, as CSV (RFC 4180). Must not know what becomes of the codes, and tells
//! about them by line only.

mod record;

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::io::Read;

use giftcard_engine::code::normalise;
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use super::custom::{CustomProblem, Strength, check_custom};
use super::secret::SecretCode;
use record::{RECORD_MAX, Record, Records};

/// Name of the column that has the codes.
const CODE_COLUMN: &str = "code";

/// Words of which headers are made that are not understood.
const HEADER_WORDS: &[&str] = &[
    "card", "cards", "code", "codes", "coupon", "gift", "giftcard", "id", "no", "nr", "number", "pin", "serial",
    "voucher",
];

/// A row of the file.
#[derive(Clone, PartialEq, Eq)]
pub struct Imported {
    /// Where the row begins, from 1.
    pub line: u64,
    /// The code, as it is written there.
    pub code: SecretCode,
    /// How strong it is at best.
    pub strength: Strength,
    /// The other columns by name in lower case, without those that are empty here.
    pub others: BTreeMap<String, String>,
}

/// What is wrong, and where.
#[derive(Debug, thiserror::Error)]
#[error("line {line}: {flaw}")]
pub struct CsvProblem {
    /// The line, from 1; of a row of several lines the first.
    pub line: u64,
    /// What is wrong.
    pub flaw: CsvFlaw,
}

/// What is wrong with a line. Never shows any of it.
#[derive(Debug, thiserror::Error)]
pub enum CsvFlaw {
    /// The code cannot be taken.
    #[error("{0}")]
    Code(CustomProblem),
    /// The same code again.
    #[error("repeats the code of line {first}")]
    Duplicate {
        /// The line that has it first.
        first: u64,
    },
    /// Cells, but none in the column of codes.
    #[error("the column `code` is empty")]
    NoCode,
    /// Fewer or more cells than columns.
    #[error("has {found} cells where the first line names {expected}")]
    CellCount {
        /// How many cells there are.
        found: usize,
        /// How many there should be.
        expected: usize,
    },
    /// A cell below an empty heading.
    #[error("has something in column {column}, which the first line does not name")]
    Unnamed {
        /// The column, from 1.
        column: usize,
    },
    /// A cell, or the heading of one, that is not UTF-8.
    #[error("is not UTF-8; save the file as \"CSV UTF-8\"")]
    Encoding,
    /// The file is UTF-16. Nothing is read after it.
    #[error("is UTF-16; save the file as \"CSV UTF-8\"")]
    WideCharacters,
    /// Several columns without headings, or none that is `code`. Nothing is read after it.
    #[error(
        "needs to name the columns, and the one with the codes must be named `code`; a single column needs no name"
    )]
    Heading,
    /// Two columns of the same name. Nothing is read after it.
    #[error("names columns {first} and {second} the same")]
    SameHeading {
        /// The column, from 1.
        first: usize,
        /// The other.
        second: usize,
    },
    /// Too long, or with a quote that is not closed. Nothing is read after it.
    #[error("is longer than {RECORD_MAX} bytes, or a quote (`\"`) in it is not closed")]
    TooLong,
    /// A carriage return that ends no line. Nothing is read after it.
    #[error("has a carriage return inside; save the file with line ends of Windows or Unix")]
    LineEnd,
    /// The file could not be read. Nothing is read after it.
    #[error("the file cannot be read from here: {}", crate::files::without_number(&.0.to_string()))]
    Unreadable(#[source] std::io::Error),
}

impl CsvFlaw {
    /// Stable kebab-case code.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Code(problem) => problem.code(),
            Self::Duplicate { .. } => "code-repeated",
            Self::NoCode => "code-missing",
            Self::CellCount { .. } => "csv-cell-count",
            Self::Unnamed { .. } => "csv-unnamed-column",
            Self::Encoding | Self::WideCharacters => "csv-encoding",
            Self::Heading => "csv-heading",
            Self::SameHeading { .. } => "csv-same-heading",
            Self::TooLong => "csv-line-too-long",
            Self::LineEnd => "csv-line-end",
            Self::Unreadable(_) => "csv-unreadable",
        }
    }

    /// Whether what follows can no longer be told apart, so that reading ends.
    #[must_use]
    pub const fn is_final(&self) -> bool {
        match self {
            Self::WideCharacters | Self::Heading | Self::SameHeading { .. } | Self::TooLong => true,
            Self::LineEnd | Self::Unreadable(_) => true,
            Self::Code(_) | Self::Duplicate { .. } | Self::NoCode | Self::CellCount { .. } => false,
            Self::Unnamed { .. } | Self::Encoding => false,
        }
    }
}

/// Reads codes from CSV, one to a line, in constant memory but for a digest of each code to find repeated ones.
///
/// A single column needs no heading. With several, the first line names them, one of them `code`, in any case; cells
/// are separated by `,`, `;` or tabs, whichever comes first there. A byte order mark, Windows line ends, blank lines
/// and quoted cells are fine. After a wrong line the next one is read, unless [`CsvFlaw::is_final`].
///
/// ```
/// use giftcard::codes::read_codes;
///
/// let file = "code,value\n9F3K-7Q2M-X8BT-4RWN,50.00\n9f3k7q2mx8bt4rwn,50.00\n";
/// let mut rows = read_codes(file.as_bytes());
/// let first = rows.next().unwrap().unwrap();
/// assert_eq!((first.line, first.others["value"].as_str()), (2, "50.00"));
/// assert_eq!(rows.next().unwrap().unwrap_err().to_string(), "line 3: repeats the code of line 2");
/// assert!(rows.next().is_none());
/// ```
pub fn read_codes<R: Read>(file: R) -> CodeRows<R> {
    CodeRows { records: Records::new(file), columns: None, seen: HashMap::new(), ended: false }
}

/// The rows of a file; see [`read_codes`].
pub struct CodeRows<R> {
    records: Records<R>,
    columns: Option<Columns>,
    /// Half a digest of each code, and its line. Random collisions need 2^64 codes; a merchant who looks for one finds
    /// that their own file is refused.
    seen: HashMap<[u8; 16], u64>,
    ended: bool,
}

/// What the first line says.
struct Columns {
    names: Vec<String>,
    code: usize,
}

impl<R: Read> Iterator for CodeRows<R> {
    type Item = Result<Imported, CsvProblem>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ended {
            return None;
        }
        loop {
            let read = match self.records.next() {
                Ok(None) => {
                    self.ended = true;
                    return None;
                }
                Ok(Some(record)) => self.row(&record).map_err(|flaw| CsvProblem { line: record.line, flaw }),
                Err(problem) => Err(problem),
            };
            match read {
                Ok(None) => {}
                Ok(Some(imported)) => return Some(Ok(imported)),
                Err(problem) => {
                    self.ended = problem.flaw.is_final();
                    return Some(Err(problem));
                }
            }
        }
    }
}

impl<R> fmt::Debug for CodeRows<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CodeRows").field("codes", &self.seen.len()).finish_non_exhaustive()
    }
}

impl fmt::Debug for Imported {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Imported").field("line", &self.line).field("strength", &self.strength).finish_non_exhaustive()
    }
}

impl<R> CodeRows<R> {
    /// The row of a record; `None` for a heading and for a row without anything in it.
    fn row(&mut self, record: &Record) -> Result<Option<Imported>, CsvFlaw> {
        let cells = record.cells();
        if cells.iter().all(|cell| cell.trim_ascii().is_empty()) {
            return Ok(None);
        }
        let columns = match &self.columns {
            Some(columns) => columns,
            None => {
                let (columns, is_heading) = Columns::read(&cells)?;
                let columns = self.columns.insert(columns);
                if is_heading {
                    return Ok(None);
                }
                columns
            }
        };
        let (code, others) = columns.split(&cells)?;
        let strength = check_custom(code.reveal()).map_err(CsvFlaw::Code)?;
        self.note(&code, record.line)?;
        Ok(Some(Imported { line: record.line, code, strength, others }))
    }

    fn note(&mut self, code: &SecretCode, line: u64) -> Result<(), CsvFlaw> {
        let digest = Sha256::digest(Zeroizing::new(normalise(code.reveal())).as_bytes());
        let mut half = [0; 16];
        half.copy_from_slice(&digest[..16]);
        match *self.seen.entry(half).or_insert(line) {
            first if first != line => Err(CsvFlaw::Duplicate { first }),
            _ => Ok(()),
        }
    }
}

impl Columns {
    /// The columns, and whether the first line only named them.
    fn read(cells: &[&[u8]]) -> Result<(Self, bool), CsvFlaw> {
        let text = |cell: &&[u8]| std::str::from_utf8(cell).map(|text| text.trim().to_lowercase());
        let names = cells.iter().map(text).collect::<Result<Vec<_>, _>>().map_err(|_| CsvFlaw::Encoding)?;
        let Some(code) = names.iter().position(|name| name == CODE_COLUMN) else {
            let is_word = |word: &str| word.is_empty() || HEADER_WORDS.contains(&word);
            return match &names[..] {
                [only] if !only.split(|c: char| !c.is_alphanumeric()).all(is_word) => {
                    Ok((Self { names: vec![CODE_COLUMN.to_string()], code: 0 }, false))
                }
                _ => Err(CsvFlaw::Heading),
            };
        };
        for (index, name) in names.iter().enumerate().filter(|(_, name)| !name.is_empty()) {
            if let Some(earlier) = names[..index].iter().position(|earlier| earlier == name) {
                return Err(CsvFlaw::SameHeading { first: earlier + 1, second: index + 1 });
            }
        }
        Ok((Self { names, code }, true))
    }

    /// The code and what is in the other columns.
    fn split(&self, cells: &[&[u8]]) -> Result<(SecretCode, BTreeMap<String, String>), CsvFlaw> {
        if cells.len() != self.names.len() {
            return Err(CsvFlaw::CellCount { found: cells.len(), expected: self.names.len() });
        }
        let mut others = BTreeMap::new();
        let mut code = None;
        for (index, cell) in cells.iter().enumerate() {
            let text = std::str::from_utf8(cell).map_err(|_| CsvFlaw::Encoding)?.trim();
            if index == self.code {
                code = Some(text).filter(|code| !code.is_empty());
            } else if !text.is_empty() {
                match self.names[index].as_str() {
                    "" => return Err(CsvFlaw::Unnamed { column: index + 1 }),
                    name => others.insert(name.to_string(), text.to_string()),
                };
            }
        }
        let code = code.ok_or(CsvFlaw::NoCode)?;
        Ok((SecretCode::new(code.to_string()), others))
    }
}

#[cfg(test)]
mod tests;
