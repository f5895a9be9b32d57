//! Running the commands: one after the other in the order of what happened, beside the watch, which never waits for them.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::command;
use crate::config::MonitorConfig;
use crate::model::Occasion;
use crate::protocol::watched::Telling;

/// So many changes wait at the most...
const LONGEST: usize = 1_000;
/// ...and so many bytes: they are written down at every round.
const LARGEST: usize = 8 << 20;

/// The one who runs them. Dropping it ends the command that runs.
pub(super) struct Teller {
    waiting: Arc<Waiting>,
    task: JoinHandle<()>,
}

struct Waiting {
    queue: Mutex<Queue>,
    news: Notify,
    stop: CancellationToken,
}

/// What is to be told. The first stays in it while its command runs, so that what is not in it has been told.
#[derive(Default)]
struct Queue {
    commands: HashMap<Occasion, Vec<String>>,
    limit: Duration,
    tellings: VecDeque<Telling>,
    is_running: bool,
    /// How many were dropped since nothing waited.
    dropped: usize,
}

impl Teller {
    /// Begins with what an earlier run may not have told.
    pub(super) fn start(config: &MonitorConfig, untold: Vec<Telling>) -> Self {
        let waiting = Arc::new(Waiting {
            queue: Mutex::default(),
            news: Notify::new(),
            stop: CancellationToken::new(),
        });
        let task = tokio::spawn(work(waiting.clone()));
        let teller = Self { waiting, task };
        teller.take_over(config);
        teller.push(untold);
        teller
    }

    /// What runs goes on as it began; what waits is told as this says.
    pub(super) fn take_over(&self, config: &MonitorConfig) {
        let mut queue = self.waiting.queue();
        (queue.commands, queue.limit) = (config.triggers.clone(), config.trigger_timeout);
    }

    /// Adds what a round has brought. A heartbeat that is still waiting then is old news, and goes: commands that take longer
    /// than a round do not pile up.
    pub(super) fn push(&self, tellings: Vec<Telling>) {
        if self.waiting.queue().push(tellings) {
            tracing::warn!("the monitor's commands take longer than changes come: the oldest are dropped");
        }
        self.waiting.news.notify_one();
    }

    /// Lets the command that runs come to its end, for so long at the most: what it was told need not be told again then. No other
    /// one is begun.
    pub(super) async fn rest(&mut self, limit: Duration) {
        self.waiting.stop.cancel();
        if self.task.is_finished() || tokio::time::timeout(limit, &mut self.task).await.is_ok() {
            return;
        }
        let command = self.waiting.queue().running().map(|(_, words, _)| words.join(" "));
        tracing::warn!(command, "this is ended before its time, and told again");
        self.task.abort();
    }

    /// Changes that have not been told yet, or are just being told. The next start says of itself that it is up.
    pub(super) fn untold(&self) -> Vec<Telling> {
        let is_change = |telling: &&Telling| !matches!(telling.occasion, Occasion::Up | Occasion::Heartbeat);
        self.waiting.queue().tellings.iter().filter(is_change).cloned().collect()
    }
}

impl Drop for Teller {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Queue {
    /// Returns whether something was dropped for it, for the first time since nothing waited.
    fn push(&mut self, tellings: Vec<Telling>) -> bool {
        let running = usize::from(self.is_running);
        let mut at = 0;
        self.tellings.retain(|telling| {
            at += 1;
            at <= running || telling.occasion != Occasion::Heartbeat
        });
        let wanted = tellings.into_iter().filter(|telling| self.commands.contains_key(&telling.occasion));
        self.tellings.extend(wanted);
        let mut bytes: usize = self.tellings.iter().map(|telling| telling.input.len()).sum();
        let before = self.dropped;
        while self.tellings.len() > running + 1 && (self.tellings.len() > LONGEST || bytes > LARGEST) {
            let oldest = self.tellings.remove(running);
            bytes -= oldest.map_or(0, |oldest| oldest.input.len());
            self.dropped += 1;
        }
        before == 0 && self.dropped > 0
    }

    /// What is to be told first, by which command, and how long that may take; `None` if nothing is.
    fn running(&self) -> Option<(Telling, Vec<String>, Duration)> {
        let telling = self.tellings.front()?;
        let words = self.commands.get(&telling.occasion).cloned().unwrap_or_default();
        Some((telling.clone(), words, self.limit))
    }
}

impl Waiting {
    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn next(&self) -> Option<(Telling, Vec<String>, Duration)> {
        let mut queue = self.queue();
        queue.is_running = !queue.tellings.is_empty();
        queue.running()
    }

    /// Returns how many were dropped since nothing waited, if nothing does any more.
    fn done(&self) -> Option<usize> {
        let mut queue = self.queue();
        queue.tellings.pop_front();
        queue.is_running = false;
        (queue.tellings.is_empty() && queue.dropped > 0).then(|| std::mem::take(&mut queue.dropped))
    }
}

async fn work(waiting: Arc<Waiting>) {
    while !waiting.stop.is_cancelled() {
        if let Some((telling, words, limit)) = waiting.next() {
            tell(&telling, &words, limit).await;
            if let Some(dropped) = waiting.done() {
                tracing::warn!(
                    dropped,
                    "the monitor's commands keep up again; so many of the oldest were dropped"
                );
            }
            continue;
        }
        tokio::select! {
            () = waiting.news.notified() => {}
            () = waiting.stop.cancelled() => {}
        }
    }
}

async fn tell(telling: &Telling, words: &[String], limit: Duration) {
    // None is wanted any more.
    let Some(command) = words.first() else { return };
    let trigger = telling.occasion.reference_name();
    match command::run(words, telling.input.as_bytes(), limit).await {
        Ok(said) => tracing::debug!(trigger, command, said, "told"),
        Err(failure) => tracing::error!(trigger, command, %failure, "the command failed"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_too_much_goes_the_oldest_first_but_never_what_runs() {
        let words = vec!["true".to_owned()];
        let commands = [Occasion::StandbyDown, Occasion::Heartbeat].map(|occasion| (occasion, words.clone()));
        let mut queue = Queue { commands: commands.into(), ..Queue::default() };
        let telling = |occasion, input: String| Telling { occasion, input };
        let change = |number: usize| telling(Occasion::StandbyDown, number.to_string());
        // Nobody asks for this one.
        assert!(!queue.push(vec![telling(Occasion::StandbyUp, String::new())]) && queue.tellings.is_empty());
        assert!(!queue.push(vec![telling(Occasion::Heartbeat, "runs".into())]));
        queue.is_running = true;
        assert!(!queue.push(vec![telling(Occasion::Heartbeat, "old".into())]));
        let inputs = |queue: &Queue, count: usize| -> Vec<String> {
            queue.tellings.iter().take(count).map(|telling| telling.input.clone()).collect()
        };
        assert!(!queue.push((1..LONGEST).map(change).collect()));
        assert_eq!((queue.tellings.len(), inputs(&queue, 2)), (LONGEST, vec!["runs".into(), "1".into()]));
        assert!(queue.push(vec![change(LONGEST), change(LONGEST + 1)]), "it is said");
        assert_eq!(inputs(&queue, 2), ["runs", "3"]);
        assert!(!queue.push(vec![telling(Occasion::StandbyDown, " ".repeat(LARGEST))]), "once");
        assert_eq!((queue.tellings.len(), queue.dropped), (2, LONGEST + 1));
    }
}
