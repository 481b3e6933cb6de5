//! `mainstay apply`.

use std::{
    thread,
    time::{Duration, Instant},
};

use clap::Args;
use mainstay_client::{Client, ClientError};
use mainstay_model::span_text;
use mainstay_wire::{Answer, ErrorCode, ProbationVerdict, Request, SCHEMA_VERSION, Settled, SettledState};

use crate::{
    door,
    exit::Exit,
    failure::Failure,
    launch,
    output::{Form, Loudness, Output},
    places::Places,
    project::Project,
    verbs::{
        Context,
        history::other_question,
        plan::{self, Proposal},
    },
    view::{settled, status, style},
};

/// How often the daemon is asked again, because it died over it.
const TRIES: usize = 40;

/// How long it is waited before that: while one dies and the next comes, connections are taken and dropped.
const AGAIN: Duration = Duration::from_millis(50);

/// The longest time for which it can be watched.
const WATCH_LIMIT: Duration = Duration::from_secs(24 * 60 * 60);

/// Does what `plan` shows, and nothing else
#[derive(Debug, Args)]
#[command(after_help = APPLY_HELP)]
pub(crate) struct Apply {
    /// What is started, as with `up`: names, globs (`wor*`), instances (`api@2`) [default: everything]
    #[arg(value_name = "NAME")]
    services: Vec<String>,

    /// Go back by itself when something that was healthy before is not any more within this time, or at its end: `30s`
    #[arg(long, value_name = "TIME", value_parser = watch)]
    watch: Option<Duration>,
}

const APPLY_HELP: &str = "\
The plan is shown first, and refused when somebody else applies something between that and its being done. It returns once \
everything wanted is ready or has failed, like `up -d`, and with `--watch` when that time is over. Each apply is a \
generation: `config versions` lists them, `rollback` goes back to one.";

fn watch(text: &str) -> Result<Duration, String> {
    let span = crate::arguments::duration(text)?;
    match span {
        Duration::ZERO => Err("expected some time".to_owned()),
        span if span > WATCH_LIMIT => Err("expected no more than a day".to_owned()),
        span => Ok(span),
    }
}

impl Apply {
    pub(crate) fn run(&self, context: &Context<'_>) -> Result<Exit, Failure> {
        let deadline = context.timeout().map(|timeout| Instant::now() + timeout);
        let mut places = context.places()?;
        let project = context.project(&places)?;
        project.started_with(&self.services)?;
        let mut client = launch::connect_or_start(&mut places, context.timeout(), context.output)?;
        let proposal = Proposal::of(client.request(&plan::request(&project, &self.services))?)?
            .discreet(&places, &context.surroundings)
            .beside_scale(&project, &places, context);
        let output = context.output;
        if output.form() == Form::Text && output.loudness() > Loudness::Quiet {
            proposal.show(output);
            output.flush();
        }
        let request = |left: Option<Duration>| self.request(&project, proposal.base, left);
        let done = Done::of(persist(client, &mut places, deadline, context, request)?)?;
        let verdict = match self.watch {
            Some(span) if done.generation != proposal.base && proposal.base != 0 => {
                self.say_watched(span, &done, output);
                Some(verdict(done.generation, deadline, &places, context)?)
            }
            Some(_) | None => None,
        };
        if self.watch.is_some() && verdict.is_none() {
            let why = if proposal.base == 0 { "nothing ran before" } else { "nothing is different" };
            output.note(&format!("note: {why}: there is nothing to watch"));
        }
        Outcome { name: &project.name, proposal, done, verdict }.report(context)
    }

    fn request(&self, project: &Project, on: u64, left: Option<Duration>) -> Request {
        let mut request = project.apply(&self.services, true, door::milliseconds(left));
        if let Request::Apply { base, watch_ms, .. } = &mut request {
            *base = Some(on);
            *watch_ms = door::milliseconds(self.watch);
        }
        request
    }

    fn say_watched(&self, span: Duration, done: &Done, output: &Output) {
        let text = format!("generation {} is on probation for {}", done.generation, span_text(span));
        match output.form() {
            Form::Text if output.loudness() > Loudness::Quiet => output.line(&text),
            Form::Text | Form::Json => output.detail(&text),
        }
        output.flush();
    }
}

/// What was applied.
struct Done {
    services: Vec<Settled>,
    generation: u64,
}

impl Done {
    fn of(answer: Answer) -> Result<Self, Failure> {
        match answer {
            Answer::Done { services, generation } => {
                Ok(Self { services, generation: generation.unwrap_or_default() })
            }
            _ => Err(other_question()),
        }
    }
}

/// Applies, and once more when the daemon died over it: what is applied already is not applied twice.
fn persist(
    mut client: Client,
    places: &mut Places,
    deadline: Option<Instant>,
    context: &Context<'_>,
    request: impl Fn(Option<Duration>) -> Request,
) -> Result<Answer, Failure> {
    let mut tries = 1;
    loop {
        let left = left(deadline);
        match door::order(&mut client, left, &request(left)) {
            Err(ClientError::Closed) if tries < TRIES => tries += 1,
            Err(ClientError::Refused(error)) if error.code == ErrorCode::Conflict => {
                return Err(Failure::from(error));
            }
            result => return Ok(result?),
        }
        thread::sleep(AGAIN);
        client = launch::connect_or_start(places, context.timeout(), context.output)?;
    }
}

