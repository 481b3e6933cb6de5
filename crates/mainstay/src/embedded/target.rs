//! Whom a word is for: the project that has the service, or a process of it that runs by hand.
//!
//! The project is found as the `mainstay` program finds it: the nearest `mainstay.toml` of this folder and those above, else
//! the machine's. What points from its state to its socket tells whether it runs.

use std::{
    collections::BTreeMap,
    env, fmt, fs,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
    time::Duration,
};

use mainstay_client::{CallClient, CallFailure, Client, ClientError};
use mainstay_host::{by_hand_calls_dir, effective_uid};
use mainstay_wire::{Act, Answer, CallErrorCode, ErrorCode, Request, ServiceView, Settled, SettledState};
use serde_json::Value;

/// How long a question may take.
const READING: Duration = Duration::from_secs(30);

/// The exit code when nobody is there to be asked.
pub(super) const NO_DAEMON: u8 = 69;

/// Why a word was not carried out.
#[derive(Debug)]
pub(super) struct Refused {
    /// The exit code.
    pub(super) code: u8,
    pub(super) text: String,
    help: Option<String>,
}

impl Refused {
    pub(super) fn new(code: u8, text: impl Into<String>) -> Self {
        Self { code, text: text.into(), help: None }
    }

    pub(super) fn with_help(self, help: impl Into<String>) -> Self {
        Self { help: Some(help.into()), ..self }
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)?;
        self.help.as_ref().map_or(Ok(()), |help| write!(f, "\nhelp: {help}"))
    }
}

/// Whom a word is for.
pub(super) enum Target {
    /// A project has it.
    Project(Box<Project>),
    /// It runs by hand; its socket.
    ByHand(PathBuf),
}

/// A project that runs and has the service.
pub(super) struct Project {
    client: Client,
    /// How the service is there.
    pub(super) view: ServiceView,
}

impl Target {
    /// Finds it.
    pub(super) fn find(name: &str) -> Result<Self, Refused> {
        match Project::find(name) {
            Ok(project) => Ok(Self::Project(Box::new(project))),
            Err(refused) => by_hand(name).map(Self::ByHand).ok_or(refused),
        }
    }

    /// Calls a method of the running service.
    pub(super) fn call(
        self,
        name: &str,
        method: &str,
        args: BTreeMap<String, Value>,
    ) -> Result<Value, Refused> {
        let socket = match self {
            Self::ByHand(socket) => socket,
            Self::Project(project) => match (project.view.pid, project.view.details) {
                (None, _) => {
                    let text = format!("`{name}` does not run: it is {}", project.view.phase);
                    return Err(Refused::new(7, text));
                }
                (Some(_), details) => {
                    let calls = details.and_then(|details| details.calls).map(PathBuf::from);
                    calls.ok_or_else(|| Refused::new(1, format!("`{name}` has made no socket for calls")))?
                }
            },
        };
        let mut client = CallClient::connect_within(&socket, Some(READING)).map_err(uncalled)?;
        client.call(method, args).map_err(uncalled)
    }
}

impl Project {
    fn find(name: &str) -> Result<Self, Refused> {
        let nobody = |text: String| {
            Refused::new(NO_DAEMON, text)
                .with_help("describe it in a mainstay.toml, and run `mainstay up -d`")
        };
        let socket = socket().ok_or_else(|| nobody("no Mainstay project runs here".to_owned()))?;
        let mut client = Client::connect_within(&socket, Some(READING)).map_err(|error| match error {
            error if error.is_no_daemon() => nobody(error.to_string()),
            error => unasked(error),
        })?;
        let request = Request::Status { service: name.to_owned() };
        let answer = client.request(&request).map_err(unasked)?;
        let Answer::Services { services, .. } = answer else {
            return Err(Refused::new(1, "the daemon answers another question"));
        };
        let several = services.len();
        match <[ServiceView; 1]>::try_from(services) {
            Ok([view]) => Ok(Self { client, view }),
            Err(_) => {
                let text = format!("`{name}` has {several} instances: name one, `{name}@1`");
                Err(Refused::new(2, text))
            }
        }
    }

