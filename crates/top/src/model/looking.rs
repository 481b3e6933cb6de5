//! Panes, focus and marks: what is looked at, and where.

use crate::{
    filter::Filter,
    model::{Focus, Model, Pane},
    sort::Sort,
};

impl Model {
    /// Opens this pane, or closes it.
    pub(super) fn toggle_pane(&mut self, pane: Pane) {
        if self.pane == Some(pane) { self.close_pane() } else { self.open_pane(pane) }
    }

    pub(super) fn open_pane(&mut self, pane: Pane) {
        self.pane = Some(pane);
        self.details_top = 0;
    }

    fn close_pane(&mut self) {
        self.pane = None;
        self.is_zoomed = false;
        self.focus = Focus::Table;
    }

    /// Into the logs of what is selected; once there, on the whole screen.
    pub(super) fn enter(&mut self) {
        if self.pane.is_some() && self.focus == Focus::Pane {
            self.zoom();
        } else {
            self.open_pane(self.pane.unwrap_or(Pane::Logs));
            self.focus = Focus::Pane;
        }
    }

    pub(super) fn zoom(&mut self) {
        if self.pane.is_none() {
            self.open_pane(Pane::Logs);
        }
        self.is_zoomed = !self.is_zoomed;
        self.focus = Focus::Pane;
    }

    pub(super) fn switch_focus(&mut self) {
        self.focus = match (self.focus, self.pane) {
            (Focus::Table, Some(_)) => Focus::Pane,
            (Focus::Table | Focus::Pane, _) => Focus::Table,
        };
        self.is_zoomed = false;
    }

    /// Takes back what was opened last: one thing at a time.
    pub(super) fn back(&mut self) {
        if self.message.take().is_some() {
        } else if self.is_zoomed {
            self.is_zoomed = false;
        } else if self.focus == Focus::Pane && !self.log.search().is_empty() {
            self.log.set_search("");
        } else if self.pane.is_some() {
            self.close_pane();
        } else if !self.marks.is_empty() {
            self.marks.clear();
        } else if !self.filter.is_open() {
            self.filter = Filter::default();
        }
    }

    /// Another order: whoever asks for one wants to see what comes first in it.
    pub(super) fn sort_by(&mut self, sort: Sort) {
        self.sort = sort;
        self.is_stale = true;
        self.selected = None;
        self.cursor = 0;
    }

    /// Marks what is selected, or unmarks it, and selects the next.
    pub(super) fn mark_and_go_on(&mut self) {
        let Some(id) = self.selected().map(|service| service.id.clone()) else { return };
        self.toggle_mark(id);
        self.select(self.cursor() + 1);
    }

    fn toggle_mark(&mut self, id: String) {
        if !self.marks.remove(&id) {
            self.marks.insert(id);
        }
    }

    /// Marks all that pass the filter; none, when they are marked already.
    pub(super) fn mark_all(&mut self) {
        let rows = self.rows().0.iter().filter(|row| !row.is_context);
        let shown: Vec<String> = rows.map(|row| self.roster.all()[row.at].id.clone()).collect();
        if shown.iter().all(|id| self.marks.contains(id)) {
            self.marks.clear();
        } else {
            self.marks.extend(shown);
        }
    }
}
