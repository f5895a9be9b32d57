//! The remote site: what it asks for (`subscribe_series`) and how it follows (`get_slony_logs`).

mod apply;
pub mod args;
mod config;
mod ingest;
mod node;
mod notify;
mod progress;
mod removed;
mod subscribe;

pub use apply::{Applied, Applier, Commit, Given, read_log};
pub use config::{OnDrift, SiteConfig};
pub use ingest::{CaughtUp, Done, Ingester, run as get_slony_logs};
pub use notify::notify;
pub use progress::{AboveProgress, Progress};
pub use subscribe::subscribe;

use crate::error::Error;

/// The exit status of the site's tools after a failure, as their help explains it.
pub fn exit_status(error: &Error) -> u8 {
    match error {
        Error::Fatal(_) => 2,
        Error::Busy(_) => 3,
        Error::Disk { .. }
        | Error::Database { .. }
        | Error::Silent(_)
        | Error::Line { .. }
        | Error::Yielded { .. }
        | Error::Cancelled => 1,
        Error::Malformed { .. }
        | Error::WrongDatabase(_)
        | Error::Refused(_)
        | Error::Archive { .. }
        | Error::Missing { .. }
        | Error::Forbidden { .. }
        | Error::Stopped(_) => 4,
    }
}
