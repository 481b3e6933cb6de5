//! Asking a check once: a command by a process, an address where this program can.

use std::time::Duration;

use mainstay_model::{Exit, Probe};

use super::child::{Child, Making, verdict};

/// What a check says.
pub(crate) async fn answer(
    probe: Probe,
    limit: Duration,
    making: Result<Making, String>,
) -> Result<(), String> {
    match probe {
        Probe::Exec(_) => {
            let child = Child::make(&making?).map_err(|failure| failure.text)?;
            let late = |_: Exit| format!("timed out after {}", mainstay_config::duration_text(limit));
            child.ended_within(limit).await.map_err(late).and_then(verdict)
        }
        #[cfg(feature = "probes")]
        Probe::Tcp(address) => mainstay_probe::tcp(&address, limit).await.map_err(words),
        #[cfg(feature = "probes")]
        Probe::Http(http) => mainstay_probe::http(&http.url, http.status, limit).await.map_err(words),
        // The file was refused for it.
        #[cfg(not(feature = "probes"))]
        Probe::Tcp(_) | Probe::Http(_) => Err("cannot be asked by this program".to_owned()),
    }
}

#[cfg(feature = "probes")]
fn words(no: mainstay_probe::No) -> String {
    match no {
        mainstay_probe::No::Answer(text) | mainstay_probe::No::Unasked(text) => text,
    }
}
