//! What a project is made from: texts, variables and a way to get the texts of `env_file`s. All of it handed in.

use std::{
    collections::BTreeMap,
    fmt, io,
    path::{Path, PathBuf},
};

/// One file of the configuration: its text, and the path by which a person knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// As it is shown in a problem.
    pub path: PathBuf,
    /// What is in it.
    pub text: String,
}

/// What a project is made from.
pub struct Inputs<'a> {
    /// The main file, then its additions (`conf.d/*.toml`). None may set what another one sets.
    pub base: Vec<Source>,
    /// `mainstay.local.toml`: laid over the rest. Tables are merged by key, everything else is replaced.
    pub local: Option<Source>,
    /// Where the main file lies; absolute. Relative paths count from here, and its name is the project's default name.
    pub directory: PathBuf,
    /// The caller's environment: for `${VAR}`, and for what services inherit.
    pub variables: &'a BTreeMap<String, String>,
    /// Reads an `env_file`; it is given an absolute path whenever `directory` is one.
    pub read: &'a dyn Fn(&Path) -> io::Result<String>,
}

impl fmt::Debug for Inputs<'_> {
    /// Without the variables: they hold secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Inputs")
            .field("base", &self.base.iter().map(|source| &source.path).collect::<Vec<_>>())
            .field("local", &self.local.as_ref().map(|source| &source.path))
            .field("directory", &self.directory)
            .finish_non_exhaustive()
    }
}
