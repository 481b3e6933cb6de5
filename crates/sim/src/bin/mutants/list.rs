//! The planted faults of the core. Each is one wrong thought that somebody could have, as an exact replacement of text.

use crate::{care::CARE, machine::MACHINE};

/// All of them.
pub(crate) fn all() -> impl Iterator<Item = &'static Mutant> {
    MUTANTS.iter().chain(CARE).chain(MACHINE)
}

/// A planted fault.
#[derive(Debug)]
pub(crate) struct Mutant {
    pub(crate) name: &'static str,
    /// Which storms are to find it.
    pub(crate) kind: Kind,
    /// Below `crates/decide/src`, or below `crates` where machines are to find it.
    pub(crate) file: &'static str,
    /// Found exactly once in it.
    pub(crate) text: &'static str,
    pub(crate) replacement: &'static str,
    /// What it breaks.
    pub(crate) breaks: &'static str,
}

/// Kinds of storms.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Of `decide` and `runner`, with a modelled keeper.
    Decisions,
    /// Of modelled machines.
    Machines,
}

impl Kind {
    /// The path of a file below `crates`.
    pub(crate) fn room(self, file: &str) -> String {
        match self {
            Self::Decisions => format!("decide/src/{file}"),
            Self::Machines => file.to_owned(),
        }
    }

    /// How such storms are asked for.
    pub(crate) fn arguments(self) -> &'static [&'static str] {
        match self {
            Self::Decisions => &[],
            Self::Machines => &["--machine", "--events", "2000"],
        }
    }
}

pub(crate) const fn mutant(
    name: &'static str,
    file: &'static str,
    text: &'static str,
    replacement: &'static str,
    breaks: &'static str,
) -> Mutant {
    Mutant { name, kind: Kind::Decisions, file, text, replacement, breaks }
}

