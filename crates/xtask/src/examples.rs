//! Whether every example that people copy is valid: the files of `examples/`, and what README and docs show as TOML.

use std::{
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
};

use anyhow::{Result, bail};
use mainstay_config::{Inputs, Source, load};

use crate::{repo, test::Outcome};

/// How a page shows a file.
const FENCE: &str = "```toml\n";

/// Loads each as the program would.
pub(crate) fn check() -> Result<Outcome> {
    let root = repo::root();
    let (mut seen, mut wrong) = (0, 0);
    let is_project = |path: &PathBuf| path.file_name().is_some_and(|name| name != "Cargo.toml");
    for path in repo::files(&root.join("examples"), "toml")?.into_iter().filter(is_project) {
        let source = Source { text: repo::read(&path)?, path: repo::shown(&root, &path).into() };
        seen += 1;
        wrong += problems(source, &path, &|file| fs::read_to_string(file));
    }
    let mut pages = repo::files(&root.join("docs"), "md")?;
    pages.push(root.join("README.md"));
    for path in pages {
        let text = repo::read(&path)?;
        for (line, block) in blocks(&text) {
            let source =
                Source { text: block.to_owned(), path: PathBuf::from(format!("{}:{line}", path.display())) };
            seen += 1;
            // What a page's file refers to is not there.
            wrong += problems(source, &path, &|_| Ok(String::new()));
        }
    }
    println!("{seen} examples, {wrong} problem(s)");
    if wrong > 0 {
        bail!("{wrong} problem(s), listed above");
    }
    Ok(Outcome::Passed)
}

/// Prints what is wrong with one file, and counts it.
fn problems(source: Source, file: &Path, read: &dyn Fn(&Path) -> io::Result<String>) -> usize {
    let variables = BTreeMap::from([("PATH".to_owned(), "/usr/bin:/bin".to_owned())]);
    let shown = source.path.display().to_string();
    let directory = file.parent().unwrap_or(file).to_owned();
    let inputs = Inputs { base: vec![source], local: None, directory, variables: &variables, read };
    let Err(problems) = load(&inputs) else { return 0 };
    let mut count = 0;
    for problem in problems.iter() {
        println!("{shown}: {}\n    {}", problem.message(), problem.help());
        count += 1;
    }
    count
}

/// Each TOML block of a page, with the line of its fence. A block is text between two fences, so it holds whole lines.
fn blocks(page: &str) -> Vec<(usize, &str)> {
    let starts = page.match_indices(FENCE);
    let block = |(at, fence): (usize, &str)| {
        let rest = page.get(at + fence.len()..)?;
        let end = rest.find("```")?;
        let line = page.get(..at)?.lines().count() + 1;
        Some((line, rest.get(..end)?))
    };
    starts.filter_map(block).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_know_their_lines() {
        let page = "# Page\n\n```toml\na = 1\n```\n\n```sh\nls\n```\n```toml\nb = 2\n```\n";
        assert_eq!(blocks(page), [(3, "a = 1\n"), (10, "b = 2\n")]);
    }

    #[test]
    fn every_example_is_valid() {
        assert!(check().is_ok(), "see above");
    }
}
