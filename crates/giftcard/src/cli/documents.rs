//! Documents out of files and standard input: one, several, or one a line. Must not know what they are about.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;

use serde::de::IgnoredAny;

/// The documents of one file.
pub(crate) struct Documents {
    reader: Box<dyn BufRead>,
    /// Read but not given out yet.
    pending: VecDeque<Found>,
    /// Whether the rest of the reader has one document a line.
    has_lines: bool,
    lines_read: u64,
    bytes_read: u64,
    bytes_total: Option<u64>,
}

/// A document as found.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Found {
    /// Its line in the file, where there may be several documents.
    pub(crate) line: Option<u64>,
    /// Its text; none if that is not UTF-8.
    pub(crate) text: Option<String>,
}

impl Documents {
    /// Opens a file, or standard input for `-`.
    pub(crate) fn open(path: &Path, has_lines: bool) -> io::Result<Self> {
        if path.as_os_str() == "-" {
            return Self::new(Box::new(io::stdin().lock()), None, has_lines);
        }
        let file = File::open(path)?;
        let metadata = file.metadata()?;
        if metadata.is_dir() {
            return Err(io::Error::new(io::ErrorKind::IsADirectory, "it is a folder"));
        }
        let ending = path.extension().and_then(|ending| ending.to_str()).unwrap_or_default().to_ascii_lowercase();
        let has_lines = has_lines || ["jsonl", "ndjson"].contains(&ending.as_str());
        Self::new(Box::new(BufReader::new(file)), metadata.is_file().then_some(metadata.len()), has_lines)
    }

    fn new(reader: Box<dyn BufRead>, bytes_total: Option<u64>, has_lines: bool) -> io::Result<Self> {
        let mut documents =
            Self { reader, pending: VecDeque::new(), has_lines, lines_read: 0, bytes_read: 0, bytes_total };
        if !has_lines {
            documents.look()?;
        }
        Ok(documents)
    }

    /// Whether there is, or may be, more than one document.
    pub(crate) fn has_many(&self) -> bool {
        self.has_lines || self.pending.len() > 1
    }

    /// Bytes read so far.
    pub(crate) fn bytes_read(&self) -> u64 {
        self.bytes_read
    }

    /// Bytes of the file, if it is one.
    pub(crate) fn bytes_total(&self) -> Option<u64> {
        self.bytes_total
    }

    /// Finds out whether there is one document a line: the first line is a whole document, and something follows.
    fn look(&mut self) -> io::Result<()> {
        let mut first = Vec::new();
        while first.trim_ascii().is_empty() {
            if self.read_line(&mut first)? == 0 {
                break;
            }
        }
        let first_line = self.lines_read;
        if serde_json::from_slice::<IgnoredAny>(without_mark(&first)).is_ok() {
            let mut second = Vec::new();
            while self.read_line(&mut second)? > 0 {
                if !second.trim_ascii().is_empty() {
                    self.has_lines = true;
                    self.pending.push_back(found(first.trim_ascii_start().to_vec(), Some(first_line)));
                    self.pending.push_back(found(second, Some(self.lines_read)));
                    return Ok(());
                }
                second.clear();
            }
        }
        self.bytes_read += self.reader.read_to_end(&mut first)? as u64;
        self.pending = split(found(first, None));
        Ok(())
    }

    fn read_line(&mut self, line: &mut Vec<u8>) -> io::Result<usize> {
        let size = self.reader.read_until(b'\n', line)?;
        if size > 0 {
            self.lines_read += 1;
            self.bytes_read += size as u64;
        }
        Ok(size)
    }

    fn advance(&mut self) -> io::Result<Option<Found>> {
        if let Some(found) = self.pending.pop_front() {
            return Ok(Some(found));
        }
        while self.has_lines {
            let mut line = Vec::new();
            if self.read_line(&mut line)? == 0 {
                break;
            }
            if !line.trim_ascii().is_empty() {
                return Ok(Some(found(line, Some(self.lines_read))));
            }
        }
        Ok(None)
    }
}

