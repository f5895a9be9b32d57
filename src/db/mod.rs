//! The door to PostgreSQL: the only code that speaks to a server.

mod catalog;
mod connect;
mod copy_out;
pub mod site;
mod snapshot;
pub mod structure;

pub use catalog::{Replication, commits_before_it_writes, encoding, replication, sequence_numbers};
pub use connect::{Database, Driver, Session, drive};
pub use copy_out::copy_out;
pub use snapshot::{Cut, Snapshot, first_waiter};
