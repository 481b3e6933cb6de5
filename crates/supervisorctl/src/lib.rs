//! A door for `supervisorctl`: XML-RPC over the local socket, in the words of supervisor 4.3. It asks the daemon as any client
//! does, and never knows its insides.
//!
//! Methods, faults and states are those of supervisor's documentation (<http://supervisord.org/api.html>); what they do here is
//! told in `docs/guides/from-supervisor.md`. XML-RPC is told at <http://xmlrpc.com/spec.md>.

mod act;
mod bytes;
mod call;
mod door;
mod fault;
mod http;
mod look;
mod methods;
mod names;
mod process;
mod settle;
mod tail;
mod xml;

pub use door::{Supervisorctl, Unread};
