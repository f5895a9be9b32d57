//! Lines of an archive, as bytes, each at its number; one line in memory at the most.

use std::io::{self, BufRead};

use super::fault::{ArchiveFault, excerpt};

/// A buffer that one long row has blown up is given back before the next line.
const KEPT: usize = 1 << 20;

/// Reads line by line. A line that lies whole in the reader's buffer is lent out from there, not copied.
pub(super) struct Lines<R> {
    reader: R,
    /// Bytes of the reader's buffer that were lent out and are still to be consumed.
    lent: usize,
    /// A line that did not lie in one piece.
    carry: Vec<u8>,
    number: u64,
    bytes: u64,
}

/// A line of an archive.
#[derive(Clone, Copy)]
pub(super) struct Line<'a> {
    /// From 1.
    pub(super) number: u64,
    /// With the line feed, which only the last line of a broken archive lacks.
    pub(super) bytes: &'a [u8],
}

impl<'a> Line<'a> {
    /// The line without its line feed; a fault if the archive ends before or in it.
    pub(super) fn whole(&self, expected: &str) -> Result<&'a [u8], ArchiveFault> {
        self.bytes.strip_suffix(b"\n").ok_or_else(|| {
            let what = match self.bytes {
                [] => {
                    format!("the archive ends here, expected {expected}; hint: slon did not write it whole")
                }
                cut => {
                    format!("the archive ends within this line, expected {expected}: `{}`", excerpt(cut))
                }
            };
            ArchiveFault { line: self.number, what }
        })
    }
}

impl<R: BufRead> Lines<R> {
    pub(super) fn new(reader: R) -> Self {
        Self { reader, lent: 0, carry: Vec::new(), number: 0, bytes: 0 }
    }

    /// Bytes returned so far.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// The next line. At the end of the archive its bytes are empty.
    pub(super) fn next(&mut self) -> io::Result<Line<'_>> {
        self.reader.consume(std::mem::take(&mut self.lent));
        self.number += 1;
        if let Some(end) = memchr::memchr(b'\n', self.fill()?) {
            self.lent = end + 1;
            self.bytes += self.lent as u64;
            // The buffer is filled: this second call only borrows it again.
            let bytes = self.reader.fill_buf()?.get(..=end).unwrap_or_default();
            return Ok(Line { number: self.number, bytes });
        }
        if self.carry.capacity() > KEPT {
            self.carry = Vec::new();
        }
        self.carry.clear();
        let length = self.reader.read_until(b'\n', &mut self.carry)?;
        self.bytes += length as u64;
        Ok(Line { number: self.number, bytes: &self.carry })
    }

    fn fill(&mut self) -> io::Result<&[u8]> {
        while let Err(error) = self.reader.fill_buf() {
            if error.kind() != io::ErrorKind::Interrupted {
                return Err(error);
            }
        }
        self.reader.fill_buf()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_the_same_whatever_the_buffer() {
        let text = b"one\n\nthree is longer\nlast";
        for capacity in [1, 2, 4, 5, 64] {
            let mut lines = Lines::new(io::BufReader::with_capacity(capacity, &text[..]));
            let mut seen = Vec::new();
            loop {
                let line = lines.next().unwrap();
                seen.push((line.number, String::from_utf8(line.bytes.to_vec()).unwrap()));
                if line.bytes.is_empty() {
                    break;
                }
            }
            let expected = ["one\n", "\n", "three is longer\n", "last", ""];
            let expected = (1..).zip(expected.map(str::to_owned)).collect::<Vec<_>>();
            assert_eq!(seen, expected, "buffer of {capacity}");
            assert_eq!(lines.bytes(), text.len() as u64);
        }
    }
}
