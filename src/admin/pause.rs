//! `pause` and `resume`: a node gets no logs for a while, and then all that it has missed.

use std::fmt;

use serde::Serialize;

use crate::config::Config;
use crate::disk::{self, Lock};
use crate::error::{Error, Result};
use crate::ground::{self, read};
use crate::model::{Counter, Node};
use crate::protocol::{Event, Stopped, Why, read_counter};

/// A node that is paused.
#[derive(Debug, Serialize)]
pub struct Paused {
    node: String,
    changed: bool,
    before: u64,
    reason: String,
}

/// A node that goes on, from a log on; from none if it was not paused.
#[derive(Debug, Serialize)]
pub struct Resumed {
    node: String,
    changed: bool,
    from: Option<u64>,
    running: bool,
}

/// Stops the logs of a node before the next archive, or leaves them stopped where they are. Archives are kept for it.
pub async fn pause(config: &Config, node: &Node, reason: &str) -> Result<Paused> {
    if config.paths.archive_dir.is_none() {
        return Err(Error::Fatal(
            "`archive_dir` is not set: other tools split here, and only they could pause".into(),
        ));
    }
    let _hold = Lock::wait(&config.paths.hold()).await?;
    ground::put_on_disk(&config.paths)?;
    let ground = super::known::registered(config, node)?;
    let before = match (&ground.stopped, read(&config.paths.split_counter(), read_counter)?) {
        (Some(stopped), _) => stopped.before,
        (None, Some(counter)) => counter.next(),
        (None, None) => {
            return Err(Error::Fatal(
                "nothing was split yet, so there is nothing to pause: start the manager".into(),
            ));
        }
    };
    // As it is read back: one line.
    let reason = reason.split_whitespace().collect::<Vec<_>>().join(" ");
    let reason = match ground.stopped.as_ref().and_then(|stopped| stopped.why.as_ref()) {
        Some(Why::Paused(said)) if reason.is_empty() => said.clone(),
        _ => reason,
    };
    let stopped = Stopped { before, why: Some(Why::Paused(reason.clone())) };
    let changed = ground.stopped.as_ref() != Some(&stopped);
    if changed {
        let because = if reason.is_empty() { String::new() } else { format!(": {reason}") };
        let what = format!("paused before archive {before}{because}");
        super::audit::once(config, Some(node), Event::Pause, &what)()?;
        disk::write(&ground.site.stopped, &stopped.write())?;
    }
    Ok(Paused { node: node.to_string(), changed, before: before.value(), reason })
}

/// Lets a paused node go on: the splitter gives it what the others have, in order. What stopped it before, if anything did,
/// stops it again.
pub async fn resume(config: &Config, node: &Node) -> Result<Resumed> {
    let _hold = Lock::wait(&config.paths.hold()).await?;
    ground::put_on_disk(&config.paths)?;
    let ground = super::known::registered(config, node)?;
    let Some(stopped) = ground.stopped.filter(Stopped::is_paused) else {
        return resumed(config, node, None);
    };
    let before = stopped.before;
    let what = format!("goes on from archive {before}");
    super::audit::once(config, Some(node), Event::Resume, &what)()?;
    let split = read(&config.paths.split_counter(), read_counter)?;
    if split.is_some_and(|split| split.next() == before) {
        // The others have no more than it has.
        disk::remove(&ground.site.stopped)?;
    } else {
        disk::write(&ground.site.stopped, &Stopped { why: None, ..stopped }.write())?;
    }
    resumed(config, node, Some(before))
}

fn resumed(config: &Config, node: &Node, from: Option<Counter>) -> Result<Resumed> {
    let running = Lock::holder(&config.paths.instance_lock())?.is_some();
    let from = from.map(Counter::value);
    Ok(Resumed { node: node.to_string(), changed: from.is_some(), from, running })
}

impl fmt::Display for Paused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { node, before, .. } = self;
        writeln!(
            f,
            "{node} is paused before archive {before}: it gets no logs, and its requests are refused; archives are kept for it"
        )?;
        writeln!(f, "`subscription_manager resume {node}` lets it go on")
    }
}

impl fmt::Display for Resumed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { node, from, running, .. } = self;
        let Some(from) = from else {
            return writeln!(f, "{node} is not paused: there is nothing to resume");
        };
        let when = if *running { "with the next round" } else { "when the manager runs" };
        writeln!(f, "{node} goes on: it gets its logs from {from} on, {when}")
    }
}
