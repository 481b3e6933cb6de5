//! One `up` from its first signal to its end: takes what happens, stops when that is wished for, and says when it is over.
//! Shows nothing itself.

use std::{
    collections::BTreeMap,
    ops::ControlFlow,
    sync::{
        Arc,
        mpsc::{Receiver, RecvTimeoutError, SyncSender},
    },
    thread,
    time::{Duration, Instant},
};

use mainstay_logs::{Follow, Handle, LogError};
use mainstay_wire::{Answer, EventView, ServiceView, Settled};

use super::begin::{Begun, Course};
use crate::{
    changes::Change,
    door::{self, Stopped},
    exit::Exit,
    failure::Failure,
    holders::Holders,
    launch::Remaining,
    output::Output,
    signals::Wish,
    view::event,
};

/// What waits for the loop at most; whoever has one more waits.
pub(super) const WAKES: usize = 64;

/// How long what was stopped may take to be gone.
const LEAVING: Duration = Duration::from_secs(30);

/// How long it is still waited for the end after a third Ctrl-C. What was killed is gone sooner.
const HURRY: Duration = Duration::from_secs(2);

/// Something happened.
#[derive(Debug)]
pub(super) enum Wake {
    /// A signal, or nobody reads any more.
    Wish(Wish),
    /// The daemon's changes come from now on.
    Followed,
    /// They come no more: it is begun again.
    Unfollowed,
    /// One of them.
    Change(Change),
    /// Everything is applied (and, with `-d`, there); nothing when it was called off.
    Begun(Result<Option<Begun>, Failure>),
    /// A service wrote.
    Line { service: String, text: Vec<u8> },
    /// No more lines come.
    LogsEnded(Result<(), LogError>),
    /// How far a request to stop is.
    Stopping(String),
    /// It has come to its end.
    Stopped(Result<Stopped, Failure>),
}

/// What the person sees of it.
pub(super) trait Screen {
    /// Something of our own.
    fn say(&mut self, text: &str);
    /// How a service stands when following begins, and how it stood when that began before.
    fn standing(&mut self, service: &ServiceView, before: Option<&ServiceView>);
    /// A change.
    fn event(&mut self, event: &EventView);
    /// What a service wrote.
    fn line(&mut self, service: &str, text: &[u8]);
    /// It is applied, and this is how each service stands.
    fn begun(&mut self, services: Vec<Settled>, known: &BTreeMap<String, ServiceView>);
    /// It is to be stopped from now on.
    fn stopping(&mut self);
    /// Whether this `up` is at its end although nobody wanted the project stopped.
    fn end(&mut self, stage: &Stage) -> Result<Option<Exit>, Failure>;
    /// When to ask for the end again, if nothing happens sooner.
    fn deadline(&self) -> Option<Instant>;
    /// Everything is stopped, or not all is and nobody waits any more: the last word.
    fn interrupted(&mut self, text: &str) -> Result<Exit, Failure>;
}

/// How far it is.
#[derive(Debug, Default)]
pub(super) struct Stage {
    /// Whether everything was applied.
    pub(super) begun: bool,
    /// Whether nothing more is heard: of no daemon, and of no log.
    pub(super) silent: bool,
    /// Whether nobody looks any more.
    pub(super) hung_up: bool,
    /// The latest that is known of each service.
    pub(super) known: BTreeMap<String, ServiceView>,
}

impl Stage {
    /// Whether a service ran when it was last heard of.
    pub(super) fn is_any_alive(&self) -> bool {
        self.known.values().any(|service| matches!(&*service.phase, "running" | "starting" | "stopping"))
    }
}

/// One `up`.
pub(super) struct Session<'a> {
    course: Arc<Course>,
    wakes: SyncSender<Wake>,
    screen: &'a mut dyn Screen,
    stage: Stage,
    followed: bool,
    gone: bool,
    /// The logs, as long as they are followed.
    logs: Option<Handle>,
    /// How often it was asked to stop.
    stops: u32,
    /// How many requests to stop have not come to their end.
    open_stops: u32,
    /// Whether a daemon has said that everything is stopped.
    stopped: bool,
    /// When nobody waits any more.
    hurry: Option<Instant>,
}

