//! Looking at the tree: listings, our own files, and files that strangers dropped.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::Path;
use std::time::{Duration, SystemTime};

use super::change;
use crate::error::{Context, Error, Result};
use crate::model::{ArchiveName, Counter};

/// The most that a dropped file may hold: a request for ten thousand series is about 700 kB.
const DROPPED_BYTES: u64 = 4 * 1024 * 1024;

/// What tells one state of a file from another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Identity {
    device: u64,
    inode: u64,
    owner: u32,
    bytes: u64,
    modified: (i64, i64),
}

impl Identity {
    /// Whether both are states of one file, which its owner may have written on meanwhile. The number of a file that is gone may be
    /// another's at once.
    pub fn is_of_one_file(&self, other: &Self) -> bool {
        (self.device, self.inode, self.owner) == (other.device, other.inode, other.owner)
    }

    /// Whether it was written so long before `now` that another change would show. Clocks of file systems tick in
    /// milliseconds, some in seconds.
    pub fn is_past(&self, now: std::time::SystemTime) -> bool {
        let now = now.duration_since(std::time::UNIX_EPOCH).unwrap_or_default().as_secs();
        i64::try_from(now).is_ok_and(|now| self.modified.0.saturating_add(2) < now)
    }
}

/// A file that somebody dropped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dropped {
    /// Its content.
    pub bytes: Vec<u8>,
    /// Which state of which file that is.
    pub identity: Identity,
    /// When it was written last, by its file: seconds since 1970 and nanoseconds.
    pub modified: (i64, i64),
    /// The number of its owner: who may speak for which node is decided by it.
    pub owner: u32,
    /// Its group, which an answer that the subscriber appends to takes over.
    pub group: u32,
}

impl Dropped {
    /// When it was written last, as a time; `None` if its clock is out of its mind. Of what was read: by now the name may be
    /// another file's.
    pub fn written(&self) -> Option<SystemTime> {
        let (seconds, nanoseconds) = self.modified;
        let since = Duration::new(u64::try_from(seconds).ok()?, u32::try_from(nanoseconds).ok()?);
        SystemTime::UNIX_EPOCH.checked_add(since)
    }
}

/// The names in a directory, sorted.
pub type Names = Vec<OsString>;

/// Lists a directory.
pub fn names(directory: &Path) -> Result<Names> {
    let entries = fs::read_dir(directory).context("list", directory)?;
    let mut names = entries
        .map(|entry| entry.map(|e| e.file_name()))
        .collect::<io::Result<Names>>()
        .context("list", directory)?;
    names.sort_unstable();
    Ok(names)
}

/// The names of archives (or site logs) in a directory, in the order of their nodes and counters.
pub fn archives(directory: &Path) -> Result<Vec<ArchiveName>> {
    let mut archives: Vec<ArchiveName> =
        names(directory)?.iter().filter_map(|name| name.to_str()?.parse().ok()).collect();
    archives.sort_unstable();
    Ok(archives)
}

/// The site logs (or archives) in a directory: counter and name, in the order of the counters.
pub fn site_logs(directory: &Path) -> Result<Vec<(Counter, OsString)>> {
    let mut logs: Vec<_> = names(directory)?
        .into_iter()
        .filter_map(|name| Some((name.to_str()?.parse::<ArchiveName>().ok()?.counter, name)))
        .collect();
    logs.sort_unstable();
    Ok(logs)
}

/// One of our own files; `None` if it is not there.
pub fn read_optional(path: &Path) -> Result<Option<Vec<u8>>> {
    match fs::read(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        result => result.map(Some).context("read", path),
    }
}

/// Opens a file for reading; `None` if it is not there.
pub fn open(path: &Path) -> Result<Option<File>> {
    match File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        result => result.map(Some).context("open", path),
    }
}

