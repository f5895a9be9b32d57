//! What a plan is made of: one change of the directory tree each.

use std::fmt;
use std::path::PathBuf;

/// One change. Each may find its work done by an earlier run that was killed, and then does nothing; so a plan may
/// be carried out any number of times, from its start, with the same tree in the end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// The file appears with these bytes, or replaces the one that is there, as a whole.
    Write {
        /// The file.
        path: PathBuf,
        /// Its content.
        bytes: Vec<u8>,
    },
    /// The file is gone.
    Remove(PathBuf),
    /// The directory exists, with the mode and group of `like` where that exists.
    MakeDirectory {
        /// The directory.
        path: PathBuf,
        /// The directory whose permissions it takes.
        like: PathBuf,
    },
    /// A file or directory gets another name; if it is not there, that was done before.
    Rename {
        /// The old name.
        from: PathBuf,
        /// The new one; a file there is replaced, a directory there must be empty.
        to: PathBuf,
    },
    /// Every site log of `from` is in `into`, in the order of the counters, replacing what has its name there.
    MoveLogs {
        /// The directory to empty; it may be gone.
        from: PathBuf,
        /// The directory to fill.
        into: PathBuf,
    },
    /// The directory and the files in it are gone.
    RemoveDirectory(PathBuf),
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Write { path, bytes } => write!(f, "write {} ({} bytes)", path.display(), bytes.len()),
            Self::Remove(path) => write!(f, "remove {}", path.display()),
            Self::MakeDirectory { path, .. } => write!(f, "make directory {}", path.display()),
            Self::Rename { from, to } => write!(f, "rename {} to {}", from.display(), to.display()),
            Self::MoveLogs { from, into } => {
                write!(f, "move the logs of {} into {}", from.display(), into.display())
            }
            Self::RemoveDirectory(path) => write!(f, "remove directory {}", path.display()),
        }
    }
}
