//! Ingestion is at rest: the die file is there, and nobody else applies logs.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::disk::{self, Lock};
use crate::error::{Error, Result};
use crate::model::Counter;
use crate::subscriber::{Ingester, SiteConfig};
use crate::transport::Host;

/// What our die file holds. An operator's is left where it is.
const OURS: &[u8] = b"put here by subscribe_series, which removes it\n";

/// How often a running `get_slony_logs` is asked for.
const PAUSE: Duration = Duration::from_millis(200);

/// Ingestion is at rest for as long as this is there.
pub(super) struct Quiet {
    die_file: PathBuf,
    lock: Arc<Lock>,
}

impl Quiet {
    /// Asks ingestion to stop, and waits until it has.
    pub(super) async fn begin(config: &SiteConfig) -> Result<Self> {
        let die_file = config.die_file();
        if !disk::exists(&die_file) {
            disk::write(&die_file, OURS)?;
        }
        match wait(config).await {
            Ok(lock) => Ok(Self { die_file, lock: Arc::new(lock) }),
            Err(error) => {
                lift(&die_file);
                Err(error)
            }
        }
    }

    /// Lets ingestion go on, as far as it is we who stopped it. The lock stays.
    pub(super) fn lift(&self) {
        lift(&self.die_file);
    }

    /// The same of what a run has left that was killed. Nobody else may be at it.
    pub(super) fn lift_left(config: &SiteConfig) {
        lift(&config.die_file());
    }

    /// Applies what was published for the site, up to this log or all of it.
    pub(super) async fn catch_up(
        &self,
        config: &SiteConfig,
        host: &Host,
        until: Option<Counter>,
    ) -> Result<()> {
        let mut ingester = Ingester::connect(config, Arc::clone(&self.lock)).await?;
        let caught_up = ingester.catch_up(host, until, &|| true).await?;
        if caught_up.logs > 0 {
            tracing::info!(logs = caught_up.logs, rows = caught_up.rows, at = %caught_up.place, "applied site logs");
        }
        Ok(())
    }
}

impl Drop for Quiet {
    fn drop(&mut self) {
        lift(&self.die_file);
    }
}

/// Removes the die file, if it is ours.
fn lift(die_file: &Path) {
    let is_ours = disk::read_optional(die_file).is_ok_and(|bytes| bytes.as_deref() == Some(OURS));
    if is_ours && let Err(error) = disk::remove(die_file) {
        tracing::error!(error = error.chain(), "ingestion stays stopped");
    }
}

async fn wait(config: &SiteConfig) -> Result<Lock> {
    let begun = Instant::now();
    let mut is_told = false;
    loop {
        match Ingester::lock(config) {
            Err(Error::Busy(_)) if begun.elapsed() < config.patience => {
                if !is_told {
                    tracing::info!("waiting for get_slony_logs to finish its log");
                    is_told = true;
                }
                tokio::time::sleep(PAUSE).await;
            }
            taken => return taken,
        }
    }
}
