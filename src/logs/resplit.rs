//! Splitting again, for one node: its site logs are made anew from archives that are kept, each by the list that held at
//! its counter, and take the place of those that differ.

use std::collections::HashMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use super::archives::Archives;
use super::batch::{Batch, Prepared, Publisher};
use super::worker::Splitter;
use crate::config::Config;
use crate::disk;
use crate::error::{Error, Result};
use crate::model::{ArchiveName, Counter, Node, SlonyNode};
use crate::paths::shown;

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

impl Splitter {
    /// Makes the logs of a node again for a part of a range, under the hold; with `dry` it only compares. Returns what came
    /// of each, up to where it has come.
    pub(super) fn resplit_some(
        &self,
        node: &Node,
        slony_node: SlonyNode,
        (first, last): (Counter, Counter),
        shelves: &Shelves,
        dry: bool,
    ) -> Result<(Counter, Vec<Resplit>)> {
        let sites = self.sites()?;
        let found = sites.iter().enumerate().find(|(_, site)| site.node == *node);
        let Some((index, site)) = found else {
            return Err(Error::Fatal(format!("{node} is not registered")));
        };
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
            if dry { Ok(()) } else { publisher.take(ready) }
        });
        let failed = publisher.end().failed.or(failed);
        failed.map_or(Ok((next, changes)), |error| Err(gone(error)))
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
        Ok(Self { archives: Archives::new(config, archive_dir)?, logs: Mutex::new(logs) })
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
