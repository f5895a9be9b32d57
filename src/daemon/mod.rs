//! `subscription_manager run`: one loop, one closed set of events.

mod access;
mod arrivals;
mod background;
mod dumps;
mod hooking;
mod monitoring;
mod nodes;
mod pulse;
mod recover;
mod reload;
mod signals;
mod splitting;
mod systemd;
mod tidying;
mod troubles;
mod watching;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::access::Access;
use crate::config::{Config, MonitorConfig};
use crate::disk::{self, Hint, Watch};
use crate::error::{Error, Result};
use crate::ground::{self, Instance};
use crate::hooks::SplitterSeen;
use crate::http;
use crate::model::{Node, numbered};
use crate::monitor;
use crate::protocol::Entry;
use crate::recent::Recent;
use crate::subscription::{Memory, Service, tidy_rejected};
use access::Following;
use background::Background;
use hooking::Hooking;
use monitoring::Monitoring;
use nodes::{Look, Nodes};
use pulse::Pulse;
pub use reload::{Reload, SetLogLevel};
use systemd::Systemd;
use troubles::Troubles;
use watching::Watching;

/// The longest that the end of the daemon may take: steps that are under way are finished, dumps are given up.
pub const STOP_LIMIT: Duration = Duration::from_secs(20);

/// The longest that the daemon leaves the machine to others after a look: signals and requests wait meanwhile.
const LONGEST_BREATH: Duration = Duration::from_secs(1);

