//! Where an archive is read from.

use std::collections::BTreeSet;
use std::io::{self, Cursor, Read};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::config::Config;
use crate::disk::{self, File};
use crate::error::{Error, Result};
use crate::ground::read;
use crate::model::{ArchiveName, Counter};
use crate::protocol::read_counters;
use crate::spelling::header;

/// The archives of slon, and those that an operator takes as empty.
pub(super) struct Archives {
    directory: PathBuf,
    shelf: Shelf,
    cluster: String,
    empty: BTreeSet<Counter>,
}

/// Singles and bundles; one thread at a time looks into these. Shared by those that read one after the other, so that they
/// unpack a bundle once and not each time they get the hold.
#[derive(Clone)]
pub(super) struct Shelf(Arc<Mutex<disk::Archives>>);

impl Shelf {
    pub(super) fn new(config: &Config, directory: &Path) -> Self {
        Self(Arc::new(Mutex::new(disk::Archives::new(directory, &config.paths.work_dir))))
    }

    /// Removes what was unpacked.
    pub(super) fn forget(&self) {
        self.lock().forget();
    }

    fn lock(&self) -> MutexGuard<'_, disk::Archives> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// An archive that can be read.
pub(super) enum Archive {
    /// A file, its size, and when it was changed.
    File(File, u64, (i64, i64)),
    /// One that slon has committed and written, and never given its name: only one without changes can be that.
    Unnamed(File, u64, (i64, i64)),
    /// One that slon committed and never wrote.
    Empty(Cursor<Vec<u8>>),
}

impl Archives {
    pub(super) fn new(config: &Config, directory: &Path, shelf: Shelf) -> Result<Self> {
        let empty = read(&config.paths.accepted_empty(), read_counters)?.unwrap_or_default();
        Ok(Self { directory: directory.to_owned(), shelf, cluster: config.cluster.clone(), empty })
    }

    /// The path of an archive.
    pub(super) fn path(&self, name: ArchiveName) -> PathBuf {
        self.directory.join(name.to_string())
    }

    /// Opens an archive. It has committed: if it is not there, slon has it still to write, or somebody took it away.
    pub(super) fn open(&self, name: ArchiveName) -> Result<Archive> {
        let path = self.path(name);
        let found = self.shelf.lock().open(name)?;
        if let Some(file) = found {
            let (bytes, modified) = disk::size_and_time(&file, &path)?;
            return Ok(Archive::File(file, bytes, modified));
        }
        if self.empty.contains(&name.counter) {
            return Ok(Archive::Empty(Cursor::new(header::empty_archive(&self.cluster, name.counter))));
        }
        // MOVE SET restarts the slon of a receiver; it may die between the commit of ACCEPT_SET and the rename.
        if let Some(file) = disk::open(&path.with_extension("sql.tmp"))? {
            let (bytes, modified) = disk::size_and_time(&file, &path)?;
            return Ok(Archive::Unnamed(file, bytes, modified));
        }
        Err(Error::Missing { counter: name.counter, path })
    }
}

impl Archive {
    /// Goes back to its begin.
    pub(super) fn rewind(&mut self) -> io::Result<()> {
        match self {
            Self::File(file, ..) | Self::Unnamed(file, ..) => io::Seek::rewind(file),
            Self::Empty(text) => {
                text.set_position(0);
                Ok(())
            }
        }
    }
}

impl Read for Archive {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::File(file, ..) | Self::Unnamed(file, ..) => file.read(buffer),
            Self::Empty(text) => text.read(buffer),
        }
    }
}
