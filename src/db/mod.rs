//! The door to PostgreSQL: the only code that speaks to a server.

mod catalog;
mod committed;
mod confirmations;
mod connect;
mod copy_out;
mod health;
mod heartbeat;
mod replicated;
pub mod site;
mod size;
mod sl_status;
mod snapshot;
pub mod structure;

pub use catalog::{Replication, commits_before_it_writes, replication, sequence_numbers, text_style};
pub use confirmations::{Confirmation, Confirmations, ReplicatedTable, confirmations};
pub use connect::{Database, Driver, Session, drive};
pub use copy_out::{Meter, copy_out};
pub use health::{Health, Standing, health, standings, unlogged};
pub use heartbeat::{connect_for_heartbeat, is_standby, read_heartbeat, try_heartbeat, write_heartbeat};
pub use replicated::{ReplicatedSeries, replicated};
pub use size::{TableSize, sizes};
pub use sl_status::{Lag, lags};
pub use snapshot::{Cut, Snapshot, first_waiter, without_locks};
