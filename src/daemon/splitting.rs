//! The task that splits: wakes when slon has named an archive, and now and then.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::pulse::Pulse;
use super::troubles::Troubles;
use crate::disk::{self, Hint, Watch};
use crate::error::{Error, Result};
use crate::ground;
use crate::hooks::SplitterSeen;
use crate::logs::{Committed, Evidence, Gate, Splitter, alarm};
use crate::model::{ArchiveName, SlonyNode};
use crate::subscription::Service;

/// slon names an archive before it commits: after a hint the committed counter is asked for that often...
const ASKS: u32 = 8;
/// ...with growing pauses, the first of this length. Together about two and a half seconds.
const FIRST_PAUSE: Duration = Duration::from_millis(10);

/// An archive that is missing is reported after this time: slon names those of two kinds a moment after it has committed
/// them.
const MISSING_PATIENCE: Duration = Duration::from_secs(30);

/// Who is told how it stands.
pub(super) struct Told {
    /// Those who tell others what is new.
    pub(super) seen: watch::Sender<SplitterSeen>,
    /// Those who ask.
    pub(super) pulse: Arc<Pulse>,
    /// Those who look on from elsewhere.
    pub(super) troubles: Arc<Troubles>,
}

/// Splits until it is cancelled. What goes wrong is logged once and tried again; the daemon serves requests meanwhile.
pub(super) async fn split(
    service: Arc<Service>,
    splitter: Splitter,
    gate: Committed,
    told: Told,
    cancel: CancellationToken,
) {
    let Told { seen, pulse, troubles } = told;
    let _alive = pulse.begins();
    let (sender, hints) = unbounded_channel();
    // It keeps the sender, so that the channel stays open where watching is not possible.
    let mut watch = Watch::new(splitter.archive_dir(), sender);
    let mut task = Splitting {
        service,
        pulse,
        troubles,
        evidence: Evidence::new(splitter.clone()),
        splitter,
        gate,
        hints,
        seen,
        cancel,
        told: None,
        node: None,
        is_ours: false,
        unseen: None,
        missing: None,
        alarmed: BTreeSet::new(),
        looked: None,
    };
    while !task.cancel.is_cancelled() {
        watch.renew();
        let stop = task.cancel.clone();
        tokio::select! {
            outcome = task.round() => task.tell(outcome),
            () = stop.cancelled() => break,
        }
        task.look_back().await;
        task.wait().await;
    }
}

struct Splitting {
    service: Arc<Service>,
    pulse: Arc<Pulse>,
    troubles: Arc<Troubles>,
    splitter: Splitter,
    evidence: Evidence,
    gate: Committed,
    hints: UnboundedReceiver<Hint>,
    /// For those who tell others how it stands.
    seen: watch::Sender<SplitterSeen>,
    cancel: CancellationToken,
    told: Option<String>,
    /// The Slony node, if it is the right one.
    node: Option<SlonyNode>,
    /// Whether the database is the one that it should be.
    is_ours: bool,
    /// Why nobody can look for holes.
    unseen: Option<String>,
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
            self.pulse.committed(committed);
            self.splitter.check_time(committed).await?;
            self.gate.remember()?;
            let count = self.splitter.split_through(&mut self.gate, committed, node, &self.cancel).await?;
            self.service.tally.split(count);
            let next = ArchiveName { node, counter: committed.next() };
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

    async fn slony_node(&mut self) -> Result<SlonyNode> {
        let said = self.gate.slony_node().await?;
        if self.node != Some(said) {
            ground::check_slony_node(&self.service.config.paths, self.service.config.slony_node, said)?;
            self.node = Some(said);
        }
        Ok(said)
    }

    /// Logs a failure when it is a new one, and its end.
    fn tell(&mut self, outcome: Result<()>) {
        let is_missing = matches!(outcome, Err(Error::Missing { .. }));
        let since = if is_missing { *self.missing.get_or_insert_with(Instant::now) } else { Instant::now() };
        if !is_missing {
            self.missing = None;
        }
        self.is_ours = !outcome.as_ref().is_err_and(lacks_its_database);
        let is_patient = is_missing && since.elapsed() < MISSING_PATIENCE;
        let seen = match &outcome {
            Ok(()) => SplitterSeen::Well,
            Err(_) if is_patient => SplitterSeen::Waiting,
            Err(error) => seen(error),
        };
        self.seen.send_if_modified(|last| std::mem::replace(last, seen.clone()) != seen);
        match outcome {
            Err(_) if is_patient => {}
            Err(error) => {
                self.pulse.turned(Some(&error));
                self.troubles.tell(None, Some(&error));
                let chain = error.chain();
                if self.told.as_ref() != Some(&chain) {
                    tracing::error!(error = chain, "the splitter waits");
                    self.told = Some(chain);
                }
            }
            Ok(()) => {
                self.pulse.turned(None);
                self.troubles.tell(None, None);
                if self.told.take().is_some() {
                    tracing::info!("the splitter goes on");
                }
            }
        }
    }

    /// Looks whether slon has applied what it has not archived, and whether archives have changed after they were split, which nobody
    /// may do.
    async fn look_back(&mut self) {
        let compared = if self.is_ours { self.evidence.compare(&mut self.gate).await } else { Ok(()) };
        if self.looked.is_some_and(|last| last.elapsed() < self.service.config.rescan) {
            // What failed fails again when it is time.
            return;
        }
        self.looked = Some(Instant::now());
        // What tells of holes is kept until it was looked at, unless nobody can.
        let forget = self.evidence.is_current() || self.unseen.is_some();
        self.look_for_changes(forget).await;
        let looked = if self.is_ours { self.evidence.look(&mut self.gate).await } else { Ok(()) };
        let unseen = compared.and(looked).err().map(|error| error.chain());
        if let Some(error) = unseen.as_ref().filter(|error| self.unseen.as_ref() != Some(*error)) {
            tracing::error!(error, "cannot tell whether slon archives what it applies");
        }
        self.unseen = unseen;
    }

    async fn look_for_changes(&mut self, forget: bool) {
        let config = self.service.config.clone();
        let looked = tokio::task::spawn_blocking(move || {
            if forget {
                alarm::forget(&config)?;
            }
            alarm::changed(&config)
        });
        match looked.await {
            Ok(Ok(changed)) => {
                // One that is well again may change again.
                self.alarmed.retain(|name| changed.contains(name));
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
            () = tokio::time::sleep(self.service.config.rescan) => {}
            () = self.cancel.cancelled() => {}
        }
    }
}

/// Whether the database is away, or another than it should be.
fn lacks_its_database(error: &Error) -> bool {
    error.is_of_database() || matches!(error, Error::WrongDatabase(_))
}

/// What a failure is for those who tell others.
fn seen(error: &Error) -> SplitterSeen {
    let reason = error.chain();
    match error {
        error if lacks_its_database(error) => SplitterSeen::DatabaseLost(reason),
        Error::Missing { counter, .. } => SplitterSeen::Missing(counter.value(), reason),
        Error::Archive { counter, .. } => SplitterSeen::Stopped(Some(counter.value()), reason),
        _ => SplitterSeen::Stopped(None, reason),
    }
}
