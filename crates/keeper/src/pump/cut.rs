//! Where a log file is cut: what to do next with bytes that wait, as a pure function of sizes and contents.

/// A line may carry a file this many bytes beyond its limit; then it is cut hard.
const LINE_LIMIT: u64 = 1024 * 1024;

/// What to do next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Write this many bytes; the file goes on after them.
    Write(usize),
    /// Write this many bytes, then rotate.
    WriteAndRotate(usize),
    /// Rotate first.
    Rotate,
}

/// The next step with `rest` (not empty) at a file of `size` bytes that is rotated before it exceeds `limit`.
/// `ends_at_line_end` is asked only when it matters.
pub fn next_step(rest: &[u8], size: u64, limit: u64, ends_at_line_end: impl FnOnce() -> bool) -> Step {
    let within = |end: u64| usize::try_from(end.saturating_sub(size)).unwrap_or(usize::MAX).min(rest.len());
    let room = within(limit);
    if room == rest.len() {
        return Step::Write(room);
    }
    if let Some(last) = rest.iter().take(room).rposition(|byte| *byte == b'\n') {
        return Step::WriteAndRotate(last + 1);
    }
    if size > 0 && ends_at_line_end() {
        return Step::Rotate;
    }
    let hard_end = limit.saturating_add(LINE_LIMIT);
    let room = within(hard_end);
    if room == 0 {
        return Step::Rotate;
    }
    match rest.iter().take(room).position(|byte| *byte == b'\n') {
        Some(first) => Step::WriteAndRotate(first + 1),
        None if room as u64 + size >= hard_end => Step::WriteAndRotate(room),
        None => Step::Write(room),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at_line_end() -> bool {
        true
    }

    fn inside_a_line() -> bool {
        false
    }

    #[test]
    fn what_fits_is_written() {
        assert_eq!(next_step(b"ab\n", 7, 10, inside_a_line), Step::Write(3));
    }

    #[test]
    fn a_cut_is_after_the_last_line_that_fits() {
        assert_eq!(next_step(b"a\nb\ncdef\n", 5, 10, inside_a_line), Step::WriteAndRotate(4));
    }

    #[test]
    fn nothing_fits_and_the_file_is_whole() {
        assert_eq!(next_step(b"abcdef\n", 5, 10, at_line_end), Step::Rotate);
    }

    #[test]
    fn a_line_that_has_begun_is_finished_beyond_the_limit() {
        assert_eq!(next_step(b"abcdef\ng\n", 5, 10, inside_a_line), Step::WriteAndRotate(7));
        assert_eq!(next_step(b"abcdef", 5, 10, inside_a_line), Step::Write(6));
    }

    #[test]
    fn a_line_without_end_is_cut_hard() {
        assert_eq!(next_step(b"abcdef", 10 + LINE_LIMIT - 2, 10, inside_a_line), Step::WriteAndRotate(2));
        assert_eq!(next_step(b"abcdef", 10 + LINE_LIMIT, 10, inside_a_line), Step::Rotate);
    }

    #[test]
    fn whatever_comes_everything_is_written_in_order_and_files_end_at_line_ends() {
        let mut random = 7_u64;
        let mut next = |below: u64| {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (random >> 33) % below
        };
        for _ in 0..300 {
            let limit = 1 + next(60);
            let mut files: Vec<Vec<u8>> = vec![Vec::new()];
            let mut sent = Vec::new();
            for _ in 0..20 {
                let batch: Vec<u8> = (0..next(50)).map(|_| if next(8) == 0 { b'\n' } else { b'x' }).collect();
                sent.extend_from_slice(&batch);
                write_all(&mut files, &batch, limit);
            }
            assert_eq!(files.concat(), sent);
            for file in &files[..files.len() - 1] {
                assert_eq!(file.last(), Some(&b'\n'));
                let lines = file.split_inclusive(|byte| *byte == b'\n').count();
                assert!(file.len() as u64 <= limit || lines == 1 || last_line_started_within(file, limit));
            }
        }
    }

    fn write_all(files: &mut Vec<Vec<u8>>, batch: &[u8], limit: u64) {
        let mut rest = batch;
        while !rest.is_empty() {
            let current = files.last_mut().unwrap();
            let whole = current.last() == Some(&b'\n');
            let (count, rotate) = match next_step(rest, current.len() as u64, limit, || whole) {
                Step::Write(count) => (count, false),
                Step::WriteAndRotate(count) => (count, true),
                Step::Rotate => (0, true),
            };
            assert!(count > 0 || rotate);
            current.extend_from_slice(&rest[..count]);
            rest = &rest[count..];
            if rotate {
                assert!(!current.is_empty());
                files.push(Vec::new());
            }
        }
    }

    fn last_line_started_within(file: &[u8], limit: u64) -> bool {
        let start = file[..file.len() - 1].iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
        (start as u64) <= limit
    }
}
