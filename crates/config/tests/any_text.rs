//! Whatever the text: no panic, and a refusal that names a place inside it.

use std::{collections::BTreeMap, io, path::PathBuf};

use mainstay_config::{Inputs, Problems, Project, Source, load};
use proptest::prelude::*;

fn load_texts(base: &str, local: Option<&str>) -> Result<Project, Problems> {
    let variables = BTreeMap::from([("A".to_owned(), "a b".to_owned())]);
    let source = |text: &str| Source { path: "mainstay.toml".into(), text: text.to_owned() };
    load(&Inputs {
        base: vec![source(base)],
        local: local.map(source),
        directory: PathBuf::from("/srv/shop"),
        variables: &variables,
        read: &|_| Err(io::Error::from(io::ErrorKind::NotFound)),
    })
}

fn judge(outcome: Result<Project, Problems>) {
    match outcome {
        Ok(project) => assert!(!project.specs.is_empty()),
        Err(problems) => {
            assert!(problems.iter().len() > 0);
            for problem in problems.iter() {
                assert!(problem.line() > 0 && problem.column() > 0);
                assert!(!problem.plain().is_empty() && !problem.message().is_empty());
            }
        }
    }
}

const KEYS: &[&str] = &[
    "command",
    "kind",
    "restart",
    "restart.delay",
    "ready",
    "ready.tcp",
    "stop",
    "stop.timeout",
    "depends_on",
    "env",
    "env.A",
    "env_file",
    "log.max_size",
    "instances",
    "user",
    "working_dir",
    "inherit_env",
    "use",
    "config",
    "config.a.b",
    "runner",
    "comand",
    "mainstay.name",
    "defaults",
    "service",
    "notify",
    "restart.factor",
    "restart.attempts",
];

const VALUES: &[&str] = &[
    "\"x\"",
    "\"oneshot\"",
    "\"periodic\"",
    "\"5s\"",
    "5",
    "-1",
    "1.5",
    "nan",
    "true",
    "[]",
    "[\"a\", 1]",
    "{}",
    "{ a = \"ready\" }",
    "{ tcp = \"h:1\" }",
    "\"${A}\"",
    "\"${B}\"",
    "\"${\"",
    "\"'\"",
    "\"{instance}\"",
    "\"\\u0000\"",
    "2020-01-01",
    "[[1], {}]",
    "\"ä\u{1F980}\"",
    "{ policy = \"always\" }",
    "99999999999999999999",
    "'''\n\n'''",
    "\"",
];

const HEADERS: &[&str] = &[
    "[service.a]",
    "[service.b]",
    "[[service.a]]",
    "[defaults]",
    "[mainstay]",
    "[service.a.ready]",
    "[service]",
    "[",
    "[service.\"\"]",
    "[service.a.depends_on]",
    "[x]",
];

/// Lines that come near to meaning something.
fn line() -> impl Strategy<Value = String> {
    let pair = (prop::sample::select(KEYS), prop::sample::select(VALUES));
    let header = prop::sample::select(HEADERS);
    prop_oneof![
        3 => pair.prop_map(|(key, value)| format!("{key} = {value}")),
        1 => header.prop_map(str::to_owned),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, ..ProptestConfig::default() })]

    #[test]
    fn any_text_is_judged(text in "\\PC*", local in proptest::option::of("\\PC*")) {
        judge(load_texts(&text, local.as_deref()));
    }

    #[test]
    fn any_file_is_judged(
        lines in prop::collection::vec(line(), 0..12),
        local in proptest::option::of(prop::collection::vec(line(), 0..5)),
    ) {
        judge(load_texts(&lines.join("\n"), local.map(|lines| lines.join("\n")).as_deref()));
    }

    #[test]
    fn any_env_file_is_judged(text in "[A-Z=\"'\\\\# \\n\\PC]*") {
        let variables = BTreeMap::new();
        judge(load(&Inputs {
            base: vec![Source { path: "mainstay.toml".into(), text: "service.a = { command = 'x', env_file = 'e' }".to_owned() }],
            local: None,
            directory: PathBuf::from("/srv/shop"),
            variables: &variables,
            read: &|_| Ok(text.clone()),
        }));
    }

    /// What is right stays right, and says the same, when it comes as a local override of itself.
    #[test]
    fn a_file_over_itself_is_itself(lines in prop::collection::vec(line(), 0..8)) {
        let text = format!("[service.a]\n{}", lines.join("\n"));
        if let Ok(project) = load_texts(&text, None) {
            let twice = load_texts(&text, Some(&text)).map(|twice| twice.specs);
            prop_assert_eq!(twice.map_err(|problems| problems.plain()), Ok(project.specs));
        }
    }
}

/// Depth is bounded by the parser, width by us: neither takes the stack or the memory.
#[test]
fn extremes_are_refused() {
    for text in [
        "a.".repeat(100_000) + "a = 1",
        "a = ".to_owned() + &"[".repeat(100_000),
        "a = ".to_owned() + &"{ a = ".repeat(100_000),
        (0..3_000).map(|number| format!("key{number} = 1\n")).collect(),
        (0..20).map(|number| format!("[service.s{number}]\ncommand = 'x'\ninstances = 1000\n")).collect(),
        "[service.a]\ncommand = \"".to_owned() + &"${B}".repeat(10_000) + "\"",
    ] {
        let problems = load_texts(&text, None).unwrap_err();
        assert!(problems.iter().len() <= 500);
    }
}

/// A circle through every service is found without recursion.
#[test]
fn a_long_circle_is_told() {
    let text: String = (0..5_000)
        .map(|number| {
            format!("[service.s{number}]\ncommand = 'x'\ndepends_on = ['s{}']\n", (number + 1) % 5_000)
        })
        .collect();
    let problems = load_texts(&text, None).unwrap_err();
    assert_eq!(problems.iter().len(), 1);
    assert!(problems.iter().all(|problem| problem.code().as_str() == "config::dependency_cycle"));
}
