//! The way to the daemon of a project: connecting, asking, and telling when its files are newer than what runs.

use std::time::Duration;

use mainstay_client::{Client, ClientError};
use mainstay_wire::{Answer, ConfigView, Request, ServiceView};

use crate::{
    exit::Exit,
    failure::Failure,
    output::Output,
    places::{Places, Surroundings},
    project,
};

/// How long a question may take that needs no waiting for services.
const READING: Duration = Duration::from_secs(30);

/// How often a question that changes nothing is asked again, because the daemon died over it.
const TRIES: usize = 3;

/// Everything that the daemon says of services.
#[derive(Debug)]
pub(crate) struct Overview {
    pub(crate) services: Vec<ServiceView>,
    pub(crate) config: ConfigView,
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
    let timeout = Some(timeout.unwrap_or(READING));
    let mut tries = 0;
    loop {
        tries += 1;
        match connect(places, timeout).and_then(|mut client| client.request(request)) {
            Ok(Answer::Services { services, config, .. }) => return Ok(Overview { services, config }),
            Ok(_) => return Err(ClientError::Protocol("it answers another question".to_owned())),
            Err(ClientError::Closed) if tries < TRIES => {}
            Err(error) => return Err(error),
        }
    }
}

/// Asks for something to be done.
pub(crate) fn order(
    places: &Places,
    timeout: Option<Duration>,
    request: &Request,
) -> Result<Vec<mainstay_wire::Settled>, Failure> {
    settled(connect(places, timeout)?.request(request)?)
}

/// What was acted on.
pub(crate) fn settled(answer: Answer) -> Result<Vec<mainstay_wire::Settled>, Failure> {
    match answer {
        Answer::Done { services } => Ok(services),
        _ => Err(Failure::new(Exit::Bug, "the daemon answers another question than was asked")),
    }
}

/// Says so when the files on disk are not those that run.
pub(crate) fn note_newer_files(
    places: &Places,
    surroundings: &Surroundings,
    running: &ConfigView,
    output: &Output,
) {
    let Some(file) = &places.file else { return };
    let note = match project::load(file, surroundings) {
        Ok(project) if project.fingerprint == running.fingerprint => return,
        Ok(_) => "the files differ from what runs; `mainstay up` applies them",
        Err(_) => {
            "the files differ from what runs, and have problems: `mainstay check` shows them, `mainstay up` applies them"
        }
    };
    output.note(&format!("note: {note}"));
}
