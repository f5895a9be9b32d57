//! SQL as plain `psql -f` reads it: statements, rows of COPY, comments, `\set`. Site logs and the SQL of a request are
//! read with it, from a stream, of which no more is held than a statement or a piece of rows.

use std::io::{self, Read};

use memchr::{memchr, memmem};

use super::fault::{ArchiveFault, excerpt};
use super::statement_end::{self, Backslash, End};

/// Bytes that are read at once. Rows come in pieces of about this size.
const PIECE: usize = 256 * 1024;

/// The longest part: PostgreSQL takes no statement of more than 1 GiB, and no row either; on its way a row may be twice
/// as long. What has no end within this is damaged, and the memory is not its to fill.
const LONGEST: usize = 2 << 30;

/// What a text consists of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part<'t> {
    /// A line that begins with `--`, without its line feed.
    Comment(&'t [u8]),
    /// A line that begins with a backslash: `\set ON_ERROR_STOP on`.
    Command(&'t [u8]),
    /// A statement with its `;`.
    Statement(&'t [u8]),
    /// A statement after which rows follow: `copy ... from stdin;`.
    Copy(&'t [u8]),
    /// Whole lines of rows.
    Rows(&'t [u8]),
    /// The line `\.` behind the rows.
    EndOfRows,
}

/// What can go wrong with a text.
#[derive(Debug, thiserror::Error)]
pub enum SqlTextError {
    /// It does not read as it must.
    #[error(transparent)]
    Fault(#[from] ArchiveFault),
    /// It cannot be read.
    #[error(transparent)]
    Read(#[from] io::Error),
}

/// A text, read part by part.
pub struct SqlText<R> {
    source: R,
    buffer: Vec<u8>,
    /// What of the buffer has not been given out yet.
    at: usize,
    filled: usize,
    ended: bool,
    in_rows: bool,
    backslash: Backslash,
    /// Bytes that the buffer holds at most.
    ceiling: usize,
    /// The line at `at`, from 1.
    line: u64,
}

impl<R: Read> SqlText<R> {
    /// Of a stream.
    pub fn new(source: R) -> Self {
        let backslash = Backslash::Unknown;
        Self {
            source,
            buffer: Vec::new(),
            at: 0,
            filled: 0,
            ended: false,
            in_rows: false,
            backslash,
            ceiling: LONGEST,
            line: 1,
        }
    }

    /// From here on a backslash in a plain literal begins an escape: `standard_conforming_strings` is off.
    pub fn escape_backslashes(&mut self) {
        self.backslash = Backslash::Escapes;
    }

    /// From here on a backslash in a plain literal is a byte as any other: `standard_conforming_strings` is on.
    pub fn take_backslashes_as_plain(&mut self) {
        self.backslash = Backslash::Plain;
    }

    /// The line in which the next part begins, from 1.
    pub fn line(&self) -> u64 {
        self.line
    }

    /// The next part; `None` at the end of the text. Rows without their end, and a statement without its `;`, are faults.
    pub fn part(&mut self) -> Result<Option<Part<'_>>, SqlTextError> {
        if self.in_rows { self.rows().map(Some) } else { self.statement() }
    }

    fn rest(&self) -> &[u8] {
        self.buffer.get(self.at..self.filled).unwrap_or_default()
    }

    fn rows(&mut self) -> Result<Part<'_>, SqlTextError> {
        loop {
            let rest = self.rest();
            if rest.starts_with(b"\\.\n") || (self.ended && rest == b"\\.") {
                let length = rest.len().min(3);
                self.in_rows = false;
                self.take(length);
                return Ok(Part::EndOfRows);
            }
            let end = match memmem::find(rest, b"\n\\.") {
                // A row may begin with an escape for a dot; the end is a line of its own.
                Some(end) if matches!(rest.get(end + 3), Some(b'\n')) => Some(end + 1),
                Some(end) if rest.get(end + 3).is_none() => Some(end + 1),
                Some(_) => Some(lines_before_end(rest)),
                None => memchr::memrchr(b'\n', rest).map(|end| end + 1),
            };
            if let Some(length) = end.filter(|length| *length > 0) {
                return Ok(Part::Rows(self.take(length)));
            }
            if !self.more()? {
                return Err(self.fault("the text ends within rows of COPY").into());
            }
        }
    }

    fn statement(&mut self) -> Result<Option<Part<'_>>, SqlTextError> {
        loop {
            let blanks = self.rest().iter().take_while(|byte| byte.is_ascii_whitespace()).count();
            self.take(blanks);
            let rest = self.rest();
            let end = match rest {
                [] => None,
                [b'-', b'-', ..] | [b'\\', ..] => memchr(b'\n', rest).or(self.ended.then_some(rest.len())),
                _ => match statement_end::find_with(rest, self.backslash) {
                    End::Behind(length) => Some(length),
                    End::NotYet => None,
                    End::Unknown(_) => return Err(self.fault(self.backslash_fault()).into()),
                },
            };
            match (end, rest.first().copied()) {
                (Some(end), Some(first)) => return Ok(Some(self.cut(first, end))),
                _ if self.more()? => {}
                (None, None) => return Ok(None),
                _ => return Err(self.fault("the text ends within a statement").into()),
            }
        }
    }

    fn cut(&mut self, first: u8, length: usize) -> Part<'_> {
        if first == b'\\' || (first == b'-' && self.rest().starts_with(b"--")) {
            let line = self.take(length);
            return if first == b'\\' { Part::Command(line) } else { Part::Comment(line) };
        }
        let is_copy = is_copy_from_stdin(self.rest().get(..length).unwrap_or_default());
        if !is_copy {
            return Part::Statement(self.take(length));
        }
        self.in_rows = true;
        // The rows begin on the next line.
        let feed = usize::from(self.rest().get(length) == Some(&b'\n'));
        let statement = self.take(length + feed);
        Part::Copy(statement.get(..length).unwrap_or(statement))
    }

    /// Gives out so many bytes of the rest.
    fn take(&mut self, length: usize) -> &[u8] {
        let taken = self.at..self.at + length;
        self.at += length;
        let bytes = self.buffer.get(taken).unwrap_or_default();
        self.line += memchr::memchr_iter(b'\n', bytes).count() as u64;
        bytes
    }

    /// Reads on; `false` at the end of the source. A part that does not fit makes the buffer twice as large, up to the
    /// longest part that there may be.
    fn more(&mut self) -> Result<bool, SqlTextError> {
        if self.ended {
            return Ok(false);
        }
        self.buffer.copy_within(self.at..self.filled, 0);
        self.filled -= self.at;
        self.at = 0;
        if self.filled >= self.ceiling {
            return Err(self.fault(&format!("no end within {} bytes", self.ceiling)).into());
        }
        let wanted = self.filled.saturating_mul(2).max(PIECE).min(self.ceiling);
        if self.buffer.len() < wanted {
            self.buffer.resize(wanted, 0);
        }
        while let Some(free) = self.buffer.get_mut(self.filled..).filter(|free| !free.is_empty()) {
            match self.source.read(free) {
                Ok(0) => {
                    self.ended = true;
                    break;
                }
                Ok(count) => self.filled += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(true)
    }

    fn backslash_fault(&self) -> &'static str {
        match self.backslash {
            Backslash::Plain => "a literal E'...' that may go on behind it",
            Backslash::Unknown | Backslash::Escapes => "a backslash before a quote in a plain literal",
        }
    }

    fn fault(&self, what: &str) -> ArchiveFault {
        ArchiveFault { line: self.line, what: format!("{what}: `{}`", excerpt(self.rest())) }
    }
}

/// The bytes of the lines before the line `\.`, or of all whole lines.
fn lines_before_end(rest: &[u8]) -> usize {
    let mut at = 0;
    while let Some(length) = memchr(b'\n', rest.get(at..).unwrap_or_default()) {
        if rest.get(at..at + length) == Some(b"\\.".as_slice()) {
            break;
        }
        at += length + 1;
    }
    at
}

fn is_copy_from_stdin(statement: &[u8]) -> bool {
    let begins = statement.get(..5).is_some_and(|word| word.eq_ignore_ascii_case(b"copy "));
    begins
        && statement.windows(b" from stdin".len()).any(|window| window.eq_ignore_ascii_case(b" from stdin"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Gives a few bytes at a time.
    struct Slow<'t>(&'t [u8], usize);

    impl Read for Slow<'_> {
        fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
            let count = self.1.min(self.0.len()).min(into.len());
            let (now, later) = self.0.split_at(count);
            into[..count].copy_from_slice(now);
            self.0 = later;
            Ok(count)
        }
    }

    fn parts(text: &str) -> Result<Vec<String>, String> {
        let mut text = SqlText::new(Slow(text.as_bytes(), 3));
        let mut parts = Vec::new();
        while let Some(part) = text.part().map_err(|error| error.to_string())? {
            let said = |what: &str, bytes: &[u8]| format!("{what} {}", String::from_utf8_lossy(bytes));
            parts.push(match part {
                Part::Comment(line) => said("comment", line),
                Part::Command(line) => said("command", line),
                Part::Statement(text) => said("statement", text),
                Part::Copy(text) => said("copy", text),
                Part::Rows(rows) => said("rows", rows),
                Part::EndOfRows => "end".to_owned(),
            });
        }
        Ok(parts)
    }

    #[test]
    fn a_text_is_read_as_psql_reads_it() {
        let text = "\\set ON_ERROR_STOP on\n-- it's\nstart transaction;\n do E'x;\\'\n--\n';\
                    COPY a.b (c) FROM STDIN;\n\\.x\n1;\n\\.\nselect 1; select 2;\ncopy x from stdin;\n\\.\n-- EOL";
        assert_eq!(
            parts(text).unwrap(),
            [
                "command \\set ON_ERROR_STOP on",
                "comment -- it's",
                "statement start transaction;",
                "statement do E'x;\\'\n--\n';",
                "copy COPY a.b (c) FROM STDIN;",
                "rows \\.x\n1;\n",
                "end",
                "statement select 1;",
                "statement select 2;",
                "copy copy x from stdin;",
                "end",
                "comment -- EOL",
            ]
        );
    }

    #[test]
    fn a_backslash_is_what_the_reader_says() {
        let text = "select '\\';\n-- ';\n";
        let read = |backslash| {
            let mut reader = SqlText::new(text.as_bytes());
            match backslash {
                Backslash::Plain => reader.take_backslashes_as_plain(),
                Backslash::Escapes => reader.escape_backslashes(),
                Backslash::Unknown => {}
            }
            match reader.part() {
                Ok(Some(Part::Statement(statement))) => String::from_utf8_lossy(statement).into_owned(),
                Ok(other) => format!("{other:?}"),
                Err(fault) => fault.to_string(),
            }
        };
        assert_eq!(read(Backslash::Plain), "select '\\';");
        assert_eq!(read(Backslash::Escapes), "select '\\';\n-- ';");
        assert!(read(Backslash::Unknown).contains("a backslash before a quote"));
    }

    #[test]
    fn what_is_cut_off_is_a_fault() {
        for (text, says) in [
            ("select 1", "line 1: the text ends within a statement: `select 1`"),
            ("\n\ncopy x from stdin;\n1\n2", "line 5: the text ends within rows of COPY: `2`"),
        ] {
            assert_eq!(parts(text).unwrap_err(), says);
        }
        assert_eq!(parts("").unwrap(), [""; 0]);
    }

    #[test]
    fn what_has_no_end_does_not_fill_the_memory() {
        for (before, byte) in
            [("copy x from stdin;\n1\n", b'x'), ("select '", b'x'), ("/*", b' '), ("--", b'x')]
        {
            let mut text = SqlText::new(before.as_bytes().chain(io::repeat(byte)));
            text.ceiling = 2 * PIECE + 1;
            let fault = loop {
                match text.part() {
                    Ok(part) => assert!(part.is_some()),
                    Err(fault) => break fault.to_string(),
                }
            };
            assert!(fault.contains("no end within 524289 bytes"), "{fault}");
            assert_eq!(text.buffer.len(), text.ceiling);
        }
        // Many short ones are longer together.
        let (rows, mut read) = ("1\n".repeat(2 * PIECE), 0);
        let mut text =
            SqlText::new("copy x from stdin;\n".as_bytes().chain(rows.as_bytes()).chain(&b"\\.\n"[..]));
        text.ceiling = PIECE;
        while let Some(part) = text.part().unwrap() {
            if let Part::Rows(rows) = part {
                read += rows.len();
            }
        }
        assert_eq!(read, rows.len());
    }

    #[test]
    fn rows_longer_than_a_piece_come_whole() {
        let row = "x".repeat(3 * PIECE);
        let text = format!("copy x from stdin;\n{row}\n\\.\n");
        let mut text = SqlText::new(text.as_bytes());
        text.part().unwrap();
        assert!(matches!(text.part().unwrap(), Some(Part::Rows(rows)) if rows.len() == row.len() + 1));
        assert!(matches!(text.part().unwrap(), Some(Part::EndOfRows)));
        assert!(text.part().unwrap().is_none());
    }
}
