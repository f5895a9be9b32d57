//! The watch: a round of looking, deciding, writing and telling at every heartbeat.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use tokio_util::sync::CancellationToken;

use super::config::missing_programs;
use super::decide::{Decision, Occurrence, Rules, Sight, decide};
use super::observe::{self, Write};
use super::slony;
use super::tell::Teller;
use crate::config::{Config, MonitorConfig};
use crate::db::Database;
use crate::disk::{self, Lock};
use crate::error::{Error, Result};
use crate::model::Moment;
use crate::paths::Paths;
use crate::protocol::watched::{Telling, Watched};
use crate::protocol::{Malformed, plusmoin};

/// So many rounds may be missed before what was seen is not believed any more.
const BELIEVED_ROUNDS: u32 = 3;

/// How long the end of the program waits for a command that runs.
pub const LAST_COMMAND: Duration = Duration::from_secs(15);

/// What a look is made with.
struct Eyes {
    config: Arc<MonitorConfig>,
    rules: Rules,
    /// The log-shipping node's, which is asked how Slony stands.
    database: Database,
}

/// The one who watches. It outlives its settings: nobody else comes between two of them, and a command that runs goes on.
pub struct Watcher {
    paths: Paths,
    teller: Option<Teller>,
    _lock: Lock,
}

impl Watcher {
    /// Takes the place. [`Error::Busy`] if another process has it.
    pub async fn take(paths: &Paths) -> Result<Self> {
        let lock = Lock::take_soon(&paths.monitor_lock()).await?;
        Ok(Self { paths: paths.clone(), teller: None, _lock: lock })
    }

    /// Watches until it is told to stop. A command may run still then: [`Watcher::end`], or the next watch.
    pub async fn watch(&mut self, config: &Config, monitor: MonitorConfig, stop: &CancellationToken) {
        let eyes = Eyes::new(config, monitor);
        eyes.warn(config);
        let mut watched = eyes.remembered(remembered(&self.paths));
        let untold = std::mem::take(&mut watched.untold);
        let teller = match self.teller.take() {
            // It knows better than the file what it has told.
            Some(teller) => {
                teller.take_over(&eyes.config);
                teller
            }
            None => Teller::start(&eyes.config, untold),
        };
        let teller = self.teller.insert(teller);
        let mut unpublished = None;
        loop {
            let Decision { next, tellings } = tokio::select! {
                decision = eyes.round(&watched, Write::Heartbeats) => decision,
                () = stop.cancelled() => return,
            };
            report(&watched, &next);
            let inputs = tellings.iter().map(|telling| input(&next, telling)).collect();
            watched = next;
            publish(&eyes.config, &watched, &mut unpublished);
            teller.push(inputs);
            remember(&self.paths, &mut watched, teller);
            // From the end of a round, however long it took: a heartbeat always has this time to come to a standby.
            tokio::select! {
                () = tokio::time::sleep(eyes.config.heartbeat) => {}
                () = stop.cancelled() => return,
            }
        }
    }

    /// Lets the command that runs come to its end, for so long at the most, and writes down what is still to be told.
    pub async fn end(&mut self, limit: Duration) {
        let Some(teller) = &mut self.teller else { return };
        teller.rest(limit).await;
        if let Ok(Some(mut watched)) = remembered(&self.paths) {
            remember(&self.paths, &mut watched, teller);
        }
    }
}

/// What one look has shown.
pub struct Glance {
    /// How the servers are.
    pub watched: Watched,
    /// Whether somebody watches them: without heartbeats it cannot be told how far standbys are behind.
    pub is_watched: bool,
    /// When the one who watches, or watched, looked last.
    pub looked: Option<Moment>,
}

/// Looks once, without a word to anybody: no heartbeat is written, nothing is told or remembered.
pub async fn look(config: &Config, monitor: MonitorConfig) -> Glance {
    let eyes = Eyes::new(config, monitor);
    let known = remembered(&config.paths);
    let looked = known.as_ref().ok().and_then(Option::as_ref).map(|watched| watched.looked);
    let watched = eyes.remembered(known);
    let is_held = Lock::holder(&config.paths.monitor_lock()).is_ok_and(|holder| holder.is_some());
    let is_watched = is_held && Moment::from(SystemTime::now()) <= watched.believed_until;
    let mut watched = eyes.round(&watched, Write::Nothing).await.next;
    if !is_watched {
        for server in &mut watched.servers {
            server.delay_ms = None;
        }
    }
    Glance { watched, is_watched, looked }
}

impl Eyes {
    fn new(config: &Config, monitor: MonitorConfig) -> Self {
        let rules =
            Rules { max_sync_delay: monitor.max_sync_delay, recover_sync_delay: monitor.recover_sync_delay };
        let database = Database::new(&config.database, &config.cluster);
        Self { config: Arc::new(monitor), rules, database }
    }

