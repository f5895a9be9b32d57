//! A directory of archives that the test fills: the splitter goes as far as it is let, and no further.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use crate::support::station::{LIMIT, log_name};
use crate::support::{Cluster, Station, wait};

/// The directory; a station gets it by [`Feed::setting`].
pub(crate) struct Feed {
    from: PathBuf,
    to: PathBuf,
}

impl Feed {
    /// An empty directory.
    pub(crate) fn new(cluster: &Cluster) -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let name = format!("feed-{}", NUMBER.fetch_add(1, Ordering::Relaxed));
        let to = cluster.server().socket_dir().join(name);
        fs::create_dir(&to).expect("create a directory");
        Self { from: cluster.archive_dir().to_owned(), to }
    }

    /// The line of the configuration that makes a station read archives from here.
    pub(crate) fn setting(&self) -> String {
        format!("archive_dir={}", self.to.display())
    }

    /// Puts archives there up to this one, and waits until they are split.
    #[track_caller]
    pub(crate) fn until(&self, station: &Station<'_>, counter: u64) {
        let first = station.counter().expect("the splitter has begun") + 1;
        for counter in (first..=counter).filter(|counter| !self.path(*counter).exists()) {
            self.put(counter, self.original(counter).as_bytes());
        }
        station.wait_for("the splitter", || station.counter().filter(|at| *at >= counter));
    }

    /// Puts an archive there, whole at once.
    pub(crate) fn put(&self, counter: u64, bytes: &[u8]) {
        let hidden = self.to.join(".part");
        fs::write(&hidden, bytes).expect("write an archive");
        fs::rename(hidden, self.path(counter)).expect("rename an archive");
    }

    /// Where an archive lies.
    pub(crate) fn path(&self, counter: u64) -> PathBuf {
        self.to.join(log_name(counter))
    }

    /// The archive as slon wrote it, as soon as it is named.
    #[track_caller]
    pub(crate) fn original(&self, counter: u64) -> String {
        let path = self.from.join(log_name(counter));
        wait::until("slon to name the archive", LIMIT, || path.exists().then_some(()));
        read(&path)
    }
}

#[track_caller]
fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}
