//! Where everything is on a screen of this size: used to draw, and to know what the mouse points at.

use ratatui_core::layout::{Rect, Size};

/// The smallest screen on which anything can be told.
pub(crate) const LEAST: Size = Size { width: 40, height: 10 };

/// Rows of the table that stay when the pane is open.
const TABLE_LEAST: u16 = 4;

/// Rows above the table: the project, the phases and the headings.
const ABOVE: u16 = 3;

/// Rows below everything: what is told, and the keys.
const BELOW: u16 = 2;

/// How much of the screen the pane has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PaneSize {
    Closed,
    Half,
    /// All but the frame.
    Whole,
}

/// The parts of the screen, each as wide as it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Regions {
    pub(crate) header: Rect,
    pub(crate) phases: Rect,
    pub(crate) headings: Rect,
    pub(crate) rows: Rect,
    pub(crate) pane_title: Rect,
    pub(crate) pane: Rect,
    pub(crate) status: Rect,
    pub(crate) hints: Rect,
}

/// The parts of a screen of this size, for so many services: a short table leaves more to the pane.
pub(crate) fn regions(size: Size, pane: PaneSize, services: usize) -> Regions {
    let body = size.height.saturating_sub(ABOVE + BELOW);
    let (headings, rows, title) = match pane {
        PaneSize::Closed => (1, body, 0),
        PaneSize::Half => {
            let wanted = u16::try_from(services).unwrap_or(u16::MAX);
            (1, wanted.min(body / 2).max(TABLE_LEAST).min(body.saturating_sub(2)), 1)
        }
        PaneSize::Whole => (0, 0, 1),
    };
    let used = 2 + headings + rows + title + BELOW;
    let heights = [1, 1, headings, rows, title, size.height.saturating_sub(used), 1, 1];
    let mut y = 0;
    let [header, phases, headings, rows, pane_title, pane, status, hints] = heights.map(|height| {
        let part = Rect { x: 0, y, width: size.width, height: height.min(size.height.saturating_sub(y)) };
        y += part.height;
        part
    });
    Regions { header, phases, headings, rows, pane_title, pane, status, hints }
}

/// A box in the middle of the screen, of this size where there is room.
pub(crate) fn middle(screen: Size, width: u16, height: u16) -> Rect {
    let (width, height) = (width.min(screen.width), height.min(screen.height));
    Rect { x: (screen.width - width) / 2, y: (screen.height - height) / 2, width, height }
}

/// Things one after another in a row, as far as there is room: each with its columns.
#[derive(Debug)]
pub(crate) struct Strip<T> {
    parts: Vec<(u16, u16, T)>,
    next: u16,
    end: u16,
}

impl<T> Strip<T> {
    /// Begins at this column, and ends before that one.
    pub(crate) fn new(start: u16, end: u16) -> Self {
        Self { parts: Vec::new(), next: start, end }
    }

    /// Puts one more, `gap` columns after the last; `false` when it has no room.
    pub(crate) fn put(&mut self, width: usize, gap: u16, thing: T) -> bool {
        let start = if self.parts.is_empty() { self.next } else { self.next.saturating_add(gap) };
        let Some(next) = u16::try_from(width).ok().and_then(|width| start.checked_add(width)) else {
            return false;
        };
        if next > self.end {
            return false;
        }
        self.parts.push((start, next, thing));
        self.next = next;
        true
    }

    /// Each with its first column.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (u16, &T)> {
        self.parts.iter().map(|(start, _, thing)| (*start, thing))
    }

    /// What is at this column.
    pub(crate) fn at(&self, column: u16) -> Option<&T> {
        self.parts.iter().find(|(start, end, _)| (*start..*end).contains(&column)).map(|(_, _, thing)| thing)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_of_the_screen_is_one_part() {
        for height in LEAST.height..80 {
            for pane in [PaneSize::Closed, PaneSize::Half, PaneSize::Whole] {
                let parts = regions(Size { width: 80, height }, pane, 12);
                let all = [
                    parts.header,
                    parts.phases,
                    parts.headings,
                    parts.rows,
                    parts.pane_title,
                    parts.pane,
                    parts.status,
                    parts.hints,
                ];
                let mut y = 0;
                for part in all {
                    assert_eq!(part.y, y);
                    y += part.height;
                }
                assert_eq!(y, height, "{pane:?}");
                assert!(pane == PaneSize::Closed || parts.pane.height > 0);
            }
        }
        assert_eq!(regions(Size { width: 80, height: 1 }, PaneSize::Half, 0).header.height, 1);
    }
}
