//! Globs of files: which path one means, and into which folders one must look for it. Pure.
//!
//! `*` stays within a folder, `**` does not. One that ends in a plain name means that file, or all that is in that folder.

use std::path::{Component, Path};

use globset::{GlobBuilder, GlobMatcher};

/// Folders in which nothing is a source of anything, unless a glob names them.
const IGNORED: [&str; 4] = [".git", ".mainstay", "node_modules", "target"];

/// What a glob's part with a meaning of its own has in it.
const SPECIAL: [char; 7] = ['*', '?', '[', ']', '{', '}', '\\'];

/// One glob.
#[derive(Debug)]
pub(super) struct Glob {
    matches: Vec<GlobMatcher>,
    /// One for each folder on the way.
    parts: Vec<Part>,
    /// Of those that are ignored otherwise.
    named: Vec<&'static str>,
}

#[derive(Debug)]
enum Part {
    /// One folder.
    One(GlobMatcher),
    /// Any number of them.
    Any,
}

impl Glob {
    /// Reads it.
    ///
    /// # Errors
    /// In words, when it is none.
    pub(super) fn new(text: &str) -> Result<Self, String> {
        let text = text.trim_start_matches("./").trim_end_matches('/');
        let parts = split(text);
        let is_plain = parts.last().is_some_and(|part| !part.contains(SPECIAL));
        let mut matches = vec![matcher(text)?];
        if is_plain {
            matches.push(matcher(&format!("{text}/**"))?);
        }
        let mut folders: Vec<Part> = parts.iter().map(|part| folder(part)).collect::<Result<_, _>>()?;
        match is_plain {
            true => folders.push(Part::Any),
            // What it means is no folder on the way to itself.
            false if !matches!(folders.last(), Some(Part::Any)) => _ = folders.pop(),
            false => {}
        }
        let named = IGNORED.into_iter().filter(|name| parts.contains(name)).collect();
        Ok(Self { matches, parts: folders, named })
    }

    /// Whether it means this path, which counts from the same folder as it does.
    pub(super) fn means(&self, path: &Path) -> bool {
        self.is_for(path) && !is_of_an_editor(path) && self.matches.iter().any(|glob| glob.is_match(path))
    }

    /// Whether it may mean something in this folder.
    pub(super) fn reaches(&self, folder: &Path) -> bool {
        if !self.is_for(folder) {
            return false;
        }
        let mut parts = self.parts.iter();
        for name in names(folder) {
            match parts.next() {
                Some(Part::Any) => return true,
                Some(Part::One(glob)) if glob.is_match(name) => {}
                Some(Part::One(_)) | None => return false,
            }
        }
        true
    }

    fn is_for(&self, path: &Path) -> bool {
        names(path).all(|name| IGNORED.iter().all(|other| name != *other || self.named.contains(other)))
    }
}

fn names(path: &Path) -> impl Iterator<Item = &str> {
    path.components().filter_map(|part| match part {
        Component::Normal(name) => name.to_str(),
        _ => None,
    })
}

/// What a name begins and ends with that an editor or a desktop makes beside a file while it works on it: backups, vim's swap
/// files, emacs' locks and unfinished work, what GIO and the editors of `JetBrains` write before they rename it, Finder's notes.
/// The settings' reference tells them.
const EDITORS: [(&str, &str); 9] = [
    ("", "~"),
    (".", ".swp"),
    (".", ".swo"),
    (".", ".swx"),
    (".#", ""),
    ("#", "#"),
    (".goutputstream-", ""),
    ("", "___jb_tmp___"),
    ("", "___jb_old___"),
];

/// And whole names: vim tries with the first whether it may write in a folder.
const EDITORS_NAMES: [&str; 2] = ["4913", ".DS_Store"];

fn is_of_an_editor(path: &Path) -> bool {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let is_between = |(begin, end): &(&str, &str)| {
        name.strip_prefix(begin).and_then(|rest| rest.strip_suffix(end)).is_some_and(|rest| !rest.is_empty())
    };
    EDITORS_NAMES.contains(&name) || EDITORS.iter().any(is_between)
}

/// The parts between slashes; one with alternatives (`{a,b/c}`) stays whole.
fn split(text: &str) -> Vec<&str> {
    let mut depth = 0_u32;
    let is_end = |c: char| {
        match c {
            '{' => depth += 1,
            '}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        c == '/' && depth == 0
    };
    text.split(is_end).filter(|part| !part.is_empty() && *part != ".").collect()
}

fn folder(part: &str) -> Result<Part, String> {
    if part.contains("**") || part.contains('/') { Ok(Part::Any) } else { matcher(part).map(Part::One) }
}

fn matcher(text: &str) -> Result<GlobMatcher, String> {
    let glob = GlobBuilder::new(text).literal_separator(true).build();
    glob.map(|glob| glob.compile_matcher()).map_err(|error| format!("`{text}` is no glob: {}", error.kind()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn which_paths_and_which_folders() {
        // The glob, paths that it means, paths that it does not, folders to look into, folders not to.
        type Row<'a> = (&'a str, &'a [&'a str], &'a [&'a str], &'a [&'a str], &'a [&'a str]);
        let rows: &[Row<'_>] = &[
            (
                "src/**",
                &["src/a", "src/a/b.rs"],
                &["srcs/a", "a", "src/target/x", "src/.a.swp"],
                &["", "src", "src/a/b"],
                &["lib", "src/.git"],
            ),
            ("*.toml", &["a.toml"], &["a/b.toml", "a.toml~"], &[""], &["a"]),
            (
                "**/*.rs",
                &["a.rs", "a/b/c.rs"],
                &["target/a.rs", "a.rc"],
                &["", "a", "a/b"],
                &["target", "a/node_modules"],
            ),
            ("conf", &["conf", "conf/a/b"], &["conf2"], &["", "conf", "conf/a"], &["confs"]),
            (
                "./web/*/x.css",
                &["web/a/x.css"],
                &["web/x.css", "web/a/b/x.css"],
                &["web", "web/a"],
                &["web/a/b"],
            ),
            (
                "**",
                &["a", "a.jb", "#", "#a", "a#", ".a", "goutputstream-1"],
                &[
                    "a~",
                    "b/.a.swo",
                    ".#a",
                    "b/#a#",
                    ".goutputstream-X1",
                    "a___jb_tmp___",
                    "a___jb_old___",
                    ".DS_Store",
                ],
                &["", "a"],
                &[".git"],
            ),
            ("target/app", &["target/app"], &["target/other"], &["target"], &["node_modules"]),
            ("{src,lib/x}/*.c", &["src/a.c", "lib/x/a.c"], &["lib/a.c"], &["src", "lib", "lib/x"], &[".git"]),
        ];
        for (text, means, not, folders, no_folders) in rows {
            let glob = Glob::new(text).unwrap();
            for path in *means {
                assert!(glob.means(Path::new(path)), "{text} means {path}");
            }
            for path in *not {
                assert!(!glob.means(Path::new(path)), "{text} does not mean {path}");
            }
            for folder in *folders {
                assert!(glob.reaches(Path::new(folder)), "{text} looks into `{folder}`");
            }
            for folder in *no_folders {
                assert!(!glob.reaches(Path::new(folder)), "{text} does not look into `{folder}`");
            }
        }
        let error = Glob::new("src/[a").unwrap_err();
        assert!(error.starts_with("`src/[a` is no glob: "), "{error}");
    }
}
