//! All that is known of one service, as a block of labelled lines.

use std::time::Duration;

use jiff::{Timestamp, tz::TimeZone};
use mainstay_model::{one_line, span_text};
use mainstay_wire::{
    ConfigView, ExitView, ExplanationView, HealthView, LogView, MonitorView, NeighbourView, ServiceView,
};

use crate::{
    output::Paint,
    view::{
        cut::{fit, tame, wrap},
        event::id,
        span,
        strip::{Glyphs, Strip},
        style,
    },
};

/// How many lines of its log come with a service.
pub(crate) const LOG_LINES: u64 = 10;

/// Columns of the labels.
const LABELS: usize = 12;

/// Columns before them.
const MARGIN: usize = 2;

/// How many of those that a service needs, or that need it, are named.
const NEIGHBOURS: usize = 12;

/// A text that has less room than this is not wrapped: it would be a column of words.
const LEAST: usize = 20;

/// The time and place in which a block is read.
#[derive(Clone, Debug)]
pub(crate) struct Here {
    pub(crate) now: Timestamp,
    pub(crate) zone: TimeZone,
    pub(crate) paint: Paint,
    pub(crate) glyphs: Glyphs,
    /// `None`: lines may be of any length.
    pub(crate) columns: Option<usize>,
}

/// All that is known of one service.
#[derive(Clone, Debug)]
pub(crate) struct Screen<'a> {
    pub(crate) service: &'a ServiceView,
    /// Why it is as it is.
    pub(crate) explanation: Option<ExplanationView>,
    /// How well it was.
    pub(crate) strip: Option<Strip>,
    /// The generation of the configuration that runs.
    pub(crate) generation: Option<u64>,
    /// The last lines that it wrote.
    pub(crate) log: Vec<LogLine>,
}

/// A line of its log.
#[derive(Clone, Debug)]
pub(crate) struct LogLine {
    /// When it was seen.
    pub(crate) time: Option<Timestamp>,
    pub(crate) text: String,
}

/// One service with the last lines of its log, each line ended.
pub(crate) fn block(screen: &Screen<'_>, here: &Here) -> String {
    let service = screen.service;
    let mut page = Page { here, text: header(service, here) };
    reasons(screen, &mut page);
    page.add("status", &format!("{}{}", service.status, if service.ready { ", ready" } else { "" }));
    if let Some(said) = &service.said {
        page.add("says", said);
    }
    if let Some(strip) = &screen.strip {
        let blocks = strip.blocks(here.glyphs, Paint::Plain);
        let words = strip.words(here.glyphs, here.now, &here.zone);
        page.add_painted(
            "seen",
            &format!("{blocks} {words}"),
            &blocks,
            &strip.blocks(here.glyphs, here.paint),
        );
    }
    checks(service, &mut page);
    page.add("wanted", if service.wanted { "up" } else { "down" });
    if let Some(pid) = service.pid {
        page.add("process", &format!("{pid}{}", usage(service)));
    }
    page.add("run", &format!("{}, {}", service.run, restarts(service.restarts)));
    if let Some(exit) = &service.exit {
        page.add("last exit", &exit_text(exit));
    }
    neighbours(service, &mut page);
    description(screen, &mut page);
    for line in &screen.log {
        page.log_line(line);
    }
    page.text
}

/// Its name and what it does; below that its kind, and since when.
fn header(service: &ServiceView, here: &Here) -> String {
    let paint = here.paint;
    let look = style::phase(&service.phase);
    let name = paint.apply(style::label(), &tame(&id(service)));
    let since = service.since.as_deref().map(|since| {
        let span = span::since(Some(since), here.now).unwrap_or_default();
        format!(", {} since {} ({span})", service.phase, span::moment(since, &here.zone))
    });
    format!(
        "{} {name} {}\n{:MARGIN$}{}{}\n",
        paint.apply(look, here.glyphs.dot()),
        paint.apply(look, &service.phase),
        "",
        service.kind,
        since.unwrap_or_default()
    )
}

