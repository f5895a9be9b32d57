//! The door to the data centre's host: the only code that speaks to another machine's file system. A directory of this
//! machine, or one that is mounted, is such a host too.
//!
//! `remote` keeps one line open, over which all calls go side by side, and calls again when it breaks; `line` is that
//! line: a child that runs the system's ssh; `ssh` has its arguments and understands its words; `sftp` says a call in
//! the words of the protocol, with the `handle` of what is open there.

pub mod agent;
mod fault;
mod handle;
mod line;
mod local;
mod remote;
mod sftp;
mod ssh;

use std::io::IsTerminal as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use remote::Remote;

use crate::error::Result;
use crate::failpoint;

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

/// The data centre's host. All its calls may run side by side, over one connection that is made by the first of them and
/// ends with this value.
///
/// A line that breaks or cannot be had is tried again, and the call repeated, until the patience is over: then
/// [`Error::Line`](crate::error::Error::Line). What a person has to mend (a key that is not accepted, a host key that is
/// not the known one) comes at once as [`Error::Stopped`](crate::error::Error::Stopped). What the host answers about a file
/// is never tried again: [`Error::Forbidden`](crate::error::Error::Forbidden) if the account there may not do it, else
/// `Error::Line`.
pub struct Host {
    /// `None`: on this machine.
    remote: Option<Remote>,
}

/// A plain file in a directory of the host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its name.
    pub name: String,
    /// Its size.
    pub bytes: u64,
}

/// What is wanted of a file.
#[derive(Debug, Clone, Copy)]
struct Part<'a> {
    /// The file there.
    path: &'a str,
    /// The first byte.
    from: u64,
    /// The most that may come.
    limit: u64,
}

impl Host {
    /// Nothing is connected yet. A broken line is tried again for five minutes; where standard error is a terminal, ssh may
    /// ask the person there for a passphrase.
    pub fn new(config: &HostConfig) -> Self {
        let terminal = std::io::stderr().is_terminal();
        Self { remote: config.name.as_ref().map(|name| Remote::new(name, config, terminal)) }
    }

    /// Changes how long a broken line is tried again; zero: not at all.
    #[must_use]
    pub fn with_patience(mut self, patience: Duration) -> Self {
        if let Some(remote) = &mut self.remote {
            remote.patience = patience;
        }
        self
    }

    /// Takes the ssh-agent that has printed this file. It is read whenever a connection is made: an agent may be started
    /// anew.
    #[must_use]
    pub fn with_agent(mut self, file: Option<PathBuf>) -> Self {
        if let Some(remote) = &mut self.remote {
            remote.agent = file;
        }
        self
    }

    /// The plain files in a directory, sorted by name. Hidden ones are left out, and those whose names are no UTF-8 or hold
    /// a control character.
    pub async fn list(&self, directory: &str) -> Result<Vec<Entry>> {
        failpoint::reach("host list", directory);
        match &self.remote {
            Some(remote) => remote.list(directory).await,
            None => local::list(directory),
        }
    }

    /// The size of a plain file; `None` if it is not there.
    pub async fn size(&self, path: &str) -> Result<Option<u64>> {
        failpoint::reach("host size", path);
        match &self.remote {
            Some(remote) => remote.size(path).await,
            None => Ok(crate::disk::plain_size(Path::new(path))),
        }
    }

    /// A small plain file; `None` if it is not there. What is larger than `limit` is refused.
    pub async fn read(&self, path: &str, limit: u64) -> Result<Option<Vec<u8>>> {
        failpoint::reach("host read", path);
        match &self.remote {
            Some(remote) => remote.read(path, limit).await,
            None => local::read(path, limit),
        }
    }

    /// Appends what a plain file has from the byte `from` on to `into`, and tells `progress` how many bytes have come. Returns
    /// the size of the file; `None` if it is not there. If more than `limit` bytes would come, the file is refused and
    /// nothing is written.
    ///
    /// A line that breaks is taken up where it broke. What is in `into` when it fails can be gone on with. Nothing is
    /// synced.
    pub async fn fetch(
        &self,
        path: &str,
        from: u64,
        limit: u64,
        into: &Path,
        progress: &(dyn Fn(u64) + Sync),
    ) -> Result<Option<u64>> {
        let part = Part { path, from, limit };
        failpoint::reach("host fetch", path);
        match &self.remote {
            Some(remote) => remote.fetch(part, into, progress).await,
            None => local::fetch(part, into, progress),
        }
    }

    /// Puts a file into place as a whole: under a hidden name, then renamed over what has the name.
    pub async fn put(&self, path: &str, bytes: &[u8]) -> Result<()> {
        failpoint::reach("host put", path);
        match &self.remote {
            Some(remote) => remote.put(path, bytes).await,
            None => local::put(path, bytes),
        }
    }

    /// Removes a file, if it is there.
    pub async fn remove(&self, path: &str) -> Result<()> {
        failpoint::reach("host remove", path);
        match &self.remote {
            Some(remote) => remote.remove(path).await,
            None => local::remove(path),
        }
    }
}

/// Whether a name in a listing counts: it is not hidden, and nothing in it can mean another directory or spoil a log.
fn is_fit(name: &str) -> bool {
    // The library makes this character of bytes that are no UTF-8.
    !name.is_empty()
        && !name.starts_with('.')
        && !name.contains(['/', '\u{fffd}'])
        && !name.contains(char::is_control)
}

/// What is said of a file that is larger than it may be.
fn too_large(path: &str, limit: u64) -> String {
    format!("`{path}` has more than the {limit} bytes that it may have")
}
