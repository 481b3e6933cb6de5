//! `mainstay status`.

use std::{ops::ControlFlow, path::Path};

use clap::Args;
use jiff::{Timestamp, tz::TimeZone};
use mainstay_client::ClientError;
use mainstay_logs::{From, read};
use mainstay_model::{Dependency, Health, PhaseName, Spec};
use mainstay_wire::{ErrorCode, ReasonView, Request, SCHEMA_VERSION, ServiceView};
use serde::Serialize;

use crate::{
    door::{self, Overview},
    exit::{Exit, ServiceStatus},
    failure::Failure,
    holders::Holders,
    output::Form,
    places::Places,
    project::Project,
    verbs::Context,
    view::{self, status::Here},
};

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
    log: Vec<String>,
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
            show(&overview.services, context);
            door::note_newer_files(places, &context.surroundings, &overview.config, context.output);
            door::note_missing_anchor(overview.anchor, context.output);
            let worst = overview.services.iter().map(health).max().unwrap_or(ServiceStatus::Stopped);
            Ok(Exit::Status(worst))
        }
        Err(error) if error.is_no_daemon() && Holders::of(&places.state_dir).is_none() => {
            without_daemon(service, places, context)
        }
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
        "running" => ServiceStatus::Running,
        "stopped" | "completed" => ServiceStatus::Stopped,
        "failed" => ServiceStatus::Failed,
        // Still there, and not well any more.
        "stopping" => ServiceStatus::Running,
        _ => ServiceStatus::Starting,
    }
}

fn show(services: &[ServiceView], context: &Context<'_>) {
    let output = context.output;
    if output.form() == Form::Json {
        let full = |service| Full { schema_version: SCHEMA_VERSION, service, log: last_lines(service) };
        match services {
            [service] => output.json(&full(service)),
            services => {
                let services: Vec<_> = services.iter().map(full).collect();
                output.json(&serde_json::json!({ "schema_version": SCHEMA_VERSION, "services": services }));
            }
        }
        return;
    }
    let here = Here { now: Timestamp::now(), zone: TimeZone::system(), paint: output.paint };
    for (at, service) in services.iter().enumerate() {
        if at > 0 {
            output.line("");
        }
        output.print(&view::status::block(service, &last_lines(service), &here));
    }
}

/// The last lines that it wrote. None when they cannot be read: its state is the answer, and not its log.
fn last_lines(service: &ServiceView) -> Vec<String> {
    let mut lines = Vec::new();
    let dir = Path::new(&service.log_dir);
    if let (Some(root), Some(name)) = (dir.parent(), dir.file_name().and_then(|name| name.to_str())) {
        let from = From::Last(view::status::LOG_LINES);
        // What was read until an error is worth showing.
        let _ = read(root, &[name.to_owned()], from, &mut |line| {
            lines.push(String::from_utf8_lossy(line.text).into_owned());
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
            show(&services, context);
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
    ServiceView {
        name: spec.id.name.to_string(),
        instance: spec.id.instance.map(|number| number.to_string()),
        kind: spec.kind.as_str().to_owned(),
        phase: PhaseName::Stopped.as_str().to_owned(),
        status: Health::from(PhaseName::Stopped).as_str().to_owned(),
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
        log_dir: places.logs_dir.join(spec.id.to_string()).to_string_lossy().into_owned(),
        log_counts: mainstay_wire::LogView::default(),
    }
}