    /// Does this to the service, and tells what became of it.
    pub(super) fn act(&mut self, act: Act, name: &str) -> Result<String, Refused> {
        // As long as it takes: a start waits for readiness.
        self.client.set_timeout(None);
        let request = Request::Act { act, services: vec![name.to_owned()], wait: true, within_ms: None };
        let Answer::Done { services, .. } = self.client.request(&request).map_err(unasked)? else {
            return Err(Refused::new(1, "the daemon answers another question"));
        };
        let told = |one: &Settled| format!("{} is {}: {}\n", one.id, one.phase, one.reason.text);
        match services.iter().find(|one| one.state == SettledState::Failed) {
            Some(failed) => Err(Refused::new(1, told(failed).trim_end())),
            None => Ok(services.iter().map(told).collect()),
        }
    }
}

fn unasked(error: ClientError) -> Refused {
    let code = match &error {
        ClientError::NotPermitted { .. } => 4,
        ClientError::NoDaemon { .. } | ClientError::DeadSocket { .. } | ClientError::InTrouble { .. } => {
            NO_DAEMON
        }
        ClientError::TimedOut { .. } => 124,
        ClientError::Refused(refused) if refused.code == ErrorCode::NoSuchService => 5,
        ClientError::Refused(refused) if refused.code == ErrorCode::NotPermitted => 4,
        ClientError::Refused(_)
        | ClientError::Broken { .. }
        | ClientError::RequestTooLong { .. }
        | ClientError::Protocol(_)
        | ClientError::Closed => 1,
    };
    let help = match &error {
        ClientError::Refused(refused) => refused.help.clone(),
        _ => None,
    };
    Refused { code, text: error.to_string(), help }
}

fn uncalled(error: CallFailure) -> Refused {
    let code = match &error {
        CallFailure::NobodyThere { .. } => 7,
        CallFailure::NotPermitted { .. } | CallFailure::Foreign { .. } => 4,
        CallFailure::TimedOut { .. } => 124,
        CallFailure::Refused(refused) if refused.code == CallErrorCode::NotPermitted => 4,
        CallFailure::Refused(refused) if refused.code == CallErrorCode::NotRunning => 7,
        CallFailure::Refused(_)
        | CallFailure::Broken { .. }
        | CallFailure::TooLong { .. }
        | CallFailure::Protocol(_)
        | CallFailure::Closed => 1,
    };
    Refused::new(code, error.to_string())
}

/// The socket of the project that is meant, when it was ever started.
fn socket() -> Option<PathBuf> {
    let here = env::current_dir().ok()?;
    let said = |name: &str| env::var_os(name).filter(|path| !path.is_empty()).map(|path| here.join(path));
    if let Some(state) = said("MAINSTAY_STATE_DIR") {
        return pointed(&state);
    }
    if let Some(file) = said("MAINSTAY_FILE") {
        return pointed(&file.parent()?.join(".mainstay"));
    }
    let is_project = |dir: &&Path| dir.join("mainstay.toml").is_file() || dir.join(".mainstay").is_dir();
    match here.ancestors().find(is_project) {
        Some(dir) => pointed(&dir.join(".mainstay")),
        None => Some(PathBuf::from("/run/mainstay/sock")).filter(|path| path.exists()),
    }
}

/// The socket to which a project's state points. Only one of our own user or of root is trusted.
fn pointed(state: &Path) -> Option<PathBuf> {
    let run = fs::read_link(state.join("run")).ok()?;
    let (owner, own) = (fs::metadata(&run).ok()?.uid(), effective_uid());
    (own == 0 || owner == own || owner == 0).then(|| run.join("sock"))
}

/// The socket of a living process that this user runs by hand.
fn by_hand(name: &str) -> Option<PathBuf> {
    let name = if name.contains('@') { name.to_owned() } else { format!("{name}@1") };
    let runtime = env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from);
    let temporary = env::temp_dir();
    let dirs = [by_hand_calls_dir(runtime.as_deref(), &temporary), by_hand_calls_dir(None, &temporary)];
    let is_alive = |path: &PathBuf| {
        !matches!(CallClient::connect_within(path, Some(READING)), Err(CallFailure::NobodyThere { .. }))
    };
    dirs.map(|dir| dir.join(&name)).into_iter().find(is_alive)
}
