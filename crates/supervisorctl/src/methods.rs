//! The table of methods: their names, what they take and give, and a sentence each. Calls none of them.

use crate::{
    fault::{Code, Fault},
    xml::Value,
};

/// Every method; what it does is told at its row of [`METHODS`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Method {
    ListMethods,
    Help,
    Signature,
    ApiVersion,
    SupervisorVersion,
    Identification,
    SupervisorState,
    Pid,
    ReadLog,
    ClearLog,
    Shutdown,
    Restart,
    ReloadConfig,
    AddGroup,
    RemoveGroup,
    AllInfo,
    Info,
    AllConfig,
    Start,
    StartGroup,
    StartAll,
    Stop,
    StopGroup,
    StopAll,
    Signal,
    SignalGroup,
    SignalAll,
    ReadStdout,
    ReadStderr,
    TailStdout,
    TailStderr,
    ClearLogs,
    ClearAllLogs,
    SendStdin,
}

/// What is said of one.
#[derive(Debug)]
pub(crate) struct Row {
    pub(crate) name: &'static str,
    pub(crate) method: Method,
    /// The type of what it gives.
    gives: &'static str,
    /// The types of what it takes. A boolean may be left out, and is true then.
    takes: &'static [&'static str],
    help: &'static str,
}

const LOG: &[&str] = &["string", "int", "int"];
const ONE: &[&str] = &["string", "boolean"];

/// The name of the only method that calls others.
pub(crate) const MULTICALL: &str = "system.multicall";

