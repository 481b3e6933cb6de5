//! The reference page of the file, generated from the declared settings.

use crate::{
    setting::{Fields, Setting, Shape, Support, Word},
    shape::{FILE, MAINSTAY, SERVICE},
};

/// The reference of `mainstay.toml`, in Markdown.
pub fn reference() -> String {
    let mut page = INTRODUCTION.to_owned();
    page.push_str("\n## `[mainstay]`\n\n");
    page.push_str(&table("", &MAINSTAY));
    page.push_str("\n## `[defaults]`\n\n");
    let inherited = SERVICE.settings.iter().filter(|setting| setting.inherited);
    let inherited: Vec<String> = inherited.map(|setting| format!("`{}`", setting.key)).collect();
    page.push_str(&format!("Settings that every service inherits: {}.\n{DEFAULTS}", inherited.join(", ")));
    page.push_str("\n## `[service.NAME]`\n\n");
    page.push_str(NAMES);
    page.push_str(&table("", &SERVICE));
    for setting in supported(&SERVICE) {
        if let Some((title, fields)) = inner(setting) {
            page.push_str(&section(std::slice::from_ref(&title), fields));
            below_section(&title, fields).iter().for_each(|(titles, fields)| {
                page.push_str(&section(titles, fields));
            });
        }
    }
    page.push_str("\n## Not supported yet\n\nThese are refused, never ignored:\n\n");
    for (path, doc) in later() {
        page.push_str(&format!("- `{path}`: {}\n", lower_first(doc)));
    }
    page
}

const INTRODUCTION: &str = "\
# `mainstay.toml`

A project is described in one file of [TOML](https://toml.io). A key that is not on this page is an error, and all
errors are told at once.

Durations are `\"500ms\"`, `\"5s\"`, `\"1h 30m\"`, `\"2d\"` (a day is 24 hours); sizes `\"10MB\"` (thousands), `\"200MiB\"` (1024);
signals `\"TERM\"`, `\"SIGTERM\"` or `\"15\"`.

In every text, `${VAR}` is the variable `VAR` of the caller's environment, and it is an error when there is none;
`${VAR:-default}` is the default when it is not set or empty; `$$` is a `$`; any other `$` is itself. Variables are replaced
before anything else, so what they hold is split into words when a command is one string. In the command, the directory,
the user, the environment, the paths of `env_file` and the check of a service, `{instance}` is the number of the instance,
`1` when there is one.

`mainstay.local.toml` beside the file is laid over it: tables are merged by key, everything else is replaced. Additions
(`conf.d/*.toml`) lie beside the file: none may say what another one says.
";

const DEFAULTS: &str = "\
A service's own tables are merged over them by key; everything else is replaced. Variables come, later ones winning, from
the `env_file` of the defaults (unless the service has one), their `env`, the service's `env_file`, its `env`.
";

const NAMES: &str = "\
A name has 1 to 64 of the characters `a-z A-Z 0-9 . _ -`, the first a letter or a digit; `all` is reserved.

";

fn supported(fields: &Fields) -> impl Iterator<Item = &'static Setting> {
    fields.settings.iter().filter(|setting| setting.support == Support::Now)
}

fn table(prefix: &str, fields: &Fields) -> String {
    let mut rows = "| setting | value | default | meaning |\n| --- | --- | --- | --- |\n".to_owned();
    for setting in supported(fields) {
        rows.push_str(&format!(
            "| `{prefix}{}` | {} | {} | {} |\n",
            setting.key,
            kind(&setting.shape),
            default(setting),
            meaning(setting)
        ));
    }
    rows
}

fn default(setting: &Setting) -> String {
    match setting.default {
        "" if setting.required && !setting.unless.is_empty() => {
            format!("required without `{}`", setting.unless)
        }
        "" if setting.required => "required".to_owned(),
        "" => String::new(),
        plain if serde_json::from_str::<serde_json::Value>(plain).is_ok() => format!("`{plain}`"),
        words => words.to_owned(),
    }
}

/// The sentence, and what each word means.
fn meaning(setting: &Setting) -> String {
    let words = match &setting.shape {
        Shape::Word(words) => words,
        _ => return setting.doc.to_owned(),
    };
    let each = |word: &Word| format!("`{}`: {}", word.word, word.doc);
    let words: Vec<String> = words.iter().filter(|word| word.support == Support::Now).map(each).collect();
    format!("{} {}.", setting.doc, words.join("; "))
}

