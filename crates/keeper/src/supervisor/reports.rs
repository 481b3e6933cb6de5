//! The ways by which a run tells how it is: a notify socket, and a pipe on which a newline says that it is ready. They are
//! made before the process and held by the anchor as well, so that what is said while there is no keeper waits in them. What
//! is said is not known here.

use std::{
    collections::BTreeSet,
    fs, io,
    os::fd::OwnedFd,
    path::{Path, PathBuf},
};

use mainstay_host::{Interest, bind_datagrams, effective_uid, passable_dir, private_dir, word_pipe};
use mainstay_wire::{RecordPhase, SlotRecord, ToAnchor, WireNotice, WireReports, errors_of};

use super::{
    Supervisor, Token,
    begin::{Order, PROCESS, process_name},
    output::fifo_name,
    said::Said,
    slots::{Slot, State},
};
use crate::{
    PLACE_HELP,
    options::notify_socket,
    report::{chain, say},
};

/// What tells a program where its socket is (`sd_notify(3)`).
const VARIABLE: &str = "NOTIFY_SOCKET=";

/// The highest number of a descriptor that a program may ask for: programs close those above, and limits begin there.
const READY_FD_LIMIT: u32 = 1023;

/// The lowest: below are its standard streams.
const READY_FD_LOWEST: u32 = 3;

/// The ways of a run, and what it said on them.
#[derive(Debug, Default)]
pub(super) struct Reports {
    pub(super) socket: Option<OwnedFd>,
    pub(super) pipe: Option<OwnedFd>,
    pub(super) said: Said,
    /// What the daemon is still to be told.
    pub(super) untold: Vec<WireNotice>,
    /// It named a main process that is none of its own.
    pub(super) has_named_stranger: bool,
    /// Datagrams that did not count.
    pub(super) ignored: u64,
}

fn socket_name(slot: &str) -> String {
    format!("notify:{slot}")
}

fn pipe_name(slot: &str) -> String {
    format!("ready:{slot}")
}

impl Supervisor {
    /// Whether a program can have what it asks for.
    pub(super) fn check_reports(order: &Order) -> Result<(), String> {
        match order.reports.fd {
            Some(number) if !(READY_FD_LOWEST..=READY_FD_LIMIT).contains(&number) => Err(format!(
                "descriptor {number} cannot say that it is ready: {READY_FD_LOWEST} to {READY_FD_LIMIT} can"
            )),
            Some(number) if order.pass.iter().any(|(_, other)| u32::try_from(*other) == Ok(number)) => {
                Err(format!("descriptor {number} is needed for something else"))
            }
            Some(_) | None => Ok(()),
        }
    }

    /// Makes the ways of a run that is about to begin, and tells the program of them.
    pub(super) fn open_reports(
        &mut self,
        order: &mut Order,
        record: &mut SlotRecord,
    ) -> Result<Option<Box<Reports>>, String> {
        if order.reports == WireReports::default() {
            return Ok(None);
        }
        let mut reports = Box::<Reports>::default();
        if let Some(number) = order.reports.fd {
            let failed = |error| format!("cannot make a pipe: {error}");
            let number = i32::try_from(number).map_err(|error| error.to_string())?;
            let (reading, writing) = word_pipe().map_err(failed)?;
            order.pass.push((writing, number));
            record.ready_pipe = true;
            reports.pipe = Some(reading);
        }
        if order.reports.notify {
            let user = order.program.identity.as_ref().map(|identity| identity.uid);
            let (path, socket) = self.bind(&order.slot, user)?;
            order.program.env.retain(|pair| !pair.starts_with(VARIABLE));
            order.program.env.push(format!("{VARIABLE}{path}"));
            record.notify = Some(path);
            reports.socket = Some(socket);
        }
        if let Some(pipe) = &reports.pipe {
            self.hold(pipe_name(&order.slot), pipe);
        }
        if let Some(socket) = &reports.socket {
            self.hold(socket_name(&order.slot), socket);
        }
        Ok(Some(reports))
    }

