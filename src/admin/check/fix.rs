//! What can be put right without losing a log, a list or a request.

use std::path::Path;

use super::observe::{Facts, NodeFacts};
use super::registry::{leftovers, stale};
use crate::config::Config;
use crate::model::{Node, Step};
use crate::protocol::Registry;
use crate::subscription::decide::write_registry;

/// One thing that is put right.
pub(super) struct Fix {
    /// What is done, in words.
    pub(super) what: String,
    pub(super) node: Option<Node>,
    pub(super) steps: Vec<Step>,
}

/// What is to be done, by what was seen under the hold that is still kept.
pub(super) fn plan(config: &Config, facts: &Facts) -> Vec<Fix> {
    let Ok(registry) = &facts.registry else { return Vec::new() };
    let mut fixes: Vec<Fix> = facts.temporaries.iter().filter_map(|path| temporary(path)).collect();
    let mut registry = Registry::clone(registry);
    for node in facts.nodes.iter().filter(|node| !node.is_open && node.ground.is_ok()) {
        fixes.extend(held(node));
        fixes.extend(new(config, node, &mut registry));
        if node.entry.is_none() {
            fixes.extend(left(config, node));
        }
    }
    fixes
}

fn temporary(path: &Path) -> Option<Fix> {
    let name = path.file_name()?.to_str()?;
    // `.ready` and `.claim` hold an answer and a request: the daemon takes them up.
    name.starts_with(".tmp-").then(|| Fix {
        what: format!("remove {}", path.display()),
        node: None,
        steps: vec![Step::Remove(path.to_owned())],
    })
}

/// Logs that no fence holds back any more belong to the node.
fn held(node: &NodeFacts) -> Option<Fix> {
    let (from, into) = (node.site.held_directory.clone(), node.site.directory.clone());
    node.entry.as_ref().filter(|_| node.held_shelf.is_some() && node.shelf.is_some())?;
    Some(Fix {
        what: format!("move the logs of {} into {}", from.display(), into.display()),
        node: Some(node.node.clone()),
        steps: vec![Step::MoveLogs { from: from.clone(), into }, Step::RemoveDirectory(from)],
    })
}

/// What belonged to a request. Logs in `<node>.new` are by a list that nobody has. Where something of the node lies in the drop
/// directory, another tool may be at work on it.
fn new(config: &Config, node: &NodeFacts, registry: &mut Registry) -> Option<Fix> {
    let parts = stale(node);
    if parts.is_empty() || !node.dropped.is_empty() {
        return None;
    }
    let mut steps = Vec::new();
    if let Some(entry) = &node.new_entry {
        registry.remove(&entry.directory);
        steps.push(write_registry(&config.paths, registry));
        registry.settle();
    }
    steps.push(Step::RemoveDirectory(node.site.new_directory.clone()));
    steps.push(Step::Remove(node.site.new_list.clone()));
    Some(Fix { what: format!("remove {}", parts.join(", ")), node: Some(node.node.clone()), steps })
}

fn left(config: &Config, node: &NodeFacts) -> Option<Fix> {
    let names = leftovers(node);
    if names.is_empty() {
        return None;
    }
    let files = [&node.site.stopped, &node.site.decisions, &config.paths.acknowledgement(&node.node)];
    Some(Fix {
        what: format!("remove {}", names.join(", ")),
        node: Some(node.node.clone()),
        steps: files.into_iter().map(|path| Step::Remove(path.clone())).collect(),
    })
}
