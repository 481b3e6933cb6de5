//! The view's whole state, and what each input does to it. Draws nothing and asks nobody: what is to be done is given back.

mod acting;
mod keys;
mod looking;
mod mouse;
mod prompt;

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use mainstay_wire::{ConfigView, ServiceView};
use ratatui_core::layout::Size;

use crate::{
    LogSource,
    arrange::{self, Row, Shape},
    clean,
    columns::{self, Placed},
    cut,
    filter::Filter,
    input::{Effect, Input, Own},
    layout::{self, PaneSize, Regions},
    log::{Log, SOURCES},
    message::Message,
    roster::{Roster, Service},
    sort::Sort,
    theme::Paint,
};

pub(crate) use acting::Question;
pub(crate) use prompt::{Prompt, PromptKind};

/// Which pane is open below the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pane {
    Logs,
    Details,
}

/// All panes, in the order of their tabs.
pub(crate) const PANES: [(Pane, &str); 2] = [(Pane::Logs, "Logs"), (Pane::Details, "Details")];

/// Where keys that move go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Focus {
    Table,
    Pane,
}

/// What lies over everything.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Overlay {
    /// The help, and how many of its rows are scrolled out.
    Help(usize),
    Question(Question),
}

/// Whether the daemon is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Link {
    /// Nothing was heard yet.
    New,
    Up,
    /// It is gone.
    Lost(String),
}

/// The live view.
#[derive(Debug)]
pub struct Model {
    pub(crate) size: Size,
    pub(crate) paint: Paint,
    pub(crate) now: Timestamp,
    pub(crate) project: String,
    pub(crate) link: Link,
    pub(crate) own: Option<Own>,
    pub(crate) roster: Roster,
    pub(crate) filter: Filter,
    pub(crate) sort: Sort,
    pub(crate) shape: Shape,
    pub(crate) marks: BTreeSet<String>,
    pub(crate) pane: Option<Pane>,
    pub(crate) focus: Focus,
    pub(crate) is_zoomed: bool,
    pub(crate) log: Log,
    /// Rows of the details that are scrolled out.
    pub(crate) details_top: usize,
    pub(crate) prompt: Option<Prompt>,
    pub(crate) overlay: Option<Overlay>,
    /// Acts that were asked for and have not ended: what is said of each.
    pub(crate) acting: BTreeMap<u64, acting::Acting>,
    acts: u64,
    message: Option<Message>,
    selected: Option<String>,
    /// What follows from all that, made anew when it is asked for.
    rows: Vec<Row>,
    placed: Vec<Placed>,
    cursor: usize,
    top: usize,
    is_stale: bool,
}

impl Model {
    /// A view of a project of which nothing is known yet, on a screen of so many columns and rows.
    pub fn new(width: u16, height: u16, now: Timestamp, paint: Paint) -> Self {
        Self {
            size: Size { width, height },
            paint,
            now,
            project: String::new(),
            link: Link::New,
            own: None,
            roster: Roster::default(),
            filter: Filter::default(),
            sort: Sort::default(),
            shape: Shape::default(),
            marks: BTreeSet::new(),
            pane: None,
            focus: Focus::Table,
            is_zoomed: false,
            log: Log::default(),
            details_top: 0,
            prompt: None,
            overlay: None,
            acting: BTreeMap::new(),
            acts: 0,
            message: None,
            selected: None,
            rows: Vec::new(),
            placed: Vec::new(),
            cursor: 0,
            top: 0,
            is_stale: true,
        }
    }

    /// Takes in what happened, and gives back what is to be done.
    pub fn on(&mut self, input: Input) -> Vec<Effect> {
        self.is_stale = true;
        let mut effects = match input {
            Input::Key(key) => self.key(key),
            Input::Pasted(text) => self.paste(&text),
            Input::Mouse(mouse) => self.mouse(mouse),
            Input::Overview(services, config) => {
                self.overview(services, &config);
                Vec::new()
            }
            other => {
                self.learn(other);
                return Vec::new();
            }
        };
        // Only these change what is selected, or whether it is there at all.
        effects.extend(self.follow());
        effects
    }

    fn overview(&mut self, services: Vec<ServiceView>, config: &ConfigView) {
        self.link = Link::Up;
        self.project = clean::text(&config.project);
        self.roster.replace(services);
        self.marks.retain(|id| self.roster.get(id).is_some());
    }

