//! Asks by running a command.

use std::{os::unix::process::ExitStatusExt, process::Stdio, time::Duration};

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::{process::Command, time::timeout};

/// A command that asks.
#[derive(Clone, Debug)]
pub struct Exec {
    /// Program and arguments; never empty.
    pub words: Vec<String>,
    /// Where to run it.
    pub dir: String,
    /// The whole environment.
    pub env: Vec<(String, String)>,
    /// User and group to take on; supplementary groups are dropped.
    pub identity: Option<(u32, u32)>,
}

/// Whether the command exits with 0 within `limit`. After that its process group is killed.
///
/// # Errors
/// The answer in a word or two: `exited with 2`, `ended by signal 9`, `timed out after 2000 ms`.
pub async fn exec(question: Exec, limit: Duration) -> Result<(), String> {
    let Some((program, arguments)) = question.words.split_first() else {
        return Err("has no command".to_owned());
    };
    let mut command = Command::new(program);
    command.args(arguments).current_dir(&question.dir).env_clear().envs(question.env);
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .process_group(0);
    if let Some((uid, gid)) = question.identity {
        command.uid(uid).gid(gid);
    }
    let mut child = command.spawn().map_err(|error| format!("cannot run ({error})"))?;
    let group = child.id().and_then(|pid| Pid::from_raw(i32::try_from(pid).ok()?));
    match timeout(limit, child.wait()).await {
        Ok(Ok(status)) if status.success() => Ok(()),
        Ok(Ok(status)) => Err(match (status.code(), status.signal()) {
            (Some(code), _) => format!("exited with {code}"),
            (None, signal) => format!("ended by signal {}", signal.unwrap_or(0)),
        }),
        Ok(Err(error)) => Err(format!("cannot be waited for ({error})")),
        Err(_) => {
            if let Some(group) = group {
                // A group that is gone needs no kill.
                let _ = kill_process_group(group, Signal::KILL);
            }
            Err(format!("timed out after {} ms", limit.as_millis()))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn question(script: &str) -> Exec {
        Exec {
            words: ["sh", "-c", script].map(str::to_owned).into(),
            dir: "/".to_owned(),
            env: vec![("ANSWER".to_owned(), "3".to_owned()), ("PATH".to_owned(), "/usr/bin:/bin".to_owned())],
            identity: None,
        }
    }

    #[tokio::test(flavor = "current_thread")]
    async fn it_tells_how_the_command_ended() {
        let limit = Duration::from_secs(10);
        assert_eq!(exec(question("exit 0"), limit).await, Ok(()));
        assert_eq!(exec(question("exit $ANSWER"), limit).await, Err("exited with 3".to_owned()));
        assert_eq!(exec(question("kill -9 $$"), limit).await, Err("ended by signal 9".to_owned()));
        let short = Duration::from_millis(50);
        assert_eq!(exec(question("sleep 60"), short).await, Err("timed out after 50 ms".to_owned()));
        let missing = Exec { words: vec!["/no/such/program".to_owned()], ..question("") };
        assert!(exec(missing, limit).await.is_err_and(|text| text.starts_with("cannot run")));
    }
}
