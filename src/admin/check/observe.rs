//! Reads what is there; what it means the other files say. Under the hold, so that nothing is half done by ours.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use super::finding::named;
use crate::access::Access;
use crate::config::Config;
use crate::disk::{self, Lock, Room};
use crate::error::Result;
use crate::ground::{self, Acknowledged, Ground, read};
use crate::logs::{alarm, holes};
use crate::model::{ArchiveName, Counter, Node, SeriesList, Shelf};
use crate::paths::SitePaths;
use crate::protocol::{
    Entry, Hole, Kind, OpenRequest, Phase, Registry, Stem, TriggerFile, read_counter, read_counters,
    read_names,
};
use crate::subscription::look;
use crate::subscription::stage::strays;

/// Everything that the files say at one moment.
pub(super) struct Facts {
    pub(super) now: SystemTime,
    /// The registry, or why it cannot be read.
    pub(super) registry: Result<Arc<Registry>, String>,
    /// Every node of which anything lies anywhere.
    pub(super) nodes: Vec<NodeFacts>,
    /// The last archive that is split.
    pub(super) split: Option<Counter>,
    /// The archives, and those that are taken as empty.
    pub(super) archives: Option<Archives>,
    /// Why `access_file` cannot be used.
    pub(super) access_fault: Option<String>,
    /// What slon has applied and not archived.
    pub(super) holes: Vec<Hole>,
    /// Hidden files of ours that are older than a day.
    pub(super) temporaries: Vec<PathBuf>,
    /// Whether only its owner removes a file from `triggerdir`.
    pub(super) is_sticky: bool,
    /// Files in `rejected/`, without the reasons.
    pub(super) rejected: Vec<String>,
    /// The user of the daemon, if it runs.
    pub(super) daemon: Option<u32>,
    /// The configured directories.
    pub(super) places: Vec<Place>,
    /// Files of the daemon's own that its user may not write.
    pub(super) closed: Vec<PathBuf>,
    /// Files and directories by which it is decided who gets what, with their modes. A configuration that others may change is
    /// not even read.
    pub(super) trusted: Vec<(PathBuf, u32)>,
}

/// What lies there of a node.
#[expect(clippy::struct_excessive_bools, reason = "each says whether one file is there")]
pub(super) struct NodeFacts {
    pub(super) node: Node,
    /// Its entry in the registry, and that of `<node>.new`.
    pub(super) entry: Option<Entry>,
    pub(super) new_entry: Option<Entry>,
    pub(super) site: SitePaths,
    /// What the files say, or which cannot be read.
    pub(super) ground: Result<Ground, String>,
    /// Whether a request of it is open.
    pub(super) is_open: bool,
    /// Its `.lst`, if it can be read.
    pub(super) list: Option<SeriesList>,
    /// Which of the files beside it are there.
    pub(super) has_cuts: bool,
    pub(super) has_new_list: bool,
    pub(super) has_stopped: bool,
    pub(super) has_decisions: bool,
    /// Those of its directories whose name something else has, and what that is.
    pub(super) in_the_way: Vec<(PathBuf, String)>,
    /// The logs in its directories; `None` where there is none.
    pub(super) shelf: Option<Shelf>,
    pub(super) new_shelf: Option<Shelf>,
    pub(super) held_shelf: Option<Shelf>,
    /// Whether its directory lies on the file system of the others.
    pub(super) is_apart: bool,
    pub(super) said: Acknowledged,
    /// Its files in the drop directory, with their ages.
    pub(super) dropped: Vec<(TriggerFile, Duration)>,
    /// Those that no open request explains.
    pub(super) strays: Vec<(TriggerFile, &'static str)>,
    /// What it has and `access_file` does not let it have, in words.
    pub(super) denied: Option<String>,
    /// Whether its `.sqldone` is a refusal.
    pub(super) is_refused: bool,
    /// Its acknowledgement in the drop directory.
    pub(super) has_counter: bool,
}

/// What lies in `archive_dir`.
pub(super) struct Archives {
    pub(super) shelf: Shelf,
    pub(super) empty: BTreeSet<Counter>,
    /// The one that the splitter waits for while later ones are there.
    pub(super) missing: Option<Counter>,
    /// Those that have changed after they were split.
    pub(super) changed: Vec<ArchiveName>,
}

/// A configured directory.
pub(super) struct Place {
    pub(super) path: PathBuf,
    pub(super) room: Result<Room, String>,
    pub(super) is_writable: bool,
}

/// The bit of a directory's mode by which only the owner of a file removes it.
const STICKY: u32 = 0o1000;

/// Hidden files of our own are at work for less.
const DAY: Duration = Duration::from_secs(86_400);

impl NodeFacts {
    /// Whether the SQL of a request may be in the making.
    fn is_dumping(&self) -> bool {
        let open = self.ground.as_ref().ok().and_then(|ground| ground.open.as_ref());
        open.is_some_and(|open| !matches!(open.phase, Phase::Published { .. }))
    }

