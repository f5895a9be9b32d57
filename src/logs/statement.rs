//! A reader of Slony 2.2 archives: line by line, in bytes of whatever encoding, one row in memory at the most.
//!
//! Whatever it does not know is a fault: nothing is dropped in silence.

use std::io::BufRead;

use super::copy_text;
use super::fault::{ArchiveFault, SplitError, excerpt};
use super::header::{self, DASHES, Header};
use super::lines::Lines;
use super::row::{self, COLUMNS};
use super::sequence_line::{self, SequenceLine};
use super::table_copy::{self, TableCopy};
use crate::model::ArchiveName;

/// Bytes of a sequence line: the words around it, two names of 63 bytes and a number are far below.
const SEQUENCE_LINE_BYTES: usize = 1024;

/// Bytes of any other statement: 1,600 columns of 63 bytes, quotes doubled, are below.
const STATEMENT_BYTES: usize = 1 << 19;

/// What the caller knows of an archive before it is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Expected<'a> {
    /// Slony's cluster.
    pub cluster: &'a str,
    /// The name of its file.
    pub name: ArchiveName,
}

/// How closely rows are looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Depth {
    /// Every field of every row is checked.
    Whole,
    /// Only the series of a row is looked for, in an archive that was checked before.
    Series,
}

/// A statement of an archive's body. `raw` is the statement as it stands, with its line feed; `series` is spelled as
/// by [`row::series_key`].
#[derive(Debug, PartialEq, Eq)]
pub enum Statement<'a> {
    /// An empty line. The last one of an archive belongs to its trailer.
    Blank,
    /// `-- EVENT_TYPE`.
    Event(&'a [u8]),
    /// `COPY "_c"."sl_log_archive" (...) FROM STDIN;`.
    LogCopy(&'a [u8]),
    /// A row of it.
    LogRow {
        /// The line.
        raw: &'a [u8],
        /// The table that it changes.
        series: &'a [u8],
    },
    /// `delete from "n"."t";`, the begin of the copy of a table.
    Delete {
        /// The statement.
        raw: &'a [u8],
        /// The table.
        series: &'a [u8],
    },
    /// `copy "n"."t" (...) from stdin;`.
    TableCopy {
        /// The statement.
        raw: &'a [u8],
        /// The table.
        series: &'a [u8],
    },
    /// A row of it.
    TableRow(&'a [u8]),
    /// `\.` after rows of either kind.
    EndOfCopy,
    /// `select "_c".finishTableAfterCopy(N); analyze "n"."t"; `, the end of the copy of a table.
    Finish {
        /// The statement.
        raw: &'a [u8],
        /// The table.
        series: &'a [u8],
    },
    /// A line that sets a sequence.
    Sequence {
        /// The statement.
        raw: &'a [u8],
        /// Schema, `','` and name: what slon pastes between the outer quotes.
        names: &'a [u8],
        /// A decimal number.
        value: &'a [u8],
        /// Which of the two kinds it is.
        kind: SequenceKind,
    },
}

/// The two kinds of lines that set a sequence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SequenceKind {
    /// `sequenceSetValue_offline`, with unquoted names.
    Sync,
    /// `setval` after the copy of a set.
    Copy,
}

/// Reads an archive. After a fault it is not to be asked again.
pub struct Reader<R> {
    lines: Lines<R>,
    words: Words,
    depth: Depth,
    header: Header,
    place: Place,
    /// Whether the last statement was an empty line.
    blank: bool,
    /// The statement that was read last, unless it was a row.
    statement: Vec<u8>,
    /// The series of the copy of a table that is going on.
    series: Vec<u8>,
    sequence: SequenceLine,
    /// The number of the line where the last statement began.
    line: u64,
}

/// What begins lines of this cluster.
struct Words {
    namespace: String,
    log: String,
    sync: String,
    finish: String,
}

impl Words {
    fn of(cluster: &str) -> Self {
        let namespace = header::namespace(cluster);
        Self {
            log: format!("COPY {namespace}.\"sl_log_archive\""),
            sync: sequence_line::sync_prefix(cluster),
            finish: table_copy::finish_prefix(cluster),
            namespace,
        }
    }
}

/// Where in an archive the reader stands.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Body,
    LogRows,
    /// Behind `delete`: the `copy` of the same table has to follow.
    Deleted,
    TableRows {
        columns: usize,
    },
    /// Behind the rows: `finishTableAfterCopy` of the same table has to follow.
    Copied,
    End,
}