impl<'a> Session<'a> {
    /// One at its beginning.
    pub(super) fn new(course: Arc<Course>, wakes: SyncSender<Wake>, screen: &'a mut dyn Screen) -> Self {
        Self {
            course,
            wakes,
            screen,
            stage: Stage::default(),
            followed: false,
            gone: false,
            logs: None,
            stops: 0,
            open_stops: 0,
            stopped: false,
            hurry: None,
        }
    }

    /// Takes what has happened until now.
    pub(super) fn heed(&mut self, woken: &Receiver<Wake>) -> Result<(), Failure> {
        while let Ok(wake) = woken.try_recv() {
            self.take(wake)?;
        }
        Ok(())
    }

    /// Takes what happens until it is over.
    pub(super) fn work(&mut self, woken: &Receiver<Wake>, output: &Output) -> Result<Exit, Failure> {
        loop {
            if let Some(exit) = self.end()? {
                return Ok(exit);
            }
            // What is written is seen before the next wait, and a flood of it not line by line.
            let wake = woken.try_recv().or_else(|_| {
                output.flush();
                self.wait(woken)
            });
            if let Ok(Wake::Change(Change::Told(Answer::Services { anchor, .. }))) = &wake {
                door::note_missing_anchor(*anchor, output);
            }
            match wake {
                Ok(wake) => self.take(wake)?,
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => {
                    return Err(Failure::new(Exit::Bug, "nothing is left to wait for"));
                }
            }
        }
    }

    fn wait(&self, woken: &Receiver<Wake>) -> Result<Wake, RecvTimeoutError> {
        let deadline = if self.stops == 0 { self.screen.deadline() } else { self.hurry };
        match deadline {
            Some(deadline) => woken.recv_timeout(deadline.saturating_duration_since(Instant::now())),
            None => woken.recv().map_err(|_| RecvTimeoutError::Disconnected),
        }
    }

    fn take(&mut self, wake: Wake) -> Result<(), Failure> {
        match wake {
            Wake::Wish(Wish::Stop) => self.stop_again(),
            Wake::Wish(Wish::HangUp) => self.stage.hung_up = true,
            Wake::Followed => (self.followed, self.gone) = (true, false),
            Wake::Unfollowed => self.followed = false,
            Wake::Change(Change::Told(answer)) => self.told(answer),
            Wake::Change(Change::Another) => {
                self.screen.say("another daemon has taken over; services did not notice");
            }
            Wake::Change(Change::Gone) => self.gone = true,
            // What cannot be begun need not be stopped.
            Wake::Begun(Err(_) | Ok(None)) if self.stops > 0 => {}
            Wake::Begun(begun) => return self.begun(begun?),
            Wake::Line { service, text } => self.screen.line(&service, &text),
            Wake::LogsEnded(result) => {
                result?;
                if !self.gone {
                    return Err(Failure::new(Exit::Bug, "the logs cannot be followed any more"));
                }
                self.logs = None;
            }
            Wake::Stopping(text) => self.screen.say(&text),
            Wake::Stopped(result) => {
                self.open_stops -= 1;
                self.stopped |= result? == Stopped::Answered;
            }
        }
        if self.gone
            && let Some(logs) = &self.logs
        {
            // The last lines, then.
            logs.finish();
        }
        Ok(())
    }

    fn begun(&mut self, begun: Option<Begun>) -> Result<(), Failure> {
        let Some(Begun { services, logs }) = begun else {
            return Err(Failure::new(Exit::Bug, "it was called off by nobody"));
        };
        self.stage.begun = true;
        if let Some(logs) = logs {
            self.logs = Some(logs.handle());
            follow_logs(logs, self.wakes.clone());
        }
        if self.stops == 0 {
            self.screen.begun(services, &self.stage.known);
        }
        Ok(())
    }

