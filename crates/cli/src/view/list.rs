//! Services as a table: aligned, without borders, as wide as the terminal and no wider.
//!
//! The name and the phase are always there. The reason takes what the others leave; where that would be too little to
//! say anything, other columns go first, the least telling one first. A name that would leave too little to all of them
//! stands on a line of its own.

use comfy_table::{CellAlignment, ContentArrangement, Table};
use jiff::Timestamp;
use mainstay_wire::ServiceView;

use crate::{
    output::Paint,
    view::{
        cut::{fit, needs_own_line, tame, width},
        event::id,
        span, style,
    },
};

/// Columns between two columns.
const GAP: usize = 2;

/// A reason shorter than this says nothing.
const REASON_LEAST: usize = 16;

/// The reason must have this much before a status is shown that says no more than the phase.
const REASON_WIDE: usize = 32;

/// The reason must have this much before memory is shown as well.
const REASON_AMPLE: usize = 48;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Column {
    Name,
    Phase,
    Status,
    Pid,
    Uptime,
    Restarts,
    Memory,
    Reason,
}

/// In the order in which they are shown.
const ALL: [Column; 8] = [
    Column::Name,
    Column::Phase,
    Column::Status,
    Column::Pid,
    Column::Uptime,
    Column::Restarts,
    Column::Memory,
    Column::Reason,
];

/// In the order in which they go when there is no room.
const DISPENSABLE: [Column; 5] =
    [Column::Memory, Column::Status, Column::Restarts, Column::Uptime, Column::Pid];

/// The same when a status says something that no phase does.
const DISPENSABLE_BUT_STATUS: [Column; 5] =
    [Column::Memory, Column::Restarts, Column::Uptime, Column::Pid, Column::Status];

impl Column {
    fn heading(self) -> &'static str {
        match self {
            Self::Name => "NAME",
            Self::Phase => "PHASE",
            Self::Status => "STATUS",
            Self::Pid => "PID",
            Self::Uptime => "UPTIME",
            Self::Restarts => "RESTARTS",
            Self::Memory => "MEMORY",
            Self::Reason => "REASON",
        }
    }

    fn is_number(self) -> bool {
        matches!(self, Self::Pid | Self::Uptime | Self::Restarts | Self::Memory)
    }

    fn cell(self, service: &ServiceView, now: Timestamp) -> String {
        let dash = || "-".to_owned();
        match self {
            Self::Name => id(service),
            Self::Phase => service.phase.clone(),
            Self::Status => service.status.clone(),
            Self::Pid => service.pid.map_or_else(dash, |pid| pid.to_string()),
            Self::Uptime => {
                let since = service.since.as_deref().filter(|_| service.pid.is_some());
                span::since(since, now).unwrap_or_else(dash)
            }
            Self::Restarts => service.restarts.to_string(),
            Self::Memory => service.memory_bytes.map_or_else(dash, span::bytes),
            Self::Reason => tame(&without_path(&service.reason.text)),
        }
    }
}

