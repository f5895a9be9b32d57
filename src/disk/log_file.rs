//! The program's own log in `log_dir`: one that has grown is put away by itself, so that nobody has to set up anything.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use crate::error::{Context as _, Result};

/// Bytes after which a file is put away: some days of a busy data centre.
const LARGEST: u64 = 16 << 20;
/// How many that were put away are kept; `.1` is the newest.
const KEPT: u32 = 9;

/// A file that lines are added to.
#[derive(Debug)]
pub struct LogFile {
    path: PathBuf,
    file: File,
    bytes: u64,
    largest: u64,
}

impl LogFile {
    /// Opens it behind what is there.
    pub fn open(path: &Path) -> Result<Self> {
        Self::with_limit(path, LARGEST).context("open", path)
    }

    fn with_limit(path: &Path, largest: u64) -> io::Result<Self> {
        let file = OpenOptions::new().create(true).append(true).open(path)?;
        let bytes = file.metadata()?.len();
        Ok(Self { path: path.to_owned(), file, bytes, largest })
    }

    /// Gives every file the next number, and begins anew. A crash in between leaves a number out, which does not matter.
    fn put_away(&mut self) -> io::Result<()> {
        let numbered = |number: u32| {
            let mut name = self.path.clone().into_os_string();
            name.push(format!(".{number}"));
            PathBuf::from(name)
        };
        for number in (1..KEPT).rev() {
            match fs::rename(numbered(number), numbered(number + 1)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        fs::rename(&self.path, numbered(1))?;
        *self = Self::with_limit(&self.path, self.largest)?;
        Ok(())
    }
}

impl Write for LogFile {
    /// Takes a whole line at once, as the subscriber of `tracing` gives it.
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        // Where it cannot be put away it goes on growing, and that is tried again when it is twice as large.
        if self.bytes >= self.largest && self.put_away().is_err() {
            self.bytes = 0;
        }
        let written = self.file.write(line)?;
        self.bytes += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_large_file_is_put_away_and_the_oldest_goes() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a.log");
        fs::write(&path, "from before\n").unwrap();
        let mut log = LogFile::with_limit(&path, 10).unwrap();
        for line in 0..14 {
            log.write_all(format!("line number {line}\n").as_bytes()).unwrap();
        }
        let read = |name: &str| fs::read_to_string(directory.path().join(name)).unwrap();
        assert_eq!(read("a.log"), "line number 13\n");
        assert_eq!(read("a.log.1"), "line number 12\n");
        assert_eq!(read("a.log.9"), "line number 4\n");
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 10);
    }

    #[test]
    fn a_file_that_cannot_be_put_away_goes_on() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a.log");
        // The oldest two: a file does not take the place of a directory.
        fs::create_dir(directory.path().join("a.log.9")).unwrap();
        fs::write(directory.path().join("a.log.8"), "").unwrap();
        let mut log = LogFile::with_limit(&path, 10).unwrap();
        for line in 0..3 {
            log.write_all(format!("line number {line}\n").as_bytes()).unwrap();
        }
        assert_eq!(fs::read_to_string(&path).unwrap(), "line number 0\nline number 1\nline number 2\n");
    }
}