/// Sorted by name.
pub(crate) const METHODS: &[Row] = &[
    row(
        "supervisor.addProcessGroup",
        Method::AddGroup,
        "boolean",
        &["string"],
        "Refused: `mainstay up` adds what is in the file.",
    ),
    row(
        "supervisor.clearAllProcessLogs",
        Method::ClearAllLogs,
        "array",
        &[],
        "Refused: logs are rotated, never cleared.",
    ),
    row("supervisor.clearLog", Method::ClearLog, "boolean", &[], "Refused: logs are rotated, never cleared."),
    row(
        "supervisor.clearProcessLog",
        Method::ClearLogs,
        "boolean",
        &["string"],
        "Refused: logs are rotated, never cleared.",
    ),
    row(
        "supervisor.clearProcessLogs",
        Method::ClearLogs,
        "boolean",
        &["string"],
        "Refused: logs are rotated, never cleared.",
    ),
    row("supervisor.getAPIVersion", Method::ApiVersion, "string", &[], "The version of these methods."),
    row("supervisor.getAllConfigInfo", Method::AllConfig, "array", &[], "What is known of each description."),
    row("supervisor.getAllProcessInfo", Method::AllInfo, "array", &[], "Every process."),
    row("supervisor.getIdentification", Method::Identification, "string", &[], "The project's name."),
    row("supervisor.getPID", Method::Pid, "int", &[], "The daemon's process."),
    row("supervisor.getProcessInfo", Method::Info, "struct", &["string"], "One process."),
    row("supervisor.getState", Method::SupervisorState, "struct", &[], "That the daemon runs."),
    row(
        "supervisor.getSupervisorVersion",
        Method::SupervisorVersion,
        "string",
        &[],
        "The version of supervisor that this is like, and Mainstay's.",
    ),
    row("supervisor.getVersion", Method::ApiVersion, "string", &[], "The version of these methods."),
    row(
        "supervisor.readLog",
        Method::ReadLog,
        "string",
        &["int", "int"],
        "Bytes of the daemon's own log: offset, length.",
    ),
    row(
        "supervisor.readMainLog",
        Method::ReadLog,
        "string",
        &["int", "int"],
        "Bytes of the daemon's own log: offset, length.",
    ),
    row(
        "supervisor.readProcessLog",
        Method::ReadStdout,
        "string",
        LOG,
        "Bytes of a process's log: name, offset, length.",
    ),
    row(
        "supervisor.readProcessStderrLog",
        Method::ReadStderr,
        "string",
        LOG,
        "Bytes of the log of a process's standard error, when that is kept apart: name, offset, length.",
    ),
    row(
        "supervisor.readProcessStdoutLog",
        Method::ReadStdout,
        "string",
        LOG,
        "Bytes of a process's log: name, offset, length.",
    ),
    row(
        "supervisor.reloadConfig",
        Method::ReloadConfig,
        "array",
        &[],
        "Whether the files are those that run; if not, `mainstay up` applies them.",
    ),
    row(
        "supervisor.removeProcessGroup",
        Method::RemoveGroup,
        "boolean",
        &["string"],
        "Refused: `mainstay up` removes what is not in the file.",
    ),
    row(
        "supervisor.restart",
        Method::Restart,
        "boolean",
        &[],
        "Refused: the daemon is never restarted on request.",
    ),
    row(
        "supervisor.sendProcessStdin",
        Method::SendStdin,
        "boolean",
        &["string", "string"],
        "Refused: standard input is empty.",
    ),
    row(
        "supervisor.shutdown",
        Method::Shutdown,
        "boolean",
        &[],
        "Stops everything, then the daemon; answered when it is done.",
    ),
    row(
        "supervisor.signalAllProcesses",
        Method::SignalAll,
        "array",
        &["string"],
        "Sends a signal to every process.",
    ),
    row(
        "supervisor.signalProcess",
        Method::Signal,
        "boolean",
        &["string", "string"],
        "Sends a signal to a process: name, signal.",
    ),
    row(
        "supervisor.signalProcessGroup",
        Method::SignalGroup,
        "array",
        &["string", "string"],
        "Sends a signal to a group: name, signal.",
    ),
    row(
        "supervisor.startAllProcesses",
        Method::StartAll,
        "array",
        &["boolean"],
        "Starts every process that is not up.",
    ),
    row(
        "supervisor.startProcess",
        Method::Start,
        "boolean",
        ONE,
        "Starts a process, with what it depends on.",
    ),
    row(
        "supervisor.startProcessGroup",
        Method::StartGroup,
        "array",
        ONE,
        "Starts a group, with what it depends on.",
    ),
    row(
        "supervisor.stopAllProcesses",
        Method::StopAll,
        "array",
        &["boolean"],
        "Stops every process that is up.",
    ),
    row("supervisor.stopProcess", Method::Stop, "boolean", ONE, "Stops a process, after what depends on it."),
    row(
        "supervisor.stopProcessGroup",
        Method::StopGroup,
        "array",
        ONE,
        "Stops a group, after what depends on it.",
    ),
    row(
        "supervisor.tailProcessLog",
        Method::TailStdout,
        "array",
        LOG,
        "The end of a process's log: name, offset, length.",
    ),
    row(
        "supervisor.tailProcessStderrLog",
        Method::TailStderr,
        "array",
        LOG,
        "The end of the log of a process's standard error, empty when that is not kept apart: name, offset, length.",
    ),
    row(
        "supervisor.tailProcessStdoutLog",
        Method::TailStdout,
        "array",
        LOG,
        "The end of a process's log: name, offset, length.",
    ),
    row("system.listMethods", Method::ListMethods, "array", &[], "The names of all methods."),
    row("system.methodHelp", Method::Help, "string", &["string"], "What a method does."),
    row(
        "system.methodSignature",
        Method::Signature,
        "array",
        &["string"],
        "The types of what a method gives and takes.",
    ),
];

const fn row(
    name: &'static str,
    method: Method,
    gives: &'static str,
    takes: &'static [&'static str],
    help: &'static str,
) -> Row {
    Row { name, method, gives, takes, help }
}

/// The row of this name.
pub(crate) fn find(name: &str) -> Option<&'static Row> {
    METHODS.iter().find(|row| row.name == name)
}

