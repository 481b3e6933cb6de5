//! What became of services after a request: a short table, a sentence on what came along, and the failure if there is one.

use std::time::Duration;

use comfy_table::{ContentArrangement, Table};
use mainstay_model::{PhaseName, span_text};
use mainstay_wire::{Act, ServiceView, Settled, SettledState};

use crate::{
    exit::Exit,
    failure::Failure,
    output::Paint,
    view::{
        cut::{fit, needs_own_line, tame, width},
        event, style,
    },
};

/// How many names a sentence lists.
const SHOWN: usize = 5;

/// How many of which the reasons are told.
const LINES: usize = 20;

/// Columns between two columns.
const GAP: usize = 2;

/// How each came out, each line ended. Of any width when `columns` is none; on a narrow terminal, a long name stands above
/// its row.
pub(crate) fn table(services: &[Settled], columns: Option<usize>, paint: Paint) -> String {
    let names: Vec<&str> = services.iter().map(|service| name_cell(service, columns)).collect();
    let name_width = names.iter().map(|name| width(name)).max().unwrap_or(0);
    let phase_width = services.iter().map(|service| width(&service.phase)).max().unwrap_or(0);
    let left = columns.map(|columns| columns.saturating_sub(name_width + phase_width + 2 * GAP));
    let mut table = Table::new();
    table.load_style(comfy_table::presets::NOTHING).set_content_arrangement(ContentArrangement::Disabled);
    for (service, name) in services.iter().zip(&names) {
        let reason = tame(&service.reason.text);
        let reason = left.map_or_else(|| reason.clone(), |left| fit(&reason, left.max(1)));
        table.add_row([(*name).to_owned(), service.phase.clone(), reason]);
    }
    for column in table.column_iter_mut() {
        column.set_padding((0, u16::try_from(GAP).unwrap_or(2)));
    }
    let mut out = String::new();
    for (line, service) in table.trim_fmt().lines().zip(services) {
        let (name, rest) = line.split_at((name_width + GAP).min(line.len()));
        let (phase, rest) = rest.split_at(service.phase.len().min(rest.len()));
        let phase = paint.apply(style::phase(phase), phase);
        if name_cell(service, columns) != service.id {
            out.push_str(&format!("{}\n", service.id));
        }
        out.push_str(&format!("{name}{phase}{}\n", rest.trim_end()));
    }
    out
}

/// The name in the row: nothing, when it stands above.
fn name_cell(service: &Settled, columns: Option<usize>) -> &str {
    if needs_own_line(&service.id, columns) { "" } else { &service.id }
}

/// Which services nobody named came along, and why. Nothing when there are none.
pub(crate) fn company(act: Act, services: &[Settled]) -> Option<String> {
    let others: Vec<&str> =
        services.iter().filter(|service| !service.named).map(|service| service.id.as_str()).collect();
    if others.is_empty() {
        return None;
    }
    let names = others.join(", ");
    match act {
        Act::Stop => Some(format!("stopped too, because they depend on what was named: {names}")),
        Act::Start => Some(format!("started too, because what was named depends on them: {names}")),
        Act::Restart
        | Act::RollingRestart
        | Act::Kill
        | Act::Reload
        | Act::Pause
        | Act::Resume
        | Act::ResetFailed => Some(format!("concerned too: {names}")),
    }
}

/// One of them in one line, as an event would say it: `api waiting: exited with 1; restart 1 of 10 in 1 s`.
pub(crate) fn line(service: &Settled) -> String {
    event::standing(&service.id, &service.phase, service.pid, &service.reason.text)
}

/// Whether it is no longer described, and no more.
pub(crate) fn is_removed(service: &Settled) -> bool {
    service.reason.code == "removed" && service.state == SettledState::Done
}

/// Whether what is known of it is what the answer says.
pub(crate) fn is_same(service: &Settled, known: &ServiceView) -> bool {
    (service.run, &service.phase) == (known.run, &known.phase)
}

