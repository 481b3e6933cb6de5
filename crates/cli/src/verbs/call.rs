//! `mainstay call`: calling a running service, through the socket that it has made for that.

use std::{
    collections::BTreeMap,
    env,
    path::{Path, PathBuf},
};

use clap::Args;
use mainstay_client::{CallClient, CallFailure, ClientError};
use mainstay_host::by_hand_calls_dir;
use mainstay_wire::{
    CallErrorCode, ErrorCode, MethodView, MethodsView, Request, SCHEMA_VERSION, ServiceView,
};
use serde_json::{Value, json};

use crate::{
    door,
    exit::Exit,
    failure::Failure,
    output::{Form, Output},
    places::Places,
    verbs::Context,
    view::event,
};

/// Calls a method of a running service that was made with the library; without a method, lists those that it has
#[derive(Debug, Args)]
#[command(after_help = HELP)]
pub(crate) struct Call {
    /// Which service: `api`, or an instance of it, `api@2`
    #[arg(value_name = "NAME")]
    service: String,

    /// Which method
    #[arg(value_name = "METHOD")]
    method: Option<String>,

    /// Its arguments by name, as a JSON object: `{"name": "Ada"}`
    #[arg(value_name = "JSON", value_parser = arguments)]
    arguments: Option<BTreeMap<String, Value>>,

    /// Follow what the service tells of, until it ends
    #[arg(long, conflicts_with = "method")]
    events: bool,
}

const HELP: &str = "\
Every service has `status`, `health`, `stats`, `config.get`, `config.set`, `reload`, `restart`, `stop` and `trigger`. A service of \
the project is called, else one of that name that this user runs by hand.

Ends with 1 when the call failed, 4 when it is not permitted, 5 when there is no such service, and 7 when it does not run.

Examples:
  mainstay call greeter
  mainstay call greeter greet '{\"name\": \"Ada\", \"times\": 2}'
  mainstay call greeter config.set '{\"interval\": \"1h\"}'
  mainstay call greeter --events";

fn arguments(text: &str) -> Result<BTreeMap<String, Value>, String> {
    serde_json::from_str(text).map_err(|error| format!("expected a JSON object: {error}"))
}

impl Call {
    pub(crate) fn run(&self, context: &Context<'_>) -> Result<Exit, Failure> {
        let socket = self.socket(context)?;
        let client = CallClient::connect_within(&socket, context.timeout());
        let mut client = client.map_err(|error| self.failure(error))?;
        let output = context.output;
        match &self.method {
            None if self.events => return self.follow(client, output),
            None => {
                let listed = client.call("methods", BTreeMap::new()).map_err(|error| self.failure(error))?;
                self.list(listed, output)?;
            }
            Some(method) => {
                let arguments = self.arguments.clone().unwrap_or_default();
                let result = client.call(method, arguments).map_err(|error| self.failure(error))?;
                self.show(method, &result, output);
            }
        }
        Ok(Exit::Done)
    }

    /// Where it can be called: the daemon knows, else it may run by hand.
    fn socket(&self, context: &Context<'_>) -> Result<PathBuf, Failure> {
        let by_hand = || by_hand(&self.service, context);
        let places = match context.places() {
            Ok(places) => places,
            Err(failure) => return by_hand().ok_or_else(|| self.nowhere(&failure)),
        };
        let request = Request::Status { service: self.service.clone() };
        match door::read(&places, context.timeout(), &request) {
            Ok(overview) => self.of_project(&overview.services).or_else(|failure| match failure.exit {
                Exit::NotRunning => by_hand().ok_or(failure),
                _ => Err(failure),
            }),
            Err(ClientError::Refused(error)) if error.code == ErrorCode::NoSuchService => {
                by_hand().ok_or_else(|| error.into())
            }
            Err(error) if door::is_down(&error, &places) => {
                by_hand().map_or_else(|| Err(self.down(&places, context)), Ok)
            }
            Err(error) => Err(door::explain(error, &places)),
        }
    }

    fn of_project(&self, services: &[ServiceView]) -> Result<PathBuf, Failure> {
        let [service] = services else {
            let ids = services.iter().map(event::id).collect::<Vec<_>>().join(", ");
            let text = format!("`{}` is more than one service", self.service);
            return Err(Failure::new(Exit::Usage, text).with_help(format!("name one of {ids}")));
        };
        if service.pid.is_none() {
            let text = format!("{} does not run: it is {}", event::id(service), service.phase);
            return Err(Failure::new(Exit::NotRunning, text));
        }
        let calls = service.details.as_ref().and_then(|details| details.calls.as_ref());
        calls.map(PathBuf::from).ok_or_else(|| {
            let text = format!("{} cannot be called: it has made no socket for that", event::id(service));
            Failure::new(Exit::Failed, text)
                .with_help("a program that is made with the library does so as it starts")
        })
    }