/// The table, each line ended. Of any width when `columns` is none.
pub(crate) fn render(
    services: &[ServiceView],
    now: Timestamp,
    columns: Option<usize>,
    paint: Paint,
) -> String {
    let row = |service: &ServiceView| Row::of(ALL.map(|column| column.cell(service, now)), columns);
    let rows: Vec<Row> = services.iter().map(row).collect();
    let dispensable = if services.iter().any(|service| is_told(&service.status)) {
        DISPENSABLE_BUT_STATUS
    } else {
        DISPENSABLE
    };
    let (shown, reason_width) = choose(&widths(&rows), columns, dispensable);
    let mut table = Table::new();
    table.load_style(comfy_table::presets::NOTHING).set_content_arrangement(ContentArrangement::Disabled);
    table.set_header(shown.iter().map(|at| ALL[*at].heading()));
    for row in &rows {
        table.add_row(shown.iter().map(|at| match (ALL[*at], reason_width) {
            (Column::Reason, Some(most)) => fit(&row.cells[*at], most),
            _ => row.cells[*at].clone(),
        }));
    }
    for (place, at) in shown.iter().enumerate() {
        let Some(column) = table.column_mut(place) else { continue };
        column.set_padding((0, u16::try_from(GAP).unwrap_or(2)));
        if ALL[*at].is_number() {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    colour(&table.trim_fmt(), &rows, paint)
}

/// Whether a status says more than a phase: it runs, and is not well.
fn is_told(status: &str) -> bool {
    matches!(status, "warning" | "error" | "degraded")
}

/// A service as texts.
struct Row {
    /// Its name, when it stands on a line of its own; the cell is empty then.
    above: Option<String>,
    cells: [String; 8],
}

impl Row {
    fn of(mut cells: [String; 8], columns: Option<usize>) -> Self {
        let above = needs_own_line(&cells[0], columns).then(|| std::mem::take(&mut cells[0]));
        Self { above, cells }
    }
}

fn widths(rows: &[Row]) -> [usize; 8] {
    let mut widths = ALL.map(|column| width(column.heading()));
    for row in rows {
        for (widest, cell) in widths.iter_mut().zip(&row.cells) {
            *widest = (*widest).max(width(cell));
        }
    }
    widths
}

/// The PATH in which a program was looked for is long and the same in every row; `status` has it.
fn without_path(text: &str) -> String {
    const ON_PATH: &str = "is not on the PATH (`";
    let cut = text.split_once(ON_PATH).and_then(|(before, rest)| Some((before, rest.split_once("`)")?.1)));
    match cut {
        Some((before, after)) => format!("{before}is not on the PATH{after}"),
        None => text.to_owned(),
    }
}

/// Which columns are shown, by their place in `ALL`, and the width of the reason when it has a bound.
fn choose(
    widths: &[usize; 8],
    columns: Option<usize>,
    dispensable: [Column; 5],
) -> (Vec<usize>, Option<usize>) {
    let mut shown: Vec<usize> = (0..ALL.len()).collect();
    let Some(columns) = columns else { return (shown, None) };
    let left = |shown: &[usize]| {
        let taken: usize =
            shown.iter().filter(|at| ALL[**at] != Column::Reason).map(|at| widths[*at] + GAP).sum();
        columns.checked_sub(taken)
    };
    let longest = widths[ALL.len() - 1];
    for column in dispensable {
        let least = match column {
            Column::Memory => REASON_AMPLE,
            Column::Status if dispensable == DISPENSABLE => REASON_WIDE,
            _ => REASON_LEAST,
        };
        if left(&shown).is_some_and(|left| left >= least.min(longest)) {
            break;
        }
        shown.retain(|at| ALL[*at] != column);
    }
    match left(&shown) {
        Some(left) if left >= REASON_LEAST.min(longest) => (shown, Some(left)),
        _ => {
            shown.retain(|at| ALL[*at] != Column::Reason);
            (shown, None)
        }
    }
}

/// Headings and phases in colour, and names above their rows. Done to the finished text, because names are as wide as they
/// have bytes.
fn colour(text: &str, rows: &[Row], paint: Paint) -> String {
    let mut lines = text.lines();
    let mut out = String::with_capacity(text.len() + rows.len() * 16);
    if let Some(heading) = lines.next() {
        out.push_str(&paint.apply(style::label(), heading.trim_end()));
        out.push('\n');
    }
    let phase_at = widths(rows)[0] + GAP;
    for (line, row) in lines.zip(rows) {
        let line = line.trim_end();
        let (name, rest) = line.split_at(phase_at.min(line.len()));
        let (phase, rest) = rest.split_at(row.cells[1].len().min(rest.len()));
        if let Some(above) = &row.above {
            out.push_str(above);
            out.push('\n');
        }
        out.push_str(name);
        out.push_str(&paint.apply(style::phase(phase), phase));
        out.push_str(&status(rest, &row.cells[2], paint));
        out.push('\n');
    }
    out
}

/// What is behind the phase, with a status in colour that says more; it is what comes next, if it is shown.
fn status(rest: &str, status: &str, paint: Paint) -> String {
    let (gap, shown) = rest.split_at(rest.len() - rest.trim_start().len());
    match shown.strip_prefix(status).filter(|_| is_told(status)) {
        Some(behind) => format!("{gap}{}{behind}", paint.apply(style::status(status), status)),
        None => rest.to_owned(),
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use mainstay_wire::{ExitView, ReasonView};

    use super::*;

    #[test]
    fn a_path_is_left_to_status() {
        let text =
            "failed to start: `gone` is not on the PATH (`/usr/local/bin:/usr/bin`); restart 2 of 10 in 1 s";
        let short = "failed to start: `gone` is not on the PATH; restart 2 of 10 in 1 s";
        assert_eq!(without_path(text), short);
        assert_eq!(without_path(short), short);
    }
    use crate::view::cut::tests::assert_fits;

    /// A service of this phase.
    pub(crate) fn service(id: &str, phase: &str, reason: &str) -> ServiceView {
        let (name, instance) =
            id.split_once('@').map_or((id, None), |(name, number)| (name, Some(number.to_owned())));
        let pid = matches!(phase, "running" | "starting" | "stopping").then_some(4242);
        ServiceView {
            name: name.to_owned(),
            instance,
            kind: "permanent".to_owned(),
            phase: phase.to_owned(),
            status: mainstay_model::PhaseName::from_word(phase)
                .map(|phase| mainstay_model::Health::from(phase).as_str().to_owned())
                .unwrap_or_default(),
            said: None,
            health: None,
            wanted: true,
            ready: phase == "running",
            pid,
            run: 3,
            restarts: 2,
            since: Some("2026-11-21T09:55:00Z".to_owned()),
            exit: Some(ExitView { code: Some(1), signal: None }),
            reason: ReasonView { code: "some-code".to_owned(), text: reason.to_owned() },
            next: None,
            memory_bytes: pid.map(|_| 12_900_000),
            cpu_percent: None,
            depends_on: vec!["db (ready)".to_owned()],
            needed_by: vec!["web".to_owned()],
            command: vec!["./api".to_owned(), "--port".to_owned(), "80 80".to_owned()],
            log_dir: "/srv/shop/.mainstay/logs/api".to_owned(),
            err_log_dir: None,
            log_counts: mainstay_wire::LogView::default(),
            watch_trouble: None,
            details: None,
            monitor: None,
        }
    }

    pub(crate) fn now() -> Timestamp {
        "2026-11-21T12:00:00Z".parse().unwrap()
    }

    fn shop() -> Vec<ServiceView> {
        vec![
            service("db", "running", "ready: tcp 127.0.0.1:5432"),
            service("migrate", "completed", "completed with exit 0"),
            service("api@1", "waiting", "waiting for cache to be ready: tcp 127.0.0.1:6379 refused for 3 s"),
            service("cache", "starting", "waiting for tcp 127.0.0.1:6379 refused for 3 s"),
            service("mailer", "failed", "gave up after 10 restarts: exited with 1"),
            service("nightly", "stopped", "nobody has started it"),
        ]
    }

    #[track_caller]
    #[test]
    fn at_eighty_columns() {
        let text = render(&shop(), now(), Some(80), Paint::Plain);
        assert_fits(&text, 80);
        insta::assert_snapshot!(text);
    }

    #[test]
    fn at_two_hundred_columns() {
        let text = render(&shop(), now(), Some(200), Paint::Plain);
        assert_fits(&text, 200);
        insta::assert_snapshot!(text);
    }

    #[test]
    fn without_a_terminal_nothing_is_cut() {
        let mut services = shop();
        services[0].reason.text = "x".repeat(500);
        assert!(render(&services, now(), None, Paint::Plain).contains(&"x".repeat(500)));
    }

    fn long_names() -> Vec<ServiceView> {
        let mut services = shop();
        let name = |rest: &str| format!("{:n<60}", format!("warehouse-{rest}-"));
        services.push(service(&name("north"), "running", "its process runs"));
        let nowhere = "cannot start: there is no directory `倉庫/南`; it is not restarted";
        services.push(service(&name("south"), "failed", nowhere));
        services.push(service(&format!("{}@1000", name("east")), "waiting", "waiting for 倉庫 to be ready"));
        services
    }

    #[test]
    fn a_long_name_stands_above_its_row() {
        let text = |columns| render(&long_names(), now(), columns, Paint::Plain);
        assert_fits(&text(Some(80)), 80);
        assert_fits(&text(Some(200)), 200);
        insta::assert_snapshot!(format!("{}\n{}\n{}", text(Some(80)), text(Some(200)), text(None)));
        // Too narrow for anything, it is still whole lines.
        assert_eq!(text(Some(10)).lines().count(), 18);
    }

    #[test]
    fn a_status_that_says_more_than_the_phase_is_shown_sooner() {
        let mut services = shop();
        assert!(!render(&services, now(), Some(80), Paint::Plain).contains("STATUS"));
        services[0].status = "warning".to_owned();
        services[0].reason.text =
            "http http://127.0.0.1:80/ answered 503 (2 of 3 failures in a row)".to_owned();
        let text = render(&services, now(), Some(80), Paint::Plain);
        assert_fits(&text, 80);
        insta::assert_snapshot!(text);
        let coloured = render(&services, now(), Some(80), Paint::Colour);
        assert!(
            coloured.contains("\u{1b}[32mrunning\u{1b}[0m    \u{1b}[33mwarning\u{1b}[0m  4242"),
            "{coloured}"
        );
    }

    #[test]
    fn nothing_to_show_is_a_heading() {
        assert!(render(&[], now(), Some(80), Paint::Plain).starts_with("NAME  PHASE  "));
    }

    #[test]
    fn colours_change_no_text() {
        let coloured = render(&shop(), now(), Some(100), Paint::Colour);
        assert!(
            coloured.contains("\u{1b}[32mrunning\u{1b}[0m") && coloured.contains("\u{1b}[1m\u{1b}[31mfailed")
        );
        let mut plain = String::new();
        let mut parts = coloured.split('\u{1b}');
        plain.push_str(parts.next().unwrap());
        for part in parts {
            plain.push_str(part.split_once('m').unwrap().1);
        }
        assert_eq!(plain, render(&shop(), now(), Some(100), Paint::Plain));
    }

    #[test]
    fn a_thousand_services_are_a_thousand_lines() {
        let of = |number: u32| {
            let phase = if number == 999 { "failed" } else { "running" };
            ServiceView {
                pid: Some(4_194_000 - number),
                restarts: if number == 3 { 12_345 } else { 0 },
                ..service(&format!("worker@{number}"), phase, "its process runs")
            }
        };
        let services: Vec<_> = (1..=1000).map(of).collect();
        let mut shown = String::new();
        for columns in [Some(80), Some(200), None] {
            let text = render(&services, now(), columns, Paint::Plain);
            assert_fits(&text, columns.unwrap_or(200));
            let lines: Vec<&str> = text.lines().collect();
            assert_eq!(lines.len(), 1001);
            shown.push_str(&format!("{}\n…\n{}\n\n", lines[..4].join("\n"), lines[998..].join("\n")));
        }
        insta::assert_snapshot!(shown);
    }
}
