//! Who may read what is made for a node: everybody, or one group where sites are kept apart.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use super::change;
use super::publish::{create_hidden, publish_created, write};
use crate::error::{Context, Result};

/// Who may read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Readers {
    /// Everybody: subscribers fetch with accounts of their own.
    Everybody,
    /// The group of this number, and the manager.
    Group(u32),
}

/// As [`write()`], for these readers. Nobody else can read it before either.
pub fn write_for(path: &Path, bytes: &[u8], readers: Readers) -> Result<()> {
    use std::io::Write as _;
    let Readers::Group(_) = readers else { return write(path, bytes) };
    let mut file = create_hidden(path.parent().unwrap_or(Path::new("/")))?;
    file.as_file_mut().write_all(bytes).context("write", path)?;
    publish_for(file, path, readers)
}

/// Gives a hidden file its readers and its name. Content and name are on disk when it returns.
pub(super) fn publish_for(file: tempfile::NamedTempFile, path: &Path, readers: Readers) -> Result<()> {
    match readers {
        Readers::Everybody => publish_created(file, path, 0o644),
        Readers::Group(group) => {
            change::set_group(file.path(), group).context("change the group of", file.path())?;
            publish_created(file, path, 0o640)
        }
    }
}

/// Closes a directory for all but the group and the manager; `false` if it was so already or is not there. That the group
/// may write there, so that the site can acknowledge in its own directory, is the operator's to say, and stays.
pub fn keep_apart(directory: &Path, group: u32) -> Result<bool> {
    let Ok(there) = fs::symlink_metadata(directory) else { return Ok(false) };
    if !there.is_dir() {
        return Ok(false);
    }
    let mode = 0o750 | there.mode() & 0o3020;
    if there.gid() == group && there.mode() & 0o7777 == mode {
        return Ok(false);
    }
    // Closed first: in between it is nobody's.
    change::set_mode(directory, 0o700).context("set the mode of", directory)?;
    change::set_group(directory, group).context("change the group of", directory)?;
    change::set_mode(directory, mode).context("set the mode of", directory)?;
    Ok(true)
}

/// Tries whether a file of ours in this directory can have the group.
pub fn try_group(directory: &Path, group: u32) -> Result<()> {
    let file = create_hidden(directory)?;
    change::set_group(file.path(), group).context("change the group of", file.path())
}

#[cfg(test)]
mod tests {
    use std::fs::Permissions;
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn a_directory_is_closed_and_keeps_what_its_group_may_do() {
        let directory = tempfile::tempdir().unwrap();
        let group = fs::metadata(directory.path()).unwrap().gid();
        let path = directory.path().join("nso");
        fs::create_dir(&path).unwrap();
        for (before, after) in [(0o755, 0o750), (0o775, 0o770), (0o700, 0o750), (0o2775, 0o2770)] {
            fs::set_permissions(&path, Permissions::from_mode(before)).unwrap();
            assert!(keep_apart(&path, group).unwrap(), "{before:o}");
            assert_eq!(fs::metadata(&path).unwrap().mode() & 0o7777, after, "{before:o}");
            assert!(!keep_apart(&path, group).unwrap(), "{before:o} again");
        }
        assert!(!keep_apart(&directory.path().join("none"), group).unwrap());
        write_for(&path.join("file"), b"x", Readers::Group(group)).unwrap();
        assert_eq!(fs::metadata(path.join("file")).unwrap().mode() & 0o7777, 0o640);
    }
}
