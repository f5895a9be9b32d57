//! Archives that are split together: their site logs are written side by side, put on disk with one sync, and named in the
//! order of the counters.

use std::collections::{BTreeMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tempfile::{NamedTempFile, TempPath};

use super::archives::{Archive, Archives};
use super::plan::{Numbers, Stop};
use super::roster::Sites;
use super::targets::{next_change, targets};
use super::{Destination, Expected, Routes, SplitError, Survey, plan, write};
use crate::config::Config;
use crate::disk;
use crate::error::{Error, Result};
use crate::model::{ArchiveName, Counter, Series, SlonyNode};
use crate::protocol::Seen;

/// How many archives are put on disk together, if so many are ready.
const TOGETHER: usize = 8;

/// What is to be split, and for whom.
pub(super) struct Batch<'a> {
    pub(super) config: &'a Config,
    pub(super) archives: &'a Archives,
    pub(super) numbers: &'a Numbers,
    pub(super) slony_node: SlonyNode,
    pub(super) sites: &'a Sites,
    /// Of the sites.
    pub(super) of: &'a [usize],
    /// The first archive and the last.
    pub(super) first: Counter,
    pub(super) last: Counter,
    /// No other archive is begun after this time.
    pub(super) limit: Duration,
}

/// What came of it.
#[derive(Default)]
pub(super) struct Outcome {
    /// How many archives were split.
    pub(super) count: u64,
    /// What they looked like.
    pub(super) seen: Vec<Seen>,
    /// The series that they copy as a whole.
    pub(super) copied: Vec<(ArchiveName, Series)>,
    /// Nodes that stopped: index of the site, the archive, and why.
    pub(super) stops: Vec<(usize, Counter, Stop)>,
    /// What ended it before the last.
    pub(super) failed: Option<Error>,
}

/// Look-ups that are the same for a range of archives.
pub(super) struct Routing {
    /// From the first to before the second.
    range: (Counter, Counter),
    /// Whose, and where.
    pub(super) places: Vec<(usize, PathBuf)>,
    routes: Routes,
}

/// Site logs of one archive that are written and have no names yet.
pub(super) struct Prepared {
    pub(super) name: ArchiveName,
    pub(super) routing: Arc<Routing>,
    /// The files, and the places of the routing that each is for.
    pub(super) logs: Vec<(TempPath, Vec<usize>)>,
    pub(super) stops: Vec<Stop>,
    seen: Option<Seen>,
    copied: Vec<Series>,
}

