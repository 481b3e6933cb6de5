//! Another program in this very process (`execve(2)`): its number, its parent, its children and what it keeps open stay.

use std::{
    ffi::{CString, NulError, c_char},
    fs::{self, File},
    io::{self, Read, Seek, Write},
    os::{
        fd::{AsFd, BorrowedFd, OwnedFd},
        unix::{ffi::OsStrExt, fs::MetadataExt},
    },
    path::Path,
    ptr,
};

use rustix::{
    fs::MemfdFlags,
    io::{FdFlags, fcntl_setfd},
};

use super::Limits;

/// The program of this process, should its file be replaced or deleted.
pub const OWN_PROGRAM: &str = "/proc/self/exe";

/// Replaces the program of this process: other threads end, what is not kept is closed, memory is gone. Blocked signals stay
/// blocked, and those that wait go on waiting. Limits are put back first, so that the new program finds what we found.
///
/// Returns only when it could not be executed, with why; everything is as before then.
pub fn replace_program(
    program: &Path,
    words: &[String],
    env: &[String],
    keep: &[BorrowedFd<'_>],
    limits: &Limits,
) -> io::Error {
    execute(program, words, env, keep, limits).unwrap_or_else(|error| error)
}

/// Both answers are failures: one of `execve(2)`, and one on the way there.
fn execute(
    program: &Path,
    words: &[String],
    env: &[String],
    keep: &[BorrowedFd<'_>],
    limits: &Limits,
) -> io::Result<io::Error> {
    let texts = |texts: &[String]| texts.iter().map(|text| CString::new(text.as_bytes())).collect();
    let words: Result<Vec<CString>, NulError> = texts(words);
    let env: Result<Vec<CString>, NulError> = texts(env);
    let (program, words, env) = (CString::new(program.as_os_str().as_bytes())?, words?, env?);
    for descriptor in keep {
        fcntl_setfd(descriptor, FdFlags::empty())?;
    }
    limits.restore();
    // SAFETY: all pointers are to strings that live until the call ends, and both lists end with a null pointer.
    unsafe { libc::execve(program.as_ptr(), pointers(&words).as_ptr(), pointers(&env).as_ptr()) };
    let error = io::Error::last_os_error();
    let _ = Limits::raise();
    for descriptor in keep {
        fcntl_setfd(descriptor, FdFlags::CLOEXEC)?;
    }
    Ok(error)
}

fn pointers(texts: &[CString]) -> Vec<*const c_char> {
    texts.iter().map(|text| text.as_ptr()).chain([ptr::null()]).collect()
}

/// Whether the file there is the one that this process executes.
pub fn is_own_program(path: &Path) -> bool {
    let identity = |path: &Path| fs::metadata(path).ok().map(|file| (file.dev(), file.ino()));
    identity(path).is_some_and(|there| identity(Path::new(OWN_PROGRAM)) == Some(there))
}

/// A file in memory that has no name anywhere else, with these bytes.
///
/// # Errors
/// `memfd_create(2)`, `write(2)`.
pub fn memory_file(name: &str, bytes: &[u8]) -> io::Result<OwnedFd> {
    let mut file = File::from(rustix::fs::memfd_create(name, MemfdFlags::CLOEXEC)?);
    file.write_all(bytes)?;
    Ok(file.into())
}

/// What is in such a file, from its beginning.
///
/// # Errors
/// `lseek(2)`, `read(2)`.
pub fn read_whole(file: impl AsFd) -> io::Result<Vec<u8>> {
    let mut file = File::from(file.as_fd().try_clone_to_owned()?);
    file.rewind()?;
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_executed_changes_nothing() {
        let kept = memory_file("state", b"seven").unwrap();
        let words = ["nothing".to_owned()];
        let error =
            replace_program(Path::new("/proc/nothing"), &words, &[], &[kept.as_fd()], &Limits::unchanged());
        assert_eq!(error.kind(), io::ErrorKind::NotFound);
        assert_eq!(rustix::io::fcntl_getfd(&kept).unwrap(), FdFlags::CLOEXEC);
        assert_eq!(read_whole(&kept).unwrap(), b"seven");
    }

    #[test]
    fn a_copy_of_our_program_is_another_program() {
        let own = std::env::current_exe().unwrap();
        assert!(is_own_program(&own));
        let dir = tempfile::tempdir().unwrap();
        let copy = dir.path().join("copy");
        fs::copy(&own, &copy).unwrap();
        assert!(!is_own_program(&copy));
        assert!(!is_own_program(&dir.path().join("nothing")));
    }
}
