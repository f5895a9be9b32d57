//! How far the splitter is, as its files tell it.

use std::time::{Duration, SystemTime};

use serde::Serialize;

use crate::config::Config;
use crate::disk;
use crate::error::Result;
use crate::ground;
use crate::model::{ArchiveName, Counter, numbered};
use crate::protocol::read_counter;

/// An archive that is next and lies there for longer is not split, or there is a backlog: it takes seconds otherwise.
const STILL: Duration = Duration::from_secs(600);

/// The splitter and its archives. PROTOCOL.md documents the fields.
#[derive(Debug, Clone, Default, Serialize)]
pub struct SplitterView {
    /// The last archive that is split.
    pub counter: Option<u64>,
    /// The last archive that has committed, where somebody has asked the database: the files do not say it.
    pub committed: Option<u64>,
    /// How many archives have committed and are not split; known with `committed`.
    pub behind: Option<u64>,
    /// The newest archive in `archive_dir` that is no bundle.
    pub newest_archive: Option<u64>,
    /// How long ago that was written.
    pub newest_archive_age_seconds: Option<u64>,
    /// How long ago the archive was written that is split next, if it is there.
    pub next_archive_age_seconds: Option<u64>,
}

impl SplitterView {
    pub(super) fn look(config: &Config, now: SystemTime) -> Result<Self> {
        let counter = ground::read(&config.paths.split_counter(), read_counter)?;
        let mut view = Self { counter: counter.map(Counter::value), ..Self::default() };
        if let Some(directory) = &config.paths.archive_dir {
            let mut archives = disk::archives(directory)?;
            archives.retain(|name| config.slony_node.is_none_or(|ours| ours == name.node));
            let age = |name: &ArchiveName| {
                let written = disk::modified(&directory.join(name.to_string()))?;
                Some(now.duration_since(written).unwrap_or_default().as_secs())
            };
            let newest = archives.iter().max_by_key(|name| name.counter);
            let next = counter.map(Counter::next);
            let next = archives.iter().find(|name| Some(name.counter) == next);
            view.newest_archive = newest.map(|name| name.counter.value());
            view.newest_archive_age_seconds = newest.and_then(age);
            view.next_archive_age_seconds = next.and_then(age);
        }
        Ok(view)
    }

    /// What is wrong with it as far as its files say: the next archive lies there, and it does not go on. It has the same words as
    /// time goes by.
    pub(super) fn alarm(&self) -> Option<String> {
        let next = self.counter?.saturating_add(1);
        let is_late = self.next_archive_age_seconds? > STILL.as_secs();
        let minutes = numbered(STILL.as_secs() / 60, "minute");
        is_late.then(|| {
            format!(
                "archive {next} is more than {minutes} old and not split: the log of the daemon says why the splitter waits, unless it catches up"
            )
        })
    }

    /// What the database says of the archives.
    pub fn has_committed(&mut self, committed: u64) {
        self.committed = Some(committed);
        self.behind = self.counter.map(|counter| committed.saturating_sub(counter));
    }
}
