//! The one way to write a file: hidden temporary name, content, sync, rename, sync of the directory.

use std::fs::{self, File, Permissions};
use std::io::{self, Read as _, Seek as _, Write as _};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::Path;

use tempfile::{NamedTempFile, TempPath};

use crate::error::{Context, Result};

/// Readable by everybody: subscribers fetch with accounts of their own.
const READABLE: u32 = 0o644;

/// What temporary names begin with.
const TEMPORARY: &[u8] = b".tmp-";

/// Puts a file with these bytes into place as a whole. When it returns, content and name are on disk. A crash before
/// leaves the old file, or none, and at the most a hidden temporary file. A file that has these bytes already is left
/// alone, so that repeating a step is cheap and keeps its owner.
pub fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    if holds(path, bytes) {
        return Ok(());
    }
    let mut file = create_hidden(parent(path))?;
    file.write_all(bytes).context("write", file.path())?;
    publish_created(file, path, READABLE)
}

/// Makes a file with these bytes under a name that nothing has; whether it is made. It comes as a whole, from `scratch`, so
/// that nothing else of it is ever seen in a directory that is shared with others. Where `scratch` is on another file system,
/// a crash may leave the begin of it.
pub fn write_new(path: &Path, bytes: &[u8], scratch: &Path) -> Result<bool> {
    let mut file = create_hidden(scratch)?;
    file.write_all(bytes).context("write", file.path())?;
    let mode = Permissions::from_mode(READABLE);
    file.as_file().set_permissions(mode).context("set the mode of", file.path())?;
    file.as_file().sync_all().context("sync", file.path())?;
    let created = match fs::hard_link(file.path(), path) {
        Err(error) if matches!(error.raw_os_error(), Some(code) if is_link_refusal(code)) => {
            File::create_new(path).and_then(|mut file| file.write_all(bytes))
        }
        linked => linked,
    };
    match created {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
        created => created.map(|()| true).context("create", path),
    }
}

/// Appends to a file, which is made if it is not there. Nothing is synced, and a crash may leave a part of it: for what
/// nothing relies upon.
pub fn append(path: &Path, bytes: &[u8]) -> Result<()> {
    let file = fs::OpenOptions::new().create(true).append(true).open(path);
    file.and_then(|mut file| file.write_all(bytes)).context("append to", path)
}

/// Appends to `into` (made if it is not there) what a file has from the byte `from` on, at the most `limit` bytes, and tells
/// `progress` how many have been copied. Returns the size of the file; `None` if it is not there. Nothing is synced.
pub fn append_from(
    path: &Path,
    from: u64,
    limit: u64,
    into: &Path,
    progress: &(dyn Fn(u64) + Sync),
) -> Result<Option<u64>> {
    let Some(mut source) = super::open(path)? else { return Ok(None) };
    source.seek(io::SeekFrom::Start(from)).context("read", path)?;
    let mut target = fs::OpenOptions::new().create(true).append(true).open(into).context("open", into)?;
    let mut left = limit;
    loop {
        let copied =
            io::copy(&mut (&mut source).take(left.min(PIECE)), &mut target).context("write", into)?;
        if copied == 0 {
            return source.metadata().map(|metadata| Some(metadata.len())).context("examine", path);
        }
        left -= copied;
        progress(limit - left);
    }
}

/// Copies are made in pieces of this size.
const PIECE: u64 = 1 << 20;

/// Whether a plain file with these bytes is there. Its kind and size are asked first: in the drop directory anything
/// may have the name.
fn holds(path: &Path, bytes: &[u8]) -> bool {
    let plain =
        fs::symlink_metadata(path).is_ok_and(|there| there.is_file() && there.len() == bytes.len() as u64);
    plain && fs::read(path).is_ok_and(|there| there == bytes)
}

/// As [`write()`], and the file gets this mode and, as far as this process may give it, this group.
pub fn write_like(path: &Path, bytes: &[u8], mode: u32, group: u32) -> Result<()> {
    let mut file = create_hidden(parent(path))?;
    file.write_all(bytes).context("write", file.path())?;
    if let Err(error) = std::os::unix::fs::chown(file.path(), None, Some(group)) {
        tracing::debug!(path = %path.display(), group, %error, "the file keeps the group of the daemon");
    }
    publish_created(file, path, mode)
}

/// A new hidden file in `directory`; it removes itself when it is dropped.
pub fn create_hidden(directory: &Path) -> Result<NamedTempFile> {
    tempfile::Builder::new().prefix(".tmp-").tempfile_in(directory).context("create a file in", directory)
}

