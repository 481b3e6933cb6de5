//! What each key does.

use crate::{
    acts,
    arrange::Shape,
    input::{Effect, Key},
    log::{LongLines, Toward},
    model::{Focus, Model, Overlay, Pane},
};

/// Columns that the log moves to the side at once.
const SIDEWAYS: usize = 16;

impl Model {
    pub(super) fn key(&mut self, key: Key) -> Vec<Effect> {
        self.arrange();
        self.is_stale = true;
        if let Some(overlay) = self.overlay.take() {
            return self.overlay_key(key, overlay);
        }
        if let Some(prompt) = self.prompt.take() {
            return self.prompt_key(key, prompt);
        }
        match key {
            Key::Char('q') | Key::Ctrl('c') => return vec![Effect::Quit],
            Key::Ctrl('z') => return vec![Effect::Suspend],
            Key::Ctrl('l') => return vec![Effect::Repaint],
            Key::Char('?') | Key::Function(1) => self.overlay = Some(Overlay::Help(0)),
            Key::Escape => self.back(),
            Key::Enter => self.enter(),
            Key::Char('/') => self.open_prompt(),
            Key::Char(c) if acts::of_key(c).is_some() => {
                return acts::of_key(c).map_or_else(Vec::new, |row| self.act(row));
            }
            key => self.look(key),
        }
        Vec::new()
    }

    /// Keys that change only what is seen.
    fn look(&mut self, key: Key) {
        let log_is_open = self.pane == Some(Pane::Logs);
        match key {
            Key::Tab => self.switch_focus(),
            Key::Char('l') => self.toggle_pane(Pane::Logs),
            Key::Char('d') => self.toggle_pane(Pane::Details),
            Key::Char('z') => self.zoom(),
            Key::Char('t') => {
                self.shape = match self.shape {
                    Shape::Table => Shape::Tree,
                    Shape::Tree => Shape::Table,
                };
            }
            Key::Char('s') => self.sort_by(self.sort.next()),
            Key::Char('S') => self.sort_by(self.sort.reversed()),
            Key::Char(' ') => self.mark_and_go_on(),
            Key::Char('a') => self.mark_all(),
            Key::Char('f') if log_is_open => self.log.toggle_following(),
            Key::Char('w') if log_is_open => {
                self.log.column = 0;
                self.log.long_lines = match self.log.long_lines {
                    LongLines::Cut => LongLines::Wrapped,
                    LongLines::Wrapped => LongLines::Cut,
                };
            }
            Key::Char('n') if log_is_open => self.find(Toward::Older),
            Key::Char('N') if log_is_open => self.find(Toward::Newer),
            Key::Left if log_is_open => self.log.column = self.log.column.saturating_sub(SIDEWAYS),
            Key::Right if log_is_open && self.log.long_lines == LongLines::Cut => {
                self.log.column = (self.log.column + SIDEWAYS).min(usize::from(u16::MAX));
            }
            key => self.walk(key),
        }
    }

    fn overlay_key(&mut self, key: Key, overlay: Overlay) -> Vec<Effect> {
        match (overlay, key) {
            (_, Key::Ctrl('c')) => vec![Effect::Quit],
            (overlay, Key::Ctrl('l')) => {
                self.overlay = Some(overlay);
                vec![Effect::Repaint]
            }
            (Overlay::Question(question), Key::Char('y' | 'Y')) => self.agree(question),
            (Overlay::Question(_), Key::Char('n' | 'N' | 'q') | Key::Escape) => {
                self.tell("nothing was done");
                Vec::new()
            }
            // Any other key was meant for something else: the question stays.
            (overlay @ Overlay::Question(_), _) => {
                self.overlay = Some(overlay);
                Vec::new()
            }
            (Overlay::Help(top), key) => {
                let page = usize::from(self.size.height / 2);
                let top = match key {
                    Key::Down | Key::Char('j') => Some(top + 1),
                    Key::Up | Key::Char('k') => Some(top.saturating_sub(1)),
                    Key::PageDown => Some(top + page),
                    Key::PageUp => Some(top.saturating_sub(page)),
                    _ => None,
                };
                self.overlay = top.map(Overlay::Help);
                Vec::new()
            }
        }
    }

    /// Moves what has the focus.
    pub(super) fn walk(&mut self, key: Key) {
        let Some(step) = Step::of(key) else { return };
        let in_pane = self.focus == Focus::Pane || self.is_zoomed;
        match self.pane.filter(|_| in_pane) {
            None => {
                let page = isize::try_from(self.regions().rows.height.max(1)).unwrap_or(1);
                let to = match step {
                    Step::By(rows) => self.cursor().saturating_add_signed(rows),
                    Step::Pages(pages) => self.cursor().saturating_add_signed(pages * page),
                    Step::First => 0,
                    Step::Last => usize::MAX,
                };
                self.select(to);
            }
            Some(pane) => self.scroll_pane(pane, step),
        }
    }

    pub(super) fn scroll_pane(&mut self, pane: Pane, step: Step) {
        let page = isize::try_from(self.regions().pane.height.saturating_sub(1).max(1)).unwrap_or(1);
        let rows = match step {
            Step::By(rows) => rows,
            Step::Pages(pages) => pages * page,
            Step::First => isize::MIN / 2,
            Step::Last => isize::MAX / 2,
        };
        match (pane, step) {
            (Pane::Logs, Step::Last) => self.log.go_to_end(),
            (Pane::Logs, Step::First) => self.log.go_to_start(),
            (Pane::Logs, Step::By(_) | Step::Pages(_)) => self.log.scroll(i64::try_from(rows).unwrap_or(0)),
            (Pane::Details, _) => self.details_top = self.details_top.saturating_add_signed(rows),
        }
    }
}

/// How far to move.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    By(isize),
    Pages(isize),
    First,
    Last,
}

impl Step {
    fn of(key: Key) -> Option<Self> {
        Some(match key {
            Key::Up | Key::Char('k') => Self::By(-1),
            Key::Down | Key::Char('j') => Self::By(1),
            Key::PageUp | Key::Ctrl('b') => Self::Pages(-1),
            Key::PageDown | Key::Ctrl('f') => Self::Pages(1),
            Key::Home | Key::Char('g') => Self::First,
            Key::End | Key::Char('G') => Self::Last,
            _ => return None,
        })
    }
}