    /// What others told.
    fn learn(&mut self, input: Input) {
        match input {
            Input::Key(_) | Input::Pasted(_) | Input::Mouse(_) | Input::Overview(..) => {}
            Input::Resized(width, height) => self.size = Size { width, height },
            Input::Tick(now) => self.now = now,
            Input::Changed(event) => self.roster.change(event.service),
            Input::Lost(text) => {
                self.link = Link::Lost(clean::text(&text));
                self.own = None;
            }
            Input::Own(own) => self.own = Some(own),
            Input::Written { follow, lines } if follow == self.log.number => self.log.take_in(lines),
            Input::Unreadable { follow, text } if follow == self.log.number => {
                self.log.failure = Some(clean::text(&text));
            }
            Input::Written { .. } | Input::Unreadable { .. } => {}
            Input::Acted { number, outcome } => self.acted(number, &outcome),
            Input::Failed(text) => self.tell_error(&text),
        }
    }

    /// Asks for the logs that are to be shown, when these are others than before.
    fn follow(&mut self) -> Vec<Effect> {
        self.arrange();
        let chosen = match self.pane {
            Some(Pane::Logs) => self.chosen(),
            Some(Pane::Details) | None => Vec::new(),
        };
        let left_out = chosen.len().saturating_sub(SOURCES);
        let source = |id: &String| {
            let dir = self.roster.get(id)?.view.log_dir.clone();
            Some(LogSource { id: id.clone(), dir })
        };
        let sources: Vec<LogSource> = chosen.iter().take(SOURCES).filter_map(source).collect();
        if sources == self.log.sources {
            return Vec::new();
        }
        self.log.begin(sources.clone(), left_out);
        vec![Effect::Follow { number: self.log.number, sources }]
    }

    /// The screen has another size than was told.
    pub(crate) fn resize(&mut self, size: Size) {
        self.size = size;
        self.is_stale = true;
    }

    /// Makes what follows from the state, where the state has changed.
    pub(crate) fn arrange(&mut self) {
        if !std::mem::take(&mut self.is_stale) {
            return;
        }
        self.rows = arrange::rows(&self.roster, &self.filter, self.sort, self.shape);
        let longest = match self.shape {
            Shape::Table => self.roster.longest_name(),
            Shape::Tree => self.rows.iter().map(|row| self.name_width(row)).max().unwrap_or(0),
        };
        self.placed = columns::place(usize::from(self.size.width), longest);
        self.find_cursor();
        let height = usize::from(self.regions().rows.height).max(1);
        self.top = self.top.min(self.rows.len().saturating_sub(height)).min(self.cursor);
        self.top = self.top.max((self.cursor + 1).saturating_sub(height));
        self.log.height = usize::from(self.regions().pane.height);
        if self.message.as_ref().is_some_and(|message| message.is_over(self.now)) {
            self.message = None;
        }
    }

    /// The selected service stays selected wherever it goes; when it is gone, what has its place is.
    fn find_cursor(&mut self) {
        let selected = self.selected.as_deref();
        let found = self.rows.iter().position(|row| Some(self.roster.all()[row.at].id.as_str()) == selected);
        self.cursor = found.unwrap_or(self.cursor.min(self.rows.len().saturating_sub(1)));
        self.selected = self.service_at(self.cursor).map(|service| service.id.clone());
    }

    fn name_width(&self, row: &Row) -> usize {
        let others = cut::width(&row.others_text());
        cut::width(&row.guide) + cut::width(&self.roster.all()[row.at].id) + others
    }

    /// Selects this row.
    fn select(&mut self, at: usize) {
        self.cursor = at.min(self.rows.len().saturating_sub(1));
        let selected = self.service_at(self.cursor).map(|service| service.id.clone());
        if selected != self.selected {
            self.details_top = 0;
        }
        self.selected = selected;
        self.is_stale = true;
    }

    fn service_at(&self, row: usize) -> Option<&Service> {
        self.roster.all().get(self.rows.get(row)?.at)
    }

    /// The rows, with the number of the first that is on the screen. What is asked for after [`Model::arrange`].
    pub(crate) fn rows(&self) -> (&[Row], usize) {
        (&self.rows, self.top)
    }

    pub(crate) fn columns(&self) -> &[Placed] {
        &self.placed
    }

    pub(crate) fn cursor(&self) -> usize {
        self.cursor
    }

    pub(crate) fn selected(&self) -> Option<&Service> {
        self.roster.get(self.selected.as_deref()?)
    }

    pub(crate) fn regions(&self) -> Regions {
        let pane = match (self.pane, self.is_zoomed) {
            (None, _) => PaneSize::Closed,
            (Some(_), false) => PaneSize::Half,
            (Some(_), true) => PaneSize::Whole,
        };
        layout::regions(self.size, pane, self.roster.all().len())
    }

    /// What is told at the moment.
    pub(crate) fn message(&self) -> Option<&Message> {
        self.message.as_ref()
    }

    fn tell(&mut self, text: impl Into<String>) {
        self.message = Some(Message::note(text, self.now));
    }

    fn tell_error(&mut self, text: &str) {
        self.message = Some(Message::error(text, self.now));
    }
}
