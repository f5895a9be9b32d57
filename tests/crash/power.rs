//! The power goes: what was not synced is undone, newest first, as the journal of `src/failpoint/journal.rs` says.
//!
//! A name changes on disk with the sync of its directory, the content of a file with its own sync; nothing else counts.
//! That is harsher than most file systems are.

use std::collections::{BTreeMap, HashSet};
use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

/// What a loss of power takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Loss {
    /// Names and contents.
    All,
    /// Names in the directory of this number, which is a disk of its own; what was done elsewhere is on disk.
    Disk(u64),
    /// Contents only: what is seen after a rename of a file that was not synced.
    Contents,
}

/// Takes back what the journal knows below `root`, and empties it: what is there now is on disk.
pub(crate) fn lose(loss: Loss, journal: &Path, root: &Path) {
    let text = fs::read(journal.join("journal")).unwrap_or_default();
    let lines: Vec<&[u8]> = text.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).collect();
    match loss {
        Loss::All => names(&lines, &Places { journal, root, disk: None }),
        Loss::Disk(disk) => names(&lines, &Places { journal, root, disk: Some(disk) }),
        Loss::Contents => {}
    }
    contents(&lines, journal);
    fs::remove_dir_all(journal).unwrap();
    fs::create_dir(journal).unwrap();
}

fn contents(lines: &[&[u8]], journal: &Path) {
    let mut on_disk = BTreeMap::new();
    for line in lines {
        if let Some(rest) = line.strip_prefix(b"content ") {
            let (inode, bytes) = str::from_utf8(rest).unwrap().split_once(' ').unwrap();
            on_disk.insert(inode.to_owned(), bytes.parse::<u64>().unwrap());
        }
    }
    for (inode, bytes) in on_disk {
        let file = fs::File::options().write(true).open(journal.join(inode)).unwrap();
        if file.metadata().unwrap().len() > bytes {
            file.set_len(bytes).unwrap();
        }
    }
}

fn names(lines: &[&[u8]], places: &Places<'_>) {
    let mut synced = HashSet::new();
    for (number, line) in lines.iter().enumerate().rev() {
        let mut words = line.splitn(4, |byte| *byte == b' ');
        let mut word = || str::from_utf8(words.next().unwrap()).unwrap();
        match word() {
            // Whatever comes before it is on disk.
            "all" => return,
            "names" => drop(synced.insert(inode(word()).unwrap())),
            "entry" => {
                let (directory, before) = (inode(word()).unwrap(), inode(word()));
                let name = OsStr::from_bytes(words.next().unwrap());
                if !synced.contains(&directory) && places.disk.is_none_or(|disk| disk == directory) {
                    places.restore(directory, name, before, number);
                }
            }
            "content" => {}
            other => panic!("the journal says `{other}`"),
        }
    }
}

fn inode(word: &str) -> Option<u64> {
    (word != "-").then(|| word.parse().unwrap())
}

struct Places<'p> {
    journal: &'p Path,
    root: &'p Path,
    /// The directory that loses its names, if it is one alone.
    disk: Option<u64>,
}

impl Places<'_> {
    /// Gives a name back to whom it belonged.
    fn restore(&self, directory: u64, name: &OsStr, before: Option<u64>, number: usize) {
        // A directory that is gone for good has no names.
        let Some(directory) = find(self.root, directory) else { return };
        let path = directory.join(name);
        let now = fs::symlink_metadata(&path).ok().map(|there| there.ino());
        if now == before {
            return;
        }
        if now.is_some() {
            fs::rename(&path, self.journal.join(format!("lost.{number}"))).unwrap();
        }
        let Some(before) = before else { return };
        let kept = self.journal.join(before.to_string());
        match fs::symlink_metadata(&kept) {
            Ok(there) if there.is_dir() => fs::rename(kept, path).unwrap(),
            Ok(_) => fs::hard_link(kept, path).unwrap(),
            // A directory has one name at a time, in the tree or among what was lost just now.
            Err(_) => {
                if let Some(there) = find(self.root, before).or_else(|| find(self.journal, before)) {
                    fs::rename(there, path).unwrap();
                }
            }
        }
    }
}

/// Where the directory of this number is.
fn find(root: &Path, inode: u64) -> Option<PathBuf> {
    if fs::symlink_metadata(root).ok()?.ino() == inode {
        return Some(root.to_owned());
    }
    let mut entries = fs::read_dir(root).ok()?.flatten().filter(|entry| entry.path().is_dir());
    entries.find_map(|entry| find(&entry.path(), inode))
}

/// The undoing must be right, or the walk shows nothing.
#[test]
fn what_is_not_synced_goes_and_nothing_else() {
    let (journal, root) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let at = |name: &str| root.path().join(name);
    let number = |path: &Path| fs::metadata(path).unwrap().ino();
    let keep = |path: &Path| fs::hard_link(path, journal.path().join(number(path).to_string())).unwrap();
    fs::create_dir(at("d")).unwrap();
    fs::write(at("d/old"), "old").unwrap();
    fs::write(at("d/synced"), "synced and lost").unwrap();
    fs::write(at("moved"), "unsynced").unwrap();
    for path in ["d/old", "d/synced", "moved"] {
        keep(&at(path));
    }
    let (d, top) = (number(&at("d")), number(root.path()));
    let (old, synced, moved) = (number(&at("d/old")), number(&at("d/synced")), number(&at("moved")));
    // `d/synced` was made and named on disk, a part of its content too; `old` was removed after that; `new` was `moved`.
    fs::remove_file(at("d/old")).unwrap();
    fs::rename(at("moved"), at("d/new")).unwrap();
    let lines = format!(
        "entry {d} - synced\ncontent {synced} 0\ncontent {synced} 6\nnames {d}\nentry {d} {old} old\n\
         content {moved} 0\nentry {d} - new\nentry {top} {moved} moved\n"
    );
    for (loss, expected) in [(Loss::Contents, vec!["d/new ", "d/synced synced"]), (Loss::All, vec![])] {
        fs::write(journal.path().join("journal"), &lines).unwrap();
        for (path, number) in [("d/new", moved), ("d/synced", synced)] {
            let kept = journal.path().join(number.to_string());
            if !kept.exists() {
                fs::hard_link(at(path), kept).unwrap();
            }
        }
        if loss == Loss::All {
            fs::write(journal.path().join(old.to_string()), "old").unwrap();
        }
        lose(loss, journal.path(), root.path());
        let mut found: Vec<String> = ["d/new", "d/old", "d/synced", "moved"]
            .iter()
            .filter_map(|name| Some(format!("{name} {}", fs::read_to_string(at(name)).ok()?)))
            .collect();
        found.sort();
        let all = vec!["d/old old", "d/synced synced", "moved "];
        assert_eq!(found, if loss == Loss::All { all } else { expected }, "{loss:?}");
    }
}
