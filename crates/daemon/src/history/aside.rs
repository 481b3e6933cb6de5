//! What becomes of a file that is no database any more: it is kept, once, under another name.

use std::{
    ffi::OsString,
    fs, io,
    path::{Path, PathBuf},
};

/// Moves the database and its log to `NAME.broken-N` and removes those of earlier times. Returns the new name.
pub(super) fn set_aside(path: &Path) -> io::Result<PathBuf> {
    let earlier = broken(path)?;
    let number = earlier.iter().map(|(number, _)| number + 1).max().unwrap_or(1);
    let target = with(path, &format!(".broken-{number}"));
    fs::rename(path, &target)?;
    // What was not yet taken over from the log belongs to the broken file; the index of the log is made anew.
    ignore_missing(fs::rename(with(path, "-wal"), with(&target, "-wal")))?;
    ignore_missing(fs::remove_file(with(path, "-shm")))?;
    for (_, file) in earlier {
        ignore_missing(fs::remove_file(file))?;
    }
    Ok(target)
}

/// Everything that was set aside, with its number.
fn broken(path: &Path) -> io::Result<Vec<(u64, PathBuf)>> {
    let (Some(dir), Some(name)) = (path.parent(), path.file_name().and_then(|name| name.to_str())) else {
        return Ok(Vec::new());
    };
    let prefix = format!("{name}.broken-");
    let mut found = Vec::new();
    for entry in fs::read_dir(dir)? {
        let file = entry?.path();
        let rest =
            file.file_name().and_then(|name| name.to_str()).and_then(|name| name.strip_prefix(&prefix));
        let number = rest.and_then(|rest| rest.trim_end_matches("-wal").parse().ok());
        found.extend(number.map(|number| (number, file)));
    }
    Ok(found)
}

fn with(path: &Path, end: &str) -> PathBuf {
    let mut name: OsString = path.as_os_str().to_owned();
    name.push(end);
    PathBuf::from(name)
}

fn ignore_missing(result: io::Result<()>) -> io::Result<()> {
    match result {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        result => result,
    }
}
