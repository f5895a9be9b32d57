//! What the files say of a node: the ground on which every flow stands. What is decided on it under the hold is true
//! until the hold ends.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use crate::access::Access;
use crate::disk::{self, Identity, Lock};
use crate::error::{Error, Result};
use crate::model::{Counter, Node, SeriesList, SlonyNode};
use crate::paths::{Paths, SitePaths, shown};
use crate::protocol::{
    Cuts, Entry, Malformed, OpenRequest, Registry, Request, Stopped, read_acknowledgement, read_names,
    read_seen, read_system, write_system,
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
    /// When it said so.
    pub written: Option<SystemTime>,
    /// What could not be read, and why.
    pub faults: Vec<String>,
}

impl Acknowledged {
    /// Reads both places where a site may say it; what was written last holds. Neither is trusted to be a plain file.
    /// What a stranger has written there is a fault too.
    pub fn read(paths: &Paths, site: &SitePaths, node: &Node, access: &Access) -> Self {
        let mut faults = Vec::new();
        let mut said = Vec::new();
        for path in [site.acknowledgement(), paths.acknowledgement(node)] {
            let read = disk::read_dropped(&path).and_then(|dropped| {
                let Some(dropped) = dropped else { return Ok(None) };
                let written = dropped.written();
                access.may_speak(node, dropped.owner).map_err(|denial| Error::Refused(denial.to_string()))?;
                read_acknowledgement(&dropped.bytes)
                    .map(|counter| Some((written, counter)))
                    .map_err(|source| Error::Malformed { path: path.clone(), source })
            });
            match read {
                Ok(word) => said.extend(word),
                Err(error @ Error::Refused(_)) => {
                    faults.push(format!("read `{}`: {}", shown(&path), error.chain()));
                }
                Err(error) => faults.push(error.chain()),
            }
        }
        let (written, counter) = said.into_iter().max().unzip();
        Self { counter, written: written.flatten(), faults }
    }
}

/// Reads the registry. One that is not there is not an empty one: archives would be split for nobody.
pub fn registry(paths: &Paths) -> Result<Arc<Registry>> {
    read(&paths.registry, Registry::parse)?.map(Arc::new).ok_or_else(|| no_registry(paths))
}

/// The registry, kept from one question to the next: who asks for each of a thousand nodes would read a million lines.
#[derive(Debug, Default)]
pub struct KeptRegistry(Mutex<Option<(Identity, Arc<Registry>)>>);

impl KeptRegistry {
    /// As [`registry`]; the file is read again only if it is another by now.
    pub fn read(&self, paths: &Paths) -> Result<Arc<Registry>> {
        // Asked before: what is written meanwhile is another file the next time.
        let state = disk::state(&paths.registry);
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, registry)) = kept.as_ref().filter(|(before, _)| Some(*before) == state) {
            return Ok(registry.clone());
        }
        let registry = registry(paths)?;
        *kept = state.map(|state| (state, registry.clone()));
        Ok(registry)
    }
}

/// Puts on disk what an earlier process has done and, because it was killed, not synced. For whoever begins to act: a step
/// that is found done is not done again, so a loss of power after that could take back one of them alone.
pub fn put_on_disk(paths: &Paths) -> Result<()> {
    let rejected = paths.rejected();
    let registry_directory = paths.registry.parent().unwrap_or(Path::new("/"));
    let ours = [&paths.triggerdir, &rejected, &paths.subscribers_dir, &paths.tables_dir, &paths.work_dir];
    let ours = ours.into_iter().cloned().chain([registry_directory.to_owned()]);
    let mut directories = Vec::new();
    for entry in read(&paths.registry, Registry::parse)?.iter().flat_map(Registry::entries) {
        let node = entry.name().and_then(|name| name.parse::<Node>().ok());
        let site = node.map(|node| paths.site(&node, Some(entry)));
        directories.extend(site.into_iter().flat_map(|site| [site.new_directory, site.held_directory]));
        directories.push(entry.directory.clone());
    }
    // One by one: what has not changed costs next to nothing, and a sync of all would wait for strangers' files.
    for directory in directories.iter().filter(|directory| disk::real_directory(directory).is_ok()) {
        // One node's trouble is that node's.
        if let Err(error) = disk::sync_directory(directory) {
            tracing::warn!(error = error.chain(), "what was done there before may not be on disk");
        }
    }
    let ours: BTreeSet<_> = ours.filter(|directory| disk::exists(directory)).collect();
    ours.iter().try_for_each(|directory| disk::sync_directory(directory))
}

/// The list of every registered node.
pub fn lists(paths: &Paths) -> Result<Vec<(Node, SeriesList)>> {
    let registry = registry(paths)?;
    let mut lists = Vec::new();
    for entry in registry.entries() {
        let Some(Ok(node)) = entry.name().map(str::parse::<Node>) else { continue };
        let ground = Ground::of_entry(paths, registry.clone(), &node, Some(entry))?;
        lists.extend(ground.list().cloned().map(|list| (node, list)));
    }
    Ok(lists)
}

/// Fails if a database is another Slony node than the one whose archives are served: its counters are about other archives.
pub fn check_slony_node(paths: &Paths, configured: Option<SlonyNode>, said: SlonyNode) -> Result<()> {
    let wrong =
        |reason: String| Err(Error::WrongDatabase(format!("this database is Slony node {said}, {reason}")));
    if let Some(wanted) = configured {
        return if wanted == said {
            Ok(())
        } else {
            wrong(format!("the configuration says slony_node={wanted}"))
        };
    }
    let seen = disk::read_optional(&paths.seen())?.map(|bytes| read_seen(&bytes)).unwrap_or_default();
    match seen.last() {
        Some(last) if last.name.node != said => wrong(format!(
            "but archives of Slony node {} were split: if another node ships logs from now on, set slony_node={said}",
            last.name.node
        )),
        _ => Ok(()),
    }
}