/// The type, for a cell of the table.
fn kind(shape: &Shape) -> String {
    match shape {
        Shape::Text | Shape::Scalar => "text".to_owned(),
        Shape::Duration(_) => "duration".to_owned(),
        Shape::Size(_) => "size".to_owned(),
        Shape::Signal => "signal".to_owned(),
        Shape::Address => "`host:port`".to_owned(),
        Shape::Boolean => "`true` or `false`".to_owned(),
        Shape::Whole(least, most) => format!("number from {least} to {most}"),
        Shape::Factor => "number".to_owned(),
        Shape::Word(words) => {
            let words = words.iter().filter(|word| word.support == Support::Now);
            words.map(|word| format!("`\"{}\"`", word.word)).collect::<Vec<_>>().join(", ")
        }
        Shape::Command => "text or list of texts".to_owned(),
        Shape::Any => "any value".to_owned(),
        Shape::List(of) => format!("list of: {}", kind(of)),
        Shape::Table(fields) => match fields.short() {
            None => "table".to_owned(),
            Some((_, short)) => format!("{} or table", kind(short)),
        },
        Shape::Inherited(_) => "table".to_owned(),
        Shape::Map(keys, of) => format!("table `{}` = {}", keys.placeholder(), kind(of)),
        Shape::Either(shapes) => shapes.iter().map(kind).collect::<Vec<_>>().join("; or "),
    }
}

/// The table inside a setting, with the title of its section.
fn inner(setting: &'static Setting) -> Option<(String, &'static Fields)> {
    match &setting.shape {
        Shape::Table(fields) => Some((setting.key.to_owned(), fields)),
        Shape::Either(shapes) => shapes.iter().find_map(|shape| match shape {
            Shape::Table(fields) => Some((setting.key.to_owned(), *fields)),
            Shape::Map(keys, Shape::Table(fields)) => {
                Some((format!("{}.{}", setting.key, keys.placeholder()), *fields))
            }
            _ => None,
        }),
        _ => None,
    }
}

/// The tables inside the settings of a section; those that are alike are one, with all of their titles.
fn below_section(title: &str, fields: &'static Fields) -> Vec<(Vec<String>, &'static Fields)> {
    let mut found: Vec<(Vec<String>, &'static Fields)> = Vec::new();
    for (key, fields) in supported(fields).filter_map(inner) {
        let title = format!("{title}.{key}");
        match found.iter_mut().find(|(_, other)| table("", other) == table("", fields)) {
            Some((titles, _)) => titles.push(title),
            None => found.push((vec![title], fields)),
        }
    }
    found
}

fn section(titles: &[String], fields: &Fields) -> String {
    let titles: Vec<String> = titles.iter().map(|title| format!("`{title}`")).collect();
    format!("\n### {}\n\n{}{}", titles.join(", "), remark(fields), table("", fields))
}

fn remark(fields: &Fields) -> String {
    let short =
        fields.shorthand.map(|key| format!("A single value in place of the table is its `{key}`.\n\n"));
    let choice = supported(fields).filter(|setting| fields.one_of.contains(&setting.key));
    let choice: Vec<String> = choice.map(|setting| format!("`{}`", setting.key)).collect();
    let choice = (!choice.is_empty()).then(|| format!("Exactly one of {} is said.\n\n", choice.join(", ")));
    short.or(choice).unwrap_or_default()
}

/// Everything that a later version gives a meaning to, with its path.
fn later() -> Vec<(String, &'static str)> {
    let mut found = Vec::new();
    collect("", &FILE, &mut found);
    found
}

fn collect(prefix: &str, fields: &Fields, found: &mut Vec<(String, &'static str)>) {
    for setting in fields.settings {
        let path = format!("{prefix}{}", setting.key);
        match (setting.support, &setting.shape) {
            (Support::Later, _) => found.push((path, setting.doc)),
            (Support::Now, shape) => below(&path, shape, found),
        }
    }
}

fn below(path: &str, shape: &Shape, found: &mut Vec<(String, &'static str)>) {
    match shape {
        Shape::Table(fields) => collect(&format!("{path}."), fields, found),
        Shape::Map(keys, of) => below(&format!("{path}.{}", keys.placeholder()), of, found),
        Shape::Either(shapes) => shapes.iter().for_each(|shape| below(path, shape, found)),
        Shape::List(of) => below(path, of, found),
        Shape::Word(words) => {
            let later = words.iter().filter(|word| word.support == Support::Later);
            found.extend(later.map(|word| (format!("{path} = \"{}\"", word.word), word.doc)));
        }
        // What `[defaults]` holds is told with the services.
        Shape::Inherited(_)
        | Shape::Text
        | Shape::Scalar
        | Shape::Duration(_)
        | Shape::Size(_)
        | Shape::Signal
        | Shape::Address
        | Shape::Boolean
        | Shape::Whole(..)
        | Shape::Factor
        | Shape::Any
        | Shape::Command => {}
    }
}

fn lower_first(text: &str) -> String {
    let mut characters = text.chars();
    let first = characters.next().map(|first| first.to_lowercase().to_string()).unwrap_or_default();
    format!("{first}{}", characters.as_str().trim_end_matches('.'))
}
