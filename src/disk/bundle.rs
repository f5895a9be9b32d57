//! Bundles: logs packed into one `.tar.gz`, each member with the bare name, the bytes and the time of the log.
//!
//! A bundle is made under a hidden name, read back and compared with what went into it. It gets its name only while
//! every single in it is still the file that was packed. Memory stays flat: everything is streamed.

use std::collections::HashSet;
use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use tempfile::NamedTempFile;

use super::observe::open_plain;
use super::publish::{create_hidden, publish_created};
use super::{Identity, change, state};
use crate::error::{Context, Error, Result};
use crate::model::{ArchiveName, BundleName, SlonyNode, excerpt};

/// Bytes that are read or compared at once.
const PIECE: usize = 64 * 1024;

/// However small a bundle is, so many bytes may come out of it; and a log may be so large however little of the disk it takes.
const LEAST_LIMIT: u64 = 1 << 30;

/// How many times its size may come out of a bundle. SQL packs to a tenth, logs without rows to a hundredth; the most
/// that gzip can do is a thousandth.
const RATIO: u64 = 300;

/// How many times what it takes of the disk a log may be. Some file systems pack by themselves; holes are nobody's log, and packing
/// terabytes of them would never end.
const HOLES: u64 = 64;

/// How many bytes may come out of a bundle of this size.
pub(super) fn most_of(packed: u64) -> u64 {
    packed.saturating_mul(RATIO).max(LEAST_LIMIT)
}

/// What is to be packed.
#[derive(Debug, Clone)]
pub struct Packing {
    /// Where everything lies.
    pub directory: PathBuf,
    /// Whose logs they are.
    pub node: SlonyNode,
    /// Which.
    pub name: BundleName,
    /// Whether a bundle of this name is there, whose members are taken where there is no single.
    pub again: bool,
}

/// A bundle that is whole and compared, under a hidden name that vanishes unless it is published.
#[derive(Debug)]
pub struct Packed {
    file: NamedTempFile,
    /// Every single in it, and the bundle that it replaces, as they were when they were packed.
    sources: Vec<(PathBuf, Identity)>,
    path: PathBuf,
}

/// One member: a log's name, its size and the second in which it was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Member {
    pub(super) name: String,
    bytes: u64,
    modified: u64,
}

/// What is done with each member in turn.
pub(super) type Visit<'v> = dyn FnMut(&Member, &mut dyn Read) -> Result<()> + 'v;

impl Packing {
    /// Packs, reads back and compares. Blocks for as long as that takes; `goes_on` is asked before each log, and when it
    /// says no, nothing is left. `written`: when the newest log was written, if that is known better than the files say.
    pub fn pack(&self, written: Option<SystemTime>, goes_on: &dyn Fn() -> bool) -> Result<Packed> {
        let path = self.path();
        let sources = self.sources()?;
        let file = create_hidden(&self.directory)?;
        let hidden = file.path().to_owned();
        let mut archive = tar::Builder::new(GzEncoder::new(
            BufWriter::with_capacity(PIECE, file),
            flate2::Compression::default(),
        ));
        self.each(&mut |member, content| {
            if !goes_on() {
                return Err(Error::Cancelled);
            }
            let mut header = tar::Header::new_gnu();
            header.set_size(member.bytes);
            header.set_mode(0o644);
            header.set_mtime(member.modified);
            archive.append_data(&mut header, &member.name, content).context("pack into", &path)
        })?;
        let file = archive
            .into_inner()
            .and_then(GzEncoder::finish)
            .and_then(|buffer| buffer.into_inner().map_err(io::IntoInnerError::into_error))
            .context("write", &hidden)?;
        self.compare(&hidden, goes_on)?;
        let newest = sources.iter().filter_map(|(source, _)| super::modified(source)).max();
        let written = written.or(newest).unwrap_or(SystemTime::UNIX_EPOCH);
        // Here, because it lasts: the hold is kept while it gets its name.
        change::set_modified(&file, written)
            .and_then(|()| change::sync_open(file.as_file(), &hidden))
            .context("sync", &hidden)?;
        Ok(Packed { file, sources, path })
    }

    /// The bundle's path.
    fn path(&self) -> PathBuf {
        self.directory.join(self.name.to_string())
    }

    fn names(&self) -> impl Iterator<Item = String> + use<> {
        let (node, name) = (self.node, self.name);
        std::iter::successors(Some(name.first()), move |at| (*at < name.last()).then(|| at.next()))
            .map(move |counter| ArchiveName { node, counter }.to_string())
    }

    /// The files that are read, as they are now.
    fn sources(&self) -> Result<Vec<(PathBuf, Identity)>> {
        let mut sources = Vec::new();
        for path in self.names().map(|name| self.directory.join(name)) {
            match state(&path) {
                Some(identity) => sources.push((path, identity)),
                None if self.again => {}
                None => return Err(gone(&path)),
            }
        }
        if self.again {
            let path = self.path();
            sources.push((path.clone(), state(&path).ok_or_else(|| gone(&path))?));
        }
        Ok(sources)
    }

