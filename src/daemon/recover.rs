//! What a kill left: hidden files without meaning, and nodes in the middle of something. It needs no database.

use std::sync::Arc;

use crate::disk;
use crate::error::Result;
use crate::model::Node;
use crate::protocol::TriggerFile;
use crate::subscription::{Service, settle};

/// Brings everything to rest. What fails is logged, and tried again at the next look; until then nothing is split.
pub(super) async fn recover(service: &Arc<Service>) -> bool {
    let recovered = match tidy(service) {
        Ok(nodes) => settle_all(service, nodes).await,
        Err(error) => Err(error),
    };
    if let Err(error) = &recovered {
        tracing::error!(
            error = error.chain(),
            "what an earlier run left cannot be settled yet: nothing is split"
        );
    }
    recovered.is_ok()
}

async fn settle_all(service: &Arc<Service>, nodes: Vec<Node>) -> Result<()> {
    for node in nodes {
        settle(service, &node).await?;
    }
    Ok(())
}

/// Removes temporary files, gives claimed requests back, and returns the nodes of which something is open.
fn tidy(service: &Arc<Service>) -> Result<Vec<Node>> {
    let paths = &service.config.paths;
    let mut nodes = std::collections::BTreeSet::new();
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
    let registry = crate::ground::registry(paths)?;
    let sites = registry.entries().map(|entry| entry.directory.clone());
    let ours = [&paths.triggerdir, &paths.tables_dir, &paths.work_dir].map(Clone::clone);
    for directory in sites.chain(ours) {
        disk::remove_temporary(&directory)?;
    }
    Ok(nodes.into_iter().collect())
}
