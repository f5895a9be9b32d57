//! Following the stream of site logs: fetched, applied in order, each once, acknowledged. `get_slony_logs` does nothing
//! else; `subscribe_series` does it where a request needs it.
//!
//! `offer` reads what the server has, `decide` says what comes next, `fetch` brings it here, [`Ingester`] applies it.

mod acknowledge;
mod apply;
mod decide;
mod fetch;
mod follow;
mod offer;
mod run;
mod shelf;

use std::sync::Arc;

use acknowledge::Acknowledgement;
use decide::{Next, next};
use offer::Offer;

pub use run::run;

use super::{Applied, Applier, Progress, SiteConfig, node, removed};
use crate::db::site::SiteDatabase;
use crate::disk::{self, Lock};
use crate::error::{Error, Result};
use crate::model::{Counter, SlonyNode};
use crate::protocol::{read_counter, write_counter};
use crate::transport::Host;

/// The name under which the server shows the session.
const APPLICATION: &str = "get_slony_logs";

/// How often a listing that cannot be true is asked for again: a log may be bundled between two looks.
const DOUBTS: u32 = 2;

/// How long the database may take for an answer that only a message wants.
const SOON: std::time::Duration = std::time::Duration::from_secs(5);

/// Holds the ingestion lock and a session with the site's database.
pub struct Ingester {
    config: SiteConfig,
    /// The node's directory at the server.
    directory: String,
    applier: Applier,
    acknowledgement: Acknowledgement,
    /// The Slony node whose logs were applied so far; its file is `<work_dir>/slony_node`.
    followed: Option<SlonyNode>,
    done: Done,
    /// It was said that logs of other Slony nodes lie there.
    is_warned: bool,
    _lock: Arc<Lock>,
}

/// What an [`Ingester`] has done since it started, whether or not something failed then.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Done {
    /// Logs that were applied.
    pub logs: u64,
    /// Rows that they inserted, updated or deleted.
    pub rows: u64,
    /// Changes that met no row.
    pub drift: u64,
    /// The last of the logs.
    pub place: Option<Counter>,
}

impl Done {
    /// One more log.
    fn add(&mut self, counter: Counter, applied: &Applied) {
        self.logs += 1;
        self.place = Some(counter);
        self.rows += applied.rows;
        // Not only those that are described.
        self.drift += applied.drifted;
    }
}

/// Where a catching up ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CaughtUp {
    /// The last log that is applied now.
    pub place: Counter,
    /// The newest log that the server had.
    pub newest: Option<Counter>,
    /// Logs that were applied.
    pub logs: u64,
    /// Rows that they changed.
    pub rows: u64,
    /// It was asked to stop before it was through.
    pub was_stopped: bool,
}

impl Ingester {
    /// Takes the ingestion lock (`<work_dir>/ingest.lock`, [`Error::Busy`] if another process has it) and connects to the
    /// site's database.
    pub async fn start(config: &SiteConfig) -> Result<Self> {
        let lock = Arc::new(Self::lock(config)?);
        Self::connect(config, lock).await
    }

    /// Takes the lock only. What an earlier run left on its way in is removed: it is fetched anew, for it may have been
    /// replaced since.
    pub(super) fn lock(config: &SiteConfig) -> Result<Lock> {
        disk::create_directories(&config.work_dir)?;
        disk::create_directories(&config.incoming_dir())?;
        let lock = Lock::take(&config.work_dir.join("ingest.lock"))?;
        disk::remove_parts(&config.incoming_dir())?;
        Ok(lock)
    }

    /// With a lock that was taken before.
    pub(super) async fn connect(config: &SiteConfig, lock: Arc<Lock>) -> Result<Self> {
        let directory = format!("{}/{}", site_logs(config)?, config.node);
        let database = SiteDatabase::connect(&config.database, &config.cluster, APPLICATION).await?;
        Ok(Self {
            applier: Applier::new(database, config.on_drift),
            acknowledgement: Acknowledgement::new(config, &directory),
            followed: followed(config)?,
            config: config.clone(),
            directory,
            done: Done::default(),
            is_warned: false,
            _lock: lock,
        })
    }

