//! One copy of the rooms that a storm needs, in which one fault after the other is planted, built and run. Judges nothing:
//! the storms do.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use crate::list::{Kind, Mutant};

/// The rooms that are copied.
const ROOMS: [&str; 7] = ["model", "decide", "runner", "wire", "host", "keeper", "sim"];
/// The storms that each mutant goes through, until the first that finds it.
const SEEDS: &str = "0..2000";
/// The storms that the healthy core goes through, to know that the lane itself is in order.
const HEALTHY_SEEDS: &str = "0..20";

/// How a mutant fared.
#[derive(Debug)]
pub(crate) enum Verdict {
    /// A storm found it.
    Caught { invariant: String, seed: String, event: String },
    /// None did.
    Survived,
}

/// A copy of the rooms.
#[derive(Debug)]
pub(crate) struct Lane {
    dir: PathBuf,
}

impl Lane {
    /// A fresh copy below `dir`; what was built there before is kept.
    pub(crate) fn new(root: &Path, dir: &Path) -> Result<Self, String> {
        let text = read(&root.join("Cargo.toml"))?;
        let text: Vec<&str> = text.lines().filter(|line| !line.starts_with("default-members")).collect();
        write(&dir.join("Cargo.toml"), &text.join("\n"))?;
        write(&dir.join("Cargo.lock"), &read(&root.join("Cargo.lock"))?)?;
        for room in ROOMS {
            let (from, to) = (root.join("crates").join(room), dir.join("crates").join(room));
            write(&to.join("Cargo.toml"), &read(&from.join("Cargo.toml"))?)?;
            copy_sources(&from.join("src"), &to.join("src"))?;
        }
        Ok(Self { dir: dir.to_owned() })
    }

    /// Without a fault, the storms find nothing.
    pub(crate) fn try_healthy(&self) -> Result<(), String> {
        for kind in [Kind::Decisions, Kind::Machines] {
            let verdict = self.storm(kind, HEALTHY_SEEDS)?;
            if let caught @ Verdict::Caught { .. } = verdict {
                return Err(format!("the storms fail without a fault: {caught:?}"));
            }
        }
        Ok(())
    }

    /// Plants a fault, lets the storms look for it, and takes it out again.
    pub(crate) fn try_mutant(&self, mutant: &Mutant) -> Result<Verdict, String> {
        let path = self.dir.join("crates").join(mutant.kind.room(mutant.file));
        let healthy = read(&path)?;
        if healthy.matches(mutant.text).count() != 1 {
            return Err(format!("`{}` has no single place in {}", mutant.name, mutant.file));
        }
        write(&path, &healthy.replace(mutant.text, mutant.replacement))?;
        let verdict = self.storm(mutant.kind, SEEDS).map_err(|error| format!("`{}`: {error}", mutant.name));
        write(&path, &healthy)?;
        verdict
    }

    fn storm(&self, kind: Kind, seeds: &str) -> Result<Verdict, String> {
        let mut build = self.cargo("build");
        output(build.args(["--offline", "--quiet", "--package", "mainstay-sim", "--bin", "mainstay-sim"]))?;
        let mut storm = Command::new(self.dir.join("target/debug/mainstay-sim"));
        let ran = storm
            .args(kind.arguments())
            .args(["--brief", "--seeds", seeds])
            .output()
            .map_err(|error| error.to_string())?;
        if ran.status.success() {
            return Ok(Verdict::Survived);
        }
        let text = String::from_utf8_lossy(&ran.stdout).into_owned();
        read_failure(&text).ok_or_else(|| format!("the storms ended with {}: {text}", ran.status))
    }

    fn cargo(&self, verb: &str) -> Command {
        let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        // A fault may well leave something unused.
        cargo
            .current_dir(&self.dir)
            .env("CARGO_TARGET_DIR", self.dir.join("target"))
            .env("RUSTFLAGS", "-Awarnings");
        // One fault changes one function: without incremental builds each costs six times as long.
        cargo.env("CARGO_BUILD_JOBS", "1").env("CARGO_INCREMENTAL", "1").arg(verb);
        cargo
    }
}

/// Reads `seed 7, event 12: Invariant does not hold: …`.
fn read_failure(text: &str) -> Option<Verdict> {
    let line = text.lines().find(|line| line.starts_with("seed "))?;
    let (place, rest) = line.split_once(": ")?;
    let (seed, event) = place.strip_prefix("seed ")?.split_once(", event ")?;
    let (invariant, _) = rest.split_once(" does not hold")?;
    Some(Verdict::Caught { invariant: invariant.to_owned(), seed: seed.to_owned(), event: event.to_owned() })
}

fn output(command: &mut Command) -> Result<Output, String> {
    let output = command.output().map_err(|error| format!("{command:?}: {error}"))?;
    match output.status.success() {
        true => Ok(output),
        false => Err(format!("it does not build:\n{}", String::from_utf8_lossy(&output.stderr))),
    }
}

fn copy_sources(from: &Path, to: &Path) -> Result<(), String> {
    let entries = fs::read_dir(from).map_err(|error| format!("cannot list `{}`: {error}", from.display()))?;
    for entry in entries.flatten() {
        let (path, copy) = (entry.path(), to.join(entry.file_name()));
        match path.is_dir() {
            true => copy_sources(&path, &copy)?,
            false => write(&copy, &read(&path)?)?,
        }
    }
    Ok(())
}

fn read(path: &Path) -> Result<String, String> {
    fs::read_to_string(path).map_err(|error| format!("cannot read `{}`: {error}", path.display()))
}

/// Writes only what differs, so that cargo builds only what changed.
fn write(path: &Path, text: &str) -> Result<(), String> {
    if fs::read_to_string(path).is_ok_and(|old| old == text) {
        return Ok(());
    }
    let dir = path.parent().unwrap_or(path);
    fs::create_dir_all(dir)
        .and_then(|()| fs::write(path, text))
        .map_err(|error| format!("cannot write `{}`: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_is_read_as_it_is_printed() {
        let text = "a line\nseed 7, event 12: OneLiveRun does not hold: s1: run 2: twice\nreplay: cargo run";
        let Some(Verdict::Caught { invariant, seed, event }) = read_failure(text) else { panic!() };
        assert_eq!((invariant.as_str(), seed.as_str(), event.as_str()), ("OneLiveRun", "7", "12"));
        assert!(read_failure("Segmentation fault").is_none());
    }
}
