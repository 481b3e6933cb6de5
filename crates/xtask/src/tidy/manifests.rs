//! Reads every `crates/*/Cargo.toml` and holds it against the table of floors. Never looks at code.

use std::path::Path;

use anyhow::{Context as _, Result};
use toml::{Table, Value};

use super::{
    Problem,
    floors::{self, Room},
};
use crate::repo;

/// Where cargo reads dependencies from, at the top and below `[target.*]`.
const SECTIONS: [&str; 3] = ["dependencies", "dev-dependencies", "build-dependencies"];

/// Names that say nothing of what a room must never do.
const SHAPELESS: [&str; 9] =
    ["core", "common", "utils", "util", "helpers", "helper", "shared", "misc", "base"];

/// What is wrong with the manifests.
pub(super) fn problems(root: &Path) -> Result<Vec<Problem>> {
    let workspace = parse(&root.join("Cargo.toml"))?;
    let mut problems = Vec::new();
    for dir in repo::crate_dirs(root)? {
        let path = dir.join("Cargo.toml");
        let name = dir.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let manifest =
            Manifest { path: repo::shown(root, &path), table: parse(&path)?, workspace: &workspace };
        match floors::find(&name) {
            Some(room) => problems.extend(manifest.problems(room)),
            None => problems.push(unknown_room(&manifest.path, &name)),
        }
    }
    Ok(problems)
}

fn parse(path: &Path) -> Result<Table> {
    repo::read(path)?.parse().with_context(|| format!("`{}` is no TOML", path.display()))
}

fn unknown_room(path: &str, name: &str) -> Problem {
    if SHAPELESS.contains(&name) {
        return Problem::new(
            path,
            format!("a room called `{name}` has no \"must never\""),
            "name it after its one thought, or put each part where it is used",
        );
    }
    Problem::new(
        path,
        format!("room `{name}` is not in the table of floors"),
        "add it to ROOMS in crates/xtask/src/tidy/floors.rs and to docs/architecture.md, with what it must never do",
    )
}

/// One crate's manifest.
struct Manifest<'a> {
    path: String,
    table: Table,
    workspace: &'a Table,
}

impl Manifest<'_> {
    fn problems(&self, room: &Room) -> Vec<Problem> {
        let mut problems = self.package(room);
        problems.extend(self.imports().into_iter().filter_map(|import| self.import(room, &import)));
        problems
    }

    fn package(&self, room: &Room) -> Vec<Problem> {
        let mut problems = Vec::new();
        let name = lookup(&self.table, &["package", "name"]).and_then(Value::as_str).unwrap_or_default();
        if name != room.package() {
            let what = format!("the package of room `{}` is called `{name}`", room.name);
            problems.push(Problem::new(&self.path, what, format!("call it `{}`", room.package())));
        }
        if lookup(&self.table, &["lints", "workspace"]) != Some(&Value::Boolean(true)) {
            problems.push(Problem::new(
                &self.path,
                "does not inherit the workspace's lints",
                "add `[lints]` with `workspace = true`",
            ));
        }
        problems
    }

    /// The packages of our own that this one names, in every kind of dependency.
    fn imports(&self) -> Vec<String> {
        let targets = self.table.get("target").and_then(Value::as_table);
        let tables = std::iter::once(&self.table)
            .chain(targets.into_iter().flat_map(|table| table.values()).filter_map(Value::as_table));
        let mut names: Vec<String> = tables
            .flat_map(|table| SECTIONS.iter().filter_map(|section| table.get(*section)?.as_table()))
            .flatten()
            .filter_map(|(key, value)| self.our_package(key, value))
            .collect();
        names.sort();
        names.dedup();
        names
    }

    /// The package behind a dependency when it is ours: seen through renames and through `workspace = true`.
    fn our_package(&self, key: &str, value: &Value) -> Option<String> {
        let inherited = lookup(self.workspace, &["workspace", "dependencies", key]);
        let field = |name: &str| value.get(name).or_else(|| inherited.and_then(|it| it.get(name)));
        let package = field("package").and_then(Value::as_str).unwrap_or(key);
        let is_ours = field("path").is_some() || package == "mainstay" || package.starts_with("mainstay-");
        is_ours.then(|| package.to_owned())
    }

    fn import(&self, room: &Room, package: &str) -> Option<Problem> {
        let Some(other) = floors::ROOMS.iter().find(|other| other.package() == package) else {
            let what = format!("imports `{package}`, which is no room in the table of floors");
            let help = "add it to ROOMS in crates/xtask/src/tidy/floors.rs, or drop the import";
            return Some(Problem::new(&self.path, what, help));
        };
        let (what, help) = room.may_not_import(other)?;
        Some(Problem::new(&self.path, what, help))
    }
}

fn lookup<'a>(table: &'a Table, keys: &[&str]) -> Option<&'a Value> {
    let (first, rest) = keys.split_first()?;
    rest.iter().try_fold(table.get(*first)?, |value, key| value.get(*key))
}
