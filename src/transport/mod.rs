//! The door to the data centre's host: the only code that speaks to another machine's file system. A directory of this
//! machine, or one that is mounted, is such a host too.

mod local;

use std::path::Path;

use crate::error::Result;

/// How to reach the data centre's host.
#[derive(Debug, Clone)]
pub struct HostConfig {
    /// Its name or address, as ssh knows it; `None`: its directories are on this machine.
    pub name: Option<String>,
    /// The port of its sshd; `None`: what ssh thinks.
    pub port: Option<u16>,
    /// The account there; `None`: what ssh thinks.
    pub user: Option<String>,
    /// The ssh command and its first arguments.
    pub ssh: Vec<String>,
}

/// The data centre's host. All its calls may run side by side; each is tried again over a new connection when the line
/// breaks, for as long as the caller's patience lasts.
pub struct Host;

/// A plain file in a directory of the host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its name.
    pub name: String,
    /// Its size.
    pub bytes: u64,
}

impl Host {
    /// Nothing is connected yet.
    pub fn new(_config: &HostConfig) -> Self {
        Self
    }

    /// The plain files in a directory, sorted by name. Hidden ones, and names that are no UTF-8, are left out.
    pub async fn list(&self, directory: &str) -> Result<Vec<Entry>> {
        local::list(directory)
    }

    /// The size of a plain file; `None` if it is not there.
    pub async fn size(&self, path: &str) -> Result<Option<u64>> {
        Ok(crate::disk::plain_size(Path::new(path)))
    }

    /// A small file; `None` if it is not there. What is larger than `limit` is refused.
    pub async fn read(&self, path: &str, limit: u64) -> Result<Option<Vec<u8>>> {
        local::read(path, limit)
    }

    /// Appends what a file has from the byte `from` on to `into`, at the most `limit` bytes of it, and tells `progress` how
    /// many have come. Returns the size of the file so far; `None` if it is not there.
    ///
    /// A line that breaks is taken up where it broke. What is in `into` when it fails can be gone on with.
    pub async fn fetch(
        &self,
        path: &str,
        from: u64,
        limit: u64,
        into: &Path,
        progress: &(dyn Fn(u64) + Sync),
    ) -> Result<Option<u64>> {
        local::fetch(path, from, limit, into, progress)
    }

    /// Puts a file into place as a whole: under a hidden name, then renamed over what has the name.
    pub async fn put(&self, path: &str, bytes: &[u8]) -> Result<()> {
        local::put(path, bytes)
    }

    /// Removes a file, if it is there.
    pub async fn remove(&self, path: &str) -> Result<()> {
        local::remove(path)
    }
}
