//! `remove`: nothing of a node stays but what is not ours. It also ends what a dead site has left open.
//!
//! The registry's line goes last of what it names, so that whoever does it again after a kill finds all of that.

use std::ffi::OsString;
use std::fmt;
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::cancel::{Ended, end, open_request};
use crate::config::Config;
use crate::disk::{self, Lock};
use crate::error::{Error, Result};
use crate::ground;
use crate::model::{ArchiveName, BundleName, Node, Step, size};
use crate::paths::{SitePaths, shown};
use crate::protocol::{Event, Kind, Registry, Stem, sql_file_names};
use crate::subscription::{Taken, decide, set_aside, taken};

/// What a request that still lies there is set aside for.
const REASON: &str = "the operator of the data centre has removed the node";

/// What there is of a node.
struct Belongings {
    site: SitePaths,
    registry: Registry,
    is_registered: bool,
    /// What to remove, each with what is said of it.
    first: Vec<(Step, String)>,
    /// Logs to remove out of a directory that stays.
    logs: Vec<OsString>,
    last: Vec<(Step, String)>,
    /// Requests that a daemon had taken when it was killed: the next one would give them back, and serve them.
    taken: Vec<Taken>,
    /// Requests that nobody has accepted, with those.
    requests: Vec<PathBuf>,
    /// What stays, and why.
    kept: Vec<String>,
}

/// What was removed of a node, or would be.
#[derive(Debug, Serialize)]
pub struct Removal {
    node: String,
    dry_run: bool,
    changed: bool,
    /// How its open request ended; with `dry_run`, nothing of it.
    ended: Option<Ended>,
    /// Whether it has an open request, with `dry_run`.
    open: bool,
    set_aside: Vec<String>,
    removed: Vec<String>,
    kept: Vec<String>,
}

/// Removes the node. With `dry` it only says what it would do.
pub async fn remove(config: &Config, node: &Node, dry: bool) -> Result<Removal> {
    let open = open_request(config, node)?;
    let ended = match &open {
        Some(open) if !dry => Some(end(config, node, open).await?),
        _ => None,
    };
    let _hold = Lock::wait(&config.paths.hold()).await?;
    if !dry {
        ground::put_on_disk(&config.paths)?;
        if open_request(config, node)?.is_some() {
            return Err(Error::Fatal(format!(
                "{node} has asked anew meanwhile: stop its site, and remove it then"
            )));
        }
    }
    let there = observe(config, node)?;
    let changed = !there.is_empty();
    if changed && !dry {
        super::audit::once(config, Some(node), Event::Remove, "the node is removed")()?;
        there.act(config)?;
    }
    let text = |path: &PathBuf| shown(path);
    Ok(Removal {
        node: node.to_string(),
        dry_run: dry,
        changed: changed || ended.is_some(),
        ended,
        open: dry && open.is_some(),
        set_aside: there.requests.iter().map(text).collect(),
        removed: there.removed(),
        kept: if changed { there.kept } else { Vec::new() },
    })
}

fn observe(config: &Config, node: &Node) -> Result<Belongings> {
    let paths = &config.paths;
    let registry = (*ground::registry(paths)?).clone();
    let entry = registry.find(node.as_str()).cloned();
    let site = paths.site(node, entry.as_ref());
    let mut there = Belongings {
        is_registered: [&site.directory, &site.new_directory]
            .iter()
            .any(|directory| registry.entries().any(|entry| entry.directory == **directory)),
        site: site.clone(),
        registry,
        first: Vec::new(),
        logs: Vec::new(),
        last: Vec::new(),
        taken: taken(paths, node),
        requests: Vec::new(),
        kept: Vec::new(),
    };
    for directory in [&site.new_directory, &site.held_directory] {
        if disk::real_directory(directory).is_ok() {
            there.first.push((Step::RemoveDirectory(directory.clone()), shown(directory)));
        }
    }
    there.observe_directory(config)?;
    let is_shared =
        there.registry.entries().any(|other| other.list == site.list && other.directory != site.directory);
    if is_shared {
        there.kept.push(format!("{}: it is the list of another node, too", shown(&site.list)));
    } else {
        there.first(&site.list);
    }
    for path in [&site.cuts, &site.new_list, &site.open_request] {
        there.first(path);
    }
    let mut names =
        vec![paths.acknowledgement(node), paths.cancel(node), site.stopped.clone(), site.decisions.clone()];
    for stem in Stem::ALL {
        for kind in Kind::ALL {
            let path = paths.trigger(node, stem, kind);
            match kind {
                Kind::Request => {
                    if disk::exists(&path) || there.taken.iter().any(|taken| taken.path == path) {
                        there.requests.push(path);
                    }
                }
                _ => names.push(path),
            }
        }
        names.extend(decide::answer_names(node, stem).into_iter().map(|name| paths.ready(&name)));
    }
    names.extend(sql_file_names(node).into_iter().map(|name| paths.triggerdir.join(name)));
    names.sort_unstable();
    names.dedup();
    for path in names.into_iter().filter(|path| disk::exists(path)) {
        there.last.push((Step::Remove(path.clone()), shown(&path)));
    }
    Ok(there)
}

