//! Splitting again, for one node: its site logs are made anew from archives that are kept, each by the list that held at
//! its counter, and take the place of those that differ.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use tokio_util::sync::CancellationToken;

use super::archives::{Archives, Shelf};
use super::batch::{Batch, Prepared, Publisher};
use super::roster::Sites;
use super::statement::Subject;
use super::worker::Splitter;
use super::{Expected, Survey};
use crate::config::Config;
use crate::disk;
use crate::error::{Error, Result};
use crate::ground::read;
use crate::model::{ArchiveName, Counter, Node, SlonyNode};
use crate::paths::shown;
use crate::protocol::{Seen, read_counters, read_seen};
use crate::spelling::script::Names;

/// What came, or would come, of a site log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// It is as it was.
    Same,
    /// It was another.
    Differs,
    /// There was none: fetched and acknowledged, too old, or lost.
    Missing,
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Same => "same",
            Self::Differs => "differs",
            Self::Missing => "missing",
        })
    }
}

/// One site log that was made again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resplit {
    /// Its number.
    pub counter: Counter,
    /// Where it belongs.
    pub directory: PathBuf,
    /// How it stands to what was there.
    pub change: Change,
}

/// Called before the first change, and maybe again: what it refuses is not done.
pub type Begin = dyn Fn() -> Result<()> + Send + Sync;

impl Splitter {
    /// Makes the logs of a node again for a part of a range, under the hold; without `begin` it only compares. Returns what
    /// came of each, up to where it has come.
    pub(super) fn resplit_some(
        &self,
        node: &Node,
        slony_node: SlonyNode,
        (first, last): (Counter, Counter),
        shelves: &Shelves,
        begin: Option<&Begin>,
    ) -> Result<(Counter, Vec<Resplit>)> {
        let sites = self.sites()?;
        let found = sites.iter().enumerate().find(|(_, site)| site.node == *node);
        let Some((index, site)) = found else {
            return Err(Error::Fatal(format!("{node} is not registered")));
        };
        if let Some(fault) = &site.fault {
            return Err(Error::Stopped(fault.clone()));
        }
        let position = self.counter()?.map(|all| site.position(all));
        if position.is_none_or(|position| last > position) {
            let position = position.map_or("none yet".to_owned(), |position| position.to_string());
            return Err(Error::Fatal(format!(
                "{node} has its part of archives up to {position}: what comes after is for the splitter"
            )));
        }
        let batch = Batch {
            config: self.config(),
            archives: &shelves.archives,
            numbers: &self.numbers()?,
            slony_node,
            sites: &sites,
            of: &[index],
            first,
            last,
            limit: super::worker::UNDER_ONE_HOLD,
        };
        let mut logs = shelves.logs.lock().unwrap_or_else(PoisonError::into_inner);
        let mut publisher = Publisher::default();
        let mut changes = Vec::new();
        let mut next = first;
        let failed = batch.prepare(&mut None, &mut |mut ready| {
            for one in &mut ready {
                decided(one)?;
                logs.compare(one, &mut changes)?;
                next = one.name.counter.next();
            }
            let Some(begin) = begin else { return Ok(()) };
            if changes.iter().any(|log| log.change != Change::Same) {
                begin()?;
            }
            publisher.take(ready)
        });
        let outcome = publisher.end();
        if let Some(error) = outcome.failed.or(failed) {
            return Err(gone(error));
        }
        let before = self.remembered()?;
        let has_changed =
            |seen: &&Seen| before.get(&seen.name).is_some_and(|digest| *digest != Some(seen.digest));
        for seen in outcome.seen.iter().filter(has_changed) {
            self.remember(&sites, *seen, &shelves.archives, &mut logs)?;
        }
        Ok((next, changes))
    }

    /// Whether an archive that is kept has a statement of a script which a site may need.
    pub async fn has_script(&self, counter: Counter, node: SlonyNode) -> Result<bool> {
        let name = ArchiveName { node, counter };
        let look = move |splitter: &Self| {
            let archives = Shelves::new(splitter.config(), splitter.archive_dir())?.archives;
            let archive = archives.open(name).map_err(gone)?;
            let expected = Expected { cluster: &splitter.config().cluster, name };
            let survey = Survey::of(archive, &expected, Vec::new());
            let survey = survey.map_err(|source| Error::Archive { counter, source })?;
            let is_script =
                |subject: &Subject| matches!(subject, Subject::Script(names) if *names != Names::Nothing);
            Ok(survey.keys.iter().any(|(_, subject, _)| is_script(subject)))
        };
        Ok(self.under_hold(&CancellationToken::new(), look).await?.unwrap_or_default())
    }