/// Whether what is known of it came after the answer was given.
pub(crate) fn is_overtaken(service: &Settled, known: &ServiceView) -> bool {
    let at = |run: u64, phase: &str| {
        PhaseName::from_word(phase).filter(|_| !is_removed(service)).map(|phase| (run, course(phase)))
    };
    match (at(service.run, &service.phase), at(known.run, &known.phase)) {
        (Some(answered), Some(known)) => known > answered,
        _ => false,
    }
}

/// How it stands after that; nobody waits for what is to become of it.
pub(crate) fn overtaken(service: &Settled, known: &ServiceView) -> Settled {
    Settled {
        state: if known.ready { SettledState::Done } else { SettledState::Failed },
        phase: known.phase.clone(),
        pid: known.pid,
        run: known.run,
        reason: known.reason.clone(),
        ..service.clone()
    }
}

/// How far a run has come in this phase; those that come and go within it are as far as each other.
fn course(phase: PhaseName) -> u8 {
    match phase {
        PhaseName::Starting => 0,
        PhaseName::Running | PhaseName::Paused => 1,
        PhaseName::Stopping => 2,
        PhaseName::Stopped | PhaseName::Waiting | PhaseName::Completed | PhaseName::Failed => 3,
    }
}

/// That something did not come about, when that is so.
pub(crate) fn failure(services: &[Settled]) -> Option<Failure> {
    let failed = of_state(services, SettledState::Failed);
    match failed.as_slice() {
        [only] => {
            let text = format!("{} {}: {}", only.id, verb(only), tame(&only.reason.text));
            Some(Failure::new(Exit::Failed, text).with_help(help(&failed)))
        }
        _ => failure_by_name(services),
    }
}

/// The same for somebody who knows the reasons already.
pub(crate) fn failure_by_name(services: &[Settled]) -> Option<Failure> {
    let failed = of_state(services, SettledState::Failed);
    if failed.is_empty() {
        return None;
    }
    let names: Vec<&str> = failed.iter().take(SHOWN).map(|service| service.id.as_str()).collect();
    let more = more(failed.len(), SHOWN).map(|more| format!(" {more}")).unwrap_or_default();
    let text =
        format!("{} of {} did not get there: {}{more}", failed.len(), services.len(), names.join(", "));
    Some(Failure::new(Exit::Failed, text).with_help(help(&failed)))
}

/// The reasons of those that failed, a line each.
pub(crate) fn reasons(services: &[Settled]) -> Vec<String> {
    lines(&of_state(services, SettledState::Failed))
}

/// That the time was over before everything was there, with the reason of each that was not.
pub(crate) fn late(services: &[Settled], after: Duration) -> Option<Failure> {
    let first = services.iter().find(|service| service.state == SettledState::Pending)?;
    let missing: Vec<&Settled> =
        services.iter().filter(|service| service.state != SettledState::Done).collect();
    let (count, of, after) = (missing.len(), services.len(), span_text(after));
    let text = format!("timed out: after {after}, {count} of {of} did not get there");
    let help = format!(
        "what was asked for goes on: `mainstay status {}` shows more; `--timeout` allows more time",
        first.id
    );
    Some(Failure::new(Exit::TimedOut, text).with_lines(lines(&missing)).with_help(help))
}

fn of_state(services: &[Settled], state: SettledState) -> Vec<&Settled> {
    services.iter().filter(|service| service.state == state).collect()
}

fn lines(services: &[&Settled]) -> Vec<String> {
    let shown = services.iter().take(LINES).map(|service| line(service));
    shown.chain(more(services.len(), LINES)).collect()
}

fn more(count: usize, shown: usize) -> Option<String> {
    count.checked_sub(shown).filter(|more| *more > 0).map(|more| format!("and {more} more"))
}

fn help(failed: &[&Settled]) -> String {
    // One that failed itself tells more than one that waits for it.
    let telling = failed.iter().find(|service| service.phase == "failed").or(failed.first());
    format!("`mainstay status {}` shows what it said", telling.map_or("NAME", |service| &service.id))
}

fn verb(service: &Settled) -> String {
    match (service.reason.code.as_str(), service.phase.as_str()) {
        ("no-reload" | "reload-failed", _) => "was not reloaded".to_owned(),
        (_, "failed") => "failed".to_owned(),
        (_, phase) => format!("is {phase}"),
    }
}