/// Whose whatever has this name is, no link followed, and which state of which file that is; `None` if nothing has it.
pub fn owner_and_state(path: &Path) -> Option<(u32, Identity)> {
    let metadata = fs::symlink_metadata(path).ok()?;
    Some((metadata.uid(), identity(&metadata)))
}

/// Whose a file is, and when it was written last (seconds, nanoseconds), whatever it is; `None` if it is gone.
pub fn owner_and_time(path: &Path) -> Option<(u32, (i64, i64))> {
    let metadata = fs::symlink_metadata(path).ok()?;
    Some((metadata.uid(), (metadata.mtime(), metadata.mtime_nsec())))
}

/// Opens a plain file in a directory that others may write: no link is followed, no writer waited for. `None` if it is not
/// there; what is no plain file is refused.
pub(super) fn open_plain(path: &Path) -> Result<Option<File>> {
    let flags = rustix::fs::OFlags::NOFOLLOW | rustix::fs::OFlags::NONBLOCK | rustix::fs::OFlags::CLOEXEC;
    let flags = i32::try_from(flags.bits()).unwrap_or_default();
    let file = match OpenOptions::new().read(true).custom_flags(flags).open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) if error.raw_os_error() == Some(rustix::io::Errno::LOOP.raw_os_error()) => {
            return Err(not_plain(path));
        }
        opened => opened.context("open", path)?,
    };
    if file.metadata().context("examine", path)?.is_file() { Ok(Some(file)) } else { Err(not_plain(path)) }
}

fn not_plain(path: &Path) -> Error {
    Error::Stopped(format!("`{}` is no plain file: take it away", crate::paths::shown(path)))
}

/// Whether a failure is one of the disk itself.
pub fn is_broken(error: &io::Error) -> bool {
    error.raw_os_error() == Some(rustix::io::Errno::IO.raw_os_error())
}

/// The size of a plain file, no link followed; `None` if there is none of this name.
pub fn plain_size(path: &Path) -> Option<u64> {
    fs::symlink_metadata(path).ok().filter(fs::Metadata::is_file).map(|metadata| metadata.len())
}

/// Whether what has this name is a socket; `None` if nothing has it.
pub fn is_socket(path: &Path) -> Option<bool> {
    use std::os::unix::fs::FileTypeExt as _;
    fs::symlink_metadata(path).ok().map(|there| there.file_type().is_socket())
}

/// When a file was written last; `None` if it is gone.
pub fn modified(path: &Path) -> Option<std::time::SystemTime> {
    fs::metadata(path).and_then(|metadata| metadata.modified()).ok()
}

/// Size and time of the last change (seconds, nanoseconds) of an open file.
pub fn size_and_time(file: &File, path: &Path) -> Result<(u64, (i64, i64))> {
    let metadata = file.metadata().context("examine", path)?;
    Ok((metadata.len(), (metadata.mtime(), metadata.mtime_nsec())))
}

/// Whether a file holds the same bytes as another, which is open.
pub fn holds_the_same(path: &Path, other: File) -> Result<bool> {
    let (mut one, mut two) = (File::open(path).context("open", path)?, other);
    super::bundle::same(&mut one, &mut two).context("compare", path)
}

/// Fails where this is not a directory itself. A link to one is none: who can put it there sends what is written elsewhere.
pub fn real_directory(path: &Path) -> Result<()> {
    let there = fs::symlink_metadata(path).context("examine", path)?;
    let what = if there.is_symlink() {
        "it is a link, which is not followed"
    } else if there.is_dir() {
        return Ok(());
    } else {
        "it is no directory"
    };
    Err(io::Error::new(io::ErrorKind::NotADirectory, what)).context("write into", path)
}

/// Whether both lie in one file system, as far as that can be told.
pub fn share_a_file_system(one: &Path, other: &Path) -> bool {
    let device = |path| fs::metadata(path).map(|there| there.dev()).ok();
    device(one).zip(device(other)).is_some_and(|(one, other)| one == other)
}

