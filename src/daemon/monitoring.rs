//! The monitor as a part of the daemon. What it finds goes to its file; nobody here waits for it.

use std::time::Duration;

use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::config::{Config, DatabaseConfig, MonitorConfig};
use crate::error::Error;
use crate::monitor::{LAST_COMMAND, Watcher};
use crate::paths::Paths;

/// The task that watches the servers, or lets the last command come to its end where none are to be watched any more.
pub(super) struct Monitoring {
    wanted: Option<Wanted>,
    /// Ends the watch.
    stop: CancellationToken,
    /// The daemon ends: nothing is waited for any longer. One for all that come after each other.
    hurry: CancellationToken,
    /// Comes back with what is still to be ended.
    task: JoinHandle<Option<Watcher>>,
}

/// What a watch goes by: with anything else of this it begins anew.
#[derive(PartialEq)]
struct Wanted {
    settings: MonitorConfig,
    /// Where Slony is asked.
    database: DatabaseConfig,
}

impl Monitoring {
    /// Starts it; `None` where no servers are, or were, to be watched. The one from before goes on if nothing has changed for it;
    /// otherwise it ends first, and a command that runs goes on.
    pub(super) fn start(
        config: &Config,
        settings: Option<MonitorConfig>,
        before: Option<Self>,
    ) -> Option<Self> {
        let wanted = settings.map(|settings| Wanted { settings, database: config.database.clone() });
        if before.as_ref().map_or(wanted.is_none(), |before| before.wanted == wanted) {
            return before;
        }
        let stop = CancellationToken::new();
        let (hurry, before) = match before {
            Some(before) => {
                before.stop.cancel();
                (before.hurry, Some(before.task))
            }
            None => (CancellationToken::new(), None),
        };
        let settings = wanted.as_ref().map(|wanted| wanted.settings.clone());
        let (config, end, now) = (config.clone(), stop.clone(), hurry.clone());
        let task = tokio::spawn(async move {
            let watcher = match before {
                Some(before) => before.await.ok().flatten(),
                None => None,
            };
            match settings {
                Some(settings) => watch(watcher, &config, settings, &end).await,
                None => retire(watcher, &now).await,
            }
        });
        Some(Self { wanted, stop, hurry, task })
    }

    /// Ends it, and what runs if it does not end soon.
    pub(super) async fn end(self) {
        self.hurry.cancel();
        self.stop.cancel();
        if let Ok(Some(mut watcher)) = self.task.await {
            watcher.end(LAST_COMMAND).await;
        }
    }
}

/// Watches until it is told to stop.
async fn watch(
    watcher: Option<Watcher>,
    config: &Config,
    settings: MonitorConfig,
    stop: &CancellationToken,
) -> Option<Watcher> {
    let mut watcher = match watcher {
        Some(watcher) => watcher,
        None => take(&config.paths, settings.heartbeat, stop).await?,
    };
    watcher.watch(config, settings, stop).await;
    Some(watcher)
}

/// Waits for the place of the one who watches. While another process does (`subscription_manager monitor`), that one's word holds.
async fn take(paths: &Paths, pause: Duration, stop: &CancellationToken) -> Option<Watcher> {
    let mut told = false;
    loop {
        match Watcher::take(paths).await {
            Ok(watcher) => return Some(watcher),
            Err(Error::Busy(holder)) if told => tracing::debug!(holder, "the servers are watched by another"),
            Err(error) => {
                told = true;
                tracing::warn!(
                    error = error.chain(),
                    "the servers are not watched from here; it is tried again"
                );
            }
        }
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = stop.cancelled() => return None,
        }
    }
}

/// Lets a command that runs come to its end. It has its own limit.
async fn retire(watcher: Option<Watcher>, hurry: &CancellationToken) -> Option<Watcher> {
    let mut watcher = watcher?;
    let ended = tokio::select! {
        () = watcher.end(Duration::MAX) => true,
        () = hurry.cancelled() => false,
    };
    (!ended).then_some(watcher)
}
