//! Files that decide what this program does, and files that hold a secret: read only where nobody else can have written
//! or read them.

use std::fs::{self, File, Metadata};
use std::io::{self, Read as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use super::account::is_alone;
use crate::error::{Context, Error, Result};

/// Others may write.
const WRITABLE: u32 = 0o002;
/// The group may.
const GROUP_WRITABLE: u32 = 0o020;
/// Group and others may do anything at all.
const OPEN: u32 = 0o077;

/// Reads a file that only its owner may write; `None` if it is not there. [`Error::Stopped`] if others may: whoever can
/// change our settings can do what we can.
pub fn read_guarded(path: &Path) -> Result<Option<Vec<u8>>> {
    let is_open = |metadata: &Metadata| {
        let by_group = metadata.mode() & GROUP_WRITABLE != 0 && !is_alone(metadata.uid(), metadata.gid());
        metadata.mode() & WRITABLE != 0 || by_group
    };
    read(path, is_open, "can be changed by others than its owner: chmod go-w")
}

/// Reads a file that only its owner may read and write; `None` if it is not there. [`Error::Stopped`] if others may.
pub fn read_secret(path: &Path) -> Result<Option<Vec<u8>>> {
    read(
        path,
        |metadata| metadata.mode() & OPEN != 0,
        "holds a secret, and others can read or change it: chmod 600",
    )
}

/// Whether anybody but the owner may do anything with a private key, or root's group more than read it: what libpq asks.
pub fn is_private(path: &Path) -> Result<bool> {
    let metadata = fs::metadata(path).context("examine", path)?;
    let allowed_to_others = if metadata.uid() == 0 { 0o040 } else { 0 };
    Ok(metadata.mode() & OPEN & !allowed_to_others == 0)
}

/// Reads a file unless it is open to others. Mode and content are those of one file, whatever happens to its name.
fn read(path: &Path, is_open: impl Fn(&Metadata) -> bool, what: &str) -> Result<Option<Vec<u8>>> {
    let mut file = match File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        opened => opened.context("open", path)?,
    };
    let metadata = file.metadata().context("examine", path)?;
    // What comes through a pipe is nobody's file.
    if metadata.is_file() && is_open(&metadata) {
        return Err(Error::Stopped(format!("`{}` {what} it", path.display())));
    }
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes).context("read", path)?;
    Ok(Some(bytes))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn what_others_can_touch_is_not_read() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("file");
        assert_eq!(read_guarded(&path).unwrap(), None);
        fs::write(&path, "x").unwrap();
        let there = fs::metadata(&path).unwrap();
        let is_own = is_alone(there.uid(), there.gid());
        for (mode, guarded, secret, private) in [
            (0o600, true, true, true),
            (0o640, true, false, rustix::process::geteuid().is_root()),
            (0o644, true, false, false),
            (0o620, is_own, false, false),
            (0o602, false, false, false),
            (0o601, true, false, false),
        ] {
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            assert_eq!(read_guarded(&path).is_ok(), guarded, "{mode:o}");
            assert_eq!(read_secret(&path).is_ok(), secret, "{mode:o}");
            assert_eq!(is_private(&path).unwrap(), private, "{mode:o}");
        }
        let error = read_guarded(Path::new("/dev/null")).unwrap();
        assert_eq!(error, Some(Vec::new()), "no file");
    }
}
