//! Site logs applied by our own reader, beside plain `psql -f` of the same logs in a database with the same tables: the
//! databases stay equal, whatever the logs hold.
#![allow(clippy::unwrap_used, reason = "the helpers of tests panic like tests")]

mod support;

#[path = "apply/golden.rs"]
mod golden;
#[path = "apply/log.rs"]
mod log;
#[path = "apply/pair.rs"]
mod pair;
#[path = "apply/refused.rs"]
mod refused;
