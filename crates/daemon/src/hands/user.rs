//! Whom a process is made as: looked up aside from the loop, and judged by who we are.

use mainstay_host::{User, effective_uid, lookup_user};
use mainstay_model::{RunId, ServiceId};
use mainstay_wire::Identity;

use crate::slot::HookId;

/// What waits for its user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Making {
    /// This run of this service.
    Run(ServiceId, RunId),
    /// This run of this hook's slot.
    Hook(HookId, u64),
}

/// The user of something that is to be made was looked up.
#[derive(Debug)]
pub(crate) struct Resolved {
    pub(super) what: Making,
    pub(super) user: Result<User, String>,
}

/// May take its time (`nss(5)`), so it is not done in the loop.
pub(super) async fn look_up(name: String) -> Result<User, String> {
    match tokio::task::spawn_blocking(move || lookup_user(&name)).await {
        Ok(user) => user.map_err(|error| error.to_string()),
        Err(error) => Err(format!("the user could not be looked up ({error})")),
    }
}

/// The user, when we may become it.
pub(super) fn allowed(user: Result<User, String>) -> Result<User, String> {
    user.and_then(|user| may_become(&user, effective_uid()).map(|()| user))
}

/// What a process takes on to be this user.
pub(super) fn identity_of(user: Option<&User>) -> Option<Identity> {
    user.and_then(|user| identity(user, effective_uid()))
}

/// Whether a process of `own` may become this user.
fn may_become(user: &User, own: u32) -> Result<(), String> {
    if own == 0 || user.uid == own {
        return Ok(());
    }
    Err(format!(
        "only root may run a service as another user, and this project does not run as root (`{}`)",
        user.name
    ))
}

/// What a process has to take on to be this user; nothing when an ordinary user names itself, who may not even set the groups
/// that it has.
fn identity(user: &User, own: u32) -> Option<Identity> {
    let takes_on = own == 0;
    takes_on.then(|| Identity { uid: user.uid, gid: user.gid, groups: user.groups.clone() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn root_may_become_anybody_and_others_only_themselves() {
        let user = User {
            name: "shop".to_owned(),
            uid: 1000,
            gid: 100,
            groups: vec![100, 27],
            home: "/".into(),
            shell: "/bin/sh".into(),
        };
        let taken_on = Some(Identity { uid: 1000, gid: 100, groups: vec![100, 27] });
        assert_eq!((may_become(&user, 0), identity(&user, 0)), (Ok(()), taken_on));
        assert_eq!((may_become(&user, 1000), identity(&user, 1000)), (Ok(()), None));
        assert!(may_become(&user, 1001).is_err_and(|text| text.contains("`shop`")));
    }
}
