//! Subscriptions to tables that Slony-I replicates, for sites that can reach one host by ssh and nothing else.
//!
//! ```text
//! trigger file -> Request -> UpdatePlan -> SQL dump -> (subscriber applies it) -> Outcome -> CleanupPlan
//! archive      -> statements -> routes  -> site logs -> (subscriber fetches)
//! ```
//!
//! [`subscriber`] is the other end: the tools of a remote site.
//!
//! The rooms in reading order; ARCHITECTURE.md says who may import whom.

pub mod model;
pub mod protocol;
pub mod spelling;

mod command;
pub mod config;
pub mod error;
pub mod passfile;
pub mod paths;
mod settings;
mod tls;

mod failpoint;

pub mod recent;
pub mod tally;

pub mod access;
pub mod db;
pub mod disk;
pub mod ground;
pub mod transport;

pub mod logs;
pub mod monitor;
pub mod subscription;

pub mod overview;

pub mod hooks;
pub mod http;

pub mod admin;
pub mod args;
pub mod daemon;

pub mod subscriber;

pub mod manual;
pub mod output;
