//! Applying what was fetched, in order, while more is being fetched.

use std::time::{Duration, Instant};

use futures_util::{StreamExt as _, stream};
use tokio::sync::mpsc;

use super::decide::Single;
use super::fetch::{Fetched, Fetcher};
use super::{APPLICATION, Ingester};
use crate::db::site::SiteDatabase;
use crate::disk;
use crate::error::{Error, Result};
use crate::model::{BundleName, Counter, SlonyNode};
use crate::subscriber::{Applier, Commit, Progress};
use crate::transport::Host;

/// Logs that are fetched side by side over the one connection.
const SIDE_BY_SIDE: usize = 8;

/// Logs that may lie here and wait for their turn.
const AHEAD: usize = 32;

/// While much is applied, the server hears so often how far the site is.
const EVERY: Duration = Duration::from_secs(3);

impl Ingester {
    /// Fetches singles and applies each as it comes. Returns the last that is applied; `None`: none was.
    pub(super) async fn apply_singles(
        &mut self,
        host: &Host,
        progress: &Progress,
        node: SlonyNode,
        singles: &[Single],
        goes_on: &dyn Fn() -> bool,
    ) -> Result<Option<Counter>> {
        let (directory, into) = (self.directory.clone(), self.config.incoming_dir());
        let fetcher = Fetcher { host, from: &directory, into: &into, progress };
        let (sender, mut receiver) = mpsc::channel(AHEAD);
        let fetching = async move {
            let mut coming =
                stream::iter(singles).map(|single| fetcher.single(node, *single)).buffered(SIDE_BY_SIDE);
            while let Some(log) = coming.next().await {
                // What follows one that could not be had cannot be applied.
                let ends = !matches!(log, Ok(Some(_)));
                if sender.send(log).await.is_err() || ends {
                    break;
                }
            }
            drop(sender);
            // The other half says when it is over.
            std::future::pending().await
        };
        let last = singles.last().map(|single| single.counter);
        let applying = async {
            let mut applied = None;
            let mut told = Instant::now();
            while let Some(log) = receiver.recv().await {
                let Some(log) = log? else { break };
                if !goes_on() {
                    break;
                }
                let is_last = last == Some(log.name.counter);
                applied = Some(self.take(host, progress, log, is_last, &mut told).await?);
            }
            Ok(applied)
        };
        // When the applying ends early, what is still being fetched is dropped.
        tokio::select! {
            applied = applying => applied,
            never = fetching => never,
        }
    }

    /// Fetches a bundle and applies its logs from the first to the last of the range. Returns as
    /// [`Ingester::apply_singles`].
    pub(super) async fn apply_bundle(
        &mut self,
        host: &Host,
        progress: &Progress,
        bundle: (BundleName, u64),
        range: (Counter, Counter),
        node: Option<SlonyNode>,
        goes_on: &dyn Fn() -> bool,
    ) -> Result<Option<Counter>> {
        let (directory, into) = (self.directory.clone(), self.config.incoming_dir());
        let fetcher = Fetcher { host, from: &directory, into: &into, progress };
        let unpacked = match fetcher.bundle(bundle, range, node, goes_on).await {
            // Asked to stop in the middle of it.
            Err(Error::Cancelled) | Ok(None) => return Ok(None),
            unpacked => unpacked?.unwrap_or_default(),
        };
        let mut applied = None;
        let mut told = Instant::now();
        for log in unpacked {
            if !goes_on() {
                break;
            }
            let is_last = log.name.counter == range.1;
            applied = Some(self.take(host, progress, log, is_last, &mut told).await?);
        }
        Ok(applied)
    }

    /// Applies a log. The last of many, and now and then another, is waited for until it is on disk, and acknowledged.
    async fn take(
        &mut self,
        host: &Host,
        progress: &Progress,
        log: Fetched,
        is_last: bool,
        told: &mut Instant,
    ) -> Result<Counter> {
        let counter = log.name.counter;
        let now = is_last || told.elapsed() >= EVERY;
        self.apply(progress, log, if now { Commit::Now } else { Commit::Soon }).await?;
        if now {
            self.acknowledge(host, counter).await;
            *told = Instant::now();
        }
        Ok(counter)
    }

    /// Applies one log that lies here, and removes or keeps it.
    async fn apply(&mut self, progress: &Progress, log: Fetched, commit: Commit) -> Result<()> {
        let name = log.name;
        let Some(file) = disk::open(&log.path)? else {
            let source = std::io::ErrorKind::NotFound.into();
            return Err(Error::Disk { action: "open", path: log.path, source });
        };
        let applied = match self.applier.apply(file, name, commit).await {
            Ok(applied) => applied,
            Err(error) => {
                if self.database().session().is_closed() {
                    self.renew().await;
                }
                return Err(refusal(error, &name.to_string()));
            }
        };
        self.remember(name.node)?;
        self.done.add(name.counter, &applied);
        progress.rows(applied.rows);
        for drift in &applied.drift {
            tracing::warn!(counter = %name.counter, "{drift}");
        }
        tracing::debug!(counter = %name.counter, rows = applied.rows, "applied");
        match self.config.keep_logs {
            Some(_) => disk::keep(&log.path, &self.config.logs_dir.join(name.to_string())),
            None => disk::discard(&log.path),
        }
    }

    /// A session of its own for what comes next. Where there is none to be had, the next use of the old one tells.
    async fn renew(&mut self) {
        let session = SiteDatabase::connect(&self.config.database, &self.config.cluster, APPLICATION).await;
        if let Ok(database) = session {
            self.applier = Applier::new(database, self.config.on_drift);
        }
    }

    /// Notes whose logs are followed.
    fn remember(&mut self, node: SlonyNode) -> Result<()> {
        if self.followed != Some(node) {
            disk::write(&self.config.followed_node(), format!("{node}\n").as_bytes())?;
            self.followed = Some(node);
        }
        Ok(())
    }
}

/// What the database says against a log's own content, nothing but a person can change. Everything else may pass: no
/// connection, no room, a lock, a server that is not well.
fn refusal(error: Error, name: &str) -> Error {
    let Error::Database { source, .. } = &error else { return error };
    match source.as_db_error() {
        Some(said) if !passes(said.code().code()) => Error::Stopped(format!(
            "the database does not take site log {name}: {}: it is not applied, and nothing after it",
            error.chain()
        )),
        _ => error,
    }
}

/// Whether what the server says may pass, by its code.
fn passes(code: &str) -> bool {
    ["08", "25", "40", "53", "55", "57", "58", "XX"].iter().any(|class| code.starts_with(class))
}

#[cfg(test)]
mod tests {
    use super::passes;

    #[test]
    fn some_refusals_pass() {
        for (code, expected) in [
            ("08006", true),
            ("25P02", true),
            ("40P01", true),
            ("53100", true),
            ("55P03", true),
            ("57P01", true),
            ("58030", true),
            ("XX000", true),
            ("22P02", false),
            ("23503", false),
            ("42P01", false),
            ("P0001", false),
        ] {
            assert_eq!(passes(code), expected, "{code}");
        }
    }
}
