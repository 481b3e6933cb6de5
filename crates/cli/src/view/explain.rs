//! Why a service is as it is: the sentence, the chain with a link a line, what comes next, and what can be tried.

use jiff::{Timestamp, tz::TimeZone};
use mainstay_wire::{ExplanationView, LinkView, TryView};

use crate::{
    output::Paint,
    view::{
        cut::{tame, width, wrap},
        event::standing,
        span, style,
    },
};

/// Columns of the labels.
const LABELS: usize = 6;

/// Columns by which each link is further in than the one before it.
const STEP: usize = 2;

/// A text that is narrower than this is not wrapped: it would be a column of words.
const LEAST: usize = 20;

/// The time, the place and the width in which it is read.
#[derive(Clone, Debug)]
pub(crate) struct Reader {
    pub(crate) now: Timestamp,
    pub(crate) zone: TimeZone,
    /// `None`: lines may be of any length.
    pub(crate) columns: Option<usize>,
    pub(crate) paint: Paint,
}

/// The explanations, each line ended.
pub(crate) fn render(explanations: &[ExplanationView], reader: &Reader) -> String {
    explanations.iter().map(|one| block(one, reader)).collect::<Vec<_>>().join("\n")
}

fn block(explanation: &ExplanationView, reader: &Reader) -> String {
    let mut text = String::new();
    for line in wrap(&tame(&explanation.sentence), reader.columns) {
        text.push_str(&format!("{line}\n"));
    }
    if !explanation.chain.is_empty() {
        text.push('\n');
        text.push_str(&chain(&explanation.chain, reader));
        text.push('\n');
    }
    text.push_str(&labelled("next:", &[tame(&explanation.next)], reader));
    text.push_str(&labelled("try:", &tries(&explanation.tries), reader));
    text
}

/// With the times in a column of their own. Each service is further in than the one that waits for it, and what explains it
/// further in than itself.
fn chain(links: &[LinkView], reader: &Reader) -> String {
    let time = |link: &LinkView| {
        link.time.as_ref().map(|time| span::clock(time, reader.now, &reader.zone)).unwrap_or_default()
    };
    let times: Vec<String> = links.iter().map(time).collect();
    let margin = times.iter().map(|time| width(time)).max().unwrap_or(0) + 2 * STEP;
    let mut depth = 0;
    let mut text = String::new();
    for (link, time) in links.iter().zip(&times) {
        let indent = margin + depth * STEP;
        let lines = wrap(&sentence(link), room(reader.columns, indent));
        for (at, line) in lines.iter().enumerate() {
            let before = if at == 0 { time.as_str() } else { "" };
            let gap = " ".repeat(indent.saturating_sub(STEP + width(before)));
            let before = reader.paint.apply(style::aside(), before);
            text.push_str(format!("  {before}{gap}{line}").trim_end());
            text.push('\n');
        }
        depth += usize::from(link.service.is_some());
    }
    text
}

fn sentence(link: &LinkView) -> String {
    match (&link.service, &link.phase) {
        (Some(id), Some(phase)) => standing(id, phase, None, &link.text),
        _ => tame(&link.text),
    }
}

/// The command lines, and behind them what they do.
fn tries(tries: &[TryView]) -> Vec<String> {
    let longest = tries.iter().map(|one| width(&one.command)).max().unwrap_or(0);
    let line = |one: &TryView| {
        let gap = " ".repeat(longest.saturating_sub(width(&one.command)) + 2);
        tame(&format!("{}{gap}{}", one.command, one.what))
    };
    tries.iter().map(line).collect()
}

/// Lines behind a label; nothing when there are none.
fn labelled(label: &str, lines: &[String], reader: &Reader) -> String {
    let mut text = String::new();
    for (at, line) in lines.iter().enumerate() {
        for (part, line) in wrap(line, room(reader.columns, LABELS)).iter().enumerate() {
            let label = if at == 0 && part == 0 { label } else { "" };
            let label = reader.paint.apply(style::label(), &format!("{label:LABELS$}"));
            text.push_str(&format!("{label}{line}\n"));
        }
    }
    text
}

fn room(columns: Option<usize>, indent: usize) -> Option<usize> {
    columns.map(|columns| columns.saturating_sub(indent).max(LEAST))
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    fn link(service: Option<&str>, phase: &str, text: &str, time: &str) -> LinkView {
        LinkView {
            service: service.map(str::to_owned),
            phase: service.map(|_| phase.to_owned()),
            code: service.map(|_| "some-code".to_owned()),
            text: text.to_owned(),
            time: Some(format!("2026-11-{time}Z")),
        }
    }

    /// Of a service that waits for one that fails.
    pub(crate) fn explanation(id: &str) -> ExplanationView {
        let one = |command: &str, what: &str| TryView { command: command.to_owned(), what: what.to_owned() };
        ExplanationView {
            service: id.to_owned(),
            sentence: format!(
                "{id} is waiting for db, which failed 3 times with exit 1 since 10:02 after generation 41 changed \
                 db.command; next try in 12 s"
            ),
            chain: vec![
                link(Some(id), "waiting", "waiting for db to be ready", "21T09:02:00"),
                link(Some("db"), "waiting", "exited with 1; restart 4 of 10 in 12 s", "21T09:04:00"),
                link(None, "", "3 failures in a row, the last one at 10:04", "21T09:02:00"),
                link(None, "", "generation 41 changed db.command, applied by kim", "20T09:01:00"),
            ],
            next: format!("db is started again in 12 s (restart 4 of 10); {id} starts once db is ready"),
            tries: vec![
                one("mainstay logs db -n 50", "shows what it wrote last"),
                one("mainstay rollback 40", "goes back to what ran before generation 41"),
            ],
        }
    }

    fn reader(columns: Option<usize>, paint: Paint) -> Reader {
        let now = "2026-11-21T12:00:00Z".parse().unwrap();
        Reader { now, zone: TimeZone::fixed(jiff::tz::offset(1)), columns, paint }
    }

    #[test]
    fn at_eighty_and_two_hundred_columns() {
        let long = "n".repeat(60);
        let both = [explanation("api"), explanation(&long)];
        let narrow = render(&both, &reader(Some(80), Paint::Plain));
        let wide = render(&both, &reader(Some(200), Paint::Plain));
        for (text, columns) in [(&narrow, 80), (&wide, 200)] {
            for line in text.lines() {
                assert!(width(line) <= columns && line == line.trim_end(), "{line}");
            }
        }
        insta::assert_snapshot!(format!("{narrow}\n----\n{wide}"));
    }

    #[test]
    fn without_a_terminal_each_thing_is_a_line() {
        let text = render(&[explanation("api")], &reader(None, Paint::Plain));
        assert_eq!(text.lines().count(), 1 + 1 + 4 + 1 + 1 + 2, "{text}");
        assert_eq!(text.lines().next(), Some(explanation("api").sentence.as_str()));
        let bare = ExplanationView { chain: Vec::new(), tries: Vec::new(), ..explanation("api") };
        assert_eq!(render(&[bare], &reader(None, Paint::Plain)).lines().count(), 2);
    }

    #[test]
    fn colours_change_no_text() {
        let coloured = render(&[explanation("api")], &reader(Some(80), Paint::Colour));
        let mut parts = coloured.split('\u{1b}');
        let mut plain = parts.next().unwrap().to_owned();
        parts.for_each(|part| plain.push_str(part.split_once('m').unwrap().1));
        assert_eq!(plain, render(&[explanation("api")], &reader(Some(80), Paint::Plain)));
        assert_ne!(plain, coloured);
    }
}
