//! The task that tells operators what happens: follows the audit trail, looks at how things stand now and then, and has the commands
//! run. Where nothing is hooked to either, it waits for another configuration.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::watch;
use tokio::task::{JoinError, JoinHandle, JoinSet};
use tokio::time::Instant;

use super::watching::Watching;
use crate::config::Config;
use crate::error::{Error, Result};
use crate::hooks::{Condition, Seen, Source, SplitterSeen, State, Task, Teller, Trail, decide};
use crate::http::Source as _;
use crate::model::{Hook, write_time};
use crate::overview::Status;

/// How often the trail is asked whether it has grown: an examination of one open file.
const READ: Duration = Duration::from_secs(1);

/// The longest between two looks at how things stand.
const LOOK: Duration = Duration::from_secs(30);

/// The longest that the command for the end of the daemon may take.
const LAST: Duration = Duration::from_secs(4);

/// The longest that the end of all this may take.
const END_LIMIT: Duration = Duration::from_secs(5);

/// A failure that has not come for so long was over; the longest between two looks is much less.
const WELL: Duration = Duration::from_secs(5 * 60);

/// The task, as the daemon has it in hand.
pub(super) struct Hooking {
    orders: UnboundedSender<Order>,
    task: JoinHandle<()>,
}

/// What the daemon says to it.
enum Order {
    Reload(Box<Config>),
    /// The daemon ends, for this reason.
    End(String),
}

impl Hooking {
    /// Starts it. What the splitter says of itself comes by `splitter`.
    pub(super) fn start(
        config: &Config,
        watching: Arc<Watching>,
        splitter: watch::Receiver<SplitterSeen>,
    ) -> Self {
        let (orders, received) = unbounded_channel();
        let telling = Telling::new(config.clone(), watching, splitter);
        Self { orders, task: tokio::spawn(telling.run(received)) }
    }

    /// Another configuration holds.
    pub(super) fn reload(&self, config: &Config) {
        let _ = self.orders.send(Order::Reload(Box::new(config.clone())));
    }

    /// Ends it: commands that run are killed, and told again after the next start.
    pub(super) async fn end(mut self, why: &str) {
        let _ = self.orders.send(Order::End(why.to_owned()));
        if tokio::time::timeout(END_LIMIT, &mut self.task).await.is_err() {
            self.task.abort();
        }
    }
}

/// A failure, and when it came last.
struct Told {
    error: String,
    at: Instant,
}

impl Told {
    /// Whether this is another failure, or the same come back. What succeeds between two of the same says little: other files are read
    /// every second.
    fn is_over(&self, error: &str, now: Instant) -> bool {
        self.error != error || now.duration_since(self.at) > WELL
    }
}

struct Telling {
    config: Config,
    watching: Arc<Watching>,
    splitter: watch::Receiver<SplitterSeen>,
    teller: Teller,
    /// `None`: nobody asks for requests, or it cannot be opened.
    trail: Option<Trail>,
    /// `None`: nobody asks how things stand, or it cannot be read.
    state: Option<State>,
    /// The look that is under way, one at the most: a directory that does not answer keeps neither an order nor a command waiting.
    looking: JoinSet<Result<Arc<Status>>>,
    /// What went wrong last.
    told: Option<Told>,
    next_read: Instant,
    next_look: Instant,
}

impl Telling {
    fn new(config: Config, watching: Arc<Watching>, splitter: watch::Receiver<SplitterSeen>) -> Self {
        let (teller, now) = (Teller::new(config.hooks.clone()), Instant::now());
        Self {
            config,
            watching,
            splitter,
            teller,
            trail: None,
            state: None,
            looking: JoinSet::new(),
            told: None,
            next_read: now,
            next_look: now,
        }
    }

    async fn run(mut self, mut orders: UnboundedReceiver<Order>) {
        let mut started = of_daemon(Hook::Started, None);
        started.facts.version = Some(env!("CARGO_PKG_VERSION").to_owned());
        self.push_condition(&started, Source::Daemon);
        self.open();
        loop {
            let outcome = tokio::select! {
                order = orders.recv() => match order {
                    Some(Order::Reload(config)) => self.reload(*config),
                    Some(Order::End(why)) => return self.end(&why).await,
                    None => return,
                },
                Some(source) = self.teller.ended() => self.settle(vec![source]),
                () = tokio::time::sleep_until(self.next_read), if self.wants_requests() => self.read(),
                Some(seen) = self.looking.join_next() => self.see(seen),
                () = tokio::time::sleep_until(self.next_look), if self.may_look() => self.look(),
                // A change of the splitter's word need not wait.
                Ok(()) = self.splitter.changed(), if self.may_look() => self.look(),
            };
            let unwanted = self.teller.start();
            let settled = self.settle(unwanted);
            self.say(outcome.and(settled));
        }
    }

    fn wants_requests(&self) -> bool {
        self.config.hooks.has(Hook::is_of_request)
    }

    fn wants_state(&self) -> bool {
        self.config.hooks.has(Hook::is_of_state)
    }

    fn may_look(&self) -> bool {
        self.wants_state() && self.looking.is_empty()
    }

    /// Takes up what an earlier process has left untold. What nobody asks for is forgotten: whoever asks for it again wants to be told
    /// from then on.
    fn open(&mut self) {
        let outcome = self.open_trail().and_then(|()| self.open_state());
        let unwanted = self.teller.start();
        let settled = self.settle(unwanted);
        self.say(outcome.and(settled));
    }

