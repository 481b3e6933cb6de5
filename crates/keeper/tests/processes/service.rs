//! Services for tests: programs that write numbered lines.

use std::{io::Write, process::ExitCode, time::Duration};

/// `lines NAME COUNT PAUSE_MICROSECONDS CODE`: numbered lines, then an end with that code.
pub(crate) fn run(words: &[&str]) -> ExitCode {
    let ["lines", name, count, pause, code] = words else { return ExitCode::from(2) };
    let count: u64 = count.parse().unwrap();
    let pause = Duration::from_micros(pause.parse().unwrap());
    let mut stdout = std::io::stdout();
    for number in 1..=count {
        let line = format!("{name} {number} {}\n", "x".repeat(usize::try_from(number % 60).unwrap()));
        stdout.write_all(line.as_bytes()).unwrap();
        stdout.flush().unwrap();
        if !pause.is_zero() {
            std::thread::sleep(pause);
        }
    }
    ExitCode::from(code.parse::<u8>().unwrap())
}