/// Gives a hidden file its mode and its name. Content and name are on disk when it returns.
pub fn publish_created(file: NamedTempFile, path: &Path, mode: u32) -> Result<()> {
    name_created(file, path, mode)?;
    sync_directory(parent(path))
}

/// Ends the writing of a hidden file that everybody may read. It has no name yet, and is not on disk before
/// [`sync_many`]; it removes itself when it is dropped.
pub fn close_hidden(file: NamedTempFile) -> Result<TempPath> {
    file.as_file()
        .set_permissions(Permissions::from_mode(READABLE))
        .context("set the mode of", file.path())?;
    Ok(file.into_temp_path())
}

/// Gives a closed hidden file its name, replacing what has it. Nothing is synced.
pub fn name_hidden(file: TempPath, path: &Path) -> Result<()> {
    let error = match file.persist(path) {
        Ok(()) => return Ok(()),
        Err(error) => error,
    };
    match error.error.kind() {
        io::ErrorKind::CrossesDevices => link_or_copy(&error.path, path),
        io::ErrorKind::IsADirectory => {
            clear_the_way(path)?;
            error.path.persist(path).map_err(|e| e.error).context("rename a file to", path)
        }
        _ => Err(error.error).context("rename a file to", path),
    }
}

/// Up to so many files are synced one by one. More are left to one sync of their file system, which also writes what
/// others have changed there: dearer once, cheaper than hundreds.
const ONE_BY_ONE: usize = 8;

/// Puts files, or the names in directories, on disk.
pub fn sync_many<'p>(paths: impl IntoIterator<Item = &'p Path>) -> Result<()> {
    let paths: Vec<&Path> = paths.into_iter().collect();
    if paths.len() <= ONE_BY_ONE {
        return paths
            .into_iter()
            .try_for_each(|path| File::open(path).and_then(|file| file.sync_all()).context("sync", path));
    }
    let mut directories: Vec<&Path> =
        paths.iter().map(|path| if path.is_dir() { path } else { parent(path) }).collect();
    directories.sort_unstable();
    directories.dedup();
    let mut devices = std::collections::HashSet::new();
    for directory in directories {
        let open = File::open(directory).context("open", directory)?;
        if devices.insert(open.metadata().context("examine", directory)?.dev()) {
            rustix::fs::syncfs(&open)
                .map_err(io::Error::from)
                .context("sync the file system of", directory)?;
        }
    }
    Ok(())
}

fn name_created(file: NamedTempFile, path: &Path, mode: u32) -> Result<()> {
    file.as_file().set_permissions(Permissions::from_mode(mode)).context("set the mode of", file.path())?;
    file.as_file().sync_all().context("sync", file.path())?;
    clear_the_way(path)?;
    file.persist(path).map_err(|e| e.error).context("rename a file to", path)?;
    Ok(())
}

/// A directory that somebody made under the name of a file of ours would block that name for ever.
fn clear_the_way(path: &Path) -> Result<()> {
    if is_directory(path) { fs::remove_dir_all(path).context("remove directory", path) } else { Ok(()) }
}

/// A directory itself, not a link to one.
fn is_directory(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok_and(|there| there.is_dir())
}

/// Removes a file, if it is there; it cannot come back after a power loss.
pub fn remove(path: &Path) -> Result<()> {
    clear_the_way(path)?;
    match fs::remove_file(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error).context("remove", path),
        Ok(()) => sync_directory(parent(path)),
    }
}

/// Renames a file or directory; if `from` is not there, an earlier run did it. Both directories are synced.
pub fn rename(from: &Path, to: &Path) -> Result<()> {
    if super::exists(from) && !is_directory(from) {
        clear_the_way(to)?;
    }
    match fs::rename(from, to) {
        Err(error) if error.kind() == io::ErrorKind::NotFound && !super::exists(from) => return Ok(()),
        result => result.context("rename", from)?,
    }
    // Two names of one file: rename(2) then does nothing at all, and the old name would stay.
    if super::exists(from) {
        fs::remove_file(from).context("remove", from)?;
    }
    sync_directory(parent(to))?;
    if parent(from) == parent(to) { Ok(()) } else { sync_directory(parent(from)) }
}

/// Makes a directory, if it is not there. It takes mode and group of `like` where that exists, because an operator who
/// has set those of a site's directory means its successor too.
pub fn create_directory(path: &Path, like: &Path) -> Result<()> {
    match fs::create_dir(path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && is_directory(path) => return Ok(()),
        result => result.context("create directory", path)?,
    }
    if let Ok(model) = fs::metadata(like) {
        let mode = Permissions::from_mode(model.permissions().mode());
        fs::set_permissions(path, mode).context("set the mode of", path)?;
        // Not permitted to a daemon outside that group; the operator sees it in the directory's listing.
        let _ = std::os::unix::fs::chown(path, None, Some(model.gid()));
    }
    sync_directory(parent(path))
}

