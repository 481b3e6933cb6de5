//! Why a service is as it is: one causal sentence, and the chain behind it. States and what happened before go in, words come
//! out; it reads no clock and no history.
//!
//! A sentence names the service first and the root of the matter last. It is made of predicates ("failed 3 times with exit 1
//! since 10:02"), each of which reads well behind the name of a service and behind "which": so that "api is waiting for db"
//! and what is said of db become one sentence, however many services lie between. What comes next by itself is its end, behind
//! a semicolon, and is always that of the root: nothing else can happen before.

mod advice;
mod failing;
mod gather;
mod past;
mod predicate;
mod running;
mod stopped;
mod words;

use std::time::Duration;

use mainstay_model::{Attempts, Condition, Moment, PhaseName, Reason, RestartWhen, ServiceId, Status};

pub use self::past::{Asker, Past, PastAct, PastApply, PastChange};
use self::{past::Streak, predicate::Told};

/// The time and place in which it is read. Times are counted from the Unix epoch.
#[derive(Clone, Copy)]
pub struct Reading<'a> {
    /// The moment for which states were gathered.
    pub now: Moment,
    /// The same by the wall clock.
    pub wall: Duration,
    /// A time as the reader's clock shows it: `10:02`, or with its day.
    pub clock: &'a dyn Fn(Duration) -> String,
    /// What somebody asked for lately, the newest last.
    pub acts: &'a [PastAct],
}

/// How one service is, with what a sentence about it needs beyond its status.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Situation {
    /// How it is; its reason is its own, and not that of what it waits for.
    pub status: Status,
    /// What the one before it in the chain waits for.
    pub awaited: Option<Condition>,
    /// How many services lie between it and the one before it, and are not told.
    pub left_out: usize,
    /// When what is under way has taken too long; with a check that is only time: when it is over.
    pub deadline: Option<Moment>,
    /// The cause of the stop that is under way, and whether it starts again after that.
    pub stop: Option<(Reason, bool)>,
    /// In a rolling restart: the one whose turn is before its own.
    pub behind: Option<ServiceId>,
    /// Restarts in a row.
    pub attempt: u32,
    /// How many there may be.
    pub attempts: Attempts,
    /// Which ends are followed by a restart.
    pub policy: RestartWhen,
    /// A run this long ends a row of failures.
    pub reset_after: Duration,
    /// Everything that it needs, however far: what is stopped takes it along.
    pub needs: Vec<ServiceId>,
    /// What else went wrong when it ended, in a clause.
    pub aside: Option<String>,
    /// Why its log takes nothing.
    pub log: Option<LogTrouble>,
    /// How many bytes of its output were dropped, since its log took nothing.
    pub dropped_bytes: u64,
}

/// A log that takes nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogTrouble {
    /// Since when, from the Unix epoch.
    pub since: Duration,
    /// What the system says.
    pub text: String,
    /// Whether its output is dropped; else it waits.
    pub dropped: bool,
}

/// Why a service is as it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explanation {
    /// One sentence without a full stop.
    pub sentence: String,
    /// From the service to the root of the matter.
    pub chain: Vec<Link>,
    /// What happens next by itself, in a clause.
    pub next: String,
    /// What a person can do.
    pub tries: Vec<Try>,
}

/// One link of the chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    /// Of which service; `None`: of the project.
    pub service: Option<ServiceId>,
    /// What that one does, when this link is how it is.
    pub phase: Option<PhaseName>,
    /// The code of its reason, when this link is how it is.
    pub code: Option<String>,
    /// In words.
    pub text: String,
    /// Since when, or when; from the Unix epoch.
    pub at: Option<Duration>,
}

/// Something that a person can do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Try {
    /// The command line.
    pub command: String,
    /// What it does.
    pub what: String,
}

