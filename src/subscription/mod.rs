//! Flow one: trigger file -> request -> update plan -> SQL -> (the subscriber applies it) -> outcome -> cleanup.
//!
//! [`stage`] says where a node stands, [`decide`] what follows, `worker` does it.

pub mod decide;
pub mod offline;
pub mod stage;

mod audit;
mod cancel;
mod claim;
mod cleanup;
mod look;
mod lost;
mod obstacle;
mod progress;
mod refuse;
mod rejected;
mod service;
mod sql;
mod sql_gen;
mod taken;
mod update;
mod watched;
mod worker;

pub use claim::is_given_back;
pub use look::look;
pub use obstacle::obstacle;
pub use progress::Progress;
pub use refuse::{reject_unread, set_aside};
pub use rejected::tidy_rejected;
pub use service::Service;
pub use taken::{Taken, taken};
pub use watched::objection;
pub use worker::{Memory, WholeRequest, Worker, advance, settle};
