//! Runs the commands: of one node one after the other, a few at once in all. What goes wrong with one is logged, and that is all.

use std::collections::HashMap;
use std::time::Duration;

use tokio::task::{Id, JoinSet};

use super::message::{Condition, object};
use super::queue::{Queue, Waiting};
use crate::command;
use crate::config::HooksConfig;
use crate::disk;
use crate::model::Hook;

/// So many commands run at once. They are small, and none is waited for.
const AT_ONCE: usize = 4;

/// What a command is to be told.
#[derive(Debug)]
pub struct Task {
    /// What it is run for.
    pub hook: Hook,
    /// Whom it is about.
    pub node: Option<String>,
    /// The object.
    pub text: Vec<u8>,
    /// Who wants to know that it is told.
    pub source: Source,
}

/// Who wants to know that something is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// The line of the audit trail that begins here.
    Trail(u64),
    /// What is to be taken out of the state.
    State(Condition),
    /// Nobody.
    Daemon,
}

/// Runs the commands.
pub struct Teller {
    config: HooksConfig,
    queue: Queue<Task>,
    running: JoinSet<()>,
    /// Of each command that runs: its lane, and who waits for it.
    sources: HashMap<Id, (Option<String>, Source)>,
    /// How many were dropped since nothing waited.
    dropped: usize,
}

impl Task {
    /// Of something that was found by looking, or that the daemon says of itself.
    pub fn of_condition(condition: &Condition, cluster: &str, source: Source) -> Self {
        Self {
            hook: condition.hook,
            node: condition.facts.node.clone(),
            text: object(condition.hook, cluster, &condition.facts),
            source,
        }
    }
}

impl Waiting for Task {
    fn lane(&self) -> Option<&str> {
        self.node.as_deref()
    }

    fn size(&self) -> usize {
        self.text.len()
    }
}

impl Teller {
    /// Nothing runs.
    pub fn new(config: HooksConfig) -> Self {
        let (queue, running) = (Queue::default(), JoinSet::new());
        let teller = Self { config, queue, running, sources: HashMap::new(), dropped: 0 };
        teller.warn_of_missing();
        teller
    }

    /// A program may be installed later, or be away for a while.
    fn warn_of_missing(&self) {
        for (hook, words) in &self.config.commands {
            let Some(program) = words.first() else { continue };
            if !disk::finds_program(program) {
                tracing::warn!(hook = hook.word(), "there is no program `{program}` that may be run");
            }
        }
    }

    /// What runs goes on; what waits is told as this says.
    pub fn reload(&mut self, config: HooksConfig) {
        self.config = config;
        self.warn_of_missing();
    }

    /// Tells this when it is its turn. Returns what is not told at all.
    pub fn push(&mut self, task: Task) -> Vec<Source> {
        if !self.config.commands.contains_key(&task.hook) {
            return vec![task.source];
        }
        let dropped = self.queue.push(task);
        if !dropped.is_empty() && self.dropped == 0 {
            tracing::warn!("hooks take longer than events come: the oldest are dropped");
        }
        self.dropped += dropped.len();
        dropped.into_iter().map(|task| task.source).collect()
    }

    /// Starts what may run. Returns what nobody wants to be told of any more.
    pub fn start(&mut self) -> Vec<Source> {
        let mut unwanted = Vec::new();
        while self.running.len() < AT_ONCE {
            let Some(task) = self.queue.next() else { break };
            let Some(words) = self.config.commands.get(&task.hook).cloned() else {
                self.queue.free(task.node.as_deref());
                unwanted.push(task.source);
                continue;
            };
            let Task { hook, node, text, source } = task;
            let (lane, limit) = (node.clone(), self.config.timeout);
            let started =
                self.running.spawn(async move { tell(hook, node.as_deref(), &words, &text, limit).await });
            self.sources.insert(started.id(), (lane, source));
        }
        if self.queue.is_empty() && self.dropped > 0 {
            tracing::warn!(dropped = self.dropped, "hooks keep up again; so many of the oldest were dropped");
            self.dropped = 0;
        }
        unwanted
    }

    /// Waits for the end of a command that runs; `None` if none does.
    pub async fn ended(&mut self) -> Option<Source> {
        let id = match self.running.join_next_with_id().await? {
            Ok((id, ())) => id,
            Err(error) => error.id(),
        };
        let (lane, source) = self.sources.remove(&id)?;
        self.queue.free(lane.as_deref());
        Some(source)
    }

    /// Those that have ended by now.
    pub fn have_ended(&mut self) -> Vec<Source> {
        let mut ended = Vec::new();
        while let Some(result) = self.running.try_join_next_with_id() {
            let id = result.map_or_else(|error| error.id(), |(id, ())| id);
            ended.extend(self.sources.remove(&id).map(|(_, source)| source));
        }
        ended
    }

    /// Ends what runs, and tells this in so much time.
    pub async fn end(mut self, last: &Task, limit: Duration) {
        self.running.shutdown().await;
        if let Some(words) = self.config.commands.get(&last.hook) {
            tell(last.hook, None, words, &last.text, limit.min(self.config.timeout)).await;
        }
    }
}

async fn tell(hook: Hook, node: Option<&str>, words: &[String], text: &[u8], limit: Duration) {
    let (hook, node, command) = (hook.word(), node.unwrap_or("-"), words.first().map_or("", String::as_str));
    match command::run(words, text, limit).await {
        Ok(said) => tracing::debug!(hook, node, command, said, "told"),
        Err(failure) => tracing::warn!(hook, node, command, %failure, "the hook failed"),
    }
}
