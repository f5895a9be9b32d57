//! `split.seen`: what the archives looked like when they were split. Lines `NAME BYTES SECONDS.NANOSECONDS DIGEST NODE EVENT`, the
//! time being that of the file, the digest XXH3 of 128 bits in hexadecimal digits, and the last two what the header says, which
//! earlier versions did not write; the last line of a name holds. A line `NAME copied SERIES` for each series that the archive copies as
//! a whole, as the subscription of a set does.

use crate::model::{ArchiveName, Series};

/// An archive as it was when it was split.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seen {
    /// Its name.
    pub name: ArchiveName,
    /// Its size.
    pub bytes: u64,
    /// When it was written last, by its file: seconds since 1970 and nanoseconds.
    pub modified: (i64, i64),
    /// The digest of its content.
    pub digest: u128,
    /// The Slony node and the event that its header names; `None` in a line of an earlier version.
    pub event: Option<(u64, u64)>,
}

impl Seen {
    /// One line of the file; `None` for a line that a crash cut off.
    fn parse(line: &str) -> Option<Self> {
        let mut words = line.split(' ');
        let name = words.next()?.parse().ok()?;
        let bytes = words.next()?.parse().ok()?;
        let (seconds, nanoseconds) = words.next()?.split_once('.')?;
        let modified = (seconds.parse().ok()?, nanoseconds.parse().ok()?);
        let digest = words.next().filter(|text| text.len() == 32)?;
        let digest = u128::from_str_radix(digest, 16).ok()?;
        let event = match (words.next(), words.next()) {
            (None, _) => None,
            (Some(origin), event) => Some((origin.parse().ok()?, event?.parse().ok()?)),
        };
        Some(Self { name, bytes, modified, digest, event })
    }

    /// The line.
    pub fn write(&self) -> String {
        let Self { name, bytes, modified: (seconds, nanoseconds), digest, event } = self;
        let event = event.map(|(origin, event)| format!(" {origin} {event}")).unwrap_or_default();
        format!("{name} {bytes} {seconds}.{nanoseconds:09} {digest:032x}{event}\n")
    }
}

/// Reads the file; ascending by name. Nothing in it is relied upon: what cannot be read is passed over.
pub fn read_seen(bytes: &[u8]) -> Vec<Seen> {
    let text = String::from_utf8_lossy(bytes);
    let by_name: std::collections::BTreeMap<ArchiveName, Seen> = text
        .split_inclusive('\n')
        .filter_map(|line| Seen::parse(line.strip_suffix('\n')?))
        .map(|seen| (seen.name, seen))
        .collect();
    by_name.into_values().collect()
}

/// The word between an archive and a series that it copies.
const COPIED: &str = " copied ";

/// The line that says that an archive copies a series as a whole.
pub fn write_copied(name: ArchiveName, series: &Series) -> String {
    format!("{name}{COPIED}{series}\n")
}

/// Which archives copy which series as a whole.
pub fn read_copied(bytes: &[u8]) -> Vec<(ArchiveName, Series)> {
    let text = String::from_utf8_lossy(bytes);
    let copied = |line: &str| {
        let (name, series) = line.strip_suffix('\n')?.split_once(COPIED)?;
        name.parse().ok().zip(series.parse().ok())
    };
    text.split_inclusive('\n').filter_map(copied).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Counter, SlonyNode};

    #[test]
    fn the_last_line_of_a_name_holds() {
        let name = |node, value: u64| {
            let counter = Counter::parse(&value.to_string()).unwrap();
            ArchiveName { node: SlonyNode(node), counter }
        };
        let event = Some((1, 5_000_000_007));
        let seen = |name, bytes| Seen { name, bytes, modified: (17, 5), digest: 0xabc, event };
        let (eight, other) = (name(2, 8), name(3, 8));
        let lines = [seen(eight, 1), seen(other, 2), seen(eight, 3)].map(|seen| seen.write()).concat();
        assert_eq!(read_seen(format!("{lines}{eight} 7 1.0").as_bytes()), [seen(eight, 3), seen(other, 2)]);
    }

    #[test]
    fn lines_of_an_earlier_version_are_read_and_none_that_was_cut_off() {
        let name = "slony1_log_2_00000000000000000008.sql";
        let line = format!("{name} 7 17.000000005 {:032x}\n", 0xabc);
        let seen = read_seen(line.as_bytes());
        assert_eq!(seen.iter().map(|seen| (seen.bytes, seen.event)).collect::<Vec<_>>(), [(7, None)]);
        assert_eq!(seen.iter().map(Seen::write).collect::<String>(), line);
        assert_eq!(read_seen(line.replace('\n', " 1\n").as_bytes()), []);
    }

    #[test]
    fn what_was_copied_stands_beside_it() {
        let name: ArchiveName = "slony1_log_2_00000000000000000008.sql".parse().unwrap();
        let series: [Series; 2] = ["a.b", "\"Odd copied one\".\"T 1\""].map(|name| name.parse().unwrap());
        let seen = Seen { name, bytes: 1, modified: (17, 5), digest: 0xabc, event: None };
        let copied: String = series.iter().map(|series| write_copied(name, series)).collect();
        let text = seen.write() + &copied + "slony1_log_2_00000000000000000009.sql copied a.c";
        assert_eq!(read_copied(text.as_bytes()), series.map(|series| (name, series)));
        assert_eq!(read_seen(text.as_bytes()), [seen]);
    }
}