    fn warn(&self, config: &Config) {
        let MonitorConfig { servers, heartbeat, .. } = &*self.config;
        tracing::info!(servers = servers.len(), heartbeat = heartbeat.as_secs_f64(), "watching");
        if servers.is_empty() {
            tracing::warn!("no servers are configured: there is nothing to watch");
        }
        if self.rules.recover_sync_delay > self.rules.max_sync_delay {
            tracing::warn!("recover_sync_delay is larger than max_sync_delay, which holds for both then");
        }
        if self.rules.max_sync_delay < *heartbeat {
            tracing::warn!(
                "max_sync_delay is shorter than the heartbeat: one that is late makes a standby lost"
            );
        }
        if !self.config.watches(&config.database) {
            let (host, port) = (&config.database.host, config.database.port);
            tracing::warn!(
                "the log-shipping node's server {host}:{port} is not among the servers that are watched (spelled so): its loss holds no dump up"
            );
        }
        for (occasion, program) in missing_programs(&self.config) {
            tracing::warn!(
                trigger = occasion.reference_name(),
                "there is no program {program} that may be run: this command will fail"
            );
        }
    }

    /// What an earlier run knew.
    fn remembered(&self, known: Result<Option<Watched>>) -> Watched {
        let (servers, now) = (&self.config.servers, Moment::from(SystemTime::now()));
        match known {
            Ok(Some(watched)) => watched.restarted(servers, now),
            Ok(None) => Watched::new(servers, now),
            Err(error) => {
                tracing::error!(
                    error = error.chain(),
                    "what was known of the servers is lost: it begins anew"
                );
                Watched::new(servers, now)
            }
        }
    }

    /// One round. A primary that does not take its heartbeat is none: then it is decided again without it.
    async fn round(&self, previous: &Watched, write: Write) -> Decision {
        let (begin, now) = (Instant::now(), Moment::from(SystemTime::now()));
        let (mut seen, slony) = tokio::join!(
            observe::look(&self.config, previous, now, write),
            slony::look(&self.database, &self.config)
        );
        loop {
            let mut decision = decide(previous, &seen.sights, now, &self.rules);
            let failed = match write {
                Write::Heartbeats => seen.write(&self.config, &decision.next).await,
                Write::Nothing => Vec::new(),
            };
            if failed.is_empty() {
                decision.next.slony = Some(slony);
                decision.next.believed_until = self.believed_until();
                tracing::debug!(seconds = begin.elapsed().as_secs_f64(), "looked at the servers");
                return decision;
            }
            for (at, why) in failed {
                seen.sights[at] = Sight::Away(why);
            }
        }
    }

    /// Longer than the next rounds take, however slow the servers are. One that has become a primary may need the limit twice.
    fn believed_until(&self) -> Moment {
        let MonitorConfig { heartbeat, connect_timeout, .. } = &*self.config;
        let round = (*heartbeat + *connect_timeout * 2).max(Duration::from_secs(1));
        Moment::from(SystemTime::now()).after(round * BELIEVED_ROUNDS)
    }
}

/// What the monitor knew when it looked last; `None` if it never did.
pub fn remembered(paths: &Paths) -> Result<Option<Watched>> {
    let path = paths.monitor_state();
    let Some(bytes) = disk::read_optional(&path)? else { return Ok(None) };
    let malformed = |source: Malformed| Error::Malformed { path, source };
    Watched::read(&bytes).map(Some).map_err(malformed)
}

fn input(watched: &Watched, telling: &Occurrence) -> Telling {
    let about = telling.server.and_then(|at| watched.servers.get(at));
    Telling { occasion: telling.occasion, input: plusmoin::write_input(watched, telling.cluster, about) }
}

/// Says in the log what has changed.
fn report(before: &Watched, now: &Watched) {
    for (before, now) in before.servers.iter().zip(&now.servers) {
        if before.place == now.place {
            continue;
        }
        let (server, cluster) = (&now.address, now.place.cluster());
        let (was, is) = (before.place.word(), now.place.word());
        if let Some(why) = &now.why {
            tracing::warn!(%server, cluster, was, is, why, "a server has changed");
        } else {
            tracing::info!(%server, cluster, was, is, "a server has changed");
        }
    }
}

/// For other programs. That it cannot be written keeps nobody from watching, and is said once; `told` is what was said.
fn publish(config: &MonitorConfig, watched: &Watched, told: &mut Option<String>) {
    let written = disk::write_anew(&config.status_file, &plusmoin::write_status(watched));
    let failure = written.err().map(|error| error.chain());
    if let Some(error) = failure.as_ref().filter(|error| told.as_ref() != Some(error)) {
        tracing::error!(error, "the status file is not written");
    }
    *told = failure;
}

fn remember(paths: &Paths, watched: &mut Watched, teller: &Teller) {
    watched.untold = teller.untold();
    if let Err(error) = disk::write(&paths.monitor_state(), &watched.write()) {
        tracing::error!(error = error.chain(), "a restart would forget how the servers are");
    }
}
