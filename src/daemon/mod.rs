//! `subscription_manager run`: one loop, one closed set of events.

mod arrivals;
mod nodes;
mod recover;
mod splitting;

use std::time::{Duration, Instant};

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::time::Instant as TokioInstant;
use tokio_util::sync::CancellationToken;

use crate::config::Config;
use crate::disk::{self, Hint, Lock};
use crate::error::{Error, Result};
use crate::logs::{Committed, Splitter};
use crate::model::Node;
use crate::subscription::Service;
use nodes::Nodes;

/// Everything that can happen to the daemon.
#[derive(Debug)]
enum Event {
    /// Look at the drop directory: a hint, or the time for it.
    Look,
    /// A name appeared there by a rename.
    Renamed(std::ffi::OsString),
    /// A node's worker has come back; since when the database has been away for it, if it is.
    Rested(Node, Result<Option<Instant>>),
    /// SIGTERM, SIGINT or the die file.
    Stop(&'static str),
}

/// Runs until it is told to stop. An error is one that a restart does not mend by itself.
pub async fn run(config: Config) -> Result<()> {
    let paths = config.paths.clone();
    for directory in [&paths.triggerdir, &paths.subscribers_dir, &paths.tables_dir, &paths.work_dir] {
        disk::names(directory)?;
    }
    let _instance = Lock::take(&paths.instance_lock())?;
    disk::create_directory(&paths.rejected(), &paths.rejected())?;
    disk::remove(&paths.die_file())?;
    let (sender, mut events) = unbounded_channel();
    let (hint_sender, hints) = unbounded_channel();
    let _watcher = disk::watch(&paths.triggerdir, hint_sender.clone());
    tokio::spawn(pass_on(hints, sender.clone()));
    listen_for_signals(&sender)?;

    tracing::info!(version = env!("CARGO_PKG_VERSION"), triggerdir = %paths.triggerdir.display(), "started");
    let service = Service::new(config.clone());
    let stop = CancellationToken::new();
    let mut nodes = Nodes::new(service.clone(), sender.clone());
    let mut splitting = None;
    // Nothing is split before every node that was in the middle of something is at rest.
    let mut recovered = false;
    let mut next_look = TokioInstant::now();
    let why = loop {
        let event = tokio::select! {
            event = events.recv() => event.unwrap_or(Event::Stop("the end of events")),
            () = tokio::time::sleep_until(next_look) => Event::Look,
        };
        match event {
            Event::Stop(why) => break why,
            Event::Renamed(name) => nodes.renamed(name),
            Event::Rested(node, result) => {
                if !nodes.rested(&node, result)? {
                    continue;
                }
            }
            Event::Look => {}
        }
        if let Some(why) = drain(&mut events, &mut nodes)? {
            break why;
        }
        if disk::exists(&paths.die_file()) {
            disk::remove(&paths.die_file())?;
            break "the die file";
        }
        if !recovered {
            recovered = recover::recover(&service).await;
        }
        if recovered && splitting.is_none() {
            splitting = Some(start_splitting(&config, &service, stop.clone()));
        }
        let wait = match recovered.then(|| nodes.look()).transpose() {
            Ok(wait) => wait.flatten(),
            Err(error) => {
                tracing::error!(error = error.chain(), "cannot look at the drop directory");
                None
            }
        };
        next_look = TokioInstant::now() + wait.unwrap_or(config.rescan).min(config.rescan);
    };
    tracing::info!(why, "stopping");
    stop.cancel();
    nodes.stop().await;
    if let Some(Some(task)) = splitting {
        let _ = task.await;
    }
    drop(hint_sender);
    tracing::info!("stopped");
    Ok(())
}

/// Takes what else has happened meanwhile, so that a thousand hints lead to one look. Returns why to stop, if so.
fn drain(events: &mut UnboundedReceiver<Event>, nodes: &mut Nodes) -> Result<Option<&'static str>> {
    while let Ok(event) = events.try_recv() {
        match event {
            Event::Look => {}
            Event::Renamed(name) => nodes.renamed(name),
            Event::Rested(node, result) => drop(nodes.rested(&node, result)?),
            Event::Stop(why) => return Ok(Some(why)),
        }
    }
    Ok(None)
}

fn start_splitting(
    config: &Config,
    service: &Service,
    stop: CancellationToken,
) -> Option<tokio::task::JoinHandle<()>> {
    let splitter = Splitter::new(config);
    if splitter.is_none() {
        tracing::warn!("archive_dir is not set: this daemon serves requests and splits nothing");
    }
    let gate = Committed::new(service.database.clone());
    splitter.map(|splitter| tokio::spawn(splitting::split(config.clone(), splitter, gate, stop)))
}

async fn pass_on(mut hints: UnboundedReceiver<Hint>, events: tokio::sync::mpsc::UnboundedSender<Event>) {
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

fn listen_for_signals(events: &tokio::sync::mpsc::UnboundedSender<Event>) -> Result<()> {
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

/// The longest that `run` may take to end: a step that is being carried out is finished.
pub const STOP_LIMIT: Duration = Duration::from_secs(30);
