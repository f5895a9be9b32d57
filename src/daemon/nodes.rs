//! Which node is worked on: looks at the drop directory and keeps one worker for each node that needs one.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use tokio::sync::mpsc::UnboundedSender;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::Event;
use super::arrivals::{Arrivals, Wholeness};
use super::troubles::Troubles;
use crate::access::Denial;
use crate::disk::{self, Identity};
use crate::error::{Consequence, Error, Result};
use crate::model::{Node, excerpt};
use crate::paths::shown;
use crate::protocol::{Kind, TriggerFile, writer};
use crate::subscription::{Memory, Service, WholeRequest, Worker, is_given_back, reject_unread, set_aside};

/// So many names that are of no node, or files of strangers, are set aside at one look; each takes some syncs, and nobody is served meanwhile.
const SET_ASIDE_AT_ONCE: usize = 50;

/// The nodes of this daemon.
pub(super) struct Nodes {
    service: Arc<Service>,
    events: UnboundedSender<Event>,
    /// For those who look on.
    troubles: Arc<Troubles>,
    arrivals: Arrivals,
    running: HashMap<Node, Running>,
    resting: HashMap<Node, Resting>,
    tasks: TaskTracker,
    /// Why the owner of a file cannot be told, as it was said last.
    told: Option<String>,
}

/// A worker that has not come back.
struct Running {
    cancel: CancellationToken,
    /// It has taken its request: a `.tgr` that lies there now is a newer one.
    claimed: Arc<AtomicBool>,
    /// The node's files when it was started.
    state: u64,
}

/// A node whose worker has come back.
struct Resting {
    memory: Memory,
    /// The node's files when the worker was started. As long as they are the same, only time brings something new.
    state: u64,
    /// It failed: the same is tried again when it is time, not at once because it changed files of its own.
    failed: bool,
}

/// Why to look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Look {
    /// Something may have changed: only nodes whose files have.
    Hint,
    /// It is time: every node of which something lies there.
    Time,
}

/// What of one node lies there.
#[derive(Default)]
struct Lying {
    whole: Option<WholeRequest>,
    /// An operator wants its open request to end.
    is_cancelled: bool,
    state: DefaultHasher,
}

impl Nodes {
    /// None is running.
    pub(super) fn new(
        service: Arc<Service>,
        events: UnboundedSender<Event>,
        troubles: Arc<Troubles>,
    ) -> Self {
        Self {
            service,
            events,
            troubles,
            arrivals: Arrivals::default(),
            running: HashMap::new(),
            resting: HashMap::new(),
            tasks: TaskTracker::new(),
            told: None,
        }
    }

    /// Whoever is started from now on goes by this service.
    pub(super) fn take_over(&mut self, service: Arc<Service>) {
        self.service = service;
    }

    /// How many are worked on.
    pub(super) fn running(&self) -> usize {
        self.running.len()
    }

    /// A name appeared by a rename.
    pub(super) fn renamed(&mut self, name: std::ffi::OsString) {
        self.arrivals.renamed(name);
    }

    /// Looks, and starts a worker for each node that may need one. A node's newer request ends the dump for its older one.
    /// Returns after what time a file may have become whole.
    /// Nodes that an earlier run left in the middle of something, and that could not be brought to rest yet, are left alone.
    pub(super) fn look(&mut self, why: Look, unsettled: &BTreeSet<Node>) -> Result<Option<Duration>> {
        let (mut found, wait) = self.find()?;
        found.retain(|node, _| !unsettled.contains(node));
        self.resting.retain(|node, _| found.contains_key(node));
        for (node, Lying { whole, is_cancelled, state }) in found {
            let state = state.finish();
            if let Some(running) = self.running.get(&node) {
                if whole.is_some()
                    && running.claimed.load(Ordering::Acquire)
                    && !running.cancel.is_cancelled()
                {
                    tracing::info!(%node, "a newer request supersedes the open one");
                    running.cancel.cancel();
                }
                if is_cancelled && !running.cancel.is_cancelled() {
                    tracing::info!(%node, "the operator cancels the open request");
                    running.cancel.cancel();
                }
            } else if why == Look::Time || self.has_news(&node, whole.is_some(), state) {
                self.start(node, whole, state);
            }
        }
        Ok(wait)
    }

