//! Lines of the frame of an archive, each at its number.

use super::fault::{ArchiveFault, excerpt};

/// Reads a text line by line.
pub(crate) struct Lines<'a> {
    text: &'a [u8],
    /// Where the next line begins.
    at: usize,
    /// Its number.
    number: u64,
}

/// A line of an archive.
#[derive(Clone, Copy)]
pub(crate) struct Line<'a> {
    /// From 1.
    pub(crate) number: u64,
    /// With the line feed, which only the last line of a broken archive lacks.
    pub(crate) bytes: &'a [u8],
}

impl<'a> Line<'a> {
    /// The line without its line feed; a fault if the archive ends before or in it.
    pub(crate) fn whole(&self, expected: &str) -> Result<&'a [u8], ArchiveFault> {
        self.bytes.strip_suffix(b"\n").ok_or_else(|| ends(self.number, self.bytes, expected))
    }
}

/// The archive ends in this line, of which `cut` is there.
pub(crate) fn ends(line: u64, cut: &[u8], expected: &str) -> ArchiveFault {
    let what = match cut {
        [] => format!("the archive ends here, expected {expected}; hint: slon did not write it whole"),
        cut => format!("the archive ends within this line, expected {expected}: `{}`", excerpt(cut)),
    };
    ArchiveFault { line, what }
}

impl<'a> Lines<'a> {
    /// The lines of a text whose first has this number.
    pub(crate) fn new(text: &'a [u8], number: u64) -> Self {
        Self { text, at: 0, number }
    }

    /// Bytes returned so far.
    pub(crate) fn bytes(&self) -> usize {
        self.at
    }

    /// The bytes of the next line.
    pub(crate) fn peek(&self) -> &'a [u8] {
        let rest = self.text.get(self.at..).unwrap_or_default();
        let length = memchr::memchr(b'\n', rest).map_or(rest.len(), |end| end + 1);
        rest.get(..length).unwrap_or_default()
    }

    /// The next line. At the end its bytes are empty.
    pub(crate) fn next(&mut self) -> Line<'a> {
        let line = Line { number: self.number, bytes: self.peek() };
        self.at += line.bytes.len();
        self.number += 1;
        line
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_have_their_numbers() {
        let mut lines = Lines::new(b"one\n\nlast", 7);
        let next: Vec<_> = (0..4).map(|_| lines.next()).map(|line| (line.number, line.bytes)).collect();
        assert_eq!(next, [(7, &b"one\n"[..]), (8, b"\n"), (9, b"last"), (10, b"")]);
        assert_eq!(lines.bytes(), 9);
    }
}
