//! Saying no: the reason to the subscriber, the file aside, the node as it was.

use std::path::Path;

use super::decide::{forget_ready, forget_sql, roll_back};
use super::service::act;
use super::worker::Worker;
use crate::disk;
use crate::error::Result;
use crate::model::{Node, Step};
use crate::paths::Paths;
use crate::protocol::{Done, Kind, OpenRequest, SqlDone, Stem, TriggerFile};

/// Refuses the node's open request. The answer is on disk before the request is closed: a kill in between leaves the
/// stage `refusing`, and nobody waits for ever.
pub(super) async fn refuse(worker: &Worker, reason: &str) -> Result<()> {
    let paths = &worker.service.config.paths;
    let Some(open) = worker.service.ground(&worker.node)?.open else { return Ok(()) };
    keep_rejected(paths, &worker.node, &open, reason)?;
    answer(paths, &worker.node, open.stem, open.request().ok().and_then(|request| request.id), reason)?;
    withdraw(worker, open.stem).await
}

/// Takes everything of the refused request away, after its answer was written.
pub(super) async fn withdraw(worker: &Worker, stem: Stem) -> Result<()> {
    let Worker { service, node, .. } = worker;
    let hold = service.hold().await?;
    let ground = service.ground(node)?;
    let mut steps = roll_back(&service.config.paths, &ground.site, &ground.registry);
    steps.extend(forget_ready(&service.config.paths, node));
    // It was shown if nobody answered for too long.
    steps.extend(forget_sql(&service.config.paths, node));
    steps.push(Step::Remove(service.config.paths.trigger(node, stem, Kind::Accepted)));
    steps.push(Step::Remove(ground.site.open_request));
    act(steps).await?;
    drop(hold);
    Ok(())
}

/// Writes the failure where the subscriber looks for its answer.
pub(super) fn answer(paths: &Paths, node: &Node, stem: Stem, id: Option<String>, reason: &str) -> Result<()> {
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
    set_aside(paths, path, reason)?;
    // An open request goes on: whatever this is, it is not its subscriber's next one.
    if disk::exists(&paths.site(&file.node, None).open_request) {
        return Ok(());
    }
    answer(paths, &file.node, file.stem, None, reason)
}

/// Moves a file that cannot be used to `rejected/`, with the reason beside it. Whatever it is, it is not opened.
pub fn set_aside(paths: &Paths, path: &Path, reason: &str) -> Result<()> {
    let Some(name) = path.file_name() else { return Ok(()) };
    tracing::warn!(path = %path.display(), reason, "set aside");
    let target = paths.rejected().join(name);
    if disk::exists(&target) && !target.is_file() {
        // A directory that was set aside under this name before: rename(2) would refuse.
        let again = paths.rejected().join(format!("{}-{}", disk::serial(&paths.rejected())?, name.display()));
        disk::rename(&target, &again)?;
    }
    disk::rename(path, &target)?;
    write_reason(paths, name, reason)
}

/// Keeps the text of a refused request in `rejected/`, with the reason beside it.
pub(super) fn keep_rejected(paths: &Paths, node: &Node, open: &OpenRequest, reason: &str) -> Result<()> {
    let path = paths.trigger(node, open.stem, Kind::Request);
    let Some(name) = path.file_name() else { return Ok(()) };
    disk::write(&paths.rejected().join(name), &open.text)?;
    write_reason(paths, name, reason)
}

fn write_reason(paths: &Paths, name: &std::ffi::OsStr, reason: &str) -> Result<()> {
    let mut beside = name.to_owned();
    // A name may be as long as the file system allows; then the reason has its beginning only.
    let room = 255 - ".reason".len();
    if beside.len() > room {
        beside =
            String::from_utf8_lossy(beside.as_encoded_bytes()).chars().take(60).collect::<String>().into();
    }
    beside.push(".reason");
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
