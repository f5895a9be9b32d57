//! Flow one: trigger file -> request -> update plan -> SQL -> (the subscriber applies it) -> outcome -> cleanup.
//!
//! [`stage`] says where a node stands, [`decide`] what follows, `worker` does it.

pub mod decide;
pub mod offline;
pub mod stage;

mod claim;
mod cleanup;
mod look;
mod refuse;
mod service;
mod sql;
mod sql_gen;
mod update;
mod worker;

pub use look::look;
pub use refuse::{reject_unread, set_aside};
pub use service::Service;
pub use worker::{Memory, WholeRequest, Worker, settle};
