//! Makes sure that the project's daemon is there: makes its folders and starts an anchor when nobody answers.

use std::{
    fs,
    io::{self, Write},
    os::unix::fs::{MetadataExt, symlink},
    path::Path,
    time::Duration,
};

use mainstay_client::{Client, ClientError};
use rustix::{
    fs::{CWD, FileType, Mode},
    io::Errno,
};

use crate::{
    exit::Exit,
    failure::Failure,
    holders::{self, Holders},
    output::Output,
    places::Places,
};

/// How long the three processes may take to come up, when nobody says.
const PATIENCE: Duration = Duration::from_secs(60);

/// How long those of before may take to be gone.
const LEAVING: Duration = Duration::from_secs(30);

/// How long those may take to be gone that hold the project and do not answer, before they are taken for what goes on.
const ENDING: Duration = Duration::from_secs(3);

/// Connects to the daemon, which is started when there is none. Leaves in `places` where it was started.
pub(crate) fn connect_or_start(
    places: &mut Places,
    timeout: Option<Duration>,
    output: &Output,
) -> Result<Client, Failure> {
    refuse_elsewhere(places)?;
    match Client::connect_within(&places.socket(), timeout) {
        Err(error) if error.is_no_daemon() => {}
        result => {
            let client = result?;
            restore(places);
            return Ok(client);
        }
    }
    start(places, timeout, output)?;
    Ok(Client::connect_within(&places.socket(), timeout)?)
}

/// Nothing is started at the new place of a project that runs as it was started at the old one: its descriptions, its
/// directories and its logs are of there.
pub(crate) fn refuse_elsewhere(places: &Places) -> Result<(), Failure> {
    if !places.is_elsewhere() {
        return Ok(());
    }
    Holders::of(&places.state_dir).map_or(Ok(()), |holders| Err(holders.elsewhere(places)))
}

/// Those who hold a project that is being stopped.
pub(crate) struct Remaining(Option<Holders>);

impl Remaining {
    /// Those that run now: they have locks in this folder.
    pub(crate) fn of(run_dir: &Path) -> Self {
        Self(Holders::of(run_dir))
    }

    /// Waits until nobody answers any more and the processes have ended.
    pub(crate) fn wait_until_gone(&self, socket: &Path, patience: Option<Duration>) -> Result<(), Failure> {
        let after = patience.unwrap_or(LEAVING);
        if let Some(holders) = &self.0 {
            holders.wait_gone(Some(after), |_| {})?;
        }
        loop {
            // Whoever holds the socket goes on: a connection that nobody accepts ends with its last holder.
            match Client::connect_within(socket, Some(after)) {
                Ok(client) => client.wait_closed()?,
                Err(error @ ClientError::TimedOut { .. }) => return Err(error.into()),
                Err(_) => return Ok(()),
            }
        }
    }
}

fn start(places: &mut Places, timeout: Option<Duration>, output: &Output) -> Result<(), Failure> {
    places.run_dir = places.next_run_dir.clone();
    make_state_folder(places)?;
    // Not in the run directory, which the anchor clears when it ends.
    let lock_path = places.state_dir.join("start.lock");
    let lock =
        mainstay_host::open_private(&lock_path).map_err(|error| cannot("create", &lock_path, &error))?;
    // Of several that start at once the first does it, and the others find it done.
    lock.lock().map_err(|error| cannot("lock", &lock_path, &error))?;
    match Client::connect_within(&places.socket(), timeout) {
        Err(error) if error.is_no_daemon() => {
            // One that is just ending must be gone before the next.
            Remaining::of(&places.run_dir).wait_until_gone(&places.socket(), timeout)?;
            let patience = timeout.map_or(ENDING, |timeout| timeout.min(ENDING));
            if let Some(holders) = holders::after(&places.state_dir, patience) {
                return Err(holders.unreachable(places, Exit::Failed));
            }
            make_run_folder(places)?;
            start_anchor(places, timeout.unwrap_or(PATIENCE), output)
        }
        result => Ok(result.map(drop)?),
    }
}

/// Makes the state folder, unless it is there.
pub(crate) fn make_state_folder(places: &Places) -> Result<(), Failure> {
    mainstay_host::private_dir(&places.state_dir).map_err(|error| {
        Failure::from(error).with_help("`--state-dir DIR` keeps state and logs elsewhere")
    })?;
    let ignore = places.state_dir.join(".gitignore");
    if !ignore.exists() {
        write_private(&ignore, "*\n").map_err(|error| cannot("write", &ignore, &error))?;
    }
    Ok(())
}

/// A file that is ours alone, whatever the umask says.
fn write_private(path: &Path, text: &str) -> io::Result<()> {
    mainstay_host::open_private(path)?.write_all(text.as_bytes())
}

