//! `resplit`: site logs of one node made again from archives that are kept.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::split::only_node;
use crate::config::Config;
use crate::db::Database;
use crate::error::{Error, Result};
use crate::ground;
use crate::logs::{Change, Committed, Gate as _, Resplit, Splitter};
use crate::model::{Counter, Node, SlonyNode};
use crate::protocol::Event;

/// How many logs are named one by one.
const NAMED: usize = 50;

/// Makes the logs from the first archive to the last again. With `dry` nothing is changed.
pub async fn resplit(config: &Config, node: &Node, range: (Counter, Counter), dry: bool) -> Result<String> {
    let splitter = Splitter::new(config)
        .ok_or_else(|| Error::Fatal("`archive_dir` is not set: there is nothing to split".into()))?;
    if range.0 > range.1 {
        return Err(Error::Fatal(format!("`--from {}` comes after `--to {}`", range.0, range.1)));
    }
    let slony_node = slony_node(config, &splitter).await?;
    if !dry {
        ground::put_on_disk(&config.paths)?;
    }
    let what = format!("logs {} to {} are made again", range.0, range.1);
    let begin = super::audit::once(config, Some(node), Event::Resplit, &what);
    let mut made: Vec<Resplit> = Vec::new();
    splitter.resplit(node, slony_node, range, dry, Arc::new(begin), |log| made.push(log)).await?;
    let mut counts: BTreeMap<String, [usize; 3]> = BTreeMap::new();
    let mut text = String::new();
    let changed = made.iter().filter(|log| log.change != Change::Same).count();
    for log in &made {
        let directory = log.directory.display().to_string();
        if log.change != Change::Same && changed <= NAMED {
            text += &format!("{directory}: {} {}\n", log.counter, log.change);
        }
        let counts = counts.entry(directory).or_default();
        let column = match log.change {
            Change::Same => 0,
            Change::Differs => 1,
            Change::Missing => 2,
        };
        if let Some(count) = counts.get_mut(column) {
            *count += 1;
        }
    }
    let done = if dry { "would be made" } else { "made" };
    for (directory, [same, differ, missing]) in counts {
        text += &format!(
            "{directory}: {same} logs are the same, {differ} that differed and {missing} that were missing {done}\n"
        );
    }
    if made.is_empty() {
        text += "the node had no list at any of these archives: nothing to do\n";
    }
    Ok(text)
}

/// Whose archives they are. What was split once is true: the database is asked for its node only, and only if nothing else says it.
pub(super) async fn slony_node(config: &Config, splitter: &Splitter) -> Result<SlonyNode> {
    match only_node(config, splitter.archive_dir()) {
        Ok(node) => Ok(node),
        Err(_) => {
            Committed::new(Database::new(&config.database, &config.cluster), &config.paths).slony_node().await
        }
    }
}
