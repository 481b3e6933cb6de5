//! A terminal as a person sits before one: a real pty, what is on its screen, and keys.
#![allow(dead_code, unreachable_pub, reason = "each test file uses its own part")]

use std::{
    fs::File,
    io::{Read, Write},
    num::NonZero,
    process::{Child, Command},
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use rustix::{
    pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt},
    termios::{Termios, Winsize, tcgetattr, tcsetwinsize},
};

/// How long anything may take before the test has failed. Far longer than it ever takes.
const PATIENCE: Duration = Duration::from_secs(30);

/// A terminal with a program on it.
pub struct Glass {
    pub child: Child,
    master: File,
    /// Kept open, so that what was written last can be read after the program has ended.
    slave: File,
    before: Termios,
    seen: Arc<Mutex<Seen>>,
}

/// Everything that the program wrote, and what it made of the screen.
struct Seen {
    parser: vt100::Parser,
    bytes: Vec<u8>,
}

impl Glass {
    /// Starts a command in a session of its own on a terminal of this size.
    pub fn start(command: &Command, columns: u16, rows: u16) -> Self {
        let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).unwrap();
        grantpt(&master).unwrap();
        unlockpt(&master).unwrap();
        let name = ptsname(&master, Vec::new()).unwrap().into_string().unwrap();
        let slave = File::options().read(true).write(true).open(name).unwrap();
        tcsetwinsize(&slave, size(columns, rows)).unwrap();
        let before = tcgetattr(&slave).unwrap();
        let child = on_terminal(command, &slave);
        let parser = vt100::Parser::new(cells(rows), cells(columns), 0);
        let seen = Arc::new(Mutex::new(Seen { parser, bytes: Vec::new() }));
        let reader = File::from(master);
        let glass = Self { child, master: reader.try_clone().unwrap(), slave, before, seen };
        let seen = Arc::clone(&glass.seen);
        std::thread::spawn(move || look(reader, &seen));
        glass
    }

    /// Presses keys: the bytes that a terminal sends for them.
    pub fn keys(&mut self, keys: &str) {
        self.master.write_all(keys.as_bytes()).unwrap();
    }

    /// Presses the main button of the mouse on this text.
    #[track_caller]
    pub fn click(&mut self, text: &str) {
        let screen = self.screen();
        let (row, line) = screen.lines().enumerate().find(|(_, line)| line.contains(text)).unwrap();
        let column = line[..line.find(text).unwrap()].chars().count();
        self.keys(&format!("\x1b[<0;{};{}M", column + 1, row + 1));
    }

    /// Makes the window larger or smaller.
    pub fn resize(&mut self, columns: u16, rows: u16) {
        self.seen.lock().unwrap().parser.screen_mut().set_size(cells(rows), cells(columns));
        tcsetwinsize(&self.slave, size(columns, rows)).unwrap();
    }

    pub fn screen(&self) -> String {
        self.seen.lock().unwrap().parser.screen().contents()
    }

    /// The line of the screen that holds this text.
    pub fn line(&self, text: &str) -> String {
        self.screen().lines().find(|line| line.contains(text)).unwrap_or_default().to_owned()
    }

    /// Looks at the screen with all that a terminal knows of it.
    pub fn look<T>(&self, look: impl FnOnce(&vt100::Screen) -> T) -> T {
        look(self.seen.lock().unwrap().parser.screen())
    }

    /// Every byte that was written to the terminal.
    pub fn bytes(&self) -> Vec<u8> {
        self.seen.lock().unwrap().bytes.clone()
    }

    #[track_caller]
    pub fn wait_for(&self, text: &str) {
        self.wait_until(text, |screen| screen.contains(text));
    }

    #[track_caller]
    pub fn wait_until(&self, what: &str, so: impl Fn(&str) -> bool) {
        let deadline = Instant::now() + PATIENCE;
        while !so(&self.screen()) {
            assert!(Instant::now() < deadline, "waited for {what} in:\n{}", self.screen());
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Waits for the end of the program; its exit code.
    #[track_caller]
    pub fn end(&mut self) -> Option<i32> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status.code();
            }
            assert!(Instant::now() < deadline, "it did not end:\n{}", self.screen());
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// The terminal is as it was before the program: modes, screen, cursor and mouse.
    #[track_caller]
    pub fn is_as_before(&self) {
        self.wait_until("the terminal as it was", |_| !self.look(vt100::Screen::alternate_screen));
        self.look(|screen| {
            assert!(!screen.hide_cursor() && !screen.bracketed_paste());
            assert_eq!(screen.mouse_protocol_mode(), vt100::MouseProtocolMode::None);
        });
        let now = tcgetattr(&self.slave).unwrap();
        assert_eq!(
            (now.input_modes, now.output_modes, now.control_modes, now.local_modes),
            (
                self.before.input_modes,
                self.before.output_modes,
                self.before.control_modes,
                self.before.local_modes
            )
        );
    }
}

impl Drop for Glass {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn cells(count: u16) -> NonZero<u16> {
    NonZero::new(count).unwrap()
}

fn size(columns: u16, rows: u16) -> Winsize {
    Winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 }
}

/// `setsid(1)` makes the terminal the one that Ctrl-C and a hang-up come from.
fn on_terminal(command: &Command, slave: &File) -> Child {
    let mut setsid = Command::new("setsid");
    setsid.arg("--ctty").arg(command.get_program()).args(command.get_args());
    if let Some(dir) = command.get_current_dir() {
        setsid.current_dir(dir);
    }
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => setsid.env(name, value),
            None => setsid.env_remove(name),
        };
    }
    let end = || slave.try_clone().unwrap();
    setsid.stdin(end()).stdout(end()).stderr(end()).spawn().unwrap()
}

fn look(mut reader: File, seen: &Mutex<Seen>) {
    let mut buffer = [0; 64 * 1024];
    while let Ok(count @ 1..) = reader.read(&mut buffer) {
        let mut seen = seen.lock().unwrap();
        seen.parser.process(&buffer[..count]);
        seen.bytes.extend_from_slice(&buffer[..count]);
    }
}
