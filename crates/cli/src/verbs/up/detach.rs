//! What is seen of `up -d`: a line for each service that is there, has failed or is tried again, and how it came out.

use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, Instant},
};

use mainstay_wire::{EventView, ServiceView, Settled, SettledState};

use super::session::{Screen, Stage};
use crate::{
    exit::Exit,
    failure::Failure,
    output::{Form, Loudness, Output},
    verbs::{Context, act},
    view::{event, settled, status, style},
};

/// How long the last changes may take that the answer has overtaken; without them there is less to read, and no less known.
const CATCHING_UP: Duration = Duration::from_secs(1);

/// A terminal that waits.
pub(super) struct Progress {
    output: Arc<Output>,
    project: String,
    timeout: Option<Duration>,
    /// Those that were up before anything was applied, and in which run.
    before: BTreeMap<String, u64>,
    /// Of which service what was told last: its run and its phase.
    told: BTreeMap<String, (u64, String)>,
    /// How each service came out, and until when it is waited for what led there.
    outcome: Option<(Vec<Settled>, Instant)>,
    stopping: bool,
}

impl Progress {
    /// One of this project.
    pub(super) fn new(project: &str, context: &Context<'_>) -> Self {
        Self {
            output: Arc::clone(context.output),
            project: project.to_owned(),
            timeout: context.timeout(),
            before: BTreeMap::new(),
            told: BTreeMap::new(),
            outcome: None,
            stopping: false,
        }
    }

    fn close(&self, services: &[Settled]) -> Result<Exit, Failure> {
        let late = self.timeout.and_then(|timeout| settled::late(services, timeout));
        if self.output.form() == Form::Json {
            let failure = late.or_else(|| settled::failure(services));
            return Ok(act::document(services, failure.as_ref(), &self.output));
        }
        if self.output.loudness() == Loudness::Quiet {
            let failure = settled::failure(services).map(|failure| match settled::reasons(services) {
                // A single one is in the sentence itself.
                lines if lines.len() > 1 => failure.with_lines(lines),
                _ => failure,
            });
            return late.or(failure).map_or(Ok(Exit::Done), Err);
        }
        // What is still pending is part of the failure, and what was told need not be told again.
        let untold = |service: &&Settled| service.state != SettledState::Pending && !self.is_told(service);
        for service in services.iter().filter(untold) {
            self.say_line(&self.standing_line(service));
        }
        if let Some(failure) = late.or_else(|| settled::failure_by_name(services)) {
            return Err(failure);
        }
        self.say_line(&self.summary(services));
        Ok(Exit::Done)
    }

    fn is_told(&self, service: &Settled) -> bool {
        self.told.get(&service.id).is_some_and(|(run, phase)| {
            *phase == service.phase && (*run == service.run || settled::is_removed(service))
        })
    }

    fn standing_line(&self, service: &Settled) -> String {
        let was_before = self.before.get(&service.id) == Some(&service.run);
        match (service.phase.as_str(), service.pid) {
            ("running", Some(pid)) if was_before => format!("{} already running (pid {pid})", service.id),
            ("completed", _) if was_before => format!("{} already completed", service.id),
            _ => settled::line(service),
        }
    }

    /// `shop is up: 2 running, 1 completed`.
    fn summary(&self, services: &[Settled]) -> String {
        let phases = services.iter().filter(|service| !settled::is_removed(service));
        let counts = status::counts(phases.map(|service| service.phase.as_str()), self.output.paint);
        format!("{} is up: {counts}", self.output.paint.apply(style::label(), &self.project))
    }

    fn say_line(&self, text: &str) {
        if self.output.form() == Form::Text && self.output.loudness() > Loudness::Quiet {
            self.output.line(text);
        }
    }
}

impl Screen for Progress {
    fn say(&mut self, text: &str) {
        match self.output.form() {
            Form::Json => self.output.note(text),
            Form::Text => self.say_line(text),
        }
    }

    fn standing(&mut self, service: &ServiceView, before: Option<&ServiceView>) {
        if before.is_none() && service.ready {
            self.before.insert(event::id(service), service.run);
        }
    }

    fn event(&mut self, event: &EventView) {
        let is_end = matches!(&*event.service.phase, "stopping" | "stopped");
        let is_told = event::is_news(event) || (self.stopping && is_end);
        if let Some(line) = event::line(event).filter(|_| is_told) {
            let service = &event.service;
            self.told.insert(event::id(service), (service.run, service.phase.clone()));
            self.say_line(&line);
        }
    }

    fn line(&mut self, _: &str, _: &[u8]) {}

    fn begun(&mut self, services: Vec<Settled>, _: &BTreeMap<String, ServiceView>) {
        self.outcome = Some((services, Instant::now() + CATCHING_UP));
    }

    fn stopping(&mut self) {
        self.stopping = true;
    }

    fn end(&mut self, stage: &Stage) -> Result<Option<Exit>, Failure> {
        let Some((services, until)) = &self.outcome else { return Ok(None) };
        let is_caught_up = |service: &Settled| match stage.known.get(&service.id) {
            Some(known) if settled::is_removed(service) => known.pid.is_none(),
            Some(known) => settled::is_overtaken(service, known) || settled::is_same(service, known),
            None => settled::is_removed(service),
        };
        if !stage.silent && *until > Instant::now() && !services.iter().all(is_caught_up) {
            return Ok(None);
        }
        // What has changed since the answer was given is said already: the last word agrees with it.
        let latest = |service: &Settled| match stage.known.get(&service.id) {
            Some(known) if settled::is_overtaken(service, known) => settled::overtaken(service, known),
            Some(_) | None => service.clone(),
        };
        let services: Vec<Settled> = services.iter().map(latest).collect();
        self.close(&services).map(Some)
    }

    fn deadline(&self) -> Option<Instant> {
        self.outcome.as_ref().map(|(_, until)| *until)
    }

    fn interrupted(&mut self, text: &str) -> Result<Exit, Failure> {
        if self.output.form() == Form::Json {
            return Err(Failure::new(Exit::Interrupted, text));
        }
        self.say(text);
        Ok(Exit::Interrupted)
    }
}
