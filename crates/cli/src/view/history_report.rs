//! How well services did, a line each, and one line for all of them.

use std::time::Duration;

use jiff::tz::TimeZone;
use mainstay_model::span_text;
use mainstay_wire::ReportView;

use crate::{
    output::Paint,
    view::{
        cut::{fit, tame, width},
        history::{GAP, NAME_LEAST, pad},
        span, style,
    },
};

/// A last failure shorter than this says little.
const FAILURE_LEAST: usize = 24;

const COLUMNS: usize = 8;

const HEADINGS: [&str; COLUMNS] =
    ["SERVICE", "UPTIME", "STARTS", "RESTARTS", "FAILURES", "LONGEST OUTAGE", "TO READY", "LAST FAILURE"];

/// The column that has what the others leave.
const LAST: usize = COLUMNS - 1;

/// Those that go when there is no room, in this order.
const DISPENSABLE: [usize; 3] = [6, 2, 5];

/// What is reported on; RFC 3339.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Period<'a> {
    /// From when on; none when nothing is known.
    pub(crate) since: Option<&'a str>,
    /// Until when.
    pub(crate) until: &'a str,
}

/// The table and the summary, each line ended. Of any width when `columns` is none.
pub(crate) fn render(
    services: &[ReportView],
    period: &Period<'_>,
    zone: &TimeZone,
    columns: Option<usize>,
    paint: Paint,
) -> String {
    let mut text = String::new();
    if !services.is_empty() {
        let rows: Vec<[String; COLUMNS]> = services.iter().map(|service| cells(service, zone)).collect();
        let layout = Layout::of(&rows, columns);
        text.push_str(&paint.apply(style::label(), layout.line(&HEADINGS.map(str::to_owned)).trim_end()));
        text.push('\n');
        for row in &rows {
            text.push_str(layout.line(row).trim_end());
            text.push('\n');
        }
        text.push('\n');
    }
    text.push_str(&summary(services, period, zone));
    text.push('\n');
    text
}

fn cells(service: &ReportView, zone: &TimeZone) -> [String; COLUMNS] {
    let dash = || "-".to_owned();
    let failure = service.last_failure.as_ref();
    [
        service.service.clone(),
        service.uptime_percent.map_or_else(dash, percent),
        service.starts.to_string(),
        service.restarts.to_string(),
        service.failures.to_string(),
        service.longest_outage.as_ref().map_or_else(dash, |outage| {
            let goes_on = if outage.until.is_none() { "+" } else { "" };
            format!("{}{goes_on}", milliseconds(outage.span_ms))
        }),
        service.mean_time_to_ready_ms.map_or_else(dash, milliseconds),
        failure.map_or_else(dash, |failure| {
            format!("{}  {}", span::second(&failure.time, zone), tame(&failure.reason.text))
        }),
    ]
}

/// Never more than it was: 100 % is only what had no outage.
fn percent(share: f64) -> String {
    let text = format!("{:.2}", (share * 100.0).floor() / 100.0);
    let short = text.trim_end_matches('0').trim_end_matches('.');
    format!("{} %", if short.is_empty() { "0" } else { short })
}

fn milliseconds(count: u64) -> String {
    span_text(Duration::from_millis(count))
}

/// `3 services from … to …: 99.9 % up, 7 starts, 2 restarts, 2 failures; the longest outage was of api: 4 min from …`
fn summary(services: &[ReportView], period: &Period<'_>, zone: &TimeZone) -> String {
    let until = span::second(period.until, zone);
    let Some(since) = period.since.filter(|_| !services.is_empty()) else {
        return format!("nothing is known of the time until {until}");
    };
    let sum = |of: fn(&ReportView) -> u64| services.iter().map(of).sum::<u64>();
    let (due, ready) = (sum(|service| service.due_ms), sum(|service| service.ready_ms));
    let mut parts = Vec::new();
    if due > 0 {
        let share = Duration::from_millis(ready).as_secs_f64() / Duration::from_millis(due).as_secs_f64();
        parts.push(format!("{} up", percent(share * 100.0)));
    }
    parts.push(count(sum(|service| service.starts), "start"));
    parts.push(count(sum(|service| service.restarts), "restart"));
    parts.push(count(sum(|service| service.failures), "failure"));
    let number = u64::try_from(services.len()).unwrap_or(u64::MAX);
    let mut text = format!(
        "{} from {} to {until}: {}",
        count(number, "service"),
        span::second(since, zone),
        parts.join(", ")
    );
    let worst = services
        .iter()
        .filter_map(|service| service.longest_outage.as_ref().map(|outage| (service, outage)))
        .max_by_key(|(_, outage)| outage.span_ms);
    if let Some((service, outage)) = worst {
        let from = span::second(&outage.from, zone);
        let goes_on = if outage.until.is_none() { ", and it goes on" } else { "" };
        let span = milliseconds(outage.span_ms);
        text.push_str(&format!("; longest outage: {}, {span} from {from}{goes_on}", service.service));
    }
    text
}

fn count(number: u64, what: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{number} {what}{plural}")
}

/// Which columns are shown, and how wide.
struct Layout {
    shown: Vec<usize>,
    widths: [usize; COLUMNS],
    bounded: bool,
}

