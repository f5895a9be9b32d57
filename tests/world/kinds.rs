//! What a stranger can put under a name, and a place outside the installation that it may point to.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::{MetadataExt as _, symlink};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};

use crate::support::Station;

/// How something comes into being at a path; the second is [`Outside`]'s directory.
pub(crate) type Make = fn(&Path, &Path);

/// What has no content of its own, or too much of it.
pub(crate) const THINGS: &[(&str, Make)] = &[
    ("a link to a file of others", |path, outside| symlink(outside.join("secret"), path).expect("symlink")),
    ("a link to a directory of others", |path, outside| {
        symlink(outside.join("inner"), path).expect("symlink");
    }),
    ("a link to a file of the system", |path, _| symlink("/etc/passwd", path).expect("symlink")),
    ("a link to nothing", |path, outside| symlink(outside.join("not there"), path).expect("symlink")),
    ("a link to itself", |path, _| symlink(path.file_name().expect("a name"), path).expect("symlink")),
    ("a FIFO", |path, _| {
        rustix::fs::mknodat(rustix::fs::CWD, path, rustix::fs::FileType::Fifo, 0o666.into(), 0)
            .expect("mkfifo");
    }),
    ("a socket", |path, _| drop(UnixListener::bind(path).expect("bind a socket"))),
    ("an empty directory", |path, _| fs::create_dir(path).expect("mkdir")),
    ("a full directory", |path, outside| {
        fs::create_dir_all(path.join("in/it")).expect("mkdir");
        fs::write(path.join("in/file"), "x").expect("write");
        symlink(outside, path.join("in/link")).expect("symlink");
    }),
    ("gigabytes of nothing", |path, _| {
        fs::File::create(path).and_then(|file| file.set_len(1 << 36)).expect("create a sparse file");
    }),
    ("a hundred megabytes in one line", |path, _| {
        let mut file = fs::File::create(path).expect("create a file");
        for _ in 0..100 {
            file.write_all(&vec![b'a'; 1 << 20]).expect("write");
        }
    }),
];

/// Plain files that are no text of ours.
pub(crate) const CONTENTS: &[(&str, &[u8])] = &[
    ("nothing", b""),
    ("NUL", b"\0\0\0\0"),
    ("random bytes", &RANDOM),
    ("UTF-16", b"\xff\xfen\0o\0d\0e\0 \0x\0\n\0e\0n\0d\0\n\0"),
    ("lone carriage returns", b"node x\rsuccess true\rend\r"),
    ("a byte order mark and nothing", b"\xef\xbb\xbf"),
    ("a terminal's escapes", b"\x1b]0;gone\x07\x1b[2J\nend\n"),
    ("SQL", b"'; drop table hostile.a; --\nend\n"),
];

/// Bytes without any order; no line of them ends.
const RANDOM: [u8; 4096] = {
    let (mut bytes, mut state, mut at) = ([0; 4096], 0x9E37_79B9_7F4A_7C15_u64, 0);
    while at < bytes.len() {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes[at] = state.to_be_bytes()[0] | 0x80;
        at += 1;
    }
    bytes
};

/// Files beside the installation that nothing may read, change or replace.
pub(crate) struct Outside(PathBuf);

impl Outside {
    pub(crate) fn new(station: &Station<'_>) -> Self {
        let path = station.at("outside");
        fs::create_dir_all(path.join("inner")).expect("mkdir");
        fs::write(path.join("secret"), "node secret\nhostile.a subscribe\nend\nsuccess true\n")
            .expect("write");
        fs::write(path.join("inner/file"), "x").expect("write");
        Self(path)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    /// Names, bytes, owners, modes and times of change of everything; the number of hard links is left out.
    pub(crate) fn state(&self) -> Vec<String> {
        let mut found = Vec::new();
        for directory in [self.0.clone(), self.0.join("inner")] {
            for entry in fs::read_dir(directory).expect("list").flatten() {
                let metadata = entry.metadata().expect("stat");
                let bytes = fs::read_to_string(entry.path()).unwrap_or_default();
                found.push(format!(
                    "{} {} {} {:o} {}.{} {bytes}",
                    entry.path().display(),
                    metadata.ino(),
                    metadata.uid(),
                    metadata.mode(),
                    metadata.mtime(),
                    metadata.mtime_nsec(),
                ));
            }
        }
        found.sort();
        found
    }
}
