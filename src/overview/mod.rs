//! The whole at one moment: what `list`, the status page, the metrics and the hooks tell of, each in its way.
//!
//! It is read from the files alone, as the flows read them, so that it is the same whether the daemon runs or not.

mod change;
mod detail;
mod kept;
mod lag;
mod node;
mod request;
mod servers;
mod splitter;
mod status;

use std::collections::{BTreeSet, HashSet};
use std::time::SystemTime;

use serde::Serialize;

use crate::access::Access;
use crate::config::Config;
use crate::disk::{self, Lock};
use crate::error::Result;
use crate::ground;
use crate::logs::{alarm, hole, holes};
use crate::model::{ArchiveName, Node, write_time};
use crate::protocol::{Dump, Dumps, Entry, Hole, Registry, TriggerFile, Trouble, read_troubles};

pub use change::has_changed;
pub use detail::NodeDetail;
pub use kept::Kept;
pub use lag::{Lag, lag_seconds};
pub use node::{NodeView, Severity};
pub use request::RequestView;
pub use splitter::SplitterView;
pub use status::Status;

/// Everything that an operator sees at a glance. PROTOCOL.md documents the fields: their names are a contract.
#[derive(Debug, Clone, Serialize)]
pub struct Overview {
    /// The version of the program that looked.
    pub version: &'static str,
    /// When, RFC 3339 in UTC.
    pub at: String,
    /// Whether the daemon runs.
    pub running: bool,
    /// For how long it has.
    pub running_seconds: Option<u64>,
    /// How far it has split.
    pub splitter: SplitterView,
    /// The dumps that run or wait, as the daemon has told within the last seconds.
    pub dumps: Vec<Dump>,
    /// Every node that is registered or asks.
    pub nodes: Vec<NodeView>,
    /// What is wrong with the archives, a line each.
    pub alarms: Vec<String>,
}

impl Overview {
    /// Looks at everything. What is wrong with one node stands in its notes; an error is one that hides all of them.
    pub fn look(config: &Config) -> Result<Self> {
        Self::look_at(config, None)
    }

    /// As [`Overview::look`], of one node only, or of all.
    fn look_at(config: &Config, only: Option<&Node>) -> Result<Self> {
        let (access, fault) = Access::load_to_look(config);
        if let Some(fault) = fault {
            tracing::error!(fault, "access_file is not asked");
        }
        Self::read(config, &access, &mut Kept::default(), only)
    }

    /// As [`Overview::look`], for one who looks again and again: what has not changed since is not read again.
    pub fn look_again(config: &Config, access: &Access, kept: &mut Kept) -> Result<Self> {
        Self::read(config, access, kept, None)
    }

    fn read(config: &Config, access: &Access, kept: &mut Kept, only: Option<&Node>) -> Result<Self> {
        let registry = ground::registry(&config.paths)?;
        let now = SystemTime::now();
        let (holes, unread) = match holes(config) {
            Ok(holes) => (holes, None),
            Err(error) => (Vec::new(), Some(error.chain())),
        };
        let started = started(config, now);
        let dumps = if started.is_some() { dumps(config, now) } else { Vec::new() };
        let troubles = if started.is_some() { troubles(config) } else { Vec::new() };
        let common = node::Common {
            config,
            access,
            registry: &registry,
            holes: &holes,
            dumps: &dumps,
            troubles: &troubles,
            now,
        };
        let (nodes, asking) = nodes(config, &registry)?;
        kept.on(&common);
        kept.only(|node| nodes.contains(node));
        let nodes = nodes.iter().filter(|node| only.is_none_or(|only| only == *node));
        let nodes = nodes.map(|node| kept.view(&common, node, asking.contains(node))).collect();
        let alarms = alarms(config, &holes);
        let (splitter, blind) = match SplitterView::look(config, now) {
            Ok(splitter) => (splitter, None),
            Err(error) => (SplitterView::default(), Some(error.chain())),
        };
        let waits = troubles.iter().filter(|trouble| trouble.node.is_none() && trouble.is_long(now));
        let waits = waits.map(Trouble::describe);
        let mut alarms: Vec<_> =
            alarms.into_iter().chain(unread).chain(blind).chain(splitter.alarm()).chain(waits).collect();
        // What cannot be read keeps more than one of them from being told.
        let mut said = HashSet::new();
        alarms.retain(|alarm| said.insert(alarm.clone()));
        Ok(Self {
            version: env!("CARGO_PKG_VERSION"),
            at: write_time(now),
            running: started.is_some(),
            running_seconds: started,
            splitter,
            dumps,
            nodes,
            alarms,
        })
    }

