//! What is new between two looks.

use super::Overview;
use super::node::NodeView;

/// Whether the later of two looks shows anything that the earlier did not, but that time goes on.
pub fn has_changed(before: &Overview, after: &Overview) -> bool {
    before.alarms != after.alarms
        || before.dumps != after.dumps
        || before.splitter.counter != after.splitter.counter
        || before.splitter.committed != after.splitter.committed
        || before.nodes.len() != after.nodes.len()
        || before.nodes.iter().zip(&after.nodes).any(|(before, after)| ageless(before) != ageless(after))
}

/// A node without what grows by itself.
fn ageless(node: &NodeView) -> NodeView {
    NodeView {
        last_log_age_seconds: None,
        acknowledged_age_seconds: None,
        next_log_age_seconds: None,
        ..node.clone()
    }
}
