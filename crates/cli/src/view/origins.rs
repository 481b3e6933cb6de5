//! Values with where each comes from, as a table: a heading for each service, and below each value what it takes the place of.

use mainstay_config::Key;

use crate::{
    output::Paint,
    view::{
        cut::{fit, tame, width},
        style,
    },
};

/// Columns between two columns.
const GAP: usize = 2;

/// What a heading's lines begin with.
const INDENT: usize = 2;

/// A value shorter than this says too little.
const VALUE_LEAST: usize = 16;

/// Where lines may be of any length, a longer value pushes only its own origin aside.
const VALUE_AMPLE: usize = 48;

/// A value, or one that it takes the place of.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    /// Of which part of the file: `service.api`.
    pub(crate) section: String,
    /// What it is called there.
    pub(crate) key: String,
    /// In TOML.
    pub(crate) value: String,
    /// In words.
    pub(crate) origin: String,
    /// Whether another one takes its place.
    pub(crate) over: bool,
}

/// The part of the file that a value is in, and what it is called there.
pub(crate) fn split(key: &Key) -> (String, String) {
    let section = match key.service() {
        Some(name) => Key::of_service(name),
        None => key.section(),
    };
    let rest = key.relative_to(&section).map(|rest| rest.to_string()).unwrap_or_default();
    (section.to_string(), rest)
}

impl Row {
    fn label(&self) -> String {
        match (self.over, self.key.as_str()) {
            (true, "") => "  over".to_owned(),
            (true, key) => format!("  over {key}"),
            (false, key) => key.to_owned(),
        }
    }
}

/// The table, each line ended. Of any width when `columns` is none.
pub(crate) fn render(rows: &[Row], columns: Option<usize>, paint: Paint) -> String {
    let widest = |of: fn(&Row) -> usize| rows.iter().map(of).max().unwrap_or(0);
    let label_width = widest(|row| width(&tame(&row.label())));
    let (value, origin) = (widest(|row| width(&tame(&row.value))), widest(|row| width(&tame(&row.origin))));
    let (value, most, origin) = match columns {
        None => (value.min(VALUE_AMPLE), usize::MAX, origin),
        Some(columns) => {
            let left = columns.saturating_sub(INDENT + label_width + 2 * GAP);
            let origin = origin.min(left.saturating_sub(value.min(VALUE_LEAST)));
            let value = value.min(left.saturating_sub(origin));
            (value, value, origin)
        }
    };
    let mut text = String::new();
    let mut section = None;
    for row in rows {
        if section != Some(&row.section) {
            if section.is_some() {
                text.push('\n');
            }
            text.push_str(&paint.apply(style::label(), &tame(&row.section)));
            text.push('\n');
            section = Some(&row.section);
        }
        let cells = [(tame(&row.label()), label_width), (fit(&tame(&row.value), most), value)];
        let mut line = " ".repeat(INDENT);
        for (cell, columns) in cells {
            line.push_str(&cell);
            line.push_str(&" ".repeat((columns + GAP).saturating_sub(width(&cell)).max(GAP)));
        }
        line.push_str(&fit(&tame(&row.origin), origin));
        let line = line.trim_end();
        text.push_str(&if row.over { paint.apply(style::aside(), line) } else { line.to_owned() });
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::view::cut::tests::assert_fits;

    fn row(section: &str, key: &str, value: &str, origin: &str) -> Row {
        Row {
            section: section.to_owned(),
            key: key.trim_start_matches("over ").to_owned(),
            value: value.to_owned(),
            origin: origin.to_owned(),
            over: key.starts_with("over "),
        }
    }

    fn shop() -> Vec<Row> {
        vec![
            row("mainstay", "name", "\"shop\"", "mainstay.toml:2:8"),
            row(
                "service.api",
                "command",
                "[\"./api\", \"--port\", \"8080\", \"--dir\", \"/var/lib/api\", \"--level\", \"debug\"]",
                "mainstay.toml:16:11, ${PORT}, ${DIR} (not set: its default)",
            ),
            row("service.api", "user", "-", "default: the user of Mainstay"),
            row("service.api", "env.API_TOKEN", "(hidden; --show-values)", "env_file .env:3"),
            row("service.api", "env.LEVEL", "\"warn\"", "mainstay.local.toml:13:13"),
            row("service.api", "over ", "\"trace\"", "[defaults] mainstay.toml:6:13"),
            row("service.api", "over ", "(hidden; --show-values)", "env_file .env:2"),
            row(
                "service.api",
                "restart.policy",
                "\"on-failure\"",
                "default: on-failure for permanent services, never for oneshots",
            ),
            row("service.api", "restart.success_exit_codes", "[0]", "default"),
            row("service.api", "ready.after", "\"3s\"", "mainstay.local.toml:9:15"),
            row("service.api", "over ready.tcp", "\"127.0.0.1:5432\"", "mainstay.toml:13:17"),
            row("service.\"web.v2\"", "env.TEXT", "\"日本語\\n\u{1b}[31m\"", "conf.d/10.toml:2:11"),
        ]
    }

    #[track_caller]
    #[test]
    fn at_eighty_columns() {
        let text = render(&shop(), Some(80), Paint::Plain);
        assert_fits(&text, 80);
        insta::assert_snapshot!(text);
    }

    #[test]
    fn at_two_hundred_columns() {
        let text = render(&shop(), Some(200), Paint::Plain);
        assert_fits(&text, 200);
        insta::assert_snapshot!(text);
    }

    #[test]
    fn what_lost_is_grey_and_nothing_is_nothing() {
        let text = render(&shop(), None, Paint::Colour);
        let grey = text.lines().filter(|line| line.starts_with("\u{1b}[2m")).count();
        assert_eq!(grey, 3, "{text}");
        assert!(!text.contains("\u{1b}[31m"), "{text}");
        assert_eq!(render(&[], Some(80), Paint::Plain), "");
    }
}
