//! The one way to write a file: hidden temporary name, content, sync, rename, sync of the directory.

use std::fs::{self, File};
use std::io::{self, Read as _, Seek as _, Write as _};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use tempfile::{NamedTempFile, TempPath};

use super::{change, own_number};
use crate::error::{Context, Error, Result};
use crate::paths::shown;

/// Readable by everybody: subscribers fetch with accounts of their own.
const READABLE: u32 = 0o644;

/// Puts a file with these bytes into place as a whole. When it returns, content and name are on disk. A crash before
/// leaves the old file, or none, and at the most a hidden temporary file. A file that has these bytes already is left
/// alone, so that repeating a step is cheap and keeps its owner; but its name may be of a run that failed, or was killed,
/// before it was on disk.
pub fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    if holds(path, bytes) {
        return sync_directory(parent(path));
    }
    write_anew(path, bytes)
}

/// As [`write()`], also where the file has these bytes already: its time says that they still hold.
pub fn write_anew(path: &Path, bytes: &[u8]) -> Result<()> {
    let mut file = create_hidden(parent(path))?;
    file.as_file_mut().write_all(bytes).context("write", path)?;
    publish_created(file, path, READABLE)
}

/// As [`write()`], and the file must still have the bytes from which these were made, or these already: nothing is overwritten that
/// somebody has written by hand meanwhile.
pub fn replace(path: &Path, before: &[u8], bytes: &[u8]) -> Result<()> {
    let there = super::read_optional(path)?;
    match there.as_deref() {
        Some(there) if there == before || there == bytes => write(path, bytes),
        _ => Err(Error::Stopped(format!(
            "somebody has changed `{}` meanwhile: it is left as it is, and what was to be done is done by it when it is tried again",
            shown(path)
        ))),
    }
}

