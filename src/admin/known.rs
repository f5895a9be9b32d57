//! The node that an operator means.

use std::sync::Arc;

use crate::config::Config;
use crate::error::{Error, Result};
use crate::ground::{self, Ground};
use crate::model::Node;
use crate::protocol::{Entry, Registry};

/// So many names are said where one is not known.
const NAMED: usize = 20;

/// What there is of a node that is registered. The error for another names those that are.
pub(super) fn registered(config: &Config, node: &Node) -> Result<Ground> {
    let registry = ground::registry(&config.paths)?;
    if registry.find(node.as_str()).is_none() {
        return Err(unknown(&registry, node));
    }
    Ground::read(&config.paths, registry, node)
}

/// That there is no such node, and which there are.
pub(super) fn unknown(registry: &Arc<Registry>, node: &Node) -> Error {
    let mut nodes: Vec<String> = registry
        .entries()
        .filter_map(Entry::name)
        .filter(|name| !name.contains('.'))
        .map(str::to_owned)
        .collect();
    nodes.sort_unstable();
    let more = nodes.len().saturating_sub(NAMED);
    nodes.truncate(NAMED);
    let there = match (nodes.is_empty(), more) {
        (true, _) => "no node is registered".to_owned(),
        (false, 0) => format!("registered are {}", nodes.join(", ")),
        (false, more) => format!("registered are {} and {more} more: see `list`", nodes.join(", ")),
    };
    Error::Fatal(format!("there is no node {node}: {there}"))
}
