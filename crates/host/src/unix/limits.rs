//! Limits of this process (`getrlimit(2)`), raised for ourselves and put back for those that we start.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Limits as they were when this process began.
#[derive(Clone, Debug)]
pub struct Limits {
    pub(crate) originals: Vec<(Resource, Rlimit)>,
}

impl Limits {
    /// Raises the limits on descriptors (one process holds those of all services) and on the size of files (a write beyond
    /// it kills) as far as they go, and remembers what they were.
    pub fn raise() -> Self {
        let originals = [Resource::Nofile, Resource::Fsize].map(|resource| (resource, getrlimit(resource)));
        for (resource, limit) in &originals {
            let raised = Rlimit { current: limit.maximum, maximum: limit.maximum };
            // One that cannot be raised stays as it is.
            let _ = setrlimit(*resource, raised);
        }
        Self { originals: originals.into() }
    }

    /// Puts them back for this process itself, whose next program shall find them as they were.
    pub(crate) fn restore(&self) {
        for (resource, limit) in &self.originals {
            let _ = setrlimit(*resource, *limit);
        }
    }

    /// Leaves everything as it is.
    pub fn unchanged() -> Self {
        Self { originals: Vec::new() }
    }
}
