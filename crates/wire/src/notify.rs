//! What a service says over its notify socket, in the form of `sd_notify(3)`: lines of `NAME=value` in one datagram.

use serde::{Deserialize, Serialize};

/// The longest datagram that is read, in bytes. What is longer is not taken at all.
pub const NOTIFY_LIMIT: usize = 8 * 1024;

/// The longest word of itself that is kept, in bytes.
const SAID_LIMIT: usize = 512;

/// One thing that a service says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum WireNotice {
    /// `READY=1`, or the newline on its descriptor.
    Ready,
    /// `RELOADING=1`.
    Reloading,
    /// `STOPPING=1`.
    Stopping,
    /// `STATUS=`; empty takes it back.
    Status(String),
    /// `ERRNO=` (`errno(3)`).
    Errno(i32),
    /// `EXTEND_TIMEOUT_USEC=`.
    ExtendMs(u64),
    /// `MAINPID=`.
    MainPid(u32),
    /// `WATCHDOG=1`.
    Alive,
    /// `WATCHDOG=trigger`.
    Trigger,
    /// `WATCHDOG_USEC=`.
    WatchdogMs(u64),
}

/// What a datagram says; lines that mean nothing here are left out. `RELOADING=1` comes with a `MONOTONIC_USEC` since systemd
/// 253; one without it is taken as well. `READY` stands last when a reload is told in the same datagram as its end.
pub fn notices(datagram: &[u8]) -> Vec<WireNotice> {
    let text = String::from_utf8_lossy(datagram);
    let said = text.lines().filter_map(|line| line.split_once('=')).filter_map(|(name, value)| {
        let number = || value.trim().parse::<u64>().ok();
        Some(match (name, value) {
            ("READY", "1") => WireNotice::Ready,
            ("RELOADING", "1") => WireNotice::Reloading,
            ("STOPPING", "1") => WireNotice::Stopping,
            ("STATUS", text) => WireNotice::Status(clean(text)),
            ("ERRNO", number) => WireNotice::Errno(number.trim().parse().ok()?),
            ("EXTEND_TIMEOUT_USEC", _) => WireNotice::ExtendMs(number()?.div_ceil(1_000)),
            ("MAINPID", pid) => WireNotice::MainPid(pid.trim().parse().ok().filter(|pid| *pid > 0)?),
            ("WATCHDOG", "1") => WireNotice::Alive,
            ("WATCHDOG", "trigger") => WireNotice::Trigger,
            ("WATCHDOG_USEC", _) => WireNotice::WatchdogMs(number()?.div_ceil(1_000)),
            _ => return None,
        })
    });
    let mut said: Vec<WireNotice> = said.collect();
    said.sort_by_key(|notice| *notice == WireNotice::Ready);
    said
}

/// Whether the datagram asks for its descriptor to be closed once everything before it was taken in (`BARRIER=1`).
pub fn is_barrier(datagram: &[u8]) -> bool {
    datagram.split(|byte| *byte == b'\n').any(|line| line == b"BARRIER=1")
}

/// On one line, without what a terminal would obey, and not too long.
fn clean(text: &str) -> String {
    let mut clean: String = text.trim().chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    while clean.len() > SAID_LIMIT {
        clean.pop();
    }
    clean
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_line_is_one_thing_and_others_are_left_out() {
        let datagram = b"READY=1\nSTATUS=serving \x1b[31m3 clients\nMAINPID=42\nX_OWN=1\nWATCHDOG_USEC=20000\nEXTEND_TIMEOUT_USEC=1\nERRNO=2\n\nWATCHDOG=1\nSTOPPING=0\nMAINPID=0";
        let said = [
            WireNotice::Status("serving  [31m3 clients".to_owned()),
            WireNotice::MainPid(42),
            WireNotice::WatchdogMs(20),
            WireNotice::ExtendMs(1),
            WireNotice::Errno(2),
            WireNotice::Alive,
            WireNotice::Ready,
        ];
        assert_eq!(notices(datagram), said);
        assert_eq!(notices(b"RELOADING=1\nMONOTONIC_USEC=12345"), [WireNotice::Reloading]);
        assert_eq!(notices(b"WATCHDOG=trigger"), [WireNotice::Trigger]);
        assert_eq!(notices(b"\xff\xfe=1\n=\nREADY"), []);
    }

    #[test]
    fn a_word_of_itself_is_cut_and_never_in_a_character() {
        let long = format!("STATUS={}", "ü".repeat(1_000));
        assert_eq!(notices(long.as_bytes()), [WireNotice::Status("ü".repeat(256))]);
    }

    #[test]
    fn a_barrier_is_seen() {
        assert!(is_barrier(b"BARRIER=1") && is_barrier(b"READY=1\nBARRIER=1") && !is_barrier(b"BARRIER=10"));
    }
}
