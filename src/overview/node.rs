//! One node at one moment, as operators and programs see it.

use std::sync::Arc;
use std::time::SystemTime;

use serde::Serialize;

use crate::access::Access;
use crate::config::Config;
use crate::disk;
use crate::error::Result;
use crate::ground::{Acknowledged, Ground};
use crate::logs::{Standing, hole, standing};
use crate::model::{Counter, Node, SeriesList, Shelf};
use crate::protocol::{Dump, Hole, Kind, Registry, Stem, Stopped, Trouble, Why};
use crate::subscription::stage::Stage;
use crate::subscription::{look, objection, obstacle};

/// The stage of a node whose files cannot be read.
const UNREADABLE: &str = "unreadable";

/// One node. PROTOCOL.md documents the fields: their names are a contract.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct NodeView {
    /// Its name.
    pub node: String,
    /// Its stage.
    pub stage: &'static str,
    /// How many series it has; those of an open request do not count yet.
    pub series: usize,
    /// The counter of the newest log in its directory.
    pub last_log: Option<u64>,
    /// How long ago that was written.
    pub last_log_age_seconds: Option<u64>,
    /// The last log that its site says it has applied.
    pub acknowledged: Option<u64>,
    /// How long ago it said so: the age of this evidence.
    pub acknowledged_age_seconds: Option<u64>,
    /// How many logs lie there that it has not acknowledged.
    pub behind: Option<u64>,
    /// How long ago its next log was written: how far it is behind in time.
    pub next_log_age_seconds: Option<u64>,
    /// The log that it needs next, which is gone: it must resubscribe.
    pub gone_log: Option<u64>,
    /// What its directory takes; logs that it shares with others count for each.
    pub disk_bytes: u64,
    /// Before which archive its logs stop, if they do.
    pub stopped_before: Option<u64>,
    /// Why: `decide`, `fault`, `paused`, or `catching up` for no reason any more.
    pub stopped_why: Option<&'static str>,
    /// How grave the gravest of the notes is.
    pub severity: Severity,
    /// What an operator must know of it.
    pub notes: Vec<String>,
}

/// How grave something is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Good to know.
    #[default]
    Ok,
    /// It will need a person if it goes on, or was wanted by one and must not be forgotten.
    Warning,
    /// It needs a person.
    Error,
}

/// What all nodes have in common at that moment.
pub(super) struct Common<'a> {
    pub(super) config: &'a Config,
    pub(super) access: &'a Access,
    pub(super) registry: &'a Arc<Registry>,
    pub(super) holes: &'a [Hole],
    pub(super) dumps: &'a [Dump],
    pub(super) troubles: &'a [Trouble],
    pub(super) now: SystemTime,
}

impl NodeView {
    /// Looks at a node. One whose files cannot be read is shown too: that is when the operator looks.
    pub(super) fn of(common: &Common<'_>, node: &Node) -> Self {
        let ground = Ground::read(&common.config.paths, common.registry.clone(), node);
        let seen = ground.and_then(|ground| Self::on(common, &ground, node));
        seen.unwrap_or_else(|error| {
            // Its note says it. In the log it would stand anew at every look.
            tracing::debug!(%node, error = error.chain(), "cannot read the node's files");
            Self {
                node: node.to_string(),
                stage: UNREADABLE,
                severity: Severity::Error,
                notes: vec![error.chain()],
                ..Self::default()
            }
        })
    }

    /// Whether its files could be read; if not, nothing but its name and a note is known.
    pub fn is_readable(&self) -> bool {
        self.stage != UNREADABLE
    }

