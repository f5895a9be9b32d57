//! `subscription_cleanup`: what follows the subscriber's word. `.cleanup` is written first and holds what `.done` will say;
//! from then on everything can be done again after a kill, and becomes visible as `.done` by one rename.

use super::decide::{self, begin_again, finish, promote, roll_back};
use super::refuse;
use super::service::act;
use super::worker::Worker;
use crate::disk;
use crate::error::Result;
use crate::ground::{Ground, read};
use crate::model::{Series, SeriesList};
use crate::protocol::{Done, Kind, OpenRequest, Outcome, Site, Stem};

/// Takes the subscriber's word: decides, and writes down what was decided.
pub(super) fn take_outcome(worker: &Worker, ground: &Ground, stem: Stem, outcome: &Outcome) -> Result<()> {
    if let Some((open, cut)) = ground.open.as_ref().and_then(|open| Some((open, open.cut()?))) {
        let request = ground.request(open)?;
        let failure = decide::verdict(outcome, &request, decide::limit(open.site, cut)).err();
        write_cleanup(worker, ground, open, failure)?;
    }
    disk::remove(&worker.service.config.paths.trigger(&worker.node, stem, Kind::SqlApplied))
}

/// Ends a request that nobody answered. A deployed client would take `.done` for success: it gets a failure instead.
pub(super) async fn expire(worker: &Worker, ground: &Ground, stem: Stem, reason: &str) -> Result<()> {
    let Some(open) = &ground.open else { return Ok(()) };
    match stem {
        Stem::Document => write_cleanup(worker, ground, open, Some(reason.to_owned())),
        Stem::Deployed => {
            // No longer published, so that a kill after the answer leaves the stage `refusing`.
            disk::write(&ground.site.open_request, &begin_again(open).write())?;
            refuse::refuse(worker, reason).await
        }
    }
}

fn write_cleanup(
    worker: &Worker,
    ground: &Ground,
    open: &OpenRequest,
    failure: Option<String>,
) -> Result<()> {
    let node = &worker.node;
    match &failure {
        None => tracing::info!(%node, "the site applied the SQL"),
        Some(reason) => tracing::warn!(%node, reason, "rolling back"),
    }
    let list = match failure {
        None => open.cut().map(|cut| &cut.list),
        Some(_) => ground.list(),
    };
    let id = ground.request(open)?.id;
    let done = Done { id, failure, series: list.map(names).unwrap_or_default() };
    disk::write(&worker.service.config.paths.trigger(node, open.stem, Kind::Cleanup), done.write().as_bytes())
}

/// Finishes or rolls back, as `.cleanup` says.
pub(super) async fn clean_up(worker: &Worker, stem: Stem) -> Result<()> {
    let Worker { service, node, .. } = worker;
    let paths = &service.config.paths;
    let path = paths.trigger(node, stem, Kind::Cleanup);
    let hold = service.hold().await?;
    let ground = service.ground(node)?;
    if ground.open.as_ref().is_some_and(|open| open.stem != stem) {
        return refuse::set_aside(paths, &path, "it belongs to no open request of this dialect");
    }
    let Some(done) = read(&path, Done::parse).unwrap_or_default() else {
        return refuse::set_aside(paths, &path, "the manager did not write this");
    };
    if let Some(open) = &ground.open {
        let steps = match (open.cut(), &done.failure) {
            (Some(cut), None) => {
                // A new site's lists begin with its cut, whatever lies there of a namesake.
                let cuts = ground.cuts.as_ref().filter(|_| open.site == Site::Known);
                promote(paths, &ground.site, open.site, cut, &ground.registry, cuts)
            }
            _ => roll_back(paths, &ground.site, &ground.registry),
        };
        act(steps).await?;
    }
    drop(hold);
    act(finish(paths, &ground.site, node, stem)).await?;
    tracing::info!(%node, success = done.failure.is_none(), "request ended");
    Ok(())
}

fn names(list: &SeriesList) -> Vec<Series> {
    list.iter().map(|subscription| subscription.series.clone()).collect()
}
