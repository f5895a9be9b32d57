//! What was seen of nodes, kept for the next look: of a thousand that rest only the state of their files is asked.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use super::node::{Common, NodeView};
use crate::disk::{self, Identity};
use crate::model::Node;
use crate::paths::Paths;
use crate::protocol::{AccessRules, Hole, Registry};

/// What time alone may change of a node that is behind, as that it counts as silent, is noticed after so long.
const BELIEVED: Duration = Duration::from_secs(600);

/// Nodes as they were seen, each with the state of its files then.
#[derive(Default)]
pub struct Kept {
    /// What all that is kept was made of.
    ground: Option<(Arc<Registry>, Vec<Hole>, AccessRules)>,
    nodes: HashMap<Node, Seen>,
}

/// One node.
struct Seen {
    files: Vec<Option<Identity>>,
    at: SystemTime,
    view: NodeView,
}

impl Kept {
    /// Forgets all if what they have in common is another than the last time.
    pub(super) fn on(&mut self, common: &Common<'_>) {
        let rules = common.access.rules();
        let same = self.ground.as_ref().is_some_and(|(registry, holes, before)| {
            **registry == **common.registry && holes == common.holes && *before == rules
        });
        if !same {
            self.nodes.clear();
            self.ground = Some((common.registry.clone(), common.holes.to_vec(), rules));
        }
    }

    /// A node as it is now. One with files in the drop directory (`is_asking`) is always looked at.
    pub(super) fn view(&mut self, common: &Common<'_>, node: &Node, is_asking: bool) -> NodeView {
        if is_asking {
            self.nodes.remove(node);
            return NodeView::of(common, node);
        }
        let now = common.now;
        let files: Vec<_> =
            files(&common.config.paths, common.registry, node).iter().map(|path| disk::state(path)).collect();
        if let Some(seen) = self.nodes.get(node).filter(|seen| seen.files == files) {
            let past = now.duration_since(seen.at).unwrap_or(BELIEVED);
            if past < BELIEVED || !is_waiting(&seen.view) {
                return later(seen.view.clone(), past);
            }
        }
        let view = NodeView::of(common, node);
        // A file may change twice within one tick of its clock.
        let is_settled = files.iter().flatten().all(|file| file.is_past(now));
        if is_settled && view.stage == "idle" {
            self.nodes.insert(node.clone(), Seen { files, at: now, view: view.clone() });
        } else {
            self.nodes.remove(node);
        }
        view
    }

    /// Keeps those that are still there.
    pub(super) fn only(&mut self, is_there: impl Fn(&Node) -> bool) {
        self.nodes.retain(|node, _| is_there(node));
    }
}

/// Every file that a node at rest is seen by. A log comes and goes by a rename, which changes its directory.
fn files(paths: &Paths, registry: &Registry, node: &Node) -> [PathBuf; 7] {
    let site = paths.site(node, registry.find(node.as_str()));
    let acknowledged = site.acknowledgement();
    let list = site.list;
    let in_tables = [site.cuts, site.open_request, site.stopped];
    let [cuts, open, stopped] = in_tables;
    [list, cuts, open, stopped, site.directory, acknowledged, paths.acknowledgement(node)]
}

/// Whether its next log becomes older.
fn is_waiting(view: &NodeView) -> bool {
    view.next_log_age_seconds.is_some()
}

/// The same after some time in which nothing has changed.
fn later(mut view: NodeView, by: Duration) -> NodeView {
    let ages =
        [&mut view.last_log_age_seconds, &mut view.acknowledged_age_seconds, &mut view.next_log_age_seconds];
    for age in ages.into_iter().flatten() {
        *age += by.as_secs();
    }
    view
}