    /// There is no project here, and nothing of this name by hand.
    fn nowhere(&self, failure: &Failure) -> Failure {
        let text = format!("there is no service `{}`: {}", self.service, failure.text);
        Failure::new(Exit::NoSuchService, text)
            .with_help("nor does this user run one of that name by hand; `-f FILE` names a project")
    }

    /// Nothing runs; whether there is such a service, the files know.
    fn down(&self, places: &Places, context: &Context<'_>) -> Failure {
        let known =
            context.project(places).and_then(|project| project.chosen(std::slice::from_ref(&self.service)));
        match known {
            Ok(_) => Failure::new(Exit::NotRunning, format!("{} does not run: no daemon does", self.service))
                .with_help("`mainstay up` starts it"),
            Err(failure) => failure,
        }
    }

    fn failure(&self, error: CallFailure) -> Failure {
        let exit = match &error {
            CallFailure::NobodyThere { .. } => Exit::NotRunning,
            CallFailure::NotPermitted { .. } | CallFailure::Foreign { .. } => Exit::NotPermitted,
            CallFailure::TimedOut { .. } => Exit::TimedOut,
            CallFailure::Refused(refused) => match refused.code {
                CallErrorCode::NotPermitted => Exit::NotPermitted,
                CallErrorCode::NotRunning => Exit::NotRunning,
                CallErrorCode::BadRequest
                | CallErrorCode::UnknownMethod
                | CallErrorCode::BadArguments
                | CallErrorCode::Busy
                | CallErrorCode::TooSlow
                | CallErrorCode::Failed => Exit::Failed,
            },
            CallFailure::Broken { .. }
            | CallFailure::TooLong { .. }
            | CallFailure::Protocol(_)
            | CallFailure::Closed => Exit::Failed,
        };
        let failure = Failure::of(exit, &error);
        match &error {
            CallFailure::Refused(refused)
                if matches!(refused.code, CallErrorCode::UnknownMethod | CallErrorCode::BadArguments) =>
            {
                failure.with_help(format!("`mainstay call {}` lists its methods", self.service))
            }
            _ => failure,
        }
    }

    fn show(&self, method: &str, result: &Value, output: &Output) {
        match (output.form(), result) {
            (Form::Json, _) => output.json(&json!({
                "schema_version": SCHEMA_VERSION,
                "service": self.service,
                "method": method,
                "result": result,
            })),
            (Form::Text, Value::Null) => {}
            (Form::Text, Value::String(text)) => output.line(text),
            (Form::Text, result) => output.line(&format!("{result:#}")),
        }
    }

    fn list(&self, listed: Value, output: &Output) -> Result<(), Failure> {
        let view: MethodsView = serde_json::from_value(listed)
            .map_err(|error| self.failure(CallFailure::Protocol(error.to_string())))?;
        match output.form() {
            Form::Json => output.json(&json!({
                "schema_version": SCHEMA_VERSION,
                "service": self.service,
                "methods": view.methods,
            })),
            Form::Text => {
                let heads: Vec<String> = view.methods.iter().map(head).collect();
                let width = heads.iter().map(String::len).max().unwrap_or_default();
                for (head, method) in heads.iter().zip(&view.methods) {
                    let help = method.help.lines().next().unwrap_or_default();
                    output.line(format!("{head:width$}  {help}").trim_end());
                }
            }
        }
        Ok(())
    }

    fn follow(&self, client: CallClient, output: &Output) -> Result<Exit, Failure> {
        for event in client.subscribe().map_err(|error| self.failure(error))? {
            let event = event.map_err(|error| self.failure(error))?;
            match output.form() {
                Form::Json => output.json(&event),
                Form::Text => output.line(&format!("{} {}", event.event, event.data)),
            }
            output.flush();
            if output.is_closed() {
                break;
            }
        }
        Ok(Exit::Done)
    }
}

/// `greet(name: string, times?: integer)`.
fn head(method: &MethodView) -> String {
    let argument = |argument: &mainstay_wire::ArgumentView| {
        let mark = if argument.required { "" } else { "?" };
        format!("{}{mark}: {}", argument.name, argument.r#type)
    };
    let arguments: Vec<String> = method.arguments.iter().map(argument).collect();
    format!("{}({})", method.name, arguments.join(", "))
}

/// The socket of one that this user runs by hand, of this terminal's or of one without a runtime folder.
fn by_hand(service: &str, context: &Context<'_>) -> Option<PathBuf> {
    let name = if service.contains('@') { service.to_owned() } else { format!("{service}@1") };
    if name.contains('/') {
        return None;
    }
    let (runtime, temporary) = (context.surroundings.runtime_dir.as_deref(), env::temp_dir());
    let dirs = [by_hand_calls_dir(runtime, &temporary), by_hand_calls_dir(None, &temporary)];
    dirs.map(|dir| dir.join(&name)).into_iter().find(|path| is_alive(path))
}

/// Whether somebody listens there, or may: one that is left by a dead process is no service.
fn is_alive(path: &Path) -> bool {
    !matches!(CallClient::connect_within(path, None), Err(CallFailure::NobodyThere { .. }))
}
