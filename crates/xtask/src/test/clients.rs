//! Clients that nobody here wrote, and that doors are tested with: from PyPI, in pinned versions, into a cache of ours.

use std::{path::Path, process::Command};

use anyhow::{Context as _, Result};

use crate::repo;

/// What the tests run. They look for it in the same place.
struct Client {
    /// Name and version, and its folder.
    name: &'static str,
    /// What is there once it is installed.
    file: &'static str,
    /// The form in which PyPI has it.
    form: Form,
}

enum Form {
    Wheel,
    /// The whole of it is a file or two of Python.
    Source,
}

const CLIENTS: [Client; 2] = [
    Client { name: "supervisor-4.3.0", file: "supervisor/supervisorctl.py", form: Form::Wheel },
    Client { name: "sdnotify-0.3.2", file: "sdnotify/__init__.py", form: Form::Source },
];

/// Installs what is missing; says so when that does not work.
pub(super) fn install() -> Result<()> {
    let cache = repo::cache_dir()?;
    for client in CLIENTS {
        let dir = cache.join(client.name);
        if !dir.join(client.file).is_file() {
            install_into(&dir, &client).with_context(|| format!("`{}`", client.name))?;
        }
    }
    Ok(())
}

/// Beside its place first: a half of it would be taken for the whole.
fn install_into(dir: &Path, client: &Client) -> Result<()> {
    let work = dir.with_extension(format!("work-{}", std::process::id()));
    let mut pip = Command::new("python3");
    pip.env("PIP_ROOT_USER_ACTION", "ignore").args(["-m", "pip", "install", "--quiet", "--no-deps"]);
    if matches!(client.form, Form::Wheel) {
        pip.args(["--only-binary", ":all:"]);
    }
    pip.arg("--target").arg(&work).arg(client.name.replace('-', "=="));
    crate::run_visibly(&mut pip)?;
    // Another run may have been faster.
    if std::fs::rename(&work, dir).is_err() {
        std::fs::remove_dir_all(&work)?;
    }
    Ok(())
}
