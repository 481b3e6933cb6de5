//! What the standard library's `Command` lacks to make a process as services are made: all groups of its user.

use std::{io, os::unix::process::CommandExt, process::Command};

use rustix::{
    process::{Gid, Uid},
    thread::{set_thread_groups, set_thread_res_gid, set_thread_res_uid},
};

use super::Identity;

/// Has this command run as this user with these groups, and no others; it takes root. Its working directory is gone to before.
pub fn run_as(command: &mut Command, identity: Identity<'_>) {
    let groups: Vec<Gid> = identity.groups.iter().map(|group| Gid::from_raw(*group)).collect();
    let (uid, gid) = (Uid::from_raw(identity.uid), Gid::from_raw(identity.gid));
    let take_on = move || {
        set_thread_groups(&groups)?;
        set_thread_res_gid(gid, gid, gid)?;
        set_thread_res_uid(uid, uid, uid).map_err(io::Error::from)
    };
    // SAFETY: three bare system calls in a process that has one thread; what they are given was made before.
    unsafe {
        command.pre_exec(take_on);
    }
}