    /// The archives of which it is told when they are not what they were, with the digest of each; those that were taken as empty
    /// have none.
    fn remembered(&self) -> Result<BTreeMap<ArchiveName, Option<u128>>> {
        let paths = &self.config().paths;
        let seen = disk::read_optional(&paths.seen())?.map(|bytes| read_seen(&bytes)).unwrap_or_default();
        let slony_node = seen.last().map(|seen| seen.name.node).or(self.config().slony_node);
        let empty = read(&paths.accepted_empty(), read_counters)?.unwrap_or_default();
        let empty = empty.into_iter().filter_map(|counter| Some(ArchiveName { node: slony_node?, counter }));
        let empty = empty.map(|name| (name, None));
        Ok(empty.chain(seen.iter().map(|seen| (seen.name, Some(seen.digest)))).collect())
    }

    /// An archive that has changed since it was split is remembered as it is now, once no node has a log of what it was. Nothing can
    /// be done about logs that sites have fetched and acknowledged.
    fn remember(&self, sites: &Sites, seen: Seen, archives: &Archives, logs: &mut Logs) -> Result<()> {
        let (counter, all) = (seen.name.counter, self.counter()?.unwrap_or_default());
        if let Some(site) = sites.iter().find(|site| site.fault.is_some()) {
            tracing::warn!(node = %site.node, %counter, "it cannot be told whether the node has the archive as it was before");
            return Ok(());
        }
        let of: Vec<usize> = (0..sites.len())
            .filter(|at| sites.get(*at).is_some_and(|s| s.position(all) >= counter))
            .collect();
        let batch = Batch {
            config: self.config(),
            archives,
            numbers: &self.numbers()?,
            slony_node: seen.name.node,
            sites,
            of: &of,
            first: counter,
            last: counter,
            limit: super::worker::UNDER_ONE_HOLD,
        };
        let mut changes = Vec::new();
        let failed = batch.prepare(&mut None, &mut |mut ready| {
            ready.iter_mut().try_for_each(|one| logs.compare(one, &mut changes))
        });
        if let Some(error) = failed {
            return Err(error);
        }
        let mut is_past = true;
        for log in changes.iter().filter(|log| log.change == Change::Differs) {
            is_past = false;
            let directory = log.directory.display();
            tracing::warn!(%directory, %counter, "here is a log of the archive as it was before: split it again too");
        }
        if is_past {
            self.note(&[seen], &[])?;
            tracing::info!(%counter, "no log of the archive as it was before is left");
        }
        Ok(())
    }
}

/// Nothing is decided here: an archive that would stop the node is for the splitter.
fn decided(prepared: &Prepared) -> Result<()> {
    let Some(stop) = prepared.stops.first() else { return Ok(()) };
    Err(Error::Fatal(format!(
        "archive {} has a statement that nobody has decided about: line {}: {}",
        prepared.name.counter, stop.line, stop.why
    )))
}

/// What has been split once is not waited for.
fn gone(error: Error) -> Error {
    let Error::Missing { counter, path } = error else { return error };
    Error::Fatal(format!("archive {counter} is gone: `{}` is neither there nor in a bundle", shown(&path)))
}

/// What is read of bundles in one call of the command: each is unpacked once, however often the hold is left.
pub(super) struct Shelves {
    archives: Archives,
    logs: Mutex<Logs>,
}

impl Shelves {
    pub(super) fn new(config: &Config, archive_dir: &Path) -> Result<Self> {
        let logs = Logs { scratch: config.paths.work_dir.clone(), shelves: HashMap::new() };
        Ok(Self {
            archives: Archives::new(config, archive_dir, Shelf::new(config, archive_dir))?,
            logs: Mutex::new(logs),
        })
    }
}

/// The site logs that are there, singles or in bundles.
struct Logs {
    /// Where bundles are unpacked.
    scratch: PathBuf,
    shelves: HashMap<PathBuf, disk::Archives>,
}

impl Logs {
    /// Compares site logs with what is there, and drops those that are the same.
    fn compare(&mut self, prepared: &mut Prepared, changes: &mut Vec<Resplit>) -> Result<()> {
        let (name, routing) = (prepared.name, prepared.routing.clone());
        for (file, places) in &mut prepared.logs {
            let mut kept = Vec::new();
            for place in std::mem::take(places) {
                let Some((_, directory)) = routing.places.get(place) else { continue };
                let change = self.change(file, directory, name)?;
                if change != Change::Same {
                    kept.push(place);
                }
                changes.push(Resplit { counter: name.counter, directory: directory.clone(), change });
            }
            *places = kept;
        }
        Ok(())
    }

    fn change(&mut self, made: &Path, directory: &Path, name: ArchiveName) -> Result<Change> {
        let scratch = &self.scratch;
        let archives = self
            .shelves
            .entry(directory.to_owned())
            .or_insert_with(|| disk::Archives::new(directory, scratch));
        let Some(there) = archives.open(name)? else { return Ok(Change::Missing) };
        Ok(if disk::holds_the_same(made, there)? { Change::Same } else { Change::Differs })
    }
}