    fn open_trail(&mut self) -> Result<()> {
        let paths = &self.config.paths;
        if !self.wants_requests() {
            self.trail = None;
            return Trail::forget(paths);
        }
        if self.trail.is_none() {
            self.trail = Some(Trail::open(paths)?);
        }
        Ok(())
    }

    fn open_state(&mut self) -> Result<()> {
        let paths = &self.config.paths;
        if !self.wants_state() {
            self.state = None;
            return State::forget(paths);
        }
        if self.state.is_none() {
            let state = State::load(paths)?;
            let waiting = state.waiting.clone();
            self.state = Some(state);
            for condition in waiting {
                self.push_condition(&condition, Source::State(condition.clone()));
            }
        }
        let hooked = self.config.hooks.commands.keys().copied().filter(|hook| hook.is_of_state()).collect();
        if let Some(state) = self.state.as_mut().filter(|state| state.hooked.as_ref() != Some(&hooked)) {
            let mut next = state.clone();
            next.ask(hooked);
            next.save(&self.config.paths)?;
            *state = next;
        }
        Ok(())
    }

    fn reload(&mut self, config: Config) -> Result<()> {
        self.teller.reload(config.hooks.clone());
        self.config = config;
        self.next_look = Instant::now();
        self.open_trail()?;
        self.open_state()
    }

    /// Reads what the audit trail has more of.
    fn read(&mut self) -> Result<()> {
        self.next_read = Instant::now() + READ;
        self.open_trail()?;
        let Some(trail) = &mut self.trail else { return Ok(()) };
        let mut untold = Vec::new();
        for line in trail.read(&self.config.cluster)? {
            let source = Source::Trail(line.begin);
            untold.extend(self.teller.push(Task {
                hook: line.hook,
                node: line.node,
                text: line.text,
                source,
            }));
        }
        self.settle(untold)
    }

    /// Begins to look at how things stand.
    fn look(&mut self) -> Result<()> {
        self.next_look = Instant::now() + self.config.rescan.min(LOOK);
        self.open_state()?;
        let watching = self.watching.clone();
        self.looking.spawn(async move { watching.status().await });
        Ok(())
    }

    /// This was seen. What is new is written down before it is told.
    fn see(&mut self, looked: Result<Result<Arc<Status>>, JoinError>) -> Result<()> {
        let status =
            looked.map_err(|error| Error::Stopped(format!("looking at the whole broke: {error}")))??;
        let splitter = self.splitter.borrow_and_update().clone();
        let seen = Seen::of(&status.overview, &self.config, splitter);
        let Some(state) = &mut self.state else { return Ok(()) };
        let (known, mut news) = decide(&state.known, &seen, &self.config.hooks.limits);
        news.retain(|condition| self.config.hooks.commands.contains_key(&condition.hook));
        if known == state.known && news.is_empty() {
            return Ok(());
        }
        let waiting = state.waiting.iter().chain(&news).cloned().collect();
        // What cannot be written down is not known yet, and is seen again at the next look.
        let next = State { known, waiting, hooked: state.hooked.clone() };
        next.save(&self.config.paths)?;
        *state = next;
        for condition in news {
            self.push_condition(&condition, Source::State(condition.clone()));
        }
        Ok(())
    }

    fn push_condition(&mut self, condition: &Condition, source: Source) {
        let untold = self.teller.push(Task::of_condition(condition, &self.config.cluster, source));
        let settled = self.settle(untold);
        self.say(settled);
    }

    /// This is told, or nobody wants to be told of it.
    fn settle(&mut self, sources: Vec<Source>) -> Result<()> {
        let (mut lines, mut conditions) = (Vec::new(), Vec::new());
        for source in sources {
            match source {
                Source::Trail(line) => lines.push(line),
                Source::State(condition) => conditions.push(condition),
                Source::Daemon => {}
            }
        }
        if let Some(trail) = self.trail.as_mut().filter(|_| !lines.is_empty()) {
            trail.tell(&lines)?;
        }
        if let Some(state) = self.state.as_mut().filter(|_| !conditions.is_empty()) {
            for condition in &conditions {
                state.tell(condition);
            }
            state.save(&self.config.paths)?;
        }
        Ok(())
    }

    /// Logs a failure when it is another than the last, or comes back. What could not be written down is told again after a restart.
    fn say(&mut self, outcome: Result<()>) {
        let failed = outcome.err().map(|error| error.chain());
        let Some(error) = failed else { return };
        let now = Instant::now();
        if self.told.as_ref().is_none_or(|told| told.is_over(&error, now)) {
            tracing::error!(error, "hooks are told late, or again after a restart");
        }
        self.told = Some(Told { error, at: now });
    }

    async fn end(mut self, why: &str) {
        let ended = self.teller.have_ended();
        let settled = self.settle(ended);
        self.say(settled);
        let stopped = of_daemon(Hook::Stopped, Some(why));
        let last = Task::of_condition(&stopped, &self.config.cluster, Source::Daemon);
        self.teller.end(&last, LAST).await;
    }
}

/// What the daemon says of itself.
fn of_daemon(hook: Hook, reason: Option<&str>) -> Condition {
    let mut condition = Condition::new(hook, None, &write_time(SystemTime::now()));
    condition.facts.reason = reason.map(str::to_owned);
    condition
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_is_said_once_and_again_when_it_has_come_back() {
        let since = Instant::now();
        let at = |seconds| since + Duration::from_secs(seconds);
        let told = |seconds| Told { error: "full".into(), at: at(seconds) };
        assert!(!told(0).is_over("full", at(30)), "every look fails");
        assert!(told(0).is_over("denied", at(30)));
        assert!(told(30).is_over("full", at(30 + 7 * 86_400)), "a week later");
    }
}