/// Whether this error says that the process, or the whole system, can open no more files.
pub fn is_out_of_files(code: i32) -> bool {
    use rustix::io::Errno;
    [Errno::MFILE, Errno::NFILE].iter().any(|errno| errno.raw_os_error() == code)
}

/// Whether anything has this name.
pub fn exists(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok()
}

/// As [`exists`], for those who act upon it that nothing is there: a disk that does not answer has not said so.
pub fn is_there(path: &Path) -> Result<bool> {
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        there => there.map(|_| true).context("examine", path),
    }
}

/// What lies in a directory, each with the time at which it came there or was changed last. Nobody can set that time, unlike
/// the one at which a file was written.
pub fn arrivals(directory: &Path) -> Result<Vec<(std::time::SystemTime, OsString)>> {
    let came = |name: OsString| {
        let metadata = fs::symlink_metadata(directory.join(&name)).ok()?;
        let seconds = std::time::Duration::from_secs(u64::try_from(metadata.ctime()).ok()?);
        Some((std::time::UNIX_EPOCH + seconds, name))
    };
    Ok(names(directory)?.into_iter().filter_map(came).collect())
}

/// Whether this is a plain file of our own user, which nobody else may write.
pub fn is_ours(path: &Path) -> bool {
    fs::symlink_metadata(path)
        .is_ok_and(|there| there.is_file() && there.uid() == super::own_number() && there.mode() & 0o022 == 0)
}

/// Whether nobody but our own user can give or take names in a directory.
pub fn is_closed(directory: &Path) -> bool {
    fs::symlink_metadata(directory)
        .is_ok_and(|there| there.is_dir() && there.uid() == super::own_number() && there.mode() & 0o022 == 0)
}

/// The number of the owner of whatever has this name, no link followed; `None` if nothing has.
pub fn owner(path: &Path) -> Option<u32> {
    fs::symlink_metadata(path).ok().map(|metadata| metadata.uid())
}

/// Reads a file that anybody may have put there: opened once, no link followed, never waiting for a writer, size
/// capped. `None` if it is gone; [`Error::Refused`] if it is no plain file or too large. If it changed while it was
/// read, that shows in the identity the next time.
pub fn read_dropped(path: &Path) -> Result<Option<Dropped>> {
    let flags = rustix::fs::OFlags::NOFOLLOW | rustix::fs::OFlags::NONBLOCK | rustix::fs::OFlags::CLOEXEC;
    let flags = i32::try_from(flags.bits()).unwrap_or_default();
    let file = match OpenOptions::new().read(true).custom_flags(flags).open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) if error.raw_os_error() == Some(rustix::io::Errno::LOOP.raw_os_error()) => {
            return Err(Error::Refused("a symbolic link is not read".into()));
        }
        // A socket, or a device without a driver, cannot be opened at all.
        Err(error) if error.raw_os_error() == Some(rustix::io::Errno::NXIO.raw_os_error()) => {
            return Err(Error::Refused("this is no plain file".into()));
        }
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            return Err(Error::Refused("its permissions do not let the manager read it".into()));
        }
        Err(error) => return Err(error).context("open", path),
    };
    let metadata = file.metadata().context("examine", path)?;
    if !metadata.is_file() {
        return Err(Error::Refused("this is no plain file".into()));
    }
    if metadata.len() > DROPPED_BYTES {
        return Err(Error::Refused(format!("more than {DROPPED_BYTES} bytes are not read")));
    }
    let identity = identity(&metadata);
    let mut bytes = Vec::new();
    // A file that grows while it is read ends at the cap; the next look sees that it changed.
    file.take(DROPPED_BYTES + 1).read_to_end(&mut bytes).context("read", path)?;
    let modified = identity.modified;
    Ok(Some(Dropped { bytes, identity, modified, owner: metadata.uid(), group: metadata.gid() }))
}

