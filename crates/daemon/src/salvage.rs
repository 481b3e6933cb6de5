//! A damaged `applied.json`: it is kept under another name, and what runs is known from the latest generation instead. Without
//! one nothing is guessed: whoever knows no description would stop everything.

use std::{collections::BTreeSet, fs};

use mainstay_model::{PhaseName, ServiceId};
use mainstay_wire::{Memo, SlotState};

use crate::{
    generations::Generations,
    recall::Left,
    state::{Recorded, StateError, StateFile},
};

/// What the file of the state is called once it is known to be damaged; the latest such is kept.
const ASIDE: &str = "applied.json.damaged";

/// What was applied, and what there is to say of how that is known.
#[derive(Debug)]
pub(crate) struct Salvaged {
    pub(crate) recorded: Recorded,
    /// One sentence, when the file was damaged.
    pub(crate) note: Option<String>,
}

/// Reads what was applied. When that is damaged: as the latest generation has it; nothing, when nothing runs.
///
/// # Errors
/// It cannot be read, or was written by a later Mainstay; or it is damaged, something runs, and nothing else says what it is.
pub(crate) fn read(state: &StateFile, slots: &[SlotState]) -> Result<Salvaged, StateError> {
    let error = match state.read() {
        Ok(recorded) => return Ok(Salvaged { recorded, note: None }),
        Err(error @ (StateError::Damaged { .. } | StateError::Spec { .. })) => error,
        Err(error) => return Err(error),
    };
    let left = Left::of(slots);
    let (recorded, known) = match from_generations(state, &left) {
        Some(recorded) => {
            let known = format!("generation {} says what runs", recorded.generation);
            (recorded, known)
        }
        None if left.is_empty() => (Recorded::default(), "nothing runs".to_owned()),
        None => return Err(error),
    };
    let aside = state.dir().join(ASIDE);
    let kept = match fs::rename(state.path(), &aside) {
        Ok(()) => format!("it is kept as `{}`", aside.display()),
        Err(error) => format!("it cannot be renamed to `{}` ({error})", aside.display()),
    };
    let path = state.path().display();
    let note = format!("`{path}` was damaged: {kept}, and {known}");
    tracing::error!("{note}");
    // What cannot be written now is written with the next change.
    if let Err(error) = state.write(&recorded) {
        tracing::error!("{error}");
    }
    Ok(Salvaged { recorded, note: Some(note) })
}

fn from_generations(state: &StateFile, left: &Left) -> Option<Recorded> {
    let generations = Generations::read(state.dir()).ok()?;
    let number = generations.latest();
    let description = generations.description(number).ok()?;
    let specs = description.services().ok()?;
    let wanted = specs.iter().map(|spec| &spec.id).filter(|id| is_wanted(left, id)).cloned();
    Some(Recorded {
        wanted: wanted.collect::<BTreeSet<ServiceId>>(),
        project: description.project,
        dir: description.dir,
        files: description.files,
        fingerprint: description.fingerprint,
        specs,
        going_down: false,
        generation: number,
        probation: None,
        restarts: Default::default(),
    })
}

/// What an earlier daemon had the keeper remember of it says so.
fn is_wanted(left: &Left, id: &ServiceId) -> bool {
    let Some(slot) = left.services.get(id) else { return false };
    let phase = PhaseName::from_word(&Memo::from_text(&slot.memo).phase);
    !matches!(phase, None | Some(PhaseName::Stopped | PhaseName::Stopping))
}

#[cfg(test)]
mod tests {
    use mainstay_wire::SlotPhase;

    use super::*;

    fn slot(name: &str, phase: &str) -> SlotState {
        let memo = Memo { phase: phase.to_owned(), ..Memo::default() };
        SlotState {
            slot: name.to_owned(),
            run: 3,
            phase: SlotPhase::Running { pid: 7 },
            memo: memo.to_text(),
            notices: Vec::new(),
        }
    }

    #[test]
    fn without_a_generation_nothing_that_runs_is_guessed() {
        let dir = tempfile::tempdir().unwrap();
        let state = StateFile::of(dir.path());
        fs::write(state.path(), "{").unwrap();
        let error = read(&state, &[slot("api", "running")]).unwrap_err();
        assert!(error.to_string().contains("is damaged"), "{error}");
        assert!(state.path().exists());
    }

    #[test]
    fn where_nothing_runs_it_is_as_if_nothing_was_ever_applied() {
        let dir = tempfile::tempdir().unwrap();
        let state = StateFile::of(dir.path());
        fs::write(state.path(), "{").unwrap();
        let Salvaged { recorded, note } = read(&state, &[]).unwrap();
        assert!(recorded.specs.is_empty());
        assert!(note.unwrap().ends_with("and nothing runs"));
        assert_eq!(fs::read(dir.path().join(ASIDE)).unwrap(), b"{");
        assert!(read(&state, &[]).unwrap().note.is_none());
    }

    #[test]
    fn a_later_mainstays_is_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        let state = StateFile::of(dir.path());
        state.write(&Recorded::default()).unwrap();
        let text = fs::read_to_string(state.path()).unwrap().replacen(":1", ":9", 1);
        fs::write(state.path(), &text).unwrap();
        assert!(matches!(read(&state, &[]), Err(StateError::Version { version: 9, .. })));
        assert_eq!(fs::read_to_string(state.path()).unwrap(), text);
    }
}
