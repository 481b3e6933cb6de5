//! A line that says by itself whose it is and which: written by a writer, read back from a log. Knows no files.

use std::fmt::Write as _;

/// How long the rest of a line may be.
const REST: u64 = 60;

/// Whose a line is, and which.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Line<'a> {
    /// The service.
    pub(super) service: &'a str,
    /// Its run, as it counts itself.
    pub(super) run: u64,
    /// Which process of it.
    pub(super) stream: &'a str,
    /// From 1.
    pub(super) number: u64,
}

impl<'a> Line<'a> {
    /// The line, with its end. Its length depends on its number.
    pub(super) fn write(&self, text: &mut String) {
        text.clear();
        let Self { service, run, stream, number } = self;
        // Writing into a `String` does not fail.
        let _ = write!(text, "{service} {run} {stream} {number} ");
        (0..number % REST).for_each(|_| text.push('x'));
        text.push('\n');
    }

    /// What a line says; `None` when it is not whole.
    pub(super) fn read(text: &'a [u8]) -> Option<Self> {
        let mut words = std::str::from_utf8(text).ok()?.splitn(5, ' ');
        let (service, run, stream) = (words.next()?, words.next()?.parse().ok()?, words.next()?);
        let number: u64 = words.next()?.parse().ok()?;
        let rest = words.next()?;
        let is_whole = rest.len() as u64 == number % REST && rest.bytes().all(|byte| byte == b'x');
        is_whole.then_some(Self { service, run, stream, number })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_read_as_it_was_written_and_not_when_something_lacks() {
        let mut text = String::new();
        for number in [1, 59, 60, 61, 1_000_000] {
            let line = Line { service: "twin@2", run: 7, stream: "main", number };
            line.write(&mut text);
            let whole = text.strip_suffix('\n').unwrap().as_bytes();
            assert_eq!(Line::read(whole), Some(line));
            for cut in 1..whole.len() {
                assert_eq!(Line::read(&whole[cut..]).filter(|read| *read == line), None, "{text}");
            }
        }
        assert_eq!(Line::read(b"twin@2 7 main 61 "), None);
        assert_eq!(Line::read(b"twin@2 7 main 60 twin@2 7 main 61 x"), None);
    }
}
