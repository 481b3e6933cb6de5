//! The planted faults of what a keeper and an anchor decide when they come back, and of what is on disk meanwhile.

use crate::list::{Kind, Mutant, mutant};

const fn machine(
    name: &'static str,
    file: &'static str,
    text: &'static str,
    replacement: &'static str,
    breaks: &'static str,
) -> Mutant {
    Mutant { kind: Kind::Machines, ..mutant(name, file, text, replacement, breaks) }
}

pub(crate) const MACHINE: &[Mutant] = &[
    machine(
        "machine: pid of an earlier run",
        "keeper/src/supervisor/finding.rs",
        "child.run != record.run",
        "child.run > record.run",
        "a run that never began is taken for the one before it",
    ),
    machine(
        "machine: failed start lives",
        "keeper/src/supervisor/finding.rs",
        "child.failed_step != 0",
        "child.failed_step > 1000",
        "a program that could not be executed is said to have run",
    ),
    machine(
        "machine: another boot",
        "keeper/src/supervisor/finding.rs",
        "record.boot_id != boot_id || ",
        "",
        "a process of before a power cut is looked for",
    ),
    machine(
        "machine: rotated parts forgotten",
        "keeper/src/pump/place.rs",
        "rotated.done += size.saturating_sub(rotated.size_before);",
        "",
        "what went to a rotated file is written again",
    ),
    machine(
        "machine: size before kept",
        "keeper/src/pump/place.rs",
        "rotated.size_before = 0;",
        "",
        "bytes behind a rotation are counted short",
    ),
    machine(
        "machine: batch aside",
        "keeper/src/pump/batch.rs",
        "count == 0 || aside == Some(sequence)",
        "count == 0",
        "a batch is written from both of its places",
    ),
    machine(
        "machine: cut line",
        "keeper/src/pump/cut.rs",
        "return Step::WriteAndRotate(last + 1);",
        "return Step::WriteAndRotate(last);",
        "files are not cut at line ends",
    ),
    machine(
        "machine: orphans by number",
        "keeper/src/anchor/orphans.rs",
        "self.kept.retain(|orphan| orphan.pid != pid || orphan.start_time != start_time);",
        "self.kept.retain(|orphan| orphan.start_time < start_time || orphan.pid == pid);",
        "the wrong statuses are forgotten",
    ),
    machine(
        "machine: ready not recorded",
        "keeper/src/supervisor/said.rs",
        "self.ready.then_some(WireNotice::Ready),",
        "None,",
        "that it is ready dies with the keeper",
    ),
    machine(
        "machine: older record wins",
        "wire/src/slot.rs",
        "areas.max_by_key(|(_, sequence)| *sequence)",
        "areas.min_by_key(|(_, sequence)| *sequence)",
        "the record before the latest is believed",
    ),
    machine(
        "machine: one area",
        "wire/src/slot.rs",
        "RECORD_START + (sequence % 2) * AREA_BYTES as u64",
        "RECORD_START",
        "a torn record leaves none",
    ),
    machine(
        "machine: checksum ignored",
        "wire/src/slot.rs",
        "&& checksum(sequence, body) == u64::from_le_bytes(*sum)",
        "&& u64::from_le_bytes(*sum) != 0",
        "a torn record may count",
    ),
    machine(
        "machine: interrupted counts",
        "decide/src/end.rs",
        "Then::End if is_of(&cause, SpawnFailureKind::Interrupted) => self.start(now, actions),",
        "Then::End if is_of(&cause, SpawnFailureKind::Interrupted) && false => self.start(now, actions),",
        "a oneshot fails because its keeper died",
    ),
    machine(
        "machine: a clock of before",
        "decide/src/memory.rs",
        "service.since = memory.since.min(now);",
        "service.since = memory.since;",
        "a phase began in the future",
    ),
    machine(
        "machine: refusal taken",
        "keeper/src/anchor/trial.rs",
        "WireExit::Code(0) => Next::Replace,",
        "WireExit::Code(_) => Next::Replace,",
        "a program that refuses takes the anchor's place",
    ),
    machine(
        "machine: hanging program kept",
        "keeper/src/anchor/trial.rs",
        "Stage::Coming => Next::TakeBack(format!(\"it was not up within {} s\", UP_PATIENCE.as_secs())),",
        "Stage::Coming => Next::Check,",
        "a program whose keeper does nothing takes the anchor's place",
    ),
    machine(
        "machine: trial without end",
        "keeper/src/anchor/trial.rs",
        "if now < self.until {",
        "if now < self.until || self.stage == Stage::Coming {",
        "a program whose keeper does nothing stays on trial",
    ),
    machine(
        "machine: arrived and not done",
        "keeper/src/anchor/trial.rs",
        "UpgradeOutcome::Trying => UpgradeView { outcome: UpgradeOutcome::Done, ..upgrade },",
        "UpgradeOutcome::Trying => upgrade,",
        "an upgrade is never over",
    ),
    machine(
        "machine: ends not handed on",
        "keeper/src/anchor/orphans.rs",
        "Self { kept: kept.into_iter().map(orphan).collect(), dropped: 0 }",
        "Self { kept: kept.into_iter().map(orphan).take(0).collect(), dropped: 0 }",
        "statuses die with what the anchor was before",
    ),
];
