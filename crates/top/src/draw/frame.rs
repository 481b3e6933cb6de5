//! What is around the table: the project, the phases, the pane's title, what is told, and the keys.

use ratatui_core::{layout::Rect, style::Style};

use super::pen::{Pen, columns};
use crate::{
    Model,
    arrange::Shape,
    cut::{self, Cut},
    help::Hint,
    layout::Strip,
    log::LongLines,
    message::Tone,
    model::{Focus, Link, PANES, Pane, PromptKind},
    sort::{Direction, SortKey},
    text,
};

/// How many names the title of the pane lists.
const NAMES: usize = 4;

/// A count of a phase; a click on it is a filter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PhaseTab {
    /// None is all.
    pub(crate) phase: Option<String>,
    pub(crate) text: String,
}

/// The first row: the project, how it is, and what it uses.
pub(super) fn header(model: &Model, pen: &mut Pen<'_>) {
    let Rect { x, y, width, .. } = model.regions().header;
    let paint = pen.paint;
    let name = if model.project.is_empty() { "…" } else { &model.project };
    let x = pen.put_cut(x + 1, y, width / 3, (name, Cut::End), paint.label());
    let start = match &model.link {
        Link::New => pen.put(x + 2, y, width, "asking the daemon …", paint.aside()),
        Link::Lost(_) => pen.put(x + 2, y, width, " no daemon; reconnecting ", paint.alarm()),
        Link::Up => x,
    };
    let mut facts = Strip::new(start + 2, width.saturating_sub(1));
    for (label, value) in facts_of(model) {
        let taken = cut::width(label) + 1 + cut::width(&value);
        facts.put(taken, 3, (label, value));
    }
    for (x, (label, value)) in facts.iter() {
        let x = pen.put(x, y, width, label, paint.aside());
        pen.put(x + 1, y, width, value, Style::new());
    }
}

fn facts_of(model: &Model) -> Vec<(&'static str, String)> {
    let mut facts = Vec::new();
    if model.link != Link::Up {
        return facts;
    }
    if let Some(since) = model.own.and_then(|own| own.up_since) {
        facts.push(("up", text::span(model.now.duration_since(since).as_secs())));
    }
    let (cpu, memory) = model.roster.usage();
    facts.push(("cpu", format!("{}%", text::percent(cpu))));
    facts.push(("mem", text::bytes(memory)));
    if let Some(own) = model.own {
        let share = own.cpu_percent.map(|share| format!("{}% ", text::percent(share))).unwrap_or_default();
        facts.push(("mainstay", format!("{share}{}", text::bytes(own.memory_bytes))));
    }
    facts
}

/// Where each count of a phase stands.
pub(crate) fn phase_strip(model: &Model) -> Strip<PhaseTab> {
    let mut strip = Strip::new(0, model.size.width);
    let all = (None, format!(" all {} ", model.roster.all().len()));
    let phases = model.roster.counts().into_iter();
    let phases = phases.map(|(phase, count)| (Some(phase.to_owned()), format!(" {phase} {count} ")));
    for (phase, text) in std::iter::once(all).chain(phases) {
        strip.put(cut::width(&text), 0, PhaseTab { phase, text });
    }
    strip
}

/// The second row: how many services are in each phase.
pub(super) fn phases(model: &Model, pen: &mut Pen<'_>) {
    let y = model.regions().phases.y;
    let chosen = model.filter.phase();
    for (x, tab) in phase_strip(model).iter() {
        let style = match &tab.phase {
            Some(phase) => pen.paint.phase(phase),
            None => pen.paint.strong(),
        };
        let is_chosen = tab.phase.as_deref() == chosen && (chosen.is_some() || model.filter.is_open());
        let style = if is_chosen { style.patch(pen.paint.chosen()) } else { style };
        pen.put(x, y, columns(&tab.text), &tab.text, style);
    }
}

/// Where the tabs of the pane stand.
pub(crate) fn pane_strip(model: &Model) -> Strip<Pane> {
    let mut strip = Strip::new(1, model.size.width);
    for (pane, title) in PANES {
        strip.put(cut::width(title) + 2, 1, pane);
    }
    strip
}

/// The row between table and pane.
pub(super) fn pane_title(model: &Model, pen: &mut Pen<'_>) {
    let Rect { y, width, .. } = model.regions().pane_title;
    let has_focus = model.focus == Focus::Pane;
    let line = if has_focus { pen.paint.label() } else { pen.paint.aside() };
    pen.put(0, y, width, &"─".repeat(usize::from(width)), line);
    let mut end = 0;
    for (x, pane) in pane_strip(model).iter() {
        let title = PANES.iter().find(|(other, _)| other == pane).map_or("", |(_, title)| title);
        let style = if model.pane == Some(*pane) { line.patch(pen.paint.chosen()) } else { line };
        end = pen.put(x, y, width, &format!(" {title} "), style);
    }
    let right = pane_state(model);
    let start =
        if right.is_empty() { width } else { pen.put_before(width.saturating_sub(1), y, &right, line) };
    let left = start.saturating_sub(end + 3);
    pen.put_cut(end + 1, y, left, (&format!(" {} ", pane_subject(model)), Cut::End), pen.paint.strong());
}

