//! `split.seen`: what the archives looked like when they were split. Lines `COUNTER BYTES SECONDS.NANOSECONDS DIGEST`, the
//! time being that of the file and the digest XXH3 of 128 bits in hexadecimal digits; the last line of a counter holds.

use crate::model::Counter;

/// An archive as it was when it was split.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seen {
    /// Its number.
    pub counter: Counter,
    /// Its size.
    pub bytes: u64,
    /// When it was written last, by its file: seconds since 1970 and nanoseconds.
    pub modified: (i64, i64),
    /// The digest of its content.
    pub digest: u128,
}

impl Seen {
    /// One line of the file; `None` for a line that a crash cut off.
    fn parse(line: &str) -> Option<Self> {
        let mut words = line.split(' ');
        let counter = Counter::parse(words.next()?)?;
        let bytes = words.next()?.parse().ok()?;
        let (seconds, nanoseconds) = words.next()?.split_once('.')?;
        let modified = (seconds.parse().ok()?, nanoseconds.parse().ok()?);
        let digest = words.next().filter(|text| text.len() == 32)?;
        Some(Self { counter, bytes, modified, digest: u128::from_str_radix(digest, 16).ok()? })
    }

    /// The line.
    pub fn write(&self) -> String {
        let Self { counter, bytes, modified: (seconds, nanoseconds), digest } = self;
        format!("{counter} {bytes} {seconds}.{nanoseconds:09} {digest:032x}\n")
    }
}

/// Reads the file; ascending by counter. Nothing in it is relied upon: what cannot be read is passed over.
pub fn read_seen(bytes: &[u8]) -> Vec<Seen> {
    let text = String::from_utf8_lossy(bytes);
    let by_counter: std::collections::BTreeMap<Counter, Seen> = text
        .split_inclusive('\n')
        .filter_map(|line| Seen::parse(line.strip_suffix('\n')?))
        .map(|seen| (seen.counter, seen))
        .collect();
    by_counter.into_values().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_line_of_a_counter_holds() {
        let counter = |value: u64| Counter::parse(&value.to_string()).unwrap();
        let seen = |value, bytes| Seen { counter: counter(value), bytes, modified: (17, 5), digest: 0xabc };
        let lines = [seen(8, 1), seen(7, 2), seen(8, 3)].map(|seen| seen.write()).concat();
        assert_eq!(read_seen(format!("{lines}9 7 1.0").as_bytes()), [seen(7, 2), seen(8, 3)]);
    }
}