    /// The ways by which runs tell how they are, each under its name.
    pub(super) fn report_descriptors(&self) -> Vec<(String, OwnedFd)> {
        let mut all = Vec::new();
        for (_, slot) in self.slots.iter() {
            let Some(reports) = &slot.reports else { continue };
            let name = &slot.record.slot;
            let both =
                [(socket_name(name), reports.socket.as_ref()), (pipe_name(name), reports.pipe.as_ref())];
            for (name, descriptor) in both {
                all.extend(descriptor.and_then(|descriptor| Some((name, descriptor.try_clone().ok()?))));
            }
        }
        all
    }

    /// A new socket for a slot, and its path.
    fn bind(&self, slot: &str, user: Option<u32>) -> Result<(String, OwnedFd), String> {
        let Some(user) = user.filter(|user| *user != effective_uid()) else {
            let dir = self.options.notify_dir();
            let made = private_dir(&dir).map_err(|error| chain(&error));
            return made
                .and_then(|()| bind_in(&dir, slot, None))
                .map_err(|error| format!("{error}; {PLACE_HELP}"));
        };
        let mut troubles = String::new();
        for dir in self.options.shared_notify_dirs() {
            let made = passable_dir(&dir).map_err(|error| chain(&error));
            match made.and_then(|()| bind_in(&dir, slot, Some(user))) {
                Ok(bound) => return Ok(bound),
                Err(trouble) if troubles.is_empty() => troubles = trouble,
                Err(trouble) => troubles = format!("{troubles}; {trouble}"),
            }
        }
        Err(troubles)
    }

    /// The ways of a run that goes on, or of one that ended with something said and not heard: from the anchor.
    pub(super) fn reattach_reports(&mut self, index: usize) {
        let Some(Slot { record, .. }) = self.slots.get(index) else { return };
        if record.notify.is_none() && !record.ready_pipe {
            return;
        }
        let name = record.slot.clone();
        let mut reports = Box::new(Reports { said: Said::of(&record.said), ..Reports::default() });
        if let Some(path) = &record.notify {
            let user = user_of(record).filter(|user| *user != effective_uid());
            let (held, path) = (self.held.remove(&socket_name(&name)), path.clone());
            match held.map_or_else(|| self.bind_again(&name, &path, user), Ok) {
                Ok(socket) => reports.socket = Some(socket),
                Err(error) => say(format_args!("`{name}` is not heard any more: `{path}`: {error}")),
            }
        }
        let waits = !reports.said.is_ready();
        match self.held.remove(&pipe_name(&name)) {
            Some(pipe) if waits => reports.pipe = Some(pipe),
            // It said so already, or closed it without a word.
            Some(_) => self.release(pipe_name(&name)),
            None => {}
        }
        if let Some(slot) = self.slots.get_mut(index) {
            slot.reports = Some(reports);
        }
    }

    /// Nobody held the socket: what was said is lost, and what is said from now on is heard.
    fn bind_again(&mut self, slot: &str, path: &str, user: Option<u32>) -> io::Result<OwnedFd> {
        let socket = bind_datagrams(Path::new(path), user)?;
        self.hold(socket_name(slot), &socket);
        Ok(socket)
    }

    /// Sockets whose paths are gone are made anew: what runs say from now on is heard again.
    pub(super) fn restore_sockets(&mut self) {
        let reporting = self.slots.iter().filter(|(_, slot)| slot.reports.is_some());
        let is_lost = |slot: &Slot| slot.record.notify.as_ref().is_some_and(|path| !Path::new(path).exists());
        let lost: Vec<usize> = reporting.filter(|(_, slot)| is_lost(slot)).map(|(index, _)| index).collect();
        lost.into_iter().for_each(|index| self.restore_socket(index));
    }

    fn restore_socket(&mut self, index: usize) {
        self.hear_out(index);
        let Some(Slot { record, .. }) = self.slots.get(index) else { return };
        let (name, user) = (record.slot.clone(), user_of(record));
        let path = match self.bind(&name, user) {
            Ok((path, socket)) if Some(&path) == record.notify.as_ref() => {
                self.hold(socket_name(&name), &socket);
                return self.replace_socket(index, socket);
            }
            Ok((path, _)) => path,
            Err(error) => return say(format_args!("`{name}` is not heard any more: {error}")),
        };
        let _ = fs::remove_file(&path);
        say(format_args!("`{name}` is not heard any more: its socket would be at `{path}` now"));
    }

