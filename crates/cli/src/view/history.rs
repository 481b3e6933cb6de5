//! What happened, a line each: when, to whom, what, and why.
//!
//! The time is always whole. Where columns are few, a change is told by its end alone, then long names are cut, and the
//! reason has the rest.

use jiff::tz::TimeZone;
use mainstay_wire::{ExitView, HistoryView};

use crate::{
    output::Paint,
    view::{
        cut::{fit, tame, width},
        span, style,
    },
};

/// Columns between two columns.
pub(super) const GAP: usize = 2;

/// A reason shorter than this says little.
const REASON_LEAST: usize = 24;

/// A name cut shorter than this says nothing.
pub(super) const NAME_LEAST: usize = 12;

const HEADINGS: [&str; 4] = ["TIME", "SERVICE", "CHANGE", "REASON"];

/// The table, each line ended; nothing when nothing happened. Of any width when `columns` is none.
pub(crate) fn render(
    events: &[HistoryView],
    zone: &TimeZone,
    columns: Option<usize>,
    paint: Paint,
) -> String {
    if events.is_empty() {
        return String::new();
    }
    let lines: Vec<Line> = events.iter().map(|event| Line::of(event, zone)).collect();
    let layout = Layout::of(&lines, columns);
    let headings = Line { from: None, ..Line::words(HEADINGS) };
    let mut text = paint.apply(style::label(), layout.line(&headings, Paint::Plain).trim_end());
    text.push('\n');
    for line in &lines {
        text.push_str(layout.line(line, paint).trim_end());
        text.push('\n');
    }
    text
}

/// One event in words.
struct Line {
    time: String,
    service: String,
    /// What it was before, when the change is one of the phase.
    from: Option<String>,
    to: String,
    reason: String,
}

impl Line {
    fn words([time, service, to, reason]: [&str; 4]) -> Self {
        let owned = str::to_owned;
        Self { time: owned(time), service: owned(service), from: None, to: owned(to), reason: owned(reason) }
    }

    fn of(event: &HistoryView, zone: &TimeZone) -> Self {
        let change = event.to.as_deref().unwrap_or(&event.reason.code);
        Self {
            time: span::second(&event.time, zone),
            service: event.service.clone().unwrap_or_else(|| "-".to_owned()),
            from: event.from.clone().filter(|from| from != change),
            to: change.to_owned(),
            reason: tame(&reason(event)),
        }
    }

    fn change(&self, told: Told) -> String {
        match (&self.from, told) {
            (Some(from), Told::Whole) => format!("{from} → {}", self.to),
            (Some(_), Told::ByItsEnd) | (None, _) => self.to.clone(),
        }
    }
}

/// The reason with what it does not say itself: how the run ended, and who asked.
fn reason(event: &HistoryView) -> String {
    let text = &event.reason.text;
    let ended = event.exit.as_ref().and_then(|exit| ended(exit, text));
    let asked = event.uid.map(|uid| match event.pid {
        Some(pid) => format!("uid {uid}, pid {pid}"),
        None => format!("uid {uid}"),
    });
    match ended.or(asked) {
        Some(beside) => format!("{text} ({beside})"),
        None => text.clone(),
    }
}

fn ended(exit: &ExitView, text: &str) -> Option<String> {
    let (said, words) = match (exit.code, &exit.signal) {
        (Some(code), _) => (format!("with {code}"), format!("exit {code}")),
        (None, Some(signal)) => (format!("by signal {signal}"), format!("signal {signal}")),
        (None, None) => return None,
    };
    (!text.contains(&said) && !text.contains(&words)).then_some(words)
}

/// How a change is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Told {
    /// `starting → running`
    Whole,
    /// `running`
    ByItsEnd,
}

/// How wide each column is; the reason has no bound when `reason` is none, and is left out when that is 0.
struct Layout {
    time: usize,
    service: usize,
    told: Told,
    change: usize,
    reason: Option<usize>,
}

impl Layout {
    fn of(lines: &[Line], columns: Option<usize>) -> Self {
        let widest = |of: &dyn Fn(&Line) -> usize, heading: &str| {
            lines.iter().map(of).max().unwrap_or(0).max(width(heading))
        };
        let change = |told| widest(&|line| width(&line.change(told)), HEADINGS[2]);
        let longest = widest(&|line| width(&line.reason), HEADINGS[3]);
        let mut layout = Self {
            time: widest(&|line| width(&line.time), HEADINGS[0]),
            service: widest(&|line| width(&line.service), HEADINGS[1]),
            told: Told::Whole,
            change: change(Told::Whole),
            reason: None,
        };
        let Some(columns) = columns else { return layout };
        let least = REASON_LEAST.min(longest);
        if layout.taken() + least > columns {
            (layout.told, layout.change) = (Told::ByItsEnd, change(Told::ByItsEnd));
        }
        let missing = (layout.taken() + least).saturating_sub(columns);
        layout.service = layout.service.saturating_sub(missing).max(NAME_LEAST.min(layout.service));
        layout.reason = Some(columns.saturating_sub(layout.taken()));
        layout
    }

    fn taken(&self) -> usize {
        self.time + self.service + self.change + 3 * GAP
    }

