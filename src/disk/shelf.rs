//! What lies in a directory of logs, and taking from it.

use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::Path;

use super::{change, names, sync_directory};
use crate::error::{Context, Result};
use crate::model::{ArchiveName, Bundle, BundleName, Shelf, Single, SlonyNode};

/// Reads a directory: singles of this Slony node (`None`: of any) and bundles. Only plain files count; what has another
/// name is not looked at.
pub fn shelf(directory: &Path, node: Option<SlonyNode>) -> Result<Shelf> {
    let (mut singles, mut bundles, mut sum) = (Vec::new(), Vec::new(), 0);
    for name in names(directory)? {
        let Some(text) = name.to_str() else { continue };
        if let Some(counter) = single(text, node) {
            let Some((written, bytes)) = written(&directory.join(&name)) else { continue };
            singles.push(Single { counter, written });
            sum += bytes;
        } else if let Ok(name) = text.parse::<BundleName>() {
            let Some((written, bytes)) = written(&directory.join(text)) else { continue };
            bundles.push(Bundle { name, written });
            sum += bytes;
        }
    }
    Ok(Shelf::new(singles, bundles).of_bytes(sum))
}

fn single(name: &str, node: Option<SlonyNode>) -> Option<crate::model::Counter> {
    let archive: ArchiveName = name.parse().ok()?;
    node.is_none_or(|node| archive.node == node).then_some(archive.counter)
}

/// When a plain file was written, and its bytes; `None` if it is none, or gone since it was listed.
fn written(path: &Path) -> Option<(std::time::SystemTime, u64)> {
    let metadata = fs::symlink_metadata(path).ok().filter(fs::Metadata::is_file)?;
    Some((metadata.modified().ok()?, metadata.len()))
}

/// Removes files of a directory in this order, then puts that on disk once for all. One that is gone already is no
/// failure. After a power loss some of them may be back.
pub fn remove_all(directory: &Path, names: &[OsString]) -> Result<()> {
    for name in names {
        let path = directory.join(name);
        match change::remove(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            removed => removed.context("remove", &path)?,
        }
    }
    if names.is_empty() { Ok(()) } else { sync_directory(directory) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Counter;

    #[test]
    fn only_logs_of_the_node_and_bundles_count() {
        let directory = tempfile::tempdir().unwrap();
        let at = |name: &str| directory.path().join(name);
        let (single, other) =
            ("slony1_log_2_00000000000000000007.sql", "slony1_log_3_00000000000000000008.sql");
        let bundle = "slony_logs_1-6.tar.gz";
        for name in [single, other, bundle, "slony_counter.txt", "slony_logs_1-6.tar.gz.part"] {
            fs::write(at(name), name).unwrap();
        }
        fs::create_dir(at("slony1_log_2_00000000000000000009.sql")).unwrap();
        std::os::unix::fs::symlink(at(single), at("slony1_log_2_00000000000000000010.sql")).unwrap();
        let counters = |node| {
            let shelf = shelf(directory.path(), node).unwrap();
            assert_eq!(shelf.bundles().iter().map(|b| b.name.to_string()).collect::<Vec<_>>(), [bundle]);
            shelf.singles().iter().map(|single| single.counter).collect::<Vec<_>>()
        };
        let expected = ["7", "8"].map(|text| Counter::parse(text).unwrap());
        assert_eq!(counters(None), expected);
        assert_eq!(counters(Some(SlonyNode(2))), expected[..1]);
        remove_all(directory.path(), &[single.into(), "gone".into()]).unwrap();
        assert_eq!(counters(None), expected[1..]);
    }
}
