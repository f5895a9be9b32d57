//! What every node's work shares, and the one way in which it changes the tree.

use std::path::Path;
use std::sync::Arc;

use tokio::sync::Semaphore;

use super::decide::listed;
use super::progress::Progress;
use crate::access::Access;
use crate::config::Config;
use crate::db::Database;
use crate::disk::{self, Lock};
use crate::error::{Error, Result};
use crate::ground::{self, Ground, KeptRegistry};
use crate::model::{Node, Series, Step};
use crate::tally::Tally;

/// Settings, the database, and the places for dumps; the same for all nodes.
pub struct Service {
    /// The settings.
    pub config: Config,
    /// The log-shipping node's database.
    pub database: Database,
    /// Who may do what.
    pub access: Arc<Access>,
    /// What was done since the start.
    pub tally: Arc<Tally>,
    /// The registry, for those who look at one node after the other.
    pub registry: KeptRegistry,
    /// One permit for each dump that may run.
    pub dumps: Arc<Semaphore>,
    /// How far the dumps are.
    pub progress: Arc<Progress>,
}

impl Service {
    /// From the configuration.
    pub fn new(config: Config, access: Arc<Access>) -> Arc<Self> {
        let database = Database::new(&config.database, &config.cluster);
        let dumps = Arc::new(Semaphore::new(config.dump.jobs));
        let (tally, progress) = (Arc::default(), Arc::default());
        Arc::new(Self { config, database, access, tally, registry: KeptRegistry::default(), dumps, progress })
    }

    /// The same by another configuration, for what begins from now on. What is under way goes on by this one; the dumps of both
    /// share their places, and where there are fewer from now on, those that run may end.
    pub fn reload(&self, config: Config, access: Arc<Access>) -> Arc<Self> {
        let database = Database::new(&config.database, &config.cluster);
        let (before, now) = (self.config.dump.jobs, config.dump.jobs);
        if now >= before {
            self.dumps.add_permits(now - before);
        } else {
            let (dumps, fewer) = (self.dumps.clone(), u32::try_from(before - now).unwrap_or(u32::MAX));
            tokio::spawn(async move {
                if let Ok(places) = dumps.acquire_many(fewer).await {
                    places.forget();
                }
            });
        }
        let (tally, progress) = (self.tally.clone(), self.progress.clone());
        let (registry, dumps) = (KeptRegistry::default(), self.dumps.clone());
        Arc::new(Self { config, database, access, tally, registry, dumps, progress })
    }

    /// Writes an answer, for those who may read what is made for the node.
    pub fn answer(&self, node: &Node, path: &Path, bytes: &[u8]) -> Result<()> {
        disk::write_for(path, bytes, self.access.readers(node))
    }

    /// Whether the node may have these series. If not, the reason names all that it may not have.
    pub fn allow(&self, node: &Node, series: &[Series]) -> Result<(), String> {
        let denied = self.access.denied(node, series);
        if denied.is_empty() {
            return Ok(());
        }
        Err(format!("the operator of the data centre has not allowed {node} to have {}", listed(denied)))
    }

    /// Takes the hold: while it lives nothing is split and nobody else changes registry, lists or cuts.
    pub async fn hold(&self) -> Result<Lock> {
        Lock::wait(&self.config.paths.hold()).await
    }

    /// Reads the ground of a node.
    pub fn ground(&self, node: &Node) -> Result<Ground> {
        Ground::read(&self.config.paths, self.registry.read(&self.config.paths)?, node)
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
        let (paths, node, tally) = (self.config.paths.clone(), node.clone(), self.tally.clone());
        blocking(move || {
            let ground = Ground::read(&paths, ground::registry(&paths)?, &node)?;
            let (steps, said) = plan(&ground)?;
            disk::act(&steps)?;
            tally.done(&steps);
            drop(hold);
            Ok(said)
        })
        .await
    }
}

/// Runs work that waits for the disk on a thread that may. A panic in it ends this work only, which is tried again.
pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|error| Error::Stopped(format!("a thread broke: {error}")))?
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Consequence;

    #[tokio::test]
    async fn a_panic_ends_one_work_and_not_the_daemon() {
        let broke = blocking(|| -> Result<()> { panic!("a bug in the step of one node") }).await.unwrap_err();
        assert_eq!(broke.consequence(), Consequence::Retry, "{broke}");
    }
}
