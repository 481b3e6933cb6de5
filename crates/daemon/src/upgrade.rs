//! Another program in our place: it is asked whether it accepts what it would find, the keeper is told, and who waits for the
//! outcome is answered. What is enough for it to be kept is the anchor's affair.

use std::{path::PathBuf, process::Stdio, time::Duration};

use mainstay_model::Moment;
use mainstay_wire::{Answer, ErrorCode, Reply, UpgradeOutcome, UpgradeView, WireError};
use tokio::{
    io::AsyncReadExt,
    process::Command,
    sync::{mpsc, oneshot},
    time::timeout,
};

use crate::{brain::Brain, main_loop::Options, outcomes::OutcomeWaiters, request, wake::Wake};

/// How long the new program may take to look at the state.
const CHECK_PATIENCE: Duration = Duration::from_secs(20);

/// Bytes of what it says about it that are read.
const WORDS_LIMIT: u64 = 4096;

/// What is known of upgrades.
#[derive(Debug, Default)]
pub(crate) struct Upgrades {
    latest: Option<UpgradeView>,
    is_asked: bool,
    /// Each knows the number of the latest before its own.
    pub(crate) waiters: OutcomeWaiters,
    places: Options,
}

impl Upgrades {
    /// Of a daemon that finds its things there; `latest` is what the keeper knows.
    pub(crate) fn new(places: Options, latest: Option<UpgradeView>) -> Self {
        Self { latest, places, ..Self::default() }
    }

    /// The anchor says what became of one.
    pub(crate) fn heard(&mut self, upgrade: UpgradeView) {
        self.latest = Some(upgrade);
    }

    fn is_known_after(&self, number: u64) -> bool {
        self.latest
            .as_ref()
            .is_some_and(|latest| latest.number > number && latest.outcome != UpgradeOutcome::Trying)
    }

    fn is_under_way(&self) -> bool {
        self.is_asked || self.latest.as_ref().is_some_and(|latest| latest.outcome == UpgradeOutcome::Trying)
    }
}

/// Asks the program whether it accepts what is here. The answer is a wake.
pub(crate) fn ask(
    brain: &mut Brain,
    program: String,
    wakes: mpsc::Sender<Wake>,
    reply: oneshot::Sender<Reply>,
) {
    let places = brain.upgrades.places.clone();
    if brain.upgrades.is_under_way() {
        let error = WireError::new(ErrorCode::Failed, "an upgrade is under way")
            .with_help("wait until `mainstay daemon upgrade` has ended");
        return request::answer(reply, Err(error));
    }
    brain.upgrades.is_asked = true;
    tokio::spawn(async move {
        let result = check(&program, &places).await;
        let _ = wakes.send(Wake::UpgradeChecked { program, result, reply }).await;
    });
}

/// The version of a program that accepts what is here.
async fn check(program: &str, places: &Options) -> Result<String, String> {
    let mut words = Command::new(PathBuf::from(program));
    words.args(["daemon", "check-state", "--state-dir"]).arg(&places.state_dir);
    words.arg("--run-dir").arg(&places.run_dir).arg("--logs-dir").arg(&places.logs_dir);
    words.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    let mut child = words.spawn().map_err(|error| format!("`{program}` cannot be executed: {error}"))?;
    let (mut said, mut complained) = (String::new(), String::new());
    let streams = (child.stdout.take(), child.stderr.take());
    let (Some(out), Some(err)) = streams else { return Err("its output cannot be read".to_owned()) };
    let (mut out, mut err) = (out.take(WORDS_LIMIT), err.take(WORDS_LIMIT));
    let whole = async {
        let _ = tokio::join!(out.read_to_string(&mut said), err.read_to_string(&mut complained));
        child.wait().await
    };
    let Ok(ended) = timeout(CHECK_PATIENCE, whole).await else {
        return Err(format!(
            "`{program}` did not say within {} s whether it accepts the state",
            CHECK_PATIENCE.as_secs()
        ));
    };
    match ended {
        Ok(status) if status.success() && !said.trim().is_empty() => Ok(said.trim().to_owned()),
        Ok(status) if status.success() => Err(format!("`{program}` is no Mainstay: it names no version")),
        Ok(_) => Err(format!("`{program}` does not accept the state: {}", words_of(&complained))),
        Err(error) => Err(format!("`{program}` cannot be asked: {error}")),
    }
}

/// What a program complained of, as one clause.
fn words_of(complained: &str) -> String {
    let lines: Vec<&str> = complained.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    match lines.as_slice() {
        [] => "it does not say why".to_owned(),
        lines => lines.join("; ").trim_start_matches("error: ").to_owned(),
    }
}

/// The program has answered; whether the keeper is to be told.
pub(crate) fn checked(
    brain: &mut Brain,
    program: &str,
    result: Result<String, String>,
    reply: oneshot::Sender<Reply>,
) -> bool {
    brain.upgrades.is_asked = false;
    let result = if brain.going_down { Err("the project is being stopped".to_owned()) } else { result };
    let to = match result {
        Ok(to) => to,
        Err(text) => {
            brain.history.note("upgrade-refused", text.clone(), None);
            let error = WireError::new(ErrorCode::Failed, text)
                .with_help("nothing was changed: the program that runs goes on");
            request::answer(reply, Err(error));
            return false;
        }
    };
    let from = env!("CARGO_PKG_VERSION").to_owned();
    brain.history.note("upgrade-begun", format!("{from} becomes {to}: `{program}`"), None);
    let number_before = brain.upgrades.latest.as_ref().map_or(0, |latest| latest.number);
    request::answer(reply, Ok(Answer::Upgrading { number_before, from, to }));
    true
}

/// Answers those whose wait is over.
pub(crate) fn answer(brain: &mut Brain, now: Moment) {
    let mut waiters = std::mem::take(&mut brain.upgrades.waiters);
    let over = waiters.take_over(now, |number| brain.upgrades.is_known_after(number));
    brain.upgrades.waiters = waiters;
    if over.is_empty() {
        return;
    }
    let project = brain.runner.project();
    let is_live = |id: &&mainstay_model::ServiceId| {
        project.service(id).is_some_and(|service| service.phase().pid().is_some())
    };
    let running = project.ids().filter(is_live).count();
    for waiter in over {
        let known = Answer::Upgraded {
            upgrade: brain.upgrades.latest.clone(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            pid: std::process::id(),
            keeper_pid: std::os::unix::process::parent_id(),
            running,
        };
        request::answer(waiter.reply, Ok(known));
    }
}
