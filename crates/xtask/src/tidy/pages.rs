//! Whether the pages for people point at what exists: links between them, and paths below `crates/` in code marks.

use std::path::Path;

use anyhow::Result;

use super::Problem;
use crate::repo;

/// Characters of a path that is meant as a pattern: `crates/ROOM/tests/`.
const IS_PATTERN: fn(char) -> bool = |c| c.is_ascii_uppercase() || matches!(c, '*' | '<' | '…' | '{');

/// What is wrong with the pages.
pub(super) fn problems(root: &Path) -> Result<Vec<Problem>> {
    let mut pages = repo::files(root, "md")?;
    pages.retain(|page| !page.strip_prefix(root).unwrap_or(page).starts_with("crates"));
    let mut problems = Vec::new();
    for page in pages {
        let (shown, text) = (repo::shown(root, &page), repo::read(&page)?);
        let folder = page.parent().unwrap_or(root);
        for (index, line) in text.lines().enumerate() {
            let dead_links = links(line).filter(|link| !folder.join(link).exists());
            problems.extend(dead_links.map(|link| {
                Problem::new(&shown, format!("links to `{link}`, which does not exist"), "mend the link")
                    .at(index + 1)
            }));
            let dead_paths = paths(line).filter(|path| !root.join(path).exists());
            problems.extend(dead_paths.map(|path| {
                let help = "say where it is now: pages are kept true";
                Problem::new(&shown, format!("speaks of `{path}`, which does not exist"), help).at(index + 1)
            }));
        }
    }
    Ok(problems)
}

/// Targets of links into this checkout, without their anchors.
fn links(line: &str) -> impl Iterator<Item = &str> {
    let targets = line.split("](").skip(1).filter_map(|rest| rest.split_once(')')).map(|(target, _)| target);
    let ours = targets.filter(|target| !target.contains("://") && !target.starts_with('#'));
    ours.map(|target| target.split_once('#').map_or(target, |(file, _)| file))
}

/// Paths below `crates/` in code marks.
fn paths(line: &str) -> impl Iterator<Item = &str> {
    let marked = line.split('`').skip(1).step_by(2);
    marked.filter(|text| text.starts_with("crates/") && !text.contains(IS_PATTERN) && !text.contains(' '))
}
