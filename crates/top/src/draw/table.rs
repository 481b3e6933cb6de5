//! The table of services: headings, and the rows that are on the screen.

use ratatui_core::{layout::Rect, style::Style};

use super::pen::{Pen, columns};
use crate::{
    Model,
    arrange::Row,
    columns::{Column, Placed},
    cut::Cut,
    model::{Focus, Link},
    roster::Service,
};

/// The row of headings; the one that is sorted by has an arrow.
pub(super) fn headings(model: &Model, pen: &mut Pen<'_>) {
    let Rect { y, height, .. } = model.regions().headings;
    if height == 0 {
        return;
    }
    for placed in model.columns() {
        let is_sorted = placed.column.sort_key() == model.sort.key
            && !matches!(placed.column, Column::Reason | Column::Pid | Column::Status);
        let arrow = if is_sorted { model.sort.arrow() } else { "" };
        let (x, width) = span(*placed);
        // A number ends with its column, and its arrow stands in the gap.
        let start = if placed.column.is_number() {
            (x + width).saturating_sub(columns(placed.column.heading()))
        } else {
            x
        };
        let end = pen.put(start, y, width, placed.column.heading(), pen.paint.label());
        pen.put(end, y, 1, arrow, pen.paint.label());
    }
}

/// The rows that are on the screen.
pub(super) fn rows(model: &Model, pen: &mut Pen<'_>) {
    let area = model.regions().rows;
    let (rows, top) = model.rows();
    if rows.is_empty() && area.height > 0 {
        let text = match (model.roster.all().is_empty(), &model.link) {
            (true, Link::Up) => "the project has no services",
            (true, Link::New | Link::Lost(_)) => "",
            (false, _) => "no service passes the filter; Esc opens it",
        };
        pen.put(2, area.y, area.width.saturating_sub(2), text, pen.paint.aside());
    }
    for (y, (at, row)) in (area.y..area.bottom()).zip(rows.iter().enumerate().skip(top)) {
        let Some(service) = model.roster.all().get(row.at) else { continue };
        let whole = whole_row(model, at, row, pen);
        for placed in model.columns() {
            cell(model, service, row, (*placed, y), whole, pen);
        }
        if let Some(style) = whole {
            pen.style(Rect { y, height: 1, ..area }, style);
        }
    }
}

/// A style that every cell of the row has.
fn whole_row(model: &Model, at: usize, row: &Row, pen: &Pen<'_>) -> Option<Style> {
    match (at == model.cursor(), model.focus) {
        (true, Focus::Table) => Some(pen.paint.selected()),
        (true, Focus::Pane) => Some(pen.paint.selected_aside()),
        (false, _) if row.is_context || model.link != Link::Up => Some(pen.paint.aside()),
        (false, _) => None,
    }
}

fn cell(
    model: &Model,
    service: &Service,
    row: &Row,
    (placed, y): (Placed, u16),
    whole: Option<Style>,
    pen: &mut Pen<'_>,
) {
    let (x, width) = span(placed);
    let paint = pen.paint;
    // A row in one style is in that alone: colours on colours cannot be read.
    let or_whole = |style: Style| if whole.is_some() { Style::new() } else { style };
    match placed.column {
        Column::Name => name(model, service, row, (placed, y), whole, pen),
        Column::Phase => {
            _ = pen.put(x, y, width, &service.view.phase, or_whole(paint.phase(&service.view.phase)));
        }
        Column::Status => {
            _ = pen.put(x, y, width, &service.view.status, or_whole(paint.status(&service.view.status)));
        }
        Column::Reason => {
            _ = pen.put_cut(x, y, width, (&service.view.reason.text, Cut::End), Style::new());
        }
        Column::Pid | Column::Since | Column::Restarts | Column::Cpu | Column::Memory => {
            let text = placed.column.cell(service, model.now);
            let is_nothing = text == "-" || (placed.column == Column::Restarts && text == "0");
            let style = if is_nothing { paint.aside() } else { Style::new() };
            pen.put_before(x + width, y, &text, or_whole(style));
        }
    }
}

fn name(
    model: &Model,
    service: &Service,
    row: &Row,
    (placed, y): (Placed, u16),
    whole: Option<Style>,
    pen: &mut Pen<'_>,
) {
    let (x, width) = span(placed);
    let is_marked = model.marks.contains(&service.id);
    let marked = if is_marked { pen.paint.marked() } else { pen.paint.strong() };
    let style = if whole.is_some() { Style::new() } else { marked };
    if is_marked {
        pen.put(0, y, 1, "*", style);
    }
    let end = x + width;
    let x = pen.put(x, y, width, &row.guide, pen.paint.aside());
    let others = row.others_text();
    let room = end.saturating_sub(x + columns(&others));
    let x = pen.put_cut(x, y, room, (&service.id, Cut::MIDDLE), style);
    pen.put(x, y, end.saturating_sub(x), &others, pen.paint.aside());
}

/// First column and width on the screen.
fn span(placed: Placed) -> (u16, u16) {
    let cells = |columns: usize| u16::try_from(columns).unwrap_or(u16::MAX);
    (cells(placed.x), cells(placed.width))
}
