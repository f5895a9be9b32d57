//! Reading archives again that may have been bundled meanwhile.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use super::bundle::members;
use super::{names, open};
use crate::error::{Context, Result};
use crate::model::{ArchiveName, BundleName};

/// Archives of one directory, single or bundled. One bundle at a time is unpacked as a whole: who reads archives again
/// reads many in order, and each of them twice.
#[derive(Debug)]
pub struct Archives {
    directory: PathBuf,
    /// Where bundles are unpacked.
    scratch: PathBuf,
    unpacked: Option<(BundleName, TempDir)>,
}

impl Archives {
    /// Nothing is read yet. What is unpacked goes into a hidden directory of `scratch`, and is gone with this value.
    pub fn new(directory: &Path, scratch: &Path) -> Self {
        Self { directory: directory.to_owned(), scratch: scratch.to_owned(), unpacked: None }
    }

    /// Opens an archive; `None` if it is neither there nor in a bundle. A single goes before its bundle.
    pub fn open(&mut self, name: ArchiveName) -> Result<Option<File>> {
        if let Some(file) = open(&self.directory.join(name.to_string()))? {
            return Ok(Some(file));
        }
        let holds = |bundle: &BundleName| bundle.contains(name.counter);
        // Whoever clears hidden files away may take what was unpacked, between two holds.
        let is_here = |(bundle, unpacked): &(BundleName, TempDir)| holds(bundle) && unpacked.path().is_dir();
        if !self.unpacked.as_ref().is_some_and(is_here) {
            let listed = names(&self.directory)?;
            let Some(bundle) = listed.iter().filter_map(|name| name.to_str()?.parse().ok()).find(holds)
            else {
                return Ok(None);
            };
            // The one before goes first: only one takes room.
            self.unpacked = None;
            self.unpacked = Some((bundle, self.unpack(bundle)?));
        }
        match &self.unpacked {
            Some((_, unpacked)) => open(&unpacked.path().join(name.to_string())),
            None => Ok(None),
        }
    }

    fn unpack(&self, bundle: BundleName) -> Result<TempDir> {
        let unpacked = tempfile::Builder::new()
            .prefix(".tmp-")
            .tempdir_in(&self.scratch)
            .context("create a directory in", &self.scratch)?;
        // Only plain files with the bare names of logs come out of a bundle.
        members(&self.directory.join(bundle.to_string()), &mut |member, content| {
            let path = unpacked.path().join(&member.name);
            let mut file = File::create(&path).context("create", &path)?;
            io::copy(content, &mut file).map(drop).context("write", &path)
        })?;
        Ok(unpacked)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disk::Packing;
    use crate::model::{Counter, SlonyNode};
    use std::fs;

    #[test]
    fn an_archive_is_found_wherever_it_lies() {
        let root = tempfile::tempdir().unwrap();
        let (directory, scratch) = (root.path().join("archives"), root.path().join("work"));
        fs::create_dir(&directory).unwrap();
        fs::create_dir(&scratch).unwrap();
        let counter = |value: u64| Counter::parse(&value.to_string()).unwrap();
        let name = |value: u64| ArchiveName { node: SlonyNode(2), counter: counter(value) };
        let at = |value: u64| directory.join(name(value).to_string());
        for value in 1..=5 {
            fs::write(at(value), format!("archive {value}")).unwrap();
        }
        for (first, last) in [(1, 2), (3, 4)] {
            let packing = Packing {
                directory: directory.clone(),
                node: SlonyNode(2),
                name: BundleName::new(counter(first), counter(last)).unwrap(),
                again: false,
            };
            packing.pack(None, &|| true).unwrap().publish().unwrap();
            (first..=last).for_each(|value| fs::remove_file(at(value)).unwrap());
        }
        let mut archives = Archives::new(&directory, &scratch);
        for value in [1, 2, 3, 4, 5, 1] {
            let mut file = archives.open(name(value)).unwrap().unwrap();
            assert_eq!(io::read_to_string(&mut file).unwrap(), format!("archive {value}"));
            assert!(fs::read_dir(&scratch).unwrap().count() <= 1, "one bundle at a time");
        }
        // What was unpacked is cleared away meanwhile.
        crate::disk::remove_temporary(&scratch).unwrap();
        assert_eq!(fs::read_dir(&scratch).unwrap().count(), 0);
        assert!(archives.open(name(1)).unwrap().is_some());
        assert!(archives.open(name(6)).unwrap().is_none());
        fs::write(at(2), "split anew").unwrap();
        let mut file = archives.open(name(2)).unwrap().unwrap();
        assert_eq!(io::read_to_string(&mut file).unwrap(), "split anew");
        drop(archives);
        assert_eq!(fs::read_dir(&scratch).unwrap().count(), 0);
        fs::write(directory.join("slony_logs_7-8.tar.gz"), "rubbish").unwrap();
        assert!(Archives::new(&directory, &scratch).open(name(7)).is_err());
    }
}
