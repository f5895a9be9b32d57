//! Nodes whose logs stop while the others go on: where is written down before the counter passes the archive, and when they may go on
//! they get what the others have, in order.

use std::collections::HashMap;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use super::batch::Outcome;
use super::obstacle::whose;
use super::roster::Sites;
use super::targets::Site;
use super::worker::Splitter;
use crate::config::Config;
use crate::disk;
use crate::error::Result;
use crate::ground::read;
use crate::model::{Counter, Node, SlonyNode, Unrouted};
use crate::protocol::{Registry, Stopped, Why};

/// After a fault it is tried again after this time, then after twice that...
const FIRST_PAUSE: Duration = Duration::from_secs(1);
/// ...and so on, up to this.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// When nodes that stopped for a fault were tried last. A restart forgets it, and tries at once.
#[derive(Default)]
pub(super) struct Retries(HashMap<Node, (Instant, Duration)>);

impl Retries {
    /// Whether a node may be tried now.
    pub(super) fn is_due(&self, node: &Node) -> bool {
        self.0.get(node).is_none_or(|(last, pause)| last.elapsed() >= *pause)
    }

    /// It was tried, and got so many archives: the pause grows only while there are none.
    pub(super) fn tried(&mut self, node: &Node, count: u64) {
        if count > 0 {
            self.0.remove(node);
            return;
        }
        let pause = self.0.get(node).map_or(FIRST_PAUSE, |(_, pause)| LONGEST_PAUSE.min(*pause * 2));
        self.0.insert(node.clone(), (Instant::now(), pause));
    }
}

/// Writes down which nodes stop because something stands in their way; `at` is the last archive of the others. Returns whether there
/// was anything new to write.
pub(super) fn stop_at_obstacles(sites: &Sites, obstacles: &[Option<String>], at: Counter) -> Result<bool> {
    let mut is_new = false;
    for (site, fault) in sites.iter().zip(obstacles) {
        let Some(fault) = fault else { continue };
        is_new |= match &site.stopped {
            None => stop_for_fault(site, at.next(), fault)?,
            // Nobody wants to write them, and nothing stands in the way of that.
            Some(stopped) if stopped.is_paused() => false,
            // That comes first, and is said already.
            Some(stopped) if matches!(stopped.why, Some(Why::Decide(_))) && !is_decided(site, stopped) => {
                false
            }
            Some(stopped) => stop_for_fault(site, stopped.before, fault)?,
        };
    }
    Ok(is_new)
}

/// Writes down that a node stops for a fault, and says so if it was not known. Returns whether it was new.
pub(super) fn stop_for_fault(site: &Site, before: Counter, fault: &str) -> Result<bool> {
    let stopped = Stopped { before, why: Some(Why::Fault(fault.to_owned())) };
    // As they are written: what a line cannot hold is not in what was read.
    let text = stopped.write();
    if site.stopped.as_ref().is_some_and(|was| was.write() == text) {
        return Ok(false);
    }
    let why = |stopped: &Stopped| Stopped { before: Counter::default(), ..stopped.clone() }.write();
    if site.stopped.as_ref().is_none_or(|was| why(was) != why(&stopped)) {
        tracing::error!(
            node = %site.node,
            counter = %before,
            fault,
            "the logs of the node stop: mend this, and they go on by themselves"
        );
    }
    disk::write(&site.paths.stopped, &text).map(|()| true)
}

/// Writes down which nodes have stopped before a statement.
pub(super) fn stop_at_statements(sites: &Sites, outcome: &Outcome) -> Result<()> {
    for (index, counter, stop) in &outcome.stops {
        let Some(site) = sites.get(*index) else { continue };
        let why = format!("line {}: {}", stop.line, stop.why);
        tracing::error!(
            node = %site.node,
            %counter,
            why,
            "the logs of the node stop: decide with `subscription_manager ddl {} {counter} --send` or `--skip`",
            site.node
        );
        let stopped = Stopped { before: *counter, why: Some(Why::Decide(why)) };
        disk::write(&site.paths.stopped, &stopped.write())?;
    }
    Ok(())
}

