//! Text and variables in, [`Spec`](mainstay_model::Spec)s or problems out. Opens no file and reads no environment:
//! both are handed in, so that what is read here is the same in a test, in the terminal and in the daemon.
//!
//! A file travels through these rooms, in this order:
//!
//! 1. `parse`: text becomes a tree in which every value knows its place;
//! 2. `layers`: several files become one tree (additions, then the local overrides);
//! 3. `check`: the tree is held against `shape`, which declares every setting once; `${VAR}` is replaced and words
//!    become durations, sizes and signals; what is unknown, not supported yet or malformed is reported;
//! 4. `service`: what is left is well typed, and becomes one `Spec` an instance;
//! 5. `graph`: what only shows in the whole: unknown dependencies, cycles.
//!
//! Every step goes on after a problem, so that a person sees all of them at once.

mod check;
#[cfg(test)]
mod drift;
mod edit;
mod environment;
mod expand;
mod explain;
mod fingerprint;
mod graph;
mod inputs;
mod key;
mod layers;
mod origin;
mod parse;
mod problem;
mod project;
mod reference;
mod report;
mod said;
mod schema;
mod service;
mod setting;
mod shape;
mod starter;
mod suggest;
mod trail;
mod tree;
mod value;

pub use edit::{EditError, Edited, depth, set, unset};
pub use expand::{Used, UsedBy, replaced};
pub use explain::explain;
pub use fingerprint::fingerprint;
pub use inputs::{Inputs, Source};
pub use key::{Key, KeyError};
pub use origin::{Explained, Layer, Location, Origin, Overridden, Section};
pub use problem::{Code, Problem, Problems};
pub use project::{Project, load, load_for, load_scaled};
pub use reference::reference;
pub use said::Said;
pub use schema::schema;
pub use shape::INSTANCES_LIMIT;
pub use starter::STARTER;
pub use suggest::nearest;
pub use value::{Fault, duration, duration_text, size};
