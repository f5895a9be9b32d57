//! What every node's work shares, and the ground on which one node stands.

use std::sync::Arc;

use tokio::sync::Semaphore;

use crate::config::Config;
use crate::db::Database;
use crate::disk::{self, Lock};
use crate::error::{Error, Result};
use crate::model::{Node, SeriesList, Step};
use crate::paths::SitePaths;
use crate::protocol::{Cuts, Malformed, OpenRequest, Registry, Request, read_names};

/// Settings, the database, and the places for dumps; the same for all nodes.
pub struct Service {
    /// The settings.
    pub config: Config,
    /// The log-shipping node's database.
    pub database: Database,
    /// One permit for each dump that may run.
    pub dumps: Semaphore,
}

/// What the files say of one node at one moment. What is decided on it under the hold is true until the hold ends.
pub struct Ground {
    /// The whole registry.
    pub registry: Registry,
    /// The node's places.
    pub site: SitePaths,
    /// Its lists by counter; `None`: not registered.
    pub cuts: Option<Cuts>,
    /// Its open request.
    pub open: Option<OpenRequest>,
}

impl Service {
    /// From the configuration.
    pub fn new(config: Config) -> Arc<Self> {
        let database = Database::new(&config.database, &config.cluster);
        let dumps = Semaphore::new(config.dump.jobs);
        Arc::new(Self { config, database, dumps })
    }

    /// Takes the hold: while it lives nothing is split and nobody else changes registry, lists or cuts.
    pub async fn hold(&self) -> Result<Lock> {
        Lock::wait(&self.config.paths.hold()).await
    }

    /// Reads the ground of a node.
    pub fn ground(&self, node: &Node) -> Result<Ground> {
        let paths = &self.config.paths;
        let registry = read(&paths.registry, Registry::parse)?.unwrap_or_default();
        let entry = registry.find(node.as_str());
        let site = paths.site(node, entry);
        let cuts = match entry {
            None => None,
            Some(_) => match read(&site.cuts, Cuts::parse)? {
                Some(cuts) => Some(cuts),
                // Made by hand or by NetDRMS: this list for all counters.
                None => Some(Cuts::always(read(&site.list, read_names)?.unwrap_or_default())),
            },
        };
        let open = read(&site.open_request, OpenRequest::parse)?;
        Ok(Ground { registry, site, cuts, open })
    }
}

impl Ground {
    /// The node's list as it will hold for the next archives; `None`: not registered.
    pub fn list(&self) -> Option<&SeriesList> {
        self.cuts.as_ref().and_then(Cuts::last)
    }

    /// The request in an open one; it was checked when it was accepted.
    pub fn request(&self, open: &OpenRequest) -> Result<Request> {
        open.request().map_err(|source| Error::Malformed { path: self.site.open_request.clone(), source })
    }
}

/// Reads one of our own files; `None` if it is not there.
pub fn read<T>(path: &std::path::Path, parse: impl Fn(&[u8]) -> Result<T, Malformed>) -> Result<Option<T>> {
    let Some(bytes) = disk::read_optional(path)? else { return Ok(None) };
    parse(&bytes).map(Some).map_err(|source| Error::Malformed { path: path.to_owned(), source })
}

/// Carries out steps on a thread that may block: each waits for the disk.
pub async fn act(steps: Vec<Step>) -> Result<()> {
    let done = tokio::task::spawn_blocking(move || disk::act(&steps)).await;
    done.map_err(|error| Error::Fatal(format!("a step broke: {error}")))?
}
