//! Where things are in the checkout. Knows paths, and nothing of what the files mean.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result};

/// The checkout.
pub(crate) fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors().nth(2).unwrap_or(here).to_owned()
}

/// The cargo that runs us, in the checkout.
pub(crate) fn cargo() -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(root());
    command
}

/// Where cargo puts what it builds.
pub(crate) fn target_dir() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), |dir| root().join(dir))
}

/// What is kept from one checkout to the next.
pub(crate) fn cache_dir() -> Result<PathBuf> {
    let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let cache = set("XDG_CACHE_HOME").or_else(|| Some(set("HOME")?.join(".cache")));
    Ok(cache.context("neither XDG_CACHE_HOME nor HOME is set")?.join("mainstay-ci"))
}

/// What cargo resolved for the workspace at `root`.
pub(crate) fn read_metadata(root: &Path) -> Result<serde_json::Value> {
    let mut command = cargo();
    command.current_dir(root).args(["metadata", "--format-version", "1", "--locked"]);
    let text = crate::read_output(&mut command)?;
    serde_json::from_str(&text).context("`cargo metadata` did not print JSON")
}

/// The folders below `crates/`, sorted by name.
pub(crate) fn crate_dirs(root: &Path) -> Result<Vec<PathBuf>> {
    Ok(entries(&root.join("crates"))?.into_iter().filter(|path| path.join("Cargo.toml").is_file()).collect())
}

/// Folders that hold nothing that a person wrote.
const NOT_OURS: [&str; 3] = ["target", ".git", ".mainstay"];

/// Every file below `dir` with this extension, sorted.
pub(crate) fn files(dir: &Path, extension: &str) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for path in entries(dir)? {
        if path.is_dir() && path.file_name().is_some_and(|name| NOT_OURS.iter().all(|it| name != *it)) {
            found.extend(files(&path, extension)?);
        } else if path.extension().is_some_and(|it| it == extension) {
            found.push(path);
        }
    }
    Ok(found)
}

/// The text of a file.
pub(crate) fn read(path: &Path) -> Result<String> {
    std::fs::read_to_string(path).with_context(|| format!("cannot read `{}`", path.display()))
}

/// A path as the report shows it: from the checkout's root.
pub(crate) fn shown(root: &Path, path: &Path) -> String {
    path.strip_prefix(root).unwrap_or(path).display().to_string()
}

/// Whether a program of this name is on the PATH.
pub(crate) fn on_path(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|dir| dir.join(program).is_file())
}

fn entries(dir: &Path) -> Result<Vec<PathBuf>> {
    let read = std::fs::read_dir(dir).with_context(|| format!("cannot list `{}`", dir.display()))?;
    let mut paths = read.map(|entry| Ok(entry?.path())).collect::<Result<Vec<PathBuf>>>()?;
    paths.sort();
    Ok(paths)
}
