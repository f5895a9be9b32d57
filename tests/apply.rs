//! Site logs applied by our own reader, beside plain `psql -f` of the same logs in a database with the same tables: the
//! databases stay equal, whatever the logs hold.
#![allow(unreachable_pub, reason = "the helpers are modules of this one test")]
#![allow(clippy::unwrap_used, reason = "the helpers of tests panic like tests")]

mod support;

#[path = "apply/disk.rs"]
mod disk;
#[path = "apply/golden.rs"]
mod golden;
#[path = "apply/kinds.rs"]
mod kinds;
#[path = "apply/log.rs"]
mod log;
#[path = "apply/missed.rs"]
mod missed;
#[path = "apply/old.rs"]
mod old;
#[path = "apply/order.rs"]
mod order;
#[path = "apply/pair.rs"]
mod pair;
#[path = "apply/random.rs"]
mod random;
#[path = "apply/refused.rs"]
mod refused;
