//! The task that splits: wakes when slon has named an archive, and now and then.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio_util::sync::CancellationToken;

use crate::config::Config;
use crate::disk::{self, Hint};
use crate::error::{Error, Result};
use crate::logs::{Committed, Gate, Splitter, alarm};
use crate::model::ArchiveName;

/// slon names an archive before it commits: after a hint the committed counter is asked for that often...
const ASKS: u32 = 8;
/// ...with growing pauses, the first of this length. Together about two and a half seconds.
const FIRST_PAUSE: Duration = Duration::from_millis(10);

/// An archive that is missing is reported after this time: slon names those of two kinds a moment after it has committed
/// them.
const MISSING_PATIENCE: Duration = Duration::from_secs(30);

/// Splits until it is cancelled. What goes wrong is logged once and tried again; the daemon serves requests meanwhile.
pub(super) async fn split(config: Config, splitter: Splitter, gate: Committed, cancel: CancellationToken) {
    let (sender, hints) = unbounded_channel();
    let watcher = disk::watch(splitter.archive_dir(), sender.clone());
    // Kept, so that the channel stays open where watching is not possible.
    let mut task = Splitting {
        config,
        splitter,
        gate,
        hints,
        cancel,
        told: None,
        missing: None,
        alarmed: BTreeSet::new(),
        looked: None,
    };
    while !task.cancel.is_cancelled() {
        let stop = task.cancel.clone();
        tokio::select! {
            outcome = task.round() => task.tell(outcome),
            () = stop.cancelled() => break,
        }
        task.look_back().await;
        task.wait().await;
    }
    drop((watcher, sender));
}

struct Splitting {
    config: Config,
    splitter: Splitter,
    gate: Committed,
    hints: UnboundedReceiver<Hint>,
    cancel: CancellationToken,
    told: Option<String>,
    /// Since when an archive is missing.
    missing: Option<Instant>,
    /// Archives that have changed after they were split.
    alarmed: BTreeSet<ArchiveName>,
    /// When that was looked for.
    looked: Option<Instant>,
}

impl Splitting {
    /// Splits what has committed; after a hint, waits a little for the commit that must follow.
    async fn round(&mut self) -> Result<()> {
        let node = self.slony_node().await?;
        let mut pause = FIRST_PAUSE;
        for _ in 0..ASKS {
            let committed = self.gate.committed().await?;
            let at = self.splitter.begin(committed).await?;
            if committed < at {
                return Err(Error::WrongDatabase(format!(
                    "the splitter is at archive {at}, but the database says {committed}: time went back there"
                )));
            }
            self.splitter.split_through(&mut self.gate, committed, node, &self.cancel).await?;
            let next = crate::model::ArchiveName { node, counter: committed.next() };
            if !disk::exists(&self.splitter.archive_dir().join(next.to_string()))
                || self.cancel.is_cancelled()
            {
                break;
            }
            tokio::time::sleep(pause).await;
            pause *= 2;
        }
        Ok(())
    }

    async fn slony_node(&mut self) -> Result<crate::model::SlonyNode> {
        let said = self.gate.slony_node().await?;
        match self.config.slony_node {
            Some(wanted) if wanted != said => Err(Error::WrongDatabase(format!(
                "this database is Slony node {said}, the configuration says slony_node={wanted}"
            ))),
            _ => Ok(said),
        }
    }

    /// Logs a failure when it is a new one, and its end.
    fn tell(&mut self, outcome: Result<()>) {
        let is_missing = matches!(outcome, Err(Error::Missing { .. }));
        let since = if is_missing { *self.missing.get_or_insert_with(Instant::now) } else { Instant::now() };
        if !is_missing {
            self.missing = None;
        }
        match outcome {
            Err(_) if is_missing && since.elapsed() < MISSING_PATIENCE => {}
            Err(error) => {
                let chain = error.chain();
                if self.told.as_ref() != Some(&chain) {
                    tracing::error!(error = chain, "the splitter waits");
                    self.told = Some(chain);
                }
            }
            Ok(()) => {
                if self.told.take().is_some() {
                    tracing::info!("the splitter goes on");
                }
            }
        }
    }

    /// Looks whether archives have changed after they were split, which nobody may do.
    async fn look_back(&mut self) {
        if self.looked.is_some_and(|last| last.elapsed() < self.config.rescan) {
            return;
        }
        self.looked = Some(Instant::now());
        let config = self.config.clone();
        let looked = tokio::task::spawn_blocking(move || {
            alarm::forget(&config)?;
            alarm::changed(&config)
        });
        match looked.await {
            Ok(Ok(changed)) => {
                for name in changed {
                    if self.alarmed.insert(name) {
                        tracing::error!(
                            counter = %name.counter,
                            "the archive has changed since it was split: the sites have its old content; `resplit --dry-run` compares"
                        );
                    }
                }
            }
            Ok(Err(error)) => tracing::debug!(error = error.chain(), "cannot look back at the archives"),
            Err(_) => {}
        }
    }

    async fn wait(&mut self) {
        tokio::select! {
            _ = self.hints.recv() => while self.hints.try_recv().is_ok() {},
            () = tokio::time::sleep(self.config.rescan) => {}
            () = self.cancel.cancelled() => {}
        }
    }
}
