//! The stories by what they are about, and the words that they share.

mod caring;
mod checking;
mod depending;
mod ending;
mod names;
mod restarting;
mod shapes;
mod yaml;

use std::{fs, path::PathBuf};

use serde_json::Value;

use crate::story::{Project, wait_until};

/// Where the definitions are, a folder a story.
fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/lifecycle/projects")
}

/// The project of this story.
fn told(name: &str) -> Project {
    told_with(name, &[])
}

/// The same, with some of its words replaced.
fn told_with(name: &str, words: &[(&str, &str)]) -> Project {
    let project = Project::new("");
    for entry in fs::read_dir(folder().join(name)).unwrap().flatten() {
        let file = entry.file_name().into_string().unwrap();
        let mut text = fs::read_to_string(entry.path()).unwrap();
        for (from, to) in words {
            text = text.replace(from, to);
        }
        if file.ends_with(".toml") {
            text = hurried(&text);
        }
        project.write(&file, &text);
    }
    project
}

/// A tenth of each time: the definitions say whole seconds, as the others do.
fn hurried(toml: &str) -> String {
    let tenth = |text: &str| {
        let seconds: u32 = text.strip_suffix('s')?.parse().ok()?;
        Some(format!("{}ms", seconds * 100))
    };
    toml.split('"').map(|part| tenth(part).unwrap_or_else(|| part.to_owned())).collect::<Vec<_>>().join("\"")
}

/// The definition as it is later in this story.
fn rewrite(project: &Project) {
    project.write("mainstay.toml", &project.read("mainstay.after.toml"));
}

#[track_caller]
fn wait_for_reason(project: &Project, id: &str, text: &str) -> Value {
    let mut last = Value::Null;
    wait_until(&format!("{id} says `{text}`"), || {
        last = project.service(id);
        reason(&last).contains(text)
    });
    last
}

/// Waits until it was restarted so often without a request, and runs.
#[track_caller]
fn wait_for_restarts(project: &Project, id: &str, restarts: u64) -> Value {
    let mut last = Value::Null;
    wait_until(&format!("{id} runs after {restarts} restarts"), || {
        last = project.service(id);
        last["phase"] == "running" && last["restarts"].as_u64() >= Some(restarts)
    });
    last
}

fn reason(service: &Value) -> &str {
    service["reason"]["text"].as_str().unwrap()
}

/// Everything that happened to services so far, a line each: `db starting → running: ready: …`.
fn happened(project: &Project) -> Vec<String> {
    let history = project.run(&["history", "--json", "-n", "2000"]).expect(0).json();
    let line = |event: &Value| {
        let word = |field: &str| Some(event[field].as_str()?.to_owned());
        let text = event["reason"]["text"].as_str()?;
        Some(format!("{} {} → {}: {text}", word("service")?, word("from")?, word("to")?))
    };
    history["events"].as_array().unwrap().iter().filter_map(line).collect()
}

/// The place of the first thing that happened and begins like this.
#[track_caller]
fn place(happened: &[String], begin: &str) -> usize {
    let place = happened.iter().position(|line| line.starts_with(begin));
    place.unwrap_or_else(|| panic!("no `{begin}` in {happened:#?}"))
}

#[track_caller]
fn wait_for_happened(project: &Project, begin: &str) {
    wait_until(&format!("`{begin}` has happened"), || {
        happened(project).iter().any(|line| line.starts_with(begin))
    });
}