    /// The site's database.
    pub fn database(&self) -> &SiteDatabase {
        self.applier.database()
    }

    /// What was done so far.
    pub fn done(&self) -> Done {
        self.done
    }

    /// The last log that was applied; `None`: this database has no place in the stream.
    pub async fn place(&self) -> Result<Option<Counter>> {
        self.database().place().await
    }

    /// The same for a message about a failure: what does not come soon is left out.
    async fn last_place(&self) -> Option<Counter> {
        tokio::time::timeout(SOON, self.place()).await.ok()?.ok().flatten()
    }

    /// Applies what the server has, in order, up to `until` (`None`: whatever is there), and acknowledges it. `goes_on` is
    /// asked before each log. The die file is not looked at.
    ///
    /// After a failure what was applied stays applied. [`Error::Stopped`]: a person has to do something.
    pub async fn catch_up(
        &mut self,
        host: &Host,
        until: Option<Counter>,
        goes_on: &dyn Fn() -> bool,
    ) -> Result<CaughtUp> {
        let before = self.done;
        let ended = self.work(host, until, goes_on).await;
        // What was applied before it ended early is on its way to the disk, and the server does not know of it.
        let early = matches!(&ended, Ok((.., true)) | Err(Error::Stopped(_) | Error::Disk { .. }));
        if early
            && self.done != before
            && let Ok(Some(place)) = self.place().await
        {
            self.acknowledge_if_unknown(host, place).await;
        }
        // Also after a failure: a disk may be full of it.
        let cleared = disk::remove_parts(&self.config.incoming_dir());
        let (place, newest, was_stopped) = ended?;
        cleared?;
        let (logs, rows) = (self.done.logs - before.logs, self.done.rows - before.rows);
        Ok(CaughtUp { place, newest, logs, rows, was_stopped })
    }

    async fn work(
        &mut self,
        host: &Host,
        until: Option<Counter>,
        goes_on: &dyn Fn() -> bool,
    ) -> Result<(Counter, Option<Counter>, bool)> {
        let Some(mut place) = self.place().await? else { return Err(unsubscribed()) };
        // Before anything is acknowledged: what a site acknowledges may be removed at the server.
        node::check(&self.config, self.database()).await?;
        let mut doubts = 0;
        let mut progress = None;
        loop {
            let offer = look(host, &self.config, self.followed).await?;
            self.warn_of_others(&offer);
            let newest = offer.newest();
            if !goes_on() {
                return Ok((place, newest, true));
            }
            let next = next(&offer, place, until);
            let shown = progress.get_or_insert_with(|| begin(&next, &offer, place));
            let applied = match next {
                Next::Nothing => {
                    self.acknowledge_if_unknown(host, place).await;
                    return Ok((place, newest, false));
                }
                Next::Gap { missing, there } if doubts >= DOUBTS => return Err(self.gap(missing, there)),
                Next::Gap { .. } => place,
                Next::Singles(singles) => {
                    let node = offer.node.ok_or_else(unsubscribed)?;
                    self.apply_singles(host, shown, node, &singles, goes_on).await?.unwrap_or(place)
                }
                Next::Bundle { name, bytes, last } => {
                    let range = (place.next(), last);
                    self.apply_bundle(host, shown, (name, bytes), range, offer.node, goes_on)
                        .await?
                        .unwrap_or(place)
                }
            };
            // Nothing came of it: it is bundled, or moved in, just now.
            doubts = if applied > place { 0 } else { doubts + 1 };
            if doubts > DOUBTS && goes_on() {
                return Err(Error::Stopped(format!(
                    "log {} is listed in `{}`, but cannot be had: ask the data centre",
                    place.next(),
                    self.directory
                )));
            }
            place = applied;
        }
    }

