//! Reads every Rust file below `crates/` as tokens, so that words in comments and strings are not taken for code.

use std::path::Path;

use anyhow::Result;
use proc_macro2::{Delimiter, Group, TokenStream, TokenTree};

use super::{
    Problem,
    floors::{self, Place},
};
use crate::repo;

/// Where a file must have been split. Tests may be longer.
const LINES: usize = 600;

/// The only room with `unsafe` code and with code for one operating system.
const HANDS: &str = "host";

/// Rooms that are the same on every system even in their tests.
const SAME_EVERYWHERE: [&str; 2] = ["model", "cli"];

/// Predicates of `cfg` that name a system.
const SYSTEMS: [&str; 7] =
    ["target_os", "target_family", "target_env", "target_vendor", "target_arch", "unix", "windows"];

/// Spelt so that this file does not hold them.
const UNFINISHED: [&str; 2] = [concat!("TO", "DO"), concat!("FIX", "ME")];

/// What tests print when they miss something, and the variable that must turn it into a failure.
const SKIPS: &str = concat!("\"skip", "ped: ");

/// What is wrong with the sources.
pub(super) fn problems(root: &Path) -> Result<Vec<Problem>> {
    let mut problems = Vec::new();
    for dir in repo::crate_dirs(root)? {
        let room = dir.file_name().unwrap_or_default().to_string_lossy().into_owned();
        for path in repo::files(&dir, "rs")? {
            let source = Source {
                path: repo::shown(root, &path),
                room: &room,
                is_test: is_test(path.strip_prefix(&dir).unwrap_or(&path)),
                text: &repo::read(&path)?,
            };
            problems.extend(source.problems());
        }
    }
    Ok(problems)
}

/// Files of tests: the folder `tests/` of a crate, and modules called `tests`.
fn is_test(path: &Path) -> bool {
    path.starts_with("tests") || path.iter().any(|part| part == "tests" || part == "tests.rs")
}

struct Source<'a> {
    path: String,
    room: &'a str,
    is_test: bool,
    text: &'a str,
}

impl Source<'_> {
    fn problems(&self) -> Vec<Problem> {
        let mut problems = self.of_text();
        match self.text.parse::<TokenStream>() {
            Ok(tokens) => self.walk(tokens, &mut problems),
            Err(error) => {
                problems.push(self.problem("is no Rust", format!("{error}")).at(error.span().start().line))
            }
        }
        problems
    }

    fn problem(&self, what: impl Into<String>, help: impl Into<String>) -> Problem {
        Problem::new(&self.path, what, help)
    }

    fn of_text(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        if !self.text.starts_with("//!") {
            problems.push(self.problem(
                "does not open with a `//!` sentence",
                "say what the file is for and what it refuses to know",
            ));
        }
        let lines = self.text.lines().count();
        if lines > LINES && !self.is_test {
            problems.push(self.problem(
                format!("has {lines} lines; {LINES} is the end"),
                "a file is one thought: split it",
            ));
        }
        if self.can_be_skipped_in_ci() {
            problems.push(self.problem(
                "has a test that can be skipped, and never asks whether `CI` is set",
                "panic with the same reason when `CI` is set: CI has everything that tests need",
            ));
        }
        for (index, line) in self.text.lines().enumerate() {
            problems.extend(self.unfinished(line).map(|problem| problem.at(index + 1)));
        }
        problems
    }

    /// What is skipped for being on another system is not CI's to have.
    fn can_be_skipped_in_ci(&self) -> bool {
        let excuses = ["\"CI\"", "cfg!(windows)", "cfg!(unix)"];
        self.text.contains(SKIPS) && !excuses.iter().any(|excuse| self.text.contains(excuse))
    }

    fn unfinished(&self, line: &str) -> Option<Problem> {
        let mut words = line.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
        let word = words.find(|word| UNFINISHED.contains(word))?;
        Some(self.problem(format!("holds a `{word}`"), "do it, or file it where work is planned"))
    }

    /// Looks at each token with the one before it.
    fn walk(&self, tokens: TokenStream, problems: &mut Vec<Problem>) {
        let mut before: [Option<TokenTree>; 2] = [None, None];
        for token in tokens {
            match &token {
                TokenTree::Ident(word) if word == "unsafe" && self.room != HANDS => problems.push(
                    self.problem(
                        "`unsafe` outside of `host`",
                        "`host` alone has it: give it a safe function there",
                    )
                    .at(word.span().start().line),
                ),
                TokenTree::Group(group) => {
                    problems.extend(self.group(&before, group));
                    self.walk(group.stream(), problems);
                }
                TokenTree::Ident(_) | TokenTree::Punct(_) | TokenTree::Literal(_) => {}
            }
            before = [before[1].take(), Some(token)];
        }
    }

    /// Looks at `cfg(…)`, `cfg!(…)`, `cfg_attr(…)` and `#[…]`.
    fn group(&self, before: &[Option<TokenTree>; 2], group: &Group) -> Option<Problem> {
        let line = group.span_open().start().line;
        if group.delimiter() == Delimiter::Bracket && is_ignore(group) {
            let help = "a test that cannot run says `skipped: ` with the reason";
            return Some(self.problem("an ignored test", help).at(line));
        }
        let word = before.iter().rev().flatten().find_map(|token| match token {
            TokenTree::Ident(word) => Some(word.to_string()),
            TokenTree::Group(_) | TokenTree::Punct(_) | TokenTree::Literal(_) => None,
        })?;
        let is_cfg = group.delimiter() == Delimiter::Parenthesis && (word == "cfg" || word == "cfg_attr");
        let system = is_cfg.then(|| system_in(group.stream())).flatten()?;
        if !self.is_same_everywhere() {
            return None;
        }
        let help = "`host` alone knows systems: put the difference behind one of its functions";
        Some(self.problem(format!("`{word}({system}…)` outside of `host`"), help).at(line))
    }

    fn is_same_everywhere(&self) -> bool {
        let is_product = floors::find(self.room).is_none_or(|room| room.place != Place::Outside);
        let may_differ = self.is_test && !SAME_EVERYWHERE.contains(&self.room);
        is_product && self.room != HANDS && !may_differ
    }
}

/// `#[ignore]`, `#[ignore = "…"]`, `#[cfg_attr(…, ignore)]`.
fn is_ignore(attribute: &Group) -> bool {
    let mut tokens = attribute.stream().into_iter();
    let Some(TokenTree::Ident(first)) = tokens.next() else { return false };
    match tokens.next() {
        None => first == "ignore",
        Some(TokenTree::Punct(punct)) => first == "ignore" && punct.as_char() == '=',
        Some(TokenTree::Group(group)) if first == "cfg_attr" => group
            .stream()
            .into_iter()
            .any(|token| matches!(token, TokenTree::Ident(word) if word == "ignore")),
        Some(_) => false,
    }
}

/// The first predicate that names a system, however deep in `all(…)`, `any(…)` and `not(…)`.
fn system_in(tokens: TokenStream) -> Option<String> {
    tokens.into_iter().find_map(|token| match token {
        TokenTree::Ident(word) => Some(word.to_string()).filter(|word| SYSTEMS.contains(&word.as_str())),
        TokenTree::Group(group) => system_in(group.stream()),
        TokenTree::Punct(_) | TokenTree::Literal(_) => None,
    })
}
