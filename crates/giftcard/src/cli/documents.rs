//! Documents out of files and standard input: one, several, or one a line. Must not know what they are about.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Cursor, Read};
use std::path::Path;

use giftcard::input::bounds::DOCUMENT_BYTES_MAX;
use serde::Deserialize;
use serde::de::IgnoredAny;

/// Documents that are answered together, at most.
const CHUNK_DOCUMENTS_MAX: usize = 256;

/// Bytes after which a chunk takes no further document. With the largest document on top this is what is in memory.
const CHUNK_BYTES: usize = 4 << 20;

/// Bytes that are read at a time: what a pipe holds.
const READ_BYTES: usize = 64 << 10;

/// The documents of one file.
pub(crate) struct Documents {
    reader: BufReader<Box<dyn Read>>,
    /// Read but not given out yet.
    pending: VecDeque<Found>,
    /// Whether the rest of the reader has one document a line.
    has_lines: bool,
    /// Told after what was found before it.
    failed: Option<io::Error>,
    lines_read: u64,
    bytes_read: u64,
    bytes_total: Option<u64>,
}

/// A document as found.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Found {
    /// Its line in the file, where there may be several documents.
    pub(crate) line: Option<u64>,
    /// Its text.
    pub(crate) text: Result<String, Unusable>,
}

/// Why a document has no text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unusable {
    /// Not UTF-8.
    NotText,
    /// More than [`DOCUMENT_BYTES_MAX`]; the rest was not read.
    TooLarge,
}

impl Found {
    /// Whether this looks like one document a line, although it was not read so.
    pub(crate) fn may_have_lines(&self) -> bool {
        let Ok(text) = &self.text else { return false };
        let mut lines = text.lines().map(str::trim_start).filter(|line| !line.is_empty()).peekable();
        self.line.is_none()
            && lines.next().is_some_and(|line| line.starts_with('{'))
            && lines.peek().is_some()
            && lines.all(|line| line.starts_with('{'))
    }
}

