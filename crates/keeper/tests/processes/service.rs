//! Services for tests: programs that write numbered lines, and programs that tell how they are.

use std::{
    io::{IoSlice, Read, Write},
    mem::MaybeUninit,
    os::fd::{AsFd, BorrowedFd},
    process::{Command, ExitCode, Stdio},
    time::Duration,
};

use rustix::net::{
    AddressFamily, SendAncillaryBuffer, SendAncillaryMessage, SendFlags, SocketAddrUnix, SocketType,
    sendmsg_addr, socket,
};

/// How many words a service says.
pub(crate) const WORDS: u32 = 20;

/// - `lines NAME COUNT PAUSE_MICROSECONDS CODE`: numbered lines, then an end with that code.
/// - `lines-apart NAME COUNT PAUSE_MICROSECONDS CODE`: each of them on standard error as well.
/// - `tells CODE`: ready, numbered words, then an end with that code.
/// - `tells-fd CODE`: ready by a newline on descriptor 9, then the same.
/// - `hands-over CODE`: names another process as its main process and ends; that one goes on as `tells`.
/// - `forks`: makes processes that make processes, without end.
pub(crate) fn run(words: &[&str]) -> ExitCode {
    match words {
        ["lines", name, count, pause, code] => lines(name, count, pause, code, false),
        ["lines-apart", name, count, pause, code] => lines(name, count, pause, code, true),
        ["tells", code] => tells(code),
        ["tells-fd", code] => {
            std::fs::write("/proc/self/fd/9", "almost").unwrap();
            std::fs::write("/proc/self/fd/9", " \n").unwrap();
            tell_words(code)
        }
        ["tells-when-asked", code] => {
            // Until whoever made us is gone.
            std::io::stdin().read_to_end(&mut Vec::new()).unwrap();
            tells(code)
        }
        ["hands-over", code] => hands_over(code),
        ["forks"] => forks(0),
        ["forks", generation] => forks(generation.parse().unwrap()),
        _ => ExitCode::from(2),
    }
}

fn lines(name: &str, count: &str, pause: &str, code: &str, is_twice: bool) -> ExitCode {
    let count: u64 = count.parse().unwrap();
    let pause = Duration::from_micros(pause.parse().unwrap());
    let mut stdout = std::io::stdout();
    for number in 1..=count {
        let line = format!("{name} {number} {}\n", "x".repeat(usize::try_from(number % 60).unwrap()));
        stdout.write_all(line.as_bytes()).unwrap();
        stdout.flush().unwrap();
        if is_twice {
            std::io::stderr().write_all(line.as_bytes()).unwrap();
        }
        if !pause.is_zero() {
            std::thread::sleep(pause);
        }
    }
    ExitCode::from(code.parse::<u8>().unwrap())
}

fn tells(code: &str) -> ExitCode {
    tell("READY=1", &[]);
    tell_words(code)
}

fn tell_words(code: &str) -> ExitCode {
    for number in 1..=WORDS {
        tell(&format!("STATUS={number}"), &[]);
        std::thread::sleep(Duration::from_micros(500));
    }
    ExitCode::from(code.parse::<u8>().unwrap())
}

#[expect(clippy::zombie_processes, reason = "it outlives this process")]
fn hands_over(code: &str) -> ExitCode {
    let exe = std::env::current_exe().unwrap();
    let mut main = Command::new("setsid");
    main.arg(exe).args(["service", "tells-when-asked", code]).stdin(Stdio::piped());
    let main = main.spawn().unwrap();
    tell(&format!("MAINPID={}", main.id()), &[]);
    barrier();
    ExitCode::SUCCESS
}

/// Waits until everything said before was taken in (`sd_notify_barrier(3)`).
pub(crate) fn barrier() {
    let (mut reading, writing) = std::io::pipe().unwrap();
    tell("BARRIER=1", &[writing.as_fd()]);
    drop(writing);
    reading.read_to_end(&mut Vec::new()).unwrap();
}

fn tell(text: &str, descriptors: &[BorrowedFd<'_>]) {
    if let Ok(path) = std::env::var("NOTIFY_SOCKET") {
        tell_to(path.as_ref(), text, descriptors);
    }
}

/// One datagram, with these descriptors.
pub(crate) fn tell_to(path: &std::path::Path, text: &str, descriptors: &[BorrowedFd<'_>]) {
    let socket = socket(AddressFamily::UNIX, SocketType::DGRAM, None).unwrap();
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(16))];
    let mut ancillary = SendAncillaryBuffer::new(&mut space);
    if !descriptors.is_empty() {
        assert!(ancillary.push(SendAncillaryMessage::ScmRights(descriptors)));
    }
    let address = SocketAddrUnix::new(path).unwrap();
    let bytes = [IoSlice::new(text.as_bytes())];
    let sent = sendmsg_addr(&socket, &address, &bytes, &mut ancillary, SendFlags::empty());
    assert_eq!(sent.unwrap(), text.len());
}

/// A few chains of processes, each of which makes the next one and ends; every other one begins a session of its own.
#[expect(clippy::zombie_processes, reason = "they outlive this process")]
fn forks(generation: u32) -> ExitCode {
    let exe = std::env::current_exe().unwrap();
    for number in 0_u32.. {
        let mut child = if (generation + number).is_multiple_of(2) {
            let mut child = Command::new("setsid");
            child.arg(&exe);
            child
        } else {
            Command::new(&exe)
        };
        child.args(["service", "forks", &(generation + 1).to_string()]).stdin(Stdio::null());
        let _child = child.spawn().unwrap();
        std::thread::sleep(Duration::from_millis(20));
        if generation > 0 {
            break;
        }
        if number >= 4 {
            std::thread::park();
        }
    }
    ExitCode::SUCCESS
}
