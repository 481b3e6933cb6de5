//! A mistake in a line that is too long to be shown whole: only what is around it is. Judges nothing.

use std::{error::Error, fmt, ops::Range};

use mainstay_config::Problem;
use miette::{
    Diagnostic, LabeledSpan, MietteError, MietteSpanContents, SourceCode, SourceSpan, SpanContents,
};

use crate::view::cut::fit;

/// Longer lines are cut, in characters.
const LINE: usize = 200;

/// How much of it is shown before the mistake.
const BEFORE: usize = 60;

/// How much of the mistake itself.
const MARKED: usize = 80;

/// How much of a message, which may quote what is in the file.
const MESSAGE: usize = 400;

/// Lines that are shown on either side; as many as `miette` shows by itself.
const AROUND: usize = 1;

/// A mistake with a part of its line.
#[derive(Debug)]
pub(crate) struct Excerpt<'a> {
    problem: &'a Problem,
    message: String,
    text: String,
    marked: Range<usize>,
}

impl<'a> Excerpt<'a> {
    /// One of this mistake, when it cannot be shown whole.
    pub(crate) fn of(problem: &'a Problem) -> Option<Self> {
        let label = problem.labels()?.next()?;
        let shown = problem.source_code()?.read_span(label.inner(), AROUND, AROUND).ok()?;
        let lines = std::str::from_utf8(shown.data()).ok()?;
        let message = problem.message();
        if lines.lines().all(|line| is_short(line, LINE)) && is_short(message, MESSAGE) {
            return None;
        }
        let start = label.offset().checked_sub(shown.span().offset())?;
        let (text, marked) = window(lines, start..start + label.len());
        Some(Self { problem, message: fit(message, MESSAGE), text, marked })
    }
}

fn is_short(text: &str, limit: usize) -> bool {
    // No more of it is looked at than counts.
    text.chars().nth(limit).is_none()
}

/// What is around these bytes in their line, and where they are in it.
fn window(lines: &str, marked: Range<usize>) -> (String, Range<usize>) {
    let (before, after) = lines.split_at(lines.floor_char_boundary(marked.start));
    let line_before = before.rsplit('\n').next().unwrap_or_default();
    let line_after = after.lines().next().unwrap_or_default();
    let length = line_after.floor_char_boundary(marked.len().min(line_after.len()));
    let (inner, rest) = line_after.split_at(length);

    let head_at = line_before.char_indices().rev().nth(BEFORE - 1).map_or(0, |(at, _)| at);
    let head = line_before.get(head_at..).unwrap_or_default();
    let mark = first(inner, MARKED);
    let tail = if mark.len() < inner.len() { "" } else { first(rest, LINE - BEFORE - MARKED) };

    let mut text = if head_at > 0 { "…".to_owned() } else { String::new() };
    text.push_str(head);
    let start = text.len();
    text.push_str(mark);
    let end = text.len();
    text.push_str(tail);
    if mark.len() + tail.len() < line_after.len() {
        text.push('…');
    }
    (text, start..end)
}

fn first(text: &str, characters: usize) -> &str {
    let end = text.char_indices().nth(characters).map_or(text.len(), |(at, _)| at);
    text.get(..end).unwrap_or_default()
}

impl SourceCode for Excerpt<'_> {
    fn read_span<'a>(
        &'a self,
        _: &SourceSpan,
        before: usize,
        _: usize,
    ) -> Result<Box<dyn SpanContents<'a> + 'a>, MietteError> {
        // Without lines before it, the mistake's own place is asked for.
        let column = if before == 0 { self.problem.column().saturating_sub(1) } else { 0 };
        Ok(Box::new(MietteSpanContents::new_named(
            self.problem.path().display().to_string(),
            self.text.as_bytes(),
            SourceSpan::from(0..self.text.len()),
            self.problem.line().saturating_sub(1),
            column,
            1,
        )))
    }
}

impl fmt::Display for Excerpt<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl Error for Excerpt<'_> {}

impl Diagnostic for Excerpt<'_> {
    fn code<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        Diagnostic::code(self.problem)
    }

    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        Diagnostic::help(self.problem)
    }

    fn source_code(&self) -> Option<&dyn SourceCode> {
        Some(self)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        Some(Box::new(std::iter::once(LabeledSpan::underline(self.marked.clone()))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_around_a_mistake_is_kept_and_no_more() {
        let line = format!("{}WRONG{}", "a".repeat(1000), "b".repeat(1000));
        let (text, marked) = window(&format!("first\n{line}\nlast\n"), 1006..1011);
        assert_eq!(text, format!("…{}WRONG{}…", "a".repeat(60), "b".repeat(60)));
        assert_eq!(&text[marked], "WRONG");
    }

    #[test]
    fn a_mistake_may_be_long_itself_and_of_any_characters() {
        let (text, marked) = window(&"é".repeat(1000), 0..2000);
        assert_eq!((text.as_str(), marked), (&*format!("{}…", "é".repeat(80)), 0..160));
        let (text, marked) = window("short", 5..5);
        assert_eq!((text.as_str(), marked), ("short", 5..5));
        // A mark that goes on in the next line.
        let (text, marked) = window("one\ntwo\n", 2..6);
        assert_eq!((text.as_str(), marked), ("one", 2..3));
    }
}
