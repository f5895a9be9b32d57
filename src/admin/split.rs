//! `split`: one shot, for sites that run it from cron.

use std::path::Path;

use tokio_util::sync::CancellationToken;

use crate::config::Config;
use crate::db::Database;
use crate::disk;
use crate::error::{Error, Result};
use crate::logs::{Committed, Gate, Splitter, Vouched};
use crate::model::{Counter, SlonyNode};

/// Splits what has committed; with `until`, what the operator vouches for, and no database is asked. `empty` is an archive
/// that slon committed and never wrote.
pub async fn split(config: &Config, until: Option<Counter>, empty: Option<Counter>) -> Result<String> {
    let splitter = Splitter::new(config)
        .ok_or_else(|| Error::Fatal("`archive_dir` is not set: there is nothing to split".into()))?;
    let archives = disk::archives(splitter.archive_dir())?;
    let mut gate: Box<dyn Gate> = match until {
        Some(until) => Box::new(Vouched { until, node: only_node(config, splitter.archive_dir())? }),
        None => Box::new(Committed::new(Database::new(&config.database, &config.cluster))),
    };
    let node = gate.slony_node().await?;
    let last = gate.committed().await?;
    let lowest = archives.iter().filter(|archive| archive.node == node).map(|archive| archive.counter).min();
    splitter.begin(lowest.filter(|_| until.is_some()).map_or(last, Counter::previous)).await?;
    if let Some(empty) = empty {
        accept_empty(&splitter, gate.as_mut(), empty, last, node).await?;
    }
    let count = splitter.split_through(gate.as_mut(), last, node, &CancellationToken::new()).await?;
    Ok(format!("{count} archives split, up to {}\n", splitter.counter()?.unwrap_or_default()))
}

/// Slony-I commits before it writes in two cases only; in all others a missing archive is waited for.
async fn accept_empty(
    splitter: &Splitter,
    gate: &mut dyn Gate,
    empty: Counter,
    last: Counter,
    node: SlonyNode,
) -> Result<()> {
    if empty > last {
        return Err(Error::Fatal(format!("archive {empty} has not committed yet, only {last}")));
    }
    if !gate.may_be_empty().await? {
        return Err(Error::Fatal(
            "Slony-I remembers no ACCEPT_SET and no FAILOVER_NODE, and no other archive is committed before it is \
             written: find the archive; if you know that it is one of these, vouch for it with `--until`"
                .into(),
        ));
    }
    splitter.accept_empty(empty, node).await
}

/// The node whose archives lie there, where no database says it.
pub(super) fn only_node(config: &Config, archive_dir: &Path) -> Result<SlonyNode> {
    let mut nodes: Vec<SlonyNode> = disk::archives(archive_dir)?.iter().map(|archive| archive.node).collect();
    nodes.sort_unstable();
    nodes.dedup();
    match (config.slony_node, nodes.as_slice()) {
        (Some(node), _) => Ok(node),
        (None, [node]) => Ok(*node),
        (None, []) => Err(Error::Fatal("there is no archive in `archive_dir`".into())),
        (None, _) => {
            Err(Error::Fatal("archives of several Slony nodes lie in `archive_dir`: set `slony_node`".into()))
        }
    }
}