impl<R: BufRead> Reader<R> {
    /// Reads the header of an archive.
    pub fn open(archive: R, expected: &Expected<'_>, depth: Depth) -> Result<Self, SplitError> {
        let mut lines = Lines::new(archive);
        let header = header::read(&mut lines, expected)?;
        Ok(Self {
            lines,
            words: Words::of(expected.cluster),
            depth,
            header,
            place: Place::Body,
            blank: false,
            statement: Vec::new(),
            series: Vec::new(),
            sequence: SequenceLine { names: Vec::new(), value: Vec::new() },
            line: 0,
        })
    }

    /// The header.
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// The number of the line where the last statement began.
    pub fn line(&self) -> u64 {
        self.line
    }

    /// Bytes read so far.
    pub fn bytes(&self) -> u64 {
        self.lines.bytes()
    }

    /// The next statement; `None` after the trailer, when the archive is known to be whole.
    #[expect(clippy::should_implement_trait, reason = "statements are lent, which an iterator cannot do")]
    pub fn next(&mut self) -> Result<Option<Statement<'_>>, SplitError> {
        match self.place {
            Place::LogRows => self.log_row().map(Some),
            Place::TableRows { columns } => self.table_row(columns).map(Some),
            Place::Body | Place::Deleted | Place::Copied => self.body(),
            Place::End => Ok(None),
        }
    }

    fn log_row(&mut self) -> Result<Statement<'_>, SplitError> {
        let line = self.lines.next().map_err(SplitError::Read)?;
        self.line = line.number;
        let row = line.whole("a row of sl_log_archive or `\\.`")?;
        if row == br"\." {
            self.place = Place::Body;
            return Ok(Statement::EndOfCopy);
        }
        let series = match self.depth {
            Depth::Whole => row::check(row),
            Depth::Series => row::locate(row),
        };
        match series {
            Ok(series) => Ok(Statement::LogRow { raw: line.bytes, series }),
            Err(what) => Err(ArchiveFault { line: line.number, what }.into()),
        }
    }

    fn table_row(&mut self, columns: usize) -> Result<Statement<'_>, SplitError> {
        let line = self.lines.next().map_err(SplitError::Read)?;
        self.line = line.number;
        let row = line.whole("a row of a table or `\\.`")?;
        if row == br"\." {
            self.place = Place::Copied;
            return Ok(Statement::EndOfCopy);
        }
        let fields = match self.depth {
            Depth::Whole => copy_text::fields(row),
            Depth::Series => Some(columns),
        };
        if fields == Some(columns) {
            return Ok(Statement::TableRow(line.bytes));
        }
        let found =
            fields.map_or("escapes that the server does not write".to_owned(), |n| format!("{n} fields"));
        let what = format!("expected a row of {columns} fields, found {found}: `{}`", excerpt(row));
        Err(ArchiveFault { line: line.number, what }.into())
    }

    fn body(&mut self) -> Result<Option<Statement<'_>>, SplitError> {
        self.statement.clear();
        self.read_on()?;
        let was_blank = std::mem::replace(&mut self.blank, self.statement == b"\n");
        let start = self.line;
        while let Some(limit) = self.goes_on() {
            if self.statement.len() > limit {
                self.line = start;
                return Err(self.unknown());
            }
            self.read_on()?;
        }
        self.line = start;
        if self.text() == DASHES && self.place == Place::Body {
            if !was_blank {
                return Err(self.fault("expected an empty line before the trailer"));
            }
            header::read_trailer(&mut self.lines, &self.words.namespace)?;
            self.place = Place::End;
            return Ok(None);
        }
        self.place = self.classify()?;
        Ok(Some(self.statement()))
    }

    /// Appends a line to the statement.
    fn read_on(&mut self) -> Result<(), SplitError> {
        let line = self.lines.next().map_err(SplitError::Read)?;
        self.line = line.number;
        line.whole("a statement or the trailer")?;
        self.statement.extend_from_slice(line.bytes);
        Ok(())
    }

    /// Whether the statement goes on in the next line because a name holds a line feed: then how long it may be.
    fn goes_on(&self) -> Option<usize> {
        let text = self.text();
        let sync = self.words.sync.as_bytes();
        if text.starts_with(sync) {
            let open = sequence_line::of_sync(text, sync).is_none();
            return open.then_some(SEQUENCE_LINE_BYTES);
        }
        let quoting = [&b"delete "[..], b"copy ", b"select "].iter().any(|word| text.starts_with(word));
        let open = quoting && memchr::memchr_iter(b'"', text).count() % 2 == 1;
        open.then_some(STATEMENT_BYTES)
    }

    /// The statement without its line feed.
    fn text(&self) -> &[u8] {
        self.statement.strip_suffix(b"\n").unwrap_or(&self.statement)
    }

    /// Checks the statement and tells where the reader stands behind it.
    fn classify(&mut self) -> Result<Place, SplitError> {
        let words = &self.words;
        let text = self.statement.strip_suffix(b"\n").unwrap_or(&self.statement);
        match self.place {
            Place::Deleted => match table_copy::copy(text) {
                Some(TableCopy { series, columns }) if series == self.series => {
                    Ok(Place::TableRows { columns })
                }
                _ => Err(self.expected_of_block("`copy ... (...) from stdin;`")),
            },
            Place::Copied => match table_copy::finish(text, words.finish.as_bytes()) {
                Some(series) if series == self.series => Ok(Place::Body),
                _ => Err(self.expected_of_block("`select ....finishTableAfterCopy(N); analyze ...;`")),
            },
            _ if text.is_empty() || is_event(text) => Ok(Place::Body),
            _ if is_log_copy(text, words.log.as_bytes()) => Ok(Place::LogRows),
            _ => {
                if let Some(series) = table_copy::delete(text) {
                    self.series = series;
                    return Ok(Place::Deleted);
                }
                match sequence_line::of_sync(text, words.sync.as_bytes())
                    .or_else(|| sequence_line::of_copy(text))
                {
                    Some(sequence) => self.sequence = sequence,
                    None => return Err(self.unknown()),
                }
                Ok(Place::Body)
            }
        }
    }

    /// The statement that was classified last.
    fn statement(&self) -> Statement<'_> {
        let (raw, series) = (self.statement.as_slice(), self.series.as_slice());
        match (self.place, raw) {
            (_, b"\n") => Statement::Blank,
            (_, [b'-', ..]) => Statement::Event(raw),
            (Place::LogRows, _) => Statement::LogCopy(raw),
            (Place::Deleted, _) => Statement::Delete { raw, series },
            (Place::TableRows { .. }, _) => Statement::TableCopy { raw, series },
            _ if table_copy::finish(self.text(), self.words.finish.as_bytes()).is_some() => {
                Statement::Finish { raw, series }
            }
            _ => Statement::Sequence {
                raw,
                names: &self.sequence.names,
                value: &self.sequence.value,
                kind: if raw.starts_with(br#"select "pg_catalog"."#) {
                    SequenceKind::Copy
                } else {
                    SequenceKind::Sync
                },
            },
        }
    }

    fn expected_of_block(&self, wanted: &str) -> SplitError {
        let series = excerpt(&self.series);
        self.fault(&format!("expected {wanted} of `{series}`, found `{}`", excerpt(self.text())))
    }

    fn unknown(&self) -> SplitError {
        let text = self.text();
        let shown = excerpt(text);
        let old = [&b"insert into "[..], b"update only ", b"delete from only ", b"TRUNCATE ", b"set "];
        let by_id = self.words.sync.trim_end_matches('\'').as_bytes();
        if text.starts_with(b"COPY ") {
            return self.fault(&format!("expected a COPY of the known columns of sl_log_archive: `{shown}`"));
        }
        let old_sequence = text.starts_with(by_id) && !text.starts_with(self.words.sync.as_bytes());
        if old_sequence || old.iter().any(|word| text.starts_with(word)) {
            return self.fault(&format!(
                "a statement of Slony-I 2.1 or older, which cannot be split yet: `{shown}`"
            ));
        }
        self.fault(&format!("an unknown statement: `{shown}`"))
    }

    fn fault(&self, what: &str) -> SplitError {
        ArchiveFault { line: self.line, what: what.to_owned() }.into()
    }
}

fn is_event(text: &[u8]) -> bool {
    text.strip_prefix(b"-- ").is_some_and(|name| {
        !name.is_empty() && name.iter().all(|byte| byte.is_ascii_uppercase() || *byte == b'_')
    })
}

/// The columns are read, and only their known order is taken: rows are copied as they stand.
fn is_log_copy(text: &[u8], prefix: &[u8]) -> bool {
    let columns = || {
        let rest = text.strip_prefix(prefix)?.trim_ascii_start().strip_prefix(b"(")?;
        let at = memchr::memchr(b')', rest)?;
        let (columns, rest) = (rest.get(..at)?, rest.get(at + 1..)?);
        let rest = rest.trim_ascii_start().strip_prefix(b"FROM")?;
        (rest.trim_ascii_start() == b"STDIN;").then_some(columns)
    };
    columns().is_some_and(|columns| {
        columns.split(|byte| *byte == b',').map(<[u8]>::trim_ascii).eq(COLUMNS.map(str::as_bytes))
    })
}
