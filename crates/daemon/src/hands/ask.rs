//! Asking a service how it is: by probes in tasks of their own, by lines of its output in a thread for all. At most one asking
//! of a service is under way.

use std::{collections::BTreeMap, path::PathBuf, sync::Arc, time::Duration};

use mainstay_decide::{Check, QuestionId};
use mainstay_host::{Identity, User, run_as};
use mainstay_logs::{Awaited, Expect, Expecting};
use mainstay_model::{Command, Probe, ReadyCheck, RunId, ServiceId, Spec};
use mainstay_probe::No;
use regex::bytes::Regex;
use tokio::{sync::mpsc, task::AbortHandle};

use super::{
    Surroundings,
    user::{identity_of, look_up},
};
use crate::wake::Wake;

/// Which asking of whom.
#[derive(Clone, Debug)]
pub(super) struct Question {
    pub(super) id: ServiceId,
    pub(super) run: RunId,
    pub(super) question: QuestionId,
}

impl Question {
    pub(super) fn answered(self, answer: Result<(), No>) -> Wake {
        let Self { id, run, question } = self;
        match answer {
            Ok(()) => Wake::Answered { id, run, question, answer: Ok(()) },
            Err(No::Answer(text)) => Wake::Answered { id, run, question, answer: Err(text) },
            Err(No::Unasked(why)) => Wake::Unasked { id, run, question, why },
        }
    }
}

/// An asking under way.
#[derive(Debug)]
enum Asking {
    Task(AbortHandle),
    Line,
}

/// What is asked.
enum What {
    Probe(Probe),
    /// Whether a line like this was written.
    Line(String),
}

/// What this check asks, and how long that may take; nothing when the answer comes by itself.
fn what(spec: &Spec, check: Check) -> Option<(What, Duration)> {
    match check {
        Check::Ready => {
            let policy = spec.ready.as_ref()?;
            let what = match &policy.check {
                ReadyCheck::Probe(probe) => What::Probe(probe.clone()),
                ReadyCheck::Log(pattern) => What::Line(pattern.clone()),
                ReadyCheck::Notify | ReadyCheck::Fd(_) | ReadyCheck::After(_) => return None,
            };
            Some((what, policy.probe_timeout))
        }
        Check::Health => {
            spec.health.as_ref().map(|policy| (What::Probe(policy.probe.clone()), policy.timeout))
        }
    }
}

/// Asks for commands: in the service's directory and environment, and as its user.
pub(super) struct Asker {
    pub(super) surroundings: Arc<Surroundings>,
    pub(super) spec: Spec,
    pub(super) run: RunId,
    /// The service's user, when a start has looked it up already.
    pub(super) user: Option<User>,
}

impl Asker {
    async fn ask(self, probe: Probe, limit: Duration) -> Result<(), No> {
        match probe {
            Probe::Tcp(address) => mainstay_probe::tcp(&address, limit).await,
            Probe::Http(http) => mainstay_probe::http(&http.url, http.status, limit).await,
            Probe::Exec(command) => self.run(&command, limit).await,
        }
    }

    async fn run(self, command: &Command, limit: Duration) -> Result<(), No> {
        let user = match (&self.spec.user, &self.user) {
            (None, _) => None,
            (Some(_), Some(user)) => Some(user.clone()),
            // A daemon that found the service running has started nothing itself.
            (Some(name), None) => Some(look_up(name.clone()).await?),
        };
        mainstay_probe::exec(self.command(command, user.as_ref()), limit).await
    }

    fn command(&self, command: &Command, user: Option<&User>) -> std::process::Command {
        let mut env = self.surroundings.variables(&self.spec, user, self.run, 0, None);
        // Of a start, and not known here.
        env.remove("MAINSTAY_ATTEMPT");
        env.remove("MAINSTAY_PREVIOUS_EXIT");
        let mut words = command.words();
        let mut asking = std::process::Command::new(words.next().unwrap_or_default());
        asking.args(words).current_dir(&self.spec.working_dir).env_clear().envs(env);
        if let Some(identity) = identity_of(user) {
            let (uid, gid) = (identity.uid, identity.gid);
            run_as(&mut asking, Identity { uid, gid, groups: &identity.groups });
        }
        asking
    }
}

