//! What the daemon tells: every change as it comes, and once a second what processes use. Comes back to a new daemon.

use std::{
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};

use jiff::Timestamp;
use mainstay_client::{Client, ClientError, Events};
use mainstay_top::{Input, Own};
use mainstay_wire::{Answer, Request};

use super::wake::{Bell, Gone};

/// How often it is asked what processes use: they change all the time, and nobody tells.
const EVERY: Duration = Duration::from_secs(1);

/// How long an answer may take that needs no waiting for services.
const PATIENCE: Duration = Duration::from_secs(5);

/// How long it waits before it looks for a daemon again: at first, and at most.
const RETRY: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(2));

/// Tells every change; when the daemon goes, looks for another one.
pub(super) fn follow(socket: PathBuf, events: Events, bell: &Bell) {
    bell.spawn(move |bell| {
        let mut events = Some(events);
        loop {
            let lost = match events.take() {
                Some(events) => tell_all(events, bell),
                None => Ok("there is no daemon".to_owned()),
            };
            let Ok(why) = lost else { return };
            if bell.tell(Input::Lost(why)).is_err() {
                return;
            }
            match reconnect(&socket) {
                Ok(again) => events = Some(again),
                // It is there, and does not want to be asked: in a while, perhaps.
                Err(error) => {
                    if bell.tell(Input::Failed(error.to_string())).is_err() {
                        return;
                    }
                    thread::sleep(RETRY.1);
                }
            }
        }
    });
}

/// Tells until there is nothing more to tell, and gives the reason.
fn tell_all(events: Events, bell: &Bell) -> Result<String, Gone> {
    for event in events {
        match event {
            Ok(Answer::Services { services, config, .. }) => bell.tell(Input::Overview(services, config))?,
            Ok(Answer::Event(event)) => bell.tell(Input::Changed(event))?,
            // What was missed is in what is asked for every second.
            Ok(
                Answer::Missed { .. }
                | Answer::Done { .. }
                | Answer::Pong { .. }
                | Answer::History { .. }
                | Answer::Report { .. }
                | Answer::Explain { .. }
                | Answer::Plan { .. }
                | Answer::Generations { .. }
                | Answer::Verdict { .. }
                | Answer::Upgrading { .. }
                | Answer::Upgraded { .. }
                | Answer::Note { .. }
                | Answer::Noted
                | Answer::Down,
            ) => {}
            Err(error) => return Ok(error.to_string()),
        }
    }
    Ok("the daemon closed the connection".to_owned())
}

/// Waits for a daemon, longer each time.
fn reconnect(socket: &Path) -> Result<Events, ClientError> {
    let mut delay = RETRY.0;
    loop {
        thread::sleep(delay);
        delay = (delay * 2).min(RETRY.1);
        match Client::connect_within(socket, Some(PATIENCE)).and_then(Client::follow) {
            Err(error) if error.is_no_daemon() || matches!(error, ClientError::Closed) => {}
            result => return result,
        }
    }
}

/// Asks once a second what everything uses, as long as somebody looks.
pub(super) fn sample(socket: PathBuf, bell: &Bell) {
    bell.spawn(move |bell| {
        let mut sampler = None;
        loop {
            let begun = Instant::now();
            if sampler.is_none() {
                // That there is no daemon is told by whoever follows it.
                sampler = Sampler::connect(&socket).ok();
            }
            let told = match sampler.as_mut().map(|sampler| sampler.sample(bell)) {
                None | Some(Ok(Ok(()))) => Ok(()),
                Some(Ok(Err(Gone))) => return,
                Some(Err(error)) => {
                    sampler = None;
                    match error {
                        ClientError::Closed => Ok(()),
                        error => bell.tell(Input::Failed(error.to_string())),
                    }
                }
            };
            if told.is_err() {
                return;
            }
            thread::sleep(EVERY.saturating_sub(begun.elapsed()));
        }
    });
}

/// A connection, and what was read last.
struct Sampler {
    client: Client,
    pids: [u32; 2],
    last: Option<(Instant, u64)>,
}

impl Sampler {
    fn connect(socket: &Path) -> Result<Self, ClientError> {
        let mut client = Client::connect_within(socket, Some(PATIENCE))?;
        match client.request(&Request::Ping)? {
            Answer::Pong { pid, keeper_pid, .. } => Ok(Self { client, pids: [pid, keeper_pid], last: None }),
            _ => Err(ClientError::Protocol("it answers another question".to_owned())),
        }
    }

    fn sample(&mut self, bell: &Bell) -> Result<Result<(), Gone>, ClientError> {
        let Answer::Services { services, config, .. } = self.client.request(&Request::List)? else {
            return Err(ClientError::Protocol("it answers another question".to_owned()));
        };
        let told = bell.tell(Input::Overview(services, config));
        Ok(told.and_then(|()| self.own().map_or(Ok(()), |own| bell.tell(Input::Own(own)))))
    }

    /// What daemon and keeper use together. Nothing where this user may not see them.
    fn own(&mut self) -> Option<Own> {
        let used: Vec<_> = self.pids.iter().filter_map(|pid| mainstay_host::process_usage(*pid)).collect();
        let now = Instant::now();
        let cpu_nanos = used.iter().map(|usage| usage.cpu_nanos).sum();
        let before = self.last.replace((now, cpu_nanos));
        let cpu_percent = before.map(|(then, nanos)| {
            let busy = Duration::from_nanos(u64::saturating_sub(cpu_nanos, nanos));
            100.0 * busy.as_secs_f64() / now.duration_since(then).as_secs_f64().max(0.001)
        });
        let age = mainstay_host::process_age(self.pids[1]);
        Some(Own {
            cpu_percent,
            memory_bytes: used.iter().map(|usage| usage.resident_bytes).sum(),
            up_since: age.and_then(|age| Timestamp::now().checked_sub(age).ok()),
        })
        .filter(|_| !used.is_empty())
    }
}
