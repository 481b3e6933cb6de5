//! The lines of the log pane, from its bottom upwards.

use ratatui_core::{layout::Rect, style::Style};

use super::pen::{Pen, columns};
use crate::{
    Model,
    cut::{self, Cut},
    log::{Log, LogLine, LongLines},
};

/// Longer names before lines are cut.
const NAME_LIMIT: usize = 20;

/// What stands between a name and its line.
const BAR: &str = " │ ";

/// The lines that can be seen.
pub(super) fn lines(model: &mut Model, pen: &mut Pen<'_>) {
    let area = model.regions().pane;
    let log = &model.log;
    let room = area.width.saturating_sub(2);
    if let Some(text) = &log.failure {
        pen.put_cut(1, area.y, room, (text, Cut::End), pen.paint.error());
        return;
    }
    if log.is_empty() {
        let text = if log.sources.is_empty() { "no service is selected" } else { "nothing was written yet" };
        pen.put(1, area.y, room, text, pen.paint.aside());
        return;
    }
    let names = if log.sources.len() > 1 { name_width(model) } else { 0 };
    let indent = if names > 0 { names + columns(BAR) } else { 0 };
    let text = Rect { x: indent, width: area.width.saturating_sub(indent), ..area };
    let (rows, last) = rows(log, text);
    for (y, row) in (area.y..area.bottom()).zip(&rows) {
        let at = Rect { y, height: 1, ..text };
        if names > 0 && row.is_first {
            name(model, row.line, Rect { x: 0, width: names, ..at }, pen);
        }
        let style = if log.is_found(row.number) { pen.paint.strong() } else { Style::new() };
        pen.put(at.x, at.y, at.width, row.text, style);
        matches(row.text, log.search(), at, pen);
    }
    if let Some(last) = last {
        model.log.drawn_to(last);
    }
}

/// A row of the pane.
struct Row<'a> {
    number: u64,
    line: &'a LogLine,
    text: &'a str,
    /// Whether its line begins with it.
    is_first: bool,
}

/// The rows of the pane, top first; and the line that the last one is of, when lines below had to fill it.
fn rows(log: &Log, area: Rect) -> (Vec<Row<'_>>, Option<u64>) {
    let (width, height) = (usize::from(area.width.max(1)), usize::from(area.height));
    let rows_of = |(number, line)| rows_of_line(number, line, log, width);
    let mut rows: Vec<Row<'_>> = Vec::new();
    for (number, line) in log.upward() {
        // The last row of a line comes first on the way up.
        rows.extend(rows_of((number, line)).into_iter().rev());
        if rows.len() >= height {
            rows.truncate(height);
            rows.reverse();
            return (rows, None);
        }
    }
    rows.reverse();
    let mut last = None;
    for (number, line) in log.downward() {
        if rows.len() >= height {
            break;
        }
        rows.extend(rows_of((number, line)));
        last = Some(number);
    }
    (rows, last)
}

fn rows_of_line<'a>(number: u64, line: &'a LogLine, log: &Log, width: usize) -> Vec<Row<'a>> {
    let parts = parts(line, log.long_lines, log.column, width).into_iter().enumerate();
    parts.map(|(place, text)| Row { number, line, text, is_first: place == 0 }).collect()
}

/// A line as rows of the pane.
fn parts(line: &LogLine, long_lines: LongLines, column: usize, width: usize) -> Vec<&str> {
    match long_lines {
        LongLines::Cut => vec![cut::after(&line.text, column)],
        LongLines::Wrapped => {
            let mut parts = Vec::new();
            let mut rest = line.text.as_str();
            while cut::width(rest) > width {
                let (part, after) = cut::split(rest, width);
                parts.push(part);
                rest = after;
            }
            parts.push(rest);
            parts
        }
    }
}

fn name_width(model: &Model) -> u16 {
    let widest = model.log.sources.iter().map(|source| cut::width(&source.id)).max().unwrap_or(0);
    u16::try_from(widest.min(NAME_LIMIT)).unwrap_or(0)
}

fn name(model: &Model, line: &LogLine, area: Rect, pen: &mut Pen<'_>) {
    let id = model.log.sources.get(line.source).map_or("", |source| &source.id);
    let style = pen.paint.source(line.source);
    pen.put_cut(area.x, area.y, area.width, (id, Cut::MIDDLE), style);
    pen.put(area.right(), area.y, columns(BAR), BAR, pen.paint.aside());
}

/// Shows where a row holds what is searched for.
fn matches(part: &str, search: &str, row: Rect, pen: &mut Pen<'_>) {
    let small = part.to_lowercase();
    // Where small letters have another length, places in one text are not those in the other.
    if search.is_empty() || small.len() != part.len() {
        return;
    }
    for (at, found) in small.match_indices(search) {
        let (Some(before), Some(found)) = (part.get(..at), part.get(at..at + found.len())) else { continue };
        let area = Rect { x: row.x.saturating_add(columns(before)), width: columns(found), ..row };
        pen.style(area.intersection(row), pen.paint.found());
    }
}
