//! Splitting: from what has committed to site logs in every node's directory.

use std::collections::HashSet;
use std::io::BufReader;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use tempfile::NamedTempFile;
use tokio_util::sync::CancellationToken;

use super::targets::{New, Site, Target, targets};
use super::{Destination, Expected, Routes, SplitError, plan, survey, write};
use crate::config::Config;
use crate::disk::{self, Lock};
use crate::error::{Error, Result};
use crate::ground::{self, Ground, read};
use crate::model::{ArchiveName, Counter, Node, SlonyNode};
use crate::protocol::{Cuts, OpenRequest, read_counter, read_names, write_counter};

/// Archives are read in pieces of this size.
const PIECE: usize = 256 * 1024;

/// How long the hold is kept while one archive after the other is split: a request waits for no longer than that and
/// one archive.
const UNDER_ONE_HOLD: Duration = Duration::from_millis(200);

/// How long the hold is free for others then.
const BETWEEN_HOLDS: Duration = Duration::from_millis(10);

/// The splitter of one installation. `run` and `split` share it, and with it the hold.
pub struct Splitter {
    config: Config,
    archive_dir: PathBuf,
}

impl Splitter {
    /// `None` if the configuration names no archives.
    pub fn new(config: &Config) -> Option<Self> {
        Some(Self { config: config.clone(), archive_dir: config.paths.archive_dir.clone()? })
    }

    /// Where slon writes.
    pub fn archive_dir(&self) -> &Path {
        &self.archive_dir
    }

    /// The last archive of which every node has its part; `None` before the first.
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
        for site in self.sites()? {
            first = first.min(site_position(&site)?.unwrap_or(first));
        }
        tracing::info!(counter = %first, "no counter yet: the splitter begins after this archive");
        self.done(first).map(|()| first)
    }

    fn done(&self, counter: Counter) -> Result<()> {
        disk::write(&self.config.paths.split_counter(), &write_counter(counter))
    }

    /// Splits everything up to `last`. Returns how many archives that were. The order of what reaches the disk: the site
    /// logs, their names, the counter; a kill anywhere in between makes the same bytes again.
    pub async fn split_until(
        &self,
        last: Counter,
        node: SlonyNode,
        cancel: &CancellationToken,
    ) -> Result<u64> {
        let mut count = 0;
        let hold = self.config.paths.hold();
        while self.counter()?.is_some_and(|at| at < last) {
            let hold = tokio::select! {
                hold = Lock::wait(&hold) => hold?,
                () = cancel.cancelled() => break,
            };
            let splitter = Self { config: self.config.clone(), archive_dir: self.archive_dir.clone() };
            // The thread owns the hold: it ends with the splitting, whoever waits for it.
            let work = move || {
                let split = splitter.split_under_hold(last, node);
                drop(hold);
                split
            };
            let done = tokio::task::spawn_blocking(work).await;
            let (split, failed) =
                done.map_err(|error| Error::Fatal(format!("the splitter broke: {error}")))?;
            count += split;
            failed.map_or(Ok(()), Err)?;
            // Those who wait for the hold ask every few milliseconds; without a pause they would hardly ever get it.
            tokio::time::sleep(BETWEEN_HOLDS).await;
        }
        Ok(count)
    }

    /// Splits for a while under one hold; says how many archives, and what stopped it.
    fn split_under_hold(&self, last: Counter, node: SlonyNode) -> (u64, Option<Error>) {
        let begun = Instant::now();
        let mut split = 0;
        let mut done = last;
        let mut touched = Touched::default();
        let mut failed = None;
        // Read here and not before: another splitter may have gone on meanwhile.
        match self.counter().and_then(|at| Ok((at, self.sites()?))) {
            Err(error) => failed = Some(error),
            Ok((at, sites)) => {
                done = at.unwrap_or(last);
                let mut routes = None;
                while done < last && failed.is_none() && begun.elapsed() < UNDER_ONE_HOLD {
                    let name = ArchiveName { node, counter: done.next() };
                    match self.split_one(name, &sites, &mut routes, &mut touched) {
                        Ok(()) => {
                            done = done.next();
                            split += 1;
                        }
                        Err(error) => failed = Some(error),
                    }
                }
            }
        }
        let synced = touched.sync().and_then(|()| match split {
            0 => Ok(()),
            _ => self.done(done),
        });
        (split, failed.or(synced.err()))
    }

    /// Splits one archive into site logs that have their names, but whose directories are not synced yet.
    fn split_one<'s>(
        &self,
        name: ArchiveName,
        sites: &'s [Site],
        routes: &mut Option<(Vec<Target<'s>>, Routes)>,
        touched: &mut Touched,
    ) -> Result<()> {
        let path = self.archive_dir.join(name.to_string());
        let fault = |source| Error::Archive { counter: name.counter, source };
        let expected = Expected { cluster: &self.config.cluster, name };
        let open = || match disk::open(&path)? {
            Some(file) => Ok(BufReader::with_capacity(PIECE, file)),
            None => Err(Error::Stopped(format!(
                "archive {} has committed, but `{}` is not there: it is waited for, never jumped over",
                name.counter,
                path.display()
            ))),
        };
        let survey = survey(open()?, &expected).map_err(fault)?;
        let targets = targets(sites, name.counter);
        // The lists change only where a cut lies between two archives; otherwise the look-ups stay.
        let (targets, routes) = match routes {
            Some((same, routes)) if *same == targets => (&*same, &*routes),
            _ => {
                let destinations: Vec<_> = targets
                    .iter()
                    .map(|target| Destination { dialect: target.dialect, list: target.list })
                    .collect();
                let (targets, made) = routes.insert((targets, Routes::new(&destinations)));
                (&*targets, &*made)
            }
        };
        let plan = plan(&survey, routes).map_err(|found| fault(SplitError::Archive(found)))?;
        let log = |destination: &usize| {
            targets.get(*destination).map(|target| target.directory.join(name.to_string()))
        };
        let logs: Vec<Vec<PathBuf>> =
            plan.outputs.iter().map(|output| output.destinations.iter().filter_map(log).collect()).collect();
        let mut files = logs
            .iter()
            .map(|paths| {
                disk::create_hidden(paths.first().and_then(|path| path.parent()).unwrap_or(Path::new("/")))
            })
            .collect::<Result<Vec<NamedTempFile>>>()?;
        write(open()?, &expected, &plan, &mut files).map_err(fault)?;
        for (file, paths) in files.into_iter().zip(&logs) {
            publish(file, paths, touched)?;
        }
        tracing::debug!(counter = %name.counter, outputs = logs.len(), nodes = targets.len(), "split");
        Ok(())
    }

    /// Every node of the registry with its lists. Under the hold.
    fn sites(&self) -> Result<Vec<Site>> {
        let paths = &self.config.paths;
        let registry = ground::registry(paths)?;
        let mut sites = Vec::new();
        for entry in registry.entries() {
            let name = entry.name().unwrap_or_default();
            let new_of = name.strip_suffix(".new");
            if new_of.is_some_and(|node| registry.find(node).is_some()) {
                continue;
            }
            let node: Node = new_of.unwrap_or(name).parse().map_err(|fault| {
                Error::Stopped(format!(
                    "`{}` names a directory that is no node's: {fault}",
                    paths.registry.display()
                ))
            })?;
            let ground = Ground::read(paths, registry.clone(), &node)?;
            let new = match (
                registry.find(&format!("{node}.new")),
                ground.open.as_ref().and_then(OpenRequest::cut),
            ) {
                (None, _) => None,
                (Some(_), Some(cut)) => Some(New::Cut(cut.clone())),
                (Some(new), None) => {
                    read(&new.list, read_names)?.map(|list| New::Foreign(new.directory.clone(), list))
                }
            };
            sites.push(Site {
                dialect: self.config.dialect_of(&node),
                paths: ground.site,
                cuts: ground.cuts,
                new,
            });
        }
        Ok(sites)
    }
}