/// All askings under way.
#[derive(Debug)]
pub(super) struct Askings {
    wakes: mpsc::Sender<Wake>,
    logs_dir: PathBuf,
    /// The thread that waits for lines, once there was one to wait for.
    lines: Option<Expecting>,
    open: BTreeMap<ServiceId, Asking>,
}

impl Askings {
    pub(super) fn new(wakes: mpsc::Sender<Wake>, logs_dir: PathBuf) -> Self {
        Self { wakes, logs_dir, lines: None, open: BTreeMap::new() }
    }

    /// Asks this; an earlier asking of the same service is given up.
    pub(super) fn ask(&mut self, question: Question, spec: &Spec, check: Check, asker: Asker) {
        self.give_up(&question.id);
        let Some((what, limit)) = what(spec, check) else { return };
        let id = question.id.clone();
        let asking = match what {
            What::Probe(probe) => self.probe(question, probe, limit, asker),
            What::Line(pattern) => match self.expect(&question, &pattern) {
                Ok(()) => Asking::Line,
                Err(text) => self.say(question, Err(text.into())),
            },
        };
        self.open.insert(id, asking);
    }

    fn probe(&self, question: Question, probe: Probe, limit: Duration, asker: Asker) -> Asking {
        let wakes = self.wakes.clone();
        let task = tokio::spawn(async move {
            let answer = asker.ask(probe, limit).await;
            // A closed channel is a daemon that ends.
            let _ = wakes.send(question.answered(answer)).await;
        });
        Asking::Task(task.abort_handle())
    }

    fn expect(&mut self, question: &Question, pattern: &str) -> Result<(), String> {
        let pattern = Regex::new(pattern).map_err(|error| format!("cannot be looked for ({error})"))?;
        let awaited = Awaited {
            service: question.id.to_string(),
            run: question.run.0,
            pattern,
            key: question.question.0,
        };
        if self.lines.is_none() {
            self.lines = Some(self.start_thread()?);
        }
        self.lines.iter().for_each(|lines| lines.expect(awaited.clone()));
        Ok(())
    }

    fn start_thread(&self) -> Result<Expecting, String> {
        let (expect, expecting) = Expect::new(&self.logs_dir).map_err(|error| error.to_string())?;
        let wakes = self.wakes.clone();
        let work = move || {
            expect.run(&mut |answer| {
                let Ok(id) = answer.service.parse() else { return };
                let question = Question { id, run: RunId(answer.run), question: QuestionId(answer.key) };
                let result = answer.result.map_err(|error| error.to_string().into());
                // A closed channel is a daemon that ends.
                let _ = wakes.blocking_send(question.answered(result));
            });
        };
        std::thread::Builder::new()
            .name("lines".to_owned())
            .spawn(work)
            .map_err(|error| format!("no log can be watched ({error})"))?;
        Ok(expecting)
    }

    /// Answers in its own time: nothing is answered while it is asked.
    fn say(&self, question: Question, answer: Result<(), No>) -> Asking {
        let wakes = self.wakes.clone();
        let task = tokio::spawn(async move {
            let _ = wakes.send(question.answered(answer)).await;
        });
        Asking::Task(task.abort_handle())
    }

    /// Nobody waits for an answer of this service any more.
    pub(super) fn give_up(&mut self, id: &ServiceId) {
        match self.open.remove(id) {
            None => {}
            Some(Asking::Task(task)) => task.abort(),
            Some(Asking::Line) => self.lines.iter().for_each(|lines| lines.leave(&id.to_string())),
        }
    }
}
