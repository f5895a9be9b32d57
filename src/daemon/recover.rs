//! What a kill left: hidden files without meaning, and nodes in the middle of something. It needs no database, and is done
//! before any node is worked on.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::disk::{self, Lock};
use crate::error::{Error, Result};
use crate::ground::{self, Ground};
use crate::model::Node;
use crate::paths::Paths;
use crate::protocol::TriggerFile;
use crate::subscription::{Service, obstacle, settle};

/// Removes temporary files where requests are dropped and site logs lie, gives claimed requests back, and returns the nodes of
/// which something lies there: all are to be brought to rest.
pub(super) async fn tidy(service: &Service) -> Result<BTreeSet<Node>> {
    let paths = service.config.paths.clone();
    // Another process may be splitting, and has temporary files then.
    let hold = service.hold().await?;
    // A directory may lie on a file system that does not answer: the daemon hears signals all the same.
    let tidied = tokio::task::spawn_blocking(move || {
        let tidied = tidy_under(&hold, &paths);
        drop(hold);
        tidied
    });
    tidied.await.map_err(|error| Error::Stopped(format!("a thread broke: {error}")))?
}

fn tidy_under(_hold: &Lock, paths: &Paths) -> Result<BTreeSet<Node>> {
    pass_over(ground::put_on_disk(paths));
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
    for directory in sites.chain([paths.triggerdir.clone(), paths.rejected()]) {
        pass_over(disk::remove_temporary(&directory));
    }
    Ok(nodes)
}

/// Removes the temporary files where the daemon's own tasks write, before any of them begins. While another process has the hold, it may
/// be at work there: what was left then goes at a later start.
pub(super) fn sweep(paths: &Paths) -> Result<()> {
    let _hold = match Lock::take(&paths.hold()) {
        Err(Error::Busy(_)) => return Ok(()),
        taken => taken?,
    };
    for directory in [&paths.tables_dir, &paths.work_dir] {
        pass_over(disk::remove_temporary(directory));
    }
    Ok(())
}

/// Brings nodes to rest. Those that cannot be stay in the set, to be tried again, and are not worked on. Returns whether any of
/// them keeps all from being split.
pub(super) async fn bring_to_rest(service: &Arc<Service>, nodes: &mut BTreeSet<Node>) -> bool {
    let mut all_wait = false;
    for node in nodes.clone() {
        let Err(error) = settle(service, &node).await else {
            nodes.remove(&node);
            continue;
        };
        let error = error.chain();
        if is_in_its_own_way(service, &node) {
            tracing::error!(%node, error, "the node cannot be brought to rest yet: its logs stop, the others go on");
        } else {
            all_wait = true;
            tracing::error!(%node, error, "the node cannot be brought to rest yet: nothing is split");
        }
    }
    all_wait
}

/// Whether a node's own files cannot be read, or one of its directories is none: for the same reason the splitter stops its logs, and
/// nothing of what was left half done is built upon.
fn is_in_its_own_way(service: &Service, node: &Node) -> bool {
    let paths = &service.config.paths;
    let ground = |registry| Ground::read(paths, registry, node);
    ground::registry(paths).is_ok_and(|registry| match ground(registry) {
        Ok(ground) => obstacle(&ground).is_some(),
        Err(_) => true,
    })
}

/// One file of a stranger's must not keep the daemon from its work.
fn pass_over(result: Result<()>) {
    if let Err(error) = result {
        tracing::warn!(error = error.chain(), "passed over");
    }
}
