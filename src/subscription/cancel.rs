//! An operator has cancelled the open request: it ends as one that nobody answers.

use super::stage::Stage;
use super::worker::Worker;
use super::{cleanup, refuse};
use crate::disk;
use crate::error::Result;
use crate::ground::{Ground, read};
use crate::protocol::Cancel;

/// What the subscriber is told.
const REASON: &str = "the operator of the data centre has cancelled the request";

/// Does what the operator wants, if anything. The word is forgotten when the node is at rest and its request no longer open, not
/// before: a kill in the middle leads back here. Whether the node has to be looked at again.
pub(super) async fn obey(worker: &Worker, ground: &Ground, stage: &Stage) -> Result<bool> {
    let path = worker.service.config.paths.cancel(&worker.node);
    let Some(cancel) = read(&path, Cancel::parse)? else { return Ok(false) };
    // It ends already.
    if matches!(stage, Stage::CleaningUp(_) | Stage::Applied(..) | Stage::Refusing(_)) {
        return Ok(false);
    }
    if ground.open.as_ref().is_none_or(|open| !cancel.means(open)) {
        return disk::remove(&path).map(|()| false);
    }
    match stage {
        Stage::Answered(stem, _) => cleanup::expire(worker, ground, *stem, REASON).await.map(|()| true),
        Stage::Updating(_) => refuse::refuse(worker, REASON).await.map(|()| true),
        // Of the others only a newer request leaves it open, and that takes its place.
        _ => Ok(false),
    }
}