    /// Whether something else has the name of its directory.
    pub(super) fn has_no_directory(&self) -> bool {
        self.in_the_way.iter().any(|(path, _)| *path == self.site.directory)
    }

    /// Whether a fence stands.
    pub(super) fn is_fenced(&self) -> bool {
        let open = self.ground.as_ref().ok().and_then(|ground| ground.open.as_ref());
        open.and_then(OpenRequest::cut).is_some_and(|cut| cut.fenced)
    }
}

/// Reads everything.
pub(super) fn observe(config: &Config) -> Result<Facts> {
    let paths = &config.paths;
    let now = SystemTime::now();
    let said = ground::registry(paths);
    let registry = said.as_ref().map_or_else(|_| Arc::default(), Arc::clone);
    let nodes = names(config, &registry)?.into_iter();
    let (access, access_fault) = Access::load_to_look(config);
    let nodes = nodes.map(|node| node_facts(config, &access, &registry, &node, now));
    let nodes = nodes.collect::<Result<Vec<_>>>()?;
    let process = Lock::holder(&paths.instance_lock())?;
    let daemon = process.and_then(|process| disk::owner_and_time(&Path::new("/proc").join(process)));
    let daemon = daemon.map(|(user, _)| user);
    // Where none runs, it is the one who owns what it has written: who looks may be root.
    let owner = || disk::owner_and_time(&paths.work_dir.join(".")).map(|(user, _)| user);
    let user = daemon.or_else(owner).unwrap_or_else(disk::own_number);
    // Several may be one.
    let ours =
        BTreeSet::from([&paths.triggerdir, &paths.subscribers_dir, &paths.tables_dir, &paths.work_dir]);
    let sites = registry.entries().map(|entry| &entry.directory);
    let hidden = ours.iter().copied().chain(sites).flat_map(|directory| temporaries(directory, now));
    // A dump may take longer than a day, and what it has made first waits for the rest.
    let is_dumping = nodes.iter().any(NodeFacts::is_dumping);
    let is_made = |path: &PathBuf| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        is_dumping && name.starts_with(".tmp-") && path.parent() == Some(&paths.triggerdir)
    };
    // Where slon writes old archives are removed.
    let tidied = paths.archive_dir.as_ref().filter(|_| config.life.archives.is_some());
    let trusted = BTreeSet::from([&paths.registry, &paths.tables_dir, &paths.work_dir]);
    let own = [paths.instance_lock(), paths.hold(), paths.tidy_lock(), paths.audit()];
    Ok(Facts {
        now,
        nodes,
        split: read(&paths.split_counter(), read_counter)?,
        archives: archives(config)?,
        holes: holes(config)?,
        access_fault,
        temporaries: hidden.filter(|path| !is_made(path)).collect(),
        is_sticky: disk::mode(&paths.triggerdir).is_some_and(|mode| mode & STICKY != 0),
        rejected: rejected(config),
        daemon,
        places: ours.into_iter().chain(tidied).map(|path| place(path, user)).collect(),
        closed: own.into_iter().filter(|path| disk::exists(path) && !disk::may_write(path, user)).collect(),
        trusted: trusted.into_iter().filter_map(|path| Some((path.to_owned(), disk::mode(path)?))).collect(),
        registry: said.map_err(|error| error.chain()),
    })
}

/// Every node of which anything lies anywhere.
fn names(config: &Config, registry: &Registry) -> Result<BTreeSet<Node>> {
    let paths = &config.paths;
    let mut nodes = BTreeSet::new();
    let mut enter = |name: &str, endings: &[&str]| {
        let node = endings.iter().find_map(|ending| name.strip_suffix(ending));
        nodes.extend(node.and_then(|node| node.parse::<Node>().ok()));
    };
    for entry in registry.entries() {
        enter(entry.name().unwrap_or_default(), &[".new", ""]);
    }
    for name in disk::names(&paths.tables_dir)? {
        enter(&name.to_string_lossy(), &[".new.lst", ".new.cut", ".lst", ".cuts", ".stopped", ".ddl"]);
    }
    for name in disk::names(&paths.subscribers_dir)? {
        if disk::mode(&paths.subscribers_dir.join(&name).join(".")).is_some() {
            enter(&name.to_string_lossy(), &[".new", ".held", ""]);
        }
    }
    for name in disk::names(&paths.triggerdir)? {
        let name = name.to_string_lossy();
        enter(&name, &[".counter"]);
        if let Some(Ok(file)) = TriggerFile::parse(&name) {
            enter(file.node.as_str(), &[""]);
        }
    }
    Ok(nodes)
}

