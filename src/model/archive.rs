//! The name of an archive, which is also the name of the site logs made of it.

use std::fmt;
use std::sync::LazyLock;

use regex::Regex;

use super::{Counter, SlonyNode};

/// `slony1_log_2_00000000000000000036.sql`: archive 36 of Slony node 2.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ArchiveName {
    /// The node whose slon wrote it.
    pub node: SlonyNode,
    /// Its number.
    pub counter: Counter,
}

impl ArchiveName {
    /// Reads a file name; `None` if it is not an archive's (`.sql.tmp` is one that slon is still writing).
    pub fn parse(name: &str) -> Option<Self> {
        static NAME: LazyLock<Regex> = LazyLock::new(|| {
            Regex::new(r"^slony1_log_([0-9]{1,10})_([0-9]{20})\.sql$").expect("the pattern is a constant")
        });
        let parts = NAME.captures(name)?;
        let node = parts.get(1)?.as_str().parse().ok().map(SlonyNode)?;
        Some(Self { node, counter: Counter::parse(parts.get(2)?.as_str())? })
    }
}

impl fmt::Display for ArchiveName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { node, counter } = self;
        write!(f, "slony1_log_{node}_{:0width$}.sql", counter.value(), width = Counter::DIGITS)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_finished_archives_have_the_name() {
        let name = "slony1_log_2_00000000000000000036.sql";
        let archive = ArchiveName::parse(name).unwrap();
        assert_eq!((archive.node, archive.counter.value()), (SlonyNode(2), 36));
        assert_eq!(archive.to_string(), name);
        for other in [
            "slony1_log_2_00000000000000000036.sql.tmp",
            "slony1_log_2_36.sql",
            "slony1_log_x_00000000000000000036.sql",
            "x",
            "",
        ] {
            assert_eq!(ArchiveName::parse(other), None, "{other}");
        }
    }
}
