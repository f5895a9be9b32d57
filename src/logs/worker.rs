//! Splitting: from what has committed to site logs in every node's directory.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::archives::{Archives, Shelf};
use super::batch::{Batch, Outcome, Routing, lacks_numbers};
use super::gate::Gate;
use super::obstacle::{obstacles, whose};
use super::plan::Numbers;
use super::position::site_position;
use super::resplit::{Begin, Resplit, Shelves};
use super::roster::{Roster, Sites};
use super::stops::{Retries, may_go_on, stop_at_obstacles, stop_at_statements, stop_for_fault};
use crate::config::Config;
use crate::disk::{self, Lock};
use crate::error::{Error, Result};
use crate::ground::read;
use crate::model::{ArchiveName, Counter, Node, Series, SlonyNode};
use crate::protocol::{
    Seen, read_counter, read_counters, read_numbers, write_copied, write_counter, write_counters,
    write_numbers,
};

/// How long the hold is kept while one archive after the other is split: a request waits for no longer than that and
/// one archive. The first one that lies in a bundle takes as long as the whole of that takes to be unpacked, which is done
/// under the hold: what stands in the bundle may be changed by others when it is free.
pub(super) const UNDER_ONE_HOLD: Duration = Duration::from_millis(200);

/// How long the hold is free for others then.
const BETWEEN_HOLDS: Duration = Duration::from_millis(10);

/// The splitter of one installation. `run` and `split` share it, and with it the hold.
#[derive(Clone)]
pub struct Splitter {
    config: Arc<Config>,
    archive_dir: PathBuf,
    shelf: Shelf,
    /// What one round leaves to the next; the directory has the last word.
    memory: Arc<Mutex<Memory>>,
}

#[derive(Default)]
struct Memory {
    roster: Roster,
    /// The sites that the routing was made of.
    sites: Sites,
    routing: Option<Arc<Routing>>,
    retries: Retries,
}

impl Splitter {
    /// `None` if the configuration names no archives.
    pub fn new(config: &Config) -> Option<Self> {
        let archive_dir = config.paths.archive_dir.clone()?;
        let shelf = Shelf::new(config, &archive_dir);
        Some(Self { config: Arc::new(config.clone()), archive_dir, shelf, memory: Arc::default() })
    }

    /// Where slon writes.
    pub fn archive_dir(&self) -> &Path {
        &self.archive_dir
    }

    pub(super) fn config(&self) -> &Config {
        &self.config
    }

    /// The nodes as they are now. Under the hold.
    pub(super) fn sites(&self) -> Result<Sites> {
        self.memory().roster.read(&self.config)
    }

    /// The last archive of which every node has its part, but those that have stopped; `None` before the first.
    pub fn counter(&self) -> Result<Option<Counter>> {
        read(&self.config.paths.split_counter(), read_counter)
    }

    /// Where the splitter is. When it first starts, or its counter was lost, it begins where the first of the nodes
    /// stands, so that none gets a gap; where there is none, after `otherwise`.
    pub async fn begin(&self, otherwise: Counter) -> Result<Counter> {
        if let Some(at) = self.counter()? {
            return Ok(at);
        }
        let _hold = Lock::wait(&self.config.paths.hold()).await?;
        let mut first = otherwise;
        for site in self.memory().roster.read(&self.config)?.iter() {
            // Where it stands is not known: to go on from where the others stand could leave it a gap.
            if let Some(fault) = site.fault.as_ref().filter(|_| site.stopped.is_none()) {
                return Err(Error::Stopped(format!(
                    "the splitter has lost its counter, and of {} {fault}",
                    site.node
                )));
            }
            first = first.min(site_position(site)?.unwrap_or(first));
        }
        tracing::info!(counter = %first, "no counter yet: the splitter begins after this archive");
        self.done(first).map(|()| first)
    }

    fn done(&self, counter: Counter) -> Result<()> {
        disk::write(&self.config.paths.split_counter(), &write_counter(counter))
    }

    fn memory(&self) -> std::sync::MutexGuard<'_, Memory> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Splits everything up to `last`, for all nodes and then for those that had stopped and may go on. Returns how many
    /// archives that were.
    pub async fn split_until(
        &self,
        last: Counter,
        node: SlonyNode,
        cancel: &CancellationToken,
    ) -> Result<u64> {
        let done = self.rounds(last, node, cancel).await;
        self.shelf.forget();
        done
    }

    /// One round after the other, as long as there is more to split.
    async fn rounds(&self, last: Counter, node: SlonyNode, cancel: &CancellationToken) -> Result<u64> {
        let mut count = 0;
        loop {
            let round = self.under_hold(cancel, move |splitter| splitter.advance(last, node)).await?;
            let Some((split, more)) = round else { break };
            count += split;
            if !more {
                break;
            }
        }
        Ok(count)
    }

