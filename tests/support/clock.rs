//! A clock that a test sets: the wall clock of one process, by libfaketime. What has passed since some moment stays true, as it does on
//! a machine whose clock is set.

use std::fs;
use std::path::{Path, PathBuf};

/// The wall clock of the processes that get its [`Clock::environment`].
pub struct Clock {
    directory: tempfile::TempDir,
}

impl Clock {
    /// As the machine's.
    pub fn new() -> Self {
        let clock = Self { directory: tempfile::tempdir().expect("make a directory") };
        clock.set("+0");
        clock
    }

    /// Sets it so far before or behind the machine's: `+10d`, `-3600s`.
    pub fn set(&self, offset: &str) {
        let hidden = self.directory.path().join("next");
        fs::write(&hidden, format!("{offset}\n")).expect("write the time");
        fs::rename(hidden, self.file()).expect("rename the time");
    }

    /// What a process needs to go by it.
    pub fn environment(&self) -> Vec<(String, String)> {
        let library = library().display().to_string();
        let variables = [
            ("LD_PRELOAD", library),
            ("FAKETIME_TIMESTAMP_FILE", self.file().display().to_string()),
            ("FAKETIME_NO_CACHE", "1".to_owned()),
            ("FAKETIME_DONT_FAKE_MONOTONIC", "1".to_owned()),
            ("NO_FAKE_STAT", "1".to_owned()),
        ];
        variables.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
    }

    fn file(&self) -> PathBuf {
        self.directory.path().join("time")
    }
}

impl Default for Clock {
    fn default() -> Self {
        Self::new()
    }
}

/// Where the library is: in a directory below that of the machine's libraries.
fn library() -> PathBuf {
    let name = "faketime/libfaketimeMT.so.1";
    let below = fs::read_dir("/usr/lib").into_iter().flatten().flatten().map(|entry| entry.path());
    let found =
        below.chain([PathBuf::from("/usr/lib")]).map(|path| path.join(name)).find(|path| Path::exists(path));
    found.expect("libfaketime is not installed: `make deps` installs it")
}
