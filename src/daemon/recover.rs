//! What a kill left: hidden files without meaning, and nodes in the middle of something. It needs no database, and is done
//! before any node is worked on.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::disk;
use crate::error::Result;
use crate::ground;
use crate::model::Node;
use crate::protocol::TriggerFile;
use crate::subscription::{Service, settle};

/// Removes temporary files, gives claimed requests back, and returns the nodes of which something lies there: all are to
/// be brought to rest.
pub(super) async fn tidy(service: &Service) -> Result<BTreeSet<Node>> {
    let paths = &service.config.paths;
    // Another process may be splitting, and has temporary files then.
    let _hold = service.hold().await?;
    let mut nodes = BTreeSet::new();
    for name in disk::names(&paths.triggerdir)? {
        let text = name.to_string_lossy();
        if let Some(claimed) = text.strip_prefix('.').and_then(|rest| rest.strip_suffix(".claim")) {
            pass_over(disk::give_back(&paths.triggerdir.join(&name), &paths.triggerdir.join(claimed)));
        }
        if let Some(Ok(file)) = TriggerFile::parse(&text) {
            nodes.insert(file.node);
        }
    }
    for name in disk::names(&paths.tables_dir)? {
        nodes.extend(name.to_str().and_then(|name| name.strip_suffix(".new.cut")?.parse::<Node>().ok()));
    }
    let registry = ground::registry(paths)?;
    let sites = registry.entries().map(|entry| entry.directory.clone());
    let ours = [&paths.triggerdir, &paths.tables_dir, &paths.work_dir].map(Clone::clone);
    for directory in sites.chain(ours) {
        pass_over(disk::remove_temporary(&directory));
    }
    Ok(nodes)
}

/// Brings nodes to rest. Those that cannot be stay in the set, to be tried again; until it is empty nothing is split.
pub(super) async fn bring_to_rest(service: &Arc<Service>, nodes: &mut BTreeSet<Node>) {
    for node in nodes.clone() {
        match settle(service, &node).await {
            Ok(()) => drop(nodes.remove(&node)),
            Err(error) => {
                let error = error.chain();
                tracing::error!(%node, error, "the node cannot be brought to rest yet: nothing is split");
            }
        }
    }
}

/// One file of a stranger's must not keep the daemon from its work.
fn pass_over(result: Result<()>) {
    if let Err(error) = result {
        tracing::warn!(error = error.chain(), "passed over");
    }
}
