//! Watching PostgreSQL servers in replication: who is primary, who a standby near it, who is lost; and telling when that
//! changes. The rules, the configuration file and the forms are those of plusmoin, under whose names they are read and written;
//! docs/monitor.md says where this differs.

mod config;
pub mod decide;
mod observe;
mod reference;
mod slony;
mod tell;
mod watch;

pub use config::{load, load_to_look, missing_programs};
pub use watch::{Glance, LAST_COMMAND, Watcher, look, remembered};
