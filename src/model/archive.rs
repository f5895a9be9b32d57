//! The name of an archive, which is also the name of each site log that is cut from it.

use std::fmt;
use std::str::FromStr;
use std::sync::LazyLock;

use regex::Regex;

use super::{Counter, SlonyNode, excerpt};

/// `remote_worker.c`, `archive_open`. Files that do not match (`.sql.tmp` above all) are no archives.
static NAME: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"^slony1_log_([0-9]+)_([0-9]{20})\.sql\z").expect("the pattern is constant and valid")
});

/// `slony1_log_<Slony node>_<20 digits>.sql`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ArchiveName {
    /// The node whose slon wrote it, not the origin of the rows. Counters are per node.
    pub node: SlonyNode,
    /// Its number.
    pub counter: Counter,
}

/// A file name that is not an archive's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no archive name: slony1_log_<node>_<20 digits>.sql")]
pub struct ArchiveNameFault(String);

impl FromStr for ArchiveName {
    type Err = ArchiveNameFault;

    fn from_str(name: &str) -> Result<Self, ArchiveNameFault> {
        let parts = || {
            let groups = NAME.captures(name)?;
            let digits = groups.get(1)?.as_str();
            // One spelling a node, so that what is read is what is written.
            let canonical = digits == "0" || !digits.starts_with('0');
            let node = SlonyNode(digits.parse().ok().filter(|_| canonical)?);
            Some(Self { node, counter: Counter::parse(groups.get(2)?.as_str())? })
        };
        parts().ok_or_else(|| ArchiveNameFault(excerpt(name)))
    }
}

impl fmt::Display for ArchiveName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "slony1_log_{}_{:0digits$}.sql", self.node, self.counter.value(), digits = Counter::DIGITS)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_read_and_written_alike() {
        let text = "slony1_log_2_00000000000000000036.sql";
        let name: ArchiveName = text.parse().unwrap();
        assert_eq!((name.node, name.counter.value()), (SlonyNode(2), 36));
        assert_eq!(name.to_string(), text);
    }

    #[test]
    fn other_files_are_no_archives() {
        for bad in [
            "",
            "slony1_log_2_00000000000000000036.sql.tmp",
            "slony1_log_2_00000000000000000036.sql\n",
            "xslony1_log_2_00000000000000000036.sql",
            "slony1_log_2_0000000000000000036.sql",
            "slony1_log_2_000000000000000000036.sql",
            "slony1_log_-2_00000000000000000036.sql",
            "slony1_log_02_00000000000000000036.sql",
            "slony1_log_4294967296_00000000000000000036.sql",
            "slony1_log_2_99999999999999999999.sql",
            "slony1_log_2_00000000000000000036xsql",
            "slony1_log_٢_00000000000000000036.sql",
        ] {
            assert!(bad.parse::<ArchiveName>().is_err(), "{bad:?}");
        }
    }
}
