//! What crosses a process border or a restart, as types and their JSON. Knows no transport, and is nobody's internal type.

mod anchor;
mod calls;
mod care;
mod frame;
mod keeper;
mod log_index;
mod log_stream;
mod memo;
mod monitor;
mod notify;
mod slot;
mod socket;
mod socket_error;
mod socket_explain;
mod socket_history;
mod socket_plan;
mod socket_view;
mod spec;
mod state;
mod upgrade;
mod version;

pub use anchor::{FromAnchor, ToAnchor};
pub use calls::{
    ArgumentView, CALL_LINE_LIMIT, CALLS_VERSION, CallAnswer, CallError, CallErrorCode, CallEvent,
    CallHealth, CallLine, CallRefusal, CallRequest, CallStats, CallStatus, MethodView, MethodsView,
    SettingView,
};
pub use frame::{FRAME_LIMIT, FrameError, Frames, frame};
pub use keeper::{
    ANCHOR_FD, DAEMON_SLOT, FromKeeper, Identity, KEEPER_FD, KEEPER_PROTOCOL, LISTEN_FD, LOGS_IN_FRAME,
    LogCounts, LogFile, LogTrouble, Program, SLOTS_IN_FRAME, Scope, SlotPhase, SlotState, TROUBLE_FILE,
    TROUBLE_LIMIT, ToKeeper, WireExit, WireFailure, WireReports, WireWhenFull,
};
pub use log_index::{
    LOG_INDEX_OF_CURRENT, LOG_INDEX_RECORD, LogIndexHeader, LogMark, LogMarkKind, log_index_name,
};
pub use log_stream::{LogStream, errors_of, owner_of_errors};
pub use memo::{MEMO_ENDS, MEMO_VERSION, Memo, MemoEnd};
pub use monitor::{
    METRICS_LIMIT, MONITOR_DEPTH, MONITOR_MESSAGE_LIMIT, MONITOR_NAME_LIMIT, MONITORS_LIMIT, MonitorView,
};
pub use notify::{NOTIFY_LIMIT, WireNotice, is_barrier, notices};
pub use slot::{
    CHILD_BYTES, ChildPart, ProcessId, RecordPhase, SLOT_FILE_LIMIT, SLOT_RECORD_LIMIT, SLOT_VERSION,
    SlotRecord, SlotTooLong, SlotWrite,
};
pub use socket::{
    Act, Answer, ConfigView, HISTORY_PAGE, LINE_LIMIT, Reply, Request, SCHEMA_VERSION, Settled, SettledState,
    WaitFor,
};
pub use socket_error::{ErrorCode, WireError};
pub use socket_explain::{DetailsView, ExplanationView, LinkView, NeighbourView, TryView};
pub use socket_history::{FailureView, HistoryView, OutageView, ReportView};
pub use socket_plan::{DifferenceView, GenerationView, PlanStep, ProbationVerdict, ProbationView};
pub use socket_view::{EventView, ExitView, HealthView, LogView, ReasonView, ServiceView};
pub use spec::{SpecError, WireSpec};
pub use state::{Applied, AppliedProbation, AppliedRestart, STATE_VERSION};
pub use upgrade::{
    ANCHOR_STATE_VERSION, AnchorState, KeptFile, KeptKeeper, KeptOrphan, UpgradeOutcome, UpgradeView,
};
pub use version::{LATER_HELP, later_version};
