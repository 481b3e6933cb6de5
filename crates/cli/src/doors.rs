//! The doors of the daemon: which there are, and what each is handed. Knows no protocol.

use std::{path::Path, sync::Arc};

use mainstay_daemon::Doors;
use mainstay_supervisorctl::Supervisorctl;
use mainstay_wire::ConfigView;

use crate::{
    places::{ProjectFile, Surroundings},
    project,
};

/// Those of a daemon whose logs are below `logs_dir`.
pub(crate) fn doors(logs_dir: &Path) -> Doors {
    let supervisorctl = Supervisorctl::new(logs_dir.to_owned(), Box::new(is_unread));
    Doors { http: Some(Arc::new(supervisorctl)) }
}

/// Whether the files on disk are others than those that run. So are files that make no project, here where the variables of a
/// terminal are not.
fn is_unread(running: &ConfigView) -> bool {
    let Some(first) = running.files.first() else { return true };
    let project = || {
        let surroundings = Surroundings::read().ok()?;
        let file = ProjectFile::named(Path::new(first), &surroundings).ok()?;
        project::load(&file, &surroundings).ok()
    };
    project().is_none_or(|project| project.fingerprint != running.fingerprint)
}
