//! Every change of the file system, one function for each kind. Whoever makes one elsewhere is caught by `tests/house.rs`:
//! here a test can cut off what is done at each of them, see [`failpoint`].

use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::Path;
use std::time::SystemTime;

use rustix::fs::{CWD, RenameFlags, renameat_with};
use tempfile::{NamedTempFile, PathPersistError, TempDir, TempPath};

use crate::failpoint::{self, Change};

/// What temporary names begin with.
const TEMPORARY: &str = ".tmp-";

/// A new file of a temporary name, for us alone; it removes itself when it is dropped.
pub(super) fn create_hidden(directory: &Path) -> io::Result<NamedTempFile> {
    tempfile::Builder::new()
        .prefix(TEMPORARY)
        .make_in(directory, |path| create_with(path, OpenOptions::new().read(true).mode(0o600)))
}

/// A new directory of a temporary name; it removes itself when it is dropped.
pub(super) fn create_hidden_directory(directory: &Path) -> io::Result<TempDir> {
    failpoint::change(Change::Mark(&directory.join(TEMPORARY)), || {
        tempfile::Builder::new().prefix(TEMPORARY).tempdir_in(directory)
    })
}

/// Puts a file into place that tells of this process alone: nothing is synced, and nobody reads it when the process is dead. For
/// that reason, too, no test dies here: what a kill leaves is what any kill leaves, an old file or a hidden one.
pub(super) fn replace_fleeting(path: &Path, bytes: &[u8], mode: u32) -> io::Result<()> {
    let directory = path.parent().unwrap_or(Path::new("/"));
    let mut file = tempfile::Builder::new().prefix(TEMPORARY).tempfile_in(directory)?;
    file.write_all(bytes)?;
    file.as_file().set_permissions(Permissions::from_mode(mode))?;
    file.persist(path).map(drop).map_err(|error| error.error)
}

/// Adds to such a file, which is made if it is not there.
pub(super) fn append_fleeting(path: &Path, bytes: &[u8]) -> io::Result<()> {
    OpenOptions::new().create(true).append(true).open(path)?.write_all(bytes)
}

/// Removes such a file.
pub(super) fn remove_fleeting(path: &Path) -> io::Result<()> {
    fs::remove_file(path)
}

/// A file that already has a name gets a second one that is temporary.
pub(super) fn link_hidden(from: &Path, directory: &Path) -> io::Result<TempPath> {
    let linked = tempfile::Builder::new().prefix(TEMPORARY).make_in(directory, |path| link(from, path));
    linked.map(NamedTempFile::into_temp_path)
}

/// Whether a name is temporary.
pub(super) fn is_temporary(name: &std::ffi::OsStr) -> bool {
    name.as_encoded_bytes().starts_with(TEMPORARY.as_bytes())
}

/// A new file of a name that nothing has.
pub(super) fn create(path: &Path) -> io::Result<File> {
    create_with(path, &mut OpenOptions::new())
}

fn create_with(path: &Path, options: &mut OpenOptions) -> io::Result<File> {
    failpoint::change(Change::Create(path), || options.write(true).create_new(true).open(path))
}

/// Opens a file to append to it, and to read it; it is made if it is not there.
pub(super) fn open_to_append(path: &Path) -> io::Result<File> {
    let opened =
        failpoint::change(Change::Append(path), || OpenOptions::new().read(true).append(true).open(path));
    match opened {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            match create_with(path, OpenOptions::new().read(true).append(true)) {
                // Another was quicker.
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => open_to_append(path),
                created => created,
            }
        }
        opened => opened,
    }
}

/// Gives a temporary file its name, replacing what has it. If that fails, it is still there, and temporary.
///
/// By `renameat`, so that whoever looks on from outside (`tests/world/disk.rs`) tells it from a rename of a file that had a
/// name before.
pub(super) fn persist(file: TempPath, to: &Path) -> Result<(), PathPersistError> {
    let named = failpoint::change(Change::Rename(&file, to), || {
        rustix::fs::renameat(CWD, &*file, CWD, to).map_err(io::Error::from)
    });
    match named {
        Err(error) => Err(PathPersistError { error, path: file }),
        Ok(()) => file.keep().map(drop),
    }
}

pub(super) fn rename(from: &Path, to: &Path) -> io::Result<()> {
    failpoint::change(Change::Rename(from, to), || fs::rename(from, to))
}

/// Renames if nothing has the new name.
pub(super) fn rename_new(from: &Path, to: &Path) -> io::Result<()> {
    failpoint::change(Change::Rename(from, to), || {
        renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE).map_err(io::Error::from)
    })
}

/// Gives a file a second name that nothing has.
pub(super) fn link(from: &Path, to: &Path) -> io::Result<()> {
    failpoint::change(Change::Link(to), || fs::hard_link(from, to))
}

pub(super) fn remove(path: &Path) -> io::Result<()> {
    failpoint::change(Change::Remove(path), || fs::remove_file(path))
}

/// Removes a directory with all that is in it, if it is there.
pub(super) fn remove_tree(path: &Path) -> io::Result<()> {
    failpoint::change(Change::RemoveTree(path), || match fs::remove_dir_all(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        removed => removed,
    })
}

pub(super) fn make_directory(path: &Path) -> io::Result<()> {
    failpoint::change(Change::MakeDirectory(path), || fs::create_dir(path))
}

pub(super) fn set_mode(path: &Path, mode: u32) -> io::Result<()> {
    failpoint::change(Change::Mark(path), || fs::set_permissions(path, Permissions::from_mode(mode)))
}

/// As [`set_mode`], of an open file.
pub(super) fn set_mode_of(file: &NamedTempFile, mode: u32) -> io::Result<()> {
    failpoint::change(Change::Mark(file.path()), || {
        file.as_file().set_permissions(Permissions::from_mode(mode))
    })
}

pub(super) fn set_group(path: &Path, group: u32) -> io::Result<()> {
    failpoint::change(Change::Mark(path), || std::os::unix::fs::chown(path, None, Some(group)))
}

/// Gives an open file to another user and group, which only root may.
pub(super) fn give(file: &File, path: &Path, (user, group): (u32, u32)) -> io::Result<()> {
    failpoint::change(Change::Mark(path), || std::os::unix::fs::fchown(file, Some(user), Some(group)))
}

/// Sets when a file was written.
pub(super) fn set_modified(file: &NamedTempFile, time: SystemTime) -> io::Result<()> {
    failpoint::change(Change::Mark(file.path()), || file.as_file().set_modified(time))
}

/// Puts the content of a file, or the names in a directory, on disk.
pub(super) fn sync(path: &Path) -> io::Result<()> {
    failpoint::change(Change::Sync(path), || File::open(path)?.sync_all())
}

/// As [`sync`], of a file that is open.
pub(super) fn sync_open(file: &File, path: &Path) -> io::Result<()> {
    failpoint::change(Change::Sync(path), || file.sync_all())
}

/// Puts everything on disk that was changed in the file system of a directory, which is open.
pub(super) fn sync_file_system(directory: &File, path: &Path) -> io::Result<()> {
    failpoint::change(Change::SyncAll(path), || rustix::fs::syncfs(directory).map_err(io::Error::from))
}
