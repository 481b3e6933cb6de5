//! `mainstay status`.

use std::{ops::ControlFlow, path::Path};

use clap::Args;
use jiff::{Timestamp, tz::TimeZone};
use mainstay_client::ClientError;
use mainstay_logs::{From, read};
use mainstay_wire::{ErrorCode, Request, SCHEMA_VERSION, ServiceView};
use serde::Serialize;

use crate::{
    door::{self, Overview},
    exit::{Exit, ServiceStatus},
    failure::Failure,
    output::Form,
    places::Places,
    verbs::Context,
    view::{self, status::Here},
};

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
    let Overview { services, config } = door::read(places, context.timeout(), &Request::List)?;
    let output = context.output;
    match output.form() {
        Form::Json => output.json(&serde_json::json!({
            "schema_version": SCHEMA_VERSION,
            "project": config.project,
            "files": config.files,
            "services": services,
        })),
        Form::Text => {
            output.print(&view::status::summary(&services, &config, output.paint));
            output.print("\n");
            output.print(&view::list::render(&services, Timestamp::now(), output.width, output.paint));
        }
    }
    door::note_newer_files(places, &context.surroundings, &config, output);
    Ok(Exit::Done)
}

fn one(service: &str, places: &Places, context: &Context<'_>) -> Result<Exit, Failure> {
    let request = Request::Status { service: service.to_owned() };
    match door::read(places, context.timeout(), &request) {
        Ok(overview) => {
            show(&overview.services, context);
            door::note_newer_files(places, &context.surroundings, &overview.config, context.output);
            let worst = overview.services.iter().map(health).max().unwrap_or(ServiceStatus::Stopped);
            Ok(Exit::Status(worst))
        }
        Err(error) if error.is_no_daemon() => without_daemon(service, places, context),
        Err(ClientError::Refused(error)) if error.code == ErrorCode::NoSuchService => {
            // It may have been added to the files since.
            Err(error.into())
        }
        Err(error) => Err(error.into()),
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
    let text = "no daemon runs";
    match output.form() {
        Form::Json => {
            let object = |id: &mainstay_model::ServiceId| {
                serde_json::json!({
                    "schema_version": SCHEMA_VERSION,
                    "name": id.name.to_string(),
                    "instance": id.instance.map(|number| number.to_string()),
                    "phase": "stopped",
                    "status": "unknown",
                    "ready": false,
                    "pid": null,
                    "reason": { "code": "no-daemon", "text": text },
                })
            };
            match ids.as_slice() {
                [id] => output.json(&object(id)),
                ids => {
                    let services: Vec<_> = ids.iter().map(object).collect();
                    output
                        .json(&serde_json::json!({ "schema_version": SCHEMA_VERSION, "services": services }));
                }
            }
        }
        Form::Text => {
            for id in &ids {
                let phase = output.paint.apply(view::style::phase("stopped"), "stopped");
                output.line(&format!("{id} {phase}: {text}"));
            }
            output.note("help: `mainstay up` starts it");
        }
    }
    Ok(Exit::Status(ServiceStatus::Stopped))
}