    /// Says once that somebody else's logs lie there.
    fn warn_of_others(&mut self, offer: &Offer) {
        if let (Some(node), Some(other), false) = (offer.node, offer.others.first(), self.is_warned) {
            tracing::warn!(directory = self.directory, %node, %other, "logs of other Slony nodes lie there: they are left alone");
            self.is_warned = true;
        }
    }

    /// Tells the server where the site is, unless it knows.
    async fn acknowledge_if_unknown(&mut self, host: &Host, place: Counter) {
        if self.acknowledgement.is_told(host, place).await {
            return;
        }
        // It is not known what the last commits waited for.
        if let Err(error) = self.database().harden().await {
            tracing::warn!(error = %error.chain(), "the server is not told how far the site is");
            return;
        }
        self.acknowledge(host, place).await;
    }

    /// Tells the server and the people here. To fail at that is no failure: the logs are applied.
    async fn acknowledge(&mut self, host: &Host, place: Counter) {
        if let Err(error) = self.acknowledgement.tell(host, place).await {
            tracing::warn!(counter = %place, error = %error.chain(), "the server is not told how far the site is");
        }
        let here = self.config.logs_dir.join(acknowledge::COUNTER_FILE);
        if let Err(error) = disk::write(&here, &write_counter(place)) {
            tracing::warn!(error = %error.chain(), "the local counter file is not up to date");
        }
    }

    fn gap(&self, missing: Counter, there: Counter) -> Error {
        Error::Stopped(format!(
            "log {missing} is missing in `{}`: neither as a single nor in a bundle, though log {there} is there; ask the \
             data centre for it, or subscribe anew",
            self.directory
        ))
    }
}

/// Where the nodes' directories lie at the server.
fn site_logs(config: &SiteConfig) -> Result<&str> {
    config.site_logs.as_deref().ok_or_else(|| {
        Error::Fatal(
            "`rmt_slony_dir` is missing in the configuration: the directory at the server in which the site's own \
             directory of site logs lies"
                .into(),
        )
    })
}

/// What the server has in the node's directory.
async fn look(host: &Host, config: &SiteConfig, followed: Option<SlonyNode>) -> Result<Offer> {
    let site_logs = site_logs(config)?;
    let entries = removed::list(host, config, site_logs).await?;
    let listing = entries.iter().map(|entry| (entry.name.as_str(), entry.bytes));
    Offer::read(listing, followed)
        .map_err(|what| Error::Stopped(format!("`{site_logs}/{}`: {what}", config.node)))
}

/// A bar for what this catching up will bring, as far as the first listing knows.
fn begin(next: &Next, offer: &Offer, place: Counter) -> Progress {
    if matches!(next, Next::Nothing | Next::Gap { .. }) {
        return Progress::hidden();
    }
    let singles: u64 = offer.singles.range(place.next()..).map(|(_, bytes)| bytes).sum();
    let bundles = offer.bundles.iter().filter(|(name, _)| name.last() > place).map(|(_, bytes)| bytes);
    Progress::begin("site logs", Some(singles + bundles.sum::<u64>()))
}

fn unsubscribed() -> Error {
    Error::Stopped("this database is not subscribed yet: run subscribe_series".into())
}

/// The Slony node that was followed so far.
fn followed(config: &SiteConfig) -> Result<Option<SlonyNode>> {
    let path = config.followed_node();
    let Some(bytes) = disk::read_optional(&path)? else { return Ok(None) };
    let number = read_counter(&bytes).map_err(|source| Error::Malformed { path, source })?;
    Ok(u32::try_from(number.value()).ok().map(SlonyNode))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_drift_is_counted() {
        let mut done = Done::default();
        let [first, last] = [8, 9].map(|number| Counter::from_database(number).unwrap());
        done.add(first, &Applied { rows: 60, drifted: 50, drift: vec![String::new(); 21] });
        done.add(last, &Applied { rows: 1, drifted: 0, drift: Vec::new() });
        assert_eq!(done, Done { logs: 2, rows: 61, drift: 50, place: Some(last) });
    }
}
