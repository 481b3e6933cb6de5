//! Asks by running a command.

use std::{os::unix::process::ExitStatusExt, process::Stdio, time::Duration};

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::{process::Command, time::timeout};

/// Whether the command exits with 0 within `limit`. After that its process group is killed, and also when nobody waits for
/// the answer any more. Its input is empty, and nobody reads what it writes; the rest is as the caller made it.
///
/// # Errors
/// The answer in a word or two: `exited with 2`, `ended by signal 9`, `timed out after 2000 ms`.
pub async fn exec(question: std::process::Command, limit: Duration) -> Result<(), String> {
    let mut command = Command::from(question);
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .process_group(0);
    let mut child = command.spawn().map_err(|error| format!("cannot run ({error})"))?;
    let mut group = Group(child.id().and_then(|pid| Pid::from_raw(i32::try_from(pid).ok()?)));
    let ended = timeout(limit, child.wait()).await;
    if ended.is_ok() {
        // Its number may be another's by now.
        group.0 = None;
    }
    match ended {
        Ok(Ok(status)) if status.success() => Ok(()),
        Ok(Ok(status)) => Err(match (status.code(), status.signal()) {
            (Some(code), _) => format!("exited with {code}"),
            (None, signal) => format!("ended by signal {}", signal.unwrap_or(0)),
        }),
        Ok(Err(error)) => Err(format!("cannot be waited for ({error})")),
        Err(_) => Err(format!("timed out after {} ms", limit.as_millis())),
    }
}

/// A process group that is killed with this.
struct Group(Option<Pid>);

impl Drop for Group {
    fn drop(&mut self) {
        if let Some(group) = self.0 {
            // A group that is gone needs no kill.
            let _ = kill_process_group(group, Signal::KILL);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn question(script: &str) -> std::process::Command {
        let mut command = std::process::Command::new("sh");
        command.args(["-c", script]).env_clear().env("ANSWER", "3").env("PATH", "/usr/bin:/bin");
        command
    }

    #[tokio::test(flavor = "current_thread")]
    async fn it_tells_how_the_command_ended() {
        let limit = Duration::from_secs(10);
        assert_eq!(exec(question("exit 0"), limit).await, Ok(()));
        assert_eq!(exec(question("exit $ANSWER"), limit).await, Err("exited with 3".to_owned()));
        assert_eq!(exec(question("kill -9 $$"), limit).await, Err("ended by signal 9".to_owned()));
        let short = Duration::from_millis(50);
        assert_eq!(exec(question("sleep 60"), short).await, Err("timed out after 50 ms".to_owned()));
        let missing = std::process::Command::new("/no/such/program");
        assert!(exec(missing, limit).await.is_err_and(|text| text.starts_with("cannot run")));
    }

    #[tokio::test(flavor = "current_thread")]
    async fn what_nobody_waits_for_is_killed_with_its_helpers() {
        let patience = Duration::from_secs(10);
        let until = async |what: &str, so: &dyn Fn() -> bool| {
            let wait = async {
                while !so() {
                    tokio::time::sleep(Duration::from_millis(5)).await;
                }
            };
            assert!(timeout(patience, wait).await.is_ok(), "{what}");
        };
        let file = std::env::temp_dir().join(format!("mainstay-probe-{}", std::process::id()));
        let script = format!("sleep 60 & echo $! > {}; wait", file.display());
        let asking = tokio::spawn(async move { exec(question(&script), patience).await });
        let text = || std::fs::read_to_string(&file).unwrap_or_default();
        until("the helper runs", &|| text().ends_with('\n')).await;
        let helper: u32 = text().trim().parse().unwrap();
        asking.abort();
        let line = format!("/proc/{helper}/cmdline");
        // A zombie has no command line.
        until("the helper is killed", &|| std::fs::read(&line).unwrap_or_default().is_empty()).await;
        std::fs::remove_file(&file).unwrap();
    }
}