    /// As [`Splitter::split_until`]; where archives call sequences by numbers that are not known, the gate is asked for them.
    pub async fn split_through(
        &self,
        gate: &mut dyn Gate,
        last: Counter,
        node: SlonyNode,
        cancel: &CancellationToken,
    ) -> Result<u64> {
        match self.split_until(last, node, cancel).await {
            Err(error) if lacks_numbers(&error) => {
                let Some(numbers) = gate.numbers().await? else { return Err(error) };
                if self.learn_numbers(numbers).await? {
                    self.split_until(last, node, cancel).await
                } else {
                    Err(error)
                }
            }
            done => done,
        }
    }

    /// Makes the site logs of a node again, see [`super::resplit`]. `begin` is called before a log is changed; `told` gets what
    /// came of each.
    pub async fn resplit(
        &self,
        node: &Node,
        slony_node: SlonyNode,
        (from, to): (Counter, Counter),
        dry: bool,
        begin: Arc<Begin>,
        mut told: impl FnMut(Resplit),
    ) -> Result<()> {
        let mut first = from;
        // Kept from one hold to the next, and with it what it has unpacked.
        let shelves = Arc::new(Shelves::new(&self.config, &self.archive_dir)?);
        while first <= to {
            let (name, shelves, begin) = (node.clone(), shelves.clone(), begin.clone());
            let work = move |splitter: &Self| {
                let begin = (!dry).then_some(&*begin);
                splitter.resplit_some(&name, slony_node, (first, to), &shelves, begin)
            };
            let Some((next, changes)) = self.under_hold(&CancellationToken::new(), work).await? else {
                break;
            };
            changes.into_iter().for_each(&mut told);
            first = next;
        }
        Ok(())
    }

    /// Takes the next archive as empty: it has committed, and slon will never write it. `begin` is called before that is
    /// written down.
    pub async fn accept_empty(&self, counter: Counter, node: SlonyNode, begin: &Begin) -> Result<()> {
        let _hold = Lock::wait(&self.config.paths.hold()).await?;
        let path = self.archive_dir.join(ArchiveName { node, counter }.to_string());
        let next = self.counter()?.map(Counter::next);
        if next != Some(counter) || disk::exists(&path) {
            let next = next.map_or("not known yet".to_owned(), |next| next.to_string());
            return Err(Error::Fatal(format!(
                "only the archive that the splitter waits for can be taken as empty, and that is {next}{}",
                if disk::exists(&path) { "; the file is there" } else { "" }
            )));
        }
        let path = self.config.paths.accepted_empty();
        let mut accepted = read(&path, read_counters)?.unwrap_or_default();
        accepted.insert(counter);
        begin()?;
        disk::write(&path, &write_counters(&accepted))
    }