    /// The gravest that is said of a node or of the archives.
    pub fn severity(&self) -> Severity {
        let alarm = if self.alarms.is_empty() { Severity::Ok } else { Severity::Error };
        self.nodes.iter().map(|node| node.severity).fold(alarm, Severity::max)
    }
}

/// For how many seconds the daemon has run; `None` if it does not. Who may not look whether it does takes it for stopped.
fn started(config: &Config, now: SystemTime) -> Option<u64> {
    let lock = config.paths.instance_lock();
    Lock::holder(&lock).ok().flatten()?;
    // It writes its number when it starts, and never again.
    let since = disk::modified(&lock)?;
    Some(now.duration_since(since).unwrap_or_default().as_secs())
}

/// What the daemon tells of its dumps. Nobody relies on it: what cannot be read is not there.
fn dumps(config: &Config, now: SystemTime) -> Vec<Dump> {
    let text = disk::read_optional(&config.paths.dumps()).ok().flatten().unwrap_or_default();
    Dumps::read(&text, now).map(|dumps| dumps.dumps).unwrap_or_default()
}

/// What the daemon tells that it tries again.
fn troubles(config: &Config) -> Vec<Trouble> {
    let text = disk::read_optional(&config.paths.troubles()).ok().flatten();
    text.map(|text| read_troubles(&text)).unwrap_or_default()
}

/// All that are registered, have a file in the drop directory, or an open request; and those of the last two kinds.
fn nodes(config: &Config, registry: &Registry) -> Result<(BTreeSet<Node>, BTreeSet<Node>)> {
    let paths = &config.paths;
    let mut asking = BTreeSet::new();
    let of_trigger = |name: &str| TriggerFile::parse(name)?.ok().map(|file| file.node);
    let of_request = |name: &str| name.strip_suffix(".new.cut")?.parse().ok();
    asking.extend(disk::names(&paths.triggerdir)?.iter().filter_map(|name| of_trigger(name.to_str()?)));
    asking.extend(disk::names(&paths.tables_dir)?.iter().filter_map(|name| of_request(name.to_str()?)));
    let registered = registry.entries().filter_map(Entry::node);
    Ok((registered.chain(asking.iter().cloned()).collect(), asking))
}

/// What is wrong with the archives and the servers, a line each. What cannot be told is a line of its own, and hides no other.
fn alarms(config: &Config, holes: &[Hole]) -> Vec<String> {
    let changed = alarm::changed(config).map(|names| {
        let line = |name: ArchiveName| {
            format!(
                "archive {} has changed since it was split: the sites have its old content; compare with `resplit --dry-run`",
                name.counter
            )
        };
        names.into_iter().map(line).collect()
    });
    let missing = alarm::missing(config).map(|counter| {
        let line = |counter| {
            format!("archive {counter} is missing, and later ones are there: the splitter waits for it")
        };
        counter.map(line).into_iter().collect()
    });
    let said = |lines: Result<Vec<String>>| lines.unwrap_or_else(|error| vec![error.chain()]);
    let holes = holes.iter().map(hole::describe);
    said(changed).into_iter().chain(said(missing)).chain(holes).chain(said(servers::alarms(config))).collect()
}
