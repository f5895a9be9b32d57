//! The service: looks again and again, outlives whatever may pass, and waits for people where it may not.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;

use super::Ingester;
use super::run::{TOOL, attempt};
use crate::disk::{self, Lock};
use crate::error::{Error, Result};
use crate::subscriber::{SiteConfig, exit_status, notify};
use crate::transport::Host;

/// Between two looks at something that a person has to mend, and the longest pause of the others.
const LONGEST: Duration = Duration::from_secs(60);

/// The same for a service that looks more often than most.
const INTERVALS: u32 = 6;

/// The pause after a first failure that may pass. It doubles.
const SHORTEST: Duration = Duration::from_secs(1);

/// Goes on until it is asked to stop.
pub(super) async fn follow(config: &SiteConfig, host: &Host, stop: &CancellationToken) -> Result<()> {
    let lock = Arc::new(Ingester::lock(config)?);
    let mut ingester = None;
    let mut trouble = Trouble::None;
    let mut is_quiet = false;
    while !stop.is_cancelled() {
        if disk::exists(&config.die_file()) {
            if !std::mem::replace(&mut is_quiet, true) {
                tracing::info!(die_file = %config.die_file().display(), "ingestion rests while the die file is there");
            }
            rest(stop, config.interval).await;
            continue;
        }
        if std::mem::take(&mut is_quiet) {
            tracing::info!("the die file is gone: ingestion goes on");
        }
        let looked = look(&mut ingester, &lock, config, host, stop).await;
        match looked {
            Ok(()) | Err(Error::Cancelled) => {
                trouble = trouble.over();
                rest(stop, config.interval).await;
            }
            Err(error @ Error::Fatal(_)) => return Err(error),
            Err(error) => {
                trouble = trouble.met(config, &error).await;
                rest(stop, trouble.pause(config.interval)).await;
            }
        }
    }
    Ok(())
}

/// Catches up. After a failure the session and what is remembered are given up, and everything is looked at anew.
async fn look(
    ingester: &mut Option<Ingester>,
    lock: &Arc<Lock>,
    config: &SiteConfig,
    host: &Host,
    stop: &CancellationToken,
) -> Result<()> {
    let mut there = match ingester.take() {
        Some(there) => there,
        None => Ingester::connect(config, Arc::clone(lock)).await?,
    };
    match attempt(&mut there, config, host, stop).await {
        // The die file has come: the loop sees it.
        Ok(()) | Err(Error::Busy(_)) => {
            *ingester = Some(there);
            Ok(())
        }
        Err(error) => Err(error),
    }
}

async fn rest(stop: &CancellationToken, pause: Duration) {
    tokio::select! {
        () = stop.cancelled() => {}
        () = tokio::time::sleep(pause) => {}
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
    async fn met(self, config: &SiteConfig, error: &Error) -> Self {
        let text = error.chain();
        if exit_status(error) == 4 {
            if !matches!(&self, Self::Standing(said) if *said == text) {
                tracing::error!("{text}; it is looked at again every minute");
                notify(config, TOOL, error, None).await;
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
            notify(config, TOOL, error, None).await;
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
