//! The step `services`: programs of a workspace of their own, which have the library by path, are built and used as a person
//! would. Knows nothing of what the library is made of.

mod measures;
mod running;
mod stories;

use std::path::Path;

use anyhow::{Context as _, Result};

use crate::{repo, run_visibly, test::Outcome};

/// Builds them, and uses each.
pub(crate) fn step() -> Result<Outcome> {
    let manifest = repo::root().join("examples/services/Cargo.toml");
    let folder = repo::target_dir().join("services");
    run_visibly(repo::cargo().args(["fmt", "--all", "--check", "--manifest-path"]).arg(&manifest))?;
    cargo(&manifest, &folder, &["test"])?;
    cargo(&manifest, &folder, &["build"])?;
    stories::all(&folder.join("debug"))?;
    // Alone: what another program wants of the library is no part of it.
    cargo(&manifest, &folder, &["build", "--release", "--package", "hello_world"])?;
    measures::all(&folder.join("release/hello_world")).context("a release build of hello_world")?;
    Ok(Outcome::Passed)
}

fn cargo(manifest: &Path, folder: &Path, words: &[&str]) -> Result<()> {
    let mut cargo = repo::cargo();
    cargo.args(words).args(["--locked", "--manifest-path"]).arg(manifest).arg("--target-dir").arg(folder);
    run_visibly(&mut cargo)
}
