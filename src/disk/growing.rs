//! A file that only grows, read while others append to it, whatever becomes of its name meanwhile.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::{FileExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};

use super::names;
use crate::error::{Context as _, Result};

/// So much is read at once.
const PIECE: usize = 8 << 20;

/// Such a file, open.
#[derive(Debug)]
pub struct Growing {
    file: File,
    path: PathBuf,
    inode: u64,
}

impl Growing {
    /// Opens the file; `None` if it is not there.
    pub fn open(path: &Path) -> Result<Option<Self>> {
        let Some(file) = super::open(path)? else { return Ok(None) };
        let inode = file.metadata().context("examine", path)?.ino();
        Ok(Some(Self { file, path: path.to_owned(), inode }))
    }

    /// The file of this inode beside `path`: it has another name by now, which begins with that of `path`.
    pub fn find(path: &Path, inode: u64) -> Result<Option<Self>> {
        let (Some(directory), Some(begin)) = (path.parent(), path.file_name()) else { return Ok(None) };
        for name in names(directory)? {
            let is_like = name.as_encoded_bytes().starts_with(begin.as_encoded_bytes());
            let path = directory.join(&name);
            // Nothing is opened that is not the one: it may be a pipe.
            if is_like && inode_of(&path)? == Some(inode) {
                return Self::open(&path);
            }
        }
        Ok(None)
    }

    /// What tells it from others, as long as one process has it open.
    pub fn inode(&self) -> u64 {
        self.inode
    }

    /// How many bytes it has.
    pub fn length(&self) -> Result<u64> {
        Ok(self.file.metadata().context("examine", &self.path)?.len())
    }

    /// Whether this name leads to it.
    pub fn is_at(&self, path: &Path) -> Result<bool> {
        Ok(inode_of(path)? == Some(self.inode))
    }

    /// What follows from this byte on, some megabytes at the most.
    pub fn read(&self, from: u64) -> Result<Vec<u8>> {
        let rest = usize::try_from(self.length()?.saturating_sub(from)).unwrap_or(PIECE).min(PIECE);
        let mut bytes = vec![0; rest];
        let mut filled = 0;
        while let Some(room) = bytes.get_mut(filled..).filter(|room| !room.is_empty()) {
            let at = from + u64::try_from(filled).unwrap_or_default();
            match self.file.read_at(room, at).context("read", &self.path)? {
                0 => break,
                read => filled += read,
            }
        }
        bytes.truncate(filled);
        Ok(bytes)
    }
}

fn inode_of(path: &Path) -> Result<Option<u64>> {
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        found => Ok(Some(found.context("examine", path)?.ino())),
    }
}
