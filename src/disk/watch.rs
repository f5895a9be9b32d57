//! Watching directories. The system may lose, merge or never send its events, so they only say "look now"; the one
//! thing that is read from them is that a name was *renamed into place*, which makes a dropped file whole at once.

use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

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

/// A directory that is watched by its name for as long as this is kept. Where the system cannot watch, that is a warning:
/// the periodic look does the same work, later.
pub struct Watch {
    directory: PathBuf,
    hints: UnboundedSender<Hint>,
    /// What is watched, and who does; `None`: nobody.
    watched: Option<(Place, RecommendedWatcher)>,
    /// It was watched before, or could not be.
    began: bool,
    /// That it cannot be watched has been said.
    said: bool,
}

/// Device and inode: a directory that was put in the place of another has the same name, and none of its events.
type Place = (u64, u64);

impl Watch {
    /// Nothing is watched before [`Watch::renew`].
    pub fn new(directory: &Path, hints: UnboundedSender<Hint>) -> Self {
        Self { directory: directory.to_owned(), hints, watched: None, began: false, said: false }
    }

    /// Watches what has the name now, if that is another directory than before or could not be watched. To be called again
    /// and again.
    pub fn renew(&mut self) {
        let place = fs::metadata(&self.directory).ok().map(|there| (there.dev(), there.ino()));
        if place.is_some() && place == self.watched.as_ref().map(|(place, _)| *place) {
            return;
        }
        self.watched = None;
        let Some(place) = place else { return };
        let directory = self.directory.display();
        match self.watch() {
            Ok(watcher) => {
                if self.began {
                    tracing::info!(%directory, "watched anew");
                }
                self.watched = Some((place, watcher));
                (self.began, self.said) = (true, false);
            }
            Err(error) if !self.said => {
                tracing::warn!(%directory, %error, "cannot watch: only the periodic look is left until it can be");
                (self.began, self.said) = (true, true);
            }
            Err(_) => {}
        }
    }

    fn watch(&self) -> notify::Result<RecommendedWatcher> {
        let hints = self.hints.clone();
        let told = move |event: notify::Result<Event>| {
            let Ok(event) = event else { return drop(hints.send(Hint::Look)) };
            if let Some(hint) = hint(&event) {
                // The receiver is gone only when the daemon ends.
                let _ = hints.send(hint);
            }
        };
        let mut watcher = notify::recommended_watcher(told)?;
        watcher.watch(&self.directory, RecursiveMode::NonRecursive)?;
        Ok(watcher)
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
