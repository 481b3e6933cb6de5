//! The service: an update at each interval, and only while somebody is logged in.

use std::{
    fs::{self, File},
    io::{self, Read as _, Write as _},
    net::SocketAddr,
    path::{Path, PathBuf},
};

use mainstay::prelude::*;

use crate::fetch::fetch;

/// The longest session, in bytes.
const SESSION_LIMIT: u64 = 4096;

#[derive(ServiceConfig)]
struct UpdaterConfig {
    /// Time between two updates.
    #[default("1h")]
    #[setting(live)]
    interval: Duration,
    /// The server that has the list.
    #[default("127.0.0.1:8080")]
    #[setting(live)]
    server: SocketAddr,
    /// The list's path there.
    #[default("/servers.txt")]
    #[setting(live)]
    path: String,
    /// The file with the session of whoever is logged in. Without it, nothing is fetched.
    #[default("session")]
    #[setting(live)]
    session: PathBuf,
    /// Where the list is kept.
    #[default("servers.txt")]
    #[setting(live)]
    file: PathBuf,
}

#[service]
struct Updater {
    config: UpdaterConfig,
}

impl Periodic for Updater {
    fn interval(&self) -> Duration {
        self.config.interval
    }

    async fn tick(&mut self, ctx: &Context) -> Result {
        let place = Place {
            server: self.config.server,
            path: self.config.path.clone(),
            session: self.config.session.clone(),
            file: self.config.file.clone(),
        };
        // One that is under way when the service is to stop is dropped: the list stays as it is.
        let Some(done) = ctx.until_stopped(update(&place)).await else { return Ok(()) };
        let session = ctx.monitor().child("session");
        match done? {
            Some(bytes) => {
                session.set(Status::Ok, "");
                ctx.monitor().counter("updates").add(1);
                info!("{} has {bytes} bytes", place.file.display());
            }
            None => {
                session.set(Status::Idle, "nobody is logged in: nothing is fetched");
                info!("no session: this update is skipped");
            }
        }
        Ok(())
    }

    /// Each tick looks at all settings anew.
    async fn on_config_changed(&mut self, old: UpdaterConfig, _ctx: &Context) -> Result<Reload> {
        if old.interval != self.config.interval {
            info!("the next update comes in {:?}", self.config.interval);
        }
        Ok(Reload::Live)
    }
}

/// Where a list comes from, and where it is kept.
pub struct Place {
    pub server: SocketAddr,
    pub path: String,
    pub session: PathBuf,
    pub file: PathBuf,
}

/// Fetches the list and keeps it; its size. `None` when nobody is logged in.
pub async fn update(place: &Place) -> Result<Option<usize>> {
    let session = read_session(&place.session).map_err(|error| {
        Error::from(error).while_doing(format!("cannot read `{}`", place.session.display()))
    })?;
    let Some(session) = session else { return Ok(None) };
    let list = fetch(place.server, &place.path, &session)
        .await
        .map_err(|error| error.while_doing(format!("cannot fetch http://{}{}", place.server, place.path)))?;
    let (size, file) = (list.len(), place.file.clone());
    // A disk may take its time, and the service has one thread.
    tokio::task::spawn_blocking(move || replace(&file, &list)).await?.map_err(|error| {
        Error::from(error).while_doing(format!("cannot write `{}`", place.file.display()))
    })?;
    Ok(Some(size))
}

/// `None` when there is none.
fn read_session(path: &Path) -> io::Result<Option<String>> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let mut text = String::new();
    file.take(SESSION_LIMIT).read_to_string(&mut text)?;
    let text = text.trim();
    Ok((!text.is_empty()).then(|| text.to_owned()))
}

/// Whoever reads the file finds the old list or the new one, and never a part, even after a loss of power.
fn replace(path: &Path, list: &[u8]) -> io::Result<()> {
    let dir = path.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
    fs::create_dir_all(dir)?;
    let mut file = tempfile::NamedTempFile::new_in(dir)?;
    file.write_all(list)?;
    file.as_file().sync_all()?;
    file.persist(path)?;
    File::open(dir)?.sync_all()
}