/// Why it is so, in short and at length, and what comes next.
fn reasons(screen: &Screen<'_>, page: &mut Page<'_>) {
    let service = screen.service;
    page.add("reason", &format!("{} ({})", service.reason.text, service.reason.code));
    let here = page.here;
    let due = service.next.as_ref().map(|next| {
        let span = span::until(next, here.now).unwrap_or_default();
        format!("{} (in {span})", span::moment(next, &here.zone))
    });
    let Some(explanation) = &screen.explanation else {
        due.iter().for_each(|due| page.add("next", due));
        return;
    };
    let is_well = matches!(service.reason.code.as_str(), "running" | "ready") && service.restarts == 0;
    if !is_well {
        page.add("why", &explanation.sentence);
    }
    page.add("next", &explanation.next);
    for (at, one) in explanation.tries.iter().enumerate() {
        let label = if at == 0 { "try" } else { "" };
        page.add(label, &format!("{} ({})", one.command, one.what));
    }
}

/// What is asked of it, and what it must say.
fn checks(service: &ServiceView, page: &mut Page<'_>) {
    let details = service.details.as_deref();
    if let Some(check) = details.and_then(|details| details.ready_check.as_ref()) {
        page.add("ready when", check);
    }
    if let Some(health) = &service.health {
        page.add("health", &health_text(health));
    }
    if let Some(watchdog) = details.and_then(|details| details.watchdog_ms) {
        page.add("watchdog", &span_text(Duration::from_millis(watchdog)));
    }
    if let Some(trouble) = &service.watch_trouble {
        page.add("watch", trouble);
    }
    if let Some(monitor) = &service.monitor {
        let mut lines = Vec::new();
        parts(monitor, 0, &mut lines);
        for (at, line) in lines.iter().enumerate() {
            page.add(if at == 0 { "parts" } else { "" }, line);
        }
    }
}

/// What is below a monitor, a line each; what is below that, further to the right.
fn parts(monitor: &MonitorView, depth: usize, lines: &mut Vec<String>) {
    for child in &monitor.children {
        let message =
            if child.message.is_empty() { String::new() } else { format!(": {}", one_line(&child.message)) };
        let name = one_line(&child.name);
        lines.push(format!("{}{name} {}{message}", "  ".repeat(depth), child.status));
        parts(child, depth + 1, lines);
    }
}

/// What it needs and what needs it, each with how that is.
fn neighbours(service: &ServiceView, page: &mut Page<'_>) {
    let one = |it: &NeighbourView| {
        let unmet = if it.met { "" } else { ", not yet" };
        format!("{} ({}{unmet}) {}", it.id, it.until, it.phase)
    };
    let list = |all: Vec<String>| {
        let more = all.len().saturating_sub(NEIGHBOURS);
        let more = (more > 0).then(|| format!("and {more} more"));
        all.into_iter().take(NEIGHBOURS).chain(more).collect::<Vec<_>>().join(", ")
    };
    let (needs, needed_by) = match service.details.as_deref() {
        Some(details) => {
            let of = |all: &[NeighbourView]| all.iter().map(one).collect::<Vec<_>>();
            (of(&details.needs), of(&details.needed_by))
        }
        None => (service.depends_on.clone(), service.needed_by.clone()),
    };
    for (label, all) in [("depends on", needs), ("needed by", needed_by)] {
        if !all.is_empty() {
            page.add(label, &list(all));
        }
    }
}

/// What was written of it in the files, and where its output is.
fn description(screen: &Screen<'_>, page: &mut Page<'_>) {
    let service = screen.service;
    if let Some(generation) = screen.generation {
        page.add("generation", &generation.to_string());
    }
    page.add("command", &command(&service.command));
    if let Some(details) = service.details.as_deref() {
        page.add("directory", &details.working_dir);
        details.user.iter().for_each(|user| page.add("user", user));
        let attempt = match details.attempt {
            0 => String::new(),
            attempt => format!(", restart {attempt} in a row"),
        };
        page.add("restart", &format!("{}{attempt}", details.restart));
    }
    page.add("log", &service.log_dir);
    service.err_log_dir.iter().for_each(|dir| page.add("", dir));
    for line in output(&service.log_counts) {
        page.add("", &line);
    }
}

/// A block under way.
struct Page<'a> {
    here: &'a Here,
    text: String,
}

