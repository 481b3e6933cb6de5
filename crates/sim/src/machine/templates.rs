//! What the services of a storm are: few, and of each kind that a death could treat differently.

use std::{path::PathBuf, time::Duration};

use mainstay_model::{
    Attempts, Command, Condition, Dependency, Kind, ReadyCheck, ReadyPolicy, RestartPolicy, RestartWhen,
    ServiceId, ServiceName, Spec, StopPolicy,
};
use mainstay_wire::{LogFile, RecordPhase, SlotRecord, WireExit};

use crate::machine::{NAMESPACE, SLOTS, SlotNo, daemon::slot_of};

/// How long a service is waited for to be ready: nobody is to fail for that.
const READY_TIMEOUT: Duration = Duration::from_secs(1_000_000);

/// How long after a failure it is started again.
const DELAY: Duration = Duration::from_millis(3);

/// How long one may take to end.
const STOP_TIMEOUT: Duration = Duration::from_millis(40);

/// The descriptions, and what they say in short.
#[derive(Debug)]
pub(crate) struct Templates {
    /// By slot; the first stands for the daemon.
    pub(crate) ids: Vec<ServiceId>,
    pub(crate) specs: Vec<Spec>,
    pub(crate) needs: [Option<(SlotNo, Condition)>; SLOTS],
    records: Vec<SlotRecord>,
}

impl Templates {
    /// One of a few projects.
    pub(crate) fn of(kind: usize) -> Self {
        let ids: Vec<ServiceId> = (0..SLOTS).filter_map(|slot| name(slot).map(ServiceId::single)).collect();
        let mut needs = [None; SLOTS];
        needs[2] = Some((1, Condition::Ready));
        if kind.is_multiple_of(2) {
            needs[4] = Some((3, Condition::Completed));
        } else {
            needs[3] = Some((2, Condition::Started));
        }
        let specs: Vec<Spec> = ids.iter().skip(1).filter_map(|id| spec(id, needs[slot_of(id)])).collect();
        let records = (0..SLOTS).map(|slot| record(slot, &specs)).collect();
        Self { ids, specs, needs, records }
    }

    /// The record of a run that is about to begin (`Supervisor::intent`).
    pub(crate) fn intent(&self, slot: SlotNo, run: u64, boot_id: &str, memo: String) -> SlotRecord {
        SlotRecord { run, boot_id: boot_id.to_owned(), memo, ..self.records[slot].clone() }
    }

    /// Whether one that ended like this by itself is left alone.
    pub(crate) fn stays(&self, slot: SlotNo, exit: WireExit) -> bool {
        let spec = self.specs.iter().find(|spec| slot_of(&spec.id) == slot);
        spec.is_some_and(|spec| match spec.restart.when {
            RestartWhen::Never => true,
            RestartWhen::OnFailure => exit == WireExit::Code(0),
            RestartWhen::Always => false,
        })
    }

    /// Whether its process has a notify socket.
    pub(crate) fn reports(&self, slot: SlotNo) -> bool {
        self.records[slot].notify.is_some()
    }

    /// Whether it is to end by itself.
    pub(crate) fn is_oneshot(&self, slot: SlotNo) -> bool {
        self.specs.iter().any(|spec| slot_of(&spec.id) == slot && spec.kind == Kind::Oneshot)
    }
}

fn name(slot: SlotNo) -> Option<ServiceName> {
    format!("s{slot}").parse().ok()
}

/// Of each kind one: it says that it is ready; it is left alone after a success; it ends; it is always started again.
fn spec(id: &ServiceId, needs: Option<(SlotNo, Condition)>) -> Option<Spec> {
    let slot = slot_of(id);
    let kind = if slot == 3 { Kind::Oneshot } else { Kind::Permanent };
    let when = match slot {
        3 => RestartWhen::Never,
        4 => RestartWhen::Always,
        _ => RestartWhen::OnFailure,
    };
    let ready = (slot == 1).then_some(ReadyPolicy {
        check: ReadyCheck::Notify,
        timeout: READY_TIMEOUT,
        interval: DELAY,
        probe_timeout: DELAY,
    });
    let dependency = needs.and_then(|(on, until)| Some(Dependency { on: name(on)?, until, restart: false }));
    let spec = Spec::new(id.clone(), kind, Command::new(["./serve".to_owned()])?, PathBuf::from("/"));
    Some(Spec {
        ready,
        depends_on: dependency.into_iter().collect(),
        restart: RestartPolicy {
            delay: DELAY,
            max_delay: DELAY,
            factor_milli: 1_000,
            attempts: Attempts::Unlimited,
            ..RestartPolicy::with(when)
        },
        stop: StopPolicy { timeout: STOP_TIMEOUT, ..spec.stop },
        ..spec
    })
}

fn record(slot: SlotNo, specs: &[Spec]) -> SlotRecord {
    let notify = specs.iter().any(|spec| slot_of(&spec.id) == slot && spec.reports().notify);
    SlotRecord {
        slot: if slot == 0 { mainstay_wire::DAEMON_SLOT.to_owned() } else { format!("s{slot}") },
        run: 0,
        boot_id: String::new(),
        pid_namespace: NAMESPACE,
        phase: RecordPhase::Made {
            program: "./serve".to_owned(),
            dir: "/".to_owned(),
            path: None,
            user: None,
        },
        acknowledged: false,
        log: LogFile::default(),
        memo: String::new(),
        marks: Vec::new(),
        notify: notify.then(|| "/run/notify".to_owned()),
        ready_pipe: false,
        said: Vec::new(),
        main: None,
    }
}