/// Everything that can happen to the daemon.
#[derive(Debug)]
enum Event {
    /// Something may have changed in the drop directory.
    Look,
    /// A name appeared there by a rename.
    Renamed(std::ffi::OsString),
    /// A node's worker has come back.
    Rested(Node, Memory, Result<()>),
    /// SIGHUP.
    Reload,
    /// SIGTERM or SIGINT.
    Stop(&'static str),
}

/// Runs until it is told to stop. An error is one that a person must mend.
/// What it logs as an error is looked up in `recent` by those who watch.
pub async fn run(config: Config, reload: Reload, recent: Recent) -> Result<()> {
    let paths = config.paths.clone();
    ground::require_directories(&paths)?;
    let access = Access::load(&config)?;
    let monitor = monitor::load(&config)?;
    if disk::own_number() == 0 {
        tracing::warn!(
            "this runs as root, which it does not need: give it an account of its own, and its directories to that"
        );
    }
    let _instance = Instance::take_soon(&paths).await?;
    ground::create_registry(&paths)?;
    disk::claim_directory(&paths.rejected())?;
    disk::remove(&paths.die_file())?;
    recover::sweep(&paths)?;
    // Of an earlier run that was killed.
    disk::remove_fleeting(&paths.dumps())?;
    let troubles = Troubles::new(paths.troubles())?;
    let (events, received) = unbounded_channel();
    let (hints, hinted) = unbounded_channel();
    let watch = Watch::new(&paths.triggerdir, hints);
    tokio::spawn(pass_on(hinted, events.clone()));
    let ending = signals::listen(&events)?;

    tracing::info!(version = env!("CARGO_PKG_VERSION"), triggerdir = %paths.triggerdir.display(), "started");
    let monitoring = Monitoring::start(&config, monitor, None);
    let service = Service::new(config, access);
    let (stop, pulse) = (CancellationToken::new(), Pulse::new());
    let watching = Watching::new(service.clone(), pulse.clone(), recent);
    let (splitter, splitter_seen) = watch::channel(SplitterSeen::default());
    let hooking = Hooking::start(&service.config, watching.clone(), splitter_seen);
    if let Some(listen) = &service.config.watch.http_listen {
        tokio::spawn(http::serve(listen.clone(), watching.clone(), stop.clone()));
    }
    let mut daemon = Daemon {
        nodes: Nodes::new(service.clone(), events, troubles.clone()),
        telling: tokio::spawn(dumps::tell(service.clone())),
        watch_task: tokio::spawn(watching.clone().watch(stop.clone())),
        watching,
        service,
        reload,
        hooking,
        systemd: Systemd::new(),
        events: received,
        ending,
        stop,
        pulse,
        troubles,
        watch,
        splitter,
        splitting: Splitting::Waiting,
        monitoring,
        following: Following::default(),
        told_of_rejected: false,
        unsettled: None,
    };
    let ended = daemon.serve().await;
    let why = ended.as_ref().map_or_else(Error::chain, |why| (*why).to_owned());
    tracing::info!(why, "stopping");
    daemon.end(&why).await;
    tracing::info!("stopped");
    ended.map(drop)
}

struct Daemon {
    service: Arc<Service>,
    nodes: Nodes,
    reload: Reload,
    hooking: Hooking,
    systemd: Systemd,
    events: UnboundedReceiver<Event>,
    /// Somebody has asked for the end, which stands among the events.
    ending: CancellationToken,
    /// Says how far the dumps are.
    telling: JoinHandle<()>,
    /// Looks at the whole for those who watch.
    watching: Arc<Watching>,
    watch_task: JoinHandle<()>,
    /// Ends those who watch.
    stop: CancellationToken,
    /// Whether all of it turns.
    pulse: Arc<Pulse>,
    /// What of it is tried again.
    troubles: Arc<Troubles>,
    watch: Watch,
    /// What the splitter says of itself.
    splitter: watch::Sender<SplitterSeen>,
    splitting: Splitting,
    /// The task that watches the servers; `None`: none are configured.
    monitoring: Option<Monitoring>,
    /// What follows from `access_file`.
    following: Following,
    /// It was said that `rejected` overflows.
    told_of_rejected: bool,
    /// Nodes that an earlier run left in the middle of something; `None` before the first look.
    unsettled: Option<BTreeSet<Node>>,
}

/// The tasks that split and tidy.
enum Splitting {
    /// Not before everything that a kill left is at rest.
    Waiting,
    /// They run; `None`: no archives are configured.
    Begun(Option<Background>),
}

impl Daemon {
    /// The loop. Returns why it ended.
    async fn serve(&mut self) -> Result<&'static str> {
        // Late looks do not add up: after a long step the next one is a full interval away.
        let mut next_time = Instant::now();
        let mut next_look = next_time;
        loop {
            let event = tokio::select! {
                event = self.events.recv() => event,
                () = tokio::time::sleep_until(next_look) => Some(Event::Look),
                () = self.systemd.beat_time() => {
                    self.systemd.beat();
                    continue;
                }
            };
            if let Some(why) = self.take(event)? {
                return Ok(why);
            }
            let die_file = self.service.config.paths.die_file();
            if disk::exists(&die_file) {
                disk::remove(&die_file)?;
                return Ok("the die file");
            }
            let now = Instant::now();
            let why = if now >= next_time { Look::Time } else { Look::Hint };
            let ending = self.ending.clone();
            let looked = tokio::select! {
                looked = self.look(why) => looked,
                // It may wait for somebody who has the hold; the end does not.
                () = ending.cancelled() => continue,
            };
            self.systemd.beat();
            self.tell_systemd(looked.is_ok());
            let wait = looked.unwrap_or_else(|error| {
                tracing::error!(error = error.chain(), "cannot look at the drop directory");
                None
            });
            if why == Look::Time {
                next_time = now + self.service.config.rescan;
            }
            // A look reads whatever lies there. While a thousand nodes are at work each of their steps asks for one: as
            // long as it took, they have the machine for themselves.
            tokio::time::sleep(now.elapsed().min(LONGEST_BREATH)).await;
            next_look = wait.map_or(next_time, |wait| next_time.min(now + wait));
        }
    }

    /// Looks at the drop directory. Before the first time everything that a kill left is tidied; a node that cannot be
    /// brought to rest is tried again when it is time. Until then nothing is split, unless it is that node's own trouble.
    async fn look(&mut self, why: Look) -> Result<Option<Duration>> {
        self.following.look(&self.service.access, &self.service.config.paths);
        if why == Look::Time {
            self.watch.renew();
        }
        // It goes with a drop directory that another takes the place of; and what others put there is not followed.
        if disk::exists(&self.service.config.paths.triggerdir) {
            disk::claim_directory(&self.service.config.paths.rejected())?;
        }
        let mut unsettled = match self.unsettled.take() {
            None => self.systemd.meanwhile(recover::tidy(&self.service)).await?,
            Some(unsettled) => unsettled,
        };
        if why == Look::Time {
            let mut all_wait = false;
            if !unsettled.is_empty() {
                let rest = recover::bring_to_rest(&self.service, &mut unsettled);
                all_wait = self.systemd.meanwhile(rest).await;
            }
            self.clear_rejected();
            if !all_wait && matches!(self.splitting, Splitting::Waiting) {
                self.splitting = Splitting::Begun(Background::start(&self.service, self.told(), None));
            }
        }
        let wait = self.nodes.look(why, &unsettled);
        self.unsettled = Some(unsettled);
        if wait.is_ok() {
            self.pulse.looked();
        }
        wait
    }

