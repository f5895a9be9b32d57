//! Temporary files: which of those that lie there a killed process has left, and which somebody is writing.

use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use crate::model::Node;
use crate::paths::Paths;
use crate::protocol::Registry;

/// What nobody has written for so long is left. Those who are at work are not kept out by the hold: a word for a node, the
/// state of the monitor and of the hooks are written without it, and what the splitter and `resplit` have unpacked they keep
/// from one hold to the next.
const LONG: Duration = Duration::from_secs(60 * 60);

/// Where such files may be: where nodes get their lists and logs, and where bundles are unpacked.
pub(super) fn places(paths: &Paths, registry: &Registry) -> Vec<PathBuf> {
    let mut directories = vec![paths.work_dir.clone(), paths.tables_dir.clone()];
    for entry in registry.entries() {
        let node = entry.name().and_then(|name| name.parse::<Node>().ok());
        directories.extend(node.map(|node| paths.site(&node, Some(entry)).held_directory));
        directories.push(entry.directory.clone());
    }
    directories
}

/// Those of these temporary files, each with when it was last written, that are of nobody any more. To be removed under the hold:
/// the splitter may read what it has unpacked for longer than that.
pub(super) fn left(found: Vec<(PathBuf, SystemTime)>, now: SystemTime) -> Vec<PathBuf> {
    // One of the future says that the clock was ahead, and nothing of its age.
    let is_left = |written| now.duration_since(written).is_ok_and(|age| age > LONG);
    found.into_iter().filter(|(_, written)| is_left(*written)).map(|(path, _)| path).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_old_is_left() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000);
        let second = Duration::from_secs(1);
        let found = [
            ("new", now),
            ("at its limit", now - LONG),
            ("old", now - LONG - second),
            ("of the future", now + LONG + second),
        ];
        let found = found.map(|(name, written)| (name.into(), written)).to_vec();
        assert_eq!(left(found, now), [PathBuf::from("old")]);
    }
}
