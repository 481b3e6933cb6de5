//! The hands on Unix; Linux is the one that is tested.

mod calls;
mod clock;
mod command;
mod family;
mod fifo;
mod files;
mod launch;
mod leftovers;
mod limits;
mod lock;
mod memory;
mod own;
mod packet;
mod poller;
mod process;
mod replace;
mod shared_buffer;
mod spawn;
mod user;
mod words;

pub use calls::{
    by_hand_calls_dir, find_calls_socket, listen_privately, make_by_hand_calls_dir, make_calls_place,
    shared_calls_dirs,
};
pub use clock::{boot_id, monotonic_nanos, pid_namespace, utc_stamp};
pub use command::run_as;
pub use family::{DeadChild, KeptExit, Process, adopt_orphans, next_dead_child, parent_pid, reap_child};
pub use fifo::{
    bytes_waiting, give_to, grow_pipe, open_fifo, pipe_capacity, reopen_for_reading, reopen_whole,
};
pub use files::{
    Durability, NO_LINKS, halve_file, open_private, passable_dir, private_dir, read_file, remove_unfinished,
    rename_new, sheltered_dir, write_atomic,
};
pub use launch::{AnchorChild, ProgramEnd, start_anchor};
pub use leftovers::{Leader, ProcessTable, RunTrace, children_of, has_no_child_but};
pub use limits::{Limits, below_limit, is_no_room, limit_on_files, room_for_files};
pub use lock::{Asked, Holder, Lock};
pub use memory::{release_clean_pages, settle_allocator};
pub use own::{
    die_at_once, end_stdout, inherited_socket, is_in_memory, keep_files_private, kept_descriptor,
    lower_priority,
};
pub use packet::{PACKET_LIMIT, Packet, Patience, packet_pair, receive_packet, send_packet, stream_pair};
pub use poller::{Interest, Poller, Ready, SignalReader, Waker, ignore_signals};
pub use process::{ProcessRow, Usage, process_age, process_usage, read_stat, start_time};
pub use replace::{OWN_PROGRAM, is_own_program, memory_file, read_whole, replace_program};
pub use shared_buffer::{Found, SharedBuffer};
pub use spawn::{
    Attempt, CHILD_RECORD_BYTES, ChildFacts, ChildRecord, FailedStep, Identity, Output, SpawnRequest, spawn,
};
pub use user::{User, effective_uid, lookup_group, lookup_user};
pub use words::{
    Datagram, SOCKET_PATH_LIMIT, bind_datagrams, drop_datagram, notify_address, peek_datagram, peek_pipe,
    take_bytes, word_pipe,
};
