//! The daemon that runs us as a messenger: reports go to its local socket, the latest one when it was away.

use std::{path::PathBuf, time::Duration};

use mainstay_wire::{MonitorView, Request};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader},
    net::UnixStream,
    sync::watch,
    time::timeout,
};

use super::{Messenger, Report};

/// How long the daemon may take to answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// A daemon and the run that it knows us as.
#[derive(Debug)]
pub(crate) struct LocalSocket(watch::Sender<Option<MonitorView>>);

impl LocalSocket {
    /// When a daemon runs us. To be called on the service's own thread.
    pub(crate) fn from_environment() -> Option<Self> {
        let path = std::env::var_os("MAINSTAY_SOCKET").map(PathBuf::from)?;
        let run_id = std::env::var("MAINSTAY_RUN_ID").ok()?;
        let (sender, latest) = watch::channel(None);
        tokio::task::spawn_local(send(path, run_id, latest));
        Some(Self(sender))
    }
}

impl Messenger for LocalSocket {
    fn publish(&mut self, report: &Report) {
        self.0.send_replace(Some(report.monitor.clone()));
    }
}

/// One connection for each report: they are rare, and a daemon that was replaced is found again.
async fn send(path: PathBuf, run_id: String, mut latest: watch::Receiver<Option<MonitorView>>) {
    while latest.changed().await.is_ok() {
        let Some(monitor) = latest.borrow_and_update().clone() else { continue };
        let request = Request::Monitor { run_id: run_id.clone(), monitor };
        // Who is away, or may not be spoken to by us, hears the next one.
        let _ = timeout(PATIENCE, tell(&path, &request)).await;
    }
}

async fn tell(path: &std::path::Path, request: &Request) -> std::io::Result<()> {
    let mut line = serde_json::to_vec(request)?;
    line.push(b'\n');
    let mut stream = UnixStream::connect(path).await?;
    stream.write_all(&line).await?;
    let mut answer = String::new();
    BufReader::new(stream).read_line(&mut answer).await?;
    if answer.contains("\"ok\":false") {
        tracing::debug!("the daemon does not take a report: {}", answer.trim());
    }
    Ok(())
}
