//! Saying no: the reason to the subscriber, the file aside, the node as it was.

use std::ffi::{OsStr, OsString};
use std::path::Path;

use super::audit;
use super::decide::{begin_again, forget_ready, forget_sql, roll_back, taken_back};
use super::lost::{lost, make_again};
use super::obstacle;
use super::service::Service;
use super::worker::Worker;
use crate::disk::{self, Identity};
use crate::error::{Error, Result};
use crate::model::{Node, SeriesList, Step};
use crate::paths::{Paths, shown};
use crate::protocol::{Done, Kind, OpenRequest, Outcome, Phase, SqlDone, Stem, TriggerFile};

/// Refuses the node's open request, whatever its phase. The answer is on disk before the request is closed: a kill in
/// between leads back here, and nobody waits for ever.
pub(super) async fn refuse(worker: &Worker, reason: &str) -> Result<()> {
    let paths = &worker.service.config.paths;
    let Some(open) = worker.service.ground(&worker.node)?.open else { return Ok(()) };
    let id = open.request().ok().and_then(|request| request.id);
    answer(&worker.service, &worker.node, open.stem, id, reason)?;
    // Only for people; the subscriber has its answer.
    if let Err(error) = keep_rejected(paths, &worker.node, open.stem, &open.text, reason) {
        tracing::warn!(node = %worker.node, error = error.chain(), "cannot keep the refused request");
    }
    wind_back(worker, Then::Close { reason: reason.to_owned() }).await.map(drop)
}

/// Closes a request whose subscriber has its refusal already: a kill came between.
pub(super) async fn close(worker: &Worker, stem: Stem) -> Result<()> {
    let path = worker.service.config.paths.trigger(&worker.node, stem, Kind::SqlDone);
    let reason = match disk::read_dropped(&path)?.map(|file| SqlDone::parse(&file.bytes)) {
        Some(Ok(SqlDone::Failure { reason, .. })) => reason,
        _ => "the manager was stopped while it refused the request".to_owned(),
    };
    wind_back(worker, Then::Close { reason }).await.map(drop)
}

/// What becomes of a request whose work is taken back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Then {
    /// It stays accepted.
    BeginAgain,
    /// It is closed.
    Close {
        /// What its subscriber was told.
        reason: String,
    },
}

/// Takes `.new` and everything that was made ready away again, under the hold. It goes by what is there, not by how far
/// the request says it is. Returns whether the stream had been cut for it.
pub(super) async fn wind_back(worker: &Worker, then: Then) -> Result<bool> {
    let (paths, node) = (worker.service.config.paths.clone(), worker.node.clone());
    let plan = move |ground: &crate::ground::Ground| {
        let Some(open) = &ground.open else { return Ok((Vec::new(), false)) };
        if then == Then::BeginAgain && matches!(open.phase, Phase::Published { .. }) {
            // The subscriber may apply the SQL by now: it stands.
            return Ok((Vec::new(), true));
        }
        if let Some(obstacle) = obstacle::of_end(ground, open, false) {
            return Err(Error::Stopped(obstacle));
        }
        let lost = lost(&paths, ground, open, false)?;
        let mut steps: Vec<_> = make_again(ground, lost.as_ref()).into_iter().collect();
        if let Then::Close { reason } = &then {
            let event = audit::failure(open, reason);
            steps.push(audit::tell(&paths, &node, ground, open, event, Some(reason.clone())));
        }
        let write = |open: OpenRequest| {
            let path = ground.site.open_request.clone();
            Step::Write { path, bytes: open.write() }
        };
        steps.push(write(taken_back(open, open.cut())));
        let stopped = lost.as_ref().or(ground.stopped.as_ref());
        steps.extend(roll_back(&paths, &ground.site, &ground.registry, stopped));
        steps.extend(forget_ready(&paths, &node));
        match then {
            Then::BeginAgain => steps.extend(open.cut().map(|_| write(begin_again(open)))),
            Then::Close { .. } => {
                let of = |kind| Step::Remove(paths.trigger(&node, open.stem, kind));
                steps.extend([of(Kind::Accepted), of(Kind::SqlApplied)]);
                steps.extend(forget_sql(&paths, &node));
                steps.push(Step::Remove(ground.site.open_request.clone()));
            }
        }
        Ok((steps, open.cut().is_some()))
    };
    worker.service.change(&worker.node, plan).await
}

/// Writes the failure where the subscriber looks for its answer.
fn answer(service: &Service, node: &Node, stem: Stem, id: Option<String>, reason: &str) -> Result<()> {
    tracing::warn!(%node, reason, "refused");
    let reason = match stem {
        Stem::Document => reason.to_owned(),
        // Deployed clients search the whole text for this word, and then say nothing of the reason.
        Stem::Deployed => without_error(reason),
    };
    let path = service.config.paths.trigger(node, stem, Kind::SqlDone);
    service.answer(node, &path, SqlDone::Failure { id, reason }.write().as_bytes())
}