/// Where the logs of a node are, if they are ever removed; the directory of one that is paused stays as it is.
pub(super) fn directory_to_tidy(
    config: &Config,
    registry: &Registry,
    node: &Node,
) -> Result<Option<PathBuf>> {
    let entry = registry.find(node.as_str()).filter(|_| config.life.site_logs.is_some());
    let Some(entry) = entry else { return Ok(None) };
    let stopped = read(&config.paths.site(node, Some(entry)).stopped, Stopped::parse)?;
    Ok(stopped.is_none_or(|stopped| !stopped.is_paused()).then(|| entry.directory.clone()))
}

/// Whether what stopped a node has been decided about, left behind, or may have been mended.
pub(super) fn may_go_on(site: &Site, stopped: &Stopped, retries: &Retries) -> bool {
    match &stopped.why {
        None => true,
        Some(Why::Decide(_)) => is_decided(site, stopped),
        Some(Why::Fault(_)) => retries.is_due(&site.node),
        Some(Why::Paused(_)) => false,
    }
}

/// Whether the statement that stopped a node has been decided about, or left behind.
fn is_decided(site: &Site, stopped: &Stopped) -> bool {
    site.unrouted != Unrouted::Hold || site.decisions.at(stopped.before).is_some()
}

impl Splitter {
    /// Gives a node that had stopped its part of what the others have already. Returns how many archives that were; fails for what is
    /// not the fault of the node.
    pub(super) fn catch_up(
        &self,
        sites: &Sites,
        index: usize,
        stopped: &Stopped,
        at: Counter,
        node: SlonyNode,
    ) -> Result<u64> {
        let Some(site) = sites.get(index) else { return Ok(0) };
        let outcome = self.split(sites, &[index], (stopped.before, at), node, &mut None)?;
        let next = stopped.before.plus(outcome.count);
        let blamed = outcome.failed.as_ref().and_then(|error| whose(self.config(), sites, &[index], error));
        if !outcome.stops.is_empty() {
            stop_at_statements(sites, &outcome)?;
        } else if let Some((_, fault)) = &blamed {
            stop_for_fault(site, next, fault)?;
        } else if next > at {
            disk::remove(&site.paths.stopped)?;
            tracing::info!(node = %site.node, counter = %at, "the node goes on with the others");
        } else if outcome.count > 0 {
            // What was decided or mended is behind it now.
            disk::write(&site.paths.stopped, &Stopped { before: next, why: None }.write())?;
        }
        match outcome.failed {
            Some(error) if blamed.is_none() => Err(error),
            _ => Ok(outcome.count),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Dialect;
    use crate::paths::Paths;
    use crate::protocol::Decisions;

    #[test]
    fn a_fault_in_several_lines_is_written_down_and_said_once() {
        let directory = tempfile::tempdir().unwrap();
        let at = |name: &str| directory.path().join(name);
        let paths = Paths {
            triggerdir: at("triggers"),
            subscribers_dir: at("site_logs"),
            tables_dir: directory.path().to_owned(),
            registry: at("slon_parser.cfg"),
            work_dir: at("work"),
            archive_dir: None,
        };
        let node: Node = "nso".parse().unwrap();
        let mut site = Site {
            paths: paths.site(&node, None),
            node,
            dialect: Dialect::Psql,
            cuts: None,
            new: None,
            stopped: None,
            fault: None,
            decisions: Decisions::default(),
            unrouted: Unrouted::Hold,
        };
        let before = Counter::parse("7").unwrap();
        let fault = "one line\nand another\twith a tab";
        assert!(stop_for_fault(&site, before, fault).unwrap());
        let written = disk::read_optional(&site.paths.stopped).unwrap().unwrap();
        site.stopped = Some(Stopped::parse(&written).unwrap());
        // As the next look finds it: whoever takes that for news would look again at once, for ever.
        assert!(!stop_for_fault(&site, before, fault).unwrap());
        assert!(stop_for_fault(&site, before, "another fault").unwrap());
    }
}
