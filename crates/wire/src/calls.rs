//! The socket of a running service: one JSON object a line, each way. Any language speaks it, `socat` too.
//!
//! A request is `{"id":1,"method":"greet","args":{"name":"Ada"}}`; its answer is one line with the same `id`,
//! `{"id":1,"ok":…}` or `{"id":1,"error":{"code":"unknown-method","text":"…"}}`. Several requests may be under way on one
//! connection: answers come as they are ready. After `{"method":"subscribe"}` events come between them,
//! `{"event":"greeted","data":…}`.
//!
//! Every service has the methods `methods`, `status`, `health`, `stats`, `config.get`, `config.set`, `reload`, `restart`,
//! `stop`, `trigger` and `subscribe`. The socket is at `$MAINSTAY_CALLS` under Mainstay; of a service that runs by hand it is
//! `mainstay/calls/NAME@INSTANCE` below `$XDG_RUNTIME_DIR`.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::MonitorView;

/// The version of the shapes in this file; `methods` and `status` tell it.
pub const CALLS_VERSION: u32 = 1;

/// The longest line, in bytes, either way.
pub const CALL_LINE_LIMIT: usize = 1024 * 1024;

/// What a client asks: one line.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct CallRequest {
    /// Comes back with the answer: a number or a text.
    #[serde(default)]
    pub id: Value,
    /// Which method.
    pub method: String,
    /// Its arguments by name.
    #[serde(default)]
    pub args: BTreeMap<String, Value>,
}

/// The answer to a request that was done.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CallAnswer {
    /// The request's.
    pub id: Value,
    /// What the method returned; `null` when that is nothing.
    pub ok: Value,
}

/// The answer to a request that was not done; or, with `id` being `null`, why the connection is closed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CallRefusal {
    /// The request's; `null` when it had none that could be read.
    #[serde(default)]
    pub id: Value,
    /// Why.
    pub error: CallError,
}

/// Something that happened, for who has subscribed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CallEvent {
    /// What it is called; `status` when the service's status has changed.
    pub event: String,
    /// What belongs to it; of `status` the `status` and the `text` of the method of that name.
    pub data: Value,
}

/// One line that a service says.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum CallLine {
    /// It was done.
    Answer(CallAnswer),
    /// It was not done.
    Refusal(CallRefusal),
    /// Something happened.
    Event(CallEvent),
}

/// Why a call was not done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{text}")]
pub struct CallError {
    /// Stable.
    pub code: CallErrorCode,
    /// One sentence.
    pub text: String,
}

impl CallError {
    /// An error of this kind.
    pub fn new(code: CallErrorCode, text: impl Into<String>) -> Self {
        Self { code, text: text.into() }
    }
}

/// Kinds of errors.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CallErrorCode {
    /// The line is no request, or too long to be one.
    BadRequest,
    /// There is no such method.
    UnknownMethod,
    /// An argument is missing, unknown or of another type.
    BadArguments,
    /// The caller may not do that.
    NotPermitted,
    /// The service is starting or ending.
    NotRunning,
    /// Not now: too many are connected.
    Busy,
    /// More happened than was read: the subscription is over.
    TooSlow,
    /// It was begun, and failed.
    Failed,
}

/// A method, as `methods` lists it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MethodView {
    /// Its name.
    pub name: String,
    /// What it does.
    pub help: String,
    /// What it takes.
    pub arguments: Vec<ArgumentView>,
    /// Whether it may change something: then only who owns the service may call it.
    pub changes: bool,
}

/// An argument of a method.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ArgumentView {
    /// Its name.
    pub name: String,
    /// `string`, `integer`, `number`, `boolean`, `array`, `object` or `any`.
    pub r#type: String,
    /// Whether it must be there.
    pub required: bool,
}

/// The answer to `methods`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MethodsView {
    /// Of these shapes.
    pub version: u32,
    /// Those of the service, then those that every service has.
    pub methods: Vec<MethodView>,
}

/// The answer to `status`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CallStatus {
    /// Of these shapes.
    pub version: u32,
    /// The service's name.
    pub name: String,
    /// Which instance of it.
    pub instance: String,
    /// `permanent`, `blocking`, `single shot` or `periodic`.
    pub kind: String,
    /// Its process.
    pub pid: u32,
    /// The sum of its monitors: `startup`, `ok`, `idle`, `busy`, `degraded`, `warning`, `error`, `shutdown`, `failed`.
    pub status: String,
    /// What it says of itself.
    pub text: String,
    /// Whether it has become ready.
    pub ready: bool,
    /// How long its process has run.
    pub uptime_ms: u64,
    /// Its monitors.
    pub monitor: MonitorView,
}

/// The answer to `health`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CallHealth {
    /// The status's word.
    pub status: String,
    /// What it says of itself.
    pub text: String,
    /// Whether it is `ok`, `idle` or `busy`.
    pub well: bool,
}

/// The answer to `stats`: counts since the process began.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CallStats {
    /// How long its process has run.
    pub uptime_ms: u64,
    /// How often it was made anew in this process.
    pub restarts: u64,
    /// Ticks of a periodic service, failed ones included.
    pub ticks: u64,
    /// Ticks that failed.
    pub failed_ticks: u64,
    /// Calls, this one included.
    pub calls: u64,
    /// Calls that were not done.
    pub failed_calls: u64,
    /// Who is connected now.
    pub connections: u64,
    /// Resident memory of the process.
    pub memory_bytes: Option<u64>,
}

/// A setting, as `config.get` and `config.set` tell it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SettingView {
    /// Its name.
    pub name: String,
    /// Its value as a file would have it; `(secret)` of a secret; `null` when it is not set.
    pub value: Option<String>,
    /// Who said it: `the default`, `greeter.toml:4`, `$GREETER_INTERVAL`, `--interval`, `a call`.
    pub origin: String,
    /// Who said something else, the strongest first.
    pub overridden: Vec<String>,
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn lines_are_told_apart() {
        let read = |value: Value| serde_json::from_value::<CallLine>(value).unwrap();
        let answer = CallAnswer { id: json!(1), ok: Value::Null };
        assert_eq!(read(json!({ "id": 1, "ok": null })), CallLine::Answer(answer));
        let error = CallError::new(CallErrorCode::UnknownMethod, "no");
        let refusal = CallRefusal { id: json!("a"), error };
        let written = json!({ "id": "a", "error": { "code": "unknown-method", "text": "no" } });
        assert_eq!(serde_json::to_value(&refusal).unwrap(), written);
        assert_eq!(read(written), CallLine::Refusal(refusal));
        let event = CallEvent { event: "x".to_owned(), data: Value::Null };
        assert_eq!(read(json!({ "event": "x", "data": null })), CallLine::Event(event));
    }

    #[test]
    fn a_request_needs_a_method_alone() {
        let request: CallRequest = serde_json::from_str(r#"{"method":"stop"}"#).unwrap();
        assert_eq!(request, CallRequest { method: "stop".to_owned(), ..CallRequest::default() });
        assert!(serde_json::from_str::<CallRequest>(r#"{"id":1}"#).is_err());
    }
}
