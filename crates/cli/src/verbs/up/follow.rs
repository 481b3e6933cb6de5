//! `up` in the foreground: lines of logs, changes of services and signals come in, one after the other.
//!
//! Four threads each wait for one thing (logs, the daemon's events, signals, the answer to `down`) and put what they got into
//! one bounded channel; the loop here prints, and decides when it is over.

use std::{
    collections::BTreeMap,
    ops::ControlFlow,
    path::{Path, PathBuf},
    sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel},
    thread,
    time::Duration,
};

use mainstay_client::{Client, ClientError, Events};
use mainstay_logs::{Follow, From, Handle, LogError};
use mainstay_wire::{Answer, EventView, Request, ServiceView};

use super::persist;
use crate::{
    exit::Exit,
    failure::Failure,
    launch::Remaining,
    output::{Form, Loudness, Output},
    places::Places,
    signals::{self, Wish},
    verbs::Context,
    view::{event, prefix::Prefixes},
};

/// What waits for the loop at most; whoever has one more waits.
const WAKES: usize = 64;

/// How long what was stopped may take to be gone.
const LEAVING: Duration = Duration::from_secs(30);

/// How long it is waited before the daemon is sought again.
const AGAIN: Duration = Duration::from_millis(50);

/// How often `down` is asked again, when the daemon dies over it.
const TRIES: usize = 5;

/// What Mainstay itself says comes under this name.
const OWN: &str = "mainstay";

enum Wake {
    Line {
        service: String,
        text: Vec<u8>,
    },
    LogsEnded(Result<(), LogError>),
    Daemon(Answer),
    /// Another daemon has taken the place of one that died.
    Another,
    /// Nobody answers any more.
    Gone,
    Wish(Wish),
    Stopped(Result<(), ClientError>),
}

/// Applies, and follows until it is over.
pub(super) fn run(
    services: &[String],
    places: &mut Places,
    context: &Context<'_>,
    apply: impl Fn(&mut Client) -> Result<Answer, ClientError>,
) -> Result<Exit, Failure> {
    let (wakes, woken) = sync_channel(WAKES);
    let mut listening = false;
    // What is written and what changes is followed from before the first of it can happen.
    let (logs, events) = {
        let mut logs = None;
        let events = persist(places, context, |client, places| {
            logs = Some(Follow::new(&places.logs_dir, services, From::End));
            let events = Client::connect_within(&places.socket(), context.timeout())?.follow()?;
            if !listening {
                let wakes = wakes.clone();
                // From here on Ctrl-C means to stop what was started.
                listening = signals::listen(move |wish| _ = wakes.send(Wake::Wish(wish))).is_ok();
            }
            apply(client)?;
            Ok(events)
        })?;
        (logs.transpose()?, events)
    };
    let Some(logs) = logs else { return Err(Failure::new(Exit::Bug, "nothing was followed")) };
    let handle = logs.handle();
    let remaining = Remaining::of(&places.run_dir);
    follow_logs(logs, wakes.clone());
    follow_events(events, places.socket(), wakes.clone());
    let gone = wakes.clone();
    context.output.when_reader_goes(move || _ = gone.send(Wake::Wish(Wish::HangUp)));
    let names = services.iter().map(String::as_str).chain([OWN]);
    let prefixes = Prefixes::new(names, context.output.paint);
    let mut terminal = Terminal {
        output: context.output,
        prefixes,
        socket: places.socket(),
        logs: handle,
        wakes,
        phases: BTreeMap::new(),
        stops: 0,
    };
    let exit = terminal.work(&woken)?;
    if terminal.stops > 0 {
        remaining.wait_until_gone(&places.socket(), Some(LEAVING))?;
    }
    Ok(exit)
}

fn follow_logs(logs: Follow, wakes: SyncSender<Wake>) {
    thread::spawn(move || {
        let result = logs.run(&mut |line| {
            let wake = Wake::Line { service: line.service.to_owned(), text: line.text.to_vec() };
            if wakes.send(wake).is_ok() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        });
        wakes.send(Wake::LogsEnded(result))
    });
}

fn follow_events(events: Events, socket: PathBuf, wakes: SyncSender<Wake>) {
    thread::spawn(move || {
        let mut events = events;
        loop {
            for answer in events.map_while(Result::ok) {
                if wakes.send(Wake::Daemon(answer)).is_err() {
                    return;
                }
            }
            let Some(next) = seek(&socket) else {
                // The loop may be over.
                let _ = wakes.send(Wake::Gone);
                return;
            };
            events = next;
            if wakes.send(Wake::Another).is_err() {
                return;
            }
        }
    });
}

/// The next daemon, when there is one.
fn seek(socket: &Path) -> Option<Events> {
    loop {
        match Client::connect(socket).and_then(Client::follow) {
            Ok(events) => return Some(events),
            // While one dies and the next comes, the connection is taken and dropped.
            Err(ClientError::Closed) => thread::sleep(AGAIN),
            Err(_) => return None,
        }
    }
}

/// Stops everything; a daemon that dies over it is asked again.
fn stop(socket: &Path, kill: bool) -> Result<(), ClientError> {
    let mut tries = 0;
    loop {
        tries += 1;
        match Client::connect(socket).and_then(|mut client| client.request(&Request::Down { kill })) {
            Ok(_) => return Ok(()),
            Err(error) if error.is_no_daemon() => return Ok(()),
            Err(ClientError::Closed) if tries < TRIES => thread::sleep(AGAIN),
            Err(error) => return Err(error),
        }
    }
}

