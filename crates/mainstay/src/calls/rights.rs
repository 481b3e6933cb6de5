//! Who may call what: by the user and groups of the process at the other end, as the kernel tells them.

use mainstay_host::{effective_uid, lookup_group, lookup_user};
use tokio::net::unix::UCred;

/// What a caller may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rights {
    /// Everything.
    All,
    /// What changes nothing.
    Read,
}

/// Who is at the other end.
#[derive(Clone, Copy, Debug)]
pub(super) struct Caller {
    pub(super) uid: u32,
    pub(super) pid: Option<i32>,
    pub(super) rights: Rights,
}

/// The variable that names a group, before what the program says.
const GROUP_VARIABLE: &str = "MAINSTAY_CALLS_GROUP";

/// Whom everything is allowed to: our own user, root, and the members of a group, when one is named.
#[derive(Clone, Copy, Debug)]
pub(super) struct Owners {
    own: u32,
    group: Option<u32>,
}

impl Owners {
    /// With the group that the environment, else the program, names.
    pub(super) fn of(group: Option<&str>) -> Self {
        let named = std::env::var(GROUP_VARIABLE).ok().filter(|name| !name.is_empty());
        let name = named.as_deref().or(group);
        let group = name.and_then(|name| {
            lookup_group(name)
                .map_err(|error| {
                    tracing::warn!("nobody but its user and root may call this service: {error}")
                })
                .ok()
        });
        Self { own: effective_uid(), group }
    }

    pub(super) fn group(&self) -> Option<u32> {
        self.group
    }

    /// Who that is. Groups are looked up aside: that may take its time (`nss(5)`).
    pub(super) async fn caller(&self, credentials: UCred) -> Caller {
        let (uid, gid) = (credentials.uid(), credentials.gid());
        let is_owner = uid == 0 || uid == self.own || self.group == Some(gid);
        let is_member = match self.group {
            Some(group) if !is_owner => {
                let found = tokio::task::spawn_blocking(move || lookup_user(&uid.to_string()));
                matches!(found.await, Ok(Ok(user)) if user.uid == uid && user.groups.contains(&group))
            }
            Some(_) | None => false,
        };
        let rights = if is_owner || is_member { Rights::All } else { Rights::Read };
        Caller { uid, pid: credentials.pid(), rights }
    }
}