impl Page<'_> {
    /// A label and what is behind it, on as many lines as it takes.
    fn add(&mut self, label: &str, value: &str) {
        self.add_painted(label, value, "", "");
    }

    /// The same with one part of it in colours.
    fn add_painted(&mut self, label: &str, value: &str, part: &str, painted: &str) {
        let before = MARGIN + LABELS;
        let room = self.here.columns.map(|columns| columns.saturating_sub(before).max(LEAST));
        for (at, line) in wrap(&tame(value), room).iter().enumerate() {
            let label = if at == 0 { label } else { "" };
            let label = self.here.paint.apply(style::aside(), &format!("{label:LABELS$}"));
            let line = if part.is_empty() { line.clone() } else { line.replacen(part, painted, 1) };
            self.text.push_str(format!("{:MARGIN$}{label}{line}", "").trim_end());
            self.text.push('\n');
        }
    }

    /// `10:02:03 | what it wrote`, cut where the terminal ends.
    fn log_line(&mut self, line: &LogLine) {
        let today = |time: &Timestamp| {
            let zoned = time.to_zoned(self.here.zone.clone());
            let is_today = zoned.date() == self.here.now.to_zoned(self.here.zone.clone()).date();
            zoned.strftime(if is_today { "%H:%M:%S" } else { "%Y-%m-%d %H:%M:%S" }).to_string() + " "
        };
        let time = line.time.as_ref().map(today).unwrap_or_default();
        let text = tame(&line.text);
        let room = self.here.columns.map(|columns| columns.saturating_sub(MARGIN + time.len() + 2));
        let text = room.map_or(text.clone(), |room| fit(&text, room.max(LEAST)));
        let before = self.here.paint.apply(style::aside(), &format!("{time}|"));
        self.text.push_str(format!("{:MARGIN$}{before} {text}", "").trim_end());
        self.text.push('\n');
    }
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
    lines.extend(log.interference.clone());
    lines
}

fn usage(service: &ServiceView) -> String {
    let memory = service.memory_bytes.map(|bytes| format!(", {}", span::bytes(bytes)));
    let share = service.cpu_percent.map(|percent| format!(", {percent:.1} % of a core"));
    format!("{}{}", memory.unwrap_or_default(), share.unwrap_or_default())
}

