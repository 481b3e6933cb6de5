//! Files that are right and what they become, files that are wrong and what a person is told.
//!
//! A case is one `NAME.toml`. A line `#:file PATH` begins another file of the same case: `mainstay.local.toml`, an
//! addition `conf.d/*.toml`, or an `env_file`. Beside it lies `NAME.txt`, the outcome. `UPDATE_GOLDEN=1` rewrites those:
//! read the difference.

#![expect(
    clippy::unwrap_used,
    clippy::print_stderr,
    clippy::disallowed_methods,
    reason = "the room is pure; these tests read its cases"
)]

use std::{
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
};

use mainstay_config::{
    Explained, Inputs, Key, Overridden, Problems, Project, Source, UsedBy, explain, load, reference, schema,
};

/// The files of a case: path and text.
fn files(case: &str) -> Vec<(String, String)> {
    let mut files = vec![("mainstay.toml".to_owned(), String::new())];
    for line in case.split_inclusive('\n') {
        match line.strip_prefix("#:file ") {
            Some(path) => files.push((path.trim().to_owned(), String::new())),
            None => files.last_mut().unwrap().1.push_str(line),
        }
    }
    files
}

fn variables() -> BTreeMap<String, String> {
    [
        ("HOME", "/home/ann"),
        ("PATH", "/usr/bin:/bin"),
        ("USER", "ann"),
        ("LANG", "C.UTF-8"),
        ("LC_ALL", "C"),
        ("TZ", "UTC"),
        ("SSH_AUTH_SOCK", "/run/agent"),
        ("SECRET", "not passed on"),
        ("PORT", "8080"),
        ("EMPTY", ""),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .into()
}

fn load_case(case: &str) -> Result<Project, Problems> {
    with_inputs(case, load)
}

fn with_inputs<T>(case: &str, read: impl FnOnce(&Inputs<'_>) -> T) -> T {
    let (mut base, mut local, mut others) = (Vec::new(), None, BTreeMap::new());
    for (path, text) in files(case) {
        match path.as_str() {
            "mainstay.local.toml" => local = Some(Source { path: path.into(), text }),
            toml if toml.ends_with(".toml") => base.push(Source { path: path.into(), text }),
            _ => drop(others.insert(path, text)),
        }
    }
    let reader = |path: &Path| {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        match (name, others.get(name)) {
            ("forbidden.env", _) => Err(io::Error::new(io::ErrorKind::PermissionDenied, "permission denied")),
            (_, Some(text)) => Ok(text.clone()),
            (_, None) => Err(io::Error::from(io::ErrorKind::NotFound)),
        }
    };
    let variables = variables();
    let directory = PathBuf::from("/srv/shop");
    read(&Inputs { base, local, directory, variables: &variables, read: &reader })
}

fn cases(folder: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests").join(folder);
    let mut cases: Vec<PathBuf> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "toml"))
        .collect();
    cases.sort();
    cases
}

/// Compares with the golden file, or rewrites it; says whether they differ.
fn differs(golden: &Path, outcome: &str) -> bool {
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        fs::write(golden, outcome).unwrap();
        return false;
    }
    let differs = fs::read_to_string(golden).unwrap_or_default() != outcome;
    if differs {
        eprintln!("--- {} should read:\n{outcome}", golden.display());
    }
    differs
}

fn check_all(folder: &str, outcome: impl Fn(&str) -> String) {
    let cases = cases(folder);
    let different: Vec<&PathBuf> = cases
        .iter()
        .filter(|path| differs(&path.with_extension("txt"), &outcome(&fs::read_to_string(path).unwrap())))
        .collect();
    assert!(different.is_empty(), "these differ (see above; UPDATE_GOLDEN=1 rewrites): {different:#?}");
}

/// The golden files have the slashes of Unix.
fn skipped() -> bool {
    if cfg!(windows) {
        eprintln!("skipped: on Windows paths are spelled otherwise");
    }
    cfg!(windows)
}

#[test]
fn right_files_become_what_they_say() {
    if skipped() {
        return;
    }
    check_all("valid", |case| match load_case(case) {
        Ok(Project { name, specs, env_files, .. }) => {
            format!("name: {name}\nenv files: {env_files:?}\n{specs:#?}\n")
        }
        Err(problems) => format!("refused:\n{}", problems.plain()),
    });
    for path in cases("valid") {
        assert!(load_case(&fs::read_to_string(&path).unwrap()).is_ok(), "{}", path.display());
    }
}

/// A line a value: what is in force, who says so, what was replaced in it; below it, what it took the place of.
fn told(explained: &Explained) -> String {
    let mark = |secret: bool| if secret { " (secret)" } else { "" };
    let Explained { key, value, origin, variables, overridden, secret } = explained;
    let value = value.as_ref().map_or("-".to_owned(), |value| format!("{} ({})", value.toml(), value.kind()));
    let mut text = format!("{key} = {value}{} <- {origin}", mark(*secret));
    for used in variables {
        let by = match used.by {
            UsedBy::Value => "",
            UsedBy::Fallback => " not set: its default",
        };
        text.push_str(&format!(" ${{{}}}{by}", used.name));
    }
    text.push('\n');
    for Overridden { key, value, origin, secret } in overridden {
        text.push_str(&format!("    over {key} = {}{} <- {origin}\n", value.toml(), mark(*secret)));
    }
    text
}

