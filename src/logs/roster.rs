//! All nodes with their lists, kept from one round to the next: only files that changed are read again.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::targets::{New, Site};
use crate::config::Config;
use crate::disk::{self, Identity};
use crate::error::{Error, Result};
use crate::ground::{self, Ground, read};
use crate::model::Node;
use crate::protocol::{Decisions, Entry, OpenRequest, Registry, Stopped, read_names};

/// Every node.
pub(super) type Sites = Arc<Vec<Arc<Site>>>;

/// What was read, and of which state of which files.
#[derive(Default)]
pub(super) struct Roster {
    sites: Sites,
    registry: Option<(Identity, Arc<Registry>)>,
    /// By the name of the node: its files in the state that was read, and where it is among the sites.
    read: HashMap<Node, (Vec<Option<Identity>>, usize)>,
}

impl Roster {
    /// The nodes as their files are now. Under the hold. The same allocation as before if nothing changed.
    pub(super) fn read(&mut self, config: &Config) -> Result<Sites> {
        let registry = self.registry(&config.paths.registry, config)?;
        let mut sites = Vec::new();
        let mut states = HashMap::new();
        let mut changed = false;
        let named: HashMap<&str, &Entry> =
            registry.entries().filter_map(|entry| Some((entry.name()?, entry))).collect();
        for entry in registry.entries() {
            let name = entry.name().unwrap_or_default();
            let new_of = name.strip_suffix(".new");
            if new_of.is_some_and(|node| named.contains_key(node)) {
                continue;
            }
            let node: Node = new_of.unwrap_or(name).parse().map_err(|fault| {
                Error::Stopped(format!(
                    "`{}` names a directory that is no node's: {fault}",
                    config.paths.registry.display()
                ))
            })?;
            let new = named.get(format!("{node}.new").as_str()).copied();
            let own = new_of.is_none().then_some(entry);
            let paths = config.paths.site(&node, own);
            let files = [&paths.cuts, &paths.list, &paths.open_request, &paths.stopped, &paths.decisions];
            let files = files.into_iter().map(PathBuf::as_path).chain(new.map(|new| new.list.as_path()));
            let state: Vec<_> = files.map(disk::state).collect();
            let before = self.read.get(&node).filter(|(before, _)| *before == state);
            let known = before.and_then(|(_, index)| self.sites.get(*index));
            let site = match known {
                Some(site) if site.fault.is_none() => site.clone(),
                // What could not be read may be readable now, and looks no different from outside.
                known => {
                    let site = read_or_say_why(config, &registry, &node, own, new)?;
                    let same = known.filter(|known| known.fault.is_some() && known.fault == site.fault);
                    changed |= same.is_none();
                    same.cloned().unwrap_or_else(|| Arc::new(site))
                }
            };
            changed |= before.is_some_and(|(_, index)| *index != sites.len());
            states.insert(node, (state, sites.len()));
            sites.push(site);
        }
        if changed || sites.len() != self.sites.len() {
            self.sites = Arc::new(sites);
            self.read = states;
        }
        Ok(self.sites.clone())
    }

    fn registry(&mut self, path: &Path, config: &Config) -> Result<Arc<Registry>> {
        let state = disk::state(path);
        match (&self.registry, state) {
            (Some((before, registry)), Some(now)) if *before == now => Ok(registry.clone()),
            _ => {
                let registry = ground::registry(&config.paths)?;
                self.registry = state.map(|state| (state, registry.clone()));
                // An entry may point elsewhere now.
                self.read.clear();
                Ok(registry)
            }
        }
    }
}

/// A list that is missing, or a file that cannot be read, is the fault of its node and of no other. But where its logs stop must be
/// known: who goes on without would leave a gap.
fn read_or_say_why(
    config: &Config,
    registry: &Arc<Registry>,
    node: &Node,
    own: Option<&Entry>,
    new: Option<&Entry>,
) -> Result<Site> {
    let fault = match read_site(config, registry, node, own, new) {
        Ok(site) => return Ok(site),
        Err(error) => Some(error.chain()),
    };
    let paths = config.paths.site(node, own);
    Ok(Site {
        node: node.clone(),
        dialect: config.dialect_of(node),
        stopped: read(&paths.stopped, Stopped::parse)?,
        paths,
        cuts: None,
        new: None,
        fault,
        decisions: Decisions::default(),
        unrouted: config.unrouted,
    })
}

fn read_site(
    config: &Config,
    registry: &Arc<Registry>,
    node: &Node,
    own: Option<&Entry>,
    new: Option<&Entry>,
) -> Result<Site> {
    let ground = Ground::of_entry(&config.paths, registry.clone(), node, own)?;
    let new = match (new, ground.open.as_ref().and_then(OpenRequest::cut)) {
        (None, _) => None,
        (Some(_), Some(cut)) => Some(New::Cut(cut.clone())),
        (Some(new), None) => {
            read(&new.list, read_names)?.map(|list| New::Foreign(new.directory.clone(), list))
        }
    };
    Ok(Site {
        node: node.clone(),
        dialect: config.dialect_of(node),
        decisions: read(&ground.site.decisions, Decisions::parse)?.unwrap_or_default(),
        paths: ground.site,
        cuts: ground.cuts,
        new,
        stopped: ground.stopped,
        fault: None,
        unrouted: config.unrouted,
    })
}
