//! `cargo xtask docs`: writes `docs/reference/` from the code, or says which page is stale. Nobody writes them by hand.

mod program;
mod socket;

use std::{fs, path::PathBuf};

use anyhow::{Context as _, Result, bail};

use crate::repo;

/// The first line of every page.
const NOTE: &str =
    "<!-- Written by `cargo xtask docs`. Change the code that it tells of, not this page. -->\n\n";

/// One generated file below `docs/reference/`.
struct Page<'a> {
    name: &'static str,
    make: &'a dyn Fn() -> Result<String>,
}

/// Writes every page; with `only_check`, fails for each that is not as it would be written.
pub(crate) fn run(only_check: bool) -> Result<()> {
    let wire = repo::root().join("crates/wire/src");
    // What needs no built program comes first: it is written even when the program cannot be built.
    let pages = [
        Page { name: "settings.md", make: &|| Ok(format!("{NOTE}{}", mainstay_config::reference())) },
        Page { name: "schema.json", make: &|| Ok(format!("{:#}\n", mainstay_config::schema())) },
        Page { name: "socket.md", make: &|| Ok(format!("{NOTE}{}", socket::page(&wire, &socket::DAEMON)?)) },
        Page { name: "calls.md", make: &|| Ok(format!("{NOTE}{}", socket::page(&wire, &socket::CALLS)?)) },
        Page { name: "cli.md", make: &|| Ok(format!("{NOTE}{}", program::page(&program::program()?)?)) },
    ];
    let stale = pages
        .iter()
        .filter_map(|page| put(page, only_check).transpose())
        .collect::<Result<Vec<PathBuf>>>()?;
    if stale.is_empty() {
        return Ok(());
    }
    for path in &stale {
        println!("{}: {}", repo::shown(&repo::root(), path), if only_check { "stale" } else { "written" });
    }
    if only_check {
        bail!("{} page(s) are stale: run `cargo xtask docs`, and read the difference", stale.len());
    }
    Ok(())
}

/// The page's path when it was not up to date.
fn put(page: &Page<'_>, only_check: bool) -> Result<Option<PathBuf>> {
    let text = (page.make)()?;
    let path = repo::root().join("docs/reference").join(page.name);
    if fs::read_to_string(&path).is_ok_and(|old| old == text) {
        return Ok(None);
    }
    if !only_check {
        fs::create_dir_all(path.with_file_name(""))
            .with_context(|| format!("cannot make `{}`", path.display()))?;
        fs::write(&path, &text).with_context(|| format!("cannot write `{}`", path.display()))?;
    }
    Ok(Some(path))
}
