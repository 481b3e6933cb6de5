//! The live view of a project as a value: what a person sees, and what each key, click and change does to it.
//!
//! [`Model::on`] takes in everything that happens and gives back what is to be done about it; [`draw`] puts the model on a
//! screen of any size. Neither reads a clock, a socket, a file or a terminal: whoever runs the view hands these in, and a
//! test does the same without any of them.
//!
//! What services and their programs say may hold anything. It is made harmless where it comes in (`clean`), once, so that
//! nothing further in has to think of it.

mod acts;
mod arrange;
mod clean;
mod columns;
pub mod cut;
mod draw;
mod filter;
mod help;
mod input;
mod layout;
mod log;
mod message;
mod model;
mod roster;
mod sort;
mod text;
mod theme;

pub use draw::draw;
pub use input::{Effect, Input, Key, LogSource, Mouse, MouseAct, Own, WrittenLine};
pub use log::LINES_KEPT;
pub use model::Model;
pub use theme::Paint;