impl Batch<'_> {
    /// Splits. Under the hold. The order of what reaches the disk: the site logs, their names; what the caller writes down
    /// of it comes after. A kill anywhere in between makes the same bytes again.
    pub(super) fn run(&self, cached: &mut Option<Arc<Routing>>) -> Outcome {
        let mut publisher = Publisher::default();
        let failed = self.prepare(cached, &mut |ready| publisher.take(ready));
        let mut outcome = publisher.end();
        outcome.failed = failed.or(outcome.failed);
        outcome
    }

    /// Prepares one archive after the other, with as many threads as there are cores, and hands over what is ready in the
    /// order of the counters, some at a time: while one thread waits for the disk the others go on. Ends at the first that
    /// fails, and says why it did.
    pub(super) fn prepare(
        &self,
        cached: &mut Option<Arc<Routing>>,
        take: &mut dyn FnMut(Vec<Prepared>) -> Result<()>,
    ) -> Option<Error> {
        let begun = Instant::now();
        let taken = AtomicU64::new(0);
        let stop = AtomicBool::new(false);
        let routing = Mutex::new(cached.take());
        let threads = self.threads();
        let (ready, news) =
            (Mutex::new(Ready { results: BTreeMap::new(), working: threads }), Condvar::new());
        let work = || {
            let _working = Working { ready: &ready, news: &news };
            let mut buffer = Vec::new();
            while !stop.load(Ordering::Relaxed) && begun.elapsed() < self.limit {
                let counter = self.first.plus(taken.fetch_add(1, Ordering::Relaxed));
                if counter > self.last {
                    break;
                }
                let result = self.prepare_one(counter, self.routing(&routing, counter), &mut buffer);
                if result.is_err() {
                    stop.store(true, Ordering::Relaxed);
                }
                lock(&ready).results.insert(counter, result);
                news.notify_one();
            }
        };
        let mut failed = None;
        if threads == 1 {
            work();
            failed = hand_over(&ready, &news, self.first, take);
        } else {
            std::thread::scope(|scope| {
                for _ in 0..threads {
                    scope.spawn(work);
                }
                failed = hand_over(&ready, &news, self.first, take);
                stop.store(true, Ordering::Relaxed);
            });
        }
        *cached = routing.into_inner().unwrap_or_else(PoisonError::into_inner);
        failed
    }

    /// One for each core, but no more than there are archives.
    fn threads(&self) -> u64 {
        let cores = std::thread::available_parallelism().map_or(1, |cores| cores.get() as u64);
        cores.min(8).min(self.last.value() + 1 - self.first.value())
    }

    fn routing(&self, cached: &Mutex<Option<Arc<Routing>>>, counter: Counter) -> Arc<Routing> {
        let mut cached = lock(cached);
        match &*cached {
            Some(routing) if (routing.range.0..routing.range.1).contains(&counter) => routing.clone(),
            _ => {
                let routing = Arc::new(self.route(counter));
                *cached = Some(routing.clone());
                routing
            }
        }
    }

    fn route(&self, counter: Counter) -> Routing {
        let targets = targets(self.sites, self.of, counter);
        let destinations: Vec<_> = targets
            .iter()
            .map(|target| Destination {
                node: target.site,
                unrouted: target.unrouted,
                dialect: target.dialect,
                list: target.list,
            })
            .collect();
        Routing {
            range: (counter, next_change(self.sites, self.of, counter)),
            routes: Routes::new(&destinations),
            places: targets.iter().map(|target| (target.site, target.directory.to_owned())).collect(),
        }
    }

    /// Writes the site logs of an archive under hidden names.
    fn prepare_one(&self, counter: Counter, routing: Arc<Routing>, buffer: &mut Vec<u8>) -> Result<Prepared> {
        let name = ArchiveName { node: self.slony_node, counter };
        let fault = |source| Error::Archive { counter, source };
        let expected = Expected { cluster: &self.config.cluster, name };
        let mut archive = self.archives.open(name)?;
        let surveyed = Survey::of(&mut archive, &expected, std::mem::take(buffer));
        if matches!(archive, Archive::Unnamed(..))
            && !surveyed.as_ref().is_ok_and(|survey| survey.keys.is_empty())
        {
            return Err(Error::Missing { counter, path: self.archives.path(name) });
        }
        let mut survey = surveyed.map_err(fault)?;
        let seen = match &archive {
            Archive::File(_, bytes, modified) | Archive::Unnamed(_, bytes, modified)
                if *bytes == survey.bytes =>
            {
                let event = Some((survey.header.origin, survey.header.event));
                Some(Seen { name, bytes: *bytes, modified: *modified, digest: survey.digest, event })
            }
            Archive::File(..) | Archive::Unnamed(..) => {
                return Err(Error::Stopped(format!("archive {counter} changes while it is read")));
            }
            Archive::Empty(_) => None,
        };
        let copied = survey.keys.copies();
        let plan = plan(&survey, &routing.routes, self.numbers).map_err(fault)?;
        let mut files = Vec::with_capacity(plan.outputs.len());
        for output in &plan.outputs {
            files.push(disk::create_hidden(self.stage(&routing, &output.destinations))?);
        }
        let archive = &mut archive;
        let again = move || archive.rewind().map(|()| archive);
        // Into the files as the system has them: a failure as told by their wrapper hides its code, and has a name that is another each time.
        let mut writers: Vec<&mut disk::File> = files.iter_mut().map(NamedTempFile::as_file_mut).collect();
        let written = write(&mut survey, again, &expected, &plan, &mut writers);
        written.map_err(|error| match error {
            SplitError::Write { output, source } => {
                match files.get(output).and_then(|file| file.path().parent()) {
                    // Where it lies, which need not be with the first of those that get it.
                    Some(stage) => Error::Disk { action: "write into", path: stage.to_owned(), source },
                    None => fault(SplitError::Write { output, source }),
                }
            }
            error => fault(error),
        })?;
        *buffer = survey.into_buffer();
        let mut logs = Vec::with_capacity(files.len());
        for (file, output) in files.into_iter().zip(plan.outputs) {
            logs.push((disk::close_hidden(file)?, output.destinations));
        }
        Ok(Prepared { name, routing, logs, stops: plan.stops, seen, copied })
    }
}

impl Batch<'_> {
    /// Where a site log lies until it has its names: in the directory of a site that gets it. But not where anybody else may write:
    /// what is put there under the hidden name would be read, and given to other sites.
    fn stage<'r>(&'r self, routing: &'r Routing, destinations: &[usize]) -> &'r Path {
        let places = destinations.iter().filter_map(|place| routing.places.get(*place));
        let closed = places.map(|(_, directory)| directory).find(|directory| disk::is_closed(directory));
        closed.unwrap_or(&self.config.paths.work_dir)
    }
}

/// Archives that are prepared and not handed over yet.
struct Ready {
    results: BTreeMap<Counter, Result<Prepared>>,
    /// Threads that go on preparing.
    working: u64,
}

/// Ends with the work of a thread, also where that breaks: who waits for what it prepares must not wait for ever.
struct Working<'r> {
    ready: &'r Mutex<Ready>,
    news: &'r Condvar,
}

