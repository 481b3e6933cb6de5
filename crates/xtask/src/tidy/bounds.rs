//! The page of bounds: each constant and each test that it names is there. What they are about, it does not know.

use std::{collections::BTreeMap, path::Path};

use anyhow::Result;

use super::Problem;
use crate::repo;

/// The page.
const PAGE: &str = "docs/guides/bounds.md";

/// Which columns of a table with so many name constants, and which tests.
const COLUMNS: [(usize, Option<usize>, usize); 2] = [(5, Some(2), 4), (3, None, 2)];

/// The sources of each room that was asked for.
struct Rooms<'a> {
    root: &'a Path,
    texts: BTreeMap<String, String>,
}

impl Rooms<'_> {
    /// All Rust of this room; empty when there is none of this name.
    fn text(&mut self, room: &str) -> Result<&str> {
        if !self.texts.contains_key(room) {
            let dir = self.root.join("crates").join(room);
            let mut text = String::new();
            for path in if dir.is_dir() { repo::files(&dir, "rs")? } else { Vec::new() } {
                text.push_str(&repo::read(&path)?);
            }
            self.texts.insert(room.to_owned(), text);
        }
        Ok(self.texts.get(room).map_or("", String::as_str))
    }
}

/// What is wrong with the page; one that is not there is none.
pub(super) fn problems(root: &Path) -> Result<Vec<Problem>> {
    let path = root.join(PAGE);
    if !path.is_file() {
        return Ok(Vec::new());
    }
    let mut rooms = Rooms { root, texts: BTreeMap::new() };
    let mut problems = Vec::new();
    for (at, line) in repo::read(&path)?.lines().enumerate() {
        for (what, help) in row(line, &mut rooms)? {
            problems.push(Problem::new(PAGE, what, help).at(at + 1));
        }
    }
    Ok(problems)
}

/// What is wrong with a line, if it is a row of a table.
fn row(line: &str, rooms: &mut Rooms<'_>) -> Result<Vec<(String, &'static str)>> {
    let Some(inner) = line.strip_prefix("| ").and_then(|line| line.strip_suffix(" |")) else {
        return Ok(Vec::new());
    };
    let cells: Vec<&str> = inner.split(" | ").collect();
    let is_head = cells.iter().all(|cell| cell.chars().all(|c| c == '-')) || cells.first() == Some(&"what");
    if is_head {
        return Ok(Vec::new());
    }
    let Some((_, constants, tests)) = COLUMNS.iter().find(|(count, ..)| *count == cells.len()) else {
        return Ok(vec![(format!("has a row of {} cells", cells.len()), "the tables have five, and three")]);
    };
    let mut wrong = Vec::new();
    if let Some(column) = constants {
        let is_there = |text: &str, name: &str| text.contains(&format!("const {name}:"));
        wrong.extend(missing(cells[*column], "constant", is_there, rooms)?);
    }
    let is_there = |text: &str, name: &str| {
        text.contains(&format!("fn {name}(")) || text.contains(&format!("\"{name}\""))
    };
    wrong.extend(missing(cells[*tests], "test", is_there, rooms)?);
    Ok(wrong)
}

/// The names in a cell, `room::name` each, that are not there.
fn missing(
    cell: &str,
    kind: &str,
    is_there: impl Fn(&str, &str) -> bool,
    rooms: &mut Rooms<'_>,
) -> Result<Vec<(String, &'static str)>> {
    let mut wrong = Vec::new();
    for name in cell.split(", ") {
        let bare = name.strip_prefix('`').and_then(|name| name.strip_suffix('`'));
        let found = match bare.and_then(|name| name.split_once("::")) {
            Some((room, name)) => is_there(rooms.text(room)?, name),
            None => false,
        };
        if !found {
            wrong.push((
                format!("names the {kind} {name}, which is not there"),
                "write `room::name` of one that is",
            ));
        }
    }
    Ok(wrong)
}
