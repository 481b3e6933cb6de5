//! Lines out of bytes as they come. Knows nothing of files.

use std::ops::ControlFlow;

/// The longest line given out, in bytes; a longer one comes in pieces.
pub const LINE_LIMIT: usize = 1024 * 1024;

/// Takes a line, and the place where it begins.
pub(crate) type Give<'a> = dyn FnMut(u64, &[u8]) -> ControlFlow<()> + 'a;

/// The beginning of a line whose end has not come yet; never longer than [`LINE_LIMIT`].
#[derive(Debug, Default)]
pub(crate) struct Cutter {
    begun: Vec<u8>,
    /// Where it begins.
    start: u64,
    /// The rest of a line of which only the end came is left out.
    is_in_line: bool,
}

impl Cutter {
    /// What comes first is the end of a line that is not wanted.
    pub(crate) fn begin_in_line(&mut self) {
        self.is_in_line = true;
    }

    /// Takes in bytes from this place and gives out the lines that they end.
    pub(crate) fn push(&mut self, mut bytes: &[u8], mut offset: u64, give: &mut Give<'_>) -> ControlFlow<()> {
        while let Some(end) = bytes.iter().position(|byte| *byte == b'\n') {
            if self.begun.is_empty() && end <= LINE_LIMIT {
                // The usual case, without a copy.
                self.start = offset;
                self.out(&bytes[..end], give)?;
            } else {
                self.add(&bytes[..end], offset, give)?;
                self.give(give)?;
            }
            self.is_in_line = false;
            bytes = &bytes[end + 1..];
            offset += end as u64 + 1;
        }
        self.add(bytes, offset, give)
    }

    /// Gives out what has begun as a line: no more of it comes.
    pub(crate) fn finish(&mut self, give: &mut Give<'_>) -> ControlFlow<()> {
        let flow = if self.begun.is_empty() { ControlFlow::Continue(()) } else { self.give(give) };
        self.is_in_line = false;
        flow
    }

    fn add(&mut self, mut bytes: &[u8], mut offset: u64, give: &mut Give<'_>) -> ControlFlow<()> {
        if self.begun.is_empty() {
            self.start = offset;
        }
        while self.begun.len() + bytes.len() > LINE_LIMIT {
            let (piece, rest) = bytes.split_at(LINE_LIMIT - self.begun.len());
            self.begun.extend_from_slice(piece);
            self.give(give)?;
            offset += piece.len() as u64;
            self.start = offset;
            bytes = rest;
        }
        self.begun.extend_from_slice(bytes);
        ControlFlow::Continue(())
    }

    fn give(&mut self, give: &mut Give<'_>) -> ControlFlow<()> {
        let begun = std::mem::take(&mut self.begun);
        let flow = self.out(&begun, give);
        self.begun = begun;
        self.begun.clear();
        // One long line must not cost its memory for ever, for each service.
        self.begun.shrink_to(4096);
        flow
    }

    fn out(&self, line: &[u8], give: &mut Give<'_>) -> ControlFlow<()> {
        if self.is_in_line { ControlFlow::Continue(()) } else { give(self.start, line) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut(parts: &[&[u8]]) -> Vec<Vec<u8>> {
        let mut cutter = Cutter::default();
        let all = parts.concat();
        let mut lines = Vec::new();
        let mut give = |start: u64, line: &[u8]| {
            let start = usize::try_from(start).unwrap();
            assert_eq!(&all[start..start + line.len()], line);
            lines.push(line.to_vec());
            ControlFlow::Continue(())
        };
        let mut offset = 0;
        for part in parts {
            assert!(cutter.push(part, offset, &mut give).is_continue());
            offset += part.len() as u64;
        }
        assert!(cutter.finish(&mut give).is_continue());
        lines
    }

    #[test]
    fn the_end_of_a_line_alone_is_left_out() {
        for at in 0..4 {
            let mut cutter = Cutter::default();
            cutter.begin_in_line();
            let mut lines = Vec::new();
            let mut give = |start: u64, line: &[u8]| {
                lines.push((start, line.to_vec()));
                ControlFlow::Continue(())
            };
            let text = b"rest\ntwo\n";
            assert!(cutter.push(&text[..at], 10, &mut give).is_continue());
            assert!(cutter.push(&text[at..], 10 + at as u64, &mut give).is_continue());
            assert_eq!(lines, [(15, b"two".to_vec())]);
        }
    }

    #[test]
    fn lines_survive_any_cut() {
        let text = b"one\n\ntwo\nrest";
        for at in 0..=text.len() {
            assert_eq!(cut(&[&text[..at], &text[at..]]), [&b"one"[..], b"", b"two", b"rest"]);
        }
    }

    #[test]
    fn a_line_without_end_comes_in_pieces() {
        let long = vec![b'x'; LINE_LIMIT * 2 + 5];
        let lengths: Vec<usize> = cut(&[&long, b"y\nz\n"]).iter().map(Vec::len).collect();
        assert_eq!(lengths, [LINE_LIMIT, LINE_LIMIT, 6, 1]);
        let exact = [vec![b'x'; LINE_LIMIT], b"\n".to_vec()].concat();
        assert_eq!(cut(&[&exact]).len(), 1);
    }
}
