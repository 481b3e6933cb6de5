//! The version of what outlives a program, read before anything else of it is: a later form may have nothing else in common
//! with ours. Knows none of those forms.

use serde::Deserialize;

/// What somebody can do who has a state of a later version.
pub const LATER_HELP: &str = "use the Mainstay that wrote it, or a later one";

/// What all that is written in JSON has.
#[derive(Deserialize)]
struct Versioned {
    version: u32,
}

/// The version in a JSON object, when that is later than this one.
pub fn later_version(json: &[u8], ours: u32) -> Option<u32> {
    let Versioned { version } = serde_json::from_slice(json).ok()?;
    (version > ours).then_some(version)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_later_one_is_told_whatever_else_there_is() {
        assert_eq!(later_version(br#"{"of":[1],"version":3,"else":{}}"#, 2), Some(3));
        for other in [&br#"{"version":2}"#[..], br#"{"version":"3"}"#, br#"{"number":3}"#, b"3", b"{"] {
            assert_eq!(later_version(other, 2), None);
        }
    }
}
