//! When a dropped file is whole. A closed file proves nothing: a line that broke closes it too.

use std::collections::{HashMap, HashSet};
use std::ffi::OsString;
use std::time::{Duration, Instant};

use crate::disk::{Dropped, Identity};
use crate::protocol::{Request, TriggerFile};

/// The requests that lie there, and since when each has not changed.
#[derive(Debug, Default)]
pub(super) struct Arrivals {
    seen: HashMap<TriggerFile, Arrival>,
    renamed: HashSet<OsString>,
}

#[derive(Debug, Clone, Copy)]
struct Arrival {
    identity: Identity,
    since: Instant,
    renamed: bool,
}

/// What is known of a request's file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wholeness {
    /// Nothing more comes.
    Whole,
    /// Something may still come; look again after this time.
    Partial(Duration),
}

impl Arrivals {
    /// The system has said that this name appeared by a rename.
    pub(super) fn renamed(&mut self, name: OsString) {
        self.renamed.insert(name);
    }

    /// Whether the request is whole: it says so itself by a last line `end`, or it was renamed into place, or it has not
    /// changed for `settle`, which is counted in time that this process has seen, not by the file's clock.
    pub(super) fn judge(
        &mut self,
        file: &TriggerFile,
        dropped: &Dropped,
        now: Instant,
        settle: Duration,
    ) -> Wholeness {
        let renamed_now = self.renamed.remove(std::ffi::OsStr::new(&file.to_string()));
        let fresh = Arrival { identity: dropped.identity, since: now, renamed: renamed_now };
        let arrival = self.seen.entry(file.clone()).or_insert(fresh);
        if arrival.identity != dropped.identity {
            *arrival = fresh;
        }
        arrival.renamed |= renamed_now;
        let quiet = now.saturating_duration_since(arrival.since);
        if arrival.renamed || Request::has_end(&dropped.bytes) || quiet >= settle {
            return Wholeness::Whole;
        }
        Wholeness::Partial(settle.saturating_sub(quiet))
    }

    /// Forgets what is no longer there.
    pub(super) fn keep(&mut self, there: &HashSet<TriggerFile>) {
        self.seen.retain(|file, _| there.contains(file));
        self.renamed.retain(|name| there.iter().any(|file| name.as_os_str() == file.to_string().as_str()));
    }
}