/// Removes what [`create_hidden`] made in a process that was killed. Nobody else may write there now.
pub fn remove_temporary(directory: &Path) -> Result<()> {
    if !directory.is_dir() {
        return Ok(());
    }
    for name in super::names(directory)?.iter().filter(|name| is_temporary(name)) {
        remove(&directory.join(name))?;
    }
    Ok(())
}

/// Whether there is anything of that kind, of a process that was killed or one that is at work.
pub fn has_temporary(directory: &Path) -> bool {
    super::names(directory).is_ok_and(|names| names.iter().any(|name| is_temporary(name)))
}

fn is_temporary(name: &std::ffi::OsStr) -> bool {
    name.as_encoded_bytes().starts_with(TEMPORARY)
}

/// Gives a file a second name. As [`link_or_copy`], and quicker where nothing has that name.
pub fn link(from: &Path, to: &Path) -> Result<()> {
    if fs::hard_link(from, to).is_ok() { Ok(()) } else { link_or_copy(from, to) }
}

/// Gives a file a second name, replacing what has it; where the file systems differ it is copied. Neither is synced:
/// the caller syncs the directory once for many.
pub fn link_or_copy(from: &Path, to: &Path) -> Result<()> {
    let directory = parent(to);
    let hidden = tempfile::Builder::new()
        .prefix(".tmp-")
        .make_in(directory, |path| fs::hard_link(from, path))
        .map(tempfile::NamedTempFile::into_temp_path);
    let hidden = match hidden {
        Err(error) if matches!(error.raw_os_error(), Some(code) if is_link_refusal(code)) => {
            let mut copy = create_hidden(directory)?;
            let mut source = File::open(from).context("open", from)?;
            io::copy(&mut source, &mut copy).context("copy", from)?;
            let mode = Permissions::from_mode(READABLE);
            copy.as_file().set_permissions(mode).context("set the mode of", copy.path())?;
            copy.as_file().sync_all().context("sync", copy.path())?;
            copy.into_temp_path()
        }
        hidden => hidden.context("link", from)?,
    };
    hidden.persist(to).map_err(|e| e.error).context("rename a file to", to)
}

/// Another file system, too many links, or a file system without links.
fn is_link_refusal(code: i32) -> bool {
    use rustix::io::Errno;
    [Errno::XDEV, Errno::MLINK, Errno::PERM, Errno::OPNOTSUPP]
        .iter()
        .any(|errno| errno.raw_os_error() == code)
}

/// Puts the names of a directory on disk.
pub fn sync_directory(directory: &Path) -> Result<()> {
    File::open(directory).and_then(|directory| directory.sync_all()).context("sync directory", directory)
}

fn parent(path: &Path) -> &Path {
    path.parent().unwrap_or(Path::new("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_replaced_as_a_whole_and_nothing_else_is_left() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("list");
        write(&path, b"one\n").unwrap();
        write(&path, b"two\n").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"two\n");
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, READABLE);
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_new_file_takes_no_name_that_something_has() {
        let (shared, own) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let path = shared.path().join("die");
        assert!(write_new(&path, b"ours", own.path()).unwrap());
        assert!(!write_new(&path, b"other", own.path()).unwrap());
        assert_eq!(fs::read(&path).unwrap(), b"ours");
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, READABLE);
        fs::remove_file(&path).unwrap();
        // Another file system.
        let memory = tempfile::tempdir_in("/dev/shm").unwrap();
        assert!(write_new(&path, b"ours", memory.path()).unwrap());
        assert!(!write_new(&path, b"other", memory.path()).unwrap());
        assert_eq!(fs::read(&path).unwrap(), b"ours");
        for (directory, names) in [(&shared, 1), (&own, 0), (&memory, 0)] {
            assert_eq!(fs::read_dir(directory.path()).unwrap().count(), names);
        }
    }

    #[test]
    fn renaming_one_file_over_its_own_link_removes_the_old_name() {
        let directory = tempfile::tempdir().unwrap();
        let (a, b) = (directory.path().join("a"), directory.path().join("b"));
        write(&a, b"x").unwrap();
        link_or_copy(&a, &b).unwrap();
        rename(&a, &b).unwrap();
        assert!(!a.exists() && b.exists());
        rename(&a, &b).unwrap();
        assert!(b.exists(), "a rename that was done is not an error");
    }

    #[test]
    fn a_failure_names_the_path() {
        let error = write(Path::new("/nowhere/at/all"), b"").unwrap_err();
        assert!(error.chain().starts_with("create a file in `/nowhere/at`: "), "{}", error.chain());
    }
}
