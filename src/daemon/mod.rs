//! `subscription_manager run`: one loop, one closed set of events.

mod arrivals;
mod nodes;
mod recover;
mod splitting;
mod tidying;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::config::Config;
use crate::disk::{self, Hint, Lock};
use crate::error::{Error, Result};
use crate::ground;
use crate::logs::{Committed, Splitter};
use crate::model::Node;
use crate::subscription::{Memory, Service};
use nodes::{Look, Nodes};

/// The longest that the end of the daemon may take: steps that are under way are finished, dumps are given up.
pub const STOP_LIMIT: Duration = Duration::from_secs(20);

/// Everything that can happen to the daemon.
#[derive(Debug)]
enum Event {
    /// Something may have changed in the drop directory.
    Look,
    /// A name appeared there by a rename.
    Renamed(std::ffi::OsString),
    /// A node's worker has come back.
    Rested(Node, Memory, Result<()>),
    /// SIGTERM or SIGINT.
    Stop(&'static str),
}

/// Runs until it is told to stop. An error is one that a person must mend.
pub async fn run(config: Config) -> Result<()> {
    let paths = config.paths.clone();
    for directory in [&paths.triggerdir, &paths.subscribers_dir, &paths.tables_dir, &paths.work_dir] {
        disk::names(directory)?;
    }
    let _instance = Lock::take(&paths.instance_lock())?;
    ground::create_registry(&paths)?;
    disk::create_directory(&paths.rejected(), &paths.rejected())?;
    disk::remove(&paths.die_file())?;
    let (events, received) = unbounded_channel();
    let (hints, hinted) = unbounded_channel();
    let _watcher = disk::watch(&paths.triggerdir, hints);
    tokio::spawn(pass_on(hinted, events.clone()));
    listen_for_signals(&events)?;

    tracing::info!(version = env!("CARGO_PKG_VERSION"), triggerdir = %paths.triggerdir.display(), "started");
    let service = Service::new(config);
    let mut daemon = Daemon {
        nodes: Nodes::new(service.clone(), events),
        service,
        events: received,
        stop: CancellationToken::new(),
        splitting: Splitting::Waiting,
        unsettled: None,
    };
    let why = daemon.serve().await;
    if let Ok(why) = &why {
        tracing::info!(why, "stopping");
    }
    if tokio::time::timeout(STOP_LIMIT, daemon.end()).await.is_err() {
        tracing::warn!("something does not end; it is left to the next start");
    }
    tracing::info!("stopped");
    why.map(drop)
}

struct Daemon {
    service: Arc<Service>,
    nodes: Nodes,
    events: UnboundedReceiver<Event>,
    stop: CancellationToken,
    splitting: Splitting,
    /// Nodes that an earlier run left in the middle of something; `None` before the first look.
    unsettled: Option<BTreeSet<Node>>,
}

/// The tasks that split and tidy.
enum Splitting {
    /// Not before everything that a kill left is at rest.
    Waiting,
    /// They run.
    Running([JoinHandle<()>; 2]),
    /// No archives are configured.
    Nothing,
}

impl Daemon {
    /// The loop. Returns why it ended.
    async fn serve(&mut self) -> Result<&'static str> {
        let config = self.service.config.clone();
        // Late looks do not add up: after a long step the next one is a full interval away.
        let mut next_time = Instant::now();
        let mut next_look = next_time;
        loop {
            let event = tokio::select! {
                event = self.events.recv() => event,
                () = tokio::time::sleep_until(next_look) => Some(Event::Look),
            };
            if let Some(why) = self.take(event)? {
                return Ok(why);
            }
            if disk::exists(&config.paths.die_file()) {
                disk::remove(&config.paths.die_file())?;
                return Ok("the die file");
            }
            let now = Instant::now();
            let why = if now >= next_time { Look::Time } else { Look::Hint };
            let wait = self.look(why).await.unwrap_or_else(|error| {
                tracing::error!(error = error.chain(), "cannot look at the drop directory");
                None
            });
            if why == Look::Time {
                next_time = now + config.rescan;
            }
            next_look = wait.map_or(next_time, |wait| next_time.min(now + wait));
        }
    }

    /// Looks at the drop directory. Before the first time everything that a kill left is tidied; a node that cannot be
    /// brought to rest is tried again when it is time, and until then nothing is split.
    async fn look(&mut self, why: Look) -> Result<Option<Duration>> {
        let mut unsettled = match self.unsettled.take() {
            None => recover::tidy(&self.service).await?,
            Some(unsettled) => unsettled,
        };
        if why == Look::Time {
            recover::bring_to_rest(&self.service, &mut unsettled).await;
        }
        if unsettled.is_empty() && matches!(self.splitting, Splitting::Waiting) {
            self.splitting = self.start_splitting();
        }
        let wait = self.nodes.look(why, &unsettled);
        self.unsettled = Some(unsettled);
        wait
    }

    /// Takes an event, and what else has happened meanwhile, so that a thousand hints lead to one look.
    fn take(&mut self, first: Option<Event>) -> Result<Option<&'static str>> {
        let mut event = first.or(Some(Event::Stop("the end of events")));
        while let Some(this) = event {
            match this {
                Event::Look => {}
                Event::Renamed(name) => self.nodes.renamed(name),
                Event::Rested(node, memory, result) => self.nodes.rested(node, memory, result)?,
                Event::Stop(why) => return Ok(Some(why)),
            }
            event = self.events.try_recv().ok();
        }
        Ok(None)
    }

    fn start_splitting(&self) -> Splitting {
        let config = &self.service.config;
        let Some(splitter) = Splitter::new(config) else {
            tracing::warn!("archive_dir is not set: this daemon serves requests and splits nothing");
            return Splitting::Nothing;
        };
        let gate = || Committed::new(self.service.database.clone());
        Splitting::Running([
            tokio::spawn(splitting::split(config.clone(), splitter, gate(), self.stop.clone())),
            tokio::spawn(tidying::tidy(config.clone(), gate(), self.stop.clone())),
        ])
    }

    async fn end(&mut self) {
        self.stop.cancel();
        self.nodes.stop().await;
        if let Splitting::Running(tasks) = &mut self.splitting {
            for task in tasks {
                let _ = task.await;
            }
        }
    }
}

async fn pass_on(mut hints: UnboundedReceiver<Hint>, events: UnboundedSender<Event>) {
    while let Some(hint) = hints.recv().await {
        let event = match hint {
            Hint::Look => Event::Look,
            Hint::Renamed(name) => Event::Renamed(name),
        };
        if events.send(event).is_err() {
            return;
        }
    }
}

fn listen_for_signals(events: &UnboundedSender<Event>) -> Result<()> {
    for (kind, name) in [(SignalKind::terminate(), "SIGTERM"), (SignalKind::interrupt(), "SIGINT")] {
        let mut signals =
            signal(kind).map_err(|error| Error::Fatal(format!("listen for {name}: {error}")))?;
        let events = events.clone();
        tokio::spawn(async move {
            while signals.recv().await.is_some() {
                let _ = events.send(Event::Stop(name));
            }
        });
    }
    Ok(())
}
