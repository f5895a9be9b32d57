//! Everything of one node.

use std::time::SystemTime;

use serde::Serialize;

use super::request::{RequestView, Work, waits_for};
use super::{NodeView, Overview};
use crate::access::Access;
use crate::config::Config;
use crate::disk;
use crate::error::Result;
use crate::ground::{self, Ground};
use crate::model::{Counter, Dialect, Node};
use crate::protocol::{Cuts, Kind, Stem, Trouble};
use crate::subscription::stage::Stage;
use crate::subscription::{look, obstacle};

/// One node, in full. PROTOCOL.md documents the fields.
#[derive(Debug, Clone, Serialize)]
pub struct NodeDetail {
    /// What `list` says of it.
    #[serde(flatten)]
    pub node: NodeView,
    /// Whether it is in the registry.
    pub registered: bool,
    /// Where its logs are.
    pub directory: String,
    /// Its list.
    pub list: String,
    /// The first archive for which that list holds; 0: for all.
    pub list_holds_from: Option<u64>,
    /// Its series.
    pub subscribed: Vec<String>,
    /// How its logs are written: `psql` or `slony`.
    pub dialect: &'static str,
    /// The group that may read them; `None`: everybody.
    pub group: Option<String>,
    /// The series that it has and `access_file` does not allow.
    pub not_allowed: Vec<String>,
    /// What is waited for, in words.
    pub waits_for: Option<String>,
    /// Its open request.
    pub request: Option<RequestView>,
}

impl NodeDetail {
    /// Looks at a node; `None`: there is nothing of it.
    pub fn look(config: &Config, node: &Node) -> Result<Option<Self>> {
        let overview = Overview::look_at(config, Some(node))?;
        let (running, dumps) = (overview.running, overview.dumps);
        let Some(view) = overview.nodes.into_iter().next() else { return Ok(None) };
        let ground = Ground::read(&config.paths, ground::registry(&config.paths)?, node)?;
        let (access, _) = Access::load_to_look(config);
        let paths = &config.paths;
        let requested =
            Stem::ALL.into_iter().find(|stem| disk::exists(&paths.trigger(node, *stem, Kind::Request)));
        let stage = Stage::of(&look(paths, &access, node, &ground, requested));
        let dump = dumps.iter().find(|dump| dump.node == node.as_str());
        let is_of_it = |trouble: &Trouble| trouble.node.as_deref() == Some(node.as_str());
        let is_in_trouble = running && super::troubles(config).iter().any(is_of_it);
        let work = Work { is_running: running, is_in_trouble, dump };
        let series = || ground.list().into_iter().flatten().map(|subscription| &subscription.series);
        Ok(Some(Self {
            node: view,
            registered: ground.cuts.is_some(),
            directory: ground.site.directory.display().to_string(),
            list: ground.site.list.display().to_string(),
            list_holds_from: ground.cuts.as_ref().and_then(newest_start),
            subscribed: series().map(ToString::to_string).collect(),
            dialect: match config.dialect_of(node) {
                Dialect::Psql => "psql",
                Dialect::Slony => "slony",
            },
            group: access.rules().group(node).map(str::to_owned),
            not_allowed: access.denied(node, series()).into_iter().map(ToString::to_string).collect(),
            waits_for: match (&stage, obstacle(&ground)) {
                (Stage::CleaningUp(_) | Stage::Refusing(_), Some(why)) => Some(format!("cannot end: {why}")),
                _ => waits_for(&stage, work, config.request_age, SystemTime::now()),
            },
            request: ground.open.as_ref().map(RequestView::of),
        }))
    }
}

fn newest_start(cuts: &Cuts) -> Option<u64> {
    cuts.starts().max().map(Counter::value)
}
