//! `list`, `status` and `follow`: reading.

use mainstay_model::ServiceId;
use mainstay_wire::Reply;
use tokio::sync::{mpsc, oneshot};

use super::{answer, names::chosen};
use crate::brain::Brain;

pub(super) fn list(brain: &mut Brain, reply: oneshot::Sender<Reply>) {
    let ids: Vec<ServiceId> = brain.runner.project().ids().cloned().collect();
    answer(reply, Ok(brain.services(&ids)));
}

pub(super) fn status(brain: &mut Brain, service: &str, reply: oneshot::Sender<Reply>) {
    let ids: Vec<ServiceId> = brain.runner.project().ids().cloned().collect();
    let found = chosen(&[service.to_owned()], ids.iter());
    let result = found.map(|found| {
        let found: Vec<ServiceId> = ids.iter().filter(|id| found.contains(id)).cloned().collect();
        brain.services(&found)
    });
    answer(reply, result);
}

pub(super) fn follow(brain: &mut Brain, sender: mpsc::Sender<Reply>) {
    let ids: Vec<ServiceId> = brain.runner.project().ids().cloned().collect();
    let first = brain.services(&ids);
    if sender.try_send(Ok(first).into()).is_ok() {
        brain.followers.add(sender);
    }
}
