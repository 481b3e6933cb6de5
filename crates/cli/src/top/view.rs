//! The loop: takes in what happens, does what the model wants, and draws, but not more often than eyes can follow.

use std::{
    io,
    path::PathBuf,
    sync::mpsc::{Receiver, RecvTimeoutError},
    time::{Duration, Instant},
};

use jiff::Timestamp;
use mainstay_top::{Effect, Input, LogSource, Model, Paint};
use rustix::process::{Signal, kill_current_process_group};

use super::{
    acts::Acts,
    logs::Logs,
    screen::{self, Screen},
    wake::{Bell, Wake},
};
use crate::{exit::Exit, failure::Failure};

/// The least time between two frames.
const FRAME: Duration = Duration::from_millis(33);

/// How often times on the screen grow when nothing else happens.
const TICK: Duration = Duration::from_secs(1);

/// How long a selection must stand before its log is opened: whoever walks through a list opens none on the way.
const SETTLED: Duration = Duration::from_millis(80);

/// The view, and all that it works with.
pub(super) struct View {
    screen: Screen,
    model: Model,
    acts: Acts,
    logs: Logs,
    bell: Bell,
    /// Logs that are to be followed when the selection stands.
    wanted: Option<(Instant, u64, Vec<LogSource>)>,
    last_frame: Instant,
    is_dirty: bool,
    /// Whether lines of logs can be fetched.
    has_lines: bool,
    end: Option<Exit>,
}

impl View {
    pub(super) fn new(screen: Screen, socket: PathBuf, paint: Paint, bell: Bell) -> Self {
        let (width, height) = screen.size().unwrap_or((80, 24));
        Self {
            screen,
            model: Model::new(width, height, Timestamp::now(), paint),
            acts: Acts::new(socket),
            logs: Logs::new(bell.clone()),
            bell,
            wanted: None,
            last_frame: Instant::now(),
            is_dirty: true,
            has_lines: false,
            end: None,
        }
    }

    /// Goes on until somebody quits.
    pub(super) fn run(mut self, wakes: &Receiver<Wake>) -> Result<Exit, Failure> {
        loop {
            let wait = self.due().saturating_duration_since(Instant::now());
            match wakes.recv_timeout(wait) {
                Ok(wake) => self.on(wake)?,
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return Ok(Exit::Bug),
            }
            // After each, and not only when nothing more waits: a flood of events must not keep a frame from being drawn.
            self.catch_up().map_err(|error| screen::failed(&error))?;
            if let Some(exit) = self.end {
                return Ok(exit);
            }
        }
    }

    /// When something is to be done although nothing happens.
    fn due(&self) -> Instant {
        let frame = self.last_frame + self.between_frames();
        self.wanted.as_ref().map_or(frame, |(since, ..)| frame.min(*since + SETTLED))
    }

    fn between_frames(&self) -> Duration {
        if self.is_dirty { FRAME } else { TICK }
    }

    /// Does what is due.
    fn catch_up(&mut self) -> io::Result<()> {
        if let Some((_, number, sources)) = self.wanted.take_if(|(since, ..)| since.elapsed() >= SETTLED) {
            self.logs.follow(number, sources);
        }
        if self.last_frame.elapsed() >= self.between_frames() { self.draw() } else { Ok(()) }
    }

    fn on(&mut self, wake: Wake) -> Result<(), Failure> {
        match wake {
            Wake::Input(input) => self.take_in(input)?,
            // They are fetched with the next frame, all at once.
            Wake::Written => (self.has_lines, self.is_dirty) = (true, true),
            Wake::Continued => self.retake()?,
            Wake::End => self.end = Some(Exit::Interrupted),
            Wake::Unreadable(error) => {
                return Err(Failure::new(Exit::Failed, format!("cannot read the terminal: {error}")));
            }
            Wake::Broken => self.end = Some(Exit::Bug),
        }
        Ok(())
    }

    fn take_in(&mut self, input: Input) -> Result<(), Failure> {
        self.is_dirty = true;
        for effect in self.model.on(input) {
            match effect {
                Effect::Act { number, act, services } => self.acts.begin(number, act, services, &self.bell),
                Effect::Follow { number, sources } => self.wanted = Some((Instant::now(), number, sources)),
                Effect::Suspend => self.suspend()?,
                Effect::Repaint => self.screen.repaint().map_err(|error| screen::failed(&error))?,
                Effect::Quit => self.end = Some(Exit::Done),
            }
        }
        Ok(())
    }

    fn draw(&mut self) -> io::Result<()> {
        if std::mem::take(&mut self.has_lines) {
            self.model.on(self.logs.fetch());
        }
        self.model.on(Input::Tick(Timestamp::now()));
        self.screen.draw(&mut self.model)?;
        self.is_dirty = false;
        self.last_frame = Instant::now();
        Ok(())
    }

    /// Stops as every program does at Ctrl-Z. Where no shell could ever continue it, the system lets it go on.
    fn suspend(&mut self) -> Result<(), Failure> {
        self.screen.give_back();
        kill_current_process_group(Signal::TSTP)
            .map_err(|error| Failure::new(Exit::Failed, format!("cannot suspend: {error}")))?;
        self.retake()
    }

    fn retake(&mut self) -> Result<(), Failure> {
        self.screen.take().map_err(|error| screen::failed(&error))?;
        if let Ok((width, height)) = self.screen.size() {
            self.model.on(Input::Resized(width, height));
        }
        self.is_dirty = true;
        Ok(())
    }
}
