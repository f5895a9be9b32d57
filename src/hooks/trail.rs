//! Follows the audit trail: each of its lines, once, also those of a trail that was renamed meanwhile.

use std::path::PathBuf;

use super::message::{hook_of, object};
use super::place::Place;
use crate::disk::{self, Growing};
use crate::error::Result;
use crate::model::Hook;
use crate::paths::Paths;
use crate::protocol::AuditEntry;

/// The trail, and how far it is told.
pub struct Trail {
    /// `audit.jsonl`
    path: PathBuf,
    /// `hooks.at`
    remembered: PathBuf,
    place: Place,
    file: Option<Growing>,
    /// Another file has its name, as the last look has shown.
    is_moved: bool,
}

/// Something to tell.
#[derive(Debug)]
pub struct Line {
    /// Where it begins, for [`Trail::tell`].
    pub begin: u64,
    /// What a command is run for.
    pub hook: Hook,
    /// Whose request.
    pub node: Option<String>,
    /// The object.
    pub text: Vec<u8>,
}

impl Trail {
    /// Where an earlier process has come to; the first time at the end of what is there.
    pub fn open(paths: &Paths) -> Result<Self> {
        let (path, remembered) = (paths.audit(), paths.hooks_place());
        let bytes = disk::read_optional(&remembered)?;
        let place = bytes.as_deref().and_then(Place::parse);
        if bytes.is_some() && place.is_none() {
            let path = remembered.display();
            tracing::warn!("`{path}` cannot be read: hooks tell of requests from now on");
        }
        let mut trail =
            Self { path, remembered, place: place.clone().unwrap_or_default(), file: None, is_moved: false };
        if place.is_none() {
            if let Some(file) = Growing::open(&trail.path)? {
                trail.place = Place::new(file.inode(), file.length()?);
                trail.file = Some(file);
            }
            trail.save()?;
        }
        Ok(trail)
    }

    /// Whoever asks for nothing now wants nothing of the past later.
    pub fn forget(paths: &Paths) -> Result<()> {
        disk::remove(&paths.hooks_place())
    }

    /// What is new, for the hooks of a cluster. A line of which nobody is told counts as told.
    pub fn read(&mut self, cluster: &str) -> Result<Vec<Line>> {
        if self.file.is_none() {
            self.find()?;
        }
        let Some(file) = &self.file else { return Ok(Vec::new()) };
        if file.length()? < self.place.read_to() {
            tracing::warn!("the audit trail was cut: hooks tell of what is written from now on");
            self.place = Place::new(file.inode(), 0);
        }
        let bytes = file.read(self.place.read_to())?;
        if bytes.is_empty() {
            return self.turn().map(|()| Vec::new());
        }
        self.is_moved = false;
        let before = self.place.read_to();
        let mut lines = Vec::new();
        let mut nobody = Vec::new();
        for (begin, line) in self.place.take(&bytes) {
            let entry = std::str::from_utf8(line).ok().and_then(AuditEntry::read);
            match entry.as_ref().and_then(|entry| Some((hook_of(entry)?, entry))) {
                Some((hook, entry)) => {
                    let text = object(hook, cluster, entry);
                    lines.push(Line { begin, hook, node: entry.node.clone(), text });
                }
                None => nobody.push(begin),
            }
        }
        for begin in nobody {
            self.place.tell(begin);
        }
        if lines.is_empty() && self.place.read_to() != before {
            self.save()?;
        }
        Ok(lines)
    }

    /// These lines are told.
    pub fn tell(&mut self, lines: &[u64]) -> Result<()> {
        for line in lines {
            self.place.tell(*line);
        }
        self.save()
    }

    /// Opens the file in which the place is, by whatever name. If it is away, the trail of now is told from its begin.
    fn find(&mut self) -> Result<()> {
        let Some(file) = Growing::open(&self.path)? else { return Ok(()) };
        let inode = self.place.inode;
        let file = if file.inode() == inode { Some(file) } else { None };
        self.file = match file {
            Some(file) => Some(file),
            None if inode != 0 => Growing::find(&self.path, inode)?,
            None => None,
        };
        if self.file.is_none() {
            if inode != 0 {
                tracing::warn!(
                    "the audit trail that hooks were at is not in work_dir any more: what they had not told of it is not told"
                );
            }
            self.begin_anew()?;
        }
        Ok(())
    }

    /// Goes over to the file that has the name now, once the one before is told to its end. It is looked at twice: who opened
    /// it before it was renamed may have written a line in between.
    fn turn(&mut self) -> Result<()> {
        let is_there = self.file.as_ref().map_or(Ok(false), |file| file.is_at(&self.path))?;
        if is_there || !self.place.is_told() || !disk::exists(&self.path) {
            self.is_moved = false;
        } else if self.is_moved {
            self.begin_anew()?;
        } else {
            self.is_moved = true;
        }
        Ok(())
    }

    fn begin_anew(&mut self) -> Result<()> {
        self.is_moved = false;
        self.file = Growing::open(&self.path)?;
        if let Some(file) = &self.file {
            self.place = Place::new(file.inode(), 0);
            self.save()?;
        }
        Ok(())
    }