impl Belongings {
    fn first(&mut self, path: &Path) {
        if disk::exists(path) {
            self.first.push((Step::Remove(path.to_owned()), shown(path)));
        }
    }

    /// The node's own directory: as a whole if there is nothing in it but what this program and the site write there.
    fn observe_directory(&mut self, config: &Config) -> Result<()> {
        let directory = self.site.directory.clone();
        if !disk::exists(&directory) {
            return Ok(());
        }
        if let Err(error) = disk::real_directory(&directory) {
            self.kept.push(error.chain());
            return Ok(());
        }
        let paths = &config.paths;
        let ours = [&paths.triggerdir, &paths.subscribers_dir, &paths.tables_dir, &paths.work_dir];
        if ours.into_iter().chain(&paths.archive_dir).any(|other| other.starts_with(&directory)) {
            self.kept.push(format!("{}: it is configured for more than this node", shown(&directory)));
            return Ok(());
        }
        let (ours, foreign): (Vec<_>, Vec<_>) =
            disk::names(&directory)?.into_iter().partition(|name| is_ours(name, &directory));
        let bytes = size(disk::shelf(&directory, None)?.bytes());
        let what = format!("{}: {} files, logs of {bytes}", shown(&directory), ours.len());
        match foreign.first() {
            None => self.first.push((Step::RemoveDirectory(directory), what)),
            Some(name) => {
                let example = shown(Path::new(name));
                let directory = shown(&directory);
                self.kept.push(format!(
                    "{directory}: {} names in it are not ours, `{example}` for one",
                    foreign.len()
                ));
                self.logs = ours;
            }
        }
        Ok(())
    }

    fn is_empty(&self) -> bool {
        !self.is_registered
            && [self.first.len(), self.last.len(), self.logs.len(), self.requests.len()]
                .iter()
                .all(|count| *count == 0)
    }

    fn act(&self, config: &Config) -> Result<()> {
        let steps = |steps: &[(Step, String)]| steps.iter().map(|(step, _)| step.clone()).collect::<Vec<_>>();
        if !self.requests.is_empty() {
            disk::claim_directory(&config.paths.rejected())?;
        }
        for taken in &self.taken {
            disk::give_back(&taken.claim, &taken.path)?;
        }
        for request in &self.requests {
            set_aside(&config.paths, request, |_| true, REASON)?;
        }
        disk::act(&steps(&self.first))?;
        disk::remove_all(&self.site.directory, &self.logs)?;
        let mut registry = self.registry.clone();
        registry.remove(&self.site.new_directory);
        registry.remove(&self.site.directory);
        if registry != self.registry {
            disk::act(&[decide::write_registry(&config.paths, &registry)])?;
        }
        disk::act(&steps(&self.last))
    }

    /// What goes, in the order in which it goes.
    fn removed(&self) -> Vec<String> {
        let logs = match self.logs.len() {
            0 => None,
            count => Some(format!("{count} logs of ours in {}", shown(&self.site.directory))),
        };
        let line = self.is_registered.then(|| "the line in the registry".to_owned());
        let said = |steps: &[(Step, String)]| steps.iter().map(|(_, what)| what.clone()).collect::<Vec<_>>();
        said(&self.first).into_iter().chain(logs).chain(line).chain(said(&self.last)).collect()
    }
}

impl fmt::Display for Removal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { node, ended, .. } = self;
        if self.open {
            writeln!(f, "its open request would be rolled back")?;
        }
        if let Some(ended) = ended {
            writeln!(f, "{}", ended.describe(node))?;
        }
        if self.set_aside.is_empty() && self.removed.is_empty() {
            return writeln!(f, "nothing of {node} is here");
        }
        let would = if self.dry_run { "would be " } else { "" };
        self.set_aside.iter().try_for_each(|path| writeln!(f, "{would}set aside: {path}"))?;
        self.removed.iter().try_for_each(|what| writeln!(f, "{would}removed: {what}"))?;
        self.kept.iter().try_for_each(|what| writeln!(f, "kept: {what}"))
    }
}

/// Whether this program or the site has written it: logs, bundles, the acknowledgement, and what is half done.
fn is_ours(name: &OsString, directory: &Path) -> bool {
    let Some(text) = name.to_str() else { return false };
    let is_log = text.parse::<ArchiveName>().is_ok() || text.parse::<BundleName>().is_ok();
    let is_known = is_log || text == "slony_counter.txt" || text.starts_with(".tmp-");
    is_known && disk::plain_size(&directory.join(name)).is_some()
}
