//! What an apply would do, as people read it: a line for each service, below it what its description says differently, and a
//! sum. Asks nobody.

use mainstay_wire::{DifferenceView, PlanStep};

use crate::{
    output::Paint,
    view::{
        cut::{fit, tame, width},
        style,
    },
};

/// Columns between two columns.
const GAP: usize = 2;

/// A note cut shorter than this says nothing.
const NOTE_LEAST: usize = 16;

/// What two values have in common is left out up to so many characters before they differ.
const COMMON_SHOWN: usize = 8;

/// The most services that one line names.
const NAMED: usize = 5;

const INDENT: &str = "    ";

/// What is said of a setting for which the process is made anew.
const FORCES: &str = " (restarts it)";

/// Every step, each line ended, with an empty line and the sum at the end. Of any width when `columns` is none.
pub(crate) fn render(steps: &[PlanStep], kept: usize, columns: Option<usize>, paint: Paint) -> String {
    let names = steps.iter().map(|step| width(&step.id)).max().unwrap_or(0);
    let words = steps.iter().map(|step| width(&step.act)).max().unwrap_or(0);
    let mut text = String::new();
    for step in steps {
        push_head(&mut text, step, (names, words), columns, paint);
        let changes_at_all = matches!(step.act.as_str(), "restart" | "change" | "start");
        for one in step.differences.iter().filter(|_| changes_at_all) {
            push_difference(&mut text, one, step.act == "restart", columns);
        }
        if let Some(line) = dependents(step) {
            let line =
                columns.map_or(line.clone(), |columns| fit(&line, columns.saturating_sub(INDENT.len())));
            text.push_str(&format!("{INDENT}{}\n", paint.apply(style::aside(), &line)));
        }
    }
    if !steps.is_empty() {
        text.push('\n');
    }
    push_wrapped(&mut text, &summary(steps, kept), columns);
    text
}

/// In as many lines as it takes, broken after commas.
fn push_wrapped(text: &mut String, words: &str, columns: Option<usize>) {
    let most = columns.unwrap_or(usize::MAX);
    let mut taken = 0;
    for part in words.split_inclusive(", ") {
        if taken > 0 && taken + width(part.trim_end()) > most {
            text.truncate(text.trim_end_matches(' ').len());
            text.push('\n');
            taken = 0;
        }
        text.push_str(part);
        taken += width(part);
    }
    text.push('\n');
}

/// `1 to add, 1 to restart, 3 unchanged`.
pub(crate) fn summary(steps: &[PlanStep], kept: usize) -> String {
    let count = |act: &str| steps.iter().filter(|step| step.act == act).count();
    let acts = ["add", "describe", "start", "restart", "change", "remove"];
    let counts = acts.map(|act| (count(act), act));
    let mut parts: Vec<String> = counts
        .iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, act)| format!("{count} to {act}"))
        .collect();
    if steps.is_empty() {
        parts.push("nothing to do".to_owned());
    }
    if kept > 0 || steps.is_empty() {
        parts.push(format!("{kept} unchanged"));
    }
    parts.join(", ")
}

fn push_head(
    text: &mut String,
    step: &PlanStep,
    (names, words): (usize, usize),
    columns: Option<usize>,
    paint: Paint,
) {
    let act = step.act.as_str();
    let pad = |text: &str, to: usize| " ".repeat(to.saturating_sub(width(text)));
    let note = note(step);
    let taken = 2 + names + GAP + words + GAP;
    let left = columns.map_or(usize::MAX, |columns| columns.saturating_sub(taken));
    let note = match left {
        left if width(&note) <= left => note,
        left if left >= NOTE_LEAST => fit(&note, left),
        _ => String::new(),
    };
    let colour = style::plan(act);
    let line = format!(
        "{} {}{}  {}{}  {}",
        paint.apply(colour, sign(act)),
        step.id,
        pad(&step.id, names),
        paint.apply(colour, act),
        pad(act, words),
        note
    );
    text.push_str(line.trim_end());
    text.push('\n');
}

fn sign(act: &str) -> &'static str {
    match act {
        "add" | "describe" => "+",
        "start" => ">",
        "restart" => "↻",
        "remove" => "-",
        _ => "~",
    }
}

fn note(step: &PlanStep) -> String {
    match (step.act.as_str(), &step.because) {
        ("add", _) if step.scaled => "`scale` had taken it away, and it is started".to_owned(),
        ("describe", _) if step.scaled => "`scale` had taken it away, and it is not started".to_owned(),
        ("remove", _) if step.scaled => "`scale` had added it, and it is stopped and removed".to_owned(),
        ("restart", Some(because)) => format!("with {because}, which it follows"),
        ("restart", None) => "its process is made anew".to_owned(),
        ("add", _) => "it is new, and is started".to_owned(),
        ("describe", _) => "it is new, and is not started".to_owned(),
        ("start", _) => "it is down, and is started".to_owned(),
        ("change", _) => "its process goes on".to_owned(),
        ("remove", _) => "it is stopped and removed".to_owned(),
        _ => String::new(),
    }
}