    /// Does a part of the work on a thread that owns the hold, and leaves the hold to others for a while. `None` if it
    /// was cancelled before.
    pub(super) async fn under_hold<T: Send + 'static>(
        &self,
        cancel: &CancellationToken,
        work: impl FnOnce(&Self) -> Result<T> + Send + 'static,
    ) -> Result<Option<T>> {
        let hold = self.config.paths.hold();
        let hold = tokio::select! {
            hold = Lock::wait(&hold) => hold?,
            () = cancel.cancelled() => return Ok(None),
        };
        let splitter = self.clone();
        // The thread owns the hold: it ends with the work, whoever waits for it.
        let done = tokio::task::spawn_blocking(move || {
            let done = work(&splitter);
            drop(hold);
            done
        });
        let done = done.await.map_err(|error| Error::Fatal(format!("the splitter broke: {error}")))?;
        // Those who wait for the hold ask every few milliseconds; without a pause they would hardly ever get it.
        tokio::time::sleep(BETWEEN_HOLDS).await;
        done.map(Some)
    }

    /// Splits for a while. Returns how many archives, and whether there is more to do.
    fn advance(&self, last: Counter, node: SlonyNode) -> Result<(u64, bool)> {
        let mut memory = self.memory();
        let sites = memory.roster.read(&self.config)?;
        if !Arc::ptr_eq(&sites, &memory.sites) {
            memory.routing = None;
            memory.sites = sites.clone();
        }
        // Read here and not before: another splitter may have gone on meanwhile.
        let at = self.counter()?.unwrap_or(last);
        let obstacles = obstacles(&self.config, &sites)?;
        if stop_at_obstacles(&sites, &obstacles, at)? {
            return Ok((0, true));
        }
        let mut failed = None;
        if at < last {
            match self.go_on(&sites, (at.next(), last), node, &mut memory.routing) {
                Ok(count) => return Ok((count, true)),
                // What all wait for need not hold those that catch up.
                Err(error) => failed = Some(error),
            }
        }
        for (index, site) in sites.iter().enumerate() {
            let Some(stopped) = site.stopped.as_ref().filter(|stopped| stopped.before <= at) else {
                continue;
            };
            let is_free = obstacles.get(index).is_some_and(Option::is_none);
            if !is_free || !may_go_on(site, stopped, &memory.retries) {
                continue;
            }
            match self.catch_up(&sites, index, stopped, at, node) {
                Ok(count) => {
                    memory.retries.tried(&site.node, count);
                    if count > 0 {
                        return Ok((count, true));
                    }
                }
                // What one of them lacks need not hold the others.
                Err(error) => failed = failed.or(Some(error)),
            }
        }
        failed.map_or(Ok((0, false)), Err)
    }

    /// Splits for all nodes that have not stopped. One that is to blame for a failure stops there, and the others go on.
    fn go_on(
        &self,
        sites: &Sites,
        (first, last): (Counter, Counter),
        node: SlonyNode,
        routing: &mut Option<Arc<Routing>>,
    ) -> Result<u64> {
        let is_going = |index: &usize| sites.get(*index).is_some_and(|site| site.stopped.is_none());
        let of: Vec<usize> = (0..sites.len()).filter(is_going).collect();
        let outcome = self.split(sites, &of, (first, last), node, routing)?;
        self.note(&outcome.seen, &outcome.copied)?;
        stop_at_statements(sites, &outcome)?;
        let next = first.plus(outcome.count);
        let blamed = outcome.failed.as_ref().and_then(|error| whose(&self.config, sites, &of, error));
        if let Some((index, fault)) = &blamed
            && let Some(site) = sites.get(*index)
            // It may have stopped before a statement of an earlier archive, and stays there.
            && outcome.stops.iter().all(|(stopped, ..)| stopped != index)
        {
            stop_for_fault(site, next, fault)?;
        }
        if outcome.count > 0 {
            self.done(next.previous())?;
        }
        match outcome.failed {
            Some(error) if blamed.is_none() => Err(error),
            _ => Ok(outcome.count),
        }
    }

    /// Splits a range of archives for these of the sites. What was split is on disk.
    pub(super) fn split(
        &self,
        sites: &Sites,
        of: &[usize],
        (first, last): (Counter, Counter),
        node: SlonyNode,
        routing: &mut Option<Arc<Routing>>,
    ) -> Result<Outcome> {
        let archives = Archives::new(&self.config, &self.archive_dir, self.shelf.clone())?;
        let batch = Batch {
            config: &self.config,
            archives: &archives,
            numbers: &self.numbers()?,
            slony_node: node,
            sites,
            of,
            first,
            last,
            limit: UNDER_ONE_HOLD,
        };
        Ok(batch.run(routing))
    }

    pub(super) fn note(&self, seen: &[Seen], copied: &[(ArchiveName, Series)]) -> Result<()> {
        let copied = copied.iter().map(|(name, series)| write_copied(*name, series));
        let lines: String = seen.iter().map(Seen::write).chain(copied).collect();
        if lines.is_empty() { Ok(()) } else { disk::append(&self.config.paths.seen(), lines.as_bytes()) }
    }

    pub(super) fn numbers(&self) -> Result<Numbers> {
        Ok(read(&self.config.paths.sequence_numbers(), read_numbers)?.unwrap_or_default())
    }

    /// Fails if the database has committed less than what was split by it, or than what a copy was made from: then archives come again
    /// by their numbers with other rows, and whoever has such a copy would not get them.
    pub async fn check_time(&self, committed: Counter) -> Result<()> {
        let at = self.begin(committed).await?;
        if committed < at {
            return Err(Error::went_back("the splitter is at", at, committed));
        }
        let _hold = Lock::wait(&self.config.paths.hold()).await?;
        let sites = self.sites()?;
        match sites.iter().filter_map(|site| site.newest_cut()).max() {
            Some(cut) if committed < cut => Err(Error::went_back("a copy was made at", cut, committed)),
            _ => Ok(()),
        }
    }

    /// Learns numbers of sequences, beside those that are known: a sequence that is no longer replicated keeps its own.
    /// Returns whether any was new.
    async fn learn_numbers(&self, learnt: Numbers) -> Result<bool> {
        let _hold = Lock::wait(&self.config.paths.hold()).await?;
        let before = self.numbers()?;
        let mut numbers = before.clone();
        numbers.extend(learnt);
        disk::write(&self.config.paths.sequence_numbers(), &write_numbers(&numbers))?;
        Ok(numbers != before)
    }
}
