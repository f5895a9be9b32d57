//! `split`: one shot, for sites that run it from cron.

use std::path::Path;

use tokio_util::sync::CancellationToken;

use crate::config::Config;
use crate::db::Database;
use crate::disk;
use crate::error::{Error, Result};
use crate::ground;
use crate::logs::{Committed, Evidence, Gate, Splitter, Vouched, alarm};
use crate::model::{Counter, SlonyNode, numbered};
use crate::protocol::Event;

/// Splits what has committed; with `until`, what the operator vouches for, and no database is asked. `empty` is an archive
/// that slon committed and never wrote.
pub async fn split(config: &Config, until: Option<Counter>, empty: Option<Counter>) -> Result<String> {
    let splitter = Splitter::new(config)
        .ok_or_else(|| Error::Fatal("`archive_dir` is not set: there is nothing to split".into()))?;
    ground::put_on_disk(&config.paths)?;
    if let Some(until) = until {
        let node = only_node(config, splitter.archive_dir())?;
        let archives = disk::archives(splitter.archive_dir())?.into_iter();
        let lowest = archives.filter(|archive| archive.node == node).map(|archive| archive.counter).min();
        let first = lowest.map_or(until, Counter::previous);
        return split_by(config, &splitter, &mut Vouched { until, node }, first, empty).await;
    }
    let mut gate = Committed::new(Database::new(&config.database, &config.cluster), &config.paths);
    ground::check_slony_node(&config.paths, config.slony_node, gate.slony_node().await?)?;
    let mut evidence = Evidence::new(splitter.clone());
    let looked = evidence.look(&mut gate).await;
    let last = gate.committed().await?;
    splitter.check_time(last).await?;
    gate.remember()?;
    let said = split_by(config, &splitter, &mut gate, last, empty).await?;
    let compared = match looked {
        Ok(()) => evidence.compare(&mut gate).await,
        failed => failed,
    };
    match compared {
        Ok(()) if evidence.is_current() => alarm::forget(config)?,
        Ok(()) => {}
        Err(error) => {
            tracing::error!(error = error.chain(), "cannot tell whether slon archives what it applies");
        }
    }
    Ok(said)
}

/// Splits what the gate lets through; where nobody knows how far that was done, what comes after `first`.
async fn split_by(
    config: &Config,
    splitter: &Splitter,
    gate: &mut dyn Gate,
    first: Counter,
    empty: Option<Counter>,
) -> Result<String> {
    let (node, last) = (gate.slony_node().await?, gate.committed().await?);
    splitter.begin(first).await?;
    if let Some(empty) = empty {
        accept_empty(config, splitter, gate, (empty, last), node).await?;
    }
    let count = splitter.split_through(gate, last, node, &CancellationToken::new()).await?;
    Ok(format!("{} split, up to {}\n", numbered(count, "archive"), splitter.counter()?.unwrap_or_default()))
}

/// Slony-I commits before it writes in two cases only; in all others a missing archive is waited for.
async fn accept_empty(
    config: &Config,
    splitter: &Splitter,
    gate: &mut dyn Gate,
    (empty, last): (Counter, Counter),
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
    let what = format!("archive {empty} is taken as empty");
    let begin = super::audit::once(config, None, Event::AcceptEmpty, &what);
    splitter.accept_empty(empty, node, &begin).await
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
