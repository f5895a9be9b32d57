//! `get_slony_logs`, the real program: in front of directories that a test fills, and behind a live cluster.
#![allow(clippy::unwrap_used, reason = "clippy takes the functions around a test for no test")]

#[path = "../support/mod.rs"]
mod support;

mod acknowledged;
mod desk;
mod hostile;
mod kept;
mod killed;
mod live;
mod node;
mod once;
mod room;
mod service;
mod wire;
