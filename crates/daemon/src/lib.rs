//! The brain's process: one loop, one owner of state. It decides nothing itself, and speaks neither HTTP, NATS nor mail.
//!
//! Whatever can happen is one [`wake::Wake`]; the loop in [`brain`] takes them one after the other. Nothing is locked,
//! because nothing is shared.

mod brain;
#[cfg(test)]
mod brain_tests;
mod clock;
mod connections;
mod environment;
mod files;
mod followers;
#[cfg(test)]
mod formats_tests;
mod generations;
mod handle;
mod hands;
mod history;
mod keeper_link;
mod local_socket;
#[cfg(test)]
mod local_socket_tests;
mod logs;
mod main_loop;
mod memo;
mod monitors;
mod notices;
mod outcomes;
mod probation;
mod recall;
mod request;
mod salvage;
mod slot;
mod state;
mod upgrade;
mod view;
mod waiters;
mod wake;

pub use environment::{Invocation, PersonalData, environment};
pub use handle::{Answering, Arrival, Door, Doors, Handle, Serving};
pub use history::read_history;
pub use main_loop::{Options, check_state, main};
pub use request::read_generations;
pub use wake::Peer;
