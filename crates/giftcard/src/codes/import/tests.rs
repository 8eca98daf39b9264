//! What files of codes may look like, what is told about wrong ones, and that no code is ever told.

use std::io::{self, Read};

use proptest::prelude::*;

use super::*;

/// Codes of the file with their lines, or what is wrong.
fn read(file: impl AsRef<[u8]>) -> Vec<String> {
    read_codes(file.as_ref()).map(|row| row.map_or_else(|problem| problem.to_string(), |row| show(&row))).collect()
}

fn show(row: &Imported) -> String {
    let others: String = row.others.iter().map(|(name, text)| format!(" {name}={text}")).collect();
    format!("{} {}{others}", row.line, row.code.reveal())
}

#[test]
fn one_column_needs_no_heading() {
    for file in ["AAAA-1111\nBBBB-2222", "AAAA-1111\r\nBBBB-2222\r\n", "\u{feff}AAAA-1111\n\"BBBB-2222\"\n"] {
        assert_eq!(read(file), ["1 AAAA-1111", "2 BBBB-2222"]);
    }
    for file in
        ["Code\nAAAA-1111\nBBBB-2222", "\u{feff}code\r\n AAAA-1111 \r\nBBBB-2222", "\"CODE\"\nAAAA-1111\nBBBB-2222\n"]
    {
        assert_eq!(read(file), ["2 AAAA-1111", "3 BBBB-2222"]);
    }
    assert_eq!(read(""), [""; 0]);
    assert_eq!(read("\u{feff}"), [""; 0]);
    assert_eq!(read("code\n"), [""; 0]);
}

#[test]
fn blank_lines_are_passed_over_and_counted() {
    let file = "\n\r\ncode,note\n\n  \nAAAA-1111,\n,\n, \n\"BBBB-2222\",\"two\n\"\"lines\"\"\"\n\nCCCC-3333,x\n\n";
    assert_eq!(read(file), ["6 AAAA-1111", "9 BBBB-2222 note=two\n\"lines\"", "12 CCCC-3333 note=x"]);
}

#[test]
fn other_columns_come_by_name_whatever_separates_them() {
    for separator in [",", ";", "\t"] {
        let file = "Value,CODE, Valid to \n50.00,AAAA-1111,2027-01-31\n,BBBB-2222,\n".replace(',', separator);
        assert_eq!(read(file), ["2 AAAA-1111 valid to=2027-01-31 value=50.00", "3 BBBB-2222"]);
    }
    // Columns that a spreadsheet adds without anything in them.
    assert_eq!(read("code,,\nAAAA-1111,,\n"), ["2 AAAA-1111"]);
    assert_eq!(read("code;note\nAAAA-1111;a, b\n"), ["2 AAAA-1111 note=a, b"]);
}

#[test]
fn a_wrong_line_is_told_and_the_next_one_read() {
    let file = "code,value\nSHORT,1\nAAAA-1111,1\n,5\nBBBB-2222\nCCCC-3333,1,2\naaaa 1111,7\nÄÖÜÄ-4444,\nDDDD-5555,\n";
    assert_eq!(
        read(file),
        [
            "line 2: the code has 5 characters, not counting dashes and spaces; at least 8 are needed",
            "3 AAAA-1111 value=1",
            "line 4: the column `code` is empty",
            "line 5: has 1 cells where the first line names 2",
            "line 6: has 3 cells where the first line names 2",
            "line 7: repeats the code of line 3",
            "line 8: character 1 of the code is a letter outside A to Z; such letters can look like others and change \
             with upper and lower case, so use A to Z, digits and `_`",
            "9 DDDD-5555",
        ]
    );
    assert_eq!(
        read("code,\nAAAA-1111,x\nBBBB-2222,\n"),
        ["line 2: has something in column 2, which the first line does not name", "3 BBBB-2222"]
    );
    assert_eq!(
        read(b"code,note\nAAAA-1111,caf\xe9\nBBBB-2222,\n"),
        ["line 2: is not UTF-8; save the file as \"CSV UTF-8\"", "3 BBBB-2222"]
    );
}

#[test]
fn a_code_that_is_there_three_times_is_told_twice() {
    let repeated = ["1 AAAA-1111", "line 2: repeats the code of line 1", "line 3: repeats the code of line 1"];
    assert_eq!(read("AAAA-1111\nAAAA1111\naaaa 1111\n"), repeated);
    assert_eq!(read("AAAA_1111\nAAAA1111\n"), ["1 AAAA_1111", "2 AAAA1111"]);
}

#[test]
fn headings_must_name_the_column_of_the_codes() {
    let heading =
        "needs to name the columns, and the one with the codes must be named `code`; a single column needs no name";
    for first in ["Gift card number", "number,value", "AAAA-1111,50.00", "AAAA-1111;", "coupon_codes"] {
        assert_eq!(read(format!("\n{first}\nBBBB-2222,1\n")), [format!("line 2: {heading}")]);
    }
    assert_eq!(read("code,value,Value\nAAAA-1111,1,2"), ["line 1: names columns 2 and 3 the same"]);
    assert_eq!(read("code,code\nAAAA-1111,AAAA-1111"), ["line 1: names columns 1 and 2 the same"]);
    // Words of headings can be in codes too.
    assert_eq!(read("GIFT-CARD-7Q2M-X8BT"), ["1 GIFT-CARD-7Q2M-X8BT"]);
}

