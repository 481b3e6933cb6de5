//! The page on which the pictures are. Written with them, and never by hand.

use std::{fmt::Write as _, fs, path::Path};

use anyhow::{Context as _, Result};

use super::{Drawn, samples::SAMPLES};

/// The first lines.
const HEAD: &str = "\
<!-- Written by `cargo xtask pictures`, with the pictures. -->

# Pictures

What the program shows, on terminals of 80 and of 200 columns, without colour and without a terminal. `cargo xtask pictures` runs the
sample projects and draws these anew. Process numbers, times, memory, shares of the processor and counts of failed checks are samples,
so that the same pictures come out again; everything else is what the program wrote.
";

/// Writes the page, and removes pictures that no longer are on it.
pub(super) fn write(folder: &Path, drawn: &[Drawn]) -> Result<()> {
    let mut page = HEAD.to_owned();
    for sample in &SAMPLES {
        // Writing to a string cannot fail.
        let _ = write!(page, "\n## {}\n\n{}\n", sample.name, sample.about);
        for it in drawn.iter().filter(|it| it.picture.project == sample.name) {
            let _ = write!(page, "\n`{}`, {}:\n\n![{0}]({})\n", it.command, it.how.words(), it.file);
        }
    }
    let path = folder.join("README.md");
    fs::write(&path, page).with_context(|| format!("cannot write `{}`", path.display()))?;
    remove_others(folder, drawn)
}

fn remove_others(folder: &Path, drawn: &[Drawn]) -> Result<()> {
    for path in crate::repo::files(folder, "svg")? {
        let is_drawn = drawn.iter().any(|it| path.file_name().is_some_and(|name| name == it.file.as_str()));
        if !is_drawn {
            fs::remove_file(&path).with_context(|| format!("cannot remove `{}`", path.display()))?;
        }
    }
    Ok(())
}
