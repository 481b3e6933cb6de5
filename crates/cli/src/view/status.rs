//! All that is known of one service, as a block of labelled lines.

use jiff::{Timestamp, tz::TimeZone};
use mainstay_wire::{ConfigView, ExitView, LogView, ServiceView};

use crate::{
    output::Paint,
    view::{cut::tame, event::id, span, style},
};

/// How many lines of its log come with a service.
pub(crate) const LOG_LINES: u64 = 10;

/// Columns of the labels.
const LABELS: usize = 12;

/// The time and place in which a block is read.
#[derive(Clone, Debug)]
pub(crate) struct Here {
    pub(crate) now: Timestamp,
    pub(crate) zone: TimeZone,
    pub(crate) paint: Paint,
}

/// One service with the last lines of its log, each line ended.
pub(crate) fn block(service: &ServiceView, log: &[String], here: &Here) -> String {
    let paint = here.paint;
    let phase = paint.apply(style::phase(&service.phase), &service.phase);
    let mut text = format!("{} {phase}\n", paint.apply(style::label(), &id(service)));
    let mut add = |label: &str, value: String| {
        let label = paint.apply(style::aside(), &format!("{label:LABELS$}"));
        text.push_str(&format!("  {label}{}\n", tame(&value)));
    };
    add("reason", format!("{} ({})", service.reason.text, service.reason.code));
    if let Some(since) = &service.since {
        let span = span::since(Some(since), here.now).unwrap_or_default();
        add("since", format!("{} ({span})", span::moment(since, &here.zone)));
    }
    if let Some(next) = &service.next {
        let span = span::until(next, here.now).unwrap_or_default();
        add("next", format!("{} (in {span})", span::moment(next, &here.zone)));
    }
    add("status", format!("{}{}", service.status, if service.ready { ", ready" } else { "" }));
    add("wanted", if service.wanted { "up" } else { "down" }.to_owned());
    if let Some(pid) = service.pid {
        add("process", format!("{pid}{}", usage(service)));
    }
    add("run", format!("{}, {}", service.run, restarts(service.restarts)));
    if let Some(exit) = &service.exit {
        add("last exit", exit_text(exit));
    }
    if !service.depends_on.is_empty() {
        add("depends on", service.depends_on.join(", "));
    }
    if !service.needed_by.is_empty() {
        add("needed by", service.needed_by.join(", "));
    }
    add("kind", service.kind.clone());
    add("command", command(&service.command));
    add("log", service.log_dir.clone());
    for line in output(&service.log_counts) {
        add("", line);
    }
    for line in log {
        text.push_str(&format!("  {} {}\n", paint.apply(style::aside(), "|"), tame(line)));
    }
    text
}

/// What became of its output; nothing as long as there was none.
fn output(log: &LogView) -> Vec<String> {
    let mut lines = Vec::new();
    if log.written_bytes > 0 || log.dropped_bytes > 0 {
        let dropped = match log.dropped_bytes {
            0 => String::new(),
            bytes => format!(", {} dropped", span::bytes(bytes)),
        };
        lines.push(format!("{} written{dropped}", span::bytes(log.written_bytes)));
    }
    lines.extend(log.trouble.clone());
    lines
}

fn usage(service: &ServiceView) -> String {
    let memory = service.memory_bytes.map(|bytes| format!(", {}", span::bytes(bytes)));
    let share = service.cpu_percent.map(|percent| format!(", {percent:.1} % of a core"));
    format!("{}{}", memory.unwrap_or_default(), share.unwrap_or_default())
}

fn restarts(count: u64) -> String {
    match count {
        0 => "no restarts".to_owned(),
        1 => "1 restart".to_owned(),
        count => format!("{count} restarts"),
    }
}

fn exit_text(exit: &ExitView) -> String {
    match (exit.code, &exit.signal) {
        (Some(code), _) => format!("exit code {code}"),
        (None, Some(signal)) => format!("signal {signal}"),
        (None, None) => "unknown: nobody saw it".to_owned(),
    }
}

/// The words so that a shell would read them back.
fn command(words: &[String]) -> String {
    let is_plain = |c: char| c.is_alphanumeric() || "-_./:=@%+,".contains(c);
    let quote = |word: &String| {
        if !word.is_empty() && word.chars().all(is_plain) {
            word.clone()
        } else {
            format!("'{}'", word.replace('\'', r"'\''"))
        }
    };
    words.iter().map(quote).collect::<Vec<_>>().join(" ")
}

/// The project in two lines: how many are in which phase, and where it comes from.
pub(crate) fn summary(services: &[ServiceView], config: &ConfigView, paint: Paint) -> String {
    let counts = counts(services.iter().map(|service| service.phase.as_str()), paint);
    let name = paint.apply(style::label(), &tame(&config.project));
    format!("{name}: {counts}\n{}\n", paint.apply(style::aside(), &tame(&config.files.join(", "))))
}

/// `1 failed, 2 running`.
pub(crate) fn counts<'a>(of: impl Iterator<Item = &'a str> + Clone, paint: Paint) -> String {
    let count = |phase: &str| of.clone().filter(|word| *word == phase).count();
    let mut phases: Vec<&str> = mainstay_model::PhaseName::ALL.map(mainstay_model::PhaseName::as_str).into();
    // What is wrong comes first.
    phases.reverse();
    let counts: Vec<String> = phases
        .into_iter()
        .filter(|phase| count(phase) > 0)
        .map(|phase| format!("{} {}", count(phase), paint.apply(style::phase(phase), phase)))
        .collect();
    if counts.is_empty() { "no services".to_owned() } else { counts.join(", ") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::view::list::tests::{now, service};

    fn here(paint: Paint) -> Here {
        Here { now: now(), zone: TimeZone::fixed(jiff::tz::offset(1)), paint }
    }

    #[test]
    fn a_block_has_all_that_is_known() {
        let running = service("api@2", "running", "ready: tcp 127.0.0.1:80");
        let mut waiting = service("mailer", "waiting", "exited with 1; restart 3 of 10 in 4 s");
        waiting.next = Some("2026-11-21T12:00:03.5Z".to_owned());
        waiting.cpu_percent = Some(1.0);
        let mut bare = service("nightly", "stopped", "nobody has started it");
        bare.exit = None;
        bare.since = None;
        bare.depends_on.clear();
        bare.needed_by.clear();
        bare.wanted = false;
        (bare.run, bare.restarts) = (0, 0);
        let log = ["one".to_owned(), "\u{1b}[31mtwo".to_owned()];
        let text = [
            block(&running, &log, &here(Paint::Plain)),
            block(&waiting, &[], &here(Paint::Plain)),
            block(&bare, &[], &here(Paint::Plain)),
        ];
        insta::assert_snapshot!(text.join("\n"));
    }

    #[test]
    fn the_summary_begins_with_what_is_wrong() {
        let services = [
            service("a", "running", ""),
            service("b", "running", ""),
            service("c", "failed", ""),
            service("d", "waiting", ""),
        ];
        let config = ConfigView {
            project: "shop".to_owned(),
            files: vec!["/srv/shop/mainstay.toml".to_owned()],
            fingerprint: String::new(),
        };
        assert_eq!(
            summary(&services, &config, Paint::Plain),
            "shop: 1 failed, 2 running, 1 waiting\n/srv/shop/mainstay.toml\n"
        );
        assert_eq!(summary(&[], &config, Paint::Plain), "shop: no services\n/srv/shop/mainstay.toml\n");
    }
}