#[test]
fn two_codes_never_become_one() {
    let line_end = "has a carriage return inside; save the file with line ends of Windows or Unix";
    assert_eq!(read("AAAA1111\rBBBB2222\r"), [format!("line 1: {line_end}")]);
    assert_eq!(read("code\nAAAA1111\rBBBB2222\n"), [format!("line 2: {line_end}")]);
    assert_eq!(read("AAAA1111\r".repeat(1000)), [format!("line 1: {line_end}")]);
    let inside = "line 1: character 9 of the code cannot be in one; use A to Z, digits and `_`";
    assert_eq!(read("\"AAAA1111\nBBBB2222\"\nCCCC3333"), [inside, "3 CCCC3333"]);
    assert_eq!(read("\"AAAA1111\r\nBBBB2222\"\nCCCC3333"), [inside, "3 CCCC3333"]);
    let quote = "is longer than 4096 bytes, or a quote (`\"`) in it is not closed";
    assert_eq!(read("CCCC3333\nAAAA\"1111\nBBBB\"2222\n"), ["1 CCCC3333".to_string(), format!("line 2: {quote}")]);
    assert_eq!(read("CCCC3333\n\"AAAA1111\nBBBB2222\n"), ["1 CCCC3333".to_string(), format!("line 2: {quote}")]);
    assert_eq!(read(b"\xff\xfeA\0A\0\n\0"), ["line 1: is UTF-16; save the file as \"CSV UTF-8\""]);
}

#[test]
fn no_record_takes_more_memory_than_it_may() {
    struct Endless(u64, &'static [u8]);
    impl Read for Endless {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            assert!(self.0 < 64 << 10, "reads on and on");
            buffer.fill(self.1[0]);
            buffer[..self.1.len()].copy_from_slice(self.1);
            self.0 += buffer.len() as u64;
            Ok(buffer.len())
        }
    }
    for bytes in [&b"A"[..], b"\"\n\n", b"\"A\n"] {
        let mut rows = read_codes(Endless(0, bytes));
        assert!(matches!(rows.next(), Some(Err(CsvProblem { line: 1, flaw: CsvFlaw::TooLong }))), "{bytes:?}");
        assert!(rows.next().is_none());
    }
    let note = |length: usize| format!("code,note\r\nAAAA-1111,{}\r\nBBBB-2222,\r\n", "n".repeat(length));
    let fits = RECORD_MAX - "AAAA-1111,".len();
    assert_eq!(read_codes(note(fits).as_bytes()).filter_map(Result::ok).count(), 2);
    let problems: Vec<_> = read_codes(note(fits + 2).as_bytes()).filter_map(Result::err).collect();
    assert!(matches!(problems[..], [CsvProblem { line: 2, flaw: CsvFlaw::TooLong }]));
}

#[test]
fn what_the_system_says_is_told_once() {
    struct Broken;
    impl Read for Broken {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            Err(io::Error::from_raw_os_error(5))
        }
    }
    let mut rows = read_codes("AAAA-1111\n".as_bytes().chain(Broken));
    assert_eq!(rows.next().unwrap().unwrap().line, 1);
    let problem = rows.next().unwrap().unwrap_err();
    assert_eq!(problem.to_string(), "line 2: the file cannot be read from here: input/output error");
    assert!(rows.next().is_none());
}

/// Files of lines that are often wrong, all with codes that begin with the same letters.
fn files() -> impl Strategy<Value = String> {
    let row = prop_oneof![
        "QZQZ[A-Z0-9]{0,12}",
        "\"QZQZ[A-Z0-9]{8}\"",
        "\"?QZQZ[A-Zé.\"\r]{0,12},?[a-z]{0,3}",
        "code,?",
        "\\PC{0,9}"
    ];
    prop::collection::vec(row, 0..12).prop_map(|rows| rows.join("\n"))
}

proptest! {
    #[test]
    fn nothing_told_shows_a_code(file in files()) {
        let mut rows = read_codes(file.as_bytes());
        while let Some(row) = rows.next() {
            let told = match &row {
                Ok(row) => format!("{row:?} {:?}", row.code),
                Err(problem) => format!("{problem} {problem:?} {:?} {}", problem.flaw, problem.flaw.code()),
            };
            prop_assert!(!told.contains("QZ") && !format!("{rows:?}").contains("QZ"), "{}", told);
        }
    }

    #[test]
    fn what_is_written_is_read(
        codes in prop::collection::hash_set("[A-Z0-9_]{8,20}", 1..30),
        end in prop::sample::select(vec!["\n", "\r\n", "\n\n", "\r\n \r\n"]),
        notes in prop::collection::vec("[a-z\",;\n]{0,12}", 30),
    ) {
        let cell = |note: &str| format!("\"{}\"", note.replace('"', "\"\""));
        let rows: String = codes.iter().zip(&notes).map(|(code, note)| format!("{},{code}{end}", cell(note))).collect();
        let file = format!("note,code{end}{rows}");
        let lines: Vec<&str> = file.split('\n').collect();
        let mut read = read_codes(file.as_bytes());
        for (code, note) in codes.iter().zip(&notes) {
            let row = read.next().unwrap().unwrap();
            prop_assert_eq!(row.code.reveal(), code);
            prop_assert_eq!(row.others.get("note").map_or("", String::as_str), note.trim());
            let first = cell(note);
            prop_assert!(lines[row.line as usize - 1].starts_with(first.split('\n').next().unwrap()));
        }
        prop_assert!(read.next().is_none());
    }
}
