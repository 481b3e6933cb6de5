//! Telling whoever supervises us how we are: `sd_notify(3)` over `$NOTIFY_SOCKET`, and the newline of s6 on a descriptor. When
//! nobody listens, nothing is said.

use std::{
    env,
    fs::File,
    io::Write as _,
    os::{
        fd::RawFd,
        unix::net::{SocketAddr, UnixDatagram},
    },
    sync::Mutex,
    time::Duration,
};

/// The variable that names a descriptor which takes one newline when the service is ready (`notification-fd` of s6).
const READY_VARIABLE: &str = "MAINSTAY_READY_FD";

/// Whom to tell.
#[derive(Debug, Default)]
pub(crate) struct Notifier {
    socket: Option<(UnixDatagram, SocketAddr)>,
    /// Takes one newline, and is closed then.
    descriptor: Mutex<Option<File>>,
    watchdog: Option<Duration>,
}

impl Notifier {
    /// As the environment says. To be called once, before anything else is opened: it takes over a descriptor.
    pub(crate) fn from_environment() -> Self {
        let socket = env::var_os("NOTIFY_SOCKET").and_then(|path| {
            let address = mainstay_host::notify_address(&path).ok()?;
            Some((UnixDatagram::unbound().ok()?, address))
        });
        let number =
            env::var(READY_VARIABLE).ok().and_then(|text| text.parse::<RawFd>().ok()).filter(|fd| *fd > 2);
        let descriptor =
            number.and_then(|number| mainstay_host::kept_descriptor(number).ok()).map(File::from);
        Self { socket, descriptor: Mutex::new(descriptor), watchdog: watchdog() }
    }

    /// How often it is to be said that we are alive, when that is wanted: half of the watchdog's time.
    pub(crate) fn alive_interval(&self) -> Option<Duration> {
        self.socket.as_ref().and(self.watchdog).map(|span| span / 2)
    }

    pub(crate) fn ready(&self, words: &str) {
        self.say(&format!("READY=1\nSTATUS={words}"));
        let descriptor = self.descriptor.lock().map(|mut held| held.take());
        if let Ok(Some(mut descriptor)) = descriptor {
            // Whoever waited there has gone.
            let _ = descriptor.write_all(b"\n");
        }
    }

    pub(crate) fn status(&self, words: &str) {
        self.say(&format!("STATUS={words}"));
    }

    pub(crate) fn reloading(&self) {
        let micros = mainstay_host::monotonic_nanos() / 1_000;
        self.say(&format!("RELOADING=1\nMONOTONIC_USEC={micros}"));
    }

    pub(crate) fn stopping(&self, words: &str) {
        self.say(&format!("STOPPING=1\nSTATUS={words}"));
    }

    pub(crate) fn alive(&self) {
        self.say("WATCHDOG=1");
    }

    fn say(&self, words: &str) {
        if let Some((socket, address)) = &self.socket {
            // A supervisor that is away, or whose socket is full, is not worth a service.
            let _ = socket.send_to_addr(words.as_bytes(), address);
        }
    }
}

/// `$WATCHDOG_USEC`, when it is meant for us (`sd_watchdog_enabled(3)`).
fn watchdog() -> Option<Duration> {
    let number = |name: &str| env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    let is_ours = number("WATCHDOG_PID").is_none_or(|pid| pid == u64::from(std::process::id()));
    number("WATCHDOG_USEC").filter(|micros| is_ours && *micros > 0).map(Duration::from_micros)
}
