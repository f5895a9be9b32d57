//! A directory that does not answer one process, as one of a file server that is away: whoever lists it waits. A library that is
//! loaded before the C library does it, so that it needs no rights, and nobody else notices.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A directory that can be made to hang for the processes that get [`Hang::environment`].
pub struct Hang {
    directory: PathBuf,
    scratch: tempfile::TempDir,
}

impl Hang {
    /// It answers until [`Hang::begin`].
    pub fn new(directory: &Path) -> Self {
        let hang =
            Self { directory: directory.to_owned(), scratch: tempfile::tempdir().expect("make a directory") };
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/support/hang.c");
        let mut compiler = Command::new("cc");
        compiler.args(["-shared", "-fPIC", "-o"]).arg(hang.at("hang.so")).arg(source).arg("-ldl");
        let status = compiler.status().expect("run the C compiler");
        assert!(status.success(), "{status}");
        hang
    }

    /// What a process needs to see it.
    pub fn environment(&self) -> Vec<(String, String)> {
        let variables = [
            ("LD_PRELOAD", self.at("hang.so")),
            ("HANG_DIRECTORY", self.directory.clone()),
            ("HANG_WHILE", self.at("gate")),
            ("HANG_WAITS", self.at("waits")),
        ];
        variables.into_iter().map(|(name, path)| (name.to_owned(), path.display().to_string())).collect()
    }

    /// From now on whoever lists it waits.
    pub fn begin(&self) {
        fs::write(self.at("gate"), "").expect("close the gate");
    }

    /// Whether somebody waits, or has.
    pub fn is_listed(&self) -> bool {
        self.at("waits").exists()
    }

    /// It answers again.
    pub fn end(&self) {
        fs::remove_file(self.at("gate")).expect("open the gate");
    }

    fn at(&self, name: &str) -> PathBuf {
        self.scratch.path().join(name)
    }
}
