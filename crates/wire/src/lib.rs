//! What crosses a process border or a restart, as types and their JSON. Knows no transport, and is nobody's internal type.

mod anchor;
mod care;
mod frame;
mod keeper;
mod log_index;
mod memo;
mod notify;
mod slot;
mod socket;
mod socket_history;
mod socket_plan;
mod spec;
mod state;

pub use anchor::{FromAnchor, ToAnchor};
pub use frame::{FRAME_LIMIT, FrameError, Frames, frame};
pub use keeper::{
    ANCHOR_FD, DAEMON_SLOT, FromKeeper, Identity, KEEPER_FD, KEEPER_PROTOCOL, LISTEN_FD, LogCounts, LogFile,
    LogTrouble, Program, Scope, SlotPhase, SlotState, ToKeeper, WireExit, WireFailure, WireReports,
    WireWhenFull,
};
pub use log_index::{
    LOG_INDEX_OF_CURRENT, LOG_INDEX_RECORD, LogIndexHeader, LogMark, LogMarkKind, log_index_name,
};
pub use memo::Memo;
pub use notify::{NOTIFY_LIMIT, WireNotice, is_barrier, notices};
pub use slot::{
    CHILD_BYTES, ChildPart, RecordPhase, SLOT_FILE_LIMIT, SLOT_RECORD_LIMIT, SLOT_VERSION, SlotRecord,
    SlotTooLong, SlotWrite,
};
pub use socket::{
    Act, Answer, ConfigView, ErrorCode, EventView, ExitView, HISTORY_PAGE, LINE_LIMIT, LogView, ReasonView,
    Reply, Request, SCHEMA_VERSION, ServiceView, Settled, SettledState, WireError,
};
pub use socket_history::{FailureView, HistoryView, OutageView, ReportView};
pub use socket_plan::{DifferenceView, GenerationView, PlanStep};
pub use spec::{SpecError, WireSpec};
pub use state::{Applied, STATE_VERSION};
