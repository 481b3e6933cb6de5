//! The files that describe a project: which they are, and that they are files. What is in them is not known here.

use std::{
    fs::{self, OpenOptions},
    io::{self, Read},
    os::unix::fs::{FileTypeExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

use rustix::fs::OFlags;

use super::{Surroundings, SystemPlaces};
use crate::{exit::Exit, failure::Failure};

/// The name of a project's file.
pub(crate) const FILE: &str = "mainstay.toml";

/// The file beside it that is laid over it.
const LOCAL: &str = "mainstay.local.toml";

/// The files of a project.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ProjectFile {
    /// The main file, when there is one: additions can stand alone.
    pub(crate) main: Option<PathBuf>,
    /// Additions.
    pub(crate) additions: Vec<PathBuf>,
    /// What is laid over them.
    pub(crate) local: Option<PathBuf>,
    /// The folder that paths count from.
    pub(crate) directory: PathBuf,
}

impl ProjectFile {
    /// A file that was named.
    pub(crate) fn named(path: &Path, surroundings: &Surroundings) -> Result<Self, Failure> {
        let path = surroundings.directory.join(path);
        let wrong = |text: String| Failure::new(Exit::InvalidConfiguration, text);
        match fs::metadata(&path) {
            Err(error) => Err(wrong(format!("cannot read {}: {}", path.display(), plain(&error)))),
            Ok(data) if data.is_dir() => Err(wrong(format!("{} is a directory", path.display()))
                .with_help(format!("name the file in it: {}", path.join(FILE).display()))),
            Ok(data) if !data.is_file() => Err(no_regular_file(&path, kind(&data))),
            Ok(_) => Self::at(&path, surroundings),
        }
    }

    /// The machine's.
    pub(super) fn find_of_machine(surroundings: &Surroundings) -> Result<Option<Self>, Failure> {
        let found = Self::of_machine(&surroundings.system)?;
        Ok((found.main.is_some() || !found.additions.is_empty()).then_some(found))
    }

    /// The nearest one, or the machine's.
    pub(super) fn find(surroundings: &Surroundings) -> Result<Option<Self>, Failure> {
        for dir in surroundings.directory.ancestors() {
            if let Some(path) = present(dir.join(FILE))? {
                return Self::at(&path, surroundings).map(Some);
            }
        }
        Self::find_of_machine(surroundings)
    }

    pub(super) fn at(path: &Path, surroundings: &Surroundings) -> Result<Self, Failure> {
        let directory = fs::canonicalize(path.parent().unwrap_or(Path::new("/"))).map_err(|error| {
            let text = format!("cannot read {}: {}", path.display(), plain(&error));
            Failure::new(Exit::InvalidConfiguration, text)
        })?;
        let name = path.file_name().unwrap_or(FILE.as_ref());
        if directory == surroundings.system.etc && name == FILE {
            return Self::of_machine(&surroundings.system);
        }
        let local = present(directory.join(LOCAL))?;
        Ok(Self { main: Some(directory.join(name)), additions: Vec::new(), local, directory })
    }

    fn of_machine(system: &SystemPlaces) -> Result<Self, Failure> {
        let entries = fs::read_dir(system.etc.join("conf.d")).into_iter().flatten().flatten();
        let mut paths: Vec<PathBuf> = entries
            .map(|entry| entry.path())
            .filter(|path| path.extension().is_some_and(|extension| extension == "toml"))
            .collect();
        paths.sort();
        let additions = paths.into_iter().map(present).filter_map(Result::transpose);
        Ok(Self {
            main: present(system.etc.join(FILE))?,
            additions: additions.collect::<Result<_, _>>()?,
            local: present(system.etc.join(LOCAL))?,
            directory: system.etc.clone(),
        })
    }

    /// All of them, in the order in which they are read.
    pub(crate) fn all(&self) -> impl Iterator<Item = &PathBuf> {
        self.base().chain(&self.local)
    }

    /// The main one and its additions.
    pub(crate) fn base(&self) -> impl Iterator<Item = &PathBuf> {
        self.main.iter().chain(&self.additions)
    }

    /// Where the one is, or would be, that is laid over them.
    pub(crate) fn local_path(&self) -> PathBuf {
        self.local.clone().unwrap_or_else(|| self.directory.join(LOCAL))
    }

    /// The one by which people know it.
    pub(crate) fn shown(&self) -> &Path {
        self.all().next().map_or(&self.directory, |path| path)
    }
}

/// This path, when something is there; an error when that is no regular file. Opening a FIFO would wait for its writer.
pub(super) fn present(path: PathBuf) -> Result<Option<PathBuf>, Failure> {
    match fs::metadata(&path) {
        Ok(data) if data.is_file() => Ok(Some(path)),
        Ok(data) => Err(no_regular_file(&path, kind(&data))),
        Err(_) if path.is_symlink() => Err(no_regular_file(&path, "link that leads to no file")),
        Err(_) => Ok(None),
    }
}

fn no_regular_file(path: &Path, what: &str) -> Failure {
    let text = format!("{} is a {what}", path.display());
    Failure::new(Exit::InvalidConfiguration, text)
        .with_help("the files of a project are regular files; `-f FILE` names one at another place")
}

/// What something is that is no regular file.
fn kind(data: &fs::Metadata) -> &'static str {
    let kind = data.file_type();
    if kind.is_dir() {
        "directory"
    } else if kind.is_fifo() {
        "FIFO"
    } else if kind.is_socket() {
        "socket"
    } else {
        "device"
    }
}

/// Reads a file that a project's files name. One that has become a FIFO is an error, and not waited for.
pub(crate) fn read_text(path: &Path) -> io::Result<String> {
    let flags = i32::try_from(OFlags::NONBLOCK.bits()).unwrap_or(0);
    let mut file = OpenOptions::new().read(true).custom_flags(flags).open(path)?;
    if file.metadata()?.file_type().is_fifo() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is a FIFO, and must be a file"));
    }
    let mut text = String::new();
    file.read_to_string(&mut text)?;
    Ok(text)
}

/// An error of the system in words, without its number.
fn plain(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => "there is no such file".to_owned(),
        io::ErrorKind::PermissionDenied => "permission denied".to_owned(),
        _ => error.to_string(),
    }
}
