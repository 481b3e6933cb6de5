//! `mainstay explain`.

use std::time::Duration;

use clap::Args;
use jiff::{Timestamp, tz::TimeZone};
use mainstay_daemon::read_history;
use mainstay_decide::{Asker, PastAct, PastChange, last_seen, select};
use mainstay_model::{Exit as RunExit, PhaseName, RunId, ServiceId};
use mainstay_wire::{
    Answer, ErrorCode, ExplanationView, HistoryView, LinkView, Request, SCHEMA_VERSION, TryView, WireError,
};

use crate::{
    door,
    exit::Exit,
    failure::Failure,
    output::Form,
    places::Places,
    project,
    verbs::{Context, history::other_question},
    view::{self, explain::Reader},
};

/// How many of the latest events of the project are looked at when no daemon runs.
const EVENTS: u32 = 500;

/// Why a service is as it is: one sentence, the chain of causes behind it, what comes next, and what can be done
#[derive(Debug, Args)]
pub(crate) struct Explain {
    /// A name, a glob (`wor*`), an instance (`api@2`) or `all`
    #[arg(value_name = "NAME")]
    service: String,
}

impl Explain {
    pub(crate) fn run(&self, context: &Context<'_>) -> Result<Exit, Failure> {
        let places = context.places()?;
        let zone = TimeZone::system();
        match door::ask(&places, context.timeout(), &request(&self.service, &zone)) {
            Ok(Answer::Explain { services, .. }) => {
                show(&services, context);
                note_newer_files(&self.service, &places, context);
                Ok(Exit::Done)
            }
            Ok(_) => Err(other_question()),
            Err(error) if door::is_down(&error, &places) => {
                show(&self.without_daemon(&places, context)?, context);
                context.output.note("note: no daemon runs; this is what was last known");
                Ok(Exit::NoDaemon)
            }
            Err(error) => Err(door::explain(error, &places)),
        }
    }

    /// Nobody looks after anything; what was last seen, the history knows.
    fn without_daemon(
        &self,
        places: &Places,
        context: &Context<'_>,
    ) -> Result<Vec<ExplanationView>, Failure> {
        let file = places.file.as_ref();
        let described = file.and_then(|file| project::load(file, &context.surroundings).ok());
        let described = described.map(|project| project.ids()).unwrap_or_default();
        let events = |services: Vec<String>| {
            let request =
                Request::History { services, since: None, until: None, limit: Some(EVENTS), before: None };
            match read_history(&places.state_dir, &request, &described)? {
                Some(Answer::History { events, .. }) => Ok(events),
                Some(_) | None => Ok::<_, WireError>(Vec::new()),
            }
        };
        let own = match events(vec![self.service.clone()]) {
            Ok(own) => own,
            Err(error) if error.code == ErrorCode::NoSuchService => {
                context.project(places)?;
                return Err(error.into());
            }
            Err(error) => {
                context.output.note(&format!("note: {}", error.text));
                Vec::new()
            }
        };
        let all = events(Vec::new()).unwrap_or_default();
        let mut ids: Vec<ServiceId> = select(&self.service, &described);
        for id in own.iter().filter_map(|event| event.service.as_ref()?.parse().ok()) {
            if !ids.contains(&id) {
                ids.push(id);
            }
        }
        if ids.is_empty() {
            // It may be in files that have problems: then those are what is wrong.
            context.project(places)?;
            let text = format!("there is no service `{}`", self.service);
            return Err(Failure::new(Exit::NoSuchService, text));
        }
        let acts: Vec<PastAct> = all.iter().filter_map(act).collect();
        Ok(ids.iter().map(|id| seen(id, &own, &acts)).collect())
    }
}

/// What is asked, for somebody who lives here.
pub(super) fn request(service: &str, zone: &TimeZone) -> Request {
    let offset = || zone.to_offset(Timestamp::now()).to_string();
    let zone = zone.iana_name().map_or_else(offset, str::to_owned);
    Request::Explain { service: service.to_owned(), zone: Some(zone) }
}

