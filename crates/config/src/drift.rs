//! Tests that what `shape` declares and what the reader does are one thing: nothing is declared and not read, nothing
//! is read and not declared, and the defaults on the page are those in force.

use std::{collections::BTreeMap, io, path::PathBuf};

use crate::{
    Code, Inputs, Project, Source, load,
    parse::parse,
    report::Report,
    setting::{Fields, Setting, Shape, Support},
    shape::{FILE, SERVICE},
    tree::{Data, Table},
};

/// Without the `env_file`s that follow in it.
fn everything() -> &'static str {
    let case = include_str!("../tests/valid/everything.toml");
    case.split("#:file").next().unwrap_or(case)
}

fn source(text: &str) -> Source {
    Source { path: "mainstay.toml".into(), text: text.to_owned() }
}

fn load_texts(base: &str, local: Option<&str>) -> Result<Project, crate::Problems> {
    let variables = BTreeMap::from([("SSH_AUTH_SOCK".to_owned(), "/run/agent".to_owned())]);
    let read = |path: &std::path::Path| match path.file_name().and_then(|name| name.to_str()) {
        Some("own.env") => Ok("OWN=1".to_owned()),
        _ => Err(io::Error::from(io::ErrorKind::NotFound)),
    };
    load(&Inputs {
        base: vec![source(base)],
        local: local.map(source),
        directory: PathBuf::from("/srv/shop"),
        variables: &variables,
        read: &read,
    })
}

/// Every supported setting by its path, free keys spelled `*`.
fn supported(prefix: &str, shape: &Shape, found: &mut Vec<String>) {
    let mut below = |fields: &Fields, wanted: &dyn Fn(&Setting) -> bool| {
        for setting in fields.settings.iter().filter(|one| one.support == Support::Now && wanted(one)) {
            let path = format!("{prefix}{}", setting.key);
            supported(&format!("{path}."), &setting.shape, found);
            found.push(path);
        }
    };
    match shape {
        Shape::Table(fields) => below(fields, &|_| true),
        Shape::Inherited(fields) => below(fields, &|setting| setting.inherited),
        Shape::Map(_, of) => supported(&format!("{prefix}*."), of, found),
        Shape::Either(shapes) => shapes.iter().for_each(|shape| supported(prefix, shape, found)),
        _ => {}
    }
}

/// Every key of a tree that is a declared setting by its path, with the way to it.
fn present(
    prefix: &str,
    way: &[String],
    table: &Table,
    shape: &Shape,
    found: &mut Vec<(String, Vec<String>)>,
) {
    for entry in &table.0 {
        let mut way = way.to_vec();
        way.push(entry.key.clone());
        let (path, inner) = match shape {
            Shape::Table(fields) | Shape::Inherited(fields) => match fields.setting(&entry.key) {
                None => continue,
                Some(setting) => (format!("{prefix}{}", setting.key), setting.shape),
            },
            Shape::Map(_, of) => (format!("{prefix}*"), **of),
            _ => continue,
        };
        let inner = match inner {
            Shape::Either(shapes) => {
                shapes.iter().find(|shape| shape.accepts(&entry.value.data)).copied().unwrap_or(inner)
            }
            inner => inner,
        };
        if let Data::Table(table) = &entry.value.data {
            present(&format!("{path}."), &way, table, &inner, found);
        }
        if !matches!(shape, Shape::Map(..)) {
            found.push((path, way));
        }
    }
}

fn without(table: &mut Table, way: &[String]) {
    match way {
        [] => {}
        [last] => table.0.retain(|entry| entry.key != *last),
        [first, rest @ ..] => {
            let entry = table.0.iter_mut().find(|entry| entry.key == *first);
            if let Some(Data::Table(table)) = entry.map(|entry| &mut entry.value.data) {
                without(table, rest);
            }
        }
    }
}

/// The text of a tree as TOML, everything inline.
fn spelled(data: &Data) -> String {
    match data {
        Data::Text(text) => format!("{text:?}"),
        Data::Integer(number) => number.to_string(),
        Data::Float(number) => format!("{number:?}"),
        Data::Boolean(boolean) => boolean.to_string(),
        Data::List(list) => {
            format!("[{}]", list.iter().map(|value| spelled(&value.data)).collect::<Vec<_>>().join(", "))
        }
        Data::Table(table) => format!("{{ {} }}", entries(table).join(", ")),
        other => panic!("{other:?} is no parsed value"),
    }
}

fn entries(table: &Table) -> Vec<String> {
    table.0.iter().map(|entry| format!("{:?} = {}", entry.key, spelled(&entry.value.data))).collect()
}

/// Every declared setting is in `everything.toml`, and taking it out there changes what is read: nothing is declared
/// and then ignored.
#[test]
fn every_declared_setting_is_read() {
    let tree = parse(&source(everything()), &mut Report::default());
    let whole = load_texts(everything(), None).unwrap_or_else(|problems| panic!("{}", problems.plain()));
    let mut ways = Vec::new();
    present("", &[], &tree, &Shape::Table(&FILE), &mut ways);
    let mut declared = Vec::new();
    supported("", &Shape::Table(&FILE), &mut declared);
    assert!(declared.len() > 50, "{}", declared.len());
    for path in declared {
        let there: Vec<_> = ways.iter().filter(|(present, _)| *present == path).collect();
        assert!(!there.is_empty(), "`{path}` is not in everything.toml");
        let read = there.iter().any(|(_, way)| {
            let mut less = tree.clone();
            without(&mut less, way);
            match load_texts(&entries(&less).join("\n"), None) {
                Err(_) => true,
                Ok(project) => Project { fingerprint: whole.fingerprint, ..project } != whole,
            }
        });
        assert!(read, "`{path}` changes nothing");
    }
}

