//! The picture of `docs/architecture.md` as a table: which room is on which floor, and what it must never reach.
//!
//! Imports go to lower floors only, tests included. Rooms on one floor are blind to each other. What is outside may
//! look at every floor and at nothing else outside; no floor looks out.

use std::fmt;

/// Where a room is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// A floor of the product, from 0.
    Floor(u8),
    /// For developers only.
    Outside,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Floor(number) => write!(f, "floor {number}"),
            Self::Outside => write!(f, "outside the product"),
        }
    }
}

/// A crate.
#[derive(Debug)]
pub(super) struct Room {
    /// Its folder below `crates/`.
    pub(super) name: &'static str,
    /// Where it is.
    pub(super) place: Place,
    /// Packages that it must not reach, however many steps away, in lists.
    never: &'static [&'static [&'static str]],
}

/// The highest floor of rooms without I/O.
const PURE_UP_TO: u8 = 1;

/// Libraries of TLS, HTTP, NATS, mail and databases.
const NETWORKS: &[&str] = &[
    "hyper",
    "axum",
    "tower-http",
    "reqwest",
    "ureq",
    "rustls",
    "native-tls",
    "openssl-sys",
    "ring",
    "aws-lc-rs",
    "rusqlite",
    "libsqlite3-sys",
    "async-nats",
    "lettre",
];

/// Async runtimes and what brings one.
const RUNTIMES: &[&str] = &["tokio", "mio", "async-std", "smol", "async-io", "zbus"];

/// For rooms with neither.
const HEAVY: &[&[&str]] = &[RUNTIMES, NETWORKS];

/// Every room that there is or will be.
pub(super) const ROOMS: &[Room] = &[
    room("model", Place::Floor(0), HEAVY),
    room("macros", Place::Floor(0), HEAVY),
    room("decide", Place::Floor(1), HEAVY),
    room("native", Place::Floor(1), HEAVY),
    room("config", Place::Floor(1), HEAVY),
    room("wire", Place::Floor(1), HEAVY),
    room("host", Place::Floor(2), HEAVY),
    room("probe", Place::Floor(2), &[]),
    room("logs", Place::Floor(2), &[NETWORKS]),
    room("client", Place::Floor(2), &[NETWORKS]),
    room("keeper", Place::Floor(3), HEAVY),
    room("runner", Place::Floor(3), &[]),
    room("daemon", Place::Floor(4), &[&["axum", "async-nats", "lettre"]]),
    room("mainstay", Place::Floor(4), &[&["rustls", "async-nats", "lettre"]]),
    room("http", Place::Floor(5), &[]),
    room("nats", Place::Floor(5), &[&["axum"]]),
    room("notify", Place::Floor(5), &[]),
    room("builtin", Place::Floor(5), &[]),
    room("top", Place::Floor(5), HEAVY),
    room("supervisorctl", Place::Floor(5), &[&["axum", "rustls", "async-nats", "lettre"]]),
    room("cli", Place::Floor(6), &[]),
    room("sim", Place::Outside, &[]),
    room("bench", Place::Outside, &[]),
    room("xtask", Place::Outside, &[]),
];

const fn room(name: &'static str, place: Place, never: &'static [&'static [&'static str]]) -> Room {
    Room { name, place, never }
}

/// The room of this folder.
pub(super) fn find(name: &str) -> Option<&'static Room> {
    ROOMS.iter().find(|room| room.name == name)
}

/// The rooms without I/O, existing or not.
pub(crate) fn pure_rooms() -> impl Iterator<Item = &'static str> {
    ROOMS.iter().filter(|room| room.is_pure()).map(|room| room.name)
}

impl Room {
    /// Whether this room does no I/O.
    pub(super) fn is_pure(&self) -> bool {
        matches!(self.place, Place::Floor(number) if number <= PURE_UP_TO)
    }

    /// Whether it must not reach this package, however many steps away.
    pub(super) fn must_not_reach(&self, package: &str) -> bool {
        self.never.iter().any(|list| list.contains(&package))
    }

    /// The name of its package.
    pub(super) fn package(&self) -> String {
        match self.name {
            "mainstay" | "xtask" => self.name.to_owned(),
            name => format!("mainstay-{name}"),
        }
    }

    /// Why this room may not import `other`, and what to do; `None` when it may.
    pub(super) fn may_not_import(&self, other: &Self) -> Option<(String, &'static str)> {
        let (here, there) = (self.place, other.place);
        match (here, there) {
            (Place::Floor(from), Place::Floor(to)) if to < from => None,
            (Place::Outside, Place::Floor(_)) => None,
            (Place::Floor(from), Place::Floor(to)) if to == from => Some((
                format!("imports `{}` sideways: both are on {here}", other.name),
                "rooms on one floor are blind to each other: move the shared noun down, or join the two one floor up",
            )),
            (Place::Floor(_), Place::Floor(_)) => Some((
                format!("imports `{}` upwards: from {here} to {there}", other.name),
                "imports go to lower floors only: move what both need down, or hand it in as a value",
            )),
            (Place::Floor(_), Place::Outside) => Some((
                format!("imports `{}`, which is {there}", other.name),
                "no product crate depends on a developer's one, tests included: put the test there instead",
            )),
            (Place::Outside, Place::Outside) => Some((
                format!("imports `{}`: both are {there}", other.name),
                "developers' crates are blind to each other, as rooms on one floor are",
            )),
        }
    }
}
