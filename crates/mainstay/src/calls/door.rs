//! The listening socket: made for one living process, and taken away with it.

use std::{os::unix::net::UnixListener, path::Path, path::PathBuf, rc::Rc, time::Duration};

use mainstay_host::{Asked, Holder, Lock, listen_privately, make_by_hand_calls_dir};
use tokio::net::UnixStream;

use super::{
    CONNECTIONS_LIMIT, connection,
    desk::Desk,
    place::{self, Place},
};

/// The pause after a connection could not be taken.
const AGAIN: Duration = Duration::from_millis(100);

/// The listening socket.
#[derive(Debug)]
pub(super) struct Door {
    listener: UnixListener,
    path: PathBuf,
    /// Held for as long as we live: a socket without it is one of a dead process.
    lock: Lock,
}

impl Door {
    /// Listens there; `None` when that is not possible, which is logged: a service that cannot be called still runs.
    ///
    /// # Errors
    /// A living process of this name was started by hand already.
    pub(super) fn open(
        place: &Place,
        name: &str,
        instance: &str,
        group: Option<u32>,
    ) -> Result<Option<Self>, String> {
        if let Place::ByHand(path) = place {
            let made = path.parent().map_or(Ok(()), make_by_hand_calls_dir);
            if let Err(error) = made {
                return Ok(cannot(path, &crate::Error::from(error).to_string()));
            }
        }
        match (Lock::ask(&lock_of(place.path())), place) {
            (Ok(Asked::Held(lock)), _) => Ok(Self::listen(place.path(), lock, group)),
            // Of the service that has started this process, whose environment it has inherited.
            (Ok(Asked::Busy(_)), Place::Given(_)) => {
                Self::open(&place::by_hand(name, instance), name, instance, group)
            }
            (Ok(Asked::Busy(holder)), Place::ByHand(_)) => Err(started_twice(name, instance, &holder)),
            (Err(error), _) => Ok(cannot(place.path(), &error.to_string())),
        }
    }

    fn listen(path: &Path, lock: Lock, group: Option<u32>) -> Option<Self> {
        match listen_privately(path, group) {
            Ok(listener) => Some(Self { listener, path: path.to_owned(), lock }),
            Err(error) => cannot(path, &error.to_string()),
        }
    }

    /// Takes connections, as many at a time as there are seats.
    pub(super) async fn serve(self, desk: Rc<Desk>) {
        let copy = self.listener.try_clone().and_then(tokio::net::UnixListener::from_std);
        let listener = match copy {
            Ok(listener) => listener,
            Err(error) => return drop(cannot(&self.path, &error.to_string())),
        };
        loop {
            match listener.accept().await {
                Ok((stream, _)) => match desk.seats.seat(CONNECTIONS_LIMIT) {
                    Some(seat) => {
                        tokio::task::spawn_local(connection::serve(stream, Rc::clone(&desk), seat));
                    }
                    None => refuse(&stream),
                },
                Err(error) => {
                    // Out of descriptors, most likely: wait for one to come back instead of turning in place.
                    tracing::warn!("a connection for a call was not taken: {error}");
                    tokio::time::sleep(AGAIN).await;
                }
            }
        }
    }
}

impl Drop for Door {
    fn drop(&mut self) {
        // What is left there is replaced by whoever comes next.
        let _ = std::fs::remove_file(&self.path);
        let _ = std::fs::remove_file(self.lock.path());
    }
}

fn lock_of(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".lock");
    PathBuf::from(name)
}

fn cannot(path: &Path, error: &str) -> Option<Door> {
    tracing::warn!("nobody can call this service: no socket at `{}`: {error}", path.display());
    None
}

fn started_twice(name: &str, instance: &str, holder: &Holder) -> String {
    let next = instance.parse::<u32>().map_or_else(|_| "2".to_owned(), |number| (number + 1).to_string());
    format!(
        "`{name}@{instance}` runs already{}: end that first, or start this one as another instance, `PROGRAM CONFIG {name} {next}`",
        holder.in_brackets()
    )
}

/// Says why, and closes. Waits for nobody: a new connection has room for a line.
fn refuse(stream: &UnixStream) {
    tracing::warn!("a connection for a call was refused: {CONNECTIONS_LIMIT} others are busy");
    let _ = stream.try_write(&connection::too_many());
}