/// The state folder of what runs, when somebody has removed it: without its pointer the project would not be found from where
/// `XDG_RUNTIME_DIR` is another. What goes wrong is no reason not to connect.
fn restore(places: &Places) {
    let owner = fs::metadata(&places.run_dir).map(|data| data.uid());
    if owner.is_ok_and(|owner| owner == mainstay_host::effective_uid()) {
        let _ = make_state_folder(places).and_then(|()| point(&places.pointer(), &places.run_dir));
    }
}

fn make_run_folder(places: &Places) -> Result<(), Failure> {
    let help = "`XDG_RUNTIME_DIR` names the directory under which sockets and FIFOs are made";
    mainstay_host::sheltered_dir(&places.run_dir).map_err(|error| Failure::from(error).with_help(help))?;
    try_fifo(&places.run_dir)?;
    point(&places.pointer(), &places.run_dir)
}

/// Some file systems know no FIFOs; without them nothing can be started, and it is better said here than by each service.
fn try_fifo(run_dir: &Path) -> Result<(), Failure> {
    let path = run_dir.join(format!(".fifo-{}", std::process::id()));
    match rustix::fs::mknodat(CWD, &path, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0) {
        Ok(()) | Err(Errno::EXIST) => {
            let _ = fs::remove_file(&path);
            Ok(())
        }
        Err(errno @ (Errno::PERM | Errno::OPNOTSUPP | Errno::NOSYS | Errno::INVAL | Errno::IO)) => {
            let text = format!("cannot make a FIFO in {}: {}", run_dir.display(), io::Error::from(errno));
            Err(Failure::new(Exit::Failed, text)
                .with_help("its file system has none: set XDG_RUNTIME_DIR to a directory on one that has (tmpfs, ext4, …)"))
        }
        Err(errno) => Err(cannot("write to", run_dir, &io::Error::from(errno))),
    }
}

fn point(pointer: &Path, run_dir: &Path) -> Result<(), Failure> {
    if fs::read_link(pointer).is_ok_and(|target| target == run_dir) {
        return Ok(());
    }
    // Two that do this at once write the same; the last one stays.
    let fresh = pointer.with_file_name(format!(".run-{}", std::process::id()));
    let _ = fs::remove_file(&fresh);
    symlink(run_dir, &fresh)
        .and_then(|()| fs::rename(&fresh, pointer))
        .map_err(|error| cannot("write", pointer, &error))
}

fn start_anchor(places: &Places, patience: Duration, output: &Output) -> Result<(), Failure> {
    let exe = std::env::current_exe().map_err(|error| {
        Failure::new(Exit::Failed, format!("cannot find this program's own file: {error}"))
    })?;
    let log = places.state_dir.join("anchor.log");
    output.detail(&format!("starting {} daemon anchor for {}", exe.display(), places.state_dir.display()));
    let mut anchor = mainstay_host::start_anchor(&exe, arguments(places), &log)
        .map_err(|error| cannot("start", &exe, &error))?;
    let seconds = patience.as_secs();
    let answer = anchor.answer(patience).map_err(|error| match error.kind() {
        io::ErrorKind::TimedOut => {
            Failure::new(Exit::TimedOut, format!("the daemon did not come up within {seconds} s")).with_help(
                format!("what it says of itself is in {}", places.logs_dir.join("@daemon").display()),
            )
        }
        _ => Failure::new(Exit::Failed, format!("the anchor did not answer: {error}")),
    })?;
    let seen = format!("{} says more", log.display());
    match answer.split_once(' ').map_or((answer.as_str(), ""), |(word, rest)| (word, rest)) {
        ("up", _) => Ok(()),
        ("error", text) => Err(Failure::new(Exit::Failed, text).with_help(seen)),
        _ => Err(Failure::new(Exit::Failed, "the anchor ended before the daemon was there").with_help(seen)),
    }
}

fn arguments(places: &Places) -> Vec<std::ffi::OsString> {
    let mut words = vec!["daemon".into(), "anchor".into()];
    let directories = [
        ("--state-dir", &places.state_dir),
        ("--run-dir", &places.run_dir),
        ("--logs-dir", &places.logs_dir),
    ];
    for (option, path) in directories {
        words.extend([option.into(), path.clone().into_os_string()]);
    }
    words
}

fn cannot(act: &str, path: &Path, error: &io::Error) -> Failure {
    let exit =
        if error.kind() == io::ErrorKind::PermissionDenied { Exit::NotPermitted } else { Exit::Failed };
    Failure::new(exit, format!("cannot {act} {}: {error}", path.display()))
}
