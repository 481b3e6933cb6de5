//! What the mouse does, by what it points at.

use ratatui_core::layout::{Position, Rect};

use crate::{
    draw::{hint_strip, pane_strip, phase_strip, question_answers},
    input::{Effect, Mouse, MouseAct},
    model::{Focus, Model, Overlay, keys::Step},
};

/// Rows that one notch of the wheel scrolls.
const NOTCH: isize = 3;

impl Model {
    pub(super) fn mouse(&mut self, mouse: Mouse) -> Vec<Effect> {
        self.arrange();
        self.is_stale = true;
        match mouse.act {
            MouseAct::Press => return self.press(Position::new(mouse.column, mouse.row)),
            MouseAct::WheelUp => self.wheel(mouse, -NOTCH),
            MouseAct::WheelDown => self.wheel(mouse, NOTCH),
        }
        Vec::new()
    }

    fn press(&mut self, at: Position) -> Vec<Effect> {
        if let Some(overlay) = self.overlay.take() {
            return self.press_overlay(at, overlay);
        }
        let parts = self.regions();
        if parts.hints.contains(at) {
            let key = hint_strip(self).at(at.x).map(|hint| hint.key);
            return key.map_or_else(Vec::new, |key| self.key(key));
        }
        if parts.rows.contains(at) {
            self.press_row(usize::from(at.y - parts.rows.y));
        } else if parts.headings.contains(at) {
            self.press_heading(usize::from(at.x));
        } else if parts.phases.contains(at) {
            let phase = phase_strip(self).at(at.x).map(|tab| tab.phase.clone());
            if let Some(phase) = phase {
                self.filter = self.filter.with_phase(phase.as_deref());
            }
        } else if parts.pane_title.contains(at) {
            let pane = pane_strip(self).at(at.x).copied();
            if let Some(pane) = pane {
                self.open_pane(pane);
            }
            self.focus = Focus::Pane;
        } else if parts.pane.contains(at) && self.pane.is_some() {
            self.focus = Focus::Pane;
        }
        Vec::new()
    }

    /// Selects a row; the row that is selected already opens its logs.
    fn press_row(&mut self, line: usize) {
        let (rows, top) = self.rows();
        let at = top + line;
        if at >= rows.len() {
            return;
        }
        let was_selected = self.focus == Focus::Table && at == self.cursor();
        self.focus = Focus::Table;
        self.select(at);
        if was_selected && self.pane.is_none() {
            self.open_pane(super::Pane::Logs);
        }
    }

    fn press_heading(&mut self, x: usize) {
        let column = self.columns().iter().rev().find(|placed| placed.x <= x).copied();
        if let Some(placed) = column {
            self.sort_by(self.sort.by(placed.column.sort_key()));
        }
    }

    fn press_overlay(&mut self, at: Position, overlay: Overlay) -> Vec<Effect> {
        let Overlay::Question(question) = overlay else { return Vec::new() };
        let [yes, no]: [Rect; 2] = question_answers(self.size, &question);
        if yes.contains(at) {
            return self.agree(question);
        }
        if !no.contains(at) {
            self.overlay = Some(Overlay::Question(question));
        }
        Vec::new()
    }

    fn wheel(&mut self, mouse: Mouse, by: isize) {
        let at = Position::new(mouse.column, mouse.row);
        let parts = self.regions();
        match (&mut self.overlay, self.pane) {
            (Some(Overlay::Help(top)), _) => *top = top.saturating_add_signed(by),
            (Some(Overlay::Question(_)), _) => {}
            (None, Some(pane)) if parts.pane.contains(at) || parts.pane_title.contains(at) => {
                self.scroll_pane(pane, Step::By(by));
            }
            (None, _) => self.scroll_rows(by, usize::from(parts.rows.height)),
        }
    }

    /// Moves the rows under the screen; what is selected goes along only at its edge.
    fn scroll_rows(&mut self, by: isize, height: usize) {
        let (rows, top) = self.rows();
        let top = top.saturating_add_signed(by).min(rows.len().saturating_sub(height));
        self.top = top;
        let last = (top + height).saturating_sub(1).max(top);
        self.select(self.cursor().clamp(top, last));
    }
}
