//! What people are told of a file or folder that cannot be read. Must not know what is in it.

use std::io::{Error, ErrorKind};

/// What is wrong with a file, as it follows the file's name.
#[must_use]
pub fn file_problem(error: &Error) -> String {
    match error.kind() {
        ErrorKind::NotFound => "there is no such file".to_string(),
        ErrorKind::IsADirectory => "is a folder, not a file".to_string(),
        _ => format!("cannot be read: {}", without_number(&error.to_string())),
    }
}

/// The system's words without its number: "Permission denied (os error 13)" is "permission denied".
#[must_use]
pub fn without_number(text: &str) -> String {
    let Some((words, rest)) = text.split_once(" (os error ") else { return text.to_string() };
    let rest = rest.trim_start_matches(|c: char| c.is_ascii_digit());
    // Only what the system says by itself begins with a capital; inside a sentence it would stick out.
    let (before, cause) = words.rsplit_once(": ").map_or(("", words), |(before, cause)| (before, cause));
    let mut letters = cause.chars();
    let cause: String = letters.next().map(|first| first.to_ascii_lowercase()).into_iter().chain(letters).collect();
    let joint = if before.is_empty() { "" } else { ": " };
    format!("{before}{joint}{cause}{}", rest.strip_prefix(')').unwrap_or(rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_is_told_the_number_of_an_error() {
        for (kind, expected) in [
            (ErrorKind::NotFound, "there is no such file"),
            (ErrorKind::IsADirectory, "is a folder, not a file"),
            (ErrorKind::Other, "cannot be read: it is broken"),
        ] {
            assert_eq!(file_problem(&Error::new(kind, "it is broken")), expected);
        }
        assert_eq!(file_problem(&Error::from_raw_os_error(13)), "cannot be read: permission denied");
        assert_eq!(without_number("the cache `x`: File exists (os error 17)!"), "the cache `x`: file exists!");
        assert_eq!(without_number("it is broken"), "it is broken");
    }
}
