//! `list`, `status` and `follow`: reading.

use mainstay_model::{RunId, ServiceId};
use mainstay_wire::{Answer, Reply, ToKeeper};
use tokio::sync::{mpsc, oneshot};

use super::{answer, names::chosen};
use crate::{brain::Brain, view};

pub(super) fn list(brain: &mut Brain, reply: oneshot::Sender<Reply>) {
    let ids: Vec<ServiceId> = brain.runner.project().ids().cloned().collect();
    answer(reply, Ok(brain.services(&ids)));
}

pub(super) fn status(brain: &mut Brain, service: &str, reply: oneshot::Sender<Reply>) {
    let ids: Vec<ServiceId> = brain.runner.project().ids().cloned().collect();
    let found = chosen(&[service.to_owned()], ids.iter());
    match found {
        Err(error) => answer(reply, Err(error)),
        Ok(found) => {
            let found = ids.iter().filter(|id| found.contains(id)).cloned().collect();
            // Only the keeper knows what was written meanwhile.
            if brain.logs.ask(found, reply) {
                brain.tell(&ToKeeper::LogCounts);
            }
        }
    }
}

/// The keeper told what became of all output: whoever asked for a status is answered.
pub(super) fn counted(brain: &mut Brain) {
    for (ids, reply) in brain.logs.take_asking() {
        let services = brain.services(&ids);
        answer(reply, Ok(in_detail(brain, &ids, services)));
    }
}

/// The same, each with its details. What is no more has none.
fn in_detail(brain: &mut Brain, ids: &[ServiceId], mut answer: Answer) -> Answer {
    if let Answer::Services { services, .. } = &mut answer
        && services.len() == ids.len()
    {
        for (service, id) in services.iter_mut().zip(ids) {
            let calls = brain.runner.execution().calls(id).filter(|_| service.pid.is_some());
            let calls = calls.map(|path| path.to_string_lossy().into_owned());
            service.details = view::details(brain.runner.project(), id, calls).map(Box::new);
            service.monitor = brain.monitors.of(id, RunId(service.run)).cloned();
        }
    }
    answer
}

pub(super) fn follow(brain: &mut Brain, sender: mpsc::Sender<Reply>) {
    let ids: Vec<ServiceId> = brain.runner.project().ids().cloned().collect();
    let first = brain.services(&ids);
    if sender.try_send(Ok(first).into()).is_ok() {
        brain.followers.add(sender);
    }
}
