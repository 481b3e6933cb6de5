//! Faults that are planted in the modelled protocol, one thought left out each: the storms must find every one of them.

/// A thought left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The FIFO goes to the anchor after the process is made, and not before.
    HoldAfterClone,
    /// A new keeper does not ask for the locks of slots.
    LocksNotAsked,
    /// The process does not write who it is before it becomes the program.
    ChildDoesNotWrite,
    /// The status is given up before the end is recorded.
    ReapBeforeRecord,
    /// The daemon is told of an end before it is recorded, and then it is taken for acknowledged.
    TellBeforeRecord,
    /// The anchor keeps no status of an orphan for a keeper that comes later.
    OrphansNotKept,
    /// The anchor forgets a status as soon as it has told it.
    OrphansForgottenWhenTold,
    /// The keeper acknowledges a status of an orphan before its end is recorded.
    OrphanAcknowledgedEarly,
    /// The anchor does not read what the dead keeper said last.
    LastWordsUnread,
    /// A new keeper takes statuses that are no run's for forgotten before it has read all slots.
    ForgottenWhileReading,
    /// A process is known by its number alone.
    NumberIsIdentity,
    /// A new keeper starts a pump without looking at the batch that was left.
    BatchNotRecovered,
    /// How much of a batch is written is not looked for in rotated files.
    RotatedNotCounted,
    /// A batch that is aside as well is written all the same.
    AsideWrittenTwice,
    /// A batch without a count is taken for empty.
    ContentNotCounted,
    /// The buffer is free before the batch is written.
    BufferFreedEarly,
    /// A word is dropped before it is recorded.
    WordDroppedFirst,
    /// A new keeper does not go back to the pipe of a run that is over.
    LeftPipeIgnored,
    /// A start that fails lets go of what the run before it wrote.
    LeftPipeLetGo,
    /// The daemon acts before what is wanted is on disk.
    ActBeforeState,
    /// The state is put into place without being synced.
    StateNotSynced,
    /// A daemon goes on with a state that the one before it had not synced.
    FoundStateNotSynced,
    /// A daemon goes on with what it wanted in another boot.
    WantedAfterPowerCut,
    /// An end that the last daemon had not acknowledged is not told to the next.
    EndsNotToldAgain,
    /// A new daemon takes what it finds for nothing.
    NothingRecalled,
    /// A new keeper lets the daemon of the one before it live.
    DaemonNotKilled,
    /// A record is written over the one before it.
    RecordsInOnePlace,
    /// A keeper whose anchor died stays alone.
    NobodyTakesThePlace,
    /// One that becomes an anchor forgets the ends that it has learned and not recorded.
    EndsNotHandedOn,
    /// It does not hand on the descriptors of processes that are nobody's children.
    ProcessesNotHandedOn,
    /// It does not hold the pipes that its pump read.
    PipesNotHandedOn,
    /// An anchor that becomes another program forgets the statuses that nobody acknowledged.
    OrphansLeftBehind,
    /// The new keeper is let live when its program is taken back.
    TakenBackAlive,
}

impl Fault {
    /// All of them.
    pub const ALL: &[Self] = &[
        Self::HoldAfterClone,
        Self::LocksNotAsked,
        Self::ChildDoesNotWrite,
        Self::ReapBeforeRecord,
        Self::TellBeforeRecord,
        Self::OrphansNotKept,
        Self::OrphansForgottenWhenTold,
        Self::OrphanAcknowledgedEarly,
        Self::LastWordsUnread,
        Self::ForgottenWhileReading,
        Self::NumberIsIdentity,
        Self::BatchNotRecovered,
        Self::RotatedNotCounted,
        Self::AsideWrittenTwice,
        Self::ContentNotCounted,
        Self::BufferFreedEarly,
        Self::WordDroppedFirst,
        Self::LeftPipeIgnored,
        Self::LeftPipeLetGo,
        Self::ActBeforeState,
        Self::StateNotSynced,
        Self::FoundStateNotSynced,
        Self::WantedAfterPowerCut,
        Self::EndsNotToldAgain,
        Self::NothingRecalled,
        Self::DaemonNotKilled,
        Self::RecordsInOnePlace,
        Self::NobodyTakesThePlace,
        Self::EndsNotHandedOn,
        Self::ProcessesNotHandedOn,
        Self::PipesNotHandedOn,
        Self::OrphansLeftBehind,
        Self::TakenBackAlive,
    ];
}
