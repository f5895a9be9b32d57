//! How things stand, from what every view of the whole shows.

use std::time::Duration;

use super::decide::{HoleSeen, NodeSeen, Seen, SplitterSeen};
use crate::config::Config;
use crate::logs::{hole, holes};
use crate::overview::{NodeView, Overview};
use crate::protocol::Hole;

impl Seen {
    /// From what every view shows.
    pub fn of(overview: &Overview, config: &Config, splitter: SplitterSeen) -> Self {
        let seen = |hole: &Hole| HoleSeen {
            key: hole::key(hole),
            after: hole.after.value(),
            text: hole::describe(hole),
        };
        Self {
            at: overview.at.clone(),
            splitter,
            nodes: overview.nodes.iter().map(NodeSeen::of).collect(),
            // An alarm in the overview says why they cannot be read.
            holes: holes(config).ok().map(|holes| holes.iter().map(seen).collect()),
        }
    }
}

impl NodeSeen {
    fn of(view: &NodeView) -> Self {
        // The first of the notes says it.
        let why = view.notes.first().cloned().unwrap_or_default();
        let stop = |word: &str| {
            let before = view.stopped_before.filter(|_| view.stopped_why == Some(word))?;
            Some((before, why.clone()))
        };
        Self {
            readable: view.is_readable(),
            acknowledged: view.acknowledged,
            behind: view.behind,
            next_age: view.next_log_age_seconds.map(Duration::from_secs),
            expired: view.gone_log.map(|log| format!("must resubscribe: log {log} is gone")),
            held: stop("decide"),
            stopped: stop("fault"),
            node: view.node.clone(),
        }
    }
}
