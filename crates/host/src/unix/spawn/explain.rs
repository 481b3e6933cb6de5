//! A failed start in words: which file, which folder, which user, and why. It looks at the files again, from the parent's
//! side, since an error number alone does not tell a missing program from a missing interpreter.

use std::{
    fs::{self, File},
    io::{self, Read},
    os::unix::fs::{MetadataExt, PermissionsExt},
    path::{Path, PathBuf},
};

use mainstay_model::{SpawnFailure, SpawnFailureKind};
use rustix::fs::StatVfsMountFlags;

use super::{DEFAULT_PATH, SpawnRequest, absolute, path_of};

/// The longest first line of a script that is read, in bytes (the kernel reads 256).
const SHEBANG_LIMIT: usize = 256;

/// Which step of a new process failed, as it is written down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum FailedStep {
    /// `setsid`.
    Session = 1,
    /// `dup2`.
    Descriptors = 2,
    /// `chdir`.
    Directory = 3,
    /// `setgroups`, `setresgid`, `setresuid`.
    User = 4,
    /// `execve`.
    Program = 5,
    /// Reading who it is from `/proc`.
    Identity = 6,
}

/// What was tried, for the words of its failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Attempt<'a> {
    /// The first word of the command.
    pub program: &'a str,
    /// The working directory.
    pub dir: &'a str,
    /// The PATH of its environment.
    pub path: Option<&'a str>,
    /// The user whom it took on.
    pub user: Option<u32>,
}

impl<'a> Attempt<'a> {
    pub(super) fn of(request: &SpawnRequest<'a>) -> Self {
        Self {
            program: request.words.first().map_or("", String::as_str),
            dir: request.dir,
            path: path_of(request.env),
            user: request.identity.as_ref().map(|identity| identity.uid),
        }
    }

    /// The failure that a process wrote down: its [`FailedStep`] as a number, `errno(3)`, and which candidate for the
    /// program's file it was about.
    pub fn failure(&self, step: u32, errno: i32, candidate: u32) -> SpawnFailure {
        let error = io::Error::from_raw_os_error(errno);
        if matches!(errno, libc::ENOMEM | libc::EAGAIN | libc::EMFILE | libc::ENFILE) {
            return self.no_process(&error);
        }
        match step {
            3 => self.directory(&error),
            4 => self.identity(&error),
            5 => self.execution(&error, candidate),
            _ => other(format!("the new process could not be prepared: {}", plain(&error))),
        }
    }

    pub(super) fn no_preparation(&self, error: &io::Error) -> SpawnFailure {
        match error.kind() {
            io::ErrorKind::InvalidInput => other(format!("`{}` cannot be started: {error}", self.program)),
            _ => self.no_process(error),
        }
    }

    pub(super) fn no_process(&self, error: &io::Error) -> SpawnFailure {
        let what = match error.raw_os_error() {
            Some(libc::EAGAIN) => match self.user {
                Some(user) => format!("user {user} may have no more processes"),
                None => "this machine, or our limit, allows no more processes".to_owned(),
            },
            Some(libc::ENOMEM) => "there is no memory for another process".to_owned(),
            Some(libc::EMFILE | libc::ENFILE) => "there is no room for another open file".to_owned(),
            _ => return other(format!("no process could be made: {}", plain(error))),
        };
        SpawnFailure { kind: SpawnFailureKind::NoResources, text: what }
    }

    fn directory(&self, error: &io::Error) -> SpawnFailure {
        let dir = self.dir;
        let text = match error.raw_os_error() {
            Some(libc::ENOENT) => format!("the working directory `{dir}` does not exist"),
            Some(libc::ENOTDIR) => format!("the working directory `{dir}` is not a directory"),
            Some(libc::EACCES) => format!("the working directory `{dir}` may not be entered"),
            _ => format!("the working directory `{dir}` cannot be entered: {}", plain(error)),
        };
        SpawnFailure { kind: SpawnFailureKind::NoDirectory, text }
    }

    fn identity(&self, error: &io::Error) -> SpawnFailure {
        let user = self.user.unwrap_or(0);
        let text = match error.raw_os_error() {
            Some(libc::EPERM) => format!("only root may run services as user {user}"),
            _ => format!("user {user} cannot be taken on: {}", plain(error)),
        };
        SpawnFailure { kind: SpawnFailureKind::NoUser, text }
    }

    fn execution(&self, error: &io::Error, candidate: u32) -> SpawnFailure {
        let program = self.program;
        let file = self.file(candidate);
        match error.raw_os_error() {
            Some(libc::ENOENT | libc::ENOTDIR) => self.missing(),
            Some(libc::EACCES) => self.forbidden(&file),
            Some(libc::EPERM) => not_permitted(format!("the system does not permit to run `{program}`")),
            Some(libc::ENOEXEC) => not_executable(format!(
                "`{}` is no program: it has neither a format that this machine knows nor a `#!` line",
                self.shown(&file)
            )),
            Some(libc::ELIBBAD | libc::EINVAL) => {
                not_executable(format!("`{}` has a damaged or foreign format", self.shown(&file)))
            }
            Some(libc::ELOOP) => not_executable(format!("`{program}` is a circle of symbolic links")),
            Some(libc::E2BIG) => other("arguments and environment together are too long".to_owned()),
            Some(libc::ETXTBSY) => other(format!("`{}` is being written at this moment", self.shown(&file))),
            _ => other(format!("`{}` cannot be executed: {}", self.shown(&file), plain(error))),
        }
    }

