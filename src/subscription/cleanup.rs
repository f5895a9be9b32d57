//! `subscription_cleanup`: what follows the subscriber's word. `.cleanup` is written first and holds what `.done` will
//! say; from then on everything can be done again after a kill, and becomes visible as `.done` by one rename.

use super::audit;
use super::decide::{self, Verdict, finish, promote, roll_back};
use super::lost::{lost, make_again};
use super::obstacle;
use super::refuse;
use super::worker::Worker;
use crate::disk;
use crate::error::{Error, Result};
use crate::ground::{Ground, read};
use crate::model::{Series, SeriesList, Step};
use crate::paths::Paths;
use crate::protocol::{Done, Event, Kind, OpenRequest, Outcome, Site, Stem, Writer, read_counter};

/// Takes the subscriber's word: decides, and writes down what was decided.
pub(super) async fn take_outcome(
    worker: &Worker,
    ground: &Ground,
    stem: Stem,
    outcome: &Outcome,
) -> Result<()> {
    let paths = &worker.service.config.paths;
    let said = paths.trigger(&worker.node, stem, Kind::SqlApplied);
    let Some((open, cut)) = ground.open.as_ref().and_then(|open| Some((open, open.cut()?))) else {
        return Ok(());
    };
    match decide::verdict(outcome, &ground.request(open)?, decide::limit(open.site, cut)) {
        Verdict::Another => {
            // The right word may have taken its place since it was read.
            let read = disk::read_dropped(&said).ok().flatten();
            let Some(read) = read.filter(|read| Outcome::parse(&read.bytes).as_ref() == Some(outcome)) else {
                return Ok(());
            };
            let reason = "it speaks of another request than the open one";
            return refuse::set_aside(paths, &said, |there| there == read.identity, reason);
        }
        Verdict::Finish => write_cleanup(worker, ground, open, None)?,
        // Deployed clients take any `.done` for success; where they claim success it must not come.
        Verdict::RollBack(reason) if stem == Stem::Deployed && outcome.success => {
            return refuse::refuse(worker, &reason).await;
        }
        Verdict::RollBack(reason) => write_cleanup(worker, ground, open, Some(reason))?,
    }
    disk::remove(&said)
}

/// Ends a request that nobody answered. A deployed client would take `.done` for success: it gets a failure instead.
pub(super) async fn expire(worker: &Worker, ground: &Ground, stem: Stem, reason: &str) -> Result<()> {
    match (&ground.open, stem) {
        (Some(open), Stem::Document) => write_cleanup(worker, ground, open, Some(reason.to_owned())),
        (Some(_), Stem::Deployed) => refuse::refuse(worker, reason).await,
        (None, _) => Ok(()),
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
    let path = worker.service.config.paths.trigger(node, open.stem, Kind::Cleanup);
    worker.service.answer(node, &path, done.write().as_bytes())
}

/// What became of a plan that ends a request.
enum End {
    /// It is carried out.
    Done,
    /// It is for later.
    Early,
    /// It is of no open request.
    Foreign,
}

/// Finishes or rolls back, as `.cleanup` says. Whether there may be more to do now.
pub(super) async fn clean_up(worker: &Worker, stem: Stem) -> Result<bool> {
    let Worker { service, node, .. } = worker;
    let paths = service.config.paths.clone();
    let path = paths.trigger(node, stem, Kind::Cleanup);
    let done = match disk::read_dropped(&path) {
        Ok(None) => return Ok(true),
        // Put there since it was looked at.
        Ok(Some(file)) if service.access.may_write(&Writer::Manager, file.owner).is_err() => return Ok(true),
        Ok(Some(file)) => Done::parse(&file.bytes).map_err(|fault| fault.to_string()),
        Err(Error::Refused(reason)) => Err(reason),
        Err(error) => return Err(error),
    };
    let done = match done {
        Ok(done) => done,
        Err(reason) => {
            let reason = format!("the manager did not write this: {reason}");
            return refuse::set_aside(&paths, &path, |_| true, &reason).map(|()| true);
        }
    };
    let (success, name) = (done.failure.is_none(), node.clone());
    let reason = done.failure;
    let plan = move |ground: &Ground| {
        let mut steps = Vec::new();
        if let Some(open) = &ground.open {
            if open.stem != stem {
                return Ok((steps, End::Foreign));
            }
            if is_early(&paths, ground, open, success)? {
                return Ok((steps, End::Early));
            }
            if let Some(obstacle) = obstacle::of_end(ground, open, success) {
                return Err(Error::Stopped(obstacle));
            }
            let event = reason.as_deref().map_or(Event::Applied, |reason| audit::failure(open, reason));
            steps = vec![audit::tell(&paths, &name, ground, open, event, reason)];
            steps.extend(end(&paths, ground, open, success)?);
        }
        steps.extend(finish(&paths, &ground.site, &name, stem));
        Ok((steps, End::Done))
    };
    match service.change(node, plan).await? {
        End::Done => tracing::info!(%node, success, "request ended"),
        End::Early => {
            tracing::debug!(%node, "the request ends when its node has the logs up to the cut");
            return Ok(false);
        }
        End::Foreign => {
            let reason = "it belongs to no open request of this dialect";
            refuse::set_aside(&service.config.paths, &path, |_| true, reason)?;
        }
    }
    Ok(true)
}

/// The steps that end an open request.
fn end(paths: &Paths, ground: &Ground, open: &OpenRequest, success: bool) -> Result<Vec<Step>> {
    let lost = lost(paths, ground, open, success)?;
    let mut steps: Vec<_> = make_again(ground, lost.as_ref()).into_iter().collect();
    let Some(cut) = open.cut().filter(|_| success) else {
        let stopped = lost.as_ref().or(ground.stopped.as_ref());
        steps.extend(roll_back(paths, &ground.site, &ground.registry, stopped));
        return Ok(steps);
    };
    // A new site's lists begin with its cut, whatever lies there of a namesake.
    let cuts = ground.cuts.as_ref().filter(|_| open.site == Site::Known);
    let split = read(&paths.split_counter(), read_counter)?;
    steps.extend(promote(paths, &ground.site, open.site, cut, &ground.registry, cuts, split));
    Ok(steps)
}

/// Whether an end has to wait: deployed clients drop what they leave at `.done`, so logs that may have rows of it are to be there by
/// then. A failure changes nothing for them.
fn is_early(paths: &Paths, ground: &Ground, open: &OpenRequest, success: bool) -> Result<bool> {
    let Some(cut) = open.cut().filter(|_| success && open.stem == Stem::Deployed) else { return Ok(false) };
    if paths.archive_dir.is_none() || ground.request(open)?.unsubscribe.is_empty() {
        return Ok(false);
    }
    let split = read(&paths.split_counter(), read_counter)?.unwrap_or_default();
    let position = ground.stopped.as_ref().map_or(split, |stopped| split.min(stopped.before.previous()));
    Ok(position < cut.counter)
}

fn names(list: &SeriesList) -> Vec<Series> {
    list.iter().map(|subscription| subscription.series.clone()).collect()
}
