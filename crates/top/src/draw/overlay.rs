//! What lies over everything: the help, and questions.

use ratatui_core::{
    layout::{Rect, Size},
    style::Style,
};

use super::pen::{Pen, columns};
use crate::{
    cut::Cut,
    help::{Section, sections},
    layout::middle,
    model::Question,
};

/// Columns of the keys in the help.
const KEYS: u16 = 16;

/// Columns of one column of the help.
const HELP_COLUMN: u16 = 52;

/// The answers under a question.
const YES: &str = " y  yes ";
const NO: &str = " n  no ";

/// A row of the help.
enum HelpRow {
    Title(&'static str),
    Key(String, &'static str),
    Empty,
}

/// The help, scrolled as far as there is something below.
pub(super) fn help(screen: Size, top: &mut usize, pen: &mut Pen<'_>) {
    let sections = sections();
    let side_by_side = screen.width >= 2 * HELP_COLUMN + 4;
    let parts: Vec<Vec<HelpRow>> = if side_by_side {
        let (left, right) = sections.split_at(sections.len().div_ceil(2) - 1);
        vec![rows(left), rows(right)]
    } else {
        vec![rows(&sections)]
    };
    let most = parts.iter().map(Vec::len).max().unwrap_or(0);
    let columns = u16::try_from(parts.len()).unwrap_or(1);
    let height = u16::try_from(most + 2).unwrap_or(u16::MAX);
    let area = middle(screen, columns * HELP_COLUMN + 4, height.min(screen.height));
    let hidden = (most + 2).saturating_sub(usize::from(area.height));
    *top = (*top).min(hidden);
    let title =
        if hidden > 0 { "Help: ↑ ↓ scroll, any other key closes" } else { "Help: any key closes" };
    let inner = pen.window(area, title);
    for (place, part) in (0_u16..).zip(&parts) {
        let x = inner.x + 1 + place * HELP_COLUMN;
        let width = HELP_COLUMN.min(inner.right().saturating_sub(x));
        for (y, row) in (inner.y..inner.bottom()).zip(part.iter().skip(*top)) {
            match row {
                HelpRow::Title(title) => _ = pen.put(x, y, width, title, pen.paint.strong()),
                HelpRow::Key(key, text) => {
                    pen.put(x, y, KEYS, key, pen.paint.label());
                    pen.put_cut(x + KEYS, y, width.saturating_sub(KEYS), (text, Cut::End), Style::new());
                }
                HelpRow::Empty => {}
            }
        }
    }
}

fn rows(sections: &[Section]) -> Vec<HelpRow> {
    let mut rows = Vec::new();
    for section in sections {
        if !rows.is_empty() {
            rows.push(HelpRow::Empty);
        }
        rows.push(HelpRow::Title(section.title));
        rows.extend(section.keys.iter().map(|(key, text)| HelpRow::Key(format!("  {key}"), text)));
    }
    rows
}

/// A question, with its answers below it.
pub(super) fn question(screen: Size, question: &Question, pen: &mut Pen<'_>) {
    let inner = pen.window(question_area(screen, question), question.row.word);
    for (place, (y, line)) in (inner.y..inner.bottom().saturating_sub(1)).zip(&question.lines).enumerate() {
        let style = if place == 0 { pen.paint.strong() } else { Style::new() };
        pen.put_cut(inner.x + 1, y, inner.width.saturating_sub(2), (line, Cut::End), style);
    }
    let [yes, no] = question_answers(screen, question);
    pen.put(yes.x, yes.y, yes.width, YES, pen.paint.chosen());
    pen.put(no.x, no.y, no.width, NO, pen.paint.chosen());
}

fn question_area(screen: Size, question: &Question) -> Rect {
    let widest = question.lines.iter().map(|line| columns(line)).max().unwrap_or(0);
    let height = u16::try_from(question.lines.len()).unwrap_or(u16::MAX).saturating_add(4);
    middle(screen, widest.saturating_add(4).max(30), height)
}

/// Where yes and no stand.
pub(crate) fn question_answers(screen: Size, question: &Question) -> [Rect; 2] {
    let area = question_area(screen, question);
    let y = area.bottom().saturating_sub(2);
    let yes = Rect { x: area.x + 2, y, width: columns(YES), height: 1 };
    let no = Rect { x: yes.right() + 2, y, width: columns(NO), height: 1 };
    [yes, no]
}