/// Whatever is declared for later is refused by its own name, wherever it may stand.
#[test]
fn every_later_setting_is_refused() {
    fn later(prefix: &str, shape: &Shape, found: &mut Vec<String>) {
        match shape {
            Shape::Table(fields) | Shape::Inherited(fields) => {
                let all = matches!(shape, Shape::Table(_));
                for setting in fields.settings {
                    let path = format!("{prefix}{}", setting.key);
                    match setting.support {
                        Support::Later => found.push(path),
                        Support::Now if all || setting.inherited => {
                            later(&format!("{path}."), &setting.shape, found);
                        }
                        Support::Now => {}
                    }
                }
            }
            Shape::Map(_, of) => later(&format!("{prefix}x."), of, found),
            _ => {}
        }
    }
    let mut paths = Vec::new();
    later("", &Shape::Table(&FILE), &mut paths);
    assert!(paths.len() > 20, "{}", paths.len());
    for path in paths {
        let problems = load_texts(&format!("{path} = 1"), None).unwrap_err();
        let refused = problems.iter().find(|problem| problem.code() == Code::NotSupportedYet);
        let message = refused.map(|problem| problem.message().to_owned());
        assert_eq!(message, Some(format!("`{path}` is not supported yet")));
    }
}

/// A file that says every default is read as one that says nothing.
#[test]
fn declared_defaults_are_the_ones_in_force() {
    let mut lines = Vec::new();
    defaults("", &SERVICE, &mut lines);
    assert!(lines.len() > 15, "{lines:?}");
    let bare = load_texts("[service.x]\ncommand = \"x\"", None).unwrap();
    for line in lines {
        let beside = [
            ("ready.", "ready.tcp = \"h:1\""),
            ("health.", "health.tcp = \"h:1\""),
            ("reload.", "reload.exec = \"r\""),
            ("hooks.before_start.", "hooks.before_start.command = \"h\""),
            ("hooks.after_start.", "hooks.after_start.command = \"h\""),
            ("hooks.before_stop.", "hooks.before_stop.command = \"h\""),
            ("hooks.after_stop.", "hooks.after_stop.command = \"h\""),
        ];
        let ready = beside.iter().find(|(key, _)| line.starts_with(key)).map_or("", |(_, text)| text);
        let base = format!("[service.x]\ncommand = \"x\"\n{ready}");
        let said = load_texts(&format!("{base}\n{line}"), None);
        let said = said.unwrap_or_else(|problems| panic!("{line}: {}", problems.plain()));
        assert_eq!(said.specs, load_texts(&base, None).unwrap().specs, "{line}");
        assert_eq!(said.specs.len(), bare.specs.len());
    }
}

fn defaults(prefix: &str, fields: &Fields, lines: &mut Vec<String>) {
    for setting in fields.settings.iter().filter(|setting| setting.support == Support::Now) {
        let path = format!("{prefix}{}", setting.key);
        if let Ok(value) = serde_json::from_str::<serde_json::Value>(setting.default) {
            lines.push(format!("{path} = {value}"));
        }
        if let Shape::Table(fields) = &setting.shape {
            defaults(&format!("{path}."), fields, lines);
        }
    }
}

/// The schema knows exactly the supported settings.
#[test]
fn the_schema_knows_what_the_reader_knows() {
    fn keys(prefix: &str, schema: &serde_json::Value, found: &mut Vec<String>) {
        let inner = |schema: &serde_json::Value| schema.as_object().cloned().unwrap_or_default();
        for (key, below) in inner(&schema["properties"]) {
            let path = format!("{prefix}{key}");
            assert!(below["description"].is_string(), "{path} has no description");
            keys(&format!("{path}."), &below, found);
            found.push(path);
        }
        if schema["additionalProperties"].is_object() {
            keys(&format!("{prefix}*."), &schema["additionalProperties"], found);
        }
        for form in schema["anyOf"].as_array().into_iter().flatten() {
            keys(prefix, form, found);
        }
    }
    let (mut schema, mut declared) = (Vec::new(), Vec::new());
    keys("", &crate::schema(), &mut schema);
    supported("", &Shape::Table(&FILE), &mut declared);
    // Inside a list, as `env_file` may be, the same keys come again.
    schema.sort();
    schema.dedup();
    declared.sort();
    declared.dedup();
    assert_eq!(schema, declared);
}

#[test]
fn local_overrides_reach_every_depth() {
    let base =
        "[service.x]\ncommand = \"x\"\nready.tcp = \"h:1\"\nready.timeout = \"1s\"\nrestart.delay = \"3s\"";
    let local = "[service.x]\nready.after = \"2s\"\nready.timeout = \"9s\"\nrestart = \"always\"";
    let said = "[service.x]\ncommand = \"x\"\nready = { after = \"2s\", timeout = \"9s\" }\n\
                restart = { policy = \"always\", delay = \"3s\" }";
    let merged = load_texts(base, Some(local)).unwrap_or_else(|problems| panic!("{}", problems.plain()));
    assert_eq!(merged.specs, load_texts(said, None).unwrap().specs);
}
