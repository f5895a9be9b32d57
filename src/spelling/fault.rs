//! What can be wrong with the text of an archive.

/// Characters of an archive that a message shows at most.
const SHOWN: usize = 80;

/// An archive that cannot be split: the splitter stops at it, nothing is guessed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {what}")]
pub struct ArchiveFault {
    /// The line, from 1.
    pub line: u64,
    /// What stands there and what was expected, with text of the archive escaped and cut short.
    pub what: String,
}

/// Text of an archive as a message may show it: escaped, at most 80 characters of it.
pub(crate) fn excerpt(text: &[u8]) -> String {
    // Four bytes a character at most: a row of many megabytes is not decoded as a whole.
    let head = text.get(..SHOWN * 4).unwrap_or(text);
    let decoded = String::from_utf8_lossy(head);
    let mut shown: String = decoded.chars().take(SHOWN).flat_map(char::escape_debug).collect();
    if head.len() < text.len() || decoded.chars().nth(SHOWN).is_some() {
        shown.push('…');
    }
    shown
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