/// Says why the first of these is as it is; each waits for the next. `past` holds what happened to each, in the same order.
/// `None` when there is none.
pub fn explain(situations: &[Situation], past: &[&Past], reading: &Reading<'_>) -> Option<Explanation> {
    let unknown = Past::default();
    let past_of = |at: usize| past.get(at).copied().unwrap_or(&unknown);
    let told: Vec<Told<'_>> =
        situations.iter().enumerate().map(|(at, it)| Told { it, past: past_of(at), reading }).collect();
    let (first, root) = (told.first()?, told.last()?);
    Some(Explanation {
        sentence: sentence(&told, first, root),
        chain: told.iter().flat_map(Told::links).collect(),
        next: advice::next(first, root),
        tries: advice::tries(first, root),
    })
}

/// When the failures began that it has not recovered from: only what was before may have caused them. `None` when it does not
/// fail.
pub fn failing_since(situation: &Situation, changes: &[PastChange]) -> Option<Duration> {
    Streak::of(changes, situation.reset_after).map(|streak| streak.first)
}

/// What can be said of a service when nobody looks after it any more: how it was last seen.
pub fn last_seen(
    id: &ServiceId,
    changes: &[PastChange],
    acts: &[PastAct],
    clock: &dyn Fn(Duration) -> String,
) -> Explanation {
    let start = Try { command: "mainstay up".to_owned(), what: "starts it, and what it needs".to_owned() };
    let next = "nothing happens by itself".to_owned();
    let Some(last) = changes.last() else {
        let sentence =
            format!("{id} is down because no daemon runs, and nothing is known of what it did before");
        return Explanation { sentence, chain: Vec::new(), next, tries: vec![start] };
    };
    let down = acts.iter().rev().find(|act| act.verb() == "down" && act.at <= last.at);
    // A reason that repeats the phase needs no phase before it.
    let how = match last.text.starts_with(last.to.as_str()) {
        true => last.text.clone(),
        false => format!("{}: {}", last.to, last.text),
    };
    let sentence = match down {
        Some(act) => {
            let when = clock(act.at);
            let by = act.by().unwrap_or_else(|| "somebody".to_owned());
            format!("{id} is down because {by} brought the project down at {when}, and no daemon runs since")
        }
        None => format!(
            "{id} is down because no daemon runs; it was last seen at {}, when it was {how}",
            clock(last.at)
        ),
    };
    let link = Link {
        service: Some(id.clone()),
        phase: Some(last.to),
        code: Some(last.code.clone()),
        text: last.text.clone(),
        at: Some(last.at),
    };
    let chain = std::iter::once(link).chain(down.map(PastAct::link)).collect();
    Explanation { sentence, chain, next, tries: vec![start] }
}

/// How many services between the first two and the root are named.
const NAMED: usize = 3;

/// The services between the first two and the root are only named: nobody can follow eight times "which".
fn sentence(told: &[Told<'_>], first: &Told<'_>, root: &Told<'_>) -> String {
    let id = &first.it.status.id;
    let ending = match root.ending(told.len() > 1) {
        Some(ending) => format!("; {ending}"),
        None => String::new(),
    };
    let [_, rest @ ..] = told else { return String::new() };
    let Some((_, between)) = rest.split_last() else {
        let aside = first.it.aside.as_ref().map(|aside| format!("; {aside}")).unwrap_or_default();
        return format!("{id} {}{aside}{ending}", first.predicate());
    };
    let predicate = root.predicate();
    let root_id = &root.it.status.id;
    let left_out = root.it.left_out;
    match between {
        [] => format!("{id} is waiting for {root_id}, which {predicate}{ending}"),
        [one] if left_out == 0 => {
            let one = &one.it.status.id;
            format!("{id} is waiting for {one}, which is waiting for {root_id}, which {predicate}{ending}")
        }
        [one, more @ ..] => {
            let mut names: Vec<String> = more.iter().map(|told| told.it.status.id.to_string()).collect();
            let hidden = left_out + names.len().saturating_sub(NAMED);
            names.truncate(NAMED);
            names.extend((hidden > 0).then(|| format!("{hidden} more")));
            format!(
                "{id} is waiting for {}, which, by way of {}, is waiting for {root_id}, which {predicate}{ending}",
                one.it.status.id,
                words::list(&names)
            )
        }
    }
}
