//! The databases of users and groups: names to numbers. Who may be whom is decided elsewhere.

use std::{
    ffi::{CStr, CString},
    io,
    path::PathBuf,
    ptr,
};

use crate::HostError;

/// The largest entry of the user database that is read, in bytes.
const ENTRY_LIMIT: usize = 1024 * 1024;

/// A user of this machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// The login name.
    pub name: String,
    /// The number.
    pub uid: u32,
    /// The primary group.
    pub gid: u32,
    /// All groups, the primary one included.
    pub groups: Vec<u32>,
    /// The home folder.
    pub home: PathBuf,
    /// The login shell.
    pub shell: PathBuf,
}

/// The user whom this process acts as.
pub fn effective_uid() -> u32 {
    rustix::process::geteuid().as_raw()
}

/// Looks up a user by name, or by number when no user has that name (`getpwnam_r(3)`).
///
/// # Errors
/// [`HostError::NoSuchUser`], or [`HostError::UserLookup`] when the database did not answer.
pub fn lookup_user(name: &str) -> Result<User, HostError> {
    let no_such = || HostError::NoSuchUser { name: name.to_owned() };
    let by_name = CString::new(name).map_err(|_| no_such())?;
    if let Some(user) = read_entry(name, &Key::Name(by_name))? {
        return Ok(user);
    }
    let number: u32 = name.parse().map_err(|_| no_such())?;
    read_entry(name, &Key::Number(number))?.ok_or_else(no_such)
}

/// Looks up the number of a group by name (`getgrnam_r(3)`).
///
/// # Errors
/// [`HostError::NoSuchGroup`], or [`HostError::UserLookup`] when the database did not answer.
pub fn lookup_group(name: &str) -> Result<u32, HostError> {
    let no_such = || HostError::NoSuchGroup { name: name.to_owned() };
    let text = CString::new(name).map_err(|_| no_such())?;
    let mut buffer: Vec<libc::c_char> = vec![0; 4096];
    loop {
        // SAFETY: `group` is numbers and pointers, for all of which zero is a value.
        let mut entry: libc::group = unsafe { std::mem::zeroed() };
        let mut found: *mut libc::group = ptr::null_mut();
        let room = buffer.len();
        // SAFETY: all pointers are to live values, and `room` is the length of the buffer.
        let code = unsafe {
            libc::getgrnam_r(text.as_ptr(), &raw mut entry, buffer.as_mut_ptr(), room, &raw mut found)
        };
        match code {
            0 if found.is_null() => return Err(no_such()),
            0 => return Ok(entry.gr_gid),
            libc::EINTR => {}
            libc::ERANGE if room < ENTRY_LIMIT => buffer.resize(room * 4, 0),
            libc::ENOENT | libc::ESRCH | libc::EBADF | libc::EPERM => return Err(no_such()),
            code => {
                let source = io::Error::from_raw_os_error(code);
                return Err(HostError::UserLookup { name: name.to_owned(), source });
            }
        }
    }
}

enum Key {
    Name(CString),
    Number(u32),
}

fn read_entry(asked: &str, key: &Key) -> Result<Option<User>, HostError> {
    let failed = |source| HostError::UserLookup { name: asked.to_owned(), source };
    let mut buffer: Vec<libc::c_char> = vec![0; 4096];
    loop {
        // SAFETY: `passwd` is numbers and pointers, for all of which zero is a value.
        let mut entry: libc::passwd = unsafe { std::mem::zeroed() };
        let mut found: *mut libc::passwd = ptr::null_mut();
        let (text, room) = (buffer.as_mut_ptr(), buffer.len());
        let code = match key {
            // SAFETY: all pointers are to live values, and `room` is the length of the buffer.
            Key::Name(name) => unsafe {
                libc::getpwnam_r(name.as_ptr(), &raw mut entry, text, room, &raw mut found)
            },
            // SAFETY: as above.
            Key::Number(number) => unsafe {
                libc::getpwuid_r(*number, &raw mut entry, text, room, &raw mut found)
            },
        };
        match code {
            0 if found.is_null() => return Ok(None),
            0 => return Ok(Some(user_of(&entry))),
            libc::EINTR => {}
            libc::ERANGE if room < ENTRY_LIMIT => buffer.resize(room * 4, 0),
            // What `getpwnam(3)` lists as ways to say "not found".
            libc::ENOENT | libc::ESRCH | libc::EBADF | libc::EPERM => return Ok(None),
            code => return Err(failed(io::Error::from_raw_os_error(code))),
        }
    }
}

fn user_of(entry: &libc::passwd) -> User {
    let text = |pointer: *const libc::c_char| {
        if pointer.is_null() {
            return String::new();
        }
        // SAFETY: a string of a successful lookup ends with a NUL and lies in the caller's buffer, which still lives.
        unsafe { CStr::from_ptr(pointer) }.to_string_lossy().into_owned()
    };
    User {
        name: text(entry.pw_name),
        uid: entry.pw_uid,
        gid: entry.pw_gid,
        groups: groups_of(entry.pw_name, entry.pw_gid),
        home: PathBuf::from(text(entry.pw_dir)),
        shell: PathBuf::from(text(entry.pw_shell)),
    }
}

fn groups_of(name: *const libc::c_char, gid: u32) -> Vec<u32> {
    let mut groups: Vec<libc::gid_t> = vec![0; 64];
    loop {
        let mut count = libc::c_int::try_from(groups.len()).unwrap_or(libc::c_int::MAX);
        // SAFETY: `name` is a live string, and `count` says how many entries there is room for.
        let code = unsafe { libc::getgrouplist(name, gid, groups.as_mut_ptr(), &raw mut count) };
        let count = usize::try_from(count).unwrap_or(0);
        if code >= 0 {
            groups.truncate(count);
            return groups;
        }
        if count <= groups.len() {
            return vec![gid];
        }
        groups.resize(count, 0);
    }
}