/// Everything in a file, or in standard input for `-`, up to one byte more than `bytes_max`.
pub(crate) fn read_whole(path: &Path, bytes_max: usize) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    match path.as_os_str() == "-" {
        true => io::stdin().lock().take(bytes_max as u64 + 1).read_to_end(&mut bytes)?,
        false => File::open(path)?.take(bytes_max as u64 + 1).read_to_end(&mut bytes)?,
    };
    Ok(bytes)
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
        Self::new(Box::new(file), metadata.is_file().then_some(metadata.len()), has_lines)
    }

    fn new(reader: Box<dyn Read>, bytes_total: Option<u64>, has_lines: bool) -> io::Result<Self> {
        let mut documents = Self {
            reader: BufReader::with_capacity(READ_BYTES, reader),
            pending: VecDeque::new(),
            has_lines,
            failed: None,
            lines_read: 0,
            bytes_read: 0,
            bytes_total,
        };
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

    /// The next documents; none at the end. Of what comes bit by bit only as many as are there already, and at least
    /// one: whoever sends a line and waits for its answer must get it.
    pub(crate) fn chunk(&mut self) -> io::Result<Vec<Found>> {
        if let Some(error) = self.failed.take() {
            return Err(error);
        }
        let (mut chunk, mut bytes) = (Vec::new(), 0);
        while chunk.len() < CHUNK_DOCUMENTS_MAX && bytes < CHUNK_BYTES && (chunk.is_empty() || self.is_ready()) {
            match self.advance() {
                Ok(Some(found)) => {
                    bytes += found.text.as_ref().map_or(0, String::len);
                    chunk.push(found);
                }
                Ok(None) => break,
                Err(error) if chunk.is_empty() => return Err(error),
                Err(error) => {
                    self.failed = Some(error);
                    break;
                }
            }
        }
        Ok(chunk)
    }

    /// Whether the next document can be had without waiting for it.
    fn is_ready(&self) -> bool {
        !self.pending.is_empty()
            || self.bytes_total.is_some()
            || self.reader.buffer().trim_ascii_start().contains(&b'\n')
    }

    /// Finds out whether there is one document a line: the first line is a whole document and something follows, or it
    /// is malformed and the second is a whole document.
    fn look(&mut self) -> io::Result<()> {
        let mut seen = Vec::new();
        self.read_on(&mut seen)?;
        let first_is_whole = lines_of(&seen).next().is_some_and(|(_, line)| is_json(line));
        if first_is_whole || !self.begins_with_document(&mut seen)? {
            if lines_of(&seen).nth(1).is_none() {
                self.read_on(&mut seen)?;
            }
            let second = lines_of(&seen).nth(1);
            let one_a_line =
                second.is_some_and(|(_, line)| first_is_whole || (line.starts_with(b"{") && is_json(line)));
            if one_a_line && (first_is_whole || seen.len() <= DOCUMENT_BYTES_MAX) {
                self.start_lines(&seen);
                return Ok(());
            }
        }
        let room = room(&seen);
        self.bytes_read += (&mut self.reader).take(room).read_to_end(&mut seen)? as u64;
        self.pending = match seen.len() > DOCUMENT_BYTES_MAX {
            true => [Found { line: None, text: Err(Unusable::TooLarge) }].into(),
            false => split(found(&seen, None)),
        };
        Ok(())
    }

    /// From here on there is one document a line, beginning with those in `seen`.
    fn start_lines(&mut self, seen: &[u8]) {
        self.has_lines = true;
        self.pending = lines_of(seen).map(|(line, text)| found(text, Some(line))).collect();
        self.lines_read = seen.split_inclusive(|byte| *byte == b'\n').count() as u64;
        if seen.len() > DOCUMENT_BYTES_MAX {
            self.end_too_large();
        }
    }

    /// The last of the pending documents is too large, and nothing is read any more.
    fn end_too_large(&mut self) {
        self.has_lines = false;
        if let Some(last) = self.pending.back_mut() {
            last.text = Err(Unusable::TooLarge);
        }
    }

    /// Reads the rest of a line, and further lines until there is one with something in it.
    fn read_on(&mut self, seen: &mut Vec<u8>) -> io::Result<()> {
        loop {
            let begin = seen.len();
            if self.read_line(seen)? == 0 || !seen[begin..].trim_ascii().is_empty() {
                return Ok(());
            }
        }
    }

    /// Whether `seen` is the begin of a document over several lines, which is then read to its end. If not, the line is
    /// read on that it cannot go on with.
    fn begins_with_document(&mut self, seen: &mut Vec<u8>) -> io::Result<bool> {
        let begin = std::mem::take(seen);
        let mut rest = Rest { reader: &mut self.reader, room: room(&begin), bytes: Vec::new() };
        let source = Cursor::new(without_mark(&begin)).chain(&mut rest);
        let read = IgnoredAny::deserialize(&mut serde_json::Deserializer::from_reader(source));
        let rest = rest.bytes;
        self.bytes_read += rest.len() as u64;
        *seen = begin;
        seen.extend_from_slice(&rest);
        match read {
            Ok(_) => Ok(true),
            Err(error) if error.is_io() => Err(error.into()),
            Err(_) => {
                if !seen.ends_with(b"\n") {
                    self.read_line(seen)?;
                }
                Ok(false)
            }
        }
    }

    /// Reads a line onto what is there, up to the bytes that a document may have and one more.
    fn read_line(&mut self, line: &mut Vec<u8>) -> io::Result<usize> {
        let size = (&mut self.reader).take(room(line)).read_until(b'\n', line)?;
        self.bytes_read += size as u64;
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
            self.lines_read += 1;
            if line.len() > DOCUMENT_BYTES_MAX {
                self.has_lines = false;
                return Ok(Some(Found { line: Some(self.lines_read), text: Err(Unusable::TooLarge) }));
            }
            if !line.trim_ascii().is_empty() {
                return Ok(Some(found(&line, Some(self.lines_read))));
            }
        }
        Ok(None)
    }
}

/// How much more may be read: one byte too many tells too large from just right.
fn room(read: &[u8]) -> u64 {
    (DOCUMENT_BYTES_MAX + 1).saturating_sub(read.len()) as u64
}

/// What a parser reads, kept.
struct Rest<'a> {
    reader: &'a mut BufReader<Box<dyn Read>>,
    room: u64,
    bytes: Vec<u8>,
}

impl Read for Rest<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let size = (&mut self.reader).take(self.room).read(buffer)?;
        self.room -= size as u64;
        self.bytes.extend_from_slice(&buffer[..size]);
        Ok(size)
    }
}

/// Lines with something in them, and their numbers.
fn lines_of(bytes: &[u8]) -> impl Iterator<Item = (u64, &[u8])> {
    let lines = without_mark(bytes).split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii);
    (1..).zip(lines).filter(|(_, line)| !line.is_empty())
}

fn is_json(line: &[u8]) -> bool {
    serde_json::from_slice::<IgnoredAny>(line).is_ok()
}

/// The mark that some editors put at the start of a file is no part of the text.
fn without_mark(bytes: &[u8]) -> &[u8] {
    bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes)
}

fn found(bytes: &[u8], line: Option<u64>) -> Found {
    let text = String::from_utf8(without_mark(bytes).to_vec());
    Found { line, text: text.map_err(|_| Unusable::NotText) }
}

