//! What the `mainstay` program says of itself: its help, verb by verb.

use std::{
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Context as _, Result};

use crate::{read_output, repo, run_visibly};

/// The columns that help is laid out for.
const WIDTH: &str = "100";

/// What scripts rely on: it changes with a breaking release only, so it is told here and not read from the code.
const EXIT_CODES: &str = "\
## Exit codes

| code | means |
| --- | --- |
| 0 | done |
| 1 | failed, or the answer is no |
| 2 | wrong usage |
| 3 | not implemented by this platform |
| 4 | not permitted |
| 5 | no such service |
| 6 | invalid configuration |
| 7 | not running |
| 69 | no daemon |
| 70 | a defect of Mainstay |
| 124 | timed out |
| 130 | interrupted |

`status NAME` answers as init scripts do:

| code | means |
| --- | --- |
| 0 | running |
| 3 | stopped or completed; also when no daemon runs |
| 4 | state unknown |
| 5 | no such service |
| 150 | starting or waiting |
| 151 | running but not healthy |
| 152 | failed or isolated |
| 153 | paused |

`run` exits as its program did; one that a signal ended with 128 and the signal's number.
";

/// Builds the program, and says where it is.
pub(super) fn program() -> Result<PathBuf> {
    run_visibly(repo::cargo().args(["build", "--quiet", "--locked", "--package", "mainstay-cli"]))?;
    Ok(repo::target_dir().join("debug/mainstay"))
}

/// Every verb's help.
pub(super) fn page(program: &Path) -> Result<String> {
    let top = help(program, &[])?;
    let mut page = format!("# The `mainstay` program\n\n```text\n{top}```\n");
    for verb in verbs(&top) {
        append(program, &[&verb], &mut page)?;
    }
    page.push('\n');
    page.push_str(EXIT_CODES);
    Ok(page)
}

fn append(program: &Path, words: &[&str], page: &mut String) -> Result<()> {
    let text = help(program, words)?;
    page.push_str(&format!("\n## `mainstay {}`\n\n```text\n{text}```\n", words.join(" ")));
    for verb in verbs(&text) {
        append(program, &[words, &[&verb]].concat(), page)?;
    }
    Ok(())
}

/// Without a terminal on any of the three, so that its width does not matter; defaults from variables are not shown.
fn help(program: &Path, words: &[&str]) -> Result<String> {
    let mut command = Command::new(program);
    command.args(words).arg("--help").stdin(Stdio::null()).env("COLUMNS", WIDTH).env("NO_COLOR", "1");
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("MAINSTAY_")) {
        command.env_remove(name);
    }
    let text = read_output(&mut command).with_context(|| format!("no help for `{}`", words.join(" ")))?;
    let lines: Vec<&str> = text.trim_end().lines().map(str::trim_end).collect();
    Ok(lines.join("\n") + "\n")
}

/// The words below `Commands:`; `help` is left out, because it only repeats.
fn verbs(help: &str) -> Vec<String> {
    let listed = help.lines().skip_while(|line| line.trim() != "Commands:").skip(1);
    let names = listed.take_while(|line| line.is_empty() || line.starts_with(' ')).filter_map(|line| {
        let is_name = line.starts_with("  ") && !line.starts_with("   ");
        line.split_whitespace().next().filter(|_| is_name).map(|word| word.trim_end_matches(',').to_owned())
    });
    names.filter(|name| name != "help").collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn verbs_are_read_from_the_help() {
        let help = "Runs services\n\nUsage: mainstay [OPTIONS] <COMMAND>\n\nCommands:\n  up      Starts the project\n          \
                    and follows\n  list, ls  Every service\n  help    Print\n\nOptions:\n  -f, --file <FILE>\n";
        assert_eq!(verbs(help), ["up", "list"]);
        assert!(verbs("Usage: x\n\nOptions:\n  -h\n").is_empty());
    }
}
