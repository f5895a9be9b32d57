//! What can be wrong with the text of an archive.

use crate::model;

/// More bytes than a message shows of an archive. A row of many megabytes is not decoded as a whole.
const ENOUGH: usize = 400;

/// An archive that cannot be split: the splitter stops at it, nothing is guessed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {what}")]
pub struct ArchiveFault {
    /// The line, from 1.
    pub line: u64,
    /// What stands there and what was expected, with text of the archive escaped and cut short.
    pub what: String,
}

/// Text of an archive as a message may show it.
pub(crate) fn excerpt(text: &[u8]) -> String {
    model::excerpt(&String::from_utf8_lossy(text.get(..ENOUGH).unwrap_or(text)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn excerpts_are_short_and_harmless() {
        assert_eq!(excerpt(b"a\tb\x1b\xff"), "a\\tb\\u{1b}\u{fffd}");
        assert_eq!(excerpt(&[b'x'; 80]).chars().count(), 80);
        assert_eq!(excerpt(&[b'x'; 81]).chars().count(), 81);
        assert_eq!(excerpt(&vec![b'x'; 100_000]).chars().last(), Some('…'));
    }
}
