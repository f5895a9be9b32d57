//! What can go wrong, and what follows from it.

use std::io;
use std::path::{Path, PathBuf};

use crate::model::Counter;
use crate::paths::shown;

/// `Result` of everything that goes through a door.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// A failure, told apart by what happened; [`Error::consequence`] says what it leads to.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file or directory could not be read or changed.
    #[error("{action} `{}`", shown(path))]
    Disk {
        /// The verb: "open", "rename".
        action: &'static str,
        /// What it was done to.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// One of our own files does not read as it must.
    #[error("read `{}`", shown(path))]
    Malformed {
        /// The file.
        path: PathBuf,
        /// Its line and fault.
        source: crate::protocol::Malformed,
    },
    /// PostgreSQL refused, failed or is away.
    #[error("{action}")]
    Database {
        /// What was tried: "connect to PostgreSQL at localhost:5432".
        action: String,
        /// What the driver said.
        source: tokio_postgres::Error,
    },
    /// Nobody answers where the database should be, or not in time. That passes, as a line that broke.
    #[error("{0}")]
    Silent(String),
    /// The database answers, but is not the one that it should be.
    #[error("{0}")]
    WrongDatabase(String),
    /// Somebody waited for the dump's locks longer than `dump_yield`; the dump was given up for them.
    #[error("the dump kept `{waiter}` waiting for more than {seconds} s")]
    Yielded {
        /// Who waited, as `pg_stat_activity` shows it.
        waiter: String,
        /// The limit that was passed.
        seconds: u64,
    },
    /// The request cannot be served; the text is for the subscriber.
    #[error("{0}")]
    Refused(String),
    /// A newer request, or the end of the daemon, made this work needless.
    #[error("cancelled")]
    Cancelled,
    /// An archive that is not what it should be. The splitter stops before it.
    #[error("split archive {counter}")]
    Archive {
        /// Its number.
        counter: Counter,
        /// Its line and fault.
        source: crate::logs::SplitError,
    },
    /// An archive that has committed is not there.
    #[error(
        "archive {counter} has committed, but `{}` is not there: it is waited for, never jumped over; if slon committed it \
         and never wrote it (ACCEPT_SET, FAILOVER_NODE), `split --accept-empty {counter}` takes it as empty",
        shown(path)
    )]
    Missing {
        /// Its number.
        counter: Counter,
        /// Where it should be.
        path: PathBuf,
    },
    /// The work cannot go on, for a reason that only a person can remove.
    #[error("{0}")]
    Stopped(String),
    /// The line to another machine broke, or what answers there failed.
    #[error("{action}")]
    Line {
        /// What was tried: "list `/srv/slony/site_logs/nso` at webdb".
        action: String,
        /// What was said.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The account that we have on another machine may not do that.
    #[error("{action}")]
    Forbidden {
        /// What was tried: "write `/srv/slony/site_logs/nso/slony_counter.txt` at webdb".
        action: String,
        /// What was said.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// Not now: another one is at it, or somebody has asked for quiet.
    #[error("{0}")]
    Busy(String),
    /// The program cannot run at all.
    #[error("{0}")]
    Fatal(String),
}

/// What a failure leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Consequence {
    /// The program stops.
    Stop,
    /// This request fails: its subscriber is told, the others go on.
    Refuse,
    /// The same is tried again at the next tick.
    Retry,
    /// Nothing: it was wanted.
    Nothing,
}

impl Error {
    /// The one place where a failure is given its consequence.
    pub fn consequence(&self) -> Consequence {
        match self {
            Self::Fatal(_) | Self::Busy(_) => Consequence::Stop,
            Self::Refused(_) => Consequence::Refuse,
            Self::Cancelled => Consequence::Nothing,
            Self::Disk { .. }
            | Self::Malformed { .. }
            | Self::Database { .. }
            | Self::Silent(_)
            | Self::WrongDatabase(_)
            | Self::Yielded { .. }
            | Self::Archive { .. }
            | Self::Missing { .. }
            | Self::Line { .. }
            | Self::Forbidden { .. }
            | Self::Stopped(_) => Consequence::Retry,
        }
    }

    /// The database has committed less than what was made from it; `what` was, up to `at`.
    pub fn went_back(what: &str, at: Counter, committed: Counter) -> Self {
        Self::WrongDatabase(format!(
            "{what} archive {at}, but the database says {committed}: time went back there"
        ))
    }

    /// Whether we may not do that: by the word of another machine, or of this one's file system.
    pub fn is_forbidden(&self) -> bool {
        match self {
            Self::Forbidden { .. } => true,
            Self::Disk { source, .. } => {
                matches!(source.kind(), io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem)
            }
            _ => false,
        }
    }

    /// Whether what was to be read is not there, on another machine or on this one.
    pub fn is_missing(&self) -> bool {
        let source = match self {
            Self::Disk { source, .. } => Some(source),
            Self::Line { source, .. } => source.downcast_ref::<io::Error>(),
            _ => None,
        };
        source.is_some_and(|source| source.kind() == io::ErrorKind::NotFound)
    }

    /// Whether the database is away: it refused, failed, or does not answer at all.
    pub fn is_of_database(&self) -> bool {
        matches!(self, Self::Database { .. } | Self::Silent(_))
    }

    /// The error and its causes in one line, outermost first.
    pub fn chain(&self) -> String {
        let mut text = self.to_string();
        let mut cause = std::error::Error::source(self);
        while let Some(error) = cause {
            let said = error.to_string();
            if !text.ends_with(&said) {
                text = format!("{text}: {said}");
            }
            cause = error.source();
        }
        text
    }
}

/// Adds the verb and the path to an I/O error.
pub trait Context<T> {
    /// "open `/path`: no such file or directory".
    fn context(self, action: &'static str, path: &Path) -> Result<T>;
}

impl<T> Context<T> for io::Result<T> {
    fn context(self, action: &'static str, path: &Path) -> Result<T> {
        self.map_err(|source| Error::Disk { action, path: path.to_owned(), source })
    }
}

/// Adds what was tried to an error of the driver.
pub trait Tried<T> {
    /// "read `sl_archive_counter`: connection closed".
    fn tried(self, action: impl Into<String>) -> Result<T>;
}

impl<T> Tried<T> for std::result::Result<T, tokio_postgres::Error> {
    fn tried(self, action: impl Into<String>) -> Result<T> {
        self.map_err(|source| Error::Database { action: action.into(), source })
    }
}