impl Drop for Working<'_> {
    fn drop(&mut self) {
        lock(self.ready).working -= 1;
        self.news.notify_one();
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Hands over what is ready, in the order of the counters from `first` on, until nothing more comes or one has failed.
fn hand_over(
    ready: &Mutex<Ready>,
    news: &Condvar,
    first: Counter,
    take: &mut dyn FnMut(Vec<Prepared>) -> Result<()>,
) -> Option<Error> {
    let mut next = first;
    loop {
        let mut group = Vec::new();
        let mut failed = None;
        let mut waiting = lock(ready);
        let ended = loop {
            while let (None, Some(result)) = (&failed, waiting.results.remove(&next)) {
                next = next.next();
                match result {
                    Ok(one) => group.push(one),
                    Err(error) => failed = Some(error),
                }
            }
            let ended = waiting.working == 0 || failed.is_some();
            if ended || group.len() >= TOGETHER {
                break ended;
            }
            waiting = news.wait(waiting).unwrap_or_else(PoisonError::into_inner);
        };
        drop(waiting);
        if let Err(error) = take(group) {
            return Some(error);
        }
        if ended {
            return failed;
        }
    }
}

/// Puts site logs on disk and gives them their names, archive by archive.
#[derive(Default)]
pub(super) struct Publisher {
    outcome: Outcome,
    /// Directories with new names in them.
    touched: HashSet<PathBuf>,
    /// Nodes that get no more.
    stopped: HashSet<usize>,
}

impl Publisher {
    /// The next archives in the order of their counters.
    pub(super) fn take(&mut self, ready: Vec<Prepared>) -> Result<()> {
        disk::sync_many(ready.iter().flat_map(|one| &one.logs).map(|(file, _)| &**file))?;
        for one in ready {
            for stop in &one.stops {
                if self.stopped.insert(stop.node) {
                    self.outcome.stops.push((stop.node, one.name.counter, stop.clone()));
                }
            }
            let (counter, seen) = (one.name.counter, one.seen);
            self.outcome.copied.extend(one.copied.iter().map(|series| (one.name, series.clone())));
            publish(one, &self.stopped, &mut self.touched)?;
            tracing::debug!(%counter, "split");
            self.outcome.count += 1;
            self.outcome.seen.extend(seen);
        }
        Ok(())
    }

    /// All names are on disk; nothing was split if they are not.
    pub(super) fn end(mut self) -> Outcome {
        if let Err(error) = disk::sync_many(self.touched.iter().map(PathBuf::as_path)) {
            self.outcome = Outcome { failed: Some(error), ..Outcome::default() };
        }
        self.outcome
    }
}

/// Gives each content of an archive its names: as links, and where it lies by rename. Nodes that have stopped get none.
fn publish(prepared: Prepared, stopped: &HashSet<usize>, touched: &mut HashSet<PathBuf>) -> Result<()> {
    let name = prepared.name.to_string();
    for (file, places) in prepared.logs {
        let places = places.iter().filter_map(|place| prepared.routing.places.get(*place));
        let live = places.filter(|(site, _)| !stopped.contains(site)).map(|(_, directory)| directory);
        let (own, others): (Vec<_>, Vec<_>) = live.partition(|directory| file.parent() == Some(directory));
        for directory in others {
            disk::link(&file, &directory.join(&name))?;
            touch(touched, directory);
        }
        // Otherwise its hidden name goes by itself.
        if let Some(directory) = own.first() {
            disk::name_hidden(file, &directory.join(&name))?;
            touch(touched, directory);
        }
    }
    Ok(())
}

fn touch(touched: &mut HashSet<PathBuf>, directory: &Path) {
    if !touched.contains(directory) {
        touched.insert(directory.to_owned());
    }
}

/// Whether an archive cannot be split because of numbers that are not known yet.
pub(super) fn lacks_numbers(error: &Error) -> bool {
    matches!(error, Error::Archive { source: SplitError::Numbers { .. }, .. })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_that_breaks_is_not_waited_for() {
        let ready = Mutex::new(Ready { results: BTreeMap::new(), working: 2 });
        let news = Condvar::new();
        let first = Counter::default();
        let mut taken = 0;
        let failed = std::thread::scope(|scope| {
            let broken = scope.spawn(|| {
                let _working = Working { ready: &ready, news: &news };
                panic!("while it prepares the first archive");
            });
            scope.spawn(|| {
                let _working = Working { ready: &ready, news: &news };
                lock(&ready).results.insert(first.next(), Err(Error::Cancelled));
            });
            let failed = hand_over(&ready, &news, first, &mut |group| {
                taken += group.len();
                Ok(())
            });
            assert!(broken.join().is_err());
            failed
        });
        assert!(failed.is_none() && taken == 0, "what comes behind the gap is not handed over");
    }
}
