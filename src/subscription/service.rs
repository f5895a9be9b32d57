//! What every node's work shares.

use std::sync::Arc;

use tokio::sync::Semaphore;

use crate::config::Config;
use crate::db::Database;
use crate::disk::{self, Lock};
use crate::error::{Error, Result};
use crate::ground::{self, Ground};
use crate::model::{Node, Step};

/// Settings, the database, and the places for dumps; the same for all nodes.
pub struct Service {
    /// The settings.
    pub config: Config,
    /// The log-shipping node's database.
    pub database: Database,
    /// One permit for each dump that may run.
    pub dumps: Semaphore,
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
        Ground::read(&self.config.paths, ground::registry(&self.config.paths)?, node)
    }
}

/// Carries out steps on a thread that may block: each waits for the disk.
pub(super) async fn act(steps: Vec<Step>) -> Result<()> {
    let done = tokio::task::spawn_blocking(move || disk::act(&steps)).await;
    done.map_err(|error| Error::Fatal(format!("a step broke: {error}")))?
}
