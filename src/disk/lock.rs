//! Locks on files: released by the kernel when the process ends, however it ends.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Seek as _, Write as _};
use std::path::Path;
use std::time::Duration;

use crate::error::{Context, Error, Result};

/// How often a lock that is held is asked for again. Short, because most holds last milliseconds.
const PAUSE: Duration = Duration::from_millis(2);

/// An exclusive flock. Dropping it releases it; the file stays, empty of meaning but for the process number in it.
#[derive(Debug)]
pub struct Lock {
    _file: File,
}

impl Lock {
    /// Takes the lock, or says who has it.
    pub fn take(path: &Path) -> Result<Self> {
        let mut file = open(path)?;
        match file.try_lock() {
            Ok(()) => {
                let noted = file
                    .set_len(0)
                    .and_then(|()| file.rewind())
                    .and_then(|()| writeln!(file, "{}", std::process::id()));
                noted.context("write", path)?;
                Ok(Self { _file: file })
            }
            Err(TryLockError::WouldBlock) => {
                let holder = std::fs::read_to_string(path).unwrap_or_default();
                let holder = holder.trim();
                Err(Error::Busy(format!("`{}` is held by process {holder}: it runs already", path.display())))
            }
            Err(TryLockError::Error(error)) => Err(error).context("lock", path),
        }
    }

    /// The process that holds a lock; `None` if nobody does. Looking keeps others from it for a moment.
    pub fn holder(path: &Path) -> Result<Option<String>> {
        let file = match File::open(path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            opened => opened.context("open", path)?,
        };
        match file.try_lock_shared() {
            Ok(()) => Ok(None),
            Err(TryLockError::WouldBlock) => {
                Ok(Some(std::fs::read_to_string(path).context("read", path)?.trim().to_owned()))
            }
            Err(TryLockError::Error(error)) => Err(error).context("lock", path),
        }
    }

    /// Waits until the lock is free and takes it. Dropping the future gives up.
    pub async fn wait(path: &Path) -> Result<Self> {
        let file = open(path)?;
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(Self { _file: file }),
                // Asking again, not a thread blocked in flock(2): that one could not be given up at shutdown.
                Err(TryLockError::WouldBlock) => tokio::time::sleep(PAUSE).await,
                Err(TryLockError::Error(error)) => return Err(error).context("lock", path),
            }
        }
    }
}

fn open(path: &Path) -> Result<File> {
    OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path).context("open", path)
}