    fn missing(&self) -> SpawnFailure {
        let program = self.program;
        if !program.contains('/') {
            let found = self
                .folders()
                .map(|folder| absolute(self.dir, folder).join(program))
                .find(|file| file.exists());
            if let Some(file) = found {
                return self.missing_interpreter(&file);
            }
            let path = self.path.unwrap_or(DEFAULT_PATH);
            return no_program(format!("`{program}` is not on the PATH (`{path}`)"));
        }
        let file = absolute(self.dir, program);
        if file.exists() {
            return self.missing_interpreter(&file);
        }
        let is_dangling = fs::symlink_metadata(&file).is_ok_and(|data| data.is_symlink());
        no_program(match (is_dangling, Path::new(program).is_absolute()) {
            (true, _) => format!("`{program}` is a symbolic link to a file that does not exist"),
            (false, true) => format!("`{program}` does not exist"),
            (false, false) => format!("`{program}` does not exist (looked in `{}`)", self.dir),
        })
    }

    /// The file is there, and yet the kernel missed something.
    fn missing_interpreter(&self, file: &Path) -> SpawnFailure {
        let shown = self.shown(file);
        not_executable(match shebang(file) {
            Some(interpreter) => {
                format!(
                    "`{shown}` needs the interpreter `{interpreter}` of its `#!` line, which does not exist"
                )
            }
            None => format!(
                "`{shown}` needs a loader that this machine does not have: it was built for another system"
            ),
        })
    }

    fn forbidden(&self, file: &Path) -> SpawnFailure {
        let shown = self.shown(file);
        let Ok(data) = fs::metadata(file) else { return not_permitted(self.may_not(&shown)) };
        if data.is_dir() {
            return not_executable(format!("`{shown}` is a directory, not a program"));
        }
        if data.permissions().mode() & 0o111 == 0 {
            return not_permitted(format!("`{shown}` is not marked as executable (`chmod +x` does that)"));
        }
        let mount = rustix::fs::statvfs(file);
        if mount.is_ok_and(|mount| mount.f_flag.contains(StatVfsMountFlags::NOEXEC)) {
            return not_permitted(format!("`{shown}` is on a file system that is mounted with `noexec`"));
        }
        match shebang(file) {
            Some(interpreter) if self.may_execute(&data) => {
                not_permitted(self.may_not(&format!("{interpreter}` of the `#!` line of `{shown}")))
            }
            _ => not_permitted(self.may_not(&shown)),
        }
    }

    fn may_not(&self, shown: &str) -> String {
        match self.user {
            Some(user) => format!("user {user} may not execute `{shown}`"),
            None => format!("no permission to execute `{shown}`"),
        }
    }

    /// By the file's own mode; access control lists and folders are not looked at.
    fn may_execute(&self, data: &fs::Metadata) -> bool {
        let mode = data.permissions().mode();
        let user = self.user.unwrap_or_else(crate::effective_uid);
        mode & 0o001 != 0 || (data.uid() == user && mode & 0o100 != 0)
    }

    fn folders(&self) -> impl Iterator<Item = &'a str> {
        self.path.unwrap_or(DEFAULT_PATH).split(':')
    }

    /// The file that a candidate's number means.
    fn file(&self, candidate: u32) -> PathBuf {
        if self.program.contains('/') {
            return absolute(self.dir, self.program);
        }
        let index = usize::try_from(candidate).unwrap_or(0);
        absolute(self.dir, self.folders().nth(index).unwrap_or("")).join(self.program)
    }

    /// As the description names it when it names a path, else where it was found.
    fn shown(&self, file: &Path) -> String {
        if self.program.contains('/') { self.program.to_owned() } else { file.display().to_string() }
    }
}

/// The interpreter of a script.
fn shebang(file: &Path) -> Option<String> {
    let mut bytes = Vec::new();
    File::open(file).ok()?.take(SHEBANG_LIMIT as u64).read_to_end(&mut bytes).ok()?;
    let line = bytes.strip_prefix(b"#!")?.split(|byte| *byte == b'\n').next()?;
    Some(String::from_utf8_lossy(line).split_whitespace().next()?.to_owned())
}

/// The system's words without Rust's addition of the number.
fn plain(error: &io::Error) -> String {
    let text = error.to_string();
    text.split(" (os error").next().unwrap_or_default().to_lowercase()
}

fn no_program(text: String) -> SpawnFailure {
    SpawnFailure { kind: SpawnFailureKind::NoProgram, text }
}

fn not_permitted(text: String) -> SpawnFailure {
    SpawnFailure { kind: SpawnFailureKind::NotPermitted, text }
}

fn not_executable(text: String) -> SpawnFailure {
    SpawnFailure { kind: SpawnFailureKind::NotExecutable, text }
}

fn other(text: String) -> SpawnFailure {
    SpawnFailure { kind: SpawnFailureKind::Other, text }
}