/// Whose pane it is.
fn pane_subject(model: &Model) -> String {
    match model.pane {
        Some(Pane::Logs) => {
            let sources = &model.log.sources;
            let few = match model.log.left_out {
                0 => String::new(),
                more => format!("only {} of {}: ", sources.len(), sources.len() + more),
            };
            format!("{few}{}", text::names(sources.iter().map(|source| source.id.as_str()), NAMES))
        }
        Some(Pane::Details) | None => model.selected().map(|service| service.id.clone()).unwrap_or_default(),
    }
}

/// What the log does.
fn pane_state(model: &Model) -> String {
    if model.pane != Some(Pane::Logs) {
        return String::new();
    }
    let log = &model.log;
    let mut state = String::new();
    if !log.search().is_empty() {
        state.push_str(&format!(" /{} ", log.search()));
    }
    match log.long_lines {
        LongLines::Wrapped => state.push_str(" wrapped "),
        LongLines::Cut if log.column > 0 => state.push_str(&format!(" from column {} ", log.column + 1)),
        LongLines::Cut => {}
    }
    match (log.is_following(), log.below()) {
        (true, _) => state.push_str(" following "),
        (false, 0) => state.push_str(" stays here "),
        (false, below) => state.push_str(&format!(" {below} below ")),
    }
    state
}

/// The row above the last: what is typed, what is told, or all of the selected reason.
pub(super) fn status(model: &Model, pen: &mut Pen<'_>) {
    let Rect { y, width, .. } = model.regions().status;
    if let Some(prompt) = &model.prompt {
        let (label, hint) = match prompt.kind {
            PromptKind::Filter => ("filter: ", "  names, globs, :phase"),
            PromptKind::Search => ("search: ", "  Enter goes to the latest"),
        };
        let x = pen.put(1, y, width, label, pen.paint.label());
        // The end of what is typed is what is looked at.
        let room = usize::from(width.saturating_sub(x + 1));
        let shown = cut::after(&prompt.text, cut::width(&prompt.text).saturating_sub(room.saturating_sub(1)));
        let x = pen.put(x, y, width, shown, Style::new());
        let x = pen.put(x, y, 1, " ", pen.paint.chosen());
        if prompt.text.is_empty() {
            pen.put(x, y, width.saturating_sub(x), hint, pen.paint.aside());
        }
        return;
    }
    let right = state_of_table(model);
    let end = width.saturating_sub(1);
    let start = if right.is_empty() { end } else { pen.put_before(end, y, &right, pen.paint.strong()) };
    let left = start.saturating_sub(3);
    if let Some(message) = model.message() {
        let style = match message.tone {
            Tone::Note => Style::new(),
            Tone::Error => pen.paint.error(),
        };
        pen.put_cut(1, y, left, (&message.text, Cut::End), style);
    } else if let Some((_, acting)) = model.acting.last_key_value() {
        let more = match model.acting.len() - 1 {
            0 => String::new(),
            more => format!(" (and {more} more)"),
        };
        pen.put_cut(1, y, left, (&format!("{} …{more}", acting.text), Cut::End), Style::new());
    } else if let Link::Lost(text) = &model.link {
        pen.put_cut(1, y, left, (text, Cut::End), pen.paint.error());
    } else if let Some(service) = model.selected() {
        let text = format!("{}: {}", service.id, service.view.reason.text);
        pen.put_cut(1, y, left, (&text, Cut::End), pen.paint.aside());
    }
}

/// What of the table is not as it is at first.
fn state_of_table(model: &Model) -> String {
    let mut state = Vec::new();
    if !model.marks.is_empty() {
        state.push(format!("{} marked", model.marks.len()));
    }
    if !model.filter.is_open() {
        state.push(format!("/{}", cut::fit(model.filter.text(), 24, Cut::End)));
    }
    if model.shape == Shape::Tree {
        state.push("tree".to_owned());
    }
    if model.sort.key != SortKey::Order || model.sort.direction == Direction::Reversed {
        state.push(format!("by {} {}", model.sort.key.word(), model.sort.arrow()));
    }
    let rows = model.rows().0.len();
    if rows > 0 {
        state.push(format!("{}/{rows}", model.cursor() + 1));
    }
    state.join("  ")
}

/// Where the keys at the foot stand.
pub(crate) fn hint_strip(model: &Model) -> Strip<Hint> {
    let hints = if model.prompt.is_some() {
        Hint::of_prompt()
    } else if model.focus == Focus::Pane && model.pane == Some(Pane::Logs) {
        Hint::of_log()
    } else {
        Hint::common()
    };
    let mut strip = Strip::new(1, model.size.width);
    for hint in hints {
        let taken = cut::width(&hint.shown) + 1 + cut::width(hint.text);
        if !strip.put(taken, 2, hint) {
            break;
        }
    }
    strip
}

/// The last row: keys.
pub(super) fn hints(model: &Model, pen: &mut Pen<'_>) {
    let Rect { y, width, .. } = model.regions().hints;
    for (x, hint) in hint_strip(model).iter() {
        let x = pen.put(x, y, width, &hint.shown, pen.paint.label());
        pen.put(x + 1, y, width, hint.text, Style::new());
    }
}
