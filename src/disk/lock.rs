//! Locks on files: released by the kernel when the process ends, however it ends.

use std::collections::HashMap;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{ErrorKind, Seek as _, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::OwnedMutexGuard;

use super::change;
use super::journal::give_to_owner;
use crate::error::{Context, Error, Result};

/// Whoever can open the file can take the lock, and keep everybody from it for ever: nobody but its owner can.
const PRIVATE: u32 = 0o600;

/// How often a lock that is held is asked for again. Short, because most holds last milliseconds.
const PAUSE: Duration = Duration::from_millis(2);

/// How long another process may have the lock before it is said that we wait for it.
const LONG: Duration = Duration::from_secs(5);

/// How long somebody who only looks may be in the way.
const LOOKING: Duration = Duration::from_millis(500);

/// An exclusive flock. Dropping it releases it; the file stays, empty of meaning but for the process number in it.
#[derive(Debug)]
pub struct Lock {
    _file: File,
    /// Dropped after the file: then the next of this process asks for the lock.
    _turn: Option<OwnedMutexGuard<()>>,
}

/// Those of this process who wait for a lock, by its path. They queue: if each of a thousand asked the system again and
/// again, each would have the file open, the processor would do nothing else, and the lock would go to whoever is lucky.
static QUEUES: LazyLock<Mutex<HashMap<PathBuf, Arc<Queue>>>> = LazyLock::new(Mutex::default);

/// Fair: first come, first served.
type Queue = tokio::sync::Mutex<()>;

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
                Ok(Self { _file: file, _turn: None })
            }
            Err(TryLockError::WouldBlock) => {
                let holder = std::fs::read_to_string(path).unwrap_or_default();
                let holder = holder.trim();
                Err(Error::Busy(format!("`{}` is held by process {holder}: it runs already", path.display())))
            }
            Err(TryLockError::Error(error)) => Err(error).context("lock", path),
        }
    }

    /// As [`Lock::take`]; those who only look whether it is held are waited for, so that a glance keeps no daemon from starting.
    pub async fn take_soon(path: &Path) -> Result<Self> {
        let since = Instant::now();
        loop {
            match Self::take(path) {
                Err(Error::Busy(_)) if since.elapsed() < LOOKING => tokio::time::sleep(PAUSE).await,
                taken => return taken,
            }
        }
    }

    /// Locks a directory itself. Whoever may list it can do that too, for ever: only a process of our own user, or of root, keeps us
    /// from it. `None`: a stranger has the lock, or the file system has none for directories (NFS); both are said.
    pub fn take_directory(path: &Path) -> Result<Option<Self>> {
        let file = File::open(path).context("open", path)?;
        let error = match file.try_lock() {
            Ok(()) => return Ok(Some(Self { _file: file, _turn: None })),
            Err(TryLockError::Error(error)) => error.to_string(),
            Err(TryLockError::WouldBlock) => match holder_of(&file) {
                Some(process) if is_trusted(&process) => {
                    return Err(Error::Busy(format!("`{}` is held by process {process}", path.display())));
                }
                Some(process) => format!("process {process} of another user has the lock"),
                None => "a process that the system does not name has the lock".to_owned(),
            },
        };
        tracing::warn!(path = %path.display(), error, "the directory cannot be locked: another daemon that serves it is not noticed");
        Ok(None)
    }

    /// The process that holds a lock; `None` if nobody does. Looking keeps others from it for a moment.
    pub fn holder(path: &Path) -> Result<Option<String>> {
        let file = match File::open(path) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            // Of another user, who alone can open it. The system tells everybody who has it.
            Err(error) if error.kind() == ErrorKind::PermissionDenied => {
                let there = std::fs::metadata(path).context("examine", path)?;
                let held = std::fs::read_to_string(LOCKS).context("read", Path::new(LOCKS))?;
                return Ok(find_holder(&held, there.dev(), there.ino()));
            }
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
        let turn = queue(path).lock_owned().await;
        let file = open(path)?;
        let (since, mut is_told) = (Instant::now(), false);
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(Self { _file: file, _turn: Some(turn) }),
                // Asking again, not a thread blocked in flock(2): that one could not be given up at shutdown.
                Err(TryLockError::WouldBlock) => {
                    if !is_told && since.elapsed() > LONG {
                        is_told = true;
                        tell_of_holder(&file, path);
                    }
                    tokio::time::sleep(PAUSE).await;
                }
                Err(TryLockError::Error(error)) => return Err(error).context("lock", path),
            }
        }
    }
}