fn node_facts(
    config: &Config,
    access: &Access,
    registry: &Arc<Registry>,
    node: &Node,
    now: SystemTime,
) -> Result<NodeFacts> {
    let paths = &config.paths;
    let entry = registry.find(node.as_str()).cloned();
    let site = paths.site(node, entry.as_ref());
    let ground = Ground::read(paths, registry.clone(), node);
    let shelf = |directory: &Path| {
        let is_there = disk::real_directory(directory).is_ok();
        if is_there { disk::shelf(directory, config.slony_node).map(Some) } else { Ok(None) }
    };
    let no_directory = |directory: &PathBuf| {
        let fault = disk::real_directory(directory).err().filter(|_| disk::exists(directory))?;
        Some((directory.clone(), fault.chain()))
    };
    let directories = [&site.directory, &site.new_directory, &site.held_directory];
    let files = Stem::ALL.into_iter().flat_map(|stem| Kind::ALL.map(|kind| (stem, kind)));
    let file = |(stem, kind)| TriggerFile { node: node.clone(), stem, kind };
    let age = |file: TriggerFile| {
        let written = disk::modified(&paths.triggerdir.join(file.to_string()))?;
        Some((file, now.duration_since(written).unwrap_or_default()))
    };
    let seen = ground.as_ref().ok().map(|ground| look(paths, access, node, ground, None));
    Ok(NodeFacts {
        new_entry: registry.find(&format!("{node}.new")).cloned(),
        is_open: disk::exists(&site.open_request),
        list: read(&site.list, read_names).ok().flatten(),
        has_cuts: disk::exists(&site.cuts),
        has_new_list: disk::exists(&site.new_list),
        has_stopped: disk::exists(&site.stopped),
        has_decisions: disk::exists(&site.decisions),
        in_the_way: directories.into_iter().filter_map(no_directory).collect(),
        shelf: shelf(&site.directory)?,
        new_shelf: shelf(&site.new_directory)?,
        held_shelf: shelf(&site.held_directory)?,
        is_apart: disk::device(&site.directory)
            .is_some_and(|at| disk::device(&paths.subscribers_dir) != Some(at)),
        said: Acknowledged::read(paths, &site, node, access),
        dropped: files.map(file).filter_map(age).collect(),
        strays: seen
            .as_ref()
            .map(strays)
            .unwrap_or_default()
            .into_iter()
            .map(|(stem, kind, why)| (file((stem, kind)), why))
            .collect(),
        denied: ground.as_ref().ok().and_then(|ground| denied(access, node, ground.list()?)),
        is_refused: seen.is_some_and(|seen| seen.failure),
        has_counter: disk::exists(&paths.acknowledgement(node)),
        ground: ground.map_err(|error| error.chain()),
        node: node.clone(),
        entry,
        site,
    })
}

/// What of its list a node may not have.
fn denied(access: &Access, node: &Node, list: &SeriesList) -> Option<String> {
    let denied = access.denied(node, list.iter().map(|subscription| &subscription.series));
    (!denied.is_empty()).then(|| named(denied))
}

fn archives(config: &Config) -> Result<Option<Archives>> {
    let Some(directory) = &config.paths.archive_dir else { return Ok(None) };
    Ok(Some(Archives {
        shelf: disk::shelf(directory, config.slony_node)?,
        empty: read(&config.paths.accepted_empty(), read_counters)?.unwrap_or_default(),
        missing: alarm::missing(config)?,
        changed: alarm::changed(config)?,
    }))
}

/// Hidden files of ours that are older than a day. What subscribers bring in under hidden names is theirs.
fn temporaries(directory: &Path, now: SystemTime) -> Vec<PathBuf> {
    let is_ours = |name: &str| {
        let is_dropped = [".ready", ".claim"].iter().any(|ending| name.ends_with(ending));
        name.starts_with(".tmp-") || (name.starts_with('.') && is_dropped)
    };
    let names = disk::names(directory).unwrap_or_default().into_iter();
    let hidden = names.filter(|name| is_ours(&name.to_string_lossy())).map(|name| directory.join(name));
    let is_old = |path: &PathBuf| {
        disk::modified(path).is_some_and(|written| now.duration_since(written).is_ok_and(|age| age > DAY))
    };
    hidden.filter(is_old).collect()
}

fn rejected(config: &Config) -> Vec<String> {
    let names = disk::names(&config.paths.rejected()).unwrap_or_default().into_iter();
    names.map(|name| name.to_string_lossy().into_owned()).filter(|name| !name.ends_with(".reason")).collect()
}

fn place(path: &Path, user: u32) -> Place {
    Place {
        path: path.to_owned(),
        room: disk::room(path).map_err(|error| error.chain()),
        is_writable: disk::may_write(path, user),
    }
}
