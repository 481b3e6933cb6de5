//! What runs say of themselves: taken in, recorded, handed on. The daemon decides what it means; a main process that is named
//! is the keeper's own affair.
//!
//! A datagram is looked at, then what of it lasts is recorded, and only then it is dropped. So a keeper that is killed in
//! between leaves it to the next one, which takes it in once more: nothing that is said is said for one moment only, or may not
//! be said twice.

use mainstay_host::{Datagram, drop_datagram, effective_uid, peek_datagram, peek_pipe, take_bytes};
use mainstay_wire::{FromKeeper, NOTIFY_LIMIT, WireNotice, notices};

use super::{Supervisor, reports::user_of, said::add};
use crate::report::say;

/// Datagrams of one run taken in at one time: whoever talks without end holds up nobody else.
const AT_ONCE: usize = 32;

/// Datagrams of one run taken in at its end, when nobody is left who could add to them.
const AT_END: usize = 1024;

/// Bytes of a pipe looked at at one time.
const PIPE_BYTES: usize = 4096;

impl Supervisor {
    /// Its socket has something for us.
    pub(super) fn socket_event(&mut self, index: usize) {
        self.hear(index, AT_ONCE);
    }

    /// Takes in everything that a run has said until now.
    pub(super) fn hear_out(&mut self, index: usize) {
        self.pipe_event(index);
        self.hear(index, AT_END);
    }

    fn hear(&mut self, index: usize, at_most: usize) {
        let mut buffer = [0; NOTIFY_LIMIT];
        for _ in 0..at_most {
            let Some(slot) = self.slots.get(index) else { return };
            let Some(socket) = slot.reports.as_ref().and_then(|reports| reports.socket.as_ref()) else {
                return;
            };
            let datagram = match peek_datagram(socket, &mut buffer) {
                Ok(Some(datagram)) => datagram,
                Ok(None) => return,
                Err(error) => {
                    say(format_args!("`{}` is not heard any more: {error}", slot.record.slot));
                    return self.poller.remove(socket);
                }
            };
            match self.worth(index, datagram) {
                Ok(()) => self.take_in(index, notices(buffer.get(..datagram.length).unwrap_or_default())),
                Err(why) => self.ignore(index, &why),
            }
            crate::fault::point();
            // A descriptor that came with it, as one does with `BARRIER=1`, is closed by this: what was said before is taken in.
            if let Some(socket) =
                self.slots.get(index).and_then(|slot| slot.reports.as_ref()?.socket.as_ref())
            {
                drop_datagram(socket);
            }
        }
    }

    /// Whether a datagram counts, or why not.
    fn worth(&self, index: usize, datagram: Datagram) -> Result<(), String> {
        let user = self.slots.get(index).and_then(|slot| user_of(&slot.record));
        match datagram.user {
            Some(sender) if sender == 0 || sender == effective_uid() || Some(sender) == user => {}
            Some(sender) => return Err(format!("user {sender} is not its user")),
            None => return Err("nobody knows who said them".to_owned()),
        }
        if datagram.length > NOTIFY_LIMIT {
            return Err(format!("{} bytes are more than {NOTIFY_LIMIT}", datagram.length));
        }
        Ok(())
    }

    fn ignore(&mut self, index: usize, why: &str) {
        let Some(slot) = self.slots.get_mut(index) else { return };
        let Some(reports) = &mut slot.reports else { return };
        reports.ignored += 1;
        if reports.ignored == 1 {
            say(format_args!("words for `{}` are ignored: {why}", slot.record.slot));
        }
    }

    /// Its pipe has something for us.
    pub(super) fn pipe_event(&mut self, index: usize) {
        let mut buffer = [0; PIPE_BYTES];
        for _ in 0..AT_ONCE {
            let Some(slot) = self.slots.get(index) else { return };
            let Some(pipe) = slot.reports.as_ref().and_then(|reports| reports.pipe.as_ref()) else { return };
            let (peeked, is_taken) = match peek_pipe(pipe, &mut buffer) {
                Err(error) if error.kind() != std::io::ErrorKind::WouldBlock => {
                    // There is no room for looking first.
                    (take_bytes(pipe, &mut buffer), true)
                }
                peeked => (peeked, false),
            };
            let length = match peeked {
                Ok(length) => length,
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => return,
                Err(_) => 0,
            };
            let bytes = buffer.get_mut(..length).unwrap_or_default();
            if bytes.contains(&b'\n') {
                self.take_in(index, vec![WireNotice::Ready]);
                crate::fault::point();
                return self.close_pipe(index);
            }
            if length == 0 {
                return self.close_pipe(index);
            }
            if !is_taken {
                let _ = take_bytes(pipe, bytes);
            }
        }
    }

    fn take_in(&mut self, index: usize, notices: Vec<WireNotice>) {
        let mut is_new = false;
        for notice in notices {
            if let WireNotice::MainPid(pid) = notice
                && !self.name_main(index, pid)
            {
                continue;
            }
            let Some(reports) = self.slots.get_mut(index).and_then(|slot| slot.reports.as_mut()) else {
                return;
            };
            is_new |= reports.said.take(&notice);
            add(&mut reports.untold, notice);
        }
        if is_new {
            self.record_said(index);
        }
        if !self.talkative.contains(&index) {
            self.talkative.push(index);
        }
    }

    fn record_said(&mut self, index: usize) {
        let Some(slot) = self.slots.get_mut(index) else { return };
        let Some(reports) = &slot.reports else { return };
        slot.record.said = reports.said.notices();
        slot.store.write(&slot.record);
    }

    /// Tells the daemon what was said in this turn. One that does not keep up is told the latest once it does.
    pub(super) fn tell_notices(&mut self) {
        if self.talkative.is_empty() || self.daemon.is_behind() {
            return;
        }
        for index in std::mem::take(&mut self.talkative) {
            self.tell_notices_of(index);
        }
    }

    /// The same of one run.
    pub(super) fn tell_notices_of(&mut self, index: usize) {
        let Some(slot) = self.slots.get_mut(index) else { return };
        let Some(reports) = &mut slot.reports else { return };
        let untold = std::mem::take(&mut reports.untold);
        // When nobody listens, what is still so comes with the snapshot.
        if untold.is_empty() || !self.daemon.is_listening() {
            return;
        }
        let (slot, run) = (slot.record.slot.clone(), slot.record.run);
        self.daemon.send(&FromKeeper::Notified { slot, run, notices: untold });
        if reports.said.was_heard() {
            self.record_said(index);
        }
    }

    /// A daemon was told by a snapshot what is still so.
    pub(super) fn notices_were_heard(&mut self) {
        let reporting = self.slots.iter().filter(|(_, slot)| slot.reports.is_some());
        for index in reporting.map(|(index, _)| index).collect::<Vec<usize>>() {
            let Some(reports) = self.slots.get_mut(index).and_then(|slot| slot.reports.as_mut()) else {
                continue;
            };
            // What is true of one moment only is in no snapshot.
            reports.untold.retain(|notice| matches!(notice, WireNotice::Alive | WireNotice::ExtendMs(_)));
            if reports.said.was_heard() {
                self.record_said(index);
            }
        }
    }
}