fn show(services: &[ExplanationView], context: &Context<'_>) {
    let output = context.output;
    match (output.form(), services) {
        (Form::Json, [service]) => {
            let mut value = serde_json::json!(service);
            value["schema_version"] = SCHEMA_VERSION.into();
            output.json(&value);
        }
        (Form::Json, services) => {
            output.json(&serde_json::json!({ "schema_version": SCHEMA_VERSION, "services": services }));
        }
        (Form::Text, services) => {
            let reader = Reader {
                now: Timestamp::now(),
                zone: TimeZone::system(),
                columns: output.width,
                paint: output.paint,
            };
            output.print(&view::explain::render(services, &reader));
        }
    }
}

/// What is on disk may explain why a change has not come about.
fn note_newer_files(service: &str, places: &Places, context: &Context<'_>) {
    let request = Request::Status { service: service.to_owned() };
    if let Ok(overview) = door::read(places, context.timeout(), &request) {
        door::note_newer_files(places, &context.surroundings, &overview.config, context.output);
        door::note_missing_anchor(overview.anchor, context.output);
    }
}

/// How one was last seen.
fn seen(id: &ServiceId, events: &[HistoryView], acts: &[PastAct]) -> ExplanationView {
    let name = id.to_string();
    let own = events.iter().filter(|event| event.service.as_deref() == Some(&name));
    let changes: Vec<PastChange> = own.filter_map(change).collect();
    let (now, zone) = (Timestamp::now(), TimeZone::system());
    let time = |at: Duration| {
        let nanos = i128::try_from(at.as_nanos()).unwrap_or(i128::MAX);
        Timestamp::from_nanosecond(nanos).unwrap_or(Timestamp::UNIX_EPOCH)
    };
    let told = last_seen(id, &changes, acts, &|at| view::span::clock_of(time(at), now, &zone));
    let link = |link: mainstay_decide::Link| LinkView {
        service: link.service.map(|id| id.to_string()),
        phase: link.phase.map(|phase| phase.as_str().to_owned()),
        code: link.code,
        text: link.text,
        time: link.at.map(|at| format!("{:.3}", time(at))),
    };
    let one = |one: mainstay_decide::Try| TryView { command: one.command, what: one.what };
    ExplanationView {
        service: name,
        sentence: told.sentence,
        chain: told.chain.into_iter().map(link).collect(),
        next: told.next,
        tries: told.tries.into_iter().map(one).collect(),
    }
}

fn change(event: &HistoryView) -> Option<PastChange> {
    let exit = event.exit.as_ref().map(|exit| match (exit.code, &exit.signal) {
        (Some(code), _) => RunExit::Code(code),
        (None, Some(signal)) => signal.parse().map_or(RunExit::Unknown, RunExit::Signal),
        (None, None) => RunExit::Unknown,
    });
    Some(PastChange {
        at: at(&event.time)?,
        to: PhaseName::from_word(event.to.as_deref()?)?,
        run: RunId(event.run.unwrap_or(0)),
        wanted: event.wanted.unwrap_or(false),
        failed: event.failed,
        exit,
        code: event.reason.code.clone(),
        text: event.reason.text.clone(),
    })
}

fn act(event: &HistoryView) -> Option<PastAct> {
    let text = match event.reason.code.as_str() {
        "act" => event.reason.text.clone(),
        "down-requested" => "down".to_owned(),
        _ => return None,
    };
    let name = |uid: u32| mainstay_host::lookup_user(&uid.to_string()).ok().map(|user| user.name);
    let by = event.uid.map(|uid| Asker { uid, name: name(uid), pid: event.pid });
    Some(PastAct { at: at(&event.time)?, text, by })
}

/// From the Unix epoch.
fn at(time: &str) -> Option<Duration> {
    let time: Timestamp = time.parse().ok()?;
    u64::try_from(time.as_nanosecond()).ok().map(Duration::from_nanos)
}
