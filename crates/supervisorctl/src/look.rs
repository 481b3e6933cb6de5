//! The methods that only look: processes, versions, logs.

use std::path::Path;

use jiff::Timestamp;
use mainstay_wire::{Answer, Request, ServiceView};

use crate::{
    bytes,
    call::{Caller, unexpected},
    fault::{Code, Fault},
    names::{self, choose_one},
    process,
    xml::Value,
};

impl Caller {
    /// Scripts compare it with versions of supervisor; what follows the `+` is left out of that (PEP 440, Semantic Versioning).
    pub(crate) fn version(&self) -> Value {
        Value::text(concat!("4.3.0+mainstay.", env!("CARGO_PKG_VERSION")))
    }

    pub(crate) fn state(&self) -> Value {
        Value::fields([("statecode", Value::Int(1)), ("statename", Value::text("RUNNING"))])
    }

    pub(crate) async fn identification(&self) -> Result<Value, Fault> {
        Ok(Value::text(self.list().await?.1.project))
    }

    pub(crate) async fn pid(&self) -> Result<Value, Fault> {
        match self.ask(Request::Ping).await? {
            Answer::Pong { pid, .. } => Ok(Value::int(i64::from(pid))),
            _ => Err(unexpected()),
        }
    }

    pub(crate) async fn all_info(&self) -> Result<Value, Fault> {
        let mut services = self.services().await?;
        services.sort_by_key(|view| (view.name.clone(), names::name(view)));
        let now = Timestamp::now();
        Ok(Value::List(services.iter().map(|view| process::info(view, now)).collect()))
    }

    pub(crate) async fn info(&self, name: &str) -> Result<Value, Fault> {
        Ok(process::info(&self.process(name).await?, Timestamp::now()))
    }

    pub(crate) async fn all_config(&self) -> Result<Value, Fault> {
        let mut services = self.services().await?;
        services.sort_by_key(names::name);
        Ok(Value::List(services.iter().map(process::config).collect()))
    }

    pub(crate) async fn read_log(&self, offset: i32, length: i32) -> Result<Value, Fault> {
        let path = self.shared.daemon_log().join("current");
        let text = blocking(move || bytes::read(&path, offset, length)).await?;
        Ok(Value::text(text))
    }

    pub(crate) async fn read_output(&self, name: &str, offset: i32, length: i32) -> Result<Value, Fault> {
        let path = process::log_file(&self.process(name).await?);
        read(path, offset, length).await
    }

    pub(crate) async fn tail_output(&self, name: &str, offset: i32, length: i32) -> Result<Value, Fault> {
        let path = process::log_file(&self.process(name).await?);
        tail(path, offset, length).await
    }

    pub(crate) async fn read_errors(&self, name: &str, offset: i32, length: i32) -> Result<Value, Fault> {
        match process::err_log_file(&self.process(name).await?) {
            Some(path) => read(path, offset, length).await,
            // As in supervisor, where standard error goes into the other log.
            None => Err(Fault::new(Code::NoFile, "None")),
        }
    }

    pub(crate) async fn tail_errors(&self, name: &str, offset: i32, length: i32) -> Result<Value, Fault> {
        match process::err_log_file(&self.process(name).await?) {
            Some(path) => tail(path, offset, length).await,
            None => Ok(Value::List(vec![Value::text(""), Value::Int(0), Value::Flag(false)])),
        }
    }

    /// The process of this name.
    pub(crate) async fn process(&self, name: &str) -> Result<ServiceView, Fault> {
        choose_one(&self.services().await?, name)
    }
}

async fn read(path: String, offset: i32, length: i32) -> Result<Value, Fault> {
    blocking(move || bytes::read(Path::new(&path), offset, length)).await.map(Value::text)
}

async fn tail(path: String, offset: i32, length: i32) -> Result<Value, Fault> {
    let (text, end, is_cut) = blocking(move || bytes::tail(Path::new(&path), offset, length)).await?;
    let end = i64::try_from(end).unwrap_or(i64::MAX);
    Ok(Value::List(vec![Value::text(text), Value::int(end), Value::Flag(is_cut)]))
}

/// Runs what reads files beside the daemon's loop.
pub(crate) async fn blocking<T: Send + 'static>(
    read: impl FnOnce() -> Result<T, Fault> + Send + 'static,
) -> Result<T, Fault> {
    let read = tokio::task::spawn_blocking(read).await;
    read.unwrap_or_else(|error| Err(Fault::new(Code::Failed, error.to_string())))
}
