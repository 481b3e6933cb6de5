//! What is on a screen, as cells. Knows no colour table and no file format.

use std::{num::NonZero, ops::Range, sync::LazyLock};

use regex::{Captures, Regex};

/// What differs from run to run and is seen by the program itself, with what stands for it: for the group of the pattern, if
/// it has one.
static SAMPLES: LazyLock<Vec<(Regex, &str)>> = LazyLock::new(|| {
    let samples = [
        (r"\d{4}-\d{2}-\d{2} \d{2}:\d{2}:\d{2}", "2026-11-21 10:00:00"),
        // No zone, which has a sign before it.
        (r"(?:^|[^+:.\d])(\d{2}:\d{2}:\d{2})\b", "10:00:00"),
        (r"(?:^|[^+:.\d])(\d{2}:\d{2})\b", "10:00"),
        // The head of the live view, which asks the system itself.
        (r"\bup \d+[smhd]\w*", "up 2h05m"),
        (r"\bmainstay (?:\d+\.\d%|-) \d+\.\d[KMG]", "mainstay 0.1% 9.4M"),
    ];
    samples.into_iter().filter_map(|(pattern, sample)| Some((Regex::new(pattern).ok()?, sample))).collect()
});

/// How a cell looks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Look {
    pub(super) ink: vt100::Color,
    pub(super) ground: vt100::Color,
    pub(super) bold: bool,
    pub(super) dim: bool,
    pub(super) italic: bool,
    pub(super) underline: bool,
    pub(super) inverse: bool,
}

/// A character where it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Cell {
    /// A character with what is on it; a blank is a space, and the second half of a wide one is empty.
    pub(super) text: String,
    pub(super) look: Look,
    /// Whether it takes two columns.
    pub(super) is_wide: bool,
}

/// A screen, down to its last line with something on it.
#[derive(Clone, Debug)]
pub(super) struct Screen {
    pub(super) columns: usize,
    pub(super) rows: Vec<Vec<Cell>>,
    wrapped: Vec<bool>,
}

impl Screen {
    /// What a terminal shows.
    pub(super) fn of(screen: &vt100::Screen) -> Self {
        let (rows, columns) = screen.size();
        let cells =
            |row| (0..columns.get()).filter_map(|column| Some(cell(screen.cell(row, column)?))).collect();
        let mut of = Self {
            columns: columns.get().into(),
            rows: (0..rows.get()).map(cells).collect(),
            wrapped: (0..rows.get()).map(|row| screen.row_wrapped(row)).collect(),
        };
        let used =
            of.rows.iter().rposition(|row| row.iter().any(|cell| !is_blank(cell))).map_or(0, |at| at + 1);
        of.keep(used);
        of
    }

    /// Text as wide as it is.
    pub(super) fn of_text(text: &str) -> Self {
        let widest = text.lines().map(|line| 2 * line.chars().count()).max().unwrap_or(0);
        let size = |count: usize| {
            NonZero::new(u16::try_from(count).unwrap_or(u16::MAX)).unwrap_or(NonZero::<u16>::MIN)
        };
        let mut parser = vt100::Parser::new(size(text.lines().count()), size(widest), 0);
        parser.process(text.trim_end().replace('\n', "\r\n").as_bytes());
        let mut of = Self::of(parser.screen());
        let end = |row: &Vec<Cell>| row.iter().rposition(|cell| !is_blank(cell)).map_or(0, |at| at + 1);
        of.columns = of.rows.iter().map(end).max().unwrap_or(0);
        of.rows.iter_mut().for_each(|row| row.truncate(of.columns));
        of
    }

    /// Only the first lines.
    pub(super) fn keep(&mut self, rows: usize) {
        self.rows.truncate(rows);
        self.wrapped.truncate(rows);
    }

    /// Lines that were too long for one row.
    pub(super) fn wrapped(&self) -> Vec<String> {
        let wrapped = self.rows.iter().zip(&self.wrapped).filter(|(_, wrapped)| **wrapped);
        wrapped.map(|(row, _)| text(row)).collect()
    }

    /// What the program saw by itself becomes a sample. What is behind it on its line moves when that is longer.
    pub(super) fn steady(&mut self) {
        for row in &mut self.rows {
            for (pattern, sample) in SAMPLES.iter() {
                let line = letters(row);
                let group = |found: Captures<'_>| found.get(1).or(found.get(0)).map(|found| found.range());
                let found: Vec<Range<usize>> = pattern.captures_iter(&line).filter_map(group).collect();
                // From the end, so that places before it stay where they are.
                for range in found.into_iter().rev() {
                    let look = row.get(range.start).map_or_else(Look::default, |cell| cell.look);
                    let cell = |letter: char| Cell { text: letter.to_string(), look, is_wide: false };
                    row.splice(range, sample.chars().map(cell));
                }
                row.resize(
                    self.columns,
                    Cell { text: " ".to_owned(), look: Look::default(), is_wide: false },
                );
            }
        }
    }
}

/// A letter a cell, so that places are the same in both.
fn letters(row: &[Cell]) -> String {
    row.iter().map(|cell| cell.text.chars().next().filter(char::is_ascii).unwrap_or('?')).collect()
}

/// The text of a row.
pub(super) fn text(row: &[Cell]) -> String {
    row.iter().map(|cell| cell.text.as_str()).collect::<String>().trim_end().to_owned()
}

/// Whether there is nothing to be seen.
pub(super) fn is_blank(cell: &Cell) -> bool {
    cell.text == " "
        && cell.look.ground == vt100::Color::Default
        && !cell.look.inverse
        && !cell.look.underline
}

fn cell(cell: &vt100::Cell) -> Cell {
    let text = match (cell.is_wide_continuation(), cell.contents()) {
        (true, _) => String::new(),
        (false, "") => " ".to_owned(),
        (false, contents) => contents.to_owned(),
    };
    let look = Look {
        ink: cell.fgcolor(),
        ground: cell.bgcolor(),
        bold: cell.bold(),
        dim: cell.dim(),
        italic: cell.italic(),
        underline: cell.underline(),
        inverse: cell.inverse(),
    };
    Cell { text, look, is_wide: cell.is_wide() }
}
