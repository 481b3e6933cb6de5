//! What crosses a process border or a restart, as types and their JSON. Knows no transport, and is nobody's internal type.

mod anchor;
mod care;
mod frame;
mod keeper;
mod memo;
mod notify;
mod slot;
mod socket;
mod spec;
mod state;

pub use anchor::{FromAnchor, ToAnchor};
pub use frame::{FRAME_LIMIT, FrameError, Frames, frame};
pub use keeper::{
    ANCHOR_FD, DAEMON_SLOT, FromKeeper, Identity, KEEPER_FD, KEEPER_PROTOCOL, LISTEN_FD, LogFile, Program,
    Scope, SlotPhase, SlotState, ToKeeper, WireExit, WireFailure, WireReports,
};
pub use memo::Memo;
pub use notify::{NOTIFY_LIMIT, WireNotice, is_barrier, notices};
pub use slot::{
    CHILD_BYTES, ChildPart, RecordPhase, SLOT_FILE_LIMIT, SLOT_RECORD_LIMIT, SLOT_VERSION, SlotRecord,
    SlotTooLong, SlotWrite,
};
pub use socket::{
    Act, Answer, ConfigView, ErrorCode, EventView, ExitView, LINE_LIMIT, ReasonView, Reply, Request,
    SCHEMA_VERSION, ServiceView, Settled, SettledState, WireError,
};
pub use spec::{SpecError, WireSpec};
pub use state::{Applied, STATE_VERSION};