/// Tells a subscriber of the document that its word has come to nothing.
pub(super) fn answer_stray(
    service: &Service,
    node: &Node,
    list: Option<&SeriesList>,
    reason: &str,
) -> Result<()> {
    let paths = &service.config.paths;
    let said = disk::read_dropped(&paths.trigger(node, Stem::Document, Kind::SqlApplied));
    let id = said.ok().flatten().and_then(|file| Outcome::parse(&file.bytes)?.id);
    let series = list.into_iter().flatten().map(|subscription| subscription.series.clone()).collect();
    let done = Done { id, failure: Some(reason.to_owned()), series };
    service.answer(node, &paths.trigger(node, Stem::Document, Kind::Done), done.write().as_bytes())
}

/// Refuses a request whose file is not even opened, in the state in which it was looked at.
pub fn reject_unread(
    service: &Service,
    file: &TriggerFile,
    path: &Path,
    judged: Option<Identity>,
    reason: &str,
) -> Result<()> {
    let paths = &service.config.paths;
    let Some(judged) = judged else { return Ok(()) };
    // An open request goes on: whatever this is, it is not its subscriber's next one.
    if !disk::is_there(&paths.site(&file.node, None).open_request)? {
        answer(service, &file.node, file.stem, None, reason)?;
    }
    set_aside(paths, path, |there| there == judged, reason)
}

/// Moves a file that cannot be used to `rejected/`, with the reason beside it. Whatever it is, it is not opened. An older
/// one of this name makes room. What has the name by now, and is not what the reason is about, as `is_it` says, stays: its
/// subscriber would wait for an answer for ever.
pub fn set_aside(paths: &Paths, path: &Path, is_it: impl Fn(Identity) -> bool, reason: &str) -> Result<()> {
    let Some(name) = path.file_name().filter(|_| disk::state(path).is_some_and(&is_it)) else {
        return Ok(());
    };
    tracing::warn!(path = shown(path), reason, "set aside");
    let node = name.to_str().and_then(|name| TriggerFile::parse(name)?.ok()).map(|file| file.node);
    audit::tell_of_file(paths, path, node.as_ref(), reason)?;
    let mut name = name.to_owned();
    if let Err(error) = disk::remove(&paths.rejected().join(&name)) {
        // A directory of somebody else's with more in it: it must not be in the way of all that comes.
        tracing::debug!(error = error.chain(), "the older one stays");
        name = free_name(paths, &name);
    }
    // The line of the trail had to reach the disk: time enough for the next request to take the place of this file.
    if disk::take(path, &paths.rejected().join(&name), is_it)? {
        write_reason(paths, &name, reason)
    } else {
        Ok(())
    }
}

/// A name in `rejected/` that nothing has: the beginning of this one, and a number.
fn free_name(paths: &Paths, name: &OsStr) -> OsString {
    let begin: String = name.to_string_lossy().chars().take(60).collect();
    let names = (1..).map(|number: u64| OsString::from(format!("{begin}.{number}")));
    names.into_iter().find(|name| !disk::exists(&paths.rejected().join(name))).unwrap_or_default()
}

/// Keeps the text of a refused request in `rejected/`, with the reason beside it.
pub(super) fn keep_rejected(paths: &Paths, node: &Node, stem: Stem, text: &[u8], reason: &str) -> Result<()> {
    let path = paths.trigger(node, stem, Kind::Request);
    let Some(name) = path.file_name() else { return Ok(()) };
    tracing::warn!(path = shown(&path), reason, "kept in rejected");
    disk::write(&paths.rejected().join(name), text)?;
    write_reason(paths, name, reason)
}

fn write_reason(paths: &Paths, name: &OsStr, reason: &str) -> Result<()> {
    const ENDING: &str = ".reason";
    // A name may be as long as the file system allows; then the reason has its beginning only.
    let mut beside = if name.len() + ENDING.len() <= 255 {
        name.to_owned()
    } else {
        name.to_string_lossy().chars().take(60).collect::<String>().into()
    };
    beside.push(ENDING);
    disk::write(&paths.rejected().join(beside), format!("{reason}\n").as_bytes())
}

fn without_error(reason: &str) -> String {
    let lower = reason.to_ascii_lowercase();
    let mut text = String::with_capacity(reason.len());
    let mut from = 0;
    for (at, word) in lower.match_indices("error") {
        text.push_str(reason.get(from..at).unwrap_or_default());
        text.push_str("fault");
        from = at + word.len();
    }
    text + reason.get(from..).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_reason_for_deployed_clients_avoids_their_word() {
        assert_eq!(super::without_error("db error: ERROR: no é"), "db fault: fault: no é");
        assert_eq!(super::without_error("fine"), "fine");
    }
}
