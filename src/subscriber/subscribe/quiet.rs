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
        disk::write_new(&die_file, OURS, &config.work_dir)?;
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
    // A link to a file, a pipe or a long file is nobody's but an operator's.
    let is_small = disk::plain_size(die_file).is_some_and(|size| size <= OURS.len() as u64);
    let is_ours =
        || disk::read_optional(die_file).is_ok_and(|bytes| bytes.is_some_and(|bytes| is_ours(&bytes)));
    if is_small
        && is_ours()
        && let Err(error) = disk::remove(die_file)
    {
        tracing::error!(error = error.chain(), "ingestion stays stopped");
    }
}

/// Whether a die file of this content is ours. A crash may have left the begin of it; of nothing at all an operator's is
/// made with `touch`, and stays.
fn is_ours(bytes: &[u8]) -> bool {
    !bytes.is_empty() && OURS.starts_with(bytes)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_our_own_die_file_is_lifted() {
        let directory = tempfile::tempdir().unwrap();
        let die_file = directory.path().join("get_slony_logs.nso.die");
        let half = &OURS[..OURS.len() / 2];
        let longer = [OURS, b"and kept by me\n"].concat();
        for (bytes, is_lifted) in
            [(OURS, true), (half, true), (b"", false), (b"by hand", false), (longer.as_slice(), false)]
        {
            std::fs::write(&die_file, bytes).unwrap();
            lift(&die_file);
            assert_eq!(!disk::exists(&die_file), is_lifted, "{}", bytes.escape_ascii());
        }
        std::fs::remove_file(&die_file).unwrap();
        std::fs::create_dir(&die_file).unwrap();
        lift(&die_file);
        assert!(disk::exists(&die_file));
    }
}
