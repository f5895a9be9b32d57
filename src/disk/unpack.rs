//! Reading archives again that may have been bundled meanwhile.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use super::bundle::members;
use super::observe::{self, Identity, open_plain};
use super::{change, names, open};
use crate::error::{Context, Result};
use crate::model::{ArchiveName, BundleName};

/// Archives of one directory, single or bundled. One bundle at a time is unpacked as a whole: who reads archives again
/// reads many in order, and each of them twice.
#[derive(Debug)]
pub struct Archives {
    directory: PathBuf,
    /// Where bundles are unpacked.
    scratch: PathBuf,
    unpacked: Option<Unpacked>,
}

/// What came out of a bundle.
#[derive(Debug)]
struct Unpacked {
    bundle: BundleName,
    /// The bundle as it was then.
    state: Option<Identity>,
    directory: TempDir,
}

impl Archives {
    /// Nothing is read yet. What is unpacked goes into a hidden directory of `scratch`, and is gone with this value.
    pub fn new(directory: &Path, scratch: &Path) -> Self {
        Self { directory: directory.to_owned(), scratch: scratch.to_owned(), unpacked: None }
    }

    /// Opens an archive; `None` if it is neither there nor in a bundle. A single goes before its bundle.
    pub fn open(&mut self, name: ArchiveName) -> Result<Option<File>> {
        // In a directory of a site anything may lie: a pipe would be waited for, under the hold.
        if let Some(file) = open_plain(&self.directory.join(name.to_string()))? {
            return Ok(Some(file));
        }
        let holds = |bundle: &BundleName| bundle.contains(name.counter);
        let state = |bundle: BundleName| observe::state(&self.directory.join(bundle.to_string()));
        // Between two holds whoever clears hidden files away may take what was unpacked, and the bundle may be made anew.
        let is_here = |unpacked: &Unpacked| {
            holds(&unpacked.bundle)
                && unpacked.state == state(unpacked.bundle)
                && unpacked.directory.path().is_dir()
        };
        if !self.unpacked.as_ref().is_some_and(is_here) {
            let listed = names(&self.directory)?;
            let Some(bundle) = listed.iter().filter_map(|name| name.to_str()?.parse().ok()).find(holds)
            else {
                return Ok(None);
            };
            // The one before goes first: only one takes room.
            let state = state(bundle);
            self.unpacked = None;
            self.unpacked = Some(Unpacked { bundle, state, directory: self.unpack(bundle)? });
        }
        match &self.unpacked {
            Some(unpacked) => open(&unpacked.directory.path().join(name.to_string())),
            None => Ok(None),
        }
    }

    /// Removes what was unpacked; the next archive that lies in a bundle unpacks that anew.
    pub fn forget(&mut self) {
        self.unpacked = None;
    }

    fn unpack(&self, bundle: BundleName) -> Result<TempDir> {
        let unpacked =
            change::create_hidden_directory(&self.scratch).context("create a directory in", &self.scratch)?;
        // Only plain files with the bare names of logs come out of a bundle.
        members(&self.directory.join(bundle.to_string()), &mut |member, content| {
            let path = unpacked.path().join(&member.name);
            let mut file = change::create(&path).context("create", &path)?;
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
        let pack = |first, last, again| {
            let packing = Packing {
                directory: directory.clone(),
                node: SlonyNode(2),
                name: BundleName::new(counter(first), counter(last)).unwrap(),
                again,
            };
            packing.pack(None, &|| true).unwrap().publish().unwrap();
            (first..=last).for_each(|value| drop(fs::remove_file(at(value))));
        };
        pack(1, 2, false);
        pack(3, 4, false);
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
        // The bundle is made anew, with that in it.
        pack(1, 2, true);
        let mut file = archives.open(name(2)).unwrap().unwrap();
        assert_eq!(io::read_to_string(&mut file).unwrap(), "split anew");
        archives.forget();
        assert_eq!(fs::read_dir(&scratch).unwrap().count(), 0);
        assert!(archives.open(name(1)).unwrap().is_some());
        drop(archives);
        assert_eq!(fs::read_dir(&scratch).unwrap().count(), 0);
        fs::write(directory.join("slony_logs_7-8.tar.gz"), "rubbish").unwrap();
        assert!(Archives::new(&directory, &scratch).open(name(7)).is_err());
    }
}