impl Layout {
    fn of(rows: &[[String; COLUMNS]], columns: Option<usize>) -> Self {
        let mut widths = HEADINGS.map(width);
        for row in rows {
            for (widest, cell) in widths.iter_mut().zip(row) {
                *widest = (*widest).max(width(cell));
            }
        }
        let mut layout = Self { shown: (0..COLUMNS).collect(), widths, bounded: columns.is_some() };
        let Some(columns) = columns else { return layout };
        let least = FAILURE_LEAST.min(widths[LAST]);
        for column in DISPENSABLE {
            if layout.taken() + least > columns {
                layout.shown.retain(|at| *at != column);
            }
        }
        let missing = (layout.taken() + least).saturating_sub(columns);
        layout.widths[0] = widths[0].saturating_sub(missing).max(NAME_LEAST.min(widths[0]));
        layout.widths[LAST] = columns.saturating_sub(layout.taken()).min(widths[LAST]);
        layout
    }

    /// What the columns before the last one take.
    fn taken(&self) -> usize {
        self.shown.iter().filter(|at| **at != LAST).map(|at| self.widths[*at] + GAP).sum()
    }

    fn line(&self, row: &[String; COLUMNS]) -> String {
        let cell = |at: usize| {
            let text = if self.bounded { fit(&row[at], self.widths[at]) } else { row[at].clone() };
            let missing = self.widths[at].saturating_sub(width(&text));
            match at {
                0 | LAST => pad(&text, self.widths[at]),
                _ => format!("{}{}", " ".repeat(missing), pad(&text, 0)),
            }
        };
        self.shown.iter().map(|at| cell(*at)).collect()
    }
}

#[cfg(test)]
mod tests {
    use mainstay_wire::{FailureView, OutageView, ReasonView};

    use super::*;
    use crate::view::{cut::tests::assert_fits, history::tests::zone};

    fn report(service: &str, up: Option<f64>) -> ReportView {
        ReportView {
            service: service.to_owned(),
            kind: if up.is_some() { "permanent" } else { "oneshot" }.to_owned(),
            uptime_percent: up,
            due_ms: up.map_or(0, |_| 604_800_000),
            ready_ms: if up == Some(100.0) { 604_800_000 } else { up.map_or(0, |_| 604_200_000) },
            starts: 1,
            restarts: 0,
            failures: 0,
            longest_outage: None,
            last_failure: None,
            mean_time_to_ready_ms: up.map(|_| 1_250),
        }
    }

    fn week() -> Vec<ReportView> {
        let reason = ReasonView {
            code: "backoff".to_owned(),
            text: "exited with 1; restart 3 of 10 in 4 s".to_owned(),
        };
        let failure = FailureView { time: "2026-11-20T03:04:05.678Z".to_owned(), reason };
        let outage = OutageView {
            from: "2026-11-20T03:04:05.678Z".to_owned(),
            until: Some("2026-11-20T03:08:00Z".to_owned()),
            span_ms: 234_322,
        };
        vec![
            report("db", Some(100.0)),
            report("migrate", None),
            ReportView {
                starts: 12,
                restarts: 9,
                failures: 9,
                longest_outage: Some(outage.clone()),
                last_failure: Some(failure.clone()),
                ..report("api@1", Some(99.9))
            },
            ReportView {
                failures: 1,
                longest_outage: Some(OutageView { until: None, span_ms: 3_661_000, ..outage }),
                last_failure: Some(failure),
                ..report("mailer", Some(0.0))
            },
        ]
    }

    fn period() -> Period<'static> {
        Period { since: Some("2026-11-14T10:00:00Z"), until: "2026-11-21T10:00:00.123Z" }
    }

    fn table(services: &[ReportView], columns: usize) -> String {
        let text = render(services, &period(), &zone(), Some(columns), Paint::Plain);
        // The sentence below the table is as long as it is.
        assert_fits(text.split("\n\n").next().unwrap_or_default(), columns);
        text
    }

    #[test]
    fn at_eighty_and_two_hundred_columns() {
        insta::assert_snapshot!(format!("{}\n{}", table(&week(), 80), table(&week(), 200)));
    }

    #[test]
    fn with_a_name_of_sixty_characters() {
        let mut services = week();
        services.push(report(&format!("{}-the-end", "n".repeat(52)), Some(99.998)));
        insta::assert_snapshot!(format!("{}\n{}", table(&services, 80), table(&services, 200)));
        assert_eq!(render(&services, &period(), &zone(), Some(10), Paint::Plain).lines().count(), 8);
    }

    #[test]
    fn shares_are_never_rounded_up() {
        let rows = [(100.0, "100 %"), (99.999, "99.99 %"), (99.5, "99.5 %"), (0.0, "0 %"), (10.0, "10 %")];
        for (share, text) in rows {
            assert_eq!(percent(share), text);
        }
        let nothing = Period { since: None, ..period() };
        assert_eq!(
            render(&[], &nothing, &zone(), None, Paint::Plain),
            "nothing is known of the time until 2026-11-21 11:00:00\n"
        );
    }
}
