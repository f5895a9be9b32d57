//! What every node's work shares, and the one way in which it changes the tree.

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

    /// Takes the hold, reads the ground, carries out the steps that `plan` makes of it, and returns what it says.
    pub async fn change<T: Send + 'static>(
        &self,
        node: &Node,
        plan: impl FnOnce(&Ground) -> Result<(Vec<Step>, T)> + Send + 'static,
    ) -> Result<T> {
        let hold = self.hold().await?;
        self.change_under(hold, node, plan).await
    }

    /// As [`Service::change`], under a hold that is taken already. The thread that carries out the steps owns the hold: a
    /// future that is dropped meanwhile neither stops them half-way nor lets anybody else in before they are done.
    pub async fn change_under<T: Send + 'static>(
        &self,
        hold: Lock,
        node: &Node,
        plan: impl FnOnce(&Ground) -> Result<(Vec<Step>, T)> + Send + 'static,
    ) -> Result<T> {
        let (paths, node) = (self.config.paths.clone(), node.clone());
        blocking(move || {
            let ground = Ground::read(&paths, ground::registry(&paths)?, &node)?;
            let (steps, said) = plan(&ground)?;
            disk::act(&steps)?;
            drop(hold);
            Ok(said)
        })
        .await
    }
}

/// Runs work that waits for the disk on a thread that may.
pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|error| Error::Fatal(format!("a thread broke: {error}")))?
}
