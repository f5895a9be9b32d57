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
    /// The file has these bytes in place of those from which they were made. Others write it too, by hand: where it has neither, the
    /// plan ends here without success, and is to be made anew from what stands there.
    Replace {
        /// The file.
        path: PathBuf,
        /// Its content when it was read.
        before: Vec<u8>,
        /// Its content from now on.
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
    /// The directory is closed for all but this group.
    KeepApart {
        /// The directory; it may be gone.
        path: PathBuf,
        /// The number of the group.
        group: u32,
    },
    /// A file or directory gets another name; if it is not there, that was done before.
    Rename {
        /// The old name.
        from: PathBuf,
        /// The new one; a file there is replaced, a directory there must be empty.
        to: PathBuf,
    },
    /// A file of ours gets the name under which others look for it. One that a stranger has put under the hidden name stays.
    Show {
        /// The hidden name.
        from: PathBuf,
        /// The other.
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
    /// The file has this line, or one that says the same.
    Append {
        /// The file.
        path: PathBuf,
        /// What a line begins with that says the same.
        marks: Vec<Vec<u8>>,
        /// The line, without its end.
        line: Vec<u8>,
    },
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Write { path, bytes } | Self::Replace { path, bytes, .. } => {
                write!(f, "write {} ({} bytes)", path.display(), bytes.len())
            }
            Self::Remove(path) => write!(f, "remove {}", path.display()),
            Self::MakeDirectory { path, .. } => write!(f, "make directory {}", path.display()),
            Self::KeepApart { path, group } => write!(f, "keep {} for group {group}", path.display()),
            Self::Rename { from, to } | Self::Show { from, to } => {
                write!(f, "rename {} to {}", from.display(), to.display())
            }
            Self::MoveLogs { from, into } => {
                write!(f, "move the logs of {} into {}", from.display(), into.display())
            }
            Self::RemoveDirectory(path) => write!(f, "remove directory {}", path.display()),
            Self::Append { path, .. } => write!(f, "append a line to {}", path.display()),
        }
    }
}
