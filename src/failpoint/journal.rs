//! What a power loss would take: every change of names and contents, and every sync, in a file of lines; and links to all
//! files that are concerned, by the numbers of their inodes, so that what has lost its last name can come back.
//!
//! | line | meaning |
//! |---|---|
//! | `entry <directory> <before> <name>` | the name changes; before it was this inode's, or `-` nobody's |
//! | `content <inode> <bytes>` | of this file so much is on disk |
//! | `names <directory>` | the names in this directory are on disk |
//! | `all` | all names are on disk |
//!
//! Directories are inodes too: they are renamed. `tests/crash/power.rs` reads it and takes back what is not on disk.

use std::fs::{self, File, Metadata};
use std::io::{self, Write as _};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use super::Change;
use super::armed::append;

/// The name of the file of lines.
const JOURNAL: &str = "journal";

pub(super) struct Journal {
    /// Where the links are; on the file system of everything else.
    directory: PathBuf,
    lines: File,
}

impl Journal {
    pub(super) fn open(directory: &Path) -> io::Result<Self> {
        Ok(Self { directory: directory.to_owned(), lines: append(&directory.join(JOURNAL))? })
    }

    /// Does a change, and notes it.
    pub(super) fn change<T>(
        &mut self,
        what: Change<'_>,
        act: impl FnOnce() -> io::Result<T>,
    ) -> io::Result<T> {
        match what {
            Change::Create(path) => {
                self.entry(path)?;
                let made = act()?;
                self.content(path, Some(0))?;
                Ok(made)
            }
            Change::Append(path) => {
                // What is known already may have lengthened since it was synced.
                if !fs::symlink_metadata(path).is_ok_and(|there| self.kept(&there).exists()) {
                    self.content(path, None)?;
                }
                act()
            }
            Change::Rename(from, to) => {
                self.entry(to)?;
                self.entry(from)?;
                act()
            }
            Change::Link(path) | Change::Remove(path) | Change::MakeDirectory(path) => {
                self.entry(path)?;
                act()
            }
            Change::RemoveTree(path) => {
                self.entry(path)?;
                let Ok(there) = fs::symlink_metadata(path) else { return act() };
                // Aside, whole: it may come back. What `act` finds is that nothing is there.
                fs::rename(path, self.kept(&there))?;
                act()
            }
            Change::Mark(_) => act(),
            Change::Sync(path) => {
                let done = act()?;
                if fs::metadata(path)?.is_dir() {
                    self.note(&format!("names {}", fs::metadata(path)?.ino()))?;
                } else {
                    self.content(path, None)?;
                }
                Ok(done)
            }
            Change::SyncAll(_) => {
                let done = act()?;
                for kept in fs::read_dir(&self.directory)?.flatten() {
                    if kept.file_name() != JOURNAL {
                        self.content(&kept.path(), None)?;
                    }
                }
                self.note("all")?;
                Ok(done)
            }
        }
    }

    /// Notes whose a name is that changes now.
    fn entry(&mut self, path: &Path) -> io::Result<()> {
        let (Some(directory), Some(name)) = (path.parent(), path.file_name()) else { return Ok(()) };
        let before = match fs::symlink_metadata(path) {
            Ok(there) => {
                self.keep(path, &there)?;
                there.ino().to_string()
            }
            Err(_) => "-".to_owned(),
        };
        let directory = match fs::metadata(directory) {
            Ok(directory) => directory.ino(),
            // Nothing can happen there.
            Err(_) => return Ok(()),
        };
        let mut line = format!("entry {directory} {before} ").into_bytes();
        line.extend_from_slice(name.as_bytes());
        line.push(b'\n');
        self.lines.write_all(&line)
    }

    /// Notes how much of a file is on disk: all of it if nothing else is said.
    fn content(&mut self, path: &Path, bytes: Option<u64>) -> io::Result<()> {
        let Ok(there) = fs::symlink_metadata(path) else { return Ok(()) };
        if !there.is_file() {
            return Ok(());
        }
        self.keep(path, &there)?;
        self.note(&format!("content {} {}", there.ino(), bytes.unwrap_or(there.len())))
    }

    /// Keeps a file beyond the loss of its names.
    fn keep(&self, path: &Path, there: &Metadata) -> io::Result<()> {
        let kept = self.kept(there);
        if there.is_dir() || kept.exists() { Ok(()) } else { fs::hard_link(path, kept) }
    }

    fn kept(&self, there: &Metadata) -> PathBuf {
        self.directory.join(there.ino().to_string())
    }

    fn note(&mut self, line: &str) -> io::Result<()> {
        self.lines.write_all(format!("{line}\n").as_bytes())
    }
}