/// The last archive of which a node has its part: its newest log, or else where its first list or its request begins.
fn site_position(site: &Site) -> Result<Option<Counter>> {
    let cut = match &site.new {
        Some(New::Cut(cut)) => Some(cut.counter),
        Some(New::Foreign(..)) | None => None,
    };
    // A list for all counters says nothing of where its node stands.
    let first = site.cuts.as_ref().and_then(Cuts::first).filter(|first| *first != Counter::default());
    let mut position = None;
    // A kill may have parted the directories that get logs now by one archive: the one behind counts.
    for target in targets(std::slice::from_ref(site), Counter::LAST) {
        let newest = if disk::exists(&target.directory) {
            disk::site_logs(&target.directory)?.pop().map(|(counter, _)| counter)
        } else {
            None
        };
        let begins =
            if target.directory == site.paths.directory { first.map(Counter::previous) } else { cut };
        let at = newest.or(begins);
        position = position.map_or(at, |other: Counter| at.map(|at| at.min(other)));
    }
    Ok(position)
}

/// Gives one content its names: the first by rename, the others as links. The content is on disk before any name is.
fn publish(file: NamedTempFile, paths: &[PathBuf], touched: &mut Touched) -> Result<()> {
    let Some((first, others)) = paths.split_first() else { return Ok(()) };
    disk::persist(file, first)?;
    touched.add(first);
    for other in others {
        disk::link_or_copy(first, other)?;
        touched.add(other);
    }
    Ok(())
}

/// Directories with new names in them, to be synced once for many archives.
#[derive(Default)]
struct Touched(HashSet<PathBuf>);

impl Touched {
    fn add(&mut self, path: &Path) {
        if let Some(directory) = path.parent().filter(|directory| !self.0.contains(*directory)) {
            self.0.insert(directory.to_owned());
        }
    }

    fn sync(&self) -> Result<()> {
        self.0.iter().try_for_each(|directory| disk::sync_directory(directory))
    }
}
