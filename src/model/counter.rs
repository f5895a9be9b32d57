//! The number of an archive, and the Slony node that wrote it.

use std::fmt;

/// The number in an archive's name; the same as `sl_archive_counter.ac_num` on the log-shipping node and
/// `sl_archive_tracking.at_counter` at a site. PostgreSQL keeps it as `bigint`, so it never exceeds `i64::MAX`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Counter(u64);

impl Counter {
    /// Digits of a counter in a file name, with leading zeros (`remote_worker.c`, `archive_open`).
    pub const DIGITS: usize = 20;

    /// The last that there can be.
    pub const LAST: Self = Self(i64::MAX.unsigned_abs());

    /// A counter from the database; `None` if it is negative.
    pub fn from_database(value: i64) -> Option<Self> {
        u64::try_from(value).ok().map(Self)
    }

    /// A counter from text: decimal digits only, no sign, at most `i64::MAX`.
    pub fn parse(text: &str) -> Option<Self> {
        let all_digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        let value = all_digits.then(|| text.parse::<i64>().ok()).flatten()?;
        Self::from_database(value)
    }

    /// The counter after this one.
    #[must_use]
    pub fn next(self) -> Self {
        Self(self.0 + 1)
    }

    /// The counter so many after this one, [`Counter::LAST`] at the most.
    #[must_use]
    pub fn plus(self, count: u64) -> Self {
        Self(self.0.saturating_add(count)).min(Self::LAST)
    }

    /// The counter before this one; zero has none and stays.
    #[must_use]
    pub fn previous(self) -> Self {
        Self(self.0.saturating_sub(1))
    }

    /// The bare number.
    pub fn value(self) -> u64 {
        self.0
    }
}

impl fmt::Display for Counter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The number of a Slony node, as in `getLocalNodeId`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SlonyNode(pub u32);

impl fmt::Display for SlonyNode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_are_plain_digits_within_bigint() {
        assert_eq!(Counter::parse("00000000000000000109").map(Counter::value), Some(109));
        assert_eq!(Counter::parse("9223372036854775807").map(Counter::value), Some(i64::MAX as u64));
        for bad in ["", "-1", "+1", " 1", "1 ", "0x1", "9223372036854775808"] {
            assert_eq!(Counter::parse(bad), None, "{bad:?}");
        }
    }
}
