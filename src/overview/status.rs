//! What the daemon tells of itself and of all nodes: the overview, the last day, the last errors, and what was done since it
//! started. The status page, `/status.json`, `/metrics` and `status_file` show it, each in its way.

use std::sync::Arc;
use std::time::SystemTime;

use serde::Serialize;

use super::Overview;
use super::lag::Lag;
use crate::model::write_time;
use crate::recent::LoggedError;
use crate::tally::Totals;

/// The whole at one moment. PROTOCOL.md documents the fields: their names are a contract.
#[derive(Debug, Clone, Serialize)]
pub struct Status {
    /// What `list --json` shows.
    #[serde(flatten)]
    pub overview: Overview,
    /// Since when the daemon runs, RFC 3339 in UTC.
    #[serde(serialize_with = "as_text")]
    pub started: SystemTime,
    /// What is wrong with the daemon itself; `None`: it does what it should.
    pub fault: Option<String>,
    /// What was done since it was started.
    pub totals: Totals,
    /// How far behind in time every node was.
    pub lag: Arc<Lag>,
    /// The last errors of the log, the newest first; a restart forgets them.
    pub errors: Vec<LoggedError>,
}

fn as_text<S: serde::Serializer>(time: &SystemTime, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&write_time(*time))
}
