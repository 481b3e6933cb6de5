//! `cargo xtask tidy`: the rules of the house that no compiler knows. Reports every breach at once; mends none.

mod bans;
mod bounds;
mod floors;
mod manifests;
mod pages;
mod sources;
#[cfg(test)]
mod tests;
mod weight;

use std::{fmt, path::Path};

use anyhow::{Result, bail};

pub(crate) use floors::pure_rooms;

use crate::repo;

/// One breach of a rule: where, what, and what to do about it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Problem {
    path: String,
    line: Option<usize>,
    what: String,
    help: String,
}

impl Problem {
    fn new(path: impl Into<String>, what: impl Into<String>, help: impl Into<String>) -> Self {
        Self { path: path.into(), line: None, what: what.into(), help: help.into() }
    }

    fn at(self, line: usize) -> Self {
        Self { line: Some(line), ..self }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            None => write!(f, "{}: {}\n    {}", self.path, self.what, self.help),
            Some(line) => write!(f, "{}:{line}: {}\n    {}", self.path, self.what, self.help),
        }
    }
}

/// Checks the checkout, and prints what is wrong.
pub(crate) fn run() -> Result<()> {
    let root = repo::root();
    let mut problems = of_files(&root)?;
    problems.extend(weight::problems(&repo::read_metadata(&root)?)?);
    for problem in &problems {
        println!("{problem}");
    }
    match problems.len() {
        0 => {
            println!("tidy: {} rooms, nothing to report", repo::crate_dirs(&root)?.len());
            Ok(())
        }
        count => bail!("tidy: {count} problem(s), listed above"),
    }
}

/// What the files alone show: no cargo, no network.
fn of_files(root: &Path) -> Result<Vec<Problem>> {
    let mut problems = manifests::problems(root)?;
    problems.extend(bans::problems(root)?);
    problems.extend(sources::problems(root)?);
    problems.extend(pages::problems(root)?);
    problems.extend(bounds::problems(root)?);
    Ok(problems)
}