/// Takes a file that was looked at from the one who dropped it, by giving it the name `claim`, by which nobody else looks for it.
/// `false` if another is there by now, as `is_it` says of its state, or none: that one stays and is looked at later.
pub fn take(path: &Path, claim: &Path, is_it: impl FnOnce(Identity) -> bool) -> Result<bool> {
    super::rename(path, claim)?;
    match fs::symlink_metadata(claim) {
        Ok(metadata) if is_it(identity(&metadata)) => Ok(true),
        Ok(_) => give_back(claim, path).map(|()| false),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error).context("examine", claim),
    }
}

/// Gives a claimed file its name back, unless a newer one has it. By a link: a rename would tell watchers that the file
/// was put there whole.
pub fn give_back(claim: &Path, path: &Path) -> Result<()> {
    match change::link(claim, path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => super::remove(claim),
        // Links to files of others may be forbidden.
        Err(_) => match change::rename_new(claim, path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => super::remove(claim),
            renamed => renamed.context("give back", claim),
        },
        Ok(()) => super::remove(claim),
    }
}

/// Which state of which file has this name now, without opening it.
pub fn state(path: &Path) -> Option<Identity> {
    fs::symlink_metadata(path).ok().map(|metadata| identity(&metadata))
}

fn identity(metadata: &fs::Metadata) -> Identity {
    Identity {
        device: metadata.dev(),
        inode: metadata.ino(),
        owner: metadata.uid(),
        bytes: metadata.size(),
        modified: (metadata.mtime(), metadata.mtime_nsec()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_plain_files_of_sane_size_are_read() {
        let directory = tempfile::tempdir().unwrap();
        let at = |name: &str| directory.path().join(name);
        assert_eq!(read_dropped(&at("none")).unwrap(), None);
        fs::write(at("plain"), "x").unwrap();
        assert_eq!(read_dropped(&at("plain")).unwrap().unwrap().bytes, b"x");
        std::os::unix::fs::symlink(at("plain"), at("link")).unwrap();
        fs::create_dir(at("directory")).unwrap();
        File::create(at("sparse")).unwrap().set_len(1 << 40).unwrap();
        rustix::fs::mknodat(rustix::fs::CWD, at("fifo"), rustix::fs::FileType::Fifo, 0o644.into(), 0)
            .unwrap();
        let _socket = std::os::unix::net::UnixListener::bind(at("socket")).unwrap();
        for name in ["link", "directory", "sparse", "fifo", "socket"] {
            assert!(matches!(read_dropped(&at(name)), Err(Error::Refused(_))), "{name}");
            assert_eq!(open_plain(&at(name)).is_ok(), name == "sparse", "{name}");
        }
        assert!(open_plain(&at("none")).unwrap().is_none());
    }

    #[test]
    fn what_cannot_be_looked_at_is_not_gone() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("file");
        fs::write(&file, "x").unwrap();
        assert!(is_there(&file).unwrap());
        assert!(!is_there(&directory.path().join("none")).unwrap());
        assert!(is_there(&file.join("below")).is_err());
    }

    #[test]
    fn the_time_is_that_of_the_file_that_was_read() {
        let directory = tempfile::tempdir().unwrap();
        let (word, other) = (directory.path().join("nso.counter"), directory.path().join("other"));
        let second = |at| SystemTime::UNIX_EPOCH + Duration::new(at, 500);
        for (path, at) in [(&word, 1_000), (&other, 2_000)] {
            fs::write(path, "4\n").unwrap();
            File::options().write(true).open(path).unwrap().set_modified(second(at)).unwrap();
        }
        let dropped = read_dropped(&word).unwrap().unwrap();
        // Whoever may write there has put a link to a younger file under its name.
        fs::remove_file(&word).unwrap();
        std::os::unix::fs::symlink(&other, &word).unwrap();
        assert_eq!(dropped.written(), Some(second(1_000)));
        assert_eq!(modified(&word), Some(second(2_000)));
    }
}
