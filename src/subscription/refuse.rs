//! Saying no: the reason to the subscriber, the file aside, the node as it was.

use std::ffi::OsStr;
use std::path::Path;

use super::decide::{begin_again, forget_ready, forget_sql, roll_back};
use super::worker::Worker;
use crate::disk;
use crate::error::Result;
use crate::model::{Node, Step};
use crate::paths::{Paths, shown};
use crate::protocol::{Done, Kind, OpenRequest, Phase, SqlDone, Stem, TriggerFile};

/// Refuses the node's open request, whatever its phase. The answer is on disk before the request is closed: a kill in
/// between leads back here, and nobody waits for ever.
pub(super) async fn refuse(worker: &Worker, reason: &str) -> Result<()> {
    let paths = &worker.service.config.paths;
    let Some(open) = worker.service.ground(&worker.node)?.open else { return Ok(()) };
    let id = open.request().ok().and_then(|request| request.id);
    answer(paths, &worker.node, open.stem, id, reason)?;
    // Only for people; the subscriber has its answer.
    if let Err(error) = keep_rejected(paths, &worker.node, &open, reason) {
        tracing::warn!(node = %worker.node, error = error.chain(), "cannot keep the refused request");
    }
    wind_back(worker, Then::Close).await.map(drop)
}

/// What becomes of a request whose work is taken back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Then {
    /// It stays accepted.
    BeginAgain,
    /// It is closed.
    Close,
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
        let mut steps = roll_back(&paths, &ground.site, &ground.registry);
        steps.extend(forget_ready(&paths, &node));
        match then {
            Then::BeginAgain => {
                let bytes = begin_again(open).write();
                steps.push(Step::Write { path: ground.site.open_request.clone(), bytes });
            }
            Then::Close => {
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
fn answer(paths: &Paths, node: &Node, stem: Stem, id: Option<String>, reason: &str) -> Result<()> {
    tracing::warn!(%node, reason, "refused");
    let reason = match stem {
        Stem::Document => reason.to_owned(),
        // Deployed clients search the whole text for this word, and then say nothing of the reason.
        Stem::Deployed => without_error(reason),
    };
    disk::write(&paths.trigger(node, stem, Kind::SqlDone), SqlDone::Failure { id, reason }.write().as_bytes())
}

/// Tells a subscriber of the document that its word has come to nothing.
pub(super) fn answer_stray(paths: &Paths, node: &Node, reason: &str) -> Result<()> {
    let done = Done { id: None, failure: Some(reason.to_owned()), series: Vec::new() };
    disk::write(&paths.trigger(node, Stem::Document, Kind::Done), done.write().as_bytes())
}

/// Refuses a request whose file is not even opened.
pub fn reject_unread(paths: &Paths, file: &TriggerFile, path: &Path, reason: &str) -> Result<()> {
    // An open request goes on: whatever this is, it is not its subscriber's next one.
    if !disk::exists(&paths.site(&file.node, None).open_request) {
        answer(paths, &file.node, file.stem, None, reason)?;
    }
    set_aside(paths, path, reason)
}

/// Moves a file that cannot be used to `rejected/`, with the reason beside it. Whatever it is, it is not opened. An older
/// one of this name makes room.
pub fn set_aside(paths: &Paths, path: &Path, reason: &str) -> Result<()> {
    let Some(name) = path.file_name() else { return Ok(()) };
    tracing::warn!(path = shown(path), reason, "set aside");
    let target = paths.rejected().join(name);
    disk::remove(&target)?;
    disk::rename(path, &target)?;
    write_reason(paths, name, reason)
}

/// Keeps the text of a refused request in `rejected/`, with the reason beside it.
fn keep_rejected(paths: &Paths, node: &Node, open: &OpenRequest, reason: &str) -> Result<()> {
    let path = paths.trigger(node, open.stem, Kind::Request);
    let Some(name) = path.file_name() else { return Ok(()) };
    disk::write(&paths.rejected().join(name), &open.text)?;
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