    fn has_news(&self, node: &Node, has_whole_request: bool, state: u64) -> bool {
        let news = |resting: &Resting| resting.state != state && (has_whole_request || !resting.failed);
        self.resting.get(node).is_none_or(news)
    }

    /// A worker has come back. Its node is looked at again if its files are others than when it was started.
    pub(super) fn rested(&mut self, node: Node, memory: Memory, result: Result<()>) -> Result<()> {
        let state = self.running.remove(&node).map_or(0, |running| running.state);
        let failed = result.is_err();
        self.troubles.tell(Some(&node), result.as_ref().err());
        match result {
            Err(error) if error.consequence() == Consequence::Stop => return Err(error),
            Err(error) => tracing::error!(%node, error = error.chain(), "it is tried again"),
            Ok(()) => {}
        }
        self.resting.insert(node, Resting { memory, state, failed });
        Ok(())
    }

    /// Ends every worker; what they were doing is taken up at the next start.
    pub(super) async fn stop(&mut self) {
        for running in self.running.values() {
            running.cancel.cancel();
        }
        self.tasks.close();
        self.tasks.wait().await;
    }

    fn start(&mut self, node: Node, whole: Option<WholeRequest>, state: u64) {
        let cancel = CancellationToken::new();
        let claimed = Arc::new(AtomicBool::new(whole.is_none()));
        let (told, events) = (claimed.clone(), self.events.clone());
        let memory = self.resting.remove(&node).map(|resting| resting.memory).unwrap_or_default();
        let worker = Worker {
            service: self.service.clone(),
            node: node.clone(),
            cancel: cancel.clone(),
            claimed: Box::new(move || {
                told.store(true, Ordering::Release);
                // A request that came while this one was being taken was not seen as newer.
                let _ = events.send(Event::Look);
            }),
            memory,
        };
        let (events, name) = (self.events.clone(), node.clone());
        self.tasks.spawn(async move {
            // In a task of its own, so that a panic ends this work only.
            let work = tokio::spawn(worker.advance(whole)).await;
            let broke = |panic| (memory, Err(Error::Stopped(format!("the work on the node broke: {panic}"))));
            let (memory, result) = work.unwrap_or_else(broke);
            let _ = events.send(Event::Rested(name, memory, result));
        });
        self.running.insert(node, Running { cancel, claimed, state });
    }