impl Iterator for Documents {
    type Item = io::Result<Found>;

    fn next(&mut self) -> Option<Self::Item> {
        self.advance().transpose()
    }
}

/// The mark that some editors put at the start of a file is no part of the text.
fn without_mark(bytes: &[u8]) -> &[u8] {
    bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes)
}

fn found(bytes: Vec<u8>, line: Option<u64>) -> Found {
    Found { line, text: String::from_utf8(without_mark(&bytes).to_vec()).ok() }
}

/// Several documents one after the other, each over as many lines as it likes. A text that is something else stays
/// whole, so that whoever reads it can say what is wrong.
fn split(whole: Found) -> VecDeque<Found> {
    let Some(text) = &whole.text else { return [whole].into() };
    let mut parts = VecDeque::new();
    let mut start = 0;
    let mut stream = serde_json::Deserializer::from_str(text).into_iter::<IgnoredAny>();
    while let Some(document) = stream.next() {
        let end = if document.is_ok() { stream.byte_offset() } else { text.len() };
        let part = &text[start..end];
        let blank = part.len() - part.trim_start().len();
        if !part.trim_start().starts_with('{') {
            return [whole].into();
        }
        let line = 1 + newlines(&text[..start + blank]);
        parts.push_back(Found { line: Some(line), text: Some(part[blank..].to_string()) });
        start = end;
        if document.is_err() {
            break;
        }
    }
    if parts.len() > 1 { parts } else { [whole].into() }
}

fn newlines(text: &str) -> u64 {
    text.bytes().filter(|byte| *byte == b'\n').count() as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, has_lines: bool, expected: &[(Option<u64>, &str)]) {
        let documents = Documents::new(Box::new(io::Cursor::new(text.as_bytes().to_vec())), None, has_lines).unwrap();
        let found: Vec<Found> = documents.map(Result::unwrap).collect();
        let found: Vec<(Option<u64>, &str)> =
            found.iter().map(|found| (found.line, found.text.as_deref().unwrap_or("not UTF-8").trim_end())).collect();
        assert_eq!(found, expected, "{text:?}");
    }

    #[test]
    fn one_document_is_one_however_many_lines_it_has() {
        check("{}", false, &[(None, "{}")]);
        check("{\n}\n\n", false, &[(None, "{\n}")]);
        check("\u{feff}{\n}", false, &[(None, "{\n}")]);
        check("", false, &[(None, "")]);
        check("{\n\"a\": }", false, &[(None, "{\n\"a\": }")]);
        check("{} x", false, &[(None, "{} x")]);
        check("{\n} }", false, &[(None, "{\n} }")]);
        check("[1]\n", false, &[(None, "[1]")]);
    }

    #[test]
    fn lines_are_told_by_the_first_two_or_by_the_caller() {
        check("{}\n\n{\"a\":1}\nx\n", false, &[(Some(1), "{}"), (Some(3), "{\"a\":1}"), (Some(4), "x")]);
        check("\n\n{}\n{}", false, &[(Some(3), "{}"), (Some(4), "{}")]);
        check("x\n{}\n", true, &[(Some(1), "x"), (Some(2), "{}")]);
        check("", true, &[]);
        check("{}", true, &[(Some(1), "{}")]);
    }

    #[test]
    fn several_documents_may_follow_each_other() {
        check("{\n}\n{\n\n}", false, &[(Some(1), "{\n}"), (Some(3), "{\n\n}")]);
        check("\n\n{\n}\n{\n}", false, &[(Some(3), "{\n}"), (Some(5), "{\n}")]);
        check("{\n}{\n}\n {\"a\"", false, &[(Some(1), "{\n}"), (Some(2), "{\n}"), (Some(4), "{\"a\"")]);
    }
}