    fn replace_socket(&mut self, index: usize, socket: OwnedFd) {
        let Some(slot) = self.slots.get_mut(index) else { return };
        let is_listened_to = matches!(slot.state, State::Live(_));
        let Some(reports) = &mut slot.reports else { return };
        if let Some(before) = reports.socket.replace(socket) {
            self.poller.remove(&before);
        }
        if let Some(socket) = reports.socket.as_ref().filter(|_| is_listened_to) {
            let _ = self.poller.add(socket, Token::Socket(index).number(), Interest::Read);
        }
    }

    /// Listens from now on: the daemon knows of the run.
    pub(super) fn listen_to(&self, index: usize) {
        let Some(slot) = self.slots.get(index) else { return };
        let Some(reports) = &slot.reports else { return };
        let ways = [(&reports.socket, Token::Socket(index)), (&reports.pipe, Token::Pipe(index))];
        for (way, token) in ways {
            let Some(way) = way else { continue };
            if let Err(error) = self.poller.add(way, token.number(), Interest::Read) {
                say(format_args!("cannot listen to `{}`: {error}", slot.record.slot));
            }
        }
    }

    /// Nothing more will be said on the pipe, or nothing more that counts.
    pub(super) fn close_pipe(&mut self, index: usize) {
        let Some(slot) = self.slots.get_mut(index) else { return };
        let Some(pipe) = slot.reports.as_mut().and_then(|reports| reports.pipe.take()) else { return };
        self.poller.remove(&pipe);
        let name = pipe_name(&slot.record.slot);
        self.release(name);
    }

    /// The run is over: whoever speaks for it now is not heard.
    pub(super) fn close_reports(&mut self, index: usize) {
        self.close_pipe(index);
        let Some(slot) = self.slots.get_mut(index) else { return };
        let Some(reports) = slot.reports.take() else { return };
        let (name, path) = (slot.record.slot.clone(), slot.record.notify.clone());
        if reports.ignored > 1 {
            say(format_args!("{} words for `{name}` were ignored", reports.ignored));
        }
        let Some(socket) = reports.socket else { return };
        self.poller.remove(&socket);
        if let Some(path) = path {
            let _ = fs::remove_file(path);
        }
        self.release(socket_name(&name));
    }

    /// Has the anchor let go of what it was handed.
    pub(super) fn release(&mut self, name: String) {
        self.held.remove(&name);
        self.tell_anchor(&ToAnchor::Release { name });
    }

    /// What is held for a run that is over is let go, and what its log did not take is written; a slot that waits for its lock
    /// may still need it.
    pub(super) fn release_strange(&mut self) {
        let active: BTreeSet<String> = self
            .slots
            .iter()
            .filter(|(_, slot)| slot.is_active())
            .flat_map(|(_, slot)| {
                let name = slot.record.slot.as_str();
                let pipes = [fifo_name(name), fifo_name(&errors_of(name))];
                [socket_name(name), pipe_name(name), process_name(slot.main())].into_iter().chain(pipes)
            })
            .collect();
        for (name, descriptor) in std::mem::take(&mut self.held) {
            if active.contains(&name) {
                self.held.insert(name, descriptor);
            } else if [&socket_name(""), &pipe_name(""), PROCESS].iter().any(|it| name.starts_with(*it)) {
                self.release(name);
            } else if let Some(slot) = name.strip_prefix(&fifo_name("")) {
                self.empty_left_pipe(slot, &descriptor);
            }
        }
    }
}

/// The user of the run's program, when that is another than ours.
pub(super) fn user_of(record: &SlotRecord) -> Option<u32> {
    match record.phase {
        RecordPhase::Made { user, .. } => user,
        RecordPhase::NotStarted { .. } | RecordPhase::Ended { .. } => None,
    }
}

fn bind_in(dir: &Path, slot: &str, user: Option<u32>) -> Result<(String, OwnedFd), String> {
    let path: PathBuf = notify_socket(dir, slot);
    let failed = |error: &dyn std::fmt::Display| {
        format!("cannot make a notify socket at `{}`: {error}", path.display())
    };
    let text = path.to_str().ok_or_else(|| failed(&"the path is no UTF-8"))?.to_owned();
    let socket = bind_datagrams(&path, user).map_err(|error| failed(&error))?;
    Ok((text, socket))
}
