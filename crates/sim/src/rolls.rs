//! The books of restarts one after the other: whose turn it is, worked out a second time.

use std::collections::VecDeque;

use mainstay_decide::{AskedRestart, Project, Standing, Turn as Order};
use mainstay_model::{Condition, RunId, ServiceId, ServiceName};

use crate::book::{Book, Record};

/// The restarts of one service's instances that are still to come.
#[derive(Clone, Debug, Default)]
pub(crate) struct Roll {
    /// Which is under way, and the latest run that it had before.
    pub(crate) current: Option<(ServiceId, RunId)>,
    pub(crate) rest: VecDeque<Turn>,
}

/// One that is to be restarted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Turn {
    id: ServiceId,
    /// For its description; else somebody asked for it.
    changed: bool,
}

impl Roll {
    /// This one has no turn any more.
    pub(crate) fn leave(&mut self, id: &ServiceId) {
        self.rest.retain(|turn| turn.id != *id);
    }
}

impl Record {
    /// The latest run of which anything was asked for.
    fn latest_run(&self) -> RunId {
        self.live.as_ref().map_or(self.last_run, |live| live.run)
    }
}

impl Book {
    /// Somebody asked for these to be restarted one after the other.
    pub(crate) fn roll(&mut self, ids: &[ServiceId]) {
        for id in ids {
            self.take_turn(id, false, true);
        }
    }

    /// Another daemon goes on with restarts that somebody asked for.
    pub(crate) fn resume_restarts(&mut self, asked: &[AskedRestart]) {
        for AskedRestart { id, run, turn } in asked {
            let Some(record) = self.records.get_mut(id).filter(|record| record.wanted) else { continue };
            let Some(live) = record.live.as_ref().map(|live| live.run) else { continue };
            match turn {
                Order::AtOnce if live == *run => record.restart(),
                Order::InTurn if live == *run => self.take_turn(id, false, true),
                Order::InTurn if live > *run => {
                    let roll = self.rolls.entry(id.name.clone()).or_default();
                    roll.current.get_or_insert((id.clone(), *run));
                }
                Order::AtOnce | Order::InTurn => {}
            }
        }
    }

    /// These are made of another description than the one of now.
    pub(crate) fn changed(&mut self, ids: &[ServiceId]) {
        for id in ids {
            let rolling = self.records.get(id).is_some_and(|record| record.spec.rolling);
            self.take_turn(id, true, rolling);
        }
    }

    fn take_turn(&mut self, id: &ServiceId, changed: bool, rolls: bool) {
        let Some(record) = self.records.get_mut(id) else { return };
        if let Some(roll) = self.rolls.get_mut(&id.name) {
            roll.leave(id);
        }
        match (rolls && record.wanted && record.live.is_some(), changed) {
            (true, _) => {
                let roll = self.rolls.entry(id.name.clone()).or_default();
                let turn = Turn { id: id.clone(), changed };
                match roll.current.take_if(|(current, _)| current == id) {
                    Some(_) => roll.rest.push_front(turn),
                    None => roll.rest.push_back(turn),
                }
            }
            (false, true) => record.changed(),
            (false, false) => record.restart(),
        }
    }

    /// This one is restarted at once.
    pub(crate) fn leave_roll(&mut self, id: &ServiceId) {
        if let Some(roll) = self.rolls.get_mut(&id.name) {
            roll.leave(id);
        }
    }

    /// Gives the next its turn, as far as the one before has come.
    pub(crate) fn advance(&mut self, name: &ServiceName) {
        loop {
            let Some(roll) = self.rolls.get_mut(name) else { return };
            let current = roll.current.clone();
            if current.is_some_and(|(id, before)| !self.has_rolled(&id, before)) {
                return;
            }
            let next = self.rolls.get_mut(name).and_then(|roll| roll.rest.pop_front());
            let Some(turn) = next else {
                self.rolls.remove(name);
                return;
            };
            let Some(record) = self.records.get_mut(&turn.id) else { continue };
            let current = record.wanted.then(|| (turn.id.clone(), record.latest_run()));
            match (record.wanted, turn.changed) {
                (_, true) => record.changed(),
                (true, false) => record.restart(),
                (false, false) => {}
            }
            if let Some(roll) = self.rolls.get_mut(name) {
                roll.current = current;
            }
        }
    }

    fn has_rolled(&self, id: &ServiceId, before: RunId) -> bool {
        let Some(record) = self.records.get(id).filter(|record| record.wanted) else { return true };
        record.meets(Condition::Ready) && record.latest_run() > before
    }

    /// At the end of a call: each goes on as far as it can, and is over when the one that is under way will not come up.
    pub(crate) fn advance_all(&mut self, project: &Project) {
        let names: Vec<ServiceName> = self.rolls.keys().cloned().collect();
        for name in names {
            self.advance(&name);
            let current = self.rolls.get(&name).and_then(|roll| roll.current.clone());
            let failed = |id: &ServiceId| {
                let wanted = self.records.get(id).is_some_and(|record| record.wanted);
                wanted && project.standing_up(id) == Standing::Failed
            };
            if current.is_some_and(|(id, _)| failed(&id)) {
                self.rolls.remove(&name);
            }
        }
    }
}
