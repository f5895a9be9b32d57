//! The monitor in front of real PostgreSQL servers: a primary with standbys by streaming replication, two hundred servers of
//! which half are silent, and the daemon that dumps from a server only while that is not lost.

#[path = "../support/mod.rs"]
mod support;

mod commands;
mod dumps;
mod lag;
mod many;
mod reload;
mod story;
mod watch;