    /// Who is told how the splitter stands.
    fn told(&self) -> splitting::Told {
        let (seen, pulse) = (self.splitter.clone(), self.pulse.clone());
        splitting::Told { seen, pulse, troubles: self.troubles.clone() }
    }

    /// That is not why anybody else waits.
    fn clear_rejected(&mut self) {
        match tidy_rejected(&self.service.config.paths) {
            Ok(0) => {}
            // Once is enough, however long somebody goes on.
            Ok(removed) if self.told_of_rejected => tracing::debug!(removed, "cleared `rejected`"),
            Ok(removed) => {
                self.told_of_rejected = true;
                tracing::warn!(
                    removed,
                    "the oldest of what lay in `rejected` is removed, now and from now on"
                );
            }
            Err(error) => tracing::error!(error = error.chain(), "`rejected` is not cleared"),
        }
    }

    /// Takes an event, and what else has happened meanwhile, so that a thousand hints lead to one look.
    fn take(&mut self, first: Option<Event>) -> Result<Option<&'static str>> {
        let mut event = first.or(Some(Event::Stop("the end of events")));
        while let Some(this) = event {
            match this {
                Event::Look => {}
                Event::Renamed(name) => self.nodes.renamed(name),
                Event::Rested(node, memory, result) => self.nodes.rested(node, memory, result)?,
                Event::Reload => self.reload(),
                Event::Stop(why) => return Ok(Some(why)),
            }
            event = self.events.try_recv().ok();
        }
        Ok(None)
    }

    /// Takes over the configuration as it stands in its file now, unless it has faults.
    fn reload(&mut self) {
        self.systemd.reloading();
        match self.reload.read(&self.service) {
            Ok((service, monitor)) => self.take_over(service, monitor),
            Err(error) => tracing::error!(
                "the configuration is not taken over, the one before goes on: {}",
                error.chain()
            ),
        }
        self.systemd.reloaded();
    }

    /// What is under way ends as it began; what begins goes by this service.
    fn take_over(&mut self, service: Arc<Service>, monitor: Option<MonitorConfig>) {
        if !Arc::ptr_eq(&service.access, &self.service.access) {
            self.following = Following::default();
        }
        self.service = service;
        self.nodes.take_over(self.service.clone());
        self.watching.take_over(self.service.clone());
        self.hooking.reload(&self.service.config);
        self.monitoring = Monitoring::start(&self.service.config, monitor, self.monitoring.take());
        let told = self.told();
        if let Splitting::Begun(background) = &mut self.splitting {
            *background = Background::start(&self.service, told, background.take());
        }
        tracing::info!("the configuration is taken over");
    }

    /// Ready is who has looked once: a node that cannot be brought to rest keeps nobody else from being served.
    fn tell_systemd(&mut self, has_looked: bool) {
        if !self.systemd.is_there() {
            return;
        }
        if has_looked {
            self.systemd.ready();
        }
        let registry = ground::registry(&self.service.config.paths);
        let nodes = registry.map_or(0, |registry| registry.entries().filter_map(Entry::node).count() as u64);
        let (running, unsettled) =
            (self.nodes.running() as u64, self.unsettled.as_ref().map_or(0, BTreeSet::len));
        let trouble = if unsettled > 0 { format!(", {unsettled} not at rest") } else { String::new() };
        self.systemd.status(format!(
            "{}, {} under way{trouble}",
            numbered(nodes, "node"),
            numbered(running, "request")
        ));
    }

    /// Ends everything, or leaves it to the next start where it takes too long.
    async fn end(mut self, why: &str) {
        self.systemd.stopping();
        self.stop.cancel();
        let at_work = async {
            let background = match self.splitting {
                Splitting::Begun(background) => background,
                Splitting::Waiting => None,
            };
            let background = async {
                if let Some(background) = background {
                    background.end().await;
                }
            };
            let monitoring = async {
                if let Some(monitoring) = self.monitoring {
                    monitoring.end().await;
                }
            };
            let _ = tokio::join!(self.nodes.stop(), background, monitoring, self.watch_task);
        };
        if tokio::time::timeout(STOP_LIMIT, at_work).await.is_err() {
            tracing::warn!("something does not end; it is left to the next start");
        }
        self.telling.abort();
        let _ = disk::remove_fleeting(&self.service.config.paths.dumps());
        self.troubles.end();
        self.hooking.end(why).await;
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
