//! What can be done to services from here: one table. A new act is one row; keys, help, hints and questions follow from it.

use mainstay_wire::Act;

/// One act.
#[derive(Debug)]
pub(crate) struct ActRow {
    /// The key that does it.
    pub(crate) key: char,
    /// What the daemon is asked.
    pub(crate) act: Act,
    /// `stop`.
    pub(crate) word: &'static str,
    /// `stopping`.
    pub(crate) doing: &'static str,
    /// `stopped`.
    pub(crate) done: &'static str,
    /// What it does, for the help.
    pub(crate) help: &'static str,
    /// Whether a person is asked first.
    pub(crate) asks: Asks,
    /// What becomes of services that depend on it.
    pub(crate) dependents: Dependents,
    /// Where it stands at the foot of the screen.
    pub(crate) hint: Place,
}

/// When a person is asked first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Asks {
    /// Never: it does no harm.
    Never,
    /// When it concerns several services, one that others depend on, or another one than is selected.
    WhenItConcernsOthers,
}

/// What becomes of the services that depend on one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Dependents {
    /// The same, before it.
    Included,
    /// Nothing.
    Untouched,
}

/// Where a hint stands among the others, the last of which narrow screens leave out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// What is often wanted.
    First,
    /// What can be looked up in the help.
    Last,
}

/// All of them, in the order of the help.
pub(crate) const ACTS: &[ActRow] = &[
    ActRow {
        key: 'u',
        act: Act::Start,
        word: "start",
        doing: "starting",
        done: "started",
        help: "start, with what it depends on",
        asks: Asks::Never,
        dependents: Dependents::Untouched,
        hint: Place::First,
    },
    ActRow {
        key: 'x',
        act: Act::Stop,
        word: "stop",
        doing: "stopping",
        done: "stopped",
        help: "stop, after what depends on it",
        asks: Asks::WhenItConcernsOthers,
        dependents: Dependents::Included,
        hint: Place::First,
    },
    ActRow {
        key: 'r',
        act: Act::Restart,
        word: "restart",
        doing: "restarting",
        done: "restarted",
        help: "restart, and nothing else",
        asks: Asks::WhenItConcernsOthers,
        dependents: Dependents::Untouched,
        hint: Place::First,
    },
    ActRow {
        key: 'K',
        act: Act::Kill,
        word: "kill",
        doing: "killing",
        done: "killed",
        help: "kill at once, and keep it down",
        asks: Asks::WhenItConcernsOthers,
        dependents: Dependents::Untouched,
        hint: Place::First,
    },
    ActRow {
        key: 'p',
        act: Act::Pause,
        word: "pause",
        doing: "pausing",
        done: "paused",
        help: "pause: freeze all of its processes",
        asks: Asks::WhenItConcernsOthers,
        dependents: Dependents::Untouched,
        hint: Place::Last,
    },
    ActRow {
        key: 'P',
        act: Act::Resume,
        word: "resume",
        doing: "resuming",
        done: "resumed",
        help: "resume what is paused",
        asks: Asks::Never,
        dependents: Dependents::Untouched,
        hint: Place::Last,
    },
    ActRow {
        key: 'R',
        act: Act::Reload,
        word: "reload",
        doing: "reloading",
        done: "reloaded",
        help: "reload its configuration",
        asks: Asks::Never,
        dependents: Dependents::Untouched,
        hint: Place::Last,
    },
    ActRow {
        key: 'F',
        act: Act::ResetFailed,
        word: "reset-failed",
        doing: "forgetting failures of",
        done: "forgot failures of",
        help: "forget its failures and restarts",
        asks: Asks::Never,
        dependents: Dependents::Untouched,
        hint: Place::Last,
    },
];

/// The act of this key.
pub(crate) fn of_key(key: char) -> Option<&'static ActRow> {
    ACTS.iter().find(|row| row.key == key)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_act_has_a_key_of_its_own() {
        for row in ACTS {
            let same = ACTS.iter().filter(|other| other.key == row.key || other.word == row.word);
            assert_eq!(same.count(), 1, "{row:?}");
        }
    }
}
