//! What the files say of a node: the ground on which every flow stands. What is decided on it under the hold is true
//! until the hold ends.

use std::path::Path;
use std::sync::Arc;

use crate::disk;
use crate::error::{Error, Result};
use crate::model::{Counter, Node, SeriesList};
use crate::paths::{Paths, SitePaths, shown};
use crate::protocol::{
    Cuts, Entry, Malformed, OpenRequest, Registry, Request, Stopped, read_acknowledgement, read_names,
};

/// One node at one moment.
#[derive(Debug, Clone)]
pub struct Ground {
    /// The whole registry.
    pub registry: Arc<Registry>,
    /// The node's places.
    pub site: SitePaths,
    /// Its lists by counter; `None`: not registered.
    pub cuts: Option<Cuts>,
    /// Its open request.
    pub open: Option<OpenRequest>,
    /// Where its logs stop.
    pub stopped: Option<Stopped>,
}

impl Ground {
    /// Reads what there is of a node.
    pub fn read(paths: &Paths, registry: Arc<Registry>, node: &Node) -> Result<Self> {
        let entry = registry.find(node.as_str()).cloned();
        Self::of_entry(paths, registry, node, entry.as_ref())
    }

    /// As [`Ground::read`], for those who have found the node's entry already.
    pub fn of_entry(
        paths: &Paths,
        registry: Arc<Registry>,
        node: &Node,
        entry: Option<&Entry>,
    ) -> Result<Self> {
        let site = paths.site(node, entry);
        let cuts = match entry {
            None => None,
            Some(_) => match read(&site.cuts, Cuts::parse)? {
                Some(cuts) => Some(cuts),
                // Made by hand or by NetDRMS: this list for all counters. A list that is not there is not an empty
                // one: its node would get empty logs and never know.
                None => Some(Cuts::always(read(&site.list, read_names)?.ok_or_else(|| missing(&site.list))?)),
            },
        };
        let open = read(&site.open_request, OpenRequest::parse)?;
        let stopped = read(&site.stopped, Stopped::parse)?;
        Ok(Self { registry, site, cuts, open, stopped })
    }

    /// The node's list as it holds for the archives to come; `None`: not registered.
    pub fn list(&self) -> Option<&SeriesList> {
        self.cuts.as_ref().and_then(Cuts::last)
    }

    /// The request in an open one; it was checked when it was accepted.
    pub fn request(&self, open: &OpenRequest) -> Result<Request> {
        open.request().map_err(|source| Error::Malformed { path: self.site.open_request.clone(), source })
    }
}

/// What a site says it has applied.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Acknowledged {
    /// The last log; `None`: it says nothing that can be read.
    pub counter: Option<Counter>,
    /// What could not be read, and why.
    pub faults: Vec<String>,
}

impl Acknowledged {
    /// Reads both places where a site may say it; what was written last holds. Neither is trusted to be a plain file.
    pub fn read(paths: &Paths, site: &SitePaths, node: &Node) -> Self {
        let mut faults = Vec::new();
        let mut said = Vec::new();
        for path in [site.acknowledgement(), paths.acknowledgement(node)] {
            let read = disk::read_dropped(&path).and_then(|dropped| {
                let Some(dropped) = dropped else { return Ok(None) };
                read_acknowledgement(&dropped.bytes)
                    .map(Some)
                    .map_err(|source| Error::Malformed { path: path.clone(), source })
            });
            match read {
                Ok(counter) => said.extend(counter.map(|counter| (disk::modified(&path), counter))),
                Err(error @ Error::Refused(_)) => {
                    faults.push(format!("read `{}`: {}", shown(&path), error.chain()));
                }
                Err(error) => faults.push(error.chain()),
            }
        }
        Self { counter: said.into_iter().max().map(|(_, counter)| counter), faults }
    }
}

/// Reads the registry. One that is not there is not an empty one: archives would be split for nobody.
pub fn registry(paths: &Paths) -> Result<Arc<Registry>> {
    read(&paths.registry, Registry::parse)?.map(Arc::new).ok_or_else(|| missing(&paths.registry))
}

/// Makes an empty registry where there never was one.
pub fn create_registry(paths: &Paths) -> Result<()> {
    let of_a_node = |ending: &std::ffi::OsStr| ["cuts", "lst", "cut"].iter().any(|known| ending == *known);
    let is_of_a_node = |name: &std::ffi::OsString| Path::new(name).extension().is_some_and(of_a_node);
    if disk::exists(&paths.registry) {
        return Ok(());
    }
    if disk::names(&paths.tables_dir)?.iter().any(is_of_a_node) {
        return Err(missing(&paths.registry));
    }
    disk::write(&paths.registry, b"")
}

fn missing(path: &Path) -> Error {
    Error::Stopped(format!("`{}` is not there, but nodes are registered by it: put it back", path.display()))
}

/// Reads one of our own files; `None` if it is not there.
pub fn read<T>(path: &Path, parse: impl Fn(&[u8]) -> Result<T, Malformed>) -> Result<Option<T>> {
    let Some(bytes) = disk::read_optional(path)? else { return Ok(None) };
    parse(&bytes).map(Some).map_err(|source| Error::Malformed { path: path.to_owned(), source })
}
