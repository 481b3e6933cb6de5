//! What became of services after a request: a short table, a sentence on what came along, and the failure if there is one.

use comfy_table::{ContentArrangement, Table};
use mainstay_wire::{Act, Settled, SettledState};

use crate::{
    exit::Exit,
    failure::Failure,
    output::Paint,
    view::{
        cut::{fit, tame, width},
        style,
    },
};

/// How many names a sentence lists.
const SHOWN: usize = 5;

/// Columns between two columns.
const GAP: usize = 2;

/// How each came out, each line ended. Of any width when `columns` is none.
pub(crate) fn table(services: &[Settled], columns: Option<usize>, paint: Paint) -> String {
    let widest = |of: &dyn Fn(&Settled) -> usize| services.iter().map(of).max().unwrap_or(0);
    let name_width = widest(&|service| width(&service.id));
    let phase_width = widest(&|service| width(&service.phase));
    let left = columns.map(|columns| columns.saturating_sub(name_width + phase_width + 2 * GAP));
    let mut table = Table::new();
    table.load_style(comfy_table::presets::NOTHING).set_content_arrangement(ContentArrangement::Disabled);
    for service in services {
        let reason = tame(&service.reason.text);
        let reason = left.map_or_else(|| reason.clone(), |left| fit(&reason, left.max(1)));
        table.add_row([service.id.clone(), service.phase.clone(), reason]);
    }
    for column in table.column_iter_mut() {
        column.set_padding((0, u16::try_from(GAP).unwrap_or(2)));
    }
    let mut out = String::new();
    for (line, service) in table.trim_fmt().lines().zip(services) {
        let (name, rest) = line.split_at((name_width + GAP).min(line.len()));
        let (phase, rest) = rest.split_at(service.phase.len().min(rest.len()));
        let phase = paint.apply(style::phase(phase), phase);
        out.push_str(&format!("{name}{phase}{}\n", rest.trim_end()));
    }
    out
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
        Act::Restart | Act::Kill => Some(format!("concerned too: {names}")),
    }
}

/// That something did not come about, when that is so.
pub(crate) fn failure(services: &[Settled]) -> Option<Failure> {
    let failed: Vec<&Settled> =
        services.iter().filter(|service| service.state == SettledState::Failed).collect();
    let first = failed.first()?;
    let text = if failed.len() == 1 {
        format!("{} {}: {}", first.id, verb(&first.phase), tame(&first.reason.text))
    } else {
        let names: Vec<&str> = failed.iter().take(SHOWN).map(|service| service.id.as_str()).collect();
        let more = match failed.len().saturating_sub(SHOWN) {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        format!("{} of {} did not get there: {}{more}", failed.len(), services.len(), names.join(", "))
    };
    // One that failed itself tells more than one that waits for it.
    let telling = failed.iter().find(|service| service.phase == "failed").unwrap_or(first);
    Some(
        Failure::new(Exit::Failed, text)
            .with_help(format!("`mainstay status {}` shows what it said", telling.id)),
    )
}

fn verb(phase: &str) -> String {
    if phase == "failed" { phase.to_owned() } else { format!("is {phase}") }
}

#[cfg(test)]
mod tests {
    use mainstay_wire::ReasonView;

    use super::*;

    fn settled(id: &str, named: bool, state: SettledState, phase: &str, text: &str) -> Settled {
        let reason = ReasonView { code: "some-code".to_owned(), text: text.to_owned() };
        Settled { id: id.to_owned(), named, state, phase: phase.to_owned(), reason }
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
}
