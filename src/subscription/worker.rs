//! One node's work: look where it stands, do what that stage asks for, look again, until it is the subscriber's turn.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use tokio_util::sync::CancellationToken;

use super::decide;
use super::look::look;
use super::refuse::{Then, wind_back};
use super::service::{Service, blocking};
use super::stage::{Seen, Stage, strays};
use super::taken::return_taken;
use super::{cancel, claim, cleanup, refuse, update};
use crate::disk::{self, Identity};
use crate::error::{Consequence, Error, Result};
use crate::ground::Ground;
use crate::model::Node;
use crate::protocol::{Kind, Stem};

/// A request that is whole: its dialect, and the state of the file in which it was found so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WholeRequest {
    /// Its dialect.
    pub stem: Stem,
    /// The file, as it was read.
    pub identity: Identity,
}

/// The work on one node. One at a time for each node.
pub struct Worker {
    /// What it shares with the others.
    pub service: Arc<Service>,
    /// Whose work it is.
    pub node: Node,
    /// Ends a running dump: a newer request, or the end of the daemon.
    pub cancel: CancellationToken,
    /// Called when the request has been taken from the subscriber: a `.tgr` seen from then on is a newer one.
    pub claimed: Box<dyn Fn() + Send + Sync>,
    /// What earlier work on this node has left to remember.
    pub memory: Memory,
}

/// What is worth knowing between two runs of a node's work. Losing it at a restart only makes a wait longer.
#[derive(Debug, Clone, Copy, Default)]
pub struct Memory {
    /// The stage that was logged last.
    stage: Option<&'static str>,
    /// Since when the SQL of the open request could not be made.
    trouble_since: Option<Instant>,
    /// How many dumps of it broke.
    broken_dumps: u32,
}

impl Worker {
    /// For a node that nobody else works on.
    fn alone(service: &Arc<Service>, node: &Node) -> Self {
        Self {
            service: service.clone(),
            node: node.clone(),
            cancel: CancellationToken::new(),
            claimed: Box::new(|| {}),
            memory: Memory::default(),
        }
    }

    /// Works until it is the subscriber's turn or something has to be waited for. `whole` is a request that was found
    /// whole. Returns what to remember, and what the daemon must know of.
    pub async fn advance(mut self, whole: Option<WholeRequest>) -> (Memory, Result<()>) {
        let result = self.work(whole).await;
        (self.memory, result)
    }

    async fn work(&mut self, mut whole: Option<WholeRequest>) -> Result<()> {
        loop {
            let ground = self.service.ground(&self.node)?;
            let paths = &self.service.config.paths;
            let seen = look(paths, &self.service.access, &self.node, &ground, whole.map(|whole| whole.stem));
            self.set_strays_aside(&seen, &ground)?;
            let stage = Stage::of(&seen);
            if self.memory.stage.replace(stage.word()) != Some(stage.word()) {
                tracing::info!(node = %self.node, stage = stage.word(), "stage");
            }
            if cancel::obey(self, &ground, &stage).await? {
                continue;
            }
            // What follows may wait for a thousand others; a registry of thousands is not kept where it is not needed.
            let worked = match &stage {
                Stage::Applied(stem, outcome) => {
                    cleanup::take_outcome(self, &ground, *stem, outcome).await.map(|()| true)
                }
                Stage::Answered(stem, since) => self.answered(&ground, *stem, *since).await,
                other => {
                    drop(ground);
                    self.go_on(other, &mut whole).await
                }
            };
            match worked {
                Ok(true) => {}
                Ok(false) => return Ok(()),
                Err(error) => match error.consequence() {
                    Consequence::Refuse => refuse::refuse(self, &error.to_string()).await?,
                    Consequence::Nothing => return Ok(()),
                    Consequence::Retry | Consequence::Stop => return Err(error),
                },
            }
        }
    }

    /// What a stage asks for that looks at the node's files by itself. Whether there may be more to do.
    async fn go_on(&mut self, stage: &Stage, whole: &mut Option<WholeRequest>) -> Result<bool> {
        match stage {
            Stage::CleaningUp(stem) => cleanup::clean_up(self, *stem).await,
            Stage::Requested(_) => match whole.take() {
                Some(whole) => self.claim(whole).await.map(|()| true),
                None => Ok(false),
            },
            Stage::Refusing(stem) => refuse::close(self, *stem).await.map(|()| true),
            Stage::Updating(_) => self.make().await.map(|()| true),
            Stage::Applied(..) | Stage::Answered(..) | Stage::Refused | Stage::Done | Stage::Idle => {
                Ok(false)
            }
        }
    }

