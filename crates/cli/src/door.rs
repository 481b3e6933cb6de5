//! The way to the daemon of a project: connecting, asking, and telling when its files are newer than what runs.

use std::{path::Path, thread, time::Duration};

use mainstay_client::{Client, ClientError};
use mainstay_wire::{Answer, ConfigView, Request, ServiceView};

use crate::{
    exit::Exit,
    failure::Failure,
    holders::Holders,
    output::Output,
    places::{Places, Surroundings},
    project,
};

/// How long a question may take that needs no waiting for services.
const READING: Duration = Duration::from_secs(30);

/// How often a question that changes nothing is asked again, because the daemon died over it.
const TRIES: usize = 3;

/// How often `down` is asked again, when the daemon dies or ends over it.
const STOP_TRIES: usize = 20;

/// How long it is waited before that.
const AGAIN: Duration = Duration::from_millis(50);

/// How long after the time-out of a request the daemon may still say what it is waiting for.
const GRACE: Duration = Duration::from_millis(500);

/// Everything that the daemon says of services.
#[derive(Debug)]
pub(crate) struct Overview {
    pub(crate) services: Vec<ServiceView>,
    pub(crate) config: ConfigView,
    /// Whether the anchor is there.
    pub(crate) anchor: bool,
}

/// Connects.
pub(crate) fn connect(places: &Places, timeout: Option<Duration>) -> Result<Client, ClientError> {
    Client::connect_within(&places.socket(), timeout)
}

/// Asks something that can be asked again: the keeper starts another daemon in place of one that dies.
pub(crate) fn read(
    places: &Places,
    timeout: Option<Duration>,
    request: &Request,
) -> Result<Overview, ClientError> {
    match ask(places, timeout, request)? {
        Answer::Services { services, config, anchor, .. } => Ok(Overview { services, config, anchor }),
        _ => Err(ClientError::Protocol("it answers another question".to_owned())),
    }
}

/// The same for an answer of any form.
pub(crate) fn ask(
    places: &Places,
    timeout: Option<Duration>,
    request: &Request,
) -> Result<Answer, ClientError> {
    let timeout = Some(timeout.unwrap_or(READING));
    let mut tries = 0;
    loop {
        tries += 1;
        match connect(places, timeout).and_then(|mut client| client.request(request)) {
            Err(ClientError::Closed) if tries < TRIES => {}
            result => return result,
        }
    }
}

/// Whether nothing was answered because nothing runs: there is no daemon, and nobody holds the project.
pub(crate) fn is_down(error: &ClientError, places: &Places) -> bool {
    error.is_no_daemon() && places.hidden().is_none() && Holders::of(&places.state_dir).is_none()
}

/// Why nothing was answered. One that cannot be reached may run nevertheless, which is then said instead.
pub(crate) fn explain(error: ClientError, places: &Places) -> Failure {
    // Where it runs is written in what we may not see.
    if let Some(socket) = places.hidden().filter(|_| error.is_no_daemon()) {
        return ClientError::NotPermitted { socket }.into();
    }
    match Holders::of(&places.state_dir).filter(|_| error.is_no_daemon()) {
        Some(holders) => holders.unreachable(places, Exit::NoDaemon),
        None => error.into(),
    }
}

/// What a request that waits says of how long.
pub(crate) fn milliseconds(span: Option<Duration>) -> Option<u64> {
    span.map(|span| u64::try_from(span.as_millis()).unwrap_or(u64::MAX))
}

/// Asks for something to be done, and waits for it: the request itself says for how long, and the daemon is given a little
/// more than that to say what it is still waiting for.
pub(crate) fn order(
    client: &mut Client,
    within: Option<Duration>,
    request: &Request,
) -> Result<Answer, ClientError> {
    client.set_timeout(within.map(|within| within + GRACE));
    client.request(request).map_err(|error| match (error, within) {
        (ClientError::TimedOut { .. }, Some(after)) => ClientError::TimedOut { after },
        (error, _) => error,
    })
}

/// How a request to stop everything was met.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stopped {
    /// The daemon has stopped everything.
    Answered,
    /// There is no daemon, or none any more.
    NobodyThere,
}

/// Stops everything. A daemon that dies over it is asked again; one that ends while it is asked has done it for another.
pub(crate) fn stop_all(socket: &Path, timeout: Option<Duration>, kill: bool) -> Result<Stopped, ClientError> {
    let mut tries = 0;
    loop {
        tries += 1;
        let asked = Client::connect_within(socket, timeout)
            .and_then(|mut client| client.request(&Request::Down { kill }));
        match asked {
            Ok(_) => return Ok(Stopped::Answered),
            Err(error) if error.is_no_daemon() => return Ok(Stopped::NobodyThere),
            Err(ClientError::Closed) if tries < STOP_TRIES => thread::sleep(AGAIN),
            Err(error) => return Err(error),
        }
    }
}

/// Waits for something without doing anything: asked again when the daemon died over it, which another one takes the place of.
pub(crate) fn wait(
    places: &Places,
    within: Option<Duration>,
    request: &Request,
) -> Result<Answer, ClientError> {
    let mut tries = 0;
    loop {
        tries += 1;
        match connect(places, within).and_then(|mut client| order(&mut client, within, request)) {
            Err(ClientError::Closed) if tries < TRIES => {}
            result => return result,
        }
    }
}

/// What was acted on.
pub(crate) fn settled(answer: Answer) -> Result<Vec<mainstay_wire::Settled>, Failure> {
    match answer {
        Answer::Done { services, .. } => Ok(services),
        _ => Err(Failure::new(Exit::Bug, "the daemon answers another question than was asked")),
    }
}

/// Says so while nobody watches over the keeper.
pub(crate) fn note_missing_anchor(anchor: bool, output: &Output) {
    if !anchor {
        output.note(
            "note: the anchor has ended; everything goes on, and the keeper takes its place as soon as it can: until then \
             nobody would start the keeper again if that ended too",
        );
    }
}

/// Says so when the files on disk are not those that run.
pub(crate) fn note_newer_files(
    places: &Places,
    surroundings: &Surroundings,
    running: &ConfigView,
    output: &Output,
) {
    if places.is_elsewhere() {
        return output.note("note: it runs as it was started at another place; `mainstay down` stops it");
    }
    let Some(file) = &places.file else { return };
    let note = match project::load(file, surroundings) {
        Ok(project) if project.fingerprint == running.fingerprint => return,
        Ok(_) => {
            "the files differ from what runs: `mainstay plan` shows how, `mainstay apply` or `up` applies them"
        }
        Err(_) => {
            "the files differ from what runs, and have problems: `mainstay check` shows them, `mainstay apply` or `up` applies them"
        }
    };
    output.note(&format!("note: {note}"));
}