    /// Everything that lies there, by node. What is wrong with one file is logged and keeps nobody else waiting.
    fn find(&mut self) -> Result<(BTreeMap<Node, Lying>, Option<Duration>)> {
        let paths = self.service.config.paths.clone();
        let mut found: BTreeMap<Node, Lying> = BTreeMap::new();
        let mut wait: Option<Duration> = None;
        let mut requests = HashSet::new();
        let mut unknown = None;
        let mut may_be_set_aside = SET_ASIDE_AT_ONCE;
        for name in disk::names(&paths.triggerdir)? {
            let text = name.to_string_lossy();
            let path = paths.triggerdir.join(&name);
            match self.denial(&text, &path) {
                None => {}
                Some((Denial::Unknown(reason), _)) => {
                    unknown.get_or_insert(reason);
                    continue;
                }
                Some((Denial::Stranger(_), _)) if may_be_set_aside == 0 => {
                    wait = Some(Duration::ZERO);
                    continue;
                }
                Some((Denial::Stranger(reason), judged)) => {
                    may_be_set_aside -= 1;
                    // Its owner counts, not whether it is written on.
                    let is_it = |there: Identity| there.is_of_one_file(&judged);
                    note(&path, set_aside(&paths, &path, is_it, &reason));
                    continue;
                }
            }
            match TriggerFile::parse(&text).filter(|_| !text.starts_with('.')) {
                None => {}
                // The others come at the next look, which need not wait.
                Some(Err(_)) if may_be_set_aside == 0 => wait = Some(Duration::ZERO),
                Some(Err(node)) => {
                    may_be_set_aside -= 1;
                    let shown = excerpt(&node);
                    note(&path, set_aside(&paths, &path, |_| true, &format!("`{shown}` is no node name")));
                }
                Some(Ok(file)) => {
                    let lying = found.entry(file.node.clone()).or_default();
                    (&name, disk::state(&path)).hash(&mut lying.state);
                    if file.kind == Kind::Request {
                        match self.arrival(&file, &path) {
                            Ok(Some(Ok(whole))) => {
                                whole.identity.hash(&mut lying.state);
                                lying.whole.get_or_insert(whole);
                            }
                            Ok(Some(Err(longer))) => {
                                wait = Some(wait.map_or(longer, |other| other.min(longer)));
                            }
                            Ok(None) => {}
                            Err(error) => note(&path, Err(error)),
                        }
                        requests.insert(file);
                    }
                }
            }
        }
        self.tell_unknown(unknown);
        self.arrivals.keep(&requests);
        // Nodes with an open request: the subscriber may have removed every file of it.
        for name in disk::names(&paths.tables_dir)? {
            let node = name.to_str().and_then(|name| name.strip_suffix(".new.cut")?.parse().ok());
            if let Some(node) = node {
                disk::state(&paths.tables_dir.join(&name)).hash(&mut found.entry(node).or_default().state);
            }
        }
        for name in disk::names(&paths.work_dir)? {
            let node = name.to_str().and_then(|name| name.strip_suffix(".cancel")?.parse().ok());
            if let Some(node) = node {
                let lying = found.entry(node).or_default();
                lying.is_cancelled = true;
                disk::state(&paths.work_dir.join(&name)).hash(&mut lying.state);
            }
        }
        Ok((found, wait))
    }

    /// Says once that owners cannot be told, and when they can be again.
    fn tell_unknown(&mut self, unknown: Option<String>) {
        match &unknown {
            Some(error) if self.told != unknown => {
                tracing::error!(
                    error,
                    "cannot tell whose files these are: they wait until the system says it"
                );
            }
            None if self.told.is_some() => tracing::info!("the system says again whose files these are"),
            _ => {}
        }
        self.told = unknown;
    }

    /// Why a file is not of the one who alone may write it, as far as that can be told. It goes before anything is made of it: what
    /// is open of the node, and its answers, are not touched.
    fn denial(&self, name: &str, path: &Path) -> Option<(Denial, Identity)> {
        let access = &self.service.access;
        if access.is_open() {
            return None;
        }
        let writer = writer(name)?;
        let (owner, judged) = disk::owner_and_state(path)?;
        access.may_write(&writer, owner).err().map(|denial| (denial, judged))
    }

    /// A request that is whole, or how long to wait for it.
    fn arrival(&mut self, file: &TriggerFile, path: &Path) -> Result<Option<Result<WholeRequest, Duration>>> {
        let judged = disk::state(path);
        let dropped = match disk::read_dropped(path) {
            Err(Error::Refused(reason)) => {
                return reject_unread(&self.service, file, path, judged, &reason).map(|()| None);
            }
            dropped => dropped?,
        };
        let Some(dropped) = dropped else { return Ok(None) };
        // Another one than a moment ago.
        if self.service.access.may_speak(&file.node, dropped.owner).is_err() {
            return Ok(None);
        }
        let settle = self.service.config.settle;
        let whole = WholeRequest { stem: file.stem, identity: dropped.identity };
        Ok(Some(match self.arrivals.judge(file, &dropped, Instant::now(), settle) {
            Wholeness::Whole => Ok(whole),
            Wholeness::Partial(_) if is_given_back(&self.service.config.paths, file, &dropped) => Ok(whole),
            Wholeness::Partial(wait) => Err(wait),
        }))
    }
}

/// Logs what could not be done about one file.
fn note(path: &Path, result: Result<()>) {
    if let Err(error) = result {
        tracing::error!(path = shown(path), error = error.chain(), "passed over");
    }
}
