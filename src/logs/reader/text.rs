//! The window at hand, as the reader walks through it.

use std::cell::Cell;

use crate::spelling::fault::{ArchiveFault, excerpt};

/// Header, trailer, sequence lines and the like are shorter: less is not looked at unless the archive ends there.
const FRAME_BYTES: usize = 8 << 10;

/// The window at hand.
pub(super) struct Text<'w> {
    pub(super) bytes: &'w [u8],
    /// Whether the archive ends with it.
    pub(super) last: bool,
    /// Lines of the windows before.
    pub(super) lines: u64,
    /// How many line feeds stand before a byte: lines are asked for in order, and counted once.
    pub(super) counted: Cell<(usize, u64)>,
}

impl<'w> Text<'w> {
    /// The number of the line in which a byte stands, from 1.
    pub(super) fn line(&self, at: usize) -> u64 {
        let (from, before) = Some(self.counted.get()).filter(|(from, _)| *from <= at).unwrap_or_default();
        let more = memchr::memchr_iter(b'\n', self.bytes.get(from..at).unwrap_or_default()).count() as u64;
        self.counted.set((at, before + more));
        self.lines + 1 + before + more
    }

    /// A fault in the line of this byte.
    pub(super) fn fault(&self, at: usize, what: String) -> ArchiveFault {
        ArchiveFault { line: self.line(at), what }
    }

    /// A statement that nobody knows.
    pub(super) fn unknown(&self, at: usize) -> ArchiveFault {
        self.fault(at, format!("an unknown statement: `{}`", excerpt(first_line(self.from(at)))))
    }

    /// Neither SQL nor psql takes a zero byte; one shows that a disk or a copy has failed.
    pub(super) fn no_zero(&self, at: usize, statement: &[u8]) -> Result<(), ArchiveFault> {
        if memchr::memchr(0, statement).is_none() {
            return Ok(());
        }
        Err(self.fault(at, format!("a zero byte in a statement: `{}`", excerpt(statement))))
    }

    /// What follows.
    pub(super) fn from(&self, at: usize) -> &'w [u8] {
        self.bytes.get(at..).unwrap_or_default()
    }

    /// Where the statement behind `end` begins: on the same line after blanks, or on the next.
    pub(super) fn end_of_line(&self, end: usize) -> Result<Option<usize>, ArchiveFault> {
        let rest = self.from(end);
        let blanks = rest.iter().take_while(|byte| matches!(byte, b' ' | b'\t')).count();
        match rest.get(blanks) {
            None => Ok(None),
            Some(b'\n') => Ok(Some(end + blanks + 1)),
            Some(b'\r') => Err(self.fault(end, "a carriage return at the end of a statement".to_owned())),
            Some(_) => Ok(Some(end + blanks)),
        }
    }

    /// Whether the frame of an archive, or a short line, lies whole in the window if it begins at `at`.
    pub(super) fn holds_frame(&self, at: usize) -> bool {
        self.last || self.bytes.len() - at >= FRAME_BYTES
    }
}

/// A text up to its first line feed.
pub(super) fn first_line(text: &[u8]) -> &[u8] {
    text.split(|byte| *byte == b'\n').next().unwrap_or_default()
}
