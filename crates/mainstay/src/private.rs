//! What the attributes write refers to. Nobody else should.

use std::{fmt, marker::PhantomData};

pub use inventory;

pub use crate::body::Maker;
#[cfg(feature = "calls")]
pub use crate::calls::{Answering, Argument, Arguments, CallSet, Callee, Method, answer, read, service_of};

use crate::{
    Blocking, Periodic, Permanent, SingleShot,
    body::{BlockingBody, PeriodicBody, PermanentBody, SingleShotBody, maker},
};

/// Shown instead of a secret.
pub const HIDDEN: Hidden = Hidden;

/// See [`HIDDEN`].
#[derive(Clone, Copy)]
pub struct Hidden;

impl fmt::Debug for Hidden {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(secret)")
    }
}

/// Which kind a type is of, found by the one of the traits below whose bounds hold: method calls look through references,
/// the type with the most of them first.
pub struct KindOf<T>(PhantomData<T>);

impl<T> KindOf<T> {
    /// Nothing but its type counts.
    #[allow(clippy::new_without_default, reason = "only the attribute makes one")]
    pub const fn new() -> Self {
        Self(PhantomData)
    }
}

macro_rules! via {
    ($name:ident, $kind:ident, $body:ident, $($reference:tt)*) => {
        #[doc = "See [`KindOf`]."]
        pub trait $name {
            /// How a service of this kind is made and lives.
            fn kind(&self) -> Maker;
        }

        impl<T: $kind> $name for $($reference)* KindOf<T> {
            fn kind(&self) -> Maker {
                maker::<T, $body<T>>()
            }
        }
    };
}

via!(ViaPermanent, Permanent, PermanentBody, &&&&);
via!(ViaBlocking, Blocking, BlockingBody, &&&);
via!(ViaSingleShot, SingleShot, SingleShotBody, &&);
via!(ViaPeriodic, Periodic, PeriodicBody, &);

/// See [`KindOf`]. What is of no kind does not get here: [`check_kinds`] refuses it.
pub trait ViaNone {
    /// Never.
    fn kind(&self) -> Maker;
}

impl<T> ViaNone for KindOf<T> {
    fn kind(&self) -> Maker {
        unreachable!("refused when it was compiled")
    }
}

/// 1 when the type implements the trait, else 0, at compile time.
#[doc(hidden)]
#[macro_export]
macro_rules! one_if_implemented {
    ($type:ty: $kind:path) => {{
        trait Otherwise {
            const COUNT: usize = 0;
        }
        impl<T: ?Sized> Otherwise for T {}
        struct Asked<T: ?Sized>(::core::marker::PhantomData<T>);
        #[allow(dead_code, reason = "only there when the type implements it")]
        impl<T: ?Sized + $kind> Asked<T> {
            const COUNT: usize = 1;
        }
        <Asked<$type>>::COUNT
    }};
}

/// Refuses, at compile time, what is of no kind or of several.
pub const fn check_kinds(kinds: &[usize; 4]) {
    let count = kinds[0] + kinds[1] + kinds[2] + kinds[3];
    assert!(
        count > 0,
        "a service is of one kind: write `impl Permanent`, `impl Blocking`, `impl SingleShot` or `impl Periodic` for it"
    );
    assert!(
        count < 2,
        "a service is of one kind: keep one of its `impl Permanent`, `Blocking`, `SingleShot`, `Periodic`"
    );
}

/// Refuses, at compile time, a call that needs a service which its own function holds for all its life.
pub const fn check_call_with_self(kinds: usize) {
    assert!(
        kinds == 0,
        "while `run` or `execute` runs it holds the service, and no call gets to it: leave `self` out, and share what both need: `ctx.share(Arc::new(…))` in `on_start`, `ctx.shared::<T>()?` in the call"
    );
}

/// The name of a service: that of its file, or of its type where the file's says nothing.
pub const fn name_of(file: &'static str, type_name: &'static str) -> &'static str {
    let bytes = file.as_bytes();
    let mut from = 0;
    let mut at = 0;
    while at < bytes.len() {
        if bytes[at] == b'/' || bytes[at] == b'\\' {
            from = at + 1;
        }
        at += 1;
    }
    let mut until = bytes.len();
    at = from;
    while at < bytes.len() {
        if bytes[at] == b'.' {
            until = at;
        }
        at += 1;
    }
    let (_, rest) = file.split_at(from);
    let (name, _) = rest.split_at(until - from);
    if says_nothing(name) { type_name } else { name }
}

/// Whether many files have this name.
const fn says_nothing(name: &str) -> bool {
    const NAMES: [&str; 5] = ["main", "lib", "mod", "tests", ""];
    let mut at = 0;
    while at < NAMES.len() {
        if is_same(NAMES[at], name) {
            return true;
        }
        at += 1;
    }
    !is_name(name)
}

const fn is_same(one: &str, other: &str) -> bool {
    let (one, other) = (one.as_bytes(), other.as_bytes());
    if one.len() != other.len() {
        return false;
    }
    let mut at = 0;
    while at < one.len() {
        if one[at] != other[at] {
            return false;
        }
        at += 1;
    }
    true
}

/// Whether it is in snake case.
const fn is_name(name: &str) -> bool {
    let bytes = name.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        if !(bytes[at].is_ascii_lowercase() || bytes[at].is_ascii_digit() || bytes[at] == b'_') {
            return false;
        }
        at += 1;
    }
    true
}

#[cfg(test)]
mod tests {
    use super::name_of;

    #[test]
    fn a_service_has_the_name_of_its_file_or_else_of_its_type() {
        for (file, expected) in [
            ("src/hello_world.rs", "hello_world"),
            ("src\\windows_path.rs", "windows_path"),
            ("src/main.rs", "its_type"),
            ("src/updater/mod.rs", "its_type"),
            ("tests/two-words.rs", "its_type"),
            ("sync.rs", "sync"),
        ] {
            assert_eq!(name_of(file, "its_type"), expected, "{file}");
        }
    }
}
