//! Storms and calms over `decide` and `runner` with a modelled keeper, by seed. For developers only; no product crate uses it.
//!
//! There are two kinds. One leads every decision through everything that services can do. The other, [`storms_on_machines`], leads
//! anchor, keeper, daemon and their files through deaths between any two effects, and through power cuts.
//!
//! A storm is a project of random services, hostile processes, random requests and deaths of the daemon at any moment; after
//! each event every [`Invariant`] is looked at. Then comes a calm, in which everything must come to rest as it is wanted.

mod asked;
mod blueprint;
mod book;
mod breach;
mod calm;
mod commands;
mod coverage;
mod death;
mod dice;
mod endings;
mod hands;
mod hook_slot;
mod keeper;
mod look;
mod machine;
mod policy;
mod process;
mod reasons;
mod replay;
mod requests;
mod rolls;
mod run;
mod seen;
mod slot;
mod storm;
mod told;
mod voice;

pub use breach::{Breach, Invariant};
pub use coverage::{Coverage, EXPECTED};
pub use machine::{Fault, Sights, replay_machine, storms_on_machines};
pub use replay::{Failure, replay, storms};
pub use storm::Log;
