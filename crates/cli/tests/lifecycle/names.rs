//! Whether the page, the stories on real processes, the rows of the pure project and the folders of definitions are the
//! same ones.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

use super::folder;

/// Tests about the stories, which are none.
const ABOUT: [&str; 3] = ["names.rs", "shapes.rs", "yaml.rs"];

fn repository() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// The cells of each row of the page, by the story's name.
fn page() -> BTreeMap<String, Vec<String>> {
    let text = fs::read_to_string(repository().join("docs/guides/lifecycle.md")).unwrap();
    let mut rows = BTreeMap::new();
    for line in text.lines().filter(|line| line.starts_with("| `")) {
        let cells: Vec<String> =
            line.trim_matches('|').split(" | ").map(|cell| cell.trim().to_owned()).collect();
        let name = cells[0].trim_matches('`').to_owned();
        assert_eq!(cells.len(), 4, "{line}");
        assert!(rows.insert(name.clone(), cells).is_none(), "`{name}` is there twice");
    }
    rows
}

/// The tests in the files of this folder, with their texts.
fn tests(folder: &Path) -> BTreeMap<String, String> {
    let files = fs::read_dir(folder).unwrap().flatten();
    let files = files.filter(|file| {
        let name = file.file_name().into_string().unwrap();
        name.ends_with(".rs") && !ABOUT.contains(&name.as_str())
    });
    let mut tests = BTreeMap::new();
    for file in files {
        let text = fs::read_to_string(file.path()).unwrap();
        for test in text.split("#[test]\nfn ").skip(1) {
            let (name, body) = test.split_once('(').unwrap();
            tests.insert(name.to_owned(), body.to_owned());
        }
    }
    tests
}

#[test]
fn page_stories_rows_and_definitions_are_the_same() {
    let page = page();
    let documented: BTreeSet<String> = page.keys().cloned().collect();
    assert!(documented.len() >= 25, "{}", documented.len());
    let stories = tests(&PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/lifecycle"));
    assert_eq!(stories.keys().cloned().collect::<BTreeSet<_>>(), documented, "stories on real processes");
    let rows = tests(&repository().join("crates/decide/tests/stories"));
    assert_eq!(rows.keys().cloned().collect::<BTreeSet<_>>(), documented, "rows of the pure project");
    let folders =
        fs::read_dir(folder()).unwrap().flatten().map(|entry| entry.file_name().into_string().unwrap());
    assert_eq!(folders.collect::<BTreeSet<_>>(), documented, "folders of definitions");
    for (name, body) in stories {
        assert!(body.contains(&format!("(\"{name}\"")), "`{name}` is told with another definition");
    }
    for (name, cells) in page {
        for (cell, file) in [(&cells[2], "compose.yaml"), (&cells[3], "process-compose.yaml")] {
            let is_there = folder().join(&name).join(file).exists();
            assert_eq!(is_there, !cell.starts_with('—'), "`{name}`: {file} and `{cell}`");
        }
    }
}