    /// Visits every log in order: singles, and where there is none the member of the bundle that is there.
    fn each(&self, visit: &mut Visit<'_>) -> Result<()> {
        if !self.again {
            return self.names().try_for_each(|name| {
                let path = self.directory.join(&name);
                single(&path, &name)?
                    .map_or_else(|| Err(gone(&path)), |(member, mut file)| visit(&member, &mut file))
            });
        }
        let path = self.path();
        let mut names = self.names();
        members(&path, &mut |member, content| {
            if names.next().as_ref() != Some(&member.name) {
                return Err(broken(&path, &format!("`{}` is not the log that must come there", member.name)));
            }
            match single(&self.directory.join(&member.name), &member.name)? {
                Some((member, mut file)) => visit(&member, &mut file),
                None => visit(member, content),
            }
        })?;
        names.next().map_or(Ok(()), |name| Err(broken(&path, &format!("`{name}` is not in it"))))
    }

    /// Reads what was made and compares it with what went into it, byte for byte.
    fn compare(&self, made: &Path, goes_on: &dyn Fn() -> bool) -> Result<()> {
        let mut archive = reader(made)?;
        let mut entries = archive.entries().context("read", made)?;
        self.each(&mut |member, content| {
            if !goes_on() {
                return Err(Error::Cancelled);
            }
            let mut entry = entries
                .next()
                .ok_or_else(|| broken(made, &format!("`{}` is not in it", member.name)))?
                .context("read", made)?;
            if member_of(&entry, made)? != *member || !same(&mut entry, content).context("read", made)? {
                return Err(broken(made, &format!("`{}` was not packed as it is", member.name)));
            }
            Ok(())
        })?;
        match entries.next() {
            None => Ok(()),
            Some(_) => Err(broken(made, "something follows the last log")),
        }
    }

    /// The singles in the range of the bundle that is there, last the bundle itself, and whether all singles are in it
    /// byte for byte.
    pub fn singles_in_it(&self) -> Result<(Vec<(PathBuf, Identity)>, bool)> {
        let sources = self.sources()?;
        let known: HashSet<_> = sources.iter().map(|(path, _)| path.clone()).collect();
        let mut found = 0;
        let mut all_same = true;
        members(&self.path(), &mut |member, content| {
            let path = self.directory.join(&member.name);
            if known.contains(&path)
                && let Some((_, mut file)) = single(&path, &member.name)?
            {
                found += 1;
                all_same &= same(&mut file, content).context("read", &path)?;
            }
            Ok(())
        })?;
        Ok((sources, all_same && found + 1 == known.len()))
    }
}

impl Packed {
    /// Whether everything that went into it is still there as it was. Under the hold that stays so.
    pub fn is_current(&self) -> bool {
        are_current(&self.sources)
    }

    /// The files that went into it.
    pub fn sources(&self) -> impl Iterator<Item = &Path> {
        self.sources.iter().map(|(path, _)| path.as_path())
    }

    /// Gives the bundle its name; content and name are on disk when it returns.
    pub fn publish(self) -> Result<()> {
        publish_created(self.file, &self.path, 0o644)
    }
}

/// Whether these files are still in the state that was seen.
pub fn are_current(files: &[(PathBuf, Identity)]) -> bool {
    files.iter().all(|(path, identity)| state(path).as_ref() == Some(identity))
}

/// A log that is a file of its own; `None` if it is not there.
fn single(path: &Path, name: &str) -> Result<Option<(Member, io::Take<File>)>> {
    let Some(file) = open_plain(path)? else { return Ok(None) };
    let metadata = file.metadata().context("examine", path)?;
    let taken = metadata.blocks().saturating_mul(512);
    if metadata.len() > taken.saturating_mul(HOLES).max(LEAST_LIMIT) {
        return Err(broken(path, &format!("it is {} bytes with holes, and takes {taken}", metadata.len())));
    }
    let modified = metadata.modified().context("examine", path)?;
    let modified = modified.duration_since(SystemTime::UNIX_EPOCH).as_ref().map_or(0, Duration::as_secs);
    let member = Member { name: name.to_owned(), bytes: metadata.len(), modified };
    Ok(Some((member, file.take(metadata.len()))))
}

/// Visits the members of a bundle in order.
pub(super) fn members(path: &Path, visit: &mut Visit<'_>) -> Result<()> {
    let mut archive = reader(path)?;
    for entry in archive.entries().context("read", path)? {
        let mut entry = entry.context("read", path)?;
        let member = member_of(&entry, path)?;
        visit(&member, &mut entry)?;
    }
    Ok(())
}

type Reader = tar::Archive<io::Take<GzDecoder<BufReader<File>>>>;

fn reader(path: &Path) -> Result<Reader> {
    let file = open_plain(path)?.ok_or_else(|| io::ErrorKind::NotFound.into()).context("open", path)?;
    let limit = most_of(file.metadata().context("examine", path)?.len());
    Ok(tar::Archive::new(GzDecoder::new(BufReader::with_capacity(PIECE, file)).take(limit)))
}