    fn told(&mut self, answer: Answer) {
        match answer {
            Answer::Services { services, .. } => {
                for service in services {
                    let before = self.stage.known.insert(event::id(&service), service.clone());
                    self.screen.standing(&service, before.as_ref());
                }
            }
            Answer::Event(event) => {
                let id = event::id(&event.service);
                if let Some(logs) = &self.logs {
                    logs.add(&id);
                }
                self.screen.event(&event);
                self.stage.known.insert(id, event.service);
            }
            Answer::Missed { events } => self.screen.say(&event::missed(events)),
            Answer::Note { text, .. } => self.screen.say(&text),
            Answer::Pong { .. }
            | Answer::Done { .. }
            | Answer::History { .. }
            | Answer::Report { .. }
            | Answer::Explain { .. }
            | Answer::Plan { .. }
            | Answer::Generations { .. }
            | Answer::Verdict { .. }
            | Answer::Upgrading { .. }
            | Answer::Upgraded { .. }
            | Answer::Noted
            | Answer::Down => {}
        }
    }

    /// The first time in order, the second time by force; the third time nobody waits for long, the fourth not at all.
    fn stop_again(&mut self) {
        self.stops += 1;
        let kill = match self.stops {
            1 => false,
            2 => true,
            3 => {
                self.hurry = Some(Instant::now() + HURRY);
                return;
            }
            _ => {
                self.hurry = Some(Instant::now());
                return;
            }
        };
        self.course.call_off();
        self.screen.stopping();
        self.screen.say(if kill {
            "killing everything"
        } else {
            "stopping everything; Ctrl-C again kills it"
        });
        self.open_stops += 1;
        let (course, wakes) = (Arc::clone(&self.course), self.wakes.clone());
        // The loop may be over when that is.
        thread::spawn(move || {
            let stopped = stop(&course, kill, &wakes);
            _ = wakes.send(Wake::Stopped(stopped));
        });
    }

    fn end(&mut self) -> Result<Option<Exit>, Failure> {
        self.stage.silent = (self.gone || !self.followed) && self.logs.is_none();
        if self.stops == 0 {
            return self.screen.end(&self.stage);
        }
        if self.open_stops == 0 && self.stage.silent {
            if !self.stopped && self.stage.is_any_alive() {
                return Err(lost());
            }
            return self.screen.interrupted("everything is stopped").map(Some);
        }
        if self.hurry.is_some_and(|hurry| hurry <= Instant::now()) {
            let text = "not everything has ended yet; `mainstay list` shows what is left";
            return self.screen.interrupted(text).map(Some);
        }
        Ok(None)
    }
}

/// Nobody knows any more how services are.
pub(super) fn lost() -> Failure {
    Failure::new(Exit::NoDaemon, "the daemon is gone, and services may go on without it")
        .with_help("`mainstay up` takes them over")
}

/// Stops everything, and waits until it is gone; after whatever is just being started.
fn stop(course: &Course, kill: bool, wakes: &SyncSender<Wake>) -> Result<Stopped, Failure> {
    let places = course.places().clone();
    let remaining = Remaining::of(&places.run_dir);
    let mut stopped = door::stop_all(&places.socket(), None, kill)?;
    // Its socket may be gone from under it, and it goes on: then those who hold it are asked, for as long as it takes.
    let holders = Holders::of(&places.state_dir).filter(|_| stopped == Stopped::NobodyThere);
    if let Some(holders) = holders {
        // The loop may be over when that is said.
        holders.end(&places, None, None, |text| _ = wakes.send(Wake::Stopping(text.to_owned())))?;
        stopped = Stopped::Answered;
    }
    remaining.wait_until_gone(&places.socket(), Some(LEAVING))?;
    Ok(stopped)
}

fn follow_logs(logs: Follow, wakes: SyncSender<Wake>) {
    thread::spawn(move || {
        let result = logs.run(&mut |line| {
            let wake = Wake::Line { service: line.service.to_owned(), text: line.text.to_vec() };
            if wakes.send(wake).is_ok() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        });
        // The loop may be over.
        let _ = wakes.send(Wake::LogsEnded(result));
    });
}