    fn on(common: &Common<'_>, ground: &Ground, node: &Node) -> Result<Self> {
        let Common { config, access, now, .. } = common;
        let paths = &config.paths;
        let requested =
            Stem::ALL.into_iter().find(|stem| disk::exists(&paths.trigger(node, *stem, Kind::Request)));
        let stage = Stage::of(&look(paths, access, node, ground, requested));
        let is_registered = ground.list().is_some();
        // What is no directory has its own note, of its request or of its stop.
        let shelf = if is_registered && disk::real_directory(&ground.site.directory).is_ok() {
            disk::shelf(&ground.site.directory, config.slony_node)?
        } else {
            Shelf::default()
        };
        let said = if is_registered {
            Acknowledged::read(paths, &ground.site, node, access)
        } else {
            Acknowledged::default()
        };
        let age = |time: SystemTime| now.duration_since(time).unwrap_or_default().as_secs();
        let standing = standing(&shelf, said.counter, config.life.site_logs, *now);
        let last = shelf.newest();
        let stop = ground.stopped.as_ref().map(|stopped| stop_note(stopped, node));
        let notes: Vec<(Severity, String)> = stop
            .into_iter()
            .chain(obstacle(ground).map(|why| (Severity::Error, format!("its request cannot end: {why}"))))
            .chain(standing.note().map(|note| (graveness(standing), note)))
            .chain(hole_notes(common.holes, node).map(|note| (Severity::Error, note)))
            .chain(said.faults.into_iter().map(|fault| (Severity::Warning, fault)))
            .chain(dump_notes(common.dumps, node).map(|note| (Severity::Ok, note)))
            .chain(trouble_notes(common, node))
            .chain(wait_note(config, &stage)?.map(|note| (Severity::Warning, note)))
            .collect();
        Ok(Self {
            node: node.to_string(),
            stage: stage.word(),
            series: ground.list().map_or(0, SeriesList::len),
            last_log: last.map(Counter::value),
            last_log_age_seconds: last.and_then(|last| shelf.written(last)).map(age),
            acknowledged: said.counter.map(Counter::value),
            acknowledged_age_seconds: said.written.map(age),
            behind: standing.behind(),
            next_log_age_seconds: standing.next_age().map(|age| age.as_secs()),
            gone_log: standing.gone().map(Counter::value),
            disk_bytes: shelf.bytes(),
            stopped_before: ground.stopped.as_ref().map(|stopped| stopped.before.value()),
            stopped_why: ground.stopped.as_ref().map(Stopped::word),
            severity: notes.iter().map(|(severity, _)| *severity).max().unwrap_or_default(),
            notes: notes.into_iter().map(|(_, note)| note).collect(),
        })
    }
}

/// Where its logs stop, in words, and how grave that is.
fn stop_note(stopped: &Stopped, node: &Node) -> (Severity, String) {
    let before = stopped.before;
    match &stopped.why {
        None => (Severity::Ok, format!("catching up from {before}")),
        Some(Why::Decide(why)) => {
            let command = format!("subscription_manager ddl {node} {before} --send|--skip");
            (Severity::Error, format!("stopped before {before}: {why}; decide with `{command}`"))
        }
        Some(Why::Fault(fault)) => {
            (Severity::Error, format!("stopped before {before}: {fault}; mend it, and its logs go on"))
        }
        Some(Why::Paused(reason)) => {
            let command = format!("subscription_manager resume {node}");
            let reason = if reason.is_empty() { String::new() } else { format!(": {reason}") };
            (Severity::Warning, format!("paused before {before}{reason}; `{command}` lets it go on"))
        }
    }
}

/// How grave it is where a site stands.
fn graveness(standing: Standing) -> Severity {
    match standing {
        Standing::Unknown | Standing::Current | Standing::Behind(_) => Severity::Ok,
        Standing::Silent(_) | Standing::Beyond { .. } => Severity::Warning,
        Standing::MustResubscribe { .. } => Severity::Error,
    }
}

/// What the node has to subscribe anew because slon did not archive it.
fn hole_notes(holes: &[Hole], node: &Node) -> impl Iterator<Item = String> {
    holes.iter().filter_map(move |hole| {
        let (_, series) =
            hole::by_node(&hole.concerned).into_iter().find(|(concerned, _)| concerned == node)?;
        Some(format!("must resubscribe: rows of {series} after archive {} are in no archive", hole.after))
    })
}

/// Why its dump waits.
fn wait_note(config: &Config, stage: &Stage) -> Result<Option<String>> {
    match stage {
        Stage::Updating(_) => Ok(objection(config)?.map(|objection| format!("its dump waits: {objection}"))),
        _ => Ok(None),
    }
}

/// What the daemon could not do for it.
fn trouble_notes(common: &Common<'_>, node: &Node) -> impl Iterator<Item = (Severity, String)> {
    let of_node = common.troubles.iter().filter(|trouble| trouble.node.as_deref() == Some(node.as_str()));
    of_node.map(|trouble| {
        let severity = if trouble.is_long(common.now) { Severity::Error } else { Severity::Warning };
        (severity, trouble.describe())
    })
}

fn dump_notes(dumps: &[Dump], node: &Node) -> impl Iterator<Item = String> {
    dumps.iter().filter(move |dump| dump.node == node.as_str()).map(Dump::describe)
}
