//! What an operator asks of a place: how much room it has, on which file system it lies, and who may write there.

use std::ffi::CString;
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use nix::unistd::{Gid, Uid, User, getgrouplist};
use rustix::fs::{Access, access, statvfs};

use crate::error::{Context, Result};

/// The room of the file system on which a directory lies, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Room {
    /// All of it.
    pub total: u64,
    /// What is left for users other than root.
    pub available: u64,
}

/// Asks for the room of the file system on which a directory lies.
pub fn room(path: &Path) -> Result<Room> {
    let said = statvfs(path).map_err(io::Error::from).context("ask for the room of", path)?;
    Ok(Room { total: said.f_blocks * said.f_frsize, available: said.f_bavail * said.f_frsize })
}

/// The permission bits of what a path leads to; `None` if it is not there.
pub fn mode(path: &Path) -> Option<u32> {
    fs::metadata(path).ok().map(|metadata| metadata.mode() & 0o7777)
}

/// The file system on which a path lies; `None` if it is not there.
pub fn device(path: &Path) -> Option<u64> {
    fs::metadata(path).ok().map(|metadata| metadata.dev())
}

/// Whether this is a file that this process may run.
fn is_program(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|there| there.is_file()) && access(path, Access::EXEC_OK).is_ok()
}

/// Whether a command's program is there: by its path, or in one of the directories of `PATH`.
pub fn finds_program(program: &str) -> bool {
    if program.contains('/') {
        return is_program(Path::new(program));
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|directory| is_program(&directory.join(program)))
}

/// Whether a user may write a file, or make files in a directory. Of another user than the one who asks the mode says it, and access lists
/// are not looked at.
pub fn may_write(path: &Path, user: u32) -> bool {
    let Ok(there) = fs::metadata(path) else { return false };
    let needed = if there.is_dir() { ENTER | WRITE } else { WRITE };
    if user == super::own_number() {
        let enter = if there.is_dir() { Access::EXEC_OK } else { Access::empty() };
        return access(path, Access::WRITE_OK | enter).is_ok();
    }
    user == 0
        || granted(there.mode(), there.uid() == user, groups(user).contains(&there.gid())) & needed == needed
}

const WRITE: u32 = 0o2;
const ENTER: u32 = 0o1;

/// What mode bits grant to somebody: the first of owner, group and others that fits decides.
fn granted(mode: u32, is_owner: bool, is_member: bool) -> u32 {
    let shift = if is_owner {
        6
    } else if is_member {
        3
    } else {
        0
    };
    (mode >> shift) & 0o7
}

fn groups(user: u32) -> Vec<u32> {
    let Ok(Some(user)) = User::from_uid(Uid::from_raw(user)) else { return Vec::new() };
    let Ok(name) = CString::new(user.name) else { return Vec::new() };
    getgrouplist(&name, user.gid).unwrap_or_default().into_iter().map(Gid::as_raw).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    #[test]
    fn the_first_class_that_fits_decides() {
        for (mode, owner, member, expected) in [
            (0o751, true, false, 7),
            (0o751, false, true, 5),
            (0o751, false, false, 1),
            (0o077, true, true, 0),
            (0o707, false, true, 0),
            (0o2770, false, true, 7),
        ] {
            assert_eq!(granted(mode, owner, member), expected, "{mode:o} {owner} {member}");
        }
    }

    #[test]
    fn a_place_has_room_and_a_mode() {
        let directory = tempfile::tempdir().unwrap();
        let room = room(directory.path()).unwrap();
        assert!(room.total > 0 && room.available <= room.total);
        assert!(may_write(directory.path(), nix::unistd::geteuid().as_raw()));
        // A user whom nobody knows is neither owner nor member.
        let file = directory.path().join("file");
        fs::write(&file, "").unwrap();
        let set = |path: &Path, mode| fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
        for (directory_mode, file_mode, expected) in
            [(0o700, 0o644, (false, false)), (0o702, 0o602, (false, true)), (0o703, 0o604, (true, false))]
        {
            set(directory.path(), directory_mode);
            assert_eq!(mode(directory.path()), Some(directory_mode));
            set(&file, file_mode);
            let may = |path: &Path| may_write(path, 3_999_999_999);
            assert_eq!((may(directory.path()), may(&file)), expected, "{directory_mode:o} {file_mode:o}");
        }
        assert!(super::room(&directory.path().join("none")).is_err() && device(directory.path()).is_some());
    }
}