    fn save(&self) -> Result<()> {
        disk::write(&self.remembered, &self.place.write())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::Event;
    use std::fs;
    use std::io::Write as _;
    use std::path::Path;

    /// A trail in a directory, and what of it is to be told.
    struct Bench {
        directory: tempfile::TempDir,
        paths: Paths,
    }

    impl Bench {
        fn new() -> Self {
            let directory = tempfile::tempdir().unwrap();
            let at = |name: &str| directory.path().join(name);
            let paths = Paths {
                triggerdir: at("t"),
                subscribers_dir: at("s"),
                tables_dir: at("e"),
                registry: at("r"),
                work_dir: directory.path().to_owned(),
                archive_dir: None,
            };
            Self { directory, paths }
        }

        fn write(&self, name: &str, key: &str) {
            let line = AuditEntry::new(key.into(), Event::Accepted, "now".into()).write();
            let mut file = fs::File::options().create(true).append(true).open(self.at(name)).unwrap();
            file.write_all(&[line, b"\n".to_vec()].concat()).unwrap();
        }

        fn at(&self, name: &str) -> PathBuf {
            self.directory.path().join(name)
        }

        fn trail(&self) -> Trail {
            Trail::open(&self.paths).unwrap()
        }
    }

    fn keys(lines: &[Line]) -> Vec<String> {
        let key = |line: &Line| {
            let object: serde_json::Value = serde_json::from_slice(&line.text).unwrap();
            object["key"].as_str().unwrap().to_owned()
        };
        lines.iter().map(key).collect()
    }

    /// Reads so many times, tells everything, and returns the keys.
    fn told(trail: &mut Trail, times: usize) -> Vec<String> {
        let mut all = Vec::new();
        for _ in 0..times {
            let lines = trail.read("jsoc").unwrap();
            all.extend(keys(&lines));
            trail.tell(&lines.iter().map(|line| line.begin).collect::<Vec<_>>()).unwrap();
        }
        all
    }

    #[test]
    fn the_first_time_it_begins_at_the_end() {
        let bench = Bench::new();
        bench.write("audit.jsonl", "old");
        let mut trail = bench.trail();
        assert_eq!(told(&mut trail, 1), [""; 0]);
        bench.write("audit.jsonl", "new");
        assert_eq!(told(&mut trail, 2), ["new"]);
    }

    #[test]
    fn what_was_not_told_is_told_after_a_restart() {
        let bench = Bench::new();
        let mut trail = bench.trail();
        for key in ["a", "b", "c"] {
            bench.write("audit.jsonl", key);
        }
        let lines = trail.read("jsoc").unwrap();
        assert_eq!(keys(&lines), ["a", "b", "c"]);
        trail.tell(&[lines[1].begin]).unwrap();
        drop(trail);
        assert_eq!(told(&mut bench.trail(), 1), ["a", "c"]);
        assert_eq!(told(&mut bench.trail(), 1), [""; 0]);
    }

    #[test]
    fn a_trail_that_was_renamed_is_told_to_its_end_first() {
        let bench = Bench::new();
        bench.write("audit.jsonl", "a");
        let mut trail = bench.trail();
        let rename = || fs::rename(bench.at("audit.jsonl"), bench.at("audit.jsonl.1")).unwrap();
        bench.write("audit.jsonl", "b");
        rename();
        bench.write("audit.jsonl", "c");
        bench.write("audit.jsonl.1", "late");
        assert_eq!(told(&mut trail, 4), ["b", "late", "c"]);

        // The same over a restart, and where the file is gone for good while it is open.
        bench.write("audit.jsonl", "d");
        drop(trail);
        rename();
        bench.write("audit.jsonl", "e");
        let mut trail = bench.trail();
        assert_eq!(told(&mut trail, 4), ["d", "e"]);
        bench.write("audit.jsonl", "f");
        fs::remove_file(bench.at("audit.jsonl")).unwrap();
        assert_eq!(told(&mut trail, 2), ["f"]);
        bench.write("audit.jsonl", "g");
        assert_eq!(told(&mut trail, 3), ["g"]);
    }

    #[test]
    fn a_trail_that_is_gone_or_cut_is_told_from_its_begin() {
        let bench = Bench::new();
        bench.write("audit.jsonl", "a");
        drop(bench.trail());
        let path: &Path = &bench.at("audit.jsonl");
        fs::rename(path, bench.at("elsewhere")).unwrap();
        bench.write("audit.jsonl", "b");
        let mut trail = bench.trail();
        assert_eq!(told(&mut trail, 1), ["b"]);
        fs::write(path, "").unwrap();
        told(&mut trail, 1);
        bench.write("audit.jsonl", "c");
        assert_eq!(told(&mut trail, 1), ["c"]);
        // Without a place that can be read, what is there counts as told.
        fs::write(bench.at("hooks.at"), "{").unwrap();
        assert_eq!(told(&mut bench.trail(), 1), [""; 0]);
        Trail::forget(&bench.paths).unwrap();
        assert!(!bench.at("hooks.at").exists());
    }
}
