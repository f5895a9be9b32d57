//! `split`: one shot, for sites that run it from cron.

use tokio_util::sync::CancellationToken;

use crate::config::Config;
use crate::db::Database;
use crate::disk;
use crate::error::{Error, Result};
use crate::logs::{Committed, Gate, Splitter, Vouched};
use crate::model::{ArchiveName, Counter, SlonyNode};

/// Splits what has committed; with `until`, what the operator vouches for, and no database is asked.
pub async fn split(config: &Config, until: Option<Counter>) -> Result<String> {
    let splitter = Splitter::new(config)
        .ok_or_else(|| Error::Fatal("`archive_dir` is not set: there is nothing to split".into()))?;
    let archives = archives(&splitter)?;
    let mut gate: Box<dyn Gate> = match until {
        Some(until) => Box::new(Vouched { until, node: only_node(config, &archives)? }),
        None => Box::new(Committed::new(Database::new(&config.database, &config.cluster))),
    };
    let node = gate.slony_node().await?;
    let last = gate.committed().await?;
    let lowest = archives.iter().filter(|archive| archive.node == node).map(|archive| archive.counter).min();
    splitter.begin(lowest.filter(|_| until.is_some()).map_or(last, Counter::previous)).await?;
    let count = splitter.split_until(last, node, &CancellationToken::new()).await?;
    Ok(format!("{count} archives split, up to {}\n", splitter.counter()?.unwrap_or_default()))
}

fn archives(splitter: &Splitter) -> Result<Vec<ArchiveName>> {
    let names = disk::names(splitter.archive_dir())?;
    Ok(names.iter().filter_map(|name| name.to_str()?.parse().ok()).collect())
}

/// The node whose archives lie there, where no database says it.
fn only_node(config: &Config, archives: &[ArchiveName]) -> Result<SlonyNode> {
    let mut nodes: Vec<SlonyNode> = archives.iter().map(|archive| archive.node).collect();
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
