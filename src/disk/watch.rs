//! Watching directories. The system may lose, merge or never send its events, so they only say "look now"; the one
//! thing that is read from them is that a name was *renamed into place*, which makes a dropped file whole at once.

use std::ffi::OsString;
use std::path::Path;

use notify::event::{ModifyKind, RenameMode};
use notify::{Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher as _};
use tokio::sync::mpsc::UnboundedSender;

/// A reason to look.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Hint {
    /// Something changed.
    Look,
    /// This name appeared by a rename.
    Renamed(OsString),
}

/// Watches a directory for as long as the watcher is kept. Where the system cannot watch, that is a warning: the
/// periodic look does the same work, later.
pub fn watch(directory: &Path, hints: UnboundedSender<Hint>) -> Option<RecommendedWatcher> {
    let told = move |event: notify::Result<Event>| {
        let Ok(event) = event else { return drop(hints.send(Hint::Look)) };
        if let Some(hint) = hint(&event) {
            // The receiver is gone only when the daemon ends.
            let _ = hints.send(hint);
        }
    };
    let watcher = notify::recommended_watcher(told).and_then(|mut watcher| {
        watcher.watch(directory, RecursiveMode::NonRecursive)?;
        Ok(watcher)
    });
    match watcher {
        Ok(watcher) => Some(watcher),
        Err(error) => {
            tracing::warn!(directory = %directory.display(), %error, "cannot watch: only the periodic look is left");
            None
        }
    }
}

fn hint(event: &Event) -> Option<Hint> {
    match &event.kind {
        EventKind::Modify(ModifyKind::Name(RenameMode::To)) => {
            let name = event.paths.first().and_then(|path| path.file_name())?;
            // Our own names in progress are no news.
            (!name.as_encoded_bytes().starts_with(b".")).then(|| Hint::Renamed(name.to_owned()))
        }
        EventKind::Create(_) | EventKind::Modify(_) | EventKind::Other => {
            let hidden = |path: &std::path::PathBuf| crate::paths::is_hidden(path);
            (event.need_rescan() || !event.paths.iter().all(hidden) || event.paths.is_empty())
                .then_some(Hint::Look)
        }
        EventKind::Access(notify::event::AccessKind::Close(notify::event::AccessMode::Write)) => {
            Some(Hint::Look)
        }
        EventKind::Remove(_) | EventKind::Access(_) | EventKind::Any => None,
    }
}
