//! Asks by running a command.

mod output;

use std::{
    io,
    os::unix::process::ExitStatusExt,
    process::Stdio,
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::{
    process::{Child, Command},
    time::timeout,
};

use self::output::Output;
use crate::No;

/// Whether the command exits with 0 within `limit`. After that its process group is killed, and also when nobody waits for
/// the answer any more. Its input is empty; the rest is as the caller made it.
///
/// # Errors
/// The answer in a word or two: `exited with 2`, `ended by signal 9`, `timed out after 2000 ms`; and the last line that it
/// wrote: `exited with 2 and said "no such table"`.
pub async fn exec(question: std::process::Command, limit: Duration) -> Result<(), No> {
    let since = Instant::now();
    let (mut output, ours) = Output::new().map_err(|error| unmade(&error))?;
    let mut command = Command::from(question);
    command
        .stdin(Stdio::null())
        .stdout(ours.try_clone().map_err(|error| unmade(&error))?)
        .stderr(ours)
        .kill_on_drop(true)
        .process_group(0);
    let (mut child, mut group) = match timeout(limit, made(command)).await {
        Ok(made) => made?,
        Err(_) => return Err(No::late(since, limit)),
    };
    let left = limit.saturating_sub(since.elapsed());
    let ended = timeout(left, output.read_beside(child.wait())).await;
    if ended.is_ok() {
        // Its number may be another's by now.
        group.0 = None;
    }
    let how = match ended {
        Ok(Ok(status)) if status.success() => return Ok(()),
        Ok(Ok(status)) => match (status.code(), status.signal()) {
            (Some(code), _) => format!("exited with {code}"),
            (None, signal) => format!("ended by signal {}", signal.unwrap_or(0)),
        },
        Ok(Err(error)) => format!("cannot be waited for ({error})"),
        Err(_) => match No::late(since, limit) {
            No::Answer(text) => text,
            unasked @ No::Unasked(_) => return Err(unasked),
        },
    };
    Err(No::Answer(match output.last_line() {
        Some(line) => format!("{how} and said \"{line}\""),
        None => how,
    }))
}

/// Makes it in a thread of its own: an `execve` from a file system that hangs must hold up nobody else. Whoever waits for it no
/// more has it killed as soon as it is made. With our ends of its output, which would keep that open, the command is dropped.
async fn made(mut command: Command) -> Result<(Child, Group), No> {
    let making = tokio::task::spawn_blocking(move || {
        let child = command.spawn()?;
        let group = Group(child.id().and_then(|pid| Pid::from_raw(i32::try_from(pid).ok()?)));
        Ok((child, group))
    });
    match making.await {
        Ok(Ok(made)) => Ok(made),
        Ok(Err(error)) => Err(unmade(&error)),
        Err(error) => Err(No::Unasked(format!("cannot run ({error})"))),
    }
}

fn unmade(error: &io::Error) -> No {
    No::of(error, format!("cannot run ({error})"))
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
        assert_eq!(exec(question("exit $ANSWER"), limit).await, Err("exited with 3".into()));
        assert_eq!(exec(question("kill -9 $$"), limit).await, Err("ended by signal 9".into()));
        let said = "echo one; echo 'disk pool broken:\u{1b}[0m code 42' >&2; echo; exit 5";
        let answer = "exited with 5 and said \"disk pool broken: code 42\"".into();
        assert_eq!(exec(question(said), limit).await, Err(answer));
        let flood = "head -c 1000000 /dev/zero | tr '\\0' x; echo; echo the end; sleep 60 & exit 1";
        assert_eq!(exec(question(flood), limit).await, Err("exited with 1 and said \"the end\"".into()));
        let short = Duration::from_millis(50);
        assert_eq!(exec(question("sleep 60"), short).await, Err("timed out after 50 ms".into()));
        let missing = std::process::Command::new("/no/such/program");
        assert!(
            exec(missing, limit)
                .await
                .is_err_and(|no| matches!(no, No::Answer(text) if text.starts_with("cannot run")))
        );
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