/// Every name, sorted.
pub(crate) fn list() -> Value {
    let mut names: Vec<&str> = METHODS.iter().map(|row| row.name).chain([MULTICALL]).collect();
    names.sort_unstable();
    Value::List(names.into_iter().map(Value::text).collect())
}

/// What is said of a method.
pub(crate) fn help(name: &str) -> Result<Value, Fault> {
    match (name, find(name)) {
        (MULTICALL, _) => {
            Ok(Value::text("Calls several methods: each answers a list with its value, or a fault."))
        }
        (_, Some(row)) => Ok(Value::text(row.help)),
        (_, None) => Err(Fault::new(Code::SignatureUnsupported, "")),
    }
}

/// What a method gives, then what it takes.
pub(crate) fn signature(name: &str) -> Result<Value, Fault> {
    let types: Vec<&str> = match (name, find(name)) {
        (MULTICALL, _) => vec!["array", "array"],
        (_, Some(row)) => [row.gives].iter().chain(row.takes).copied().collect(),
        (_, None) => return Err(Fault::new(Code::SignatureUnsupported, "")),
    };
    Ok(Value::List(types.into_iter().map(Value::text).collect()))
}

/// What a method was called with; of the types that it takes.
#[derive(Debug)]
pub(crate) struct Given(Vec<Value>);

impl Row {
    /// Holds what is given against what it takes.
    ///
    /// # Errors
    /// Too much, too little, or of another type.
    pub(crate) fn check(&self, given: Vec<Value>) -> Result<Given, Fault> {
        let fits_at = |(at, kind): (usize, &&str)| {
            matches!(
                (*kind, given.get(at)),
                ("string", Some(Value::Text(_) | Value::Int(_)))
                    | ("int", Some(Value::Int(_)))
                    | ("boolean", Some(Value::Flag(_) | Value::Int(_)) | None)
            )
        };
        let fits = given.len() <= self.takes.len() && self.takes.iter().enumerate().all(fits_at);
        if fits { Ok(Given(given)) } else { Err(Fault::new(Code::IncorrectParameters, "")) }
    }
}

impl Given {
    /// A text. A number does as well: signals have both.
    pub(crate) fn text(&self, at: usize) -> String {
        match self.0.get(at) {
            Some(Value::Text(text)) => text.clone(),
            Some(Value::Int(number)) => number.to_string(),
            _ => String::new(),
        }
    }

    pub(crate) fn int(&self, at: usize) -> i32 {
        match self.0.get(at) {
            Some(Value::Int(number)) => *number,
            _ => 0,
        }
    }

    /// True when it was left out.
    pub(crate) fn flag(&self, at: usize) -> bool {
        !matches!(self.0.get(at), Some(Value::Flag(false) | Value::Int(0)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_sorted_and_without_doubles() {
        assert!(METHODS.is_sorted_by(|a, b| a.name < b.name));
    }

    #[test]
    fn parameters_are_held_against_the_table() {
        let check = |name: &str, given: Vec<Value>| find(name).unwrap().check(given);
        let given = check("supervisor.startProcess", vec![Value::text("a")]).unwrap();
        assert!(given.text(0) == "a" && given.flag(1));
        let given = check("supervisor.startProcess", vec![Value::text("a"), Value::Flag(false)]).unwrap();
        assert!(!given.flag(1));
        let given = check("supervisor.signalProcess", vec![Value::text("a"), Value::Int(1)]).unwrap();
        assert_eq!(given.text(1), "1");
        for wrong in [
            vec![],
            vec![Value::Nothing],
            vec![Value::text("a"), Value::text("b")],
            vec![Value::text("a"); 3],
        ] {
            let fault = check("supervisor.startProcess", wrong).unwrap_err();
            assert_eq!(fault.code, Code::IncorrectParameters);
        }
        assert!(check("supervisor.getPID", vec![Value::Int(1)]).is_err());
    }
}