fn queue(path: &Path) -> Arc<Queue> {
    let mut queues = QUEUES.lock().unwrap_or_else(PoisonError::into_inner);
    queues.entry(path.to_owned()).or_default().clone()
}

/// Whoever waits for this process sees nothing happen, and should know why.
fn tell_of_holder(file: &File, path: &Path) {
    let process = holder_of(file);
    let process = process.as_deref().unwrap_or("unknown");
    tracing::warn!(path = %path.display(), process, "another process has the lock: it is waited for");
}

/// The process that has the lock on an open file, as far as the system says it.
fn holder_of(file: &File) -> Option<String> {
    let locks = std::fs::read_to_string(LOCKS).ok()?;
    let there = file.metadata().ok()?;
    find_holder(&locks, there.dev(), there.ino())
}

/// Whether a process is our own user's, or root's.
fn is_trusted(process: &str) -> bool {
    let user = super::owner(&Path::new("/proc").join(process));
    user.is_some_and(|user| user == 0 || user == super::own_number())
}

fn open(path: &Path) -> Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).mode(PRIVATE);
    let file = match options.open(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => make(path, &options)?,
        opened => opened.context("open", path)?,
    };
    // Earlier versions left it open to everybody.
    if file.metadata().context("examine", path)?.mode() & 0o077 != 0 {
        change::set_mode(path, PRIVATE).context("set the mode of", path)?;
    }
    Ok(file)
}

/// Makes the file. It belongs to the owner of its directory, also where root only looks before the daemon is started for the first time.
fn make(path: &Path, options: &OpenOptions) -> Result<File> {
    match options.clone().create_new(true).open(path) {
        // Another was faster.
        Err(error) if error.kind() == ErrorKind::AlreadyExists => options.open(path).context("open", path),
        made => {
            let file = made.context("open", path)?;
            give_to_owner(&file, path);
            Ok(file)
        }
    }
}

/// Where the system names all locks.
const LOCKS: &str = "/proc/locks";

/// The process that has a lock on this file, among all locks: lines `1: FLOCK ADVISORY WRITE 4711 fe:00:131 0 EOF`, with the device
/// in hexadecimal digits.
fn find_holder(locks: &str, device: u64, inode: u64) -> Option<String> {
    let place = format!("{:02x}:{:02x}:{inode}", rustix::fs::major(device), rustix::fs::minor(device));
    locks.lines().find_map(|line| {
        let mut words = line.split_whitespace().skip(1);
        let process = words.by_ref().nth(3)?;
        (line.contains(" FLOCK ") && words.next() == Some(&place)).then(|| process.to_owned())
    })
}

#[cfg(test)]
mod tests {
    use std::fs::{self, Permissions};
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn nobody_else_can_take_a_lock_also_not_one_of_an_earlier_version() {
        let directory = tempfile::tempdir().unwrap();
        let (new, old) = (directory.path().join("new.lock"), directory.path().join("old.lock"));
        fs::write(&old, "4711\n").unwrap();
        fs::set_permissions(&old, Permissions::from_mode(0o644)).unwrap();
        for path in [&new, &old] {
            let _lock = Lock::take(path).unwrap();
            assert_eq!(fs::metadata(path).unwrap().mode() & 0o777, 0o600, "{}", path.display());
        }
    }

    #[test]
    fn the_system_says_who_has_a_lock_that_only_another_user_can_open() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("run.lock");
        let found = || {
            let there = fs::metadata(&path).unwrap();
            find_holder(&fs::read_to_string(LOCKS).unwrap(), there.dev(), there.ino())
        };
        let lock = Lock::take(&path).unwrap();
        assert_eq!(found(), Some(std::process::id().to_string()));
        assert_eq!(Lock::holder(&path).unwrap(), found());
        drop(lock);
        assert_eq!(found(), None);
        assert_eq!(Lock::holder(&path).unwrap(), None);
    }

    #[tokio::test]
    async fn a_glance_keeps_no_daemon_from_starting_but_another_daemon_does() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("lock");
        drop(Lock::take(&path).unwrap());
        let glance = File::open(&path).unwrap();
        glance.lock_shared().unwrap();
        let soon = Lock::take_soon(&path);
        tokio::pin!(soon);
        tokio::select! {
            biased;
            taken = &mut soon => panic!("{taken:?}"),
            () = std::future::ready(()) => drop(glance),
        }
        let _held = soon.await.unwrap();
        assert!(matches!(Lock::take_soon(&path).await, Err(Error::Busy(_))));
    }
}