/// `http http://127.0.0.1/healthz every 10 s, 1 of 3 failures`.
fn health_text(health: &HealthView) -> String {
    let every = span_text(Duration::from_millis(health.interval_ms));
    let state = match (health.was_well, health.failures) {
        (None, _) => String::new(),
        (Some(false), 0) => ", not well yet".to_owned(),
        (Some(true), 0) => ", well".to_owned(),
        (Some(_), failures) => format!(", {failures} of {} failures in a row", health.limit),
    };
    format!("{} every {every}{state}", health.check)
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
    use mainstay_wire::DetailsView;

    use super::*;
    use crate::view::{
        cut::width,
        list::tests::{now, service},
    };

    fn here(columns: Option<usize>, paint: Paint) -> Here {
        Here {
            now: now(),
            zone: TimeZone::fixed(jiff::tz::offset(1)),
            paint,
            glyphs: Glyphs::Unicode,
            columns,
        }
    }

    fn neighbour(id: &str, until: &str, met: bool, phase: &str) -> NeighbourView {
        NeighbourView { id: id.to_owned(), until: until.to_owned(), met, phase: phase.to_owned() }
    }

    fn details() -> DetailsView {
        DetailsView {
            user: Some("shop".to_owned()),
            calls: None,
            working_dir: "/srv/shop".to_owned(),
            ready_check: Some("tcp 127.0.0.1:80".to_owned()),
            watchdog_ms: Some(30_000),
            restart: "on-failure".to_owned(),
            attempt: 2,
            needs: vec![
                neighbour("db", "ready", true, "running"),
                neighbour("cache", "healthy", false, "starting"),
            ],
            needed_by: (1..=15)
                .map(|at| neighbour(&format!("web@{at}"), "started", true, "running"))
                .collect(),
        }
    }

    fn strip() -> Option<Strip> {
        let event = |minute: u32, to: &str, ready: bool| mainstay_wire::HistoryView {
            seq: u64::from(minute),
            time: format!("2026-11-21T11:{minute:02}:00Z"),
            service: Some("api".to_owned()),
            run: Some(1),
            from: None,
            to: Some(to.to_owned()),
            ready: Some(ready),
            wanted: Some(true),
            failed: false,
            attempt: Some(1),
            exit: None,
            reason: mainstay_wire::ReasonView { code: String::new(), text: String::new() },
            generation: None,
            uid: None,
            pid: None,
        };
        Strip::of(&[event(1, "running", true), event(2, "waiting", false), event(3, "running", true)])
    }

    /// Everything that there can be.
    fn full(name: &str) -> ServiceView {
        let mut service = service(
            name,
            "running",
            "http http://127.0.0.1:80/healthz answered 503 (1 of 3 failures in a row)",
        );
        service.said = Some("serving 12 clients".to_owned());
        service.cpu_percent = Some(1.0);
        service.health = Some(HealthView {
            check: "http http://127.0.0.1:80/healthz".to_owned(),
            interval_ms: 10_000,
            failures: 1,
            limit: 3,
            was_well: Some(true),
        });
        service.details = Some(Box::new(details()));
        service.log_counts = LogView {
            written_bytes: 12_900_000,
            dropped_bytes: 4096,
            trouble: Some(
                "cannot be written since 2026-11-21T11:58:00.000Z: No space left on device".to_owned(),
            ),
            interference: None,
        };
        service
    }

    fn screen(service: &ServiceView) -> Screen<'_> {
        Screen {
            service,
            explanation: Some(crate::view::explain::tests::explanation(&id(service))),
            strip: strip(),
            generation: Some(41),
            log: vec![
                LogLine { time: "2026-11-20T11:59:58Z".parse().ok(), text: "one".to_owned() },
                LogLine {
                    time: "2026-11-21T11:59:58Z".parse().ok(),
                    text: format!("two {}", "long ".repeat(50)),
                },
                LogLine { time: None, text: "\u{1b}[31mthree".to_owned() },
            ],
        }
    }

    fn bare(service: &ServiceView) -> Screen<'_> {
        Screen { service, explanation: None, strip: None, generation: None, log: Vec::new() }
    }

    #[test]
    fn at_eighty_and_two_hundred_columns() {
        let (short, long) = (full("api@2"), full(&"n".repeat(60)));
        let at = |columns| {
            let here = here(Some(columns), Paint::Plain);
            let text = [block(&screen(&short), &here), block(&screen(&long), &here)].join("\n");
            for line in text.lines() {
                assert!(width(line) <= columns && line == line.trim_end(), "{} {line}", width(line));
            }
            text
        };
        insta::assert_snapshot!(format!("{}\n----\n{}", at(80), at(200)));
    }

    #[test]
    fn without_a_terminal_nothing_is_wrapped_or_cut() {
        let service = full("api");
        let here = Here { glyphs: Glyphs::Ascii, ..here(None, Paint::Plain) };
        let text = block(&screen(&service), &here);
        assert!(
            text.starts_with(
                "* api running\n  permanent, running since 2026-11-21 10:55:00 +01:00 (2h 5m)\n"
            )
        );
        assert!(text.contains("\n  seen        .x. since 12:01 (59m): . ready, x down\n"), "{text}");
        assert!(text.contains(&"long ".repeat(49)), "{text}");
    }

    #[test]
    fn a_block_has_what_is_known() {
        let mut waiting = service("mailer", "waiting", "exited with 1; restart 3 of 10 in 4 s");
        waiting.next = Some("2026-11-21T12:00:03.5Z".to_owned());
        let mut nightly = service("nightly", "stopped", "nobody has started it");
        nightly.exit = None;
        nightly.since = None;
        nightly.depends_on.clear();
        nightly.needed_by.clear();
        nightly.wanted = false;
        (nightly.run, nightly.restarts) = (0, 0);
        let here = here(Some(80), Paint::Plain);
        let text = [block(&bare(&waiting), &here), block(&bare(&nightly), &here)];
        insta::assert_snapshot!(text.join("\n"));
    }

    #[test]
    fn colours_change_no_text() {
        let service = full("api");
        let coloured = block(&screen(&service), &here(Some(80), Paint::Colour));
        assert!(coloured.starts_with("\u{1b}[32m●\u{1b}[0m "), "{coloured}");
        let mut parts = coloured.split('\u{1b}');
        let mut plain = parts.next().unwrap().to_owned();
        parts.for_each(|part| plain.push_str(part.split_once('m').unwrap().1));
        assert_eq!(plain, block(&screen(&service), &here(Some(80), Paint::Plain)));
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
            ..ConfigView::default()
        };
        assert_eq!(
            summary(&services, &config, Paint::Plain),
            "shop: 1 failed, 2 running, 1 waiting\n/srv/shop/mainstay.toml\n"
        );
        assert_eq!(summary(&[], &config, Paint::Plain), "shop: no services\n/srv/shop/mainstay.toml\n");
    }
}
