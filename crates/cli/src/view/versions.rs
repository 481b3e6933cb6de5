//! Generations as people read them: a line each. Asks nobody.

use jiff::tz::TimeZone;
use mainstay_wire::{GenerationView, ProbationView};

use crate::{
    output::Paint,
    view::{
        cut::{fit, tame, width},
        span, style,
    },
};

/// Columns between two columns.
const GAP: usize = 2;

const HEADINGS: [&str; 5] = ["N", "TIME", "BY", "SERVICES", "HOW"];

/// The table, each line ended. Of any width when `columns` is none. `by` names users.
pub(crate) fn render(
    generations: &[GenerationView],
    probation: Option<&ProbationView>,
    by: &dyn Fn(u32) -> String,
    zone: &TimeZone,
    columns: Option<usize>,
    paint: Paint,
) -> String {
    let rows: Vec<[String; 5]> = generations
        .iter()
        .map(|generation| {
            [
                generation.number.to_string(),
                span::second(&generation.time, zone),
                generation.uid.map_or_else(|| "mainstay".to_owned(), by),
                generation.services.to_string(),
                how(generation, probation, zone),
            ]
        })
        .collect();
    let all = std::iter::once(HEADINGS.map(str::to_owned)).chain(rows);
    let all: Vec<[String; 5]> = all.collect();
    let widest = |at: usize| all.iter().map(|row| width(&row[at])).max().unwrap_or(0);
    let widths: Vec<usize> = (0..4).map(widest).collect();
    let mut text = String::new();
    for (at, row) in all.iter().enumerate() {
        let mut line = String::new();
        for (cell, width_of) in row.iter().zip(&widths) {
            line.push_str(cell);
            line.push_str(&" ".repeat(width_of.saturating_sub(width(cell)) + GAP));
        }
        let left = columns.map_or(usize::MAX, |columns| columns.saturating_sub(width(&line)));
        line.push_str(&fit(&row[4], left.max(1)));
        let is_bold = at == 0 || generations.get(at - 1).is_some_and(|generation| generation.current);
        let line = line.trim_end();
        text.push_str(&if is_bold { paint.apply(style::label(), line) } else { line.to_owned() });
        text.push('\n');
    }
    text
}

/// What runs comes first: it is what one looks for.
fn how(generation: &GenerationView, probation: Option<&ProbationView>, zone: &TimeZone) -> String {
    let mut parts = Vec::new();
    if generation.current {
        parts.push("runs now".to_owned());
    }
    parts.push(tame(&generation.how));
    if let Some(probation) = probation.filter(|probation| probation.generation == generation.number) {
        parts.push(format!("on probation until {}", span::second(&probation.until, zone)));
    }
    parts.extend(generation.verdict.as_deref().map(tame));
    parts.join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn generation(number: u64, how: &str, uid: Option<u32>) -> GenerationView {
        GenerationView {
            number,
            time: format!("2026-11-21T12:00:0{number}.250Z"),
            uid,
            how: how.to_owned(),
            verdict: None,
            hash: "0".to_owned(),
            services: 3,
            files: vec!["/srv/mainstay.toml".to_owned()],
            current: false,
        }
    }

    #[test]
    fn at_eighty_and_two_hundred_columns() {
        let taken = "taken back: api-with-a-long-name failed: exited with 1".to_owned();
        let generations = [
            GenerationView { current: true, ..generation(4, "applied", Some(1000)) },
            generation(3, &taken, None),
            GenerationView { verdict: Some(taken), ..generation(2, "applied", Some(1000)) },
            generation(1, "applied", Some(0)),
        ];
        let probation = ProbationView { generation: 4, until: "2026-11-21T12:00:30.250Z".to_owned() };
        let by = |uid: u32| if uid == 0 { "root".to_owned() } else { format!("uid {uid}") };
        let zone = TimeZone::UTC;
        let at = |columns| render(&generations, Some(&probation), &by, &zone, Some(columns), Paint::Plain);
        assert!(at(80).lines().all(|line| width(line) <= 80), "{}", at(80));
        insta::assert_snapshot!(format!("{}=== 200\n{}", at(80), at(200)));
    }
}
