//! The task that looks at the whole for those who watch: the samples of the last day, the status file, and the page's requests.
//! It looks no more often than somebody wants to know.

use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::{Duration, Instant, SystemTime};

use async_trait::async_trait;
use tokio_util::sync::CancellationToken;

use super::pulse::Pulse;
use crate::disk;
use crate::error::{Error, Result};
use crate::http::Source;
use crate::overview::{Kept, Lag, Overview, Status, has_changed};
use crate::protocol::LagSample;
use crate::recent::Recent;
use crate::subscription::Service;

/// What was seen so long ago is shown again.
const FRESH: Duration = Duration::from_secs(2);

/// The status file is written at least so often.
const FILE_AGE: Duration = Duration::from_secs(60);

/// Samples of so long are shown.
const SHOWN_PAST: Duration = Duration::from_secs(86_400);

/// When lines of the file are as old as this, all that is not shown any more is taken out.
const LONGEST_PAST: Duration = Duration::from_secs(2 * 86_400);

/// Who looks, and what was seen last.
pub(super) struct Watching {
    service: RwLock<Arc<Service>>,
    pulse: Arc<Pulse>,
    recent: Recent,
    started: SystemTime,
    /// One looks at a time; the others wait for what that one sees.
    seen: tokio::sync::Mutex<Seen>,
}

/// What was seen last.
#[derive(Default)]
struct Seen {
    kept: Arc<Mutex<Kept>>,
    status: Option<(Instant, Arc<Status>)>,
    lag: Arc<Lag>,
}

/// What the task does between its looks.
#[derive(Default)]
struct Round {
    /// What the status file says, and since when.
    written: Option<(Instant, Arc<Status>)>,
    /// The oldest line in the file of samples; `None`: it was not looked at.
    oldest: Option<SystemTime>,
    /// What could not be written last.
    told: Option<String>,
}

impl Watching {
    /// Nothing is looked at yet.
    pub(super) fn new(service: Arc<Service>, pulse: Arc<Pulse>, recent: Recent) -> Arc<Self> {
        let service = RwLock::new(service);
        Arc::new(Self { service, pulse, recent, started: SystemTime::now(), seen: <_>::default() })
    }

    /// Takes samples and writes the status file until it is cancelled.
    pub(super) async fn watch(self: Arc<Self>, cancel: CancellationToken) {
        let mut round = Round::default();
        while !cancel.is_cancelled() {
            let failed = self.turn(&mut round).await.err().map(|error| error.chain());
            if round.told != failed {
                if let Some(error) = &failed {
                    tracing::warn!(error, "those who watch are not told");
                }
                round.told = failed;
            }
            tokio::select! {
                () = tokio::time::sleep(self.service().config.rescan.min(FILE_AGE)) => {}
                () = cancel.cancelled() => {}
            }
        }
    }

    /// From now on it looks by this service.
    pub(super) fn take_over(&self, service: Arc<Service>) {
        *self.service.write().unwrap_or_else(PoisonError::into_inner) = service;
    }

    fn service(&self) -> Arc<Service> {
        self.service.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    async fn turn(&self, round: &mut Round) -> Result<()> {
        let sampled = self.sample(round).await;
        match &self.service().config.watch.status_file {
            Some(path) => sampled.and(self.tell(round, path).await),
            None => sampled,
        }
    }

    /// Takes a sample if it is time. The first time those that an earlier run took are read.
    async fn sample(&self, round: &mut Round) -> Result<()> {
        let path = self.service().config.paths.lag();
        let now = SystemTime::now();
        let past = |time: &SystemTime| now.duration_since(*time).unwrap_or_default();
        if round.oldest.as_ref().is_none_or(|oldest| past(oldest) > LONGEST_PAST) {
            let mut lag = Lag::default();
            let since = now.checked_sub(SHOWN_PAST).unwrap_or(now);
            let read = path.clone();
            let samples = blocking(move || cut(&read, since)).await?;
            round.oldest = Some(samples.first().map_or(now, |sample| sample.at));
            for sample in samples {
                lag.add(sample, now);
            }
            self.seen.lock().await.lag = Arc::new(lag);
        }
        if !self.seen.lock().await.lag.is_due(now) {
            return Ok(());
        }
        let status = self.look().await?;
        let sample = Lag::sample(&status.overview.nodes, now);
        let line = sample.write();
        Arc::make_mut(&mut self.seen.lock().await.lag).add(sample, now);
        blocking(move || disk::append_fleeting(&path, &line)).await
    }

    /// Writes the status file if there is something new, or it has become old.
    async fn tell(&self, round: &mut Round, path: &std::path::Path) -> Result<()> {
        let status = self.look().await?;
        let is_current = |(since, before): &(Instant, Arc<Status>)| {
            !is_old(since.elapsed(), self.service().config.rescan) && !differ(before, &status)
        };
        if round.written.as_ref().is_some_and(is_current) {
            return Ok(());
        }
        let (path, shown) = (path.to_owned(), status.clone());
        blocking(move || {
            let json = serde_json::to_vec(&*shown).map_err(|error| Error::Fatal(error.to_string()))?;
            disk::write_fleeting(&path, &json)
        })
        .await?;
        round.written = Some((Instant::now(), status));
        Ok(())
    }

    /// The whole now, or as it was a moment ago.
    async fn look(&self) -> Result<Arc<Status>> {
        let mut seen = self.seen.lock().await;
        if let Some((at, status)) = seen.status.as_ref().filter(|(at, _)| at.elapsed() < FRESH) {
            tracing::trace!(age = ?at.elapsed(), "seen already");
            return Ok(status.clone());
        }
        let (service, kept) = (self.service(), seen.kept.clone());
        let mut overview = blocking(move || {
            let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
            Overview::look_again(&service.config, &service.access, &mut kept)
        })
        .await?;
        if let Some(committed) = self.pulse.last_committed() {
            overview.splitter.has_committed(committed.value());
        }
        let status = Arc::new(Status {
            overview,
            started: self.started,
            fault: self.fault(),
            totals: self.service().tally.totals(self.recent.total()),
            lag: seen.lag.clone(),
            errors: self.recent.last(),
        });
        seen.status = Some((Instant::now(), status.clone()));
        Ok(status)
    }
}

#[async_trait]
impl Source for Watching {
    async fn status(&self) -> Result<Arc<Status>> {
        self.look().await
    }