/// Makes a file with these bytes under a name that nothing has; whether it is made. It comes as a whole, from `scratch`, so
/// that nothing else of it is ever seen in a directory that is shared with others. Where `scratch` is on another file system,
/// a crash may leave the begin of it.
pub fn write_new(path: &Path, bytes: &[u8], scratch: &Path) -> Result<bool> {
    let mut file = create_hidden(scratch)?;
    file.as_file_mut().write_all(bytes).context("write into", scratch)?;
    change::set_mode_of(&file, READABLE).context("set the mode of", file.path())?;
    change::sync_open(file.as_file(), file.path()).context("sync", file.path())?;
    let created = match change::link(file.path(), path) {
        Err(error) if matches!(error.raw_os_error(), Some(code) if is_link_refusal(code)) => {
            change::create(path).and_then(|mut file| file.write_all(bytes))
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
    change::open_to_append(path).and_then(|mut file| file.write_all(bytes)).context("append to", path)
}

/// Puts a file into place as a whole that tells how far this process is, for those who look on: nothing relies upon it, and
/// nothing is synced.
pub fn write_fleeting(path: &Path, bytes: &[u8]) -> Result<()> {
    change::replace_fleeting(path, bytes, READABLE).context("write", path)
}

/// Adds to such a file, which is made if it is not there. A crash may leave a part of what was added.
pub fn append_fleeting(path: &Path, bytes: &[u8]) -> Result<()> {
    change::append_fleeting(path, bytes).context("append to", path)
}

/// Removes such a file, if it is there.
pub fn remove_fleeting(path: &Path) -> Result<()> {
    match change::remove_fleeting(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        removed => removed.context("remove", path),
    }
}

/// Lets everybody connect to a socket who comes to it: its directory decides who does.
pub fn open_socket(path: &Path) -> Result<()> {
    change::set_mode(path, 0o666).context("set the mode of", path)
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
    let mut target = change::open_to_append(into).context("open", into)?;
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

/// Whether a file of ours with these bytes is there. Its kind and size are asked first: in the drop directory anything
/// may have the name, and what a stranger has put there is not written, whatever it says.
fn holds(path: &Path, bytes: &[u8]) -> bool {
    super::plain_size(path) == Some(bytes.len() as u64)
        && super::is_ours(path)
        && fs::read(path).is_ok_and(|there| there == bytes)
}

/// As [`write()`], and the file gets this mode and, as far as this process may give it, this group.
pub fn write_like(path: &Path, bytes: &[u8], mode: u32, group: u32) -> Result<()> {
    let mut file = create_hidden(parent(path))?;
    file.as_file_mut().write_all(bytes).context("write", path)?;
    if let Err(error) = change::set_group(file.path(), group) {
        tracing::debug!(path = %path.display(), group, %error, "the file keeps the group of the daemon");
    }
    publish_created(file, path, mode)
}

/// A new hidden file in `directory`; it removes itself when it is dropped.
pub fn create_hidden(directory: &Path) -> Result<NamedTempFile> {
    change::create_hidden(directory).context("create a file in", directory)
}

/// Gives a hidden file its mode and its name. Content and name are on disk when it returns.
pub fn publish_created(file: NamedTempFile, path: &Path, mode: u32) -> Result<()> {
    name_created(file, path, mode)?;
    sync_directory(parent(path))
}

/// Ends the writing of a hidden file that everybody may read. It has no name yet, and is not on disk before
/// [`sync_many`]; it removes itself when it is dropped.
pub fn close_hidden(file: NamedTempFile) -> Result<TempPath> {
    change::set_mode_of(&file, READABLE).context("set the mode of", file.path())?;
    Ok(file.into_temp_path())
}

/// Gives a closed hidden file its name, replacing what has it. Nothing is synced.
pub fn name_hidden(file: TempPath, path: &Path) -> Result<()> {
    let error = match change::persist(file, path) {
        Ok(()) => return Ok(()),
        Err(error) => error,
    };
    match error.error.kind() {
        io::ErrorKind::CrossesDevices => link_or_copy(&error.path, path),
        io::ErrorKind::IsADirectory => {
            clear_the_way(path)?;
            change::persist(error.path, path).map_err(|e| e.error).context("rename a file to", path)
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
        return paths.into_iter().try_for_each(|path| change::sync(path).context("sync", path));
    }
    let mut directories: Vec<&Path> =
        paths.iter().map(|path| if path.is_dir() { path } else { parent(path) }).collect();
    directories.sort_unstable();
    directories.dedup();
    let mut devices = std::collections::HashSet::new();
    for directory in directories {
        let open = File::open(directory).context("open", directory)?;
        if devices.insert(open.metadata().context("examine", directory)?.dev()) {
            change::sync_file_system(&open, directory).context("sync the file system of", directory)?;
        }
    }
    Ok(())
}

fn name_created(file: NamedTempFile, path: &Path, mode: u32) -> Result<()> {
    // Told with the name that it is to have: the hidden one is another each time, and the fault would be news each time.
    change::set_mode_of(&file, mode).context("set the mode of", path)?;
    change::sync_open(file.as_file(), file.path()).context("sync", path)?;
    clear_the_way(path)?;
    change::persist(file.into_temp_path(), path).map_err(|e| e.error).context("rename a file to", path)?;
    Ok(())
}

/// A directory that somebody made under the name of a file of ours would block that name for ever.
fn clear_the_way(path: &Path) -> Result<()> {
    if is_directory(path) { change::remove_tree(path).context("remove directory", path) } else { Ok(()) }
}

/// A directory itself, not a link to one.
fn is_directory(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok_and(|there| there.is_dir())
}

/// Removes a file, if it is there; it cannot come back after a power loss.
pub fn remove(path: &Path) -> Result<()> {
    clear_the_way(path)?;
    match change::remove(path) {
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
    match change::rename(from, to) {
        Err(error) if error.kind() == io::ErrorKind::NotFound && !super::is_there(from)? => return Ok(()),
        result => result.context("rename", from)?,
    }
    if parent(from) == parent(to) {
        remove_twin(from, to)?;
        return sync_directory(parent(to));
    }
    sync_directory(parent(to))?;
    remove_twin(from, to)?;
    sync_directory(parent(from))
}

/// Removes `name` if it is another name of the file that `other` names: rename(2) does nothing at all then, and it would stay. Any
/// other file of that name has come since, as a subscriber's next request does, and is not ours to remove.
fn remove_twin(name: &Path, other: &Path) -> Result<()> {
    if are_one(name, other) { change::remove(name).context("remove", name) } else { Ok(()) }
}

/// Whether two names are those of one file.
fn are_one(name: &Path, other: &Path) -> bool {
    let file = |path: &Path| fs::symlink_metadata(path).ok().map(|there| (there.dev(), there.ino()));
    file(name).is_some_and(|one| file(other) == Some(one))
}

/// Makes a directory, if it is not there. It takes mode and group of `like` where that exists, because an operator who
/// has set those of a site's directory means its successor too.
pub fn create_directory(path: &Path, like: &Path) -> Result<()> {
    match change::make_directory(path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && is_directory(path) => return Ok(()),
        result => result.context("create directory", path)?,
    }
    if let Ok(model) = fs::metadata(like) {
        change::set_mode(path, model.permissions().mode()).context("set the mode of", path)?;
        // Not permitted to a daemon outside that group; the operator sees it in the directory's listing.
        let _ = change::set_group(path, model.gid());
    }
    sync_directory(parent(path))
}

/// Makes a directory, if it is not there. Whatever else has its name makes room: a link that somebody put there would lead
/// out of our directories.
pub fn claim_directory(path: &Path) -> Result<()> {
    if is_directory(path) {
        return Ok(());
    }
    remove(path)?;
    create_directory(path, path)
}

/// Removes what [`create_hidden`] made in processes of this user that were killed; what others have there stays. None of ours may
/// write there now.
pub fn remove_temporary(directory: &Path) -> Result<()> {
    let left: Vec<_> = temporary(directory).into_iter().map(|(path, _)| path).collect();
    remove_each(directory, &left)
}

/// What there is of that kind, of processes of this user that were killed or that are at work, and when each was last written; no link
/// followed.
pub fn temporary(directory: &Path) -> Vec<(PathBuf, SystemTime)> {
    let names = super::names(directory).unwrap_or_default();
    let paths = names.iter().filter(|name| change::is_temporary(name)).map(|name| directory.join(name));
    let written = |path: PathBuf| {
        let there = fs::symlink_metadata(&path).ok().filter(|there| there.uid() == own_number())?;
        Some((path, there.modified().ok()?))
    };
    paths.filter_map(written).collect()
}

/// Removes files and trees of a directory, and puts that on disk once for all. One that cannot be removed does not keep the others; its
/// failure is returned in the end.
pub fn remove_each(directory: &Path, paths: &[PathBuf]) -> Result<()> {
    let mut result = Ok(());
    for path in paths {
        let removed = if is_directory(path) { change::remove_tree(path) } else { change::remove(path) };
        match removed {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            removed => result = result.and(removed.context("remove", path)),
        }
    }
    if paths.is_empty() { result } else { result.and(sync_directory(directory)) }
}

/// Gives a file a second name. As [`link_or_copy`], and quicker where nothing has that name.
pub fn link(from: &Path, to: &Path) -> Result<()> {
    if change::link(from, to).is_ok() { Ok(()) } else { link_or_copy(from, to) }
}

/// Gives a file a second name, replacing what has it; where the file systems differ it is copied. Neither is synced:
/// the caller syncs the directory once for many.
pub fn link_or_copy(from: &Path, to: &Path) -> Result<()> {
    // Done by an earlier run. A rename over it would do nothing, and leave the hidden name there.
    if are_one(from, to) {
        return Ok(());
    }
    let directory = parent(to);
    let hidden = match change::link_hidden(from, directory) {
        Err(error) if matches!(error.raw_os_error(), Some(code) if is_link_refusal(code)) => {
            copy_hidden(from, directory)?
        }
        hidden => hidden.context("link a file to", to)?,
    };
    change::persist(hidden, to).map_err(|e| e.error).context("rename a file to", to)
}

/// A copy under a hidden name, on disk. What is no plain file has nothing that a log could have.
fn copy_hidden(from: &Path, directory: &Path) -> Result<TempPath> {
    let Some(mut source) = super::observe::open_plain(from)? else {
        return Err(io::Error::from(io::ErrorKind::NotFound)).context("open", from);
    };
    let mut copy = create_hidden(directory)?;
    io::copy(&mut source, copy.as_file_mut()).context("copy a file into", directory)?;
    change::set_mode_of(&copy, READABLE).context("set the mode of", copy.path())?;
    change::sync_open(copy.as_file(), copy.path()).context("sync", copy.path())?;
    Ok(copy.into_temp_path())
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
    change::sync(directory).context("sync directory", directory)
}

fn parent(path: &Path) -> &Path {
    path.parent().unwrap_or(Path::new("/"))
}

#[cfg(test)]
mod tests {
    use rustix::fs::CWD;

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
    fn what_somebody_wrote_meanwhile_is_not_overwritten() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("registry");
        let there = || fs::read_to_string(&path).unwrap_or_default();
        for (stands, ends) in
            [("read", Ok("made")), ("made", Ok("made")), ("by hand", Err("by hand")), ("", Err(""))]
        {
            fs::write(&path, stands).unwrap();
            let replaced = replace(&path, b"read", b"made");
            assert_eq!(
                replaced.map(|()| there()).map_err(|_| there()),
                ends.map(str::to_owned).map_err(str::to_owned)
            );
        }
        fs::remove_file(&path).unwrap();
        let error = replace(&path, b"read", b"made").unwrap_err();
        assert_eq!(error.consequence(), crate::error::Consequence::Retry);
        assert!(!path.exists());
    }

    #[test]
    fn the_same_bytes_in_a_file_that_others_may_write_are_not_ours() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("answer");
        let inode = || fs::metadata(&path).unwrap().ino();
        write(&path, b"the answer\n").unwrap();
        let before = inode();
        write(&path, b"the answer\n").unwrap();
        assert_eq!(inode(), before, "what is there is not written again");
        // Nobody can take the number of a file that is still open.
        let _planted = File::open(&path).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o666)).unwrap();
        write(&path, b"the answer\n").unwrap();
        assert_ne!(inode(), before);
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, READABLE);
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
        link_or_copy(&a, &b).unwrap();
        assert_eq!(
            fs::read_dir(directory.path()).unwrap().count(),
            2,
            "the second time leaves nothing hidden"
        );
        rename(&a, &b).unwrap();
        assert!(!a.exists() && b.exists());
        rename(&a, &b).unwrap();
        assert!(b.exists(), "a rename that was done is not an error");
    }

    #[test]
    fn only_a_plain_file_is_copied_to_another_file_system() {
        let (from, to) = (tempfile::tempdir().unwrap(), tempfile::tempdir_in("/dev/shm").unwrap());
        let (log, copy) = (from.path().join("log"), to.path().join("log"));
        fs::write(from.path().join("secret"), "not to be shown").unwrap();
        std::os::unix::fs::symlink(from.path().join("secret"), &log).unwrap();
        assert!(link_or_copy(&log, &copy).is_err());
        fs::remove_file(&log).unwrap();
        rustix::fs::mknodat(CWD, &log, rustix::fs::FileType::Fifo, 0o644.into(), 0).unwrap();
        assert!(link_or_copy(&log, &copy).is_err(), "it waits for no writer");
        fs::remove_file(&log).unwrap();
        assert!(link_or_copy(&log, &copy).is_err());
        assert_eq!(fs::read_dir(to.path()).unwrap().count(), 0);
        fs::write(&log, "rows").unwrap();
        link_or_copy(&log, &copy).unwrap();
        assert_eq!(fs::read(&copy).unwrap(), b"rows");
    }

    #[test]
    fn a_file_that_came_under_the_old_name_stays() {
        let directory = tempfile::tempdir().unwrap();
        let (old, new) = (directory.path().join("request"), directory.path().join("taken"));
        write(&old, b"the first").unwrap();
        rename(&old, &new).unwrap();
        // Between the rename and the look for another name of the file.
        write(&old, b"the next").unwrap();
        remove_twin(&old, &new).unwrap();
        assert_eq!(fs::read(&old).unwrap(), b"the next");
        assert_eq!(fs::read(&new).unwrap(), b"the first");
    }

    #[test]
    fn a_failure_names_the_path() {
        let error = write(Path::new("/nowhere/at/all"), b"").unwrap_err();
        assert!(error.chain().starts_with("create a file in `/nowhere/at`: "), "{}", error.chain());
    }
}