/// By what they are about: starts, ends, gates, policy, time, requests, memory, descriptions, reasons.
const MUTANTS: &[Mutant] = &[
    mutant(
        "start gate ignored",
        "start.rs",
        "match &self.start_gate {",
        "match &StartGate::Open {",
        "services start before what they need",
    ),
    mutant(
        "stale made",
        "start.rs",
        "Phase::Starting(start) if start.run == run && start.step == Step::Spawning => {",
        "Phase::Starting(start) if start.step == Step::Spawning => {",
        "a late word about an old process counts for the new one",
    ),
    mutant(
        "stale answer",
        "start.rs",
        "if self.phase.live() != Some(of) || question != self.question {",
        "if let (_, true) = ((of, question), false) {",
        "the check of an old process counts for the new one",
    ),
    mutant(
        "answer to another question",
        "start.rs",
        "if self.phase.live() != Some(of) || question != self.question {",
        "let _ = question;\n        if self.phase.live() != Some(of) {",
        "the answer of a check that was described otherwise counts for the new one",
    ),
    mutant(
        "no pause between questions",
        "start.rs",
        "*next = Some(now + pause);",
        "*next = Some(now);",
        "a service that says no is asked in a loop",
    ),
    mutant(
        "pause without an end",
        "start.rs",
        ".min(policy.interval);",
        ".max(policy.timeout);",
        "a service that says no once is not asked in time",
    ),
    mutant(
        "row kept by a fresh start",
        "start.rs",
        "        self.attempts = 0;\n        self.start(now, actions);",
        "        self.start(now, actions);",
        "a start that somebody asked for inherits the restarts of before",
    ),
    mutant(
        "wait not remembered",
        "start.rs",
        "if self.phase == Phase::WaitingForDependency {",
        "if false {",
        "a start that waits is forgotten with the daemon",
    ),
    mutant(
        "started too early",
        "service.rs",
        "Phase::Starting(start) => matches!(start.step, Step::Asking { .. } | Step::After { .. }),",
        "Phase::Starting(_) => true,",
        "what needs a process that is not made yet starts",
    ),
    mutant(
        "oneshot ready while it runs",
        "service.rs",
        "Phase::Running { .. } => self.spec.kind == Kind::Permanent || self.spec.ready.is_some(),",
        "Phase::Running { .. } => true,",
        "what needs a oneshot starts before it has completed",
    ),
    mutant(
        "ends not acknowledged",
        "end.rs",
        "actions.insert(0, Action::Acknowledge { run });",
        "",
        "the keeper keeps every end for ever",
    ),
    mutant(
        "stale ends not acknowledged",
        "end.rs",
        "actions.insert(0, Action::Acknowledge { run });",
        "if self.run == run { actions.insert(0, Action::Acknowledge { run }); }",
        "an end that is told late is told for ever",
    ),
    mutant(
        "acknowledged after the spawn",
        "end.rs",
        "actions.insert(0, Action::Acknowledge { run });",
        "actions.push(Action::Acknowledge { run });",
        "the slot is not free when the next process is asked for",
    ),
    mutant(
        "stale end",
        "end.rs",
        "if self.phase.live() == Some(run) {",
        "if self.phase.live().is_some() {",
        "the end of an old process counts for the new one",
    ),
    mutant(
        "restart after a stop",
        "end.rs",
        "Then::Stay => self.reason = self.down.clone(),",
        "Then::Stay => self.follow_failure(now, cause, actions),",
        "what somebody stopped comes back",
    ),
    mutant(
        "no kill after the time-out",
        "end.rs",
        "*stage = Stage::Killed;\n                actions.push(Action::Kill { run });",
        "*stage = Stage::Killed;",
        "what ignores its signal lives for ever",
    ),
    mutant(
        "kill twice",
        "end.rs",
        "*stage = Stage::Killed;\n                actions.push(Action::Kill { run });",
        "actions.push(Action::Kill { run });",
        "the daemon kills in a loop",
    ),
    mutant(
        "one attempt too many",
        "end.rs",
        "if self.attempts >= most) {",
        "if self.attempts > most) {",
        "it gives up one restart too late",
    ),
    mutant(
        "row never ends",
        "end.rs",
        "let long = now.since(self.since) >= self.spec.restart.reset_after;",
        "let (long, _) = (false, now);",
        "a crash a week exhausts the attempts",
    ),
    mutant(
        "row always ends",
        "end.rs",
        "let long = now.since(self.since) >= self.spec.restart.reset_after;",
        "let (long, _) = (true, now);",
        "it never gives up and never waits longer",
    ),
    mutant(
        "success codes ignored",
        "end.rs",
        "if self.spec.restart.success_exit_codes.contains(&code))",
        "if code == 0)",
        "an end that the file calls well is a failure",
    ),
    mutant(
        "unknown outcome run again",
        "end.rs",
        "if !self.spec.rerun_unknown => {",
        "if false => {",
        "a migration of which nobody saw the end runs twice",
    ),
    mutant(
        "never means once more",
        "end.rs",
        "            RestartWhen::Never => {",
        "            RestartWhen::Never if self.attempts == 0 => self.schedule_restart(now, cause, actions),\n            RestartWhen::Never => {",
        "a policy of no restarts restarts once",
    ),
    mutant(
        "backoff not capped",
        "backoff.rs",
        "wait.min(longest)",
        "wait",
        "the wait exceeds what the file allows",
    ),
    mutant(
        "backoff a step ahead",
        "backoff.rs",
        "for _ in 1..attempt {",
        "for _ in 0..attempt {",
        "the first restart waits too long",
    ),
    mutant(
        "stop gate ignored",
        "service.rs",
        "match self.stop_gate {",
        "match StopGate::Open {",
        "a stop ends what others still need",
    ),
    mutant(
        "stop gate never opens",
        "service.rs",
        "StopGate::Open if held => self.begin_stop(now, self.down.clone(), Then::Stay, actions),",
        "StopGate::Open if false && held => {}",
        "what was held for its dependents is never stopped",
    ),
    mutant(
        "stop keeps a restart",
        "service.rs",
        "                *then = Then::Stay;\n",
        "                let _ = then;\n",
        "a stop during a restart is forgotten",
    ),
    mutant(
        "restart during a stop lost",
        "service.rs",
        "Phase::Stopping { then, .. } => {\n                *then = Then::Again;",
        "Phase::Stopping { then, .. } => {\n                let _ = then;",
        "a restart during a stop is forgotten",
    ),
    mutant(
        "completed run again by up",
        "service.rs",
        "Phase::Stopped | Phase::Failed => self.start_afresh(now, actions),",
        "Phase::Stopped | Phase::Failed | Phase::Completed => self.start_afresh(now, actions),",
        "every `up` migrates again",
    ),
    mutant(
        "kill forgets the goal",
        "service.rs",
        "    fn on_kill(&mut self, actions: &mut Vec<Action>) {\n        let was = std::mem::replace(&mut self.goal, Goal::Down);",
        "    fn on_kill(&mut self, actions: &mut Vec<Action>) {\n        let was = self.goal;",
        "what was killed is still wanted",
    ),
    mutant(
        "gates of a moment ago",
        "project.rs",
        "node.service.see_gates(start, stop);",
        "",
        "two events in one moment: the second is judged by what was before the first",
    ),
    mutant(
        "dependents not told",
        "project.rs",
        "if gate != *node.service.start_gate() {",
        "if false {",
        "what waits is not started when its dependency comes",
    ),
    mutant(
        "dependents miscounted",
        "project.rs",
        "if live { before + 1 } else { before.saturating_sub(1) };",
        "if live { before + 1 } else { 0 };",
        "the first dependent that ends lets the stop begin",
    ),
    mutant(
        "in any order",
        "project.rs",
        "keys.sort_by_key(|key| self.nodes.get(key).map(|node| node.rank));",
        "keys.reverse();",
        "a start of a oneshot and of what needs it runs both at once",
    ),
    mutant(
        "loss ignored",
        "project.rs",
        "is_some_and(|edge| edge.restart)",
        "is_some_and(|edge| edge.restart && false)",
        "`restart = true` does nothing",
    ),
    mutant(
        "every loss restarts",
        "project.rs",
        "is_some_and(|edge| edge.restart)",
        "is_some_and(|edge| edge.restart || true)",
        "a crash restarts everything that depends on it",
    ),
    mutant(
        "wake lost",
        "project.rs",
        "self.wakes.insert((at, key));",
        "let _ = at;",
        "nothing that waits for time ever happens",
    ),
    mutant(
        "wake kept",
        "project.rs",
        "            if let Some(at) = node.wake {\n                self.wakes.remove(&(at, key));\n            }\n            if let Some(at) = wake {",
        "            if let Some(at) = wake {",
        "the daemon wakes for what is long over, in a loop",
    ),
    mutant(
        "doomed never leaves",
        "project.rs",
        "            self.propagate(key, before, after, queue);\n            self.remove_if_over(key, outcome);",
        "            self.propagate(key, before, after, queue);",
        "a removed service stays in every list",
    ),
    mutant(
        "doomed can be wanted",
        "project.rs",
        "self.nodes.get(key).is_some_and(|node| !node.doomed);",
        "self.nodes.contains_key(key);",
        "a start brings back what was removed",
    ),
    mutant(
        "runs counted anew",
        "project.rs",
        "self.removed_run = self.removed_run.max(node.service.run());",
        "",
        "a late answer about a removed service counts for its successor",
    ),
    mutant(
        "starts behind closed edges",
        "describe.rs",
        "        queue.extend(self.gate_events());\n",
        "",
        "a description that lets something start does not start it",
    ),
    mutant(
        "starts before restarts",
        "describe.rs",
        "        queue.extend(self.gate_events());\n",
        "        for event in self.gate_events().into_iter().rev() { queue.push_front(event); }\n",
        "what waits for a changed service starts upon the old one",
    ),
    mutant(
        "restarts in any order",
        "describe.rs",
        "let changed = self.ranked(changed);",
        "changed.reverse();",
        "two changed oneshots, of which one needs the other, run at once",
    ),
    mutant(
        "changed while held",
        "service.rs",
        "Phase::Running { .. } | Phase::Paused { .. } | Phase::Starting(_) if self.outdated => {",
        "Phase::Running { .. } | Phase::Paused { .. } | Phase::Starting(_) if false => {",
        "`stop`, an edit and `up` leave the old process running",
    ),
    mutant(
        "changed not restarted",
        "describe.rs",
        "Renewal::Restart => changed.push(key),",
        "Renewal::Restart => {}",
        "what runs stays what it was",
    ),
    mutant(
        "recall starts twice",
        "memory.rs",
        "service.recall_running(now, run, pid, &mut decision.actions);",
        "let _ = pid; service.run = run; service.recall_over(phase, until);",
        "a new daemon starts what runs a second time",
    ),
    mutant(
        "recall forgets the row",
        "memory.rs",
        "service.attempts = memory.attempts;",
        "",
        "a daemon that dies often lets a service crash for ever",
    ),
    mutant(
        "recall forgets the backoff",
        "memory.rs",
        "(_, Some(until), Goal::Up) => Phase::WaitingForBackoff { until },",
        "(_, Some(_), Goal::Up) => Phase::WaitingForDependency,",
        "a new daemon restarts at once what was to wait",
    ),
    mutant(
        "recall runs again",
        "memory.rs",
        "(PhaseName::Completed, _, _) => Phase::Completed,",
        "",
        "a new daemon migrates again",
    ),
    mutant(
        "recall trusts the old yes",
        "memory.rs",
        "ReadyCheck::Fd(_)) => {\n                self.begin_asking(now, run, pid, actions);",
        "ReadyCheck::Fd(_)) => {\n                self.become_ready(now, run, pid, actions);",
        "what was not ready counts as ready after the daemon's death",
    ),
    mutant(
        "recall forgets a start",
        "memory.rs",
        "(PhaseName::Stopped, _, Goal::Up) if ended => Phase::Stopped,",
        "(PhaseName::Stopped, _, Goal::Up) => Phase::Stopped,",
        "what was stopped, and wanted again in the daemon's last moment, stays stopped",
    ),
    mutant(
        "recall leaves the unwanted",
        "describe.rs",
        "node.service.goal() == Goal::Down && node.service.phase().live().is_some();",
        "false && node.service.phase().live().is_some();",
        "a stop is forgotten with the daemon",
    ),
    mutant(
        "age of the run before",
        "service.rs",
        "if (self.phase.name(), self.run) != before {",
        "if self.phase.name() != before.0 {",
        "a start that follows at once counts as old as the one before",
    ),
    mutant(
        "old reason",
        "service.rs",
        "Phase::Running { .. } if was == Goal::Down => self.reason = self.running_reason(),",
        "Phase::Running { .. } if was == Goal::Down => {}",
        "what runs says that it will stop",
    ),
];

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn each_is_planted_in_exactly_one_place() {
        let rooms = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        for mutant in all() {
            let source = std::fs::read_to_string(rooms.join(mutant.kind.room(mutant.file))).unwrap();
            assert_eq!(source.matches(mutant.text).count(), 1, "{}", mutant.name);
            assert_ne!(mutant.text, mutant.replacement, "{}", mutant.name);
        }
    }

    #[test]
    fn there_are_enough_and_each_has_a_name_of_its_own() {
        let names: std::collections::BTreeSet<&str> = all().map(|mutant| mutant.name).collect();
        assert!(names.len() == all().count() && names.len() >= 75);
    }
}
