//! A sample project that runs until it is dropped. Knows no picture.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail};
use serde_json::Value;

use super::{
    mirror::Mirror,
    samples::{NEWER, Sample},
};

/// How long a project may take until it is as it shall be.
const PATIENCE: Duration = Duration::from_secs(120);

/// How often it is looked at.
const GLANCE: Duration = Duration::from_millis(100);

/// Begins a setting that an earlier program does not have.
const NEW_SETTING: &str = "health =";

/// A project that runs.
pub(super) struct Project {
    sample: &'static Sample,
    program: PathBuf,
    dir: PathBuf,
    runtime: PathBuf,
    mirror: Option<Mirror>,
}

impl Project {
    /// Makes its folder, starts it, and waits until it is worth a look.
    pub(super) fn start(sample: &'static Sample, program: &Path, root: &Path) -> Result<Self> {
        let (dir, runtime) = (root.join(sample.name), root.join("run"));
        for dir in [&dir, &runtime] {
            fs::create_dir_all(dir).with_context(|| format!("cannot make `{}`", dir.display()))?;
        }
        let mut project = Self { sample, program: program.to_owned(), dir, runtime, mirror: None };
        project.write(&(sample.file)())?;
        let is_understood = project.ask(&["check"])?.0;
        if !is_understood {
            println!("skipped `{NEW_SETTING} …` in {}: the program does not have it", sample.name);
            let file = (sample.file)();
            let known: Vec<&str> = file.lines().filter(|line| !line.starts_with(NEW_SETTING)).collect();
            project.write(&known.join("\n"))?;
        }
        // Whether everything gets there is not asked: some is not meant to.
        project.ask(&["up", "-d", "--timeout", "1s"])?;
        for act in sample.acts {
            project.ask(act)?;
        }
        project.wait(is_understood)?;
        project.mirror = Some(Mirror::before(&project.dir, &root.join("mirror"))?);
        Ok(project)
    }

    /// The program in the project's folder, with a known environment.
    pub(super) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.program);
        command.args(arguments).current_dir(&self.dir).env("XDG_RUNTIME_DIR", &self.runtime).env("TZ", "UTC");
        let ours =
            |name: &str| name.starts_with("MAINSTAY_") || matches!(name, "NO_COLOR" | "COLUMNS" | "LINES");
        for (name, _) in std::env::vars_os().filter(|(name, _)| ours(&name.to_string_lossy())) {
            command.env_remove(name);
        }
        command
    }

    /// Makes its file newer than what runs, or not.
    pub(super) fn become_newer(&mut self, newer: bool) -> Result<()> {
        let file = self.dir.join("mainstay.toml");
        let text = fs::read_to_string(&file).with_context(|| format!("cannot read `{}`", file.display()))?;
        let (now, then) = NEWER;
        self.write(&if newer { text.replace(now, then) } else { text.replace(then, now) })
    }

    fn write(&self, text: &str) -> Result<()> {
        let file = self.dir.join("mainstay.toml");
        fs::write(&file, text).with_context(|| format!("cannot write `{}`", file.display()))
    }

    /// Runs a verb: whether it went well, and what it said.
    fn ask(&self, arguments: &[&str]) -> Result<(bool, Vec<u8>)> {
        let mut command = self.command(arguments);
        let output = command.stdin(Stdio::null()).output();
        let output = output.with_context(|| format!("cannot run `{}`", crate::line(&command)))?;
        Ok((output.status.success(), output.stdout))
    }

    fn wait(&self, has_new_settings: bool) -> Result<()> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let seen: Value = serde_json::from_slice(&self.ask(&["list", "--json"])?.1).unwrap_or_default();
            let late = self.sample.awaited.iter().find(|(id, code)| !stands(&seen, id, code));
            match late {
                Some(("payments", _)) if !has_new_settings => return Ok(()),
                None => return Ok(()),
                Some((id, code)) if Instant::now() > deadline => {
                    bail!(
                        "waited {PATIENCE:?} for `{id}` of {} to be `{code}` in:\n{seen:#}",
                        self.sample.name
                    )
                }
                Some(_) => thread::sleep(GLANCE),
            }
        }
    }
}

impl Drop for Project {
    fn drop(&mut self) {
        self.mirror = None;
        match self.ask(&["down", "--timeout", "60s"]) {
            Ok((true, _)) => {}
            Ok((false, _)) => println!("`mainstay down` failed in {}", self.dir.display()),
            Err(error) => println!("{error:#}"),
        }
    }
}

/// Whether a service is as it is for this reason. A crash loop counts once its long pause has come.
fn stands(seen: &Value, id: &str, code: &str) -> bool {
    let (name, instance) = id.split_once('@').map_or((id, None), |(name, number)| (name, Some(number)));
    let mut services = seen["services"].as_array().into_iter().flatten();
    services.any(|service| {
        let is_it = service["name"] == name && service["instance"].as_str() == instance;
        is_it && service["reason"]["code"] == code && (code != "backoff" || service["restarts"] == 1)
    })
}