fn left(deadline: Option<Instant>) -> Option<Duration> {
    deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()))
}

/// What became of a probation.
struct Judged {
    verdict: ProbationVerdict,
    text: String,
}

/// Waits for it; a daemon that comes after one that died goes on with it.
fn verdict(
    generation: u64,
    deadline: Option<Instant>,
    places: &Places,
    context: &Context<'_>,
) -> Result<Judged, Failure> {
    let mut tries = 1;
    loop {
        let left = left(deadline);
        let request = Request::Verdict { generation, within_ms: door::milliseconds(left) };
        let asked =
            door::connect(places, left).and_then(|mut client| door::order(&mut client, left, &request));
        match (asked, context.timeout()) {
            (Ok(Answer::Verdict { verdict, text, .. }), _) => return Ok(Judged { verdict, text }),
            (Ok(_), _) => return Err(other_question()),
            (Err(ClientError::Closed), _) if tries < TRIES => tries += 1,
            (Err(ClientError::TimedOut { .. }), Some(after)) => {
                return Err(ClientError::TimedOut { after }.into());
            }
            (Err(error), _) => return Err(error.into()),
        }
        thread::sleep(AGAIN);
    }
}

/// All that is known at the end.
struct Outcome<'a> {
    name: &'a str,
    proposal: Proposal,
    done: Done,
    verdict: Option<Judged>,
}

impl Outcome<'_> {
    fn report(&self, context: &Context<'_>) -> Result<Exit, Failure> {
        let output = context.output;
        let services = &self.done.services;
        let late = context.timeout().and_then(|timeout| settled::late(services, timeout));
        let failure = self.judged(context).or(late).or_else(|| settled::failure(services));
        match output.form() {
            Form::Json => {
                let code = failure.as_ref().map_or(Exit::Done, |failure| failure.exit);
                self.document(failure.as_ref(), output);
                return Ok(code);
            }
            Form::Text if output.loudness() > Loudness::Quiet => self.say(failure.is_none(), output),
            Form::Text => {}
        }
        failure.map_or(Ok(Exit::Done), Err)
    }

    /// What its probation makes of it.
    fn judged(&self, context: &Context<'_>) -> Option<Failure> {
        let Judged { verdict, text } = self.verdict.as_ref()?;
        match verdict {
            ProbationVerdict::Kept => None,
            ProbationVerdict::TakenBack => Some(Failure::new(Exit::Failed, text.clone()).with_help(
                "what ran before runs again; the files still say what was taken back, and `mainstay logs` why",
            )),
            ProbationVerdict::Ended => Some(Failure::new(Exit::Failed, format!("its probation {text}"))),
            ProbationVerdict::Open => {
                let after = span_text(context.timeout().unwrap_or_default());
                let text = format!("timed out: after {after}, generation {} is on probation", self.done.generation);
                let help = "that goes on: `mainstay config versions` shows what becomes of it";
                Some(Failure::new(Exit::TimedOut, text).with_help(help))
            }
        }
    }

    fn say(&self, is_well: bool, output: &Output) {
        let taken_back =
            self.verdict.as_ref().is_some_and(|judged| judged.verdict == ProbationVerdict::TakenBack);
        let touched = |service: &&Settled| {
            let is_step = self.proposal.steps.iter().any(|step| step.id == service.id);
            (is_step || service.state != SettledState::Done) && !taken_back
        };
        let touched: Vec<Settled> = self.done.services.iter().filter(touched).cloned().collect();
        if !touched.is_empty() {
            output.print(&settled::table(&touched, output.width, output.paint));
        }
        if let Some(Judged { verdict: ProbationVerdict::Kept, text }) = &self.verdict {
            output.line(&format!("generation {} is {text}", self.done.generation));
        }
        if is_well {
            let there = self.done.services.iter().filter(|service| !settled::is_removed(service));
            let counts = status::counts(there.map(|service| service.phase.as_str()), output.paint);
            let name = output.paint.apply(style::label(), self.name);
            output.line(&format!("{name} is up: {counts}"));
        }
    }

    fn document(&self, failure: Option<&Failure>, output: &Output) {
        let verdict = self
            .verdict
            .as_ref()
            .map(|judged| serde_json::json!({ "verdict": judged.verdict, "text": judged.text }));
        output.json(&serde_json::json!({
            "schema_version": SCHEMA_VERSION,
            "base": self.proposal.base,
            "steps": self.proposal.steps,
            "kept": self.proposal.kept,
            "generation": self.done.generation,
            "services": self.done.services,
            "probation": verdict,
            "error": failure.map(|failure| serde_json::json!({
                "code": failure.exit.word(), "text": failure.text, "help": failure.help,
            })),
        }));
    }
}
