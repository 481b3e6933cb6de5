//! The methods that every service has, as they are listed. What they do is written at the desk.

use mainstay_wire::{ArgumentView, MethodView};

/// A method that every service has.
#[derive(Clone, Copy, Debug)]
pub(super) struct BuiltIn {
    pub(super) name: &'static str,
    help: &'static str,
    /// Texts that may be left out.
    arguments: &'static [&'static str],
    /// Whether it changes something.
    pub(super) changes: bool,
}

/// All of them.
pub(super) const ALL: [BuiltIn; 11] = [
    reads("methods", "Lists what can be called"),
    reads("status", "How the service is"),
    reads("health", "Whether it is well"),
    reads("stats", "Counts since the process began, and its memory"),
    reads("subscribe", "Sends events from now on"),
    BuiltIn { arguments: &["name"], ..reads("config.get", "The settings, or one, and where each came from") },
    changes(
        "config.set",
        "Changes settings until the process ends: {\"interval\": \"1h\"}; null takes a change back",
    ),
    changes("reload", "Reads the configuration anew"),
    changes("restart", "Makes the service anew, in the same process"),
    changes("stop", "Ends the service"),
    changes("trigger", "Asks for the next tick of a periodic service now"),
];

const fn reads(name: &'static str, help: &'static str) -> BuiltIn {
    BuiltIn { name, help, arguments: &[], changes: false }
}

const fn changes(name: &'static str, help: &'static str) -> BuiltIn {
    BuiltIn { changes: true, ..reads(name, help) }
}

/// The one of this name.
pub(super) fn find(name: &str) -> Option<&'static BuiltIn> {
    ALL.iter().find(|one| one.name == name)
}

impl BuiltIn {
    pub(super) fn view(&self) -> MethodView {
        let argument = |name: &&str| ArgumentView {
            name: (*name).to_owned(),
            r#type: "string".to_owned(),
            required: false,
        };
        MethodView {
            name: self.name.to_owned(),
            help: self.help.to_owned(),
            arguments: self.arguments.iter().map(argument).collect(),
            changes: self.changes,
        }
    }
}
