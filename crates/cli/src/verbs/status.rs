//! `mainstay status`.

use std::{ops::ControlFlow, path::Path};

use clap::Args;
use jiff::{Timestamp, tz::TimeZone};
use mainstay_client::ClientError;
use mainstay_logs::{From, read};
use mainstay_model::{Condition, Dependency, Health, PhaseName, Spec};
use mainstay_wire::{
    Answer, DetailsView, ErrorCode, ExplanationView, NeighbourView, ReasonView, Request, SCHEMA_VERSION,
    ServiceView, errors_of,
};
use serde::Serialize;

use crate::{
    door::{self, Overview},
    exit::{Exit, ServiceStatus},
    failure::Failure,
    output::Form,
    places::Places,
    project::Project,
    verbs::{Context, explain},
    view::{
        self,
        status::{Here, LogLine, Screen},
        strip::{Glyphs, Strip},
    },
};

/// How many of its latest events a strip is made of.
const EVENTS: u32 = 200;

/// Why nothing more is known.
const NO_DAEMON: &str = "no daemon runs";

/// The project in short, or all that is known of a service
#[derive(Debug, Args)]
pub(crate) struct Status {
    /// A name, a glob (`wor*`), an instance (`api@2`) or `all`
    #[arg(value_name = "NAME")]
    service: Option<String>,
}

/// A service, and the last lines of its log.
#[derive(Serialize)]
struct Full<'a> {
    schema_version: u32,
    #[serde(flatten)]
    service: &'a ServiceView,
    /// The generation of the configuration that runs.
    generation: Option<u64>,
    explanation: Option<&'a ExplanationView>,
    log: Vec<&'a str>,
}

impl Status {
    pub(crate) fn run(&self, context: &Context<'_>) -> Result<Exit, Failure> {
        let places = context.places()?;
        match &self.service {
            None => project(&places, context),
            Some(service) => one(service, &places, context),
        }
    }
}

fn project(places: &Places, context: &Context<'_>) -> Result<Exit, Failure> {
    let Overview { services, config, anchor } = door::read(places, context.timeout(), &Request::List)
        .map_err(|error| door::explain(error, places))?;
    let output = context.output;
    match output.form() {
        Form::Json => output.json(&serde_json::json!({
            "schema_version": SCHEMA_VERSION,
            "project": config.project,
            "files": config.files,
            "services": services,
            "anchor": anchor,
        })),
        Form::Text => {
            output.print(&view::status::summary(&services, &config, output.paint));
            output.print("\n");
            output.print(&view::list::render(&services, Timestamp::now(), output.width, output.paint));
        }
    }
    door::note_newer_files(places, &context.surroundings, &config, output);
    door::note_missing_anchor(anchor, output);
    Ok(Exit::Done)
}

fn one(service: &str, places: &Places, context: &Context<'_>) -> Result<Exit, Failure> {
    let request = Request::Status { service: service.to_owned() };
    match door::read(places, context.timeout(), &request) {
        Ok(overview) => {
            let generation = Some(overview.config.generation).filter(|number| *number > 0);
            show(screens(&overview.services, generation, places, context), context);
            door::note_newer_files(places, &context.surroundings, &overview.config, context.output);
            door::note_missing_anchor(overview.anchor, context.output);
            let worst = overview.services.iter().map(health).max().unwrap_or(ServiceStatus::Stopped);
            Ok(Exit::Status(worst))
        }
        Err(error) if door::is_down(&error, places) => without_daemon(service, places, context),
        Err(ClientError::Refused(error)) if error.code == ErrorCode::NoSuchService => {
            // It may have been added to the files since.
            Err(error.into())
        }
        Err(error) => Err(door::explain(error, places)),
    }
}

/// How a service is, for the exit code.
fn health(service: &ServiceView) -> ServiceStatus {
    match service.phase.as_str() {
        "running" | "stopping" if matches!(&*service.status, "warning" | "error" | "degraded") => {
            ServiceStatus::Unhealthy
        }
        // Ready, and not asked yet whether it is well.
        "running" if service.status == "startup" => ServiceStatus::Starting,
        "running" => ServiceStatus::Running,
        "paused" => ServiceStatus::Paused,
        "stopped" | "completed" => ServiceStatus::Stopped,
        "failed" => ServiceStatus::Failed,
        // Still there, and not well any more.
        "stopping" => ServiceStatus::Running,
        _ => ServiceStatus::Starting,
    }
}

/// With what else the daemon knows of each. Without that, each is still shown.
fn screens<'a>(
    services: &'a [ServiceView],
    generation: Option<u64>,
    places: &Places,
    context: &Context<'_>,
) -> Vec<Screen<'a>> {
    let zone = TimeZone::system();
    let ask = |request: &Request| door::ask(places, context.timeout(), request).ok();
    let screen = |service| {
        let id = view::event::id(service);
        let explanation = match ask(&explain::request(&id, &zone)) {
            Some(Answer::Explain { services, .. }) => services.into_iter().next(),
            _ => None,
        };
        let (since, until, before) = (None, None, None);
        let request = Request::History { services: vec![id], since, until, limit: Some(EVENTS), before };
        // Nobody looks at a strip in JSON: `history` has what it is made of.
        let strip = match (context.output.form(), explanation.is_some()) {
            (Form::Text, true) => match ask(&request) {
                Some(Answer::History { events, .. }) => Strip::of(&events),
                _ => None,
            },
            _ => None,
        };
        Screen { service, explanation, strip, generation, log: last_lines(service) }
    };
    services.iter().map(screen).collect()
}

