//! Who called, and which method it was. What the methods do is told in [`crate::look`] and [`crate::act`].

use std::sync::Arc;

use mainstay_daemon::{Handle, Peer};
use mainstay_wire::{Answer, ConfigView, ErrorCode, Request, ServiceView, WireError};

use crate::{
    act::{Ask, Deed, Whom},
    door::Shared,
    fault::{Code, Fault},
    methods::{self, Given, MULTICALL, Method},
    xml::{Call, Value, fault_value},
};

/// One who calls methods.
#[derive(Debug)]
pub(crate) struct Caller {
    pub(crate) handle: Handle,
    pub(crate) peer: Peer,
    pub(crate) shared: Arc<Shared>,
}

impl Caller {
    /// The value of a call.
    ///
    /// # Errors
    /// Why there is none.
    pub(crate) async fn call(&self, call: Call) -> Result<Value, Fault> {
        if call.method == MULTICALL { self.several(call.parameters).await } else { self.one(call).await }
    }

    /// One after the other; a fault of one is its result.
    async fn several(&self, parameters: Vec<Value>) -> Result<Value, Fault> {
        let mut parameters = parameters.into_iter();
        let (Some(Value::List(calls)), None) = (parameters.next(), parameters.next()) else {
            return Err(Fault::new(Code::IncorrectParameters, ""));
        };
        let mut results = Vec::new();
        for call in calls {
            let result = match described(call) {
                Ok(call) => self.one(call).await,
                Err(fault) => Err(fault),
            };
            results.push(result.unwrap_or_else(|fault| fault_value(&fault)));
        }
        Ok(Value::List(results))
    }

    async fn one(&self, call: Call) -> Result<Value, Fault> {
        let row = methods::find(&call.method).ok_or_else(|| Fault::new(Code::UnknownMethod, ""))?;
        let given = row.check(call.parameters)?;
        self.run(row.method, &given).await
    }

    async fn run(&self, method: Method, given: &Given) -> Result<Value, Fault> {
        let first = given.text(0);
        match method {
            Method::ListMethods => Ok(methods::list()),
            Method::Help => methods::help(&first),
            Method::Signature => methods::signature(&first),
            Method::ApiVersion => Ok(Value::text("3.0")),
            Method::SupervisorVersion => Ok(self.version()),
            Method::SupervisorState => Ok(self.state()),
            Method::Identification => self.identification().await,
            Method::Pid => self.pid().await,
            Method::AllInfo => self.all_info().await,
            Method::Info => self.info(&first).await,
            Method::AllConfig => self.all_config().await,
            Method::ReadLog => self.read_log(given.int(0), given.int(1)).await,
            Method::ReadStdout => self.read_output(&first, given.int(1), given.int(2)).await,
            Method::TailStdout => self.tail_output(&first, given.int(1), given.int(2)).await,
            Method::ReadStderr => self.read_errors(&first, given.int(1), given.int(2)).await,
            Method::TailStderr => self.tail_errors(&first, given.int(1), given.int(2)).await,
            Method::Start => self.act_on(Whom::Named(&first), Deed::Start(Ask::wait(given.flag(1)))).await,
            Method::StartGroup => {
                self.act_on(Whom::Group(&first), Deed::Start(Ask::wait(given.flag(1)))).await
            }
            Method::StartAll => self.act_on(Whom::All, Deed::Start(Ask::wait(given.flag(0)))).await,
            Method::Stop => self.act_on(Whom::Named(&first), Deed::Stop(Ask::wait(given.flag(1)))).await,
            Method::StopGroup => self.act_on(Whom::Group(&first), Deed::Stop(Ask::wait(given.flag(1)))).await,
            Method::StopAll => self.act_on(Whom::All, Deed::Stop(Ask::wait(given.flag(0)))).await,
            Method::Signal => self.act_on(Whom::Named(&first), Deed::Signal(&given.text(1))).await,
            Method::SignalGroup => self.act_on(Whom::Group(&first), Deed::Signal(&given.text(1))).await,
            Method::SignalAll => self.act_on(Whom::All, Deed::Signal(&first)).await,
            Method::Shutdown => self.shut_down().await,
            Method::ReloadConfig => self.reload().await,
            Method::AddGroup => self.add_group(&first).await,
            Method::RemoveGroup => self.remove_group(&first).await,
            Method::SendStdin => self.send_input(&first).await,
            Method::ClearLogs => self.clear(&first).await,
            Method::ClearAllLogs => self.clear_all().await,
            Method::ClearLog => Err(cannot_clear("the daemon's log")),
            Method::Restart => Err(Fault::new(
                Code::Failed,
                "the daemon is not restarted on request; `mainstay down`, then `mainstay up -d`, starts everything anew",
            )),
        }
    }

    /// The answer to a request.
    pub(crate) async fn ask(&self, request: Request) -> Result<Answer, Fault> {
        let reply = self.handle.ask(request, self.peer).await;
        Ok(reply.ok_or_else(|| Fault::new(Code::ShutdownState, "the daemon has ended"))?.into_result()?)
    }

    /// Every instance, and what runs.
    pub(crate) async fn list(&self) -> Result<(Vec<ServiceView>, ConfigView), Fault> {
        match self.ask(Request::List).await? {
            Answer::Services { services, config, .. } => Ok((services, config)),
            _ => Err(unexpected()),
        }
    }

    pub(crate) async fn services(&self) -> Result<Vec<ServiceView>, Fault> {
        Ok(self.list().await?.0)
    }
}

/// `{methodName, params}`; the latter may be left out.
fn described(call: Value) -> Result<Call, Fault> {
    let Value::Struct(fields) = call else { return Err(Fault::new(Code::IncorrectParameters, "")) };
    let (mut method, mut parameters) = (None, Vec::new());
    for (name, value) in fields {
        match (name.as_str(), value) {
            ("methodName", Value::Text(name)) => method = Some(name),
            ("params", Value::List(given)) => parameters = given,
            _ => {}
        }
    }
    match method {
        None => Err(Fault::new(Code::IncorrectParameters, "No methodName")),
        Some(name) if name == MULTICALL => {
            Err(Fault::new(Code::IncorrectParameters, "Recursive system.multicall forbidden"))
        }
        Some(method) => Ok(Call { method, parameters }),
    }
}

/// An answer to another question.
pub(crate) fn unexpected() -> Fault {
    WireError::new(ErrorCode::Internal, "the daemon answers another question than was asked").into()
}

pub(crate) fn cannot_clear(what: &str) -> Fault {
    Fault::new(
        Code::Failed,
        format!("{what} is rotated and never cleared (`log` in mainstay.toml says how much is kept)"),
    )
}