    fn line(&self, line: &Line, paint: Paint) -> String {
        let change = line.change(self.told);
        let plain = pad(&change, self.change);
        // The end of a change is what counts; its colour is that of the phase.
        let coloured = match change.strip_suffix(line.to.as_str()) {
            Some(before) => {
                let to = paint.apply(style::phase(&line.to), &line.to);
                format!("{before}{to}{}", &plain[change.len()..])
            }
            None => plain,
        };
        let reason = match self.reason {
            None => line.reason.clone(),
            Some(most) => fit(&line.reason, most),
        };
        let (time, service) =
            (pad(&line.time, self.time), pad(&fit(&line.service, self.service), self.service));
        format!("{time}{service}{coloured}{reason}")
    }
}

/// The text and what is missing to this width, and the gap.
pub(super) fn pad(text: &str, columns: usize) -> String {
    format!("{text}{}", " ".repeat(columns.saturating_sub(width(text)) + GAP))
}

#[cfg(test)]
pub(crate) mod tests {
    use mainstay_wire::ReasonView;

    use super::*;
    use crate::view::cut::tests::assert_fits;

    pub(crate) fn zone() -> TimeZone {
        TimeZone::fixed(jiff::tz::offset(1))
    }

    fn event(time: &str, service: Option<&str>, change: (&str, &str), text: &str) -> HistoryView {
        let of_service = service.is_some();
        HistoryView {
            seq: 1,
            time: format!("2026-11-21T{time}Z"),
            service: service.map(str::to_owned),
            run: of_service.then_some(3),
            from: of_service.then(|| change.0.to_owned()),
            to: of_service.then(|| change.1.to_owned()),
            ready: of_service.then_some(change.1 == "running"),
            wanted: of_service.then_some(true),
            failed: false,
            attempt: of_service.then_some(0),
            exit: None,
            reason: ReasonView { code: change.1.to_owned(), text: text.to_owned() },
            generation: None,
            uid: None,
            pid: None,
        }
    }

    fn morning() -> Vec<HistoryView> {
        let code = |code| Some(ExitView { code: Some(code), signal: None });
        let signal = Some(ExitView { code: None, signal: Some("TERM".to_owned()) });
        let asked = HistoryView {
            uid: Some(1000),
            pid: Some(4242),
            ..event("09:00:07.250", None, ("", "act"), "stop api")
        };
        vec![
            event(
                "08:59:59.999",
                None,
                ("", "daemon-started"),
                "daemon 0.1.0 (pid 41) found nothing running",
            ),
            event("09:00:00.000", Some("api@2"), ("stopped", "starting"), "its process is being made"),
            event("09:00:01.000", Some("api@2"), ("starting", "running"), "ready: tcp 127.0.0.1:80"),
            HistoryView {
                exit: code(1),
                ..event(
                    "09:00:05.000",
                    Some("api@2"),
                    ("running", "waiting"),
                    "exited with 1; restart 1 of 10 in 1 s",
                )
            },
            asked,
            HistoryView {
                exit: signal,
                ..event("09:00:08.000", Some("api@2"), ("stopping", "stopped"), "stopped on request")
            },
            event(
                "09:00:09.000",
                Some("db"),
                ("starting", "starting"),
                "its process is being made\n(restart 2)",
            ),
        ]
    }

    #[track_caller]
    #[test]
    fn at_eighty_and_two_hundred_columns() {
        let narrow = render(&morning(), &zone(), Some(80), Paint::Plain);
        let wide = render(&morning(), &zone(), Some(200), Paint::Plain);
        assert_fits(&narrow, 80);
        assert_fits(&wide, 200);
        insta::assert_snapshot!(format!("{narrow}\n{wide}"));
    }

    #[test]
    fn with_a_name_of_sixty_characters() {
        let mut events = morning();
        let name = format!("{}-the-end", "n".repeat(52));
        events.push(event("09:01:00.000", Some(&name), ("starting", "completed"), "completed with exit 0"));
        let narrow = render(&events, &zone(), Some(80), Paint::Plain);
        let wide = render(&events, &zone(), Some(200), Paint::Plain);
        assert_fits(&narrow, 80);
        assert_fits(&wide, 200);
        insta::assert_snapshot!(format!("{narrow}\n{wide}"));
        assert!(render(&events, &zone(), None, Paint::Plain).contains(&name));
        // Too narrow for anything, it is still whole lines.
        assert_eq!(render(&events, &zone(), Some(10), Paint::Plain).lines().count(), 9);
    }

    #[test]
    fn colours_change_no_text() {
        let coloured = render(&morning(), &zone(), Some(100), Paint::Colour);
        assert!(coloured.contains("starting → \u{1b}[32mrunning\u{1b}[0m"), "{coloured}");
        let mut parts = coloured.split('\u{1b}');
        let mut plain = parts.next().unwrap().to_owned();
        parts.for_each(|part| plain.push_str(part.split_once('m').unwrap().1));
        assert_eq!(plain, render(&morning(), &zone(), Some(100), Paint::Plain));
        assert_eq!(render(&[], &zone(), Some(80), Paint::Plain), "");
    }
}
