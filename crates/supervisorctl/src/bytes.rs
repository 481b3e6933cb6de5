//! Parts of log files by their bytes, as supervisor counts them: of the file that is written to now. Blocks; never writes.

use std::{
    fs::File,
    io::{self, ErrorKind},
    os::unix::fs::FileExt,
    path::Path,
};

use crate::fault::{Code, Fault};

/// How many bytes one answer holds at most.
const BYTES_LIMIT: u64 = 4 * 1024 * 1024;

/// What `readProcessStdoutLog` and `readLog` read: from a negative `offset` the last bytes, and then `length` is 0; else
/// `length` bytes from `offset` on, where 0 is all.
///
/// # Errors
/// There is no such file, or no such part of one.
pub(crate) fn read(path: &Path, offset: i32, length: i32) -> Result<String, Fault> {
    let (file, size) = open(path)?;
    let wrong = || Fault::new(Code::BadArguments, "");
    let distance = u64::from(offset.unsigned_abs());
    let (from, count) = match (offset < 0, u64::try_from(length)) {
        (true, Ok(0)) => (size.saturating_sub(distance), distance),
        (true, _) | (false, Err(_)) => return Err(wrong()),
        (false, Ok(0)) => (distance, u64::MAX),
        (false, Ok(count)) => (distance, count),
    };
    part(&file, from, count.min(size.saturating_sub(from))).map_err(|error| failed(path, &error))
}

/// What `tailProcessStdoutLog` reads: what there is from `offset` on and the offset after it; when that is more than `length`
/// bytes, the last `length` ones, and that some are missing.
///
/// # Errors
/// The file cannot be read. One that is not there is empty.
pub(crate) fn tail(path: &Path, offset: i32, length: i32) -> Result<(String, u64, bool), Fault> {
    let (file, size) = match open(path) {
        Err(fault) if fault.code == Code::NoFile => return Ok((String::new(), 0, false)),
        opened => opened?,
    };
    let (offset, length) = (u64::try_from(offset).unwrap_or(0), u64::try_from(length).unwrap_or(0));
    let is_cut = size > offset.saturating_add(length);
    let from = if is_cut { size.saturating_sub(length) } else { offset.min(size) };
    let text = part(&file, from, size - from).map_err(|error| failed(path, &error))?;
    Ok((text, size, is_cut))
}

/// How many lines begin in the last `bytes` bytes of a file; at least one in a file that is not empty.
pub(crate) fn lines_in_last(path: &Path, bytes: u64) -> Result<u64, Fault> {
    let (file, size) = open(path)?;
    let from = size.saturating_sub(bytes);
    let text = part(&file, from, size - from).map_err(|error| failed(path, &error))?;
    let begun = text.lines().count() as u64;
    // What it begins with is the rest of a line, unless it is the beginning of the file.
    Ok(if from == 0 { begun } else { begun.saturating_sub(1).max(1) })
}

fn open(path: &Path) -> Result<(File, u64), Fault> {
    let opened = File::open(path).and_then(|file| Ok((file.metadata()?.len(), file)));
    match opened {
        Ok((size, file)) => Ok((file, size)),
        Err(error) if error.kind() == ErrorKind::NotFound => {
            Err(Fault::new(Code::NoFile, path.to_string_lossy()))
        }
        Err(error) => Err(failed(path, &error)),
    }
}

fn part(file: &File, from: u64, count: u64) -> io::Result<String> {
    let count = usize::try_from(count.min(BYTES_LIMIT)).unwrap_or(0);
    let mut bytes = vec![0; count];
    let mut filled = 0;
    while filled < count {
        match file.read_at(&mut bytes[filled..], from + filled as u64) {
            Ok(0) => break,
            Ok(read) => filled += read,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    bytes.truncate(filled);
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

fn failed(path: &Path, error: &io::Error) -> Fault {
    Fault::new(Code::Failed, format!("cannot read {}: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_those_that_supervisor_reads() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("current");
        std::fs::write(&path, "0123456789").unwrap();
        let wrong = Err(Fault::new(Code::BadArguments, ""));
        let rows = [
            (-3, 0, Ok("789")),
            (-100, 0, Ok("0123456789")),
            (0, 0, Ok("0123456789")),
            (7, 0, Ok("789")),
            (2, 3, Ok("234")),
            (8, 10, Ok("89")),
            (100, 10, Ok("")),
            (i32::MIN, 0, Ok("0123456789")),
            (-3, 1, wrong.clone()),
            (3, -1, wrong),
        ];
        for (offset, length, expected) in rows {
            assert_eq!(read(&path, offset, length), expected.map(str::to_owned), "{offset} {length}");
        }
        assert_eq!(read(&dir.path().join("none"), 0, 0).unwrap_err().code, Code::NoFile);
    }

    #[test]
    fn a_tail_says_what_it_left_out() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("current");
        std::fs::write(&path, "0123456789").unwrap();
        let rows = [
            (0, 100, ("0123456789", 10, false)),
            (4, 100, ("456789", 10, false)),
            (10, 100, ("", 10, false)),
            (99, 100, ("", 10, false)),
            (0, 4, ("6789", 10, true)),
            (0, 0, ("", 10, true)),
            (-5, -5, ("", 10, true)),
        ];
        for (offset, length, (text, end, is_cut)) in rows {
            assert_eq!(tail(&path, offset, length), Ok((text.to_owned(), end, is_cut)), "{offset} {length}");
        }
        assert_eq!(tail(&dir.path().join("none"), 0, 9), Ok((String::new(), 0, false)));
    }

    #[test]
    fn lines_at_the_end_are_counted() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("current");
        for (text, bytes, lines) in
            [("", 9, 0), ("a\nb\n", 9, 2), ("aaaa\nb\nc\n", 6, 2), ("aaaaaaaaa", 3, 1)]
        {
            std::fs::write(&path, text).unwrap();
            assert_eq!(lines_in_last(&path, bytes), Ok(lines), "{text}");
        }
    }
}