fn show(screens: Vec<Screen<'_>>, context: &Context<'_>) {
    let output = context.output;
    if output.form() == Form::Json {
        let all: Vec<_> = screens.iter().map(full).collect();
        match all.as_slice() {
            [one] => output.json(one),
            all => output.json(&serde_json::json!({ "schema_version": SCHEMA_VERSION, "services": all })),
        }
        return;
    }
    let variable = |name| std::env::var(name).ok();
    let here = Here {
        now: Timestamp::now(),
        zone: TimeZone::system(),
        paint: output.paint,
        glyphs: Glyphs::of_locale(["LC_ALL", "LC_CTYPE", "LANG"].map(variable)),
        columns: output.width,
    };
    for (at, screen) in screens.iter().enumerate() {
        if at > 0 {
            output.line("");
        }
        output.print(&view::status::block(screen, &here));
    }
}

fn full<'a>(screen: &'a Screen<'a>) -> Full<'a> {
    Full {
        schema_version: SCHEMA_VERSION,
        service: screen.service,
        generation: screen.generation,
        explanation: screen.explanation.as_ref(),
        log: screen.log.iter().map(|line| line.text.as_str()).collect(),
    }
}

/// The last lines that it wrote. None when they cannot be read: its state is the answer, and not its log.
fn last_lines(service: &ServiceView) -> Vec<LogLine> {
    let mut lines = Vec::new();
    let dir = Path::new(&service.log_dir);
    if let (Some(root), Some(name)) = (dir.parent(), dir.file_name().and_then(|name| name.to_str())) {
        let from = From::Last(view::status::LOG_LINES);
        // What was read until an error is worth showing.
        let _ = read(root, &[name.to_owned()], from, &mut |line| {
            let time = line.time.and_then(|time| Timestamp::try_from(time).ok());
            lines.push(LogLine { time, text: String::from_utf8_lossy(line.text).into_owned() });
            ControlFlow::Continue(())
        });
    }
    lines
}

/// Nothing runs; whether there is such a service, the files know.
fn without_daemon(service: &str, places: &Places, context: &Context<'_>) -> Result<Exit, Failure> {
    let project = context.project(places)?;
    let ids = project.chosen(&[service.to_owned()])?;
    let output = context.output;
    match output.form() {
        Form::Json => {
            let specs = project.specs.iter().filter(|spec| ids.contains(&spec.id));
            let services: Vec<_> = specs.map(|spec| idle(spec, &project, places)).collect();
            let screen = |service| {
                let log = last_lines(service);
                Screen { service, explanation: None, strip: None, generation: None, log }
            };
            show(services.iter().map(screen).collect(), context);
        }
        Form::Text => {
            for id in &ids {
                let phase = output.paint.apply(view::style::phase("stopped"), "stopped");
                output.line(&format!("{id} {phase}: {NO_DAEMON}"));
            }
            output.note("help: `mainstay up` starts it");
        }
    }
    Ok(Exit::Status(ServiceStatus::Stopped))
}

/// A service of which only its description is known.
fn idle(spec: &Spec, project: &Project, places: &Places) -> ServiceView {
    let depends_on = |on: &Dependency| format!("{} ({})", on.on, on.until.as_str());
    let needs = |other: &&Spec| other.depends_on.iter().any(|dependency| dependency.on == spec.id.name);
    let log_dir = places.logs_dir.join(spec.id.to_string()).to_string_lossy().into_owned();
    ServiceView {
        name: spec.id.name.to_string(),
        instance: spec.id.instance.map(|number| number.to_string()),
        kind: spec.kind.as_str().to_owned(),
        phase: PhaseName::Stopped.as_str().to_owned(),
        status: Health::from(PhaseName::Stopped).as_str().to_owned(),
        said: None,
        health: None,
        wanted: false,
        ready: false,
        pid: None,
        run: 0,
        restarts: 0,
        since: None,
        exit: None,
        reason: ReasonView { code: "no-daemon".to_owned(), text: NO_DAEMON.to_owned() },
        next: None,
        memory_bytes: None,
        cpu_percent: None,
        depends_on: spec.depends_on.iter().map(depends_on).collect(),
        needed_by: project.specs.iter().filter(needs).map(|other| other.id.to_string()).collect(),
        command: spec.command.words().map(str::to_owned).collect(),
        err_log_dir: spec.log.split.then(|| errors_of(&log_dir)),
        log_dir,
        log_counts: mainstay_wire::LogView::default(),
        monitor: None,
        watch_trouble: None,
        details: Some(Box::new(described(spec, project))),
    }
}

/// What `status` says beyond `list`, as far as the files know.
fn described(spec: &Spec, project: &Project) -> DetailsView {
    let neighbour = |id: String, until: Condition| NeighbourView {
        id,
        until: until.as_str().to_owned(),
        met: false,
        phase: PhaseName::Stopped.as_str().to_owned(),
    };
    let needs = spec.depends_on.iter().flat_map(|dependency| {
        let ids = project.specs.iter().filter(|other| other.id.name == dependency.on);
        ids.map(|other| neighbour(other.id.to_string(), dependency.until))
    });
    let needed_by = project.specs.iter().filter_map(|other| {
        let dependency = other.depends_on.iter().find(|dependency| dependency.on == spec.id.name)?;
        Some(neighbour(other.id.to_string(), dependency.until))
    });
    DetailsView {
        user: spec.user.clone(),
        calls: None,
        working_dir: spec.working_dir.display().to_string(),
        ready_check: spec.ready.as_ref().map(|policy| policy.check.to_string()),
        watchdog_ms: spec.watchdog.map(|span| u64::try_from(span.as_millis()).unwrap_or(u64::MAX)),
        restart: spec.restart.when.as_str().to_owned(),
        attempt: 0,
        needs: needs.collect(),
        needed_by: needed_by.collect(),
    }
}
