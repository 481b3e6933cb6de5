//! What wakes the thread that draws, and how others ring for it.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::mpsc::SyncSender,
    thread,
};

use mainstay_top::Input;

/// Something for the thread that draws.
#[derive(Debug)]
pub(super) enum Wake {
    /// Something for the model.
    Input(Input),
    /// Lines of logs can be fetched.
    Written,
    /// The process goes on after it was stopped.
    Continued,
    /// Somebody wants it to end.
    End,
    /// The terminal cannot be read any more.
    Unreadable(std::io::Error),
    /// A thread is gone that should not be; the panic has said why.
    Broken,
}

/// Rings for the thread that draws.
#[derive(Clone, Debug)]
pub(super) struct Bell(SyncSender<Wake>);

/// Nobody draws any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Gone;

impl Bell {
    pub(super) fn new(sender: SyncSender<Wake>) -> Self {
        Self(sender)
    }

    /// Tells something, and waits while there is no room for it.
    pub(super) fn ring(&self, wake: Wake) -> Result<(), Gone> {
        self.0.send(wake).map_err(|_| Gone)
    }

    /// Tells the model something.
    pub(super) fn tell(&self, input: Input) -> Result<(), Gone> {
        self.ring(Wake::Input(input))
    }

    /// A thread that rings. When it panics, the view ends, rather than going on without it.
    pub(super) fn spawn(&self, work: impl FnOnce(&Self) + Send + 'static) {
        let bell = self.clone();
        thread::spawn(move || {
            if catch_unwind(AssertUnwindSafe(|| work(&bell))).is_err() {
                // Whether somebody still draws makes no difference here.
                let _ = bell.ring(Wake::Broken);
            }
        });
    }
}