    fn fault(&self) -> Option<String> {
        self.pulse.fault(&self.service().config)
    }
}

/// Whether the status file would be too old at the next look.
fn is_old(age: Duration, rescan: Duration) -> bool {
    age + rescan >= FILE_AGE
}

/// Whether the later one says anything new.
fn differ(before: &Status, after: &Status) -> bool {
    has_changed(&before.overview, &after.overview)
        || (&before.fault, &before.totals, &before.errors) != (&after.fault, &after.totals, &after.errors)
}

/// Reads the samples since then. The file is made anew without what is older than that, or no sample, if there is much of it.
fn cut(path: &std::path::Path, since: SystemTime) -> Result<Vec<LagSample>> {
    let Some(bytes) = disk::read_optional(path)? else { return Ok(Vec::new()) };
    let lines: Vec<Option<LagSample>> =
        bytes.split_inclusive(|byte| *byte == b'\n').map(LagSample::read).collect();
    let is_whole = bytes.ends_with(b"\n") || bytes.is_empty();
    let is_old = |sample: &LagSample| sample.at + SHOWN_PAST < since;
    let has_old = lines.iter().flatten().any(is_old);
    let samples: Vec<LagSample> = lines.into_iter().flatten().filter(|sample| sample.at >= since).collect();
    if has_old || !is_whole {
        let kept: Vec<u8> = samples.iter().flat_map(LagSample::write).collect();
        disk::write_fleeting(path, &kept)?;
    }
    Ok(samples)
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|error| Error::Stopped(format!("looking at the whole broke: {error}")))?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_is_never_older_than_a_minute() {
        let seconds = Duration::from_secs;
        let old =
            [(49, 10), (50, 10), (0, 59), (0, 60)].map(|(age, rescan)| is_old(seconds(age), seconds(rescan)));
        assert_eq!(old, [false, true, false, true]);
    }

    #[test]
    fn old_and_torn_samples_are_taken_out() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("lag.jsonl");
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_763_743_200);
        let sample = |hours: u64| LagSample {
            at: now - Duration::from_secs(hours * 3_600),
            seconds: [("nso".to_owned(), 7)].into(),
        };
        let since = now - SHOWN_PAST;
        assert_eq!(cut(&path, since).unwrap(), [], "not there yet");
        let lines =
            |hours: &[u64]| hours.iter().flat_map(|hours| sample(*hours).write()).collect::<Vec<u8>>();
        disk::append_fleeting(&path, &lines(&[30, 20, 1])).unwrap();
        assert_eq!(cut(&path, since).unwrap(), [sample(20), sample(1)]);
        assert_eq!(disk::read_optional(&path).unwrap(), Some(lines(&[30, 20, 1])), "nothing is old yet");
        disk::append_fleeting(&path, b"{\"at\":\"2025-").unwrap();
        assert_eq!(cut(&path, since).unwrap(), [sample(20), sample(1)]);
        assert_eq!(disk::read_optional(&path).unwrap(), Some(lines(&[20, 1])), "the torn line is gone");
        disk::append_fleeting(&path, &lines(&[0])).unwrap();
        let later = since + Duration::from_secs(40 * 3_600);
        assert_eq!(cut(&path, later).unwrap(), []);
        assert_eq!(disk::read_optional(&path).unwrap(), Some(Vec::new()), "all are older than two days");
    }
}
