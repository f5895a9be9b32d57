//! The service: looks again and again, outlives whatever may pass, and waits for people where it may not.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;

use super::Ingester;
use super::run::{TOOL, attempt};
use crate::disk::{self, Lock};
use crate::error::{Error, Result};
use crate::model::Counter;
use crate::subscriber::{SiteConfig, exit_status, notify};
use crate::transport::Host;

/// Between two looks at something that a person has to mend, and the longest pause of the others.
const LONGEST: Duration = Duration::from_secs(60);

/// The same for a service that looks more often than most.
const INTERVALS: u32 = 6;

/// The pause after a first failure that may pass. It doubles.
const SHORTEST: Duration = Duration::from_secs(1);

/// How often it is looked whether the die file has come or gone: `subscribe_series` waits for it.
const GLANCE: Duration = Duration::from_millis(200);

/// The service and what it holds.
struct Service<'s> {
    config: &'s SiteConfig,
    host: &'s Host,
    stop: &'s CancellationToken,
    /// Held also while there is no session; let go while the die file is there, for `subscribe_series` applies logs then.
    lock: Option<Arc<Lock>>,
    /// `None`: something failed, and everything is looked at anew.
    ingester: Option<Ingester>,
    /// The last log that was applied, as far as it is known.
    place: Option<Counter>,
}

/// Goes on until it is asked to stop.
pub(super) async fn follow(config: &SiteConfig, host: &Host, stop: &CancellationToken) -> Result<()> {
    let lock = Some(Arc::new(Ingester::lock(config)?));
    let mut service = Service { config, host, stop, lock, ingester: None, place: None };
    let mut trouble = Trouble::None;
    let mut is_quiet = false;
    while !stop.is_cancelled() {
        let die_file = config.die_file();
        if disk::exists(&die_file) {
            if !std::mem::replace(&mut is_quiet, true) {
                tracing::info!(die_file = %die_file.display(), "ingestion rests while the die file is there");
            }
            service.let_go();
            rest(stop, GLANCE, config, true).await;
            continue;
        }
        let lock = match service.hold() {
            Ok(Some(lock)) => lock,
            // Who put the die file there is about to end.
            Ok(None) => {
                rest(stop, GLANCE, config, false).await;
                continue;
            }
            Err(error) => {
                trouble = trouble.met(config, &error, service.place).await;
                rest(stop, trouble.pause(config.interval), config, false).await;
                continue;
            }
        };
        if std::mem::take(&mut is_quiet) {
            tracing::info!("the die file is gone: ingestion goes on");
        }
        match service.look(lock).await {
            // The die file has come, or the signal: the loop sees it.
            Ok(()) | Err(Error::Busy(_) | Error::Cancelled) => {
                trouble = trouble.over();
                rest(stop, config.interval, config, false).await;
            }
            Err(error @ Error::Fatal(_)) => return Err(error),
            Err(error) => {
                trouble = trouble.met(config, &error, service.place).await;
                rest(stop, trouble.pause(config.interval), config, false).await;
            }
        }
    }
    Ok(())
}

impl Service<'_> {
    /// The lock, taken again if it was let go; `None`: another has it.
    fn hold(&mut self) -> Result<Option<Arc<Lock>>> {
        if self.lock.is_none() {
            match Ingester::lock(self.config) {
                Err(Error::Busy(_)) => {}
                lock => self.lock = Some(Arc::new(lock?)),
            }
        }
        Ok(self.lock.clone())
    }

    /// Lets the lock go, and the session with it.
    fn let_go(&mut self) {
        self.ingester = None;
        self.lock = None;
    }

    /// Catches up.
    async fn look(&mut self, lock: Arc<Lock>) -> Result<()> {
        let mut ingester = match self.ingester.take() {
            Some(ingester) => ingester,
            None => Ingester::connect(self.config, lock).await?,
        };
        let looked = attempt(&mut ingester, self.config, self.host, self.stop).await;
        match looked {
            Ok(()) => self.ingester = Some(ingester),
            // The session may be in the middle of something that lasts.
            Err(Error::Cancelled) => {}
            Err(_) => self.place = ingester.last_place().await.or(self.place),
        }
        looked
    }
}

/// Rests until the time is over, the die file comes (or goes, if it `is_there`), or the service is to stop.
async fn rest(stop: &CancellationToken, pause: Duration, config: &SiteConfig, is_there: bool) {
    let die_file = config.die_file();
    let until = Instant::now() + pause;
    while Instant::now() < until && disk::exists(&die_file) == is_there {
        let left = until.saturating_duration_since(Instant::now());
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(left.min(GLANCE)) => {}
        }
    }
}

/// What keeps the service from its work.
#[derive(Debug)]
enum Trouble {
    /// Nothing.
    None,
    /// Something that may pass: the line or the database is away.
    Passing {
        since: Instant,
        failures: u32,
        /// People were called.
        is_told: bool,
    },
    /// Something that a person has to mend; as it was said.
    Standing(String),
}

impl Trouble {
    /// One more failure: said when it is a new one. People are called at once if they have to mend it, else when it lasts.
    async fn met(self, config: &SiteConfig, error: &Error, place: Option<Counter>) -> Self {
        let text = error.chain();
        if exit_status(error) == 4 {
            if !matches!(&self, Self::Standing(said) if *said == text) {
                tracing::error!("{text}; it is looked at again every minute");
                notify(config, TOOL, error, place).await;
            }
            return Self::Standing(text);
        }
        let (since, failures, mut is_told) = match self {
            Self::Passing { since, failures, is_told } => {
                tracing::debug!(error = text, "still");
                (since, failures.saturating_add(1), is_told)
            }
            Self::None | Self::Standing(_) => {
                tracing::warn!("{text}; it is tried again until it works");
                (Instant::now(), 1, false)
            }
        };
        if !is_told && since.elapsed() >= config.line_patience {
            notify(config, TOOL, error, place).await;
            is_told = true;
        }
        Self::Passing { since, failures, is_told }
    }

    /// It works.
    fn over(self) -> Self {
        match self {
            Self::None => {}
            Self::Passing { since, .. } => {
                tracing::info!(seconds = since.elapsed().as_secs(), "it works again");
            }
            Self::Standing(_) => tracing::info!("it was mended: ingestion goes on"),
        }
        Self::None
    }

    /// How long to rest.
    fn pause(&self, interval: Duration) -> Duration {
        let longest = interval.saturating_mul(INTERVALS).min(LONGEST);
        match self {
            Self::None => interval,
            Self::Passing { failures, .. } => {
                SHORTEST.saturating_mul(1 << failures.saturating_sub(1).min(10)).min(longest)
            }
            Self::Standing(_) => longest,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_a_minute() {
        let pause = |failures, interval| {
            let trouble = Trouble::Passing { since: Instant::now(), failures, is_told: false };
            trouble.pause(Duration::from_secs(interval)).as_secs()
        };
        assert_eq!([1, 2, 3, 6, 7, u32::MAX].map(|failures| pause(failures, 10)), [1, 2, 4, 32, 60, 60]);
        assert_eq!([1, 4, 9].map(|failures| pause(failures, 1)), [1, 6, 6]);
        assert_eq!(Trouble::Standing(String::new()).pause(Duration::from_secs(10)).as_secs(), 60);
        assert_eq!(Trouble::None.pause(Duration::from_secs(10)).as_secs(), 10);
    }
}