/// Fails if a server is another than the one whose archives were split, as far as it says which it is: its counters may have come to the
/// same numbers by other rows.
pub fn check_system(paths: &Paths, said: Option<i64>) -> Result<()> {
    let path = paths.system_identifier();
    match (read(&path, read_system)?, said) {
        (Some(before), Some(said)) if before != said => Err(Error::WrongDatabase(format!(
            "this is another PostgreSQL server than the one whose archives were split (system identifier {said}, not {before}): put \
             `pg_host` and `pg_port` right, or, if it has taken that one's place with everything in it (pg_upgrade, pg_dump), remove `{}`",
            path.display()
        ))),
        _ => Ok(()),
    }
}

/// Remembers a server that has proved to be the right one, unless one is remembered.
pub fn remember_system(paths: &Paths, said: Option<i64>) -> Result<()> {
    let path = paths.system_identifier();
    match said {
        Some(said) if !disk::is_there(&path)? => disk::write(&path, &write_system(said)),
        _ => Ok(()),
    }
}

/// Fails unless the configured directories are there, and names the key of the first that is not.
pub fn require_directories(paths: &Paths) -> Result<()> {
    let directories = [
        ("triggerdir", &paths.triggerdir),
        ("subscribers_dir", &paths.subscribers_dir),
        ("tables_dir", &paths.tables_dir),
        ("work_dir", &paths.work_dir),
    ];
    for (key, path) in directories {
        disk::names(path).map_err(|error| {
            Error::Fatal(format!(
                "`{key}` cannot be used: {}: make the directory, or put the key right",
                error.chain()
            ))
        })?;
    }
    Ok(())
}

/// That this process is the only one that serves requests here. The locks beside that of `work_dir` notice a daemon with another
/// `work_dir`: by a copied configuration, or on another machine that shares the directories.
#[derive(Debug)]
pub struct Instance {
    _locks: Vec<Lock>,
}

impl Instance {
    /// Takes the locks, or says who has one.
    pub fn take(paths: &Paths) -> Result<Self> {
        Self::beside(paths, Lock::take(&paths.instance_lock())?)
    }

    /// As [`Instance::take`]; those who only look whether a daemon runs are waited for.
    pub async fn take_soon(paths: &Paths) -> Result<Self> {
        Self::beside(paths, Lock::take_soon(&paths.instance_lock()).await?)
    }

    fn beside(paths: &Paths, own: Lock) -> Result<Self> {
        let mut locks = vec![own];
        let state = |path: &Path| disk::state(path);
        let (own, lists) = (state(&paths.instance_lock()), state(&paths.lists_lock()));
        // Where `work_dir` is `tables_dir`, by whatever name, they are one file.
        if !own.zip(lists).is_some_and(|(own, lists)| own.is_of_one_file(&lists)) {
            let lists = Lock::take(&paths.lists_lock());
            locks.push(lists.map_err(|error| served_by_another("tables_dir", error))?);
        }
        // Of one drop directory each would take half of the requests, whatever their lists are.
        let dropped = Lock::take_directory(&paths.triggerdir);
        locks.extend(dropped.map_err(|error| served_by_another("triggerdir", error))?);
        Ok(Self { _locks: locks })
    }
}

fn served_by_another(key: &str, error: Error) -> Error {
    match error {
        Error::Busy(held) => Error::Busy(format!(
            "another daemon, whose `work_dir` is another, serves `{key}`: {held}: end it, or give this one directories of its own"
        )),
        error => error,
    }
}

/// Makes an empty registry where there never was one.
pub fn create_registry(paths: &Paths) -> Result<()> {
    if disk::is_there(&paths.registry)? {
        return Ok(());
    }
    if has_nodes(paths)? {
        return Err(missing(&paths.registry));
    }
    disk::write(&paths.registry, b"")
}

/// Whether files of any node are there.
fn has_nodes(paths: &Paths) -> Result<bool> {
    let of_a_node = |ending: &std::ffi::OsStr| ["cuts", "lst", "cut"].iter().any(|known| ending == *known);
    let is_of_a_node = |name: &std::ffi::OsString| Path::new(name).extension().is_some_and(of_a_node);
    Ok(disk::names(&paths.tables_dir)?.iter().any(is_of_a_node))
}

/// Why there is no registry: somebody has taken it away, or there never was one.
fn no_registry(paths: &Paths) -> Error {
    match has_nodes(paths) {
        Ok(false) => {
            let path = paths.registry.display();
            Error::Stopped(format!("`{path}` is not there yet: a start of the daemon makes it"))
        }
        Ok(true) => missing(&paths.registry),
        Err(error) => error,
    }
}

fn missing(path: &Path) -> Error {
    Error::Stopped(format!("`{}` is not there, but nodes are registered by it: put it back", path.display()))
}

/// Reads one of our own files; `None` if it is not there.
pub fn read<T>(path: &Path, parse: impl Fn(&[u8]) -> Result<T, Malformed>) -> Result<Option<T>> {
    let Some(bytes) = disk::read_optional(path)? else { return Ok(None) };
    parse(&bytes).map(Some).map_err(|source| Error::Malformed { path: path.to_owned(), source })
}
