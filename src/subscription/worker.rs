//! One node's work: look where it stands, do what that stage asks for, look again, until it is the subscriber's turn.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use tokio_util::sync::CancellationToken;

use super::decide::show_answer;
use super::look::look;
use super::service::{Service, act};
use super::stage::{Seen, Stage, strays};
use super::{cleanup, refuse, update};
use crate::disk::Identity;
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
    /// Since when the database has been away for this node's request.
    pub away_since: Option<Instant>,
}

impl Worker {
    /// Works until it is the subscriber's turn or something has to be waited for. `whole` is a request that was found
    /// whole. Returns since when the database has been away, if it is.
    pub async fn advance(mut self, mut whole: Option<WholeRequest>) -> Result<Option<Instant>> {
        let mut last = None;
        loop {
            let ground = self.service.ground(&self.node)?;
            let paths = &self.service.config.paths;
            let seen = look(paths, &self.node, &ground, whole.map(|whole| whole.stem));
            self.set_strays_aside(&seen)?;
            let stage = Stage::of(&seen);
            if last.as_ref() != Some(&stage) {
                tracing::info!(node = %self.node, stage = stage.word(), "stage");
            }
            let worked = match &stage {
                Stage::CleaningUp(stem) => cleanup::clean_up(&self, *stem).await.map(|()| true),
                Stage::Applied(stem, outcome) => {
                    cleanup::take_outcome(&self, &ground, *stem, outcome).map(|()| true)
                }
                Stage::Requested(_) => match whole.take() {
                    Some(whole) => update::claim(&self, whole).await.map(|()| true),
                    None => Ok(false),
                },
                Stage::Refusing(stem) => refuse::withdraw(&self, *stem).await.map(|()| true),
                Stage::Updating(_) => update::update(&self).await.map(|()| true),
                Stage::Answered(stem, since) => self.answered(&ground, *stem, *since).await,
                Stage::Refused | Stage::Done | Stage::Idle => Ok(false),
            };
            match worked {
                Ok(true) => self.away_since = None,
                Ok(false) => return Ok(None),
                Err(error) => match self.consequence(&stage, &error) {
                    Next::Refuse(reason) => refuse::refuse(&self, &reason).await?,
                    Next::Rest => return Ok(self.away_since),
                    Next::Fail => return Err(error),
                },
            }
            last = Some(stage);
        }
    }

    fn set_strays_aside(&self, seen: &Seen) -> Result<()> {
        let paths = &self.service.config.paths;
        for (stem, kind, reason) in strays(seen) {
            let path = paths.trigger(&self.node, stem, kind);
            refuse::set_aside(paths, &path, reason)?;
            // A subscriber of the document waits for `.done` now. Deployed ones would take any for success.
            if kind == Kind::SqlApplied && stem == Stem::Document {
                refuse::answer_stray(paths, &self.node, reason)?;
            }
        }
        Ok(())
    }

    /// It is the subscriber's turn; what was made ready appears if a kill came between, and too long a wait ends.
    async fn answered(&self, ground: &Ground, stem: Stem, since: SystemTime) -> Result<bool> {
        act(show_answer(&self.service.config.paths, &self.node, stem)).await?;
        // A clock that was set back makes the wait longer, never shorter.
        let age = SystemTime::now().duration_since(since).unwrap_or(Duration::ZERO);
        if age < self.service.config.request_age {
            return Ok(false);
        }
        let days = self.service.config.request_age.as_secs() / 86_400;
        let reason = format!("nobody said within {days} days whether the SQL could be applied");
        cleanup::expire(self, ground, stem, &reason).await.map(|()| true)
    }

    /// What a failure in this stage leads to.
    fn consequence(&mut self, stage: &Stage, error: &Error) -> Next {
        let node = &self.node;
        match (error.consequence(), stage) {
            (Consequence::Nothing, _) => Next::Rest,
            (Consequence::Refuse, _) => Next::Refuse(error.to_string()),
            (Consequence::Retry, Stage::Updating(_)) => {
                let since = *self.away_since.get_or_insert_with(Instant::now);
                let patience = self.service.config.database_patience;
                tracing::warn!(%node, error = error.chain(), "the SQL could not be made; it is tried again");
                if since.elapsed() < patience {
                    return Next::Rest;
                }
                Next::Refuse(format!(
                    "the SQL could not be made for {} s: {}",
                    patience.as_secs(),
                    error.chain()
                ))
            }
            (Consequence::Retry | Consequence::Stop, _) => Next::Fail,
        }
    }
}

enum Next {
    /// Tell the subscriber.
    Refuse(String),
    /// Nothing more now.
    Rest,
    /// Tell the daemon.
    Fail,
}

/// Brings a node to rest after a start: what was being finished is finished, what was being made is thrown away, what was
/// ready appears. It needs no database.
pub async fn settle(service: &Arc<Service>, node: &Node) -> Result<()> {
    let worker = Worker {
        service: service.clone(),
        node: node.clone(),
        cancel: CancellationToken::new(),
        claimed: Box::new(|| {}),
        away_since: None,
    };
    let ground = service.ground(node)?;
    match Stage::of(&look(&service.config.paths, node, &ground, None)) {
        Stage::CleaningUp(stem) => cleanup::clean_up(&worker, stem).await,
        Stage::Refusing(stem) => refuse::withdraw(&worker, stem).await,
        Stage::Updating(_) => update::throw_away(&worker).await,
        Stage::Answered(stem, _) => act(show_answer(&service.config.paths, node, stem)).await,
        Stage::Applied(..) | Stage::Requested(_) | Stage::Refused | Stage::Done | Stage::Idle => Ok(()),
    }
}
