//! What is seen of `up` in the foreground: lines of logs, and changes of services among them.

use std::{collections::BTreeMap, sync::Arc, time::Instant};

use mainstay_wire::{EventView, ServiceView, Settled};

use super::session::{Screen, Stage, lost};
use crate::{
    exit::Exit,
    failure::Failure,
    output::{Form, Loudness, Output},
    verbs::Context,
    view::{
        event,
        prefix::{self, Prefixes},
        settled,
    },
};

/// What Mainstay itself says comes under this name.
const OWN: &str = "mainstay";

/// A terminal that follows.
pub(super) struct Follow {
    output: Arc<Output>,
    prefixes: Prefixes,
}

impl Follow {
    /// One that is aligned for these names.
    pub(super) fn new(names: &[String], context: &Context<'_>) -> Self {
        let names = names.iter().map(String::as_str).chain([OWN]);
        let output = Arc::clone(context.output);
        let prefixes = Prefixes::new(names, output.width, output.paint);
        Self { output, prefixes }
    }
}

impl Screen for Follow {
    fn say(&mut self, text: &str) {
        match self.output.form() {
            Form::Json => self.output.note(text),
            Form::Text if self.output.loudness() > Loudness::Quiet => {
                self.output.write(&[self.prefixes.of(OWN), text.as_bytes(), b"\n"]);
            }
            Form::Text => {}
        }
    }

    fn standing(&mut self, service: &ServiceView, before: Option<&ServiceView>) {
        if before.is_some_and(|before| before.phase == service.phase) {
            return;
        }
        if let Some(pid) = service.pid {
            self.say(&format!("{} {} (pid {pid})", event::id(service), service.phase));
        }
    }

    fn event(&mut self, event: &EventView) {
        if self.output.form() == Form::Json {
            self.output.json(&serde_json::json!({ "type": "event", "event": event }));
        } else if let Some(line) = event::line(event) {
            self.say(&line);
        }
    }

    fn line(&mut self, service: &str, text: &[u8]) {
        match self.output.form() {
            Form::Json => {
                let text = String::from_utf8_lossy(text);
                self.output.json(&serde_json::json!({ "type": "log", "service": service, "text": text }));
            }
            Form::Text => {
                let end = prefix::end(text, self.output.paint);
                self.output.write(&[self.prefixes.of(service), text, end]);
            }
        }
    }

    /// The others are told by their changes; of one that did not run and is no longer described there is none.
    fn begun(&mut self, services: Vec<Settled>, known: &BTreeMap<String, ServiceView>) {
        for service in services.iter().filter(|service| settled::is_removed(service)) {
            let was_idle =
                |known: &ServiceView| known.pid.is_none() && known.reason.code != service.reason.code;
            if known.get(&service.id).is_some_and(was_idle) {
                self.say(&settled::line(service));
            }
        }
    }

    fn stopping(&mut self) {}

    fn end(&mut self, stage: &Stage) -> Result<Option<Exit>, Failure> {
        // Who leaves before it has begun leaves a project that begins.
        if !stage.begun {
            return Ok(None);
        }
        if stage.hung_up || self.output.is_closed() {
            return Ok(Some(Exit::Done));
        }
        if !stage.silent {
            return Ok(None);
        }
        if stage.is_any_alive() {
            return Err(lost());
        }
        self.say("everything was stopped from elsewhere");
        Ok(Some(Exit::Done))
    }

    fn deadline(&self) -> Option<Instant> {
        None
    }

    fn interrupted(&mut self, text: &str) -> Result<Exit, Failure> {
        self.say(text);
        Ok(Exit::Interrupted)
    }
}
