//! A signal by its number, with the names of `signal(7)`.

use std::{fmt, str::FromStr};

/// A signal number of this machine, from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Signal(i32);

/// The numbers of Linux on x86 and ARM (`signal(7)`).
const NAMES: &[(i32, &str)] = &[
    (1, "HUP"),
    (2, "INT"),
    (3, "QUIT"),
    (4, "ILL"),
    (5, "TRAP"),
    (6, "ABRT"),
    (7, "BUS"),
    (8, "FPE"),
    (9, "KILL"),
    (10, "USR1"),
    (11, "SEGV"),
    (12, "USR2"),
    (13, "PIPE"),
    (14, "ALRM"),
    (15, "TERM"),
    (16, "STKFLT"),
    (17, "CHLD"),
    (18, "CONT"),
    (19, "STOP"),
    (20, "TSTP"),
    (21, "TTIN"),
    (22, "TTOU"),
    (23, "URG"),
    (24, "XCPU"),
    (25, "XFSZ"),
    (26, "VTALRM"),
    (27, "PROF"),
    (28, "WINCH"),
    (29, "IO"),
    (30, "PWR"),
    (31, "SYS"),
];

/// The highest real-time signal of Linux.
const LAST: i32 = 64;

impl Signal {
    /// Asks to read the configuration again, or: the terminal is gone.
    pub const HUP: Self = Self(1);
    /// Interrupt, as Ctrl-C sends it.
    pub const INT: Self = Self(2);
    /// Ends a process and asks for a picture of its memory.
    pub const ABRT: Self = Self(6);
    /// Freezes a process.
    pub const STOP: Self = Self(19);
    /// Lets a frozen process go on.
    pub const CONT: Self = Self(18);
    /// Cannot be caught.
    pub const KILL: Self = Self(9);
    /// Asks to end.
    pub const TERM: Self = Self(15);

    /// The signal of this number, when there is one.
    pub fn from_number(number: i32) -> Option<Self> {
        (1..=LAST).contains(&number).then_some(Self(number))
    }

    /// Its number.
    pub const fn number(self) -> i32 {
        self.0
    }

    /// All names without `SIG`, for suggestions.
    pub fn names() -> impl Iterator<Item = &'static str> {
        NAMES.iter().map(|(_, name)| *name)
    }
}

impl FromStr for Signal {
    type Err = ();

    /// Reads `TERM`, `SIGTERM` (any case) or a number.
    fn from_str(text: &str) -> Result<Self, ()> {
        let upper = text.to_ascii_uppercase();
        let bare = upper.strip_prefix("SIG").unwrap_or(&upper);
        if let Some((number, _)) = NAMES.iter().find(|(_, name)| *name == bare) {
            return Ok(Self(*number));
        }
        bare.parse().ok().and_then(Self::from_number).ok_or(())
    }
}

impl fmt::Display for Signal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match NAMES.iter().find(|(number, _)| *number == self.0) {
            Some((_, name)) => f.write_str(name),
            None => write!(f, "{}", self.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_spellings_and_numbers_are_read() {
        for text in ["TERM", "SIGTERM", "sigterm", "15"] {
            assert_eq!(text.parse(), Ok(Signal::TERM));
        }
        for bad in ["", "SIG", "TREM", "0", "65", "-9"] {
            assert_eq!(bad.parse::<Signal>(), Err(()), "{bad}");
        }
        assert_eq!(Signal::KILL.to_string(), "KILL");
        assert_eq!(Signal::from_number(40).map(|s| s.to_string()), Some("40".to_owned()));
    }
}