/// What a member's header says. Only plain files with bare names of logs are in bundles.
fn member_of<R: Read>(entry: &tar::Entry<'_, R>, path: &Path) -> Result<Member> {
    let name = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
    if !entry.header().entry_type().is_file() || name.parse::<ArchiveName>().is_err() {
        return Err(broken(path, &format!("`{}` is no log", excerpt(&name))));
    }
    let modified = entry.header().mtime().context("read", path)?;
    Ok(Member { name, bytes: entry.size(), modified })
}

/// Whether both give the same bytes to their ends.
pub(super) fn same(one: &mut dyn Read, other: &mut dyn Read) -> io::Result<bool> {
    let (mut left, mut right) = (Vec::with_capacity(PIECE), Vec::with_capacity(PIECE));
    loop {
        left.clear();
        right.clear();
        one.take(PIECE as u64).read_to_end(&mut left)?;
        other.take(PIECE as u64).read_to_end(&mut right)?;
        if left != right {
            return Ok(false);
        }
        if left.is_empty() {
            return Ok(true);
        }
    }
}

fn gone(path: &Path) -> Error {
    Error::Disk { action: "pack", path: path.to_owned(), source: io::ErrorKind::NotFound.into() }
}

fn broken(path: &Path, what: &str) -> Error {
    let source = io::Error::new(io::ErrorKind::InvalidData, what.to_owned());
    Error::Disk { action: "read", path: path.to_owned(), source }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Counter;
    use std::fs;

    fn counter(value: u64) -> Counter {
        Counter::parse(&value.to_string()).unwrap()
    }

    fn log(value: u64) -> String {
        ArchiveName { node: SlonyNode(2), counter: counter(value) }.to_string()
    }

    fn packing(directory: &Path, again: bool) -> Packing {
        let name = BundleName::new(counter(8), counter(10)).unwrap();
        Packing { directory: directory.to_owned(), node: SlonyNode(2), name, again }
    }

    fn write(directory: &Path, value: u64, text: &str, at: u64) {
        let path = directory.join(log(value));
        fs::write(&path, text).unwrap();
        File::options().write(true).open(path).unwrap().set_modified(second(at)).unwrap();
    }

    fn second(at: u64) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(at)
    }

    fn content(directory: &Path) -> Vec<(Member, String)> {
        let mut all = Vec::new();
        members(&directory.join("slony_logs_8-10.tar.gz"), &mut |member, content| {
            let mut text = String::new();
            content.read_to_string(&mut text).unwrap();
            all.push((member.clone(), text));
            Ok(())
        })
        .unwrap();
        all
    }

    fn member(value: u64, text: &str, modified: u64) -> (Member, String) {
        (Member { name: log(value), bytes: text.len() as u64, modified }, text.to_owned())
    }

    #[test]
    fn a_bundle_holds_the_logs_with_their_times_and_can_be_made_again() {
        let directory = tempfile::tempdir().unwrap();
        let at = directory.path();
        let wide = "x".repeat(3 * PIECE + 1);
        for (value, text, time) in [(8, "eight", 80), (9, wide.as_str(), 95), (10, "", 90)] {
            write(at, value, text, time);
        }
        let packed = packing(at, false).pack(None, &|| true).unwrap();
        assert!(packed.is_current());
        packed.publish().unwrap();
        let bundle = at.join("slony_logs_8-10.tar.gz");
        assert_eq!(super::super::modified(&bundle), Some(second(95)));
        assert_eq!(content(at), [member(8, "eight", 80), member(9, &wide, 95), member(10, "", 90)]);

        let (singles, same) = packing(at, true).singles_in_it().unwrap();
        assert_eq!((singles.len(), same), (4, true));
        fs::remove_file(at.join(log(8))).unwrap();
        fs::remove_file(at.join(log(10))).unwrap();
        write(at, 9, "nine", 200);
        assert!(!are_current(&singles));
        assert!(!packing(at, true).singles_in_it().unwrap().1);
        packing(at, true).pack(None, &|| true).unwrap().publish().unwrap();
        assert_eq!(content(at), [member(8, "eight", 80), member(9, "nine", 200), member(10, "", 90)]);
        assert_eq!(super::super::modified(&bundle), Some(second(200)));
        assert_eq!(fs::read_dir(at).unwrap().count(), 2);
    }

    #[test]
    fn what_is_not_whole_gets_no_name() {
        let directory = tempfile::tempdir().unwrap();
        let at = directory.path();
        for value in [8, 10] {
            write(at, value, "text", 80);
        }
        assert!(packing(at, false).pack(None, &|| true).is_err(), "a log is missing");
        write(at, 9, "text", 80);
        assert!(matches!(packing(at, false).pack(None, &|| false), Err(Error::Cancelled)));
        let packed = packing(at, false).pack(None, &|| true).unwrap();
        write(at, 9, "other", 80);
        assert!(!packed.is_current());
        drop(packed);
        fs::write(at.join("slony_logs_8-10.tar.gz"), "rubbish").unwrap();
        assert!(packing(at, true).pack(None, &|| true).is_err());
        assert!(packing(at, true).singles_in_it().is_err());
        assert_eq!(fs::read_dir(at).unwrap().count(), 4, "nothing hidden is left");
    }
}
