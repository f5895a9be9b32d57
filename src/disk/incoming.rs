//! Files on their way in: fetched under hidden names that end with `.part`, looked at, and then used up or kept. None of
//! them is synced: what a crash takes is fetched again.

use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};

use super::change;
use crate::error::{Context, Result};

/// What the hidden names end with.
const ENDING: &str = ".part";

/// Where a file of this name lies while it comes in.
pub fn part(directory: &Path, name: &str) -> PathBuf {
    directory.join(format!(".{name}{ENDING}"))
}

/// Makes a directory and those above it, if they are not there. Their names are on disk when it returns: what is synced in
/// a directory that a power loss takes would be gone with it.
pub fn create_directories(path: &Path) -> Result<()> {
    if path.is_dir() {
        return Ok(());
    }
    let above = path.parent().filter(|above| !above.as_os_str().is_empty()).unwrap_or(Path::new("."));
    create_directories(above)?;
    match change::make_directory(path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && path.is_dir() => {}
        made => made.context("create directory", path)?,
    }
    super::sync_directory(above)
}

/// Removes what earlier runs left on its way in.
pub fn remove_parts(directory: &Path) -> Result<()> {
    for name in super::names(directory)? {
        let bytes = name.as_encoded_bytes();
        if bytes.starts_with(b".") && bytes.ends_with(ENDING.as_bytes()) {
            discard(&directory.join(name))?;
        }
    }
    Ok(())
}

/// Removes a file, if it is there. After a power loss it may be back.
pub fn discard(path: &Path) -> Result<()> {
    match change::remove(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        removed => removed.context("remove", path),
    }
}

/// Gives a file its name, replacing what has it. After a power loss it may have the old one.
pub fn keep(from: &Path, to: &Path) -> Result<()> {
    change::rename(from, to).context("rename", from)
}

/// Whether a file's last line is this one, with its line end.
pub fn ends_with_line(path: &Path, line: &str) -> Result<bool> {
    let mut file = File::open(path).context("open", path)?;
    let length = file.metadata().context("examine", path)?.len();
    let expected = format!("\n{line}\n");
    let Some(start) = length.checked_sub(expected.len() as u64) else { return Ok(false) };
    let mut end = Vec::with_capacity(expected.len());
    file.seek(SeekFrom::Start(start)).and_then(|_| file.read_to_end(&mut end)).context("read", path)?;
    Ok(end == expected.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn the_last_line_is_a_whole_line() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("log");
        for (text, expected) in [
            ("commit;\n-- EOL\n", true),
            ("\n-- EOL\n", true),
            ("commit;\n-- EOL", false),
            ("commit;\n-- EOL\n\n", false),
            ("commit; -- EOL\n", false),
            ("-- EOL\n", false),
            ("commit;\n-- EOL\nmore\n", false),
            ("", false),
        ] {
            fs::write(&path, text).unwrap();
            assert_eq!(ends_with_line(&path, "-- EOL").unwrap(), expected, "{text:?}");
        }
    }

    #[test]
    fn only_parts_are_removed() {
        let directory = tempfile::tempdir().unwrap();
        let path = part(directory.path(), "a.sql");
        fs::write(&path, "half").unwrap();
        for name in ["a.sql", ".a.sql", "a.part"] {
            fs::write(directory.path().join(name), "whole").unwrap();
        }
        remove_parts(directory.path()).unwrap();
        assert_eq!(crate::disk::names(directory.path()).unwrap(), [".a.sql", "a.part", "a.sql"]);
        discard(&path).unwrap();
    }
}