/// Several documents one after the other, each over as many lines as it likes. A text that is something else stays
/// whole, so that whoever reads it can say what is wrong.
fn split(whole: Found) -> VecDeque<Found> {
    let Ok(text) = &whole.text else { return [whole].into() };
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
        parts.push_back(Found { line: Some(line), text: Ok(part[blank..].to_string()) });
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
        let mut documents = Documents::new(Box::new(Cursor::new(text.as_bytes().to_vec())), None, has_lines).unwrap();
        let mut found = Vec::new();
        while let chunk = documents.chunk().unwrap()
            && !chunk.is_empty()
        {
            found.extend(chunk);
        }
        let found: Vec<(Option<u64>, &str)> =
            found.iter().map(|found| (found.line, found.text.as_deref().unwrap_or("unusable").trim_end())).collect();
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
    fn a_malformed_first_line_does_not_hide_the_lines_after_it() {
        let second = (Some(2), "{\"a\":1}");
        check("not JSON\n{\"a\":1}\n{}", false, &[(Some(1), "not JSON"), second, (Some(3), "{}")]);
        // Cut off: it could go on in the next line, and does not.
        check("{\"a\": {\"b\n{\"a\":1}\n{}", false, &[(Some(1), "{\"a\": {\"b"), second, (Some(3), "{}")]);
        check("{\"a\":\n{\"a\":1}\n{}\n\nx", false, &[(Some(1), "{\"a\":"), second, (Some(3), "{}"), (Some(5), "x")]);
        // One document, although its second line would be one by itself.
        check("{\"a\": [\n{\"b\":1}\n]}", false, &[(None, "{\"a\": [\n{\"b\":1}\n]}")]);
        check("x\ny\n{}", false, &[(None, "x\ny\n{}")]);
        for (text, expected) in [("{x\n{y\n", true), ("{x\n", false), ("{\n\"a\": }", false), ("x\n{y", false)] {
            assert_eq!(found(text.as_bytes(), None).may_have_lines(), expected, "{text}");
        }
    }

    #[test]
    fn reading_stops_where_a_document_is_too_large() {
        let found_in = |reader: Box<dyn Read>, has_lines: bool| {
            let mut documents = Documents::new(reader, None, has_lines).unwrap();
            let mut found = Vec::new();
            while let chunk = documents.chunk().unwrap()
                && !chunk.is_empty()
            {
                found.extend(chunk.into_iter().map(|found| (found.line, found.text.err())));
            }
            assert!(documents.bytes_read() <= 2 * DOCUMENT_BYTES_MAX as u64);
            found
        };
        let too_large = Some(Unusable::TooLarge);
        for byte in [0, b'\n', b'[', b'1'] {
            assert_eq!(found_in(Box::new(io::repeat(byte)), false), [(None, too_large)], "{byte}");
        }
        assert_eq!(found_in(Box::new(io::repeat(b'x')), true), [(Some(1), too_large)]);
        let after = |text: &'static str| Box::new(text.as_bytes().chain(io::repeat(b'x')));
        assert_eq!(found_in(after("{}\n"), false), [(Some(1), None), (Some(2), too_large)]);
        assert_eq!(found_in(after("{}\n{}\n\n"), false), [(Some(1), None), (Some(2), None), (Some(4), too_large)]);
        let just_right = b" ".repeat(DOCUMENT_BYTES_MAX - 2);
        assert_eq!(found_in(Box::new(Cursor::new(just_right).chain(&b"{}"[..])), false), [(None, None)]);
    }

    #[test]
    fn a_chunk_is_bounded_and_does_not_wait_for_more() {
        let file = Box::new(Cursor::new(b"{}\n".repeat(1000)));
        let mut documents = Documents::new(file, Some(3000), true).unwrap();
        assert_eq!(documents.chunk().unwrap().len(), CHUNK_DOCUMENTS_MAX);
        let line = format!("\"{}\"\n", "x".repeat(CHUNK_BYTES / 2));
        let mut documents = Documents::new(Box::new(Cursor::new(line.repeat(9))), Some(0), true).unwrap();
        assert_eq!(documents.chunk().unwrap().len(), 2);
        // Two lines are there, the third is begun.
        let mut documents = Documents::new(Box::new(b"{}\n{}\n\n{".chain(Never)), None, true).unwrap();
        assert_eq!(documents.chunk().unwrap().len(), 2);
    }

    /// Nobody may ask it: it would wait for ever.
    struct Never;

    impl Read for Never {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            panic!("waits for more")
        }
    }

    #[test]
    fn several_documents_may_follow_each_other() {
        check("{\n}\n{\n\n}", false, &[(Some(1), "{\n}"), (Some(3), "{\n\n}")]);
        check("\n\n{\n}\n{\n}", false, &[(Some(3), "{\n}"), (Some(5), "{\n}")]);
        check("{\n}{\n}\n {\"a\"", false, &[(Some(1), "{\n}"), (Some(2), "{\n}"), (Some(4), "{\"a\"")]);
    }
}
