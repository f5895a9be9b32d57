//! Fetching what the server has into hidden files here, and looking whether it came whole.

use std::path::{Path, PathBuf};

use super::decide::Single;
use crate::disk;
use crate::error::{Error, Result};
use crate::model::{ArchiveName, BundleName, Counter, SlonyNode};
use crate::subscriber::Progress;
use crate::transport::Host;

/// The last line of every whole log.
const LAST_LINE: &str = "-- EOL";

/// How often a log without its last line is fetched before the server is believed.
const ATTEMPTS: u32 = 2;

/// Fetches from one directory of the server into one directory here.
#[derive(Clone, Copy)]
pub(super) struct Fetcher<'f> {
    pub(super) host: &'f Host,
    /// The node's directory at the server.
    pub(super) from: &'f str,
    pub(super) into: &'f Path,
    pub(super) progress: &'f Progress,
}

/// A log that lies here, under a hidden name.
#[derive(Debug)]
pub(super) struct Fetched {
    pub(super) name: ArchiveName,
    pub(super) path: PathBuf,
}

impl Fetcher<'_> {
    /// Fetches a single. `None`: what was listed is not there any more, it was bundled or written anew meanwhile.
    pub(super) async fn single(&self, node: SlonyNode, single: Single) -> Result<Option<Fetched>> {
        let name = ArchiveName { node, counter: single.counter };
        let path = disk::part(self.into, &name.to_string());
        for _ in 0..ATTEMPTS {
            if !self.file(&name.to_string(), single.bytes, &path).await? {
                return Ok(None);
            }
            if disk::ends_with_line(&path, LAST_LINE)? {
                return Ok(Some(Fetched { name, path }));
            }
        }
        Err(Error::Stopped(format!(
            "`{}/{name}` is not whole at the server: its last line is not `{LAST_LINE}`; ask the data centre to split \
             archive {} anew (resplit)",
            self.from, single.counter
        )))
    }

    /// Fetches a bundle and unpacks the logs from `first` to `last`. `None` as in [`Fetcher::single`].
    pub(super) async fn bundle(
        &self,
        (name, bytes): (BundleName, u64),
        (first, last): (Counter, Counter),
        node: Option<SlonyNode>,
        goes_on: &dyn Fn() -> bool,
    ) -> Result<Option<Vec<Fetched>>> {
        let packed = disk::part(self.into, &name.to_string());
        if !self.file(&name.to_string(), bytes, &packed).await? {
            return Ok(None);
        }
        let node = disk::Incoming { path: &packed, name, node, first, last }.unpack(self.into, goes_on)?;
        disk::discard(&packed)?;
        let counters =
            std::iter::successors(Some(first), |counter| (*counter < last).then(|| counter.next()));
        let logs = counters.map(|counter| {
            let name = ArchiveName { node, counter };
            Ok(Fetched { name, path: self.whole(name)? })
        });
        logs.collect::<Result<Vec<_>>>().map(Some)
    }

    /// Where a log from a bundle lies, if it is whole.
    fn whole(&self, name: ArchiveName) -> Result<PathBuf> {
        let path = disk::part(self.into, &name.to_string());
        if disk::ends_with_line(&path, LAST_LINE)? {
            return Ok(path);
        }
        Err(Error::Stopped(format!(
            "`{name}` is not whole in its bundle at the server: its last line is not `{LAST_LINE}`; ask the data centre"
        )))
    }

    /// Fetches a file of this size anew. `false`: it is not there, or not of this size any more.
    async fn file(&self, name: &str, bytes: u64, path: &Path) -> Result<bool> {
        disk::discard(path)?;
        let from = format!("{}/{name}", self.from);
        let told = std::sync::atomic::AtomicU64::new(0);
        let progress = |count: u64| {
            // It is told the sum so far.
            let before = told.swap(count, std::sync::atomic::Ordering::Relaxed);
            self.progress.bytes(count.saturating_sub(before));
        };
        let there = match self.host.fetch(&from, 0, bytes, path, &progress).await {
            // A larger one has taken its place.
            Err(Error::Stopped(_)) if self.host.size(&from).await?.is_some_and(|now| now > bytes) => {
                return Ok(false);
            }
            there => there?,
        };
        let came = disk::plain_size(path).unwrap_or_default();
        Ok(there == Some(bytes) && came == bytes)
    }
}