struct Terminal<'a> {
    output: &'a Output,
    prefixes: Prefixes,
    socket: PathBuf,
    logs: Handle,
    wakes: SyncSender<Wake>,
    /// The latest that is known of each service.
    phases: BTreeMap<String, String>,
    /// How often it was asked to stop.
    stops: u32,
}

impl Terminal<'_> {
    fn work(&mut self, woken: &Receiver<Wake>) -> Result<Exit, Failure> {
        loop {
            // What is written is seen before the next wait, and a flood of it not line by line.
            let wake = woken.try_recv().or_else(|_| {
                self.output.flush();
                woken.recv()
            });
            let Ok(wake) = wake else { return Err(Failure::new(Exit::Bug, "nothing is left to wait for")) };
            if self.output.is_closed() {
                return Ok(Exit::Done);
            }
            match wake {
                Wake::Line { service, text } => self.line(&service, &text),
                Wake::Daemon(answer) => self.daemon(answer),
                Wake::Another => self.say("another daemon has taken over; services did not notice"),
                Wake::Wish(Wish::HangUp) => return Ok(Exit::Done),
                Wake::Wish(Wish::Stop) => {
                    if self.stop_again().is_break() {
                        return Ok(Exit::Interrupted);
                    }
                }
                Wake::Stopped(result) => result?,
                Wake::LogsEnded(result) => {
                    result?;
                    return Err(Failure::new(Exit::Bug, "the logs cannot be followed any more"));
                }
                Wake::Gone => return self.end(woken),
            }
        }
    }

    /// The first time in order, the second time by force; the third time nobody waits any more.
    fn stop_again(&mut self) -> ControlFlow<()> {
        self.stops += 1;
        let kill = match self.stops {
            1 => false,
            2 => true,
            _ => return ControlFlow::Break(()),
        };
        self.say(if kill { "killing everything" } else { "stopping everything; Ctrl-C again kills it" });
        let (socket, wakes) = (self.socket.clone(), self.wakes.clone());
        thread::spawn(move || wakes.send(Wake::Stopped(stop(&socket, kill))));
        ControlFlow::Continue(())
    }

    /// Nobody answers any more: shows the last lines, and says why.
    fn end(&mut self, woken: &Receiver<Wake>) -> Result<Exit, Failure> {
        self.logs.finish();
        loop {
            match woken.recv_timeout(LEAVING) {
                Ok(Wake::Line { service, text }) => self.line(&service, &text),
                Ok(Wake::LogsEnded(result)) => {
                    result?;
                    break;
                }
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => break,
                Ok(_) => {}
            }
        }
        let is_alive = |phase: &String| matches!(phase.as_str(), "running" | "starting" | "stopping");
        if self.stops > 0 {
            self.say("everything is stopped");
            return Ok(Exit::Interrupted);
        }
        if self.phases.values().any(is_alive) {
            return Err(Failure::new(
                Exit::NoDaemon,
                "the daemon is gone, and services may go on without it",
            )
            .with_help("`mainstay up` takes them over"));
        }
        self.say("everything was stopped from elsewhere");
        Ok(Exit::Done)
    }

    fn daemon(&mut self, answer: Answer) {
        match answer {
            Answer::Services { services, .. } => {
                for service in &services {
                    self.standing(service);
                }
            }
            Answer::Event(event) => self.event(&event),
            Answer::Missed { events } => {
                self.say(&format!("{events} changes are not shown: they came faster than they could be"));
            }
            Answer::Pong { .. } | Answer::Done { .. } | Answer::Down => {}
        }
    }

    /// How a service stands when following begins.
    fn standing(&mut self, service: &ServiceView) {
        let id = event::id(service);
        if self.phases.insert(id.clone(), service.phase.clone()).as_ref() == Some(&service.phase) {
            return;
        }
        if let Some(pid) = service.pid {
            self.say(&format!("{id} {} (pid {pid})", service.phase));
        }
    }

    fn event(&mut self, event: &EventView) {
        let id = event::id(&event.service);
        self.logs.add(&id);
        self.phases.insert(id, event.service.phase.clone());
        if self.output.form() == Form::Json {
            self.output.json(&serde_json::json!({ "type": "event", "event": event }));
        } else if let Some(line) = event::line(event) {
            self.say(&line);
        }
    }

    fn line(&mut self, service: &str, text: &[u8]) {
        match self.output.form() {
            Form::Json => {
                let text = String::from_utf8_lossy(text);
                self.output.json(&serde_json::json!({ "type": "log", "service": service, "text": text }));
            }
            Form::Text => self.output.write(&[self.prefixes.of(service), text, b"\n"]),
        }
    }

    /// Something of our own, among the lines of the services.
    fn say(&mut self, text: &str) {
        match self.output.form() {
            Form::Json => self.output.note(text),
            Form::Text if self.output.loudness() > Loudness::Quiet => {
                self.output.write(&[self.prefixes.of(OWN), text.as_bytes(), b"\n"]);
            }
            Form::Text => {}
        }
    }
}
