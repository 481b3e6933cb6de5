//! Whether each pure room's `clippy.toml` bans clocks, files, threads and the environment. Clippy does the banning.

use std::path::Path;

use anyhow::{Context as _, Result};
use toml::{Table, Value};

use super::{Problem, floors};
use crate::repo;

/// What every pure room must ban; it may ban more.
const BANNED: [&str; 15] = [
    "std::time::Instant::now",
    "std::time::SystemTime::now",
    "std::thread::spawn",
    "std::thread::sleep",
    "std::env::var",
    "std::env::vars",
    "std::env::var_os",
    "std::env::current_dir",
    "std::fs::read",
    "std::fs::read_to_string",
    "std::fs::write",
    "std::fs::File::open",
    "std::fs::File::create",
    "std::path::Path::exists",
    "std::process::Command::new",
];

/// What is missing from pure rooms' bans.
pub(super) fn problems(root: &Path) -> Result<Vec<Problem>> {
    let mut problems = Vec::new();
    for room in floors::pure_rooms().filter(|room| root.join("crates").join(room).is_dir()) {
        problems.extend(of_room(root, room)?);
    }
    Ok(problems)
}

fn of_room(root: &Path, room: &str) -> Result<Option<Problem>> {
    let path = root.join("crates").join(room).join("clippy.toml");
    let shown = repo::shown(root, &path);
    if !path.is_file() {
        let what = format!("the pure room `{room}` has no `clippy.toml`");
        return Ok(Some(Problem::new(
            shown,
            what,
            "copy crates/model/clippy.toml: it bans clocks, files and threads",
        )));
    }
    let table: Table = repo::read(&path)?.parse().with_context(|| format!("`{shown}` is no TOML"))?;
    let banned = paths(&table);
    let missing: Vec<&str> = BANNED.into_iter().filter(|path| !banned.contains(path)).collect();
    Ok((!missing.is_empty()).then(|| {
        let what = format!("the pure room `{room}` does not ban {}", missing.join(", "));
        Problem::new(shown, what, "add each to `disallowed-methods`, with its reason")
    }))
}

/// The entries of `disallowed-methods`: plain paths, or tables with one.
fn paths(table: &Table) -> Vec<&str> {
    let entries = table.get("disallowed-methods").and_then(Value::as_array);
    entries
        .into_iter()
        .flatten()
        .filter_map(|entry| entry.as_str().or_else(|| entry.get("path").and_then(Value::as_str)))
        .collect()
}
