//! How far the audit trail is told. Nodes are told of side by side, so a line may be told before one in front of it.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

/// A piece of so many bytes without an end of a line is none of ours.
const LONGEST: usize = 8 << 20;

/// A place in the trail.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(super) struct Place {
    /// Which file; 0: none was there yet.
    pub(super) inode: u64,
    /// Everything before this byte is told.
    offset: u64,
    /// Where the lines behind it begin that are told already.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    told: BTreeSet<u64>,
    /// Everything before this byte was read.
    #[serde(skip)]
    read: u64,
    /// Where the lines begin that were read and are not told.
    #[serde(skip)]
    waiting: BTreeSet<u64>,
}

impl Place {
    /// In this file, at this byte.
    pub(super) fn new(inode: u64, offset: u64) -> Self {
        Self { inode, offset, read: offset, ..Self::default() }
    }

    /// Reads what an earlier process has left.
    pub(super) fn parse(bytes: &[u8]) -> Option<Self> {
        let place: Self = serde_json::from_slice(bytes).ok()?;
        Some(Self { read: place.offset, ..place })
    }

    /// What the next process needs.
    pub(super) fn write(&self) -> Vec<u8> {
        // Numbers: nothing that JSON could refuse.
        serde_json::to_vec(self).unwrap_or_default()
    }

    /// The byte from which on to read.
    pub(super) fn read_to(&self) -> u64 {
        self.read
    }

    /// Whether everything that was read is told.
    pub(super) fn is_told(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Takes what was read from [`Place::read_to`] on: the whole lines that are not told yet, each with its begin.
    pub(super) fn take<'b>(&mut self, bytes: &'b [u8]) -> Vec<(u64, &'b [u8])> {
        let Some(end) = memchr::memrchr(b'\n', bytes) else {
            if bytes.len() >= LONGEST {
                self.read += length(bytes);
                self.advance();
            }
            return Vec::new();
        };
        let mut lines = Vec::new();
        for line in bytes.get(..=end).unwrap_or_default().split_inclusive(|byte| *byte == b'\n') {
            if !self.told.contains(&self.read) {
                self.waiting.insert(self.read);
                lines.push((self.read, line));
            }
            self.read += length(line);
        }
        self.advance();
        lines
    }

    /// The line that begins here is told.
    pub(super) fn tell(&mut self, line: u64) {
        if self.waiting.remove(&line) {
            self.told.insert(line);
            self.advance();
        }
    }

    fn advance(&mut self) {
        let offset = self.waiting.first().copied().unwrap_or(self.read);
        self.told.retain(|line| *line >= offset);
        self.offset = offset;
    }
}

fn length(bytes: &[u8]) -> u64 {
    u64::try_from(bytes.len()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after_a_restart(place: &Place) -> Place {
        Place::parse(&place.write()).unwrap()
    }

    #[test]
    fn a_line_is_told_once_in_whatever_order() {
        let mut place = Place::new(7, 2);
        let begins = |lines: Vec<(u64, &[u8])>| lines.iter().map(|(at, _)| *at).collect::<Vec<_>>();
        assert_eq!(place.take(b"a\nbb\nccc"), [(2, b"a\n".as_slice()), (4, b"bb\n")]);
        assert_eq!((place.read_to(), place.offset), (7, 2));
        assert_eq!(begins(place.take(b"ccc\n")), [7]);
        place.tell(4);
        assert_eq!(place.offset, 2);

        let mut again = after_a_restart(&place);
        assert_eq!(again.read_to(), 2);
        assert_eq!(begins(again.take(b"a\nbb\nccc\n")), [2, 7]);
        again.tell(7);
        again.tell(2);
        assert_eq!((again.offset, again.told.len(), again.is_told()), (11, 0, true));

        place.tell(2);
        assert_eq!((place.offset, place.is_told()), (7, false));
        place.tell(7);
        assert_eq!(after_a_restart(&place), Place::new(7, 11));
    }

    #[test]
    fn what_is_read_in_pieces_after_a_restart_is_not_told_twice() {
        let mut place = Place::new(7, 0);
        place.take(b"a\nb\nc\n");
        place.tell(2);
        place.tell(4);
        let mut again = after_a_restart(&place);
        assert_eq!(again.take(b"a\n"), [(0, b"a\n".as_slice())]);
        again.tell(0);
        assert_eq!(again.take(b"b\nc\nd\n"), [(6, b"d\n".as_slice())]);
        assert_eq!(again.offset, 6);
    }

    #[test]
    fn what_has_no_end_is_passed_over() {
        let mut place = Place::new(7, 0);
        assert_eq!(place.take(&vec![b'x'; LONGEST]).len(), 0);
        assert_eq!(place.take(b"x\ny\n").len(), 2);
        assert_eq!(Place::parse(b"{"), None);
    }
}