#[cfg(test)]
mod tests {
    use mainstay_wire::ReasonView;

    use super::*;

    fn settled(id: &str, named: bool, state: SettledState, phase: &str, text: &str) -> Settled {
        let reason = ReasonView { code: "some-code".to_owned(), text: text.to_owned() };
        Settled { id: id.to_owned(), named, state, phase: phase.to_owned(), pid: None, run: 1, reason }
    }

    fn some() -> Vec<Settled> {
        vec![
            settled("db", false, SettledState::Done, "running", "ready: tcp 127.0.0.1:5432"),
            settled("migrate", true, SettledState::Failed, "failed", "exited with 4; it is not restarted"),
            settled(
                "api@1",
                true,
                SettledState::Failed,
                "waiting",
                "waiting for migrate to complete: exited with 4; it is not restarted",
            ),
        ]
    }

    #[test]
    fn the_table_at_sixty_columns_and_without_end() {
        let text =
            format!("{}---\n{}", table(&some(), Some(60), Paint::Plain), table(&some(), None, Paint::Plain));
        insta::assert_snapshot!(text);
    }

    #[test]
    fn a_long_name_stands_above_its_row() {
        let mut services = some();
        services[1].id = "m".repeat(60);
        let text =
            [Some(80), Some(200), None].map(|columns| table(&services, columns, Paint::Plain)).join("---\n");
        insta::assert_snapshot!(text);
    }

    #[test]
    fn what_came_along_and_what_failed_are_sentences() {
        let mut services = some();
        assert_eq!(
            company(Act::Start, &services).unwrap(),
            "started too, because what was named depends on them: db"
        );
        let several = failure(&services).unwrap();
        assert_eq!(several.text, "2 of 3 did not get there: migrate, api@1");
        assert_eq!(several.help.unwrap(), "`mainstay status migrate` shows what it said");
        assert_eq!(several.exit, Exit::Failed);
        services.pop();
        assert_eq!(failure(&services).unwrap().text, "migrate failed: exited with 4; it is not restarted");
        services.pop();
        assert!(failure(&services).is_none());
        services[0].named = true;
        assert!(company(Act::Stop, &services).is_none());
    }

    #[test]
    fn whoever_knows_the_reasons_hears_names_and_others_get_a_line_each() {
        let services = some();
        let one = &services[..2];
        assert_eq!(failure_by_name(one).unwrap().text, "1 of 2 did not get there: migrate");
        assert_eq!(failure_by_name(&services[..1]).map(|failure| failure.text), None);
        assert_eq!(
            reasons(&services),
            [
                "migrate failed: exited with 4; it is not restarted",
                "api@1 waiting for migrate to complete: exited with 4; it is not restarted",
            ]
        );
    }

    #[test]
    fn what_is_late_is_named_with_its_reason() {
        let mut services = some();
        assert!(late(&services, Duration::from_secs(5)).is_none(), "failed is not late");
        services.push(settled(
            "web",
            true,
            SettledState::Pending,
            "starting",
            "waiting for tcp 127.0.0.1:80",
        ));
        let failure = late(&services, Duration::from_secs(5)).unwrap();
        assert_eq!(failure.exit, Exit::TimedOut);
        assert_eq!(failure.text, "timed out: after 5 s, 3 of 4 did not get there");
        assert_eq!(failure.lines.len(), 3);
        assert_eq!(failure.lines[2], "web starting: waiting for tcp 127.0.0.1:80");
        assert_eq!(
            failure.help.unwrap(),
            "what was asked for goes on: `mainstay status web` shows more; `--timeout` allows more time"
        );
        let many: Vec<_> = (0..25)
            .map(|at| settled(&format!("w@{at}"), true, SettledState::Pending, "waiting", "because so"))
            .collect();
        let lines = late(&many, Duration::from_millis(300)).unwrap().lines;
        assert_eq!((lines.len(), lines[20].as_str()), (21, "and 5 more"));
    }
}