#[test]
fn every_value_has_an_origin() {
    if skipped() {
        return;
    }
    check_all("explain", |case| match with_inputs(case, explain) {
        // Only one case tells what nobody says, so that a new setting does not change them all.
        Ok(explained) => {
            let all = case.starts_with("# Everything.");
            let is_said = |one: &&Explained| one.origin.place().is_some();
            explained.iter().filter(|one| all || is_said(one)).map(told).collect()
        }
        Err(problems) => format!("refused:\n{}", problems.plain()),
    });
}

/// Whatever a right file says, all of it is told once, and nothing hangs where no setting is.
#[test]
fn every_right_file_is_explained() {
    for path in cases("valid") {
        let explained = with_inputs(&fs::read_to_string(&path).unwrap(), explain).unwrap();
        let keys: std::collections::BTreeSet<_> = explained.iter().map(|one| &one.key).collect();
        assert_eq!(keys.len(), explained.len(), "{}", path.display());
        for one in &explained {
            assert_eq!(one.key.check(), Ok(()), "{}", path.display());
            assert!(one.overridden.iter().all(|other| other.origin != one.origin), "{one:?}");
        }
        // The environment that is told is the one that is given.
        let project = load_case(&fs::read_to_string(&path).unwrap()).unwrap();
        for spec in &project.specs {
            let number = spec.id.instance.map_or(1, std::num::NonZeroU32::get);
            let env = Key::of_service(spec.id.name.as_str()).child("env");
            let told = explained.iter().filter(|one| number == 1 && env.below(&one.key).is_some());
            for one in told {
                let name = one.key.parts().last().unwrap();
                let given = spec.env.get(name).or(spec.inherited.get(name)).unwrap();
                assert_eq!(one.value.as_ref().unwrap().plain().replace("{instance}", "1"), *given, "{name}");
            }
            let count =
                spec.inherited.keys().chain(spec.env.keys()).collect::<std::collections::BTreeSet<_>>().len();
            let told = explained.iter().filter(|one| env.below(&one.key).is_some()).count();
            assert_eq!(told, count, "{}", spec.id);
        }
    }
}

#[test]
fn wrong_files_are_refused_with_place_and_help() {
    if skipped() {
        return;
    }
    assert!(cases("invalid").len() >= 40);
    check_all("invalid", |case| match load_case(case) {
        Ok(project) => format!("ACCEPTED: {:#?}\n", project.specs),
        Err(problems) => problems.plain(),
    });
    for path in cases("invalid") {
        let problems = load_case(&fs::read_to_string(&path).unwrap()).unwrap_err();
        for problem in problems.iter() {
            assert!(!problem.help().is_empty() && !problem.help().contains('\n'), "{problem:?}");
            assert!(problem.line() > 0 && problem.column() > 0);
        }
    }
}

#[test]
fn the_schema_and_the_reference_are_the_reviewed_ones() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/generated");
    let schema = format!("{}\n", serde_json::to_string_pretty(&schema()).unwrap());
    let different =
        [differs(&folder.join("schema.json"), &schema), differs(&folder.join("reference.md"), &reference())];
    assert_eq!(different, [false, false], "see above; UPDATE_GOLDEN=1 rewrites");
}

/// What the terminal shows is made by miette from the same problems.
#[test]
fn problems_are_diagnostics() {
    let problems = load_case("[service.api]\ncomand = \"x\"\nstop.timeout = 5\n").unwrap_err();
    let mut out = String::new();
    miette::NarratableReportHandler::new().render_report(&mut out, &problems).unwrap();
    for part in
        ["config::unknown_key", "did you mean `command`?", "config::invalid_duration", "mainstay.toml"]
    {
        assert!(out.contains(part), "{part} is missing in:\n{out}");
    }
    let places: Vec<_> = problems.iter().map(|problem| (problem.line(), problem.column())).collect();
    assert_eq!(places, [(2, 1), (3, 16)]);
    assert_eq!(problems.to_string(), "the configuration has 2 problems");
}

#[test]
fn the_fingerprint_follows_every_file() {
    let case = "[service.api]\ncommand = \"./api\"\nenv_file = { path = \"a.env\", optional = true }\n";
    let of = |case: &str| load_case(case).unwrap().fingerprint;
    assert_eq!(of(case), of(case));
    assert_ne!(of(case), of(&format!("{case} ")));
    assert_ne!(of(case), of(&format!("{case}#:file a.env\n")));
    assert_ne!(of(&format!("{case}#:file a.env\n")), of(&format!("{case}#:file a.env\nA=1\n")));
    assert_ne!(of(case), of(&format!("{case}#:file mainstay.local.toml\n")));
}
