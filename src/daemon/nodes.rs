//! Which node is worked on: looks at the drop directory and keeps one worker for each node that needs one.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use tokio::sync::mpsc::UnboundedSender;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::Event;
use super::arrivals::{Arrivals, Wholeness};
use crate::disk;
use crate::error::{Error, Result};
use crate::model::Node;
use crate::protocol::{Kind, TriggerFile};
use crate::subscription::{Service, WholeRequest, Worker, set_aside};

/// The nodes of this daemon.
pub(super) struct Nodes {
    service: Arc<Service>,
    events: UnboundedSender<Event>,
    arrivals: Arrivals,
    running: HashMap<Node, Running>,
    away: HashMap<Node, Instant>,
    tasks: TaskTracker,
}

/// A worker that has not come back.
struct Running {
    cancel: CancellationToken,
    /// It has taken its request: a `.tgr` that lies there now is a newer one.
    claimed: Arc<AtomicBool>,
    /// Something happened meanwhile that it may not have seen.
    look_again: bool,
}

/// What a look at the drop directory found.
#[derive(Default)]
struct Found {
    nodes: BTreeSet<Node>,
    whole: BTreeMap<Node, WholeRequest>,
    wait: Option<Duration>,
}

impl Nodes {
    /// None is running.
    pub(super) fn new(service: Arc<Service>, events: UnboundedSender<Event>) -> Self {
        Self {
            service,
            events,
            arrivals: Arrivals::default(),
            running: HashMap::new(),
            away: HashMap::new(),
            tasks: TaskTracker::new(),
        }
    }

    /// A name appeared by a rename.
    pub(super) fn renamed(&mut self, name: std::ffi::OsString) {
        self.arrivals.renamed(name);
    }

    /// Looks, and starts a worker for every node of which something lies there. A node's newer request ends the dump for
    /// its older one. Returns after what time a file may have become whole.
    pub(super) fn look(&mut self) -> Result<Option<Duration>> {
        let found = self.find()?;
        for node in found.nodes {
            let whole = found.whole.get(&node).copied();
            match self.running.get_mut(&node) {
                None => self.start(node, whole),
                Some(running) => {
                    running.look_again = true;
                    if whole.is_some() && running.claimed.load(Ordering::Acquire) {
                        tracing::info!(%node, "a newer request supersedes the open one");
                        running.cancel.cancel();
                    }
                }
            }
        }
        Ok(found.wait)
    }

    /// A worker has come back. Returns whether to look at once.
    pub(super) fn rested(&mut self, node: &Node, result: Result<Option<Instant>>) -> Result<bool> {
        let look_again = self.running.remove(node).is_some_and(|running| running.look_again);
        self.away.remove(node);
        match result {
            Ok(Some(since)) => {
                self.away.insert(node.clone(), since);
                // A database that is away is asked again at the next tick, not at once.
                return Ok(false);
            }
            Ok(None) => {}
            Err(error @ Error::Fatal(_)) => return Err(error),
            Err(error) => {
                tracing::error!(%node, error = error.chain(), "it is tried again");
                return Ok(false);
            }
        }
        Ok(look_again)
    }

    /// Ends every worker; what they were doing is taken up at the next start.
    pub(super) async fn stop(&mut self) {
        for running in self.running.values() {
            running.cancel.cancel();
        }
        self.tasks.close();
        self.tasks.wait().await;
    }

    fn start(&mut self, node: Node, whole: Option<WholeRequest>) {
        let cancel = CancellationToken::new();
        let claimed = Arc::new(AtomicBool::new(false));
        let (told, events) = (claimed.clone(), self.events.clone());
        let worker = Worker {
            service: self.service.clone(),
            node: node.clone(),
            cancel: cancel.clone(),
            claimed: Box::new(move || {
                told.store(true, Ordering::Release);
                // A request that came while this one was being taken was not seen as newer.
                let _ = events.send(Event::Look);
            }),
            away_since: self.away.get(&node).copied(),
        };
        if whole.is_none() {
            claimed.store(true, Ordering::Release);
        }
        let (events, name) = (self.events.clone(), node.clone());
        self.tasks.spawn(async move {
            // In a task of its own, so that a panic ends this work only.
            let work = tokio::spawn(worker.advance(whole)).await;
            let result = work
                .unwrap_or_else(|panic| Err(Error::Stopped(format!("the work on the node broke: {panic}"))));
            let _ = events.send(Event::Rested(name, result));
        });
        self.running.insert(node, Running { cancel, claimed, look_again: false });
    }

    fn find(&mut self) -> Result<Found> {
        let paths = self.service.config.paths.clone();
        let mut found = Found::default();
        let mut requests = HashSet::new();
        for name in disk::names(&paths.triggerdir)? {
            let text = name.to_string_lossy();
            if text.starts_with('.') {
                continue;
            }
            match TriggerFile::parse(&text) {
                None => {}
                Some(Err(node)) => {
                    let shown: String = node.chars().take(80).flat_map(char::escape_debug).collect();
                    set_aside(&paths, &paths.triggerdir.join(&name), &format!("`{shown}` is no node name"))?;
                }
                Some(Ok(file)) => {
                    found.nodes.insert(file.node.clone());
                    if file.kind == Kind::Request {
                        self.arrival(&file, &mut found)?;
                        requests.insert(file);
                    }
                }
            }
        }
        self.arrivals.keep(&requests);
        found.nodes.extend(self.open()?);
        Ok(found)
    }

    /// Notes a request as whole, or how long to wait for it.
    fn arrival(&mut self, file: &TriggerFile, found: &mut Found) -> Result<()> {
        let config = &self.service.config;
        let path = config.paths.triggerdir.join(file.to_string());
        let dropped = match disk::read_dropped(&path) {
            Err(Error::Refused(reason)) => {
                crate::subscription::reject_unread(&config.paths, file, &path, &reason)?;
                return Ok(());
            }
            dropped => dropped?,
        };
        let Some(dropped) = dropped else { return Ok(()) };
        match self.arrivals.judge(file, &dropped, Instant::now(), config.settle) {
            Wholeness::Whole => {
                let whole = WholeRequest { stem: file.stem, identity: dropped.identity };
                found.whole.entry(file.node.clone()).or_insert(whole);
            }
            Wholeness::Partial(wait) => found.wait = Some(found.wait.map_or(wait, |other| other.min(wait))),
        }
        Ok(())
    }

    /// Nodes with an open request: the subscriber may have removed every file of it.
    fn open(&self) -> Result<Vec<Node>> {
        let names = disk::names(&self.service.config.paths.tables_dir)?;
        Ok(names.iter().filter_map(|name| name.to_str()?.strip_suffix(".new.cut")?.parse().ok()).collect())
    }
}