    /// Takes a request. A `.tgr` that is seen from now on is a newer one, whatever became of this; and its troubles are its
    /// own.
    async fn claim(&mut self, whole: WholeRequest) -> Result<()> {
        self.memory = Memory { stage: self.memory.stage, ..Memory::default() };
        let claimed = claim::claim(self, whole).await;
        (self.claimed)();
        claimed
    }

    /// Makes and publishes the SQL. What fails is tried again later, until patience is over and the subscriber is told.
    async fn make(&mut self) -> Result<()> {
        let (error, had_cut) = match update::update(self).await {
            Ok(()) => {
                self.memory.trouble_since = None;
                self.memory.broken_dumps = 0;
                return Ok(());
            }
            Err(broken) => broken,
        };
        if error.consequence() != Consequence::Retry {
            return Err(error);
        }
        // A database that gave a cut was not away: then it is the dumps that are counted. A disk of ours that is full or broken is
        // waited for as long as a database.
        if had_cut && !matches!(error, Error::Disk { .. }) {
            self.memory.trouble_since = None;
            self.memory.broken_dumps += 1;
        }
        let config = &self.service.config;
        let since = *self.memory.trouble_since.get_or_insert_with(Instant::now);
        if self.memory.broken_dumps < config.dump.attempts && since.elapsed() < config.database_patience {
            return Err(error);
        }
        let memory = std::mem::take(&mut self.memory);
        self.memory.stage = memory.stage;
        let waited = config.database_patience.as_secs();
        Err(Error::Refused(match memory.broken_dumps {
            0 => format!("the SQL could not be made for {waited} s: {}", error.chain()),
            dumps => format!("the SQL could not be made, {dumps} dumps broke; the last: {}", error.chain()),
        }))
    }

    fn set_strays_aside(&self, seen: &Seen, ground: &Ground) -> Result<()> {
        let paths = &self.service.config.paths;
        for (stem, kind, reason) in strays(seen) {
            // A subscriber of the document waits for `.done` now. Deployed ones would take any for success, and one that
            // waits for its SQL would find it too early.
            if kind == Kind::SqlApplied && stem == Stem::Document && seen.open.is_none() {
                refuse::answer_stray(&self.service, &self.node, ground.list(), reason)?;
            }
            // Whatever has the name: it means nothing here.
            refuse::set_aside(paths, &paths.trigger(&self.node, stem, kind), |_| true, reason)?;
        }
        Ok(())
    }

    /// It is the subscriber's turn; what was made ready appears if a kill came between, and too long a wait ends.
    async fn answered(&self, ground: &Ground, stem: Stem, since: SystemTime) -> Result<bool> {
        let steps = update::show(&self.service.config.paths, &self.node, ground, stem);
        blocking(move || disk::act(&steps)).await?;
        // A clock that was set back makes the wait longer, never shorter.
        let age = SystemTime::now().duration_since(since).unwrap_or(Duration::ZERO);
        if age < self.service.config.request_age {
            return Ok(false);
        }
        let days = self.service.config.request_age.as_secs() / 86_400;
        cleanup::expire(self, ground, stem, &decide::expiry(days)).await.map(|()| true)
    }
}

/// Works on a node outside of the daemon, which must not run: takes no request, and goes on with what is open. What a killed
/// daemon had taken is given back first.
pub async fn advance(service: &Arc<Service>, node: &Node) -> Result<()> {
    let site = service.ground(node)?.site;
    return_taken(&service.config.paths, node, &site.open_request)?;
    Worker::alone(service, node).advance(None).await.1
}

/// Brings a node to rest after a start: what was being finished is finished, what was being made is thrown away, what was
/// ready appears. It needs no database.
pub async fn settle(service: &Arc<Service>, node: &Node) -> Result<()> {
    let worker = Worker::alone(service, node);
    let ground = service.ground(node)?;
    match Stage::of(&look(&service.config.paths, &service.access, node, &ground, None)) {
        Stage::CleaningUp(stem) => cleanup::clean_up(&worker, stem).await.map(drop),
        Stage::Refusing(stem) => refuse::close(&worker, stem).await,
        Stage::Updating(_) => wind_back(&worker, Then::BeginAgain).await.map(drop),
        Stage::Answered(stem, _) => {
            let steps = update::show(&service.config.paths, node, &ground, stem);
            blocking(move || disk::act(&steps)).await
        }
        Stage::Applied(..) | Stage::Requested(_) | Stage::Refused | Stage::Done | Stage::Idle => Ok(()),
    }
}
