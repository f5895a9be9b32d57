//! What a kill left: hidden files without meaning, and nodes in the middle of something. It needs no database.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::disk;
use crate::error::Result;
use crate::ground;
use crate::model::Node;
use crate::protocol::TriggerFile;
use crate::subscription::{Service, settle};

/// Brings everything to rest. What fails is logged, and all of it is tried again at the next look; until then nothing is
/// split, but nodes are served.
pub(super) async fn recover(service: &Arc<Service>) -> bool {
    let nodes = match tidy(service).await {
        Ok(nodes) => nodes,
        Err(error) => {
            tracing::error!(
                error = error.chain(),
                "what an earlier run left cannot be tidied yet: nothing is split"
            );
            return false;
        }
    };
    let mut at_rest = true;
    for node in nodes {
        if let Err(error) = settle(service, &node).await {
            tracing::error!(%node, error = error.chain(), "the node cannot be brought to rest yet: nothing is split");
            at_rest = false;
        }
    }
    at_rest
}

/// Removes temporary files, gives claimed requests back, and returns the nodes of which something lies there.
async fn tidy(service: &Service) -> Result<Vec<Node>> {
    let paths = &service.config.paths;
    // Another process may be splitting, and has temporary files then.
    let _hold = service.hold().await?;
    let mut nodes = BTreeSet::new();
    for name in disk::names(&paths.triggerdir)? {
        let text = name.to_string_lossy();
        if let Some(claimed) = text.strip_prefix('.').and_then(|rest| rest.strip_suffix(".claim")) {
            disk::give_back(&paths.triggerdir.join(&name), &paths.triggerdir.join(claimed))?;
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
        disk::remove_temporary(&directory)?;
    }
    Ok(nodes.into_iter().collect())
}
