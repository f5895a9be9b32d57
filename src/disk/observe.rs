//! Looking at the tree: listings, our own files, and files that strangers dropped.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::Path;

use crate::error::{Context, Error, Result};
use crate::model::{ArchiveName, Counter};

/// The most that a dropped file may hold: a request for ten thousand series is about 700 kB.
const DROPPED_BYTES: u64 = 4 * 1024 * 1024;

/// What tells one state of a file from another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Identity {
    device: u64,
    inode: u64,
    bytes: u64,
    modified: (i64, i64),
}

/// A file that somebody dropped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dropped {
    /// Its content.
    pub bytes: Vec<u8>,
    /// Which state of which file that is.
    pub identity: Identity,
    /// Its group, which an answer that the subscriber appends to takes over.
    pub group: u32,
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

/// The size of a plain file, no link followed; `None` if there is none of this name.
pub fn plain_size(path: &Path) -> Option<u64> {
    fs::symlink_metadata(path).ok().filter(fs::Metadata::is_file).map(|metadata| metadata.len())
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

/// Whether anything has this name.
pub fn exists(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok()
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
    Ok(Some(Dropped { bytes, identity, group: metadata.gid() }))
}

/// Takes a file that was read in this state from the one who dropped it, by giving it the hidden name `claim` in the
/// same directory. `false` if another is there by now, or none: that one stays and is looked at later.
pub fn take(path: &Path, claim: &Path, identity: Identity) -> Result<bool> {
    super::rename(path, claim)?;
    match fs::symlink_metadata(claim) {
        Ok(metadata) if self::identity(&metadata) == identity => Ok(true),
        Ok(_) => give_back(claim, path).map(|()| false),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error).context("examine", claim),
    }
}

/// Gives a claimed file its name back, unless a newer one has it. By a link: a rename would tell watchers that the file
/// was put there whole.
pub fn give_back(claim: &Path, path: &Path) -> Result<()> {
    use rustix::fs::{CWD, RenameFlags, renameat_with};
    match fs::hard_link(claim, path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => super::remove(claim),
        // Links to files of others may be forbidden.
        Err(_) => match renameat_with(CWD, claim, CWD, path, RenameFlags::NOREPLACE) {
            Err(rustix::io::Errno::EXIST) => super::remove(claim),
            renamed => renamed.map_err(io::Error::from).context("give back", claim),
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
        }
    }
}