/// `restart.delay: 1 s → 5 s`; where that is too wide, in two lines, from where they differ.
fn push_difference(text: &mut String, one: &DifferenceView, is_restart: bool, columns: Option<usize>) {
    let said = |value: &Option<String>| value.as_deref().map_or_else(|| "(not set)".to_owned(), tame);
    let (from, to) = (said(&one.from), said(&one.to));
    let mark = if is_restart && one.restarts { FORCES } else { "" };
    let line = format!("{INDENT}{}: {from} → {to}{mark}", tame(&one.setting));
    let Some(columns) = columns.filter(|columns| width(&line) > *columns) else {
        text.push_str(&line);
        text.push('\n');
        return;
    };
    let setting = fit(&tame(&one.setting), columns.saturating_sub(INDENT.len() + 1 + mark.len()));
    text.push_str(&format!("{INDENT}{setting}:{mark}\n"));
    let common = from.chars().zip(to.chars()).take_while(|(one, other)| one == other).count();
    let left = columns.saturating_sub(2 * INDENT.len() + 2);
    let shown = |value: &str| {
        let skipped = common.saturating_sub(COMMON_SHOWN);
        if skipped == 0 || width(value) <= left {
            return fit(value, left);
        }
        fit(&format!("…{}", value.chars().skip(skipped).collect::<String>()), left)
    };
    text.push_str(&format!("{INDENT}{INDENT}{}\n{INDENT}{INDENT}→ {}\n", shown(&from), shown(&to)));
}

fn dependents(step: &PlanStep) -> Option<String> {
    let named: Vec<&str> = step.needed_by.iter().take(NAMED).map(String::as_str).collect();
    let more = match step.needed_by.len().saturating_sub(NAMED) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    (!named.is_empty()).then(|| format!("what depends on it goes on: {}{more}", named.join(", ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn step(id: &str, act: &str, differences: &[(&str, Option<&str>, Option<&str>, bool)]) -> PlanStep {
        let view =
            |(setting, from, to, restarts): &(&str, Option<&str>, Option<&str>, bool)| DifferenceView {
                setting: (*setting).to_owned(),
                from: from.map(str::to_owned),
                to: to.map(str::to_owned),
                restarts: *restarts,
            };
        PlanStep {
            id: id.to_owned(),
            act: act.to_owned(),
            differences: differences.iter().map(view).collect(),
            because: None,
            needed_by: Vec::new(),
            scaled: false,
        }
    }

    #[test]
    fn what_scale_did_is_called_so() {
        let steps = ["add", "remove"].map(|act| PlanStep { scaled: true, ..step("api@3", act, &[]) });
        let text = render(&steps, 1, None, Paint::Plain);
        assert!(text.contains("add     `scale` had taken it away, and it is started"), "{text}");
        assert!(text.contains("remove  `scale` had added it, and it is stopped and removed"), "{text}");
    }

    fn some() -> Vec<PlanStep> {
        let command =
            "./db --data /srv/shop/data --listen 127.0.0.1:5432 --threads 4 --log-level info --slow 100ms";
        let mut db = step(
            "db",
            "restart",
            &[
                ("command", Some(command), Some(&command.replace("info", "debug")), true),
                ("env.DB_PASSWORD", Some("(hidden)"), Some("(hidden)"), true),
                ("stop.timeout", Some("10 s"), Some("1 min"), false),
            ],
        );
        db.needed_by = vec!["worker".to_owned()];
        let mut api = step("api@2", "restart", &[]);
        api.because = Some("db".to_owned());
        vec![
            step("old", "remove", &[]),
            db,
            api,
            step("worker", "change", &[("restart.delay", Some("1 s"), Some("5 s"), false)]),
            step(
                "web",
                "start",
                &[("user", None, Some("shop"), true), ("watchdog", Some("1 min"), None, true)],
            ),
            step("cache", "add", &[]),
            step("later", "describe", &[]),
        ]
    }

    #[test]
    fn at_eighty_and_two_hundred_columns() {
        let at = |columns| render(&some(), 3, Some(columns), Paint::Plain);
        let text = format!("{}=== 200\n{}", at(80), at(200));
        assert!(at(80).lines().all(|line| width(line) <= 80), "{}", at(80));
        insta::assert_snapshot!(text);
    }

    #[test]
    fn with_a_name_of_sixty_characters_and_in_colour() {
        let name = "n".repeat(60);
        let mut long = step(&name, "restart", &[("restart.delay", Some("1 s"), Some("5 s"), false)]);
        long.needed_by = (1..=7).map(|number| format!("a-service-that-needs-it@{number}")).collect();
        let steps = [long, step("api", "add", &[])];
        let at = |columns| render(&steps, 0, Some(columns), Paint::Plain);
        assert!(at(80).lines().all(|line| width(line) <= 80), "{}", at(80));
        let text = format!("{}=== 200\n{}", at(80), at(200));
        insta::assert_snapshot!(text);
        assert!(render(&steps, 0, None, Paint::Colour).contains('\u{1b}'));
        assert!(!at(200).contains('\u{1b}'));
    }

    #[test]
    fn a_sum_says_what_there_is() {
        assert_eq!(
            summary(&some(), 3),
            "1 to add, 1 to describe, 1 to start, 2 to restart, 1 to change, 1 to remove, 3 unchanged"
        );
        assert_eq!(summary(&[], 3), "nothing to do, 3 unchanged");
        assert_eq!(summary(&[step("api", "add", &[])], 0), "1 to add");
        assert_eq!(render(&[], 0, None, Paint::Plain), "nothing to do, 0 unchanged\n");
    }
}
