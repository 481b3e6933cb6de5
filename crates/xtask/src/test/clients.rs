//! Clients that nobody here wrote, and that doors are tested with: from PyPI, in pinned versions, into a cache of ours.

use std::{path::PathBuf, process::Command};

use anyhow::Result;

use crate::repo;

/// `supervisorctl`. The test that runs it looks for it in the same place.
const SUPERVISOR: &str = "supervisor-4.3.0";

/// Installs what is missing; says so when that does not work.
pub(super) fn install() -> Result<()> {
    let dir = repo::cache_dir()?.join(SUPERVISOR);
    if !dir.join("supervisor/supervisorctl.py").is_file() {
        install_into(&dir)?;
    }
    Ok(())
}

/// Beside its place first: a half of it would be taken for the whole.
fn install_into(dir: &PathBuf) -> Result<()> {
    let work = dir.with_extension(format!("work-{}", std::process::id()));
    let mut pip = Command::new("python3");
    pip.env("PIP_ROOT_USER_ACTION", "ignore").args(["-m", "pip", "install", "--quiet", "--no-deps"]);
    pip.args(["--only-binary", ":all:", "--target"]).arg(&work).arg(SUPERVISOR.replace('-', "=="));
    crate::run_visibly(&mut pip)?;
    // Another run may have been faster.
    if std::fs::rename(&work, dir).is_err() {
        std::fs::remove_dir_all(&work)?;
    }
    Ok(())
}
