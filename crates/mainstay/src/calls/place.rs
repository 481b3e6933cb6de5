//! Where the socket of a service is: where the supervisor says, else among those that its user runs by hand.

use std::{
    env,
    path::{Path, PathBuf},
};

use mainstay_host::by_hand_calls_dir;

/// The variable by which a supervisor says where the socket is to be; empty: there is to be none.
pub(super) const VARIABLE: &str = "MAINSTAY_CALLS";

/// Where it is to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// A supervisor has made the folder, and sees to it that there is one process for it.
    Given(PathBuf),
    /// By hand, where nobody else sees to that.
    ByHand(PathBuf),
}

impl Place {
    pub(super) fn path(&self) -> &Path {
        match self {
            Self::Given(path) | Self::ByHand(path) => path,
        }
    }
}

/// That of an instance of a service; `None` when there is to be none.
pub(super) fn of(name: &str, instance: &str) -> Option<Place> {
    match env::var_os(VARIABLE) {
        Some(path) if path.is_empty() => None,
        Some(path) => Some(Place::Given(PathBuf::from(path))),
        None => Some(by_hand(name, instance)),
    }
}

/// Its place among those that run by hand.
pub(super) fn by_hand(name: &str, instance: &str) -> Place {
    let runtime = env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from);
    let dir = by_hand_calls_dir(runtime.as_deref(), &env::temp_dir());
    // An instance may be called anything; a file may not.
    Place::ByHand(dir.join(format!("{name}@{}", instance.replace('/', "_"))))
}
