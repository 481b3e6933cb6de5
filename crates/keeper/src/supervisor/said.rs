//! What a run said of itself: what of it is still so, and what the daemon has not heard. It does not know how it was said.

use mainstay_wire::WireNotice;

/// What of a run's words is still so: one of each kind at most.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Said {
    ready: bool,
    doing: Option<Doing>,
    status: Option<String>,
    errno: Option<i32>,
    main_pid: Option<u32>,
    watchdog_ms: Option<u64>,
    /// It asked to be taken for hung, and nobody has heard it yet.
    trigger: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Doing {
    Reloading,
    Stopping,
}

impl Said {
    /// What a record says that was said.
    pub fn of(notices: &[WireNotice]) -> Self {
        let mut said = Self::default();
        for notice in notices {
            said.take(notice);
        }
        said
    }

    /// Whether it says something new that lasts.
    pub fn take(&mut self, notice: &WireNotice) -> bool {
        let before = self.clone();
        match notice {
            WireNotice::Ready => {
                self.ready = true;
                self.doing = self.doing.filter(|doing| *doing != Doing::Reloading);
            }
            WireNotice::Reloading => self.doing = Some(Doing::Reloading),
            WireNotice::Stopping => self.doing = Some(Doing::Stopping),
            WireNotice::Status(text) => self.status = Some(text.clone()).filter(|text| !text.is_empty()),
            WireNotice::Errno(number) => self.errno = Some(*number),
            WireNotice::MainPid(pid) => self.main_pid = Some(*pid),
            WireNotice::WatchdogMs(span) => self.watchdog_ms = Some(*span),
            WireNotice::Trigger => self.trigger = true,
            WireNotice::Alive | WireNotice::ExtendMs(_) => {}
        }
        *self != before
    }

    /// Whether it said that it is ready.
    pub fn is_ready(&self) -> bool {
        self.ready
    }

    /// A daemon has heard everything; whether that changed anything.
    pub fn was_heard(&mut self) -> bool {
        std::mem::take(&mut self.trigger)
    }

    /// As notices that say the same to one who has heard nothing: ready comes first, so that a reload after it is one.
    pub fn notices(&self) -> Vec<WireNotice> {
        let doing = self.doing.map(|doing| match doing {
            Doing::Reloading => WireNotice::Reloading,
            Doing::Stopping => WireNotice::Stopping,
        });
        [
            self.main_pid.map(WireNotice::MainPid),
            self.watchdog_ms.map(WireNotice::WatchdogMs),
            self.ready.then_some(WireNotice::Ready),
            self.status.clone().map(WireNotice::Status),
            self.errno.map(WireNotice::Errno),
            doing,
            self.trigger.then_some(WireNotice::Trigger),
        ]
        .into_iter()
        .flatten()
        .collect()
    }
}

/// Adds a notice to those that the daemon is still to be told. The latest of each kind is enough.
pub(super) fn add(untold: &mut Vec<WireNotice>, notice: WireNotice) {
    let kind = std::mem::discriminant(&notice);
    untold.retain(|other| std::mem::discriminant(other) != kind);
    untold.push(notice);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_still_so_is_kept_and_told_in_an_order_that_makes_sense() {
        let mut said = Said::default();
        assert!(said.take(&WireNotice::Status("starting".to_owned())));
        assert!(said.take(&WireNotice::Ready) && !said.take(&WireNotice::Ready));
        assert!(!said.take(&WireNotice::Alive) && !said.take(&WireNotice::ExtendMs(5)));
        assert!(said.take(&WireNotice::Reloading));
        said.take(&WireNotice::Status("serving".to_owned()));
        said.take(&WireNotice::MainPid(7));
        said.take(&WireNotice::WatchdogMs(20));
        said.take(&WireNotice::Errno(2));
        said.take(&WireNotice::Trigger);
        let told = [
            WireNotice::MainPid(7),
            WireNotice::WatchdogMs(20),
            WireNotice::Ready,
            WireNotice::Status("serving".to_owned()),
            WireNotice::Errno(2),
            WireNotice::Reloading,
            WireNotice::Trigger,
        ];
        assert_eq!(said.notices(), told);
        assert_eq!(Said::of(&told), said);
        assert!(said.was_heard() && !said.was_heard() && said.is_ready());
        assert_eq!(said.notices(), told[..6]);
    }

    #[test]
    fn ready_ends_a_reload_and_not_an_end() {
        let of = |notices: &[WireNotice]| Said::of(notices).notices();
        assert_eq!(of(&[WireNotice::Reloading, WireNotice::Ready]), [WireNotice::Ready]);
        let ending = [WireNotice::Ready, WireNotice::Stopping];
        assert_eq!(of(&[WireNotice::Stopping, WireNotice::Ready]), ending);
        assert_eq!(of(&[WireNotice::Status("x".to_owned()), WireNotice::Status(String::new())]), []);
    }

    #[test]
    fn of_what_waits_the_latest_of_each_kind_is_enough() {
        let mut untold = Vec::new();
        for number in 0..100 {
            add(&mut untold, WireNotice::Status(number.to_string()));
            add(&mut untold, WireNotice::Alive);
        }
        add(&mut untold, WireNotice::Reloading);
        add(&mut untold, WireNotice::Ready);
        add(&mut untold, WireNotice::Reloading);
        let left = [
            WireNotice::Status("99".to_owned()),
            WireNotice::Alive,
            WireNotice::Ready,
            WireNotice::Reloading,
        ];
        assert_eq!(untold, left);
    }
}
