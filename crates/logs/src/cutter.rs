//! Lines out of bytes as they come. Knows nothing of files.

use std::ops::ControlFlow;

/// The longest line given out, in bytes; a longer one comes in pieces.
pub const LINE_LIMIT: usize = 1024 * 1024;

/// The beginning of a line whose end has not come yet; never longer than [`LINE_LIMIT`].
#[derive(Debug, Default)]
pub(crate) struct Cutter {
    begun: Vec<u8>,
}

impl Cutter {
    /// Takes in bytes and gives out the lines that they end.
    pub(crate) fn push(
        &mut self,
        mut bytes: &[u8],
        give: &mut dyn FnMut(&[u8]) -> ControlFlow<()>,
    ) -> ControlFlow<()> {
        while let Some(end) = bytes.iter().position(|byte| *byte == b'\n') {
            self.add(&bytes[..end], give)?;
            self.give(give)?;
            bytes = &bytes[end + 1..];
        }
        self.add(bytes, give)
    }

    /// Gives out what has begun as a line: no more of it comes.
    pub(crate) fn finish(&mut self, give: &mut dyn FnMut(&[u8]) -> ControlFlow<()>) -> ControlFlow<()> {
        if self.begun.is_empty() { ControlFlow::Continue(()) } else { self.give(give) }
    }

    fn add(&mut self, mut bytes: &[u8], give: &mut dyn FnMut(&[u8]) -> ControlFlow<()>) -> ControlFlow<()> {
        while self.begun.len() + bytes.len() > LINE_LIMIT {
            let (piece, rest) = bytes.split_at(LINE_LIMIT - self.begun.len());
            self.begun.extend_from_slice(piece);
            self.give(give)?;
            bytes = rest;
        }
        self.begun.extend_from_slice(bytes);
        ControlFlow::Continue(())
    }

    fn give(&mut self, give: &mut dyn FnMut(&[u8]) -> ControlFlow<()>) -> ControlFlow<()> {
        let flow = give(&self.begun);
        self.begun.clear();
        // One long line must not cost its memory for ever, for each service.
        self.begun.shrink_to(4096);
        flow
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut(parts: &[&[u8]]) -> Vec<Vec<u8>> {
        let mut cutter = Cutter::default();
        let mut lines = Vec::new();
        let mut give = |line: &[u8]| {
            lines.push(line.to_vec());
            ControlFlow::Continue(())
        };
        for part in parts {
            assert!(cutter.push(part, &mut give).is_continue());
        }
        assert!(cutter.finish(&mut give).is_continue());
        lines
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
