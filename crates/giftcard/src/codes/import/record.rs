//! The records of a CSV file with their lines, each bounded in length. Must not know what is in them.
//!
//! The parser of the `csv` crate gets one record at a time: by itself it would read a file with an unclosed quote to
//! its end into memory, and it counts blank lines to the record after them.

use std::io::{BufRead, BufReader, Read};

use csv::{ByteRecord, ReaderBuilder};
use zeroize::Zeroizing;

use super::{CsvFlaw, CsvProblem};

/// Most bytes of a record.
pub(super) const RECORD_MAX: usize = 4096;

/// Most bytes of the end of a line.
const LINE_END_MAX: usize = 2;

/// The byte order mark, as UTF-8 has it.
const MARK: &[u8] = b"\xef\xbb\xbf";

/// The cells of a row.
pub(super) struct Record {
    /// Where it begins, from 1.
    pub(super) line: u64,
    record: ByteRecord,
}

impl Record {
    pub(super) fn cells(&self) -> Vec<&[u8]> {
        self.record.iter().collect()
    }
}

/// The records of a file.
pub(super) struct Records<R> {
    file: BufReader<R>,
    /// The line last read, from 1.
    line: u64,
    /// What separates cells, once a line told.
    delimiter: Option<u8>,
    /// The record as it is written, kept for its memory.
    text: Zeroizing<Vec<u8>>,
}

impl<R: Read> Records<R> {
    pub(super) fn new(file: R) -> Self {
        // As much as it ever takes, since growing would leave codes behind.
        let text = Zeroizing::new(Vec::with_capacity(RECORD_MAX + LINE_END_MAX));
        Self { file: BufReader::new(file), line: 0, delimiter: None, text }
    }

    /// The next record; `None` at the end. Blank lines are passed over.
    pub(super) fn next(&mut self) -> Result<Option<Record>, CsvProblem> {
        loop {
            self.text.clear();
            let line = self.line + 1;
            let is_there = self.read_record().map_err(|flaw| CsvProblem { line, flaw })?;
            if !is_there {
                return Ok(None);
            }
            if !self.text.trim_ascii().is_empty() {
                let record = self.parse().map_err(|flaw| CsvProblem { line, flaw })?;
                return Ok(Some(Record { line, record }));
            }
        }
    }

    /// Reads lines until every quote is closed: inside a quoted cell a quote is written twice, so their number is even.
    fn read_record(&mut self) -> Result<bool, CsvFlaw> {
        loop {
            let start = self.text.len();
            if !self.read_line()? {
                // An open quote at the end of the file.
                return if start == 0 { Ok(false) } else { Err(CsvFlaw::TooLong) };
            }
            if self.text.iter().filter(|byte| **byte == b'"').count() % 2 == 0 {
                break;
            }
        }
        let ended = self.text.strip_suffix(b"\n").unwrap_or(&self.text);
        let length = ended.strip_suffix(b"\r").unwrap_or(ended).len();
        self.text.truncate(length);
        if has_lone_return(&self.text) { Err(CsvFlaw::LineEnd) } else { Ok(true) }
    }

    /// Appends a line with its end to the text; `false` at the end of the file.
    fn read_line(&mut self) -> Result<bool, CsvFlaw> {
        let room = (RECORD_MAX + LINE_END_MAX).saturating_sub(self.text.len());
        let mut rest = (&mut self.file).take(room as u64);
        let read = rest.read_until(b'\n', &mut self.text).map_err(CsvFlaw::Unreadable)?;
        let ended = self.text.ends_with(b"\n");
        if !ended && self.text.len() > RECORD_MAX || room == 0 {
            // Of the last byte nobody knows what follows.
            let known = self.text.split_last().map_or(&[][..], |(_, known)| known);
            return Err(if has_lone_return(known) { CsvFlaw::LineEnd } else { CsvFlaw::TooLong });
        }
        if self.line == 0 {
            if self.text.starts_with(b"\xff\xfe") || self.text.starts_with(b"\xfe\xff") {
                return Err(CsvFlaw::WideCharacters);
            }
            if self.text.starts_with(MARK) {
                self.text.drain(..MARK.len());
            }
        }
        self.line += 1;
        Ok(read > 0)
    }

    fn parse(&mut self) -> Result<ByteRecord, CsvFlaw> {
        let text = self.text.as_slice();
        let delimiter = *self
            .delimiter
            .get_or_insert_with(|| text.iter().copied().find(|byte| b",;\t".contains(byte)).unwrap_or(b','));
        // Most records have no quotes, and making a parser takes longer than reading one of them.
        if !text.contains(&b'"') {
            return Ok(text.split(|byte| *byte == delimiter).collect());
        }
        // The record is one, so no line end in it means anything but itself.
        let terminator = csv::Terminator::Any(b'\n');
        let mut builder = ReaderBuilder::new();
        builder.has_headers(false).flexible(true).delimiter(delimiter).terminator(terminator);
        let mut reader = builder.buffer_capacity(text.len()).from_reader(text);
        let mut record = ByteRecord::new();
        // From memory and with any number of cells there is nothing that could fail.
        let is_there = reader.read_byte_record(&mut record).unwrap_or(false);
        // Quotes inside of cells that are not quoted can make two records of what was taken for one.
        let is_one = !reader.read_byte_record(&mut ByteRecord::new()).unwrap_or(true);
        if is_there && is_one { Ok(record) } else { Err(CsvFlaw::TooLong) }
    }
}

/// A `\r` that no `\n` follows: the line end of old systems, at which two codes would become one.
fn has_lone_return(text: &[u8]) -> bool {
    let mut rest = text.iter().peekable();
    while let Some(byte) = rest.next() {
        if *byte == b'\r' && rest.peek() != Some(&&b'\n') {
            return true;
        }
    }
    false
}
