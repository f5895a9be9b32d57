//! A reader of archives, window by window, in bytes of whatever encoding. Whatever it does not know is a fault: nothing is
//! dropped in silence.

use super::copy_text;
use super::fault::{ArchiveFault, excerpt};
use super::header::{self, DASHES, Expected, Header};
use super::keys::{Keys, script_of_row};
use super::legacy::{self, Legacy};
use super::lines::ends;
use super::row::{COLUMNS, Command, Row};
use super::sequence_line;
use super::statement::{Found, Key, Statement};
use super::table_copy::{self, TableCopy};

/// Header, trailer, sequence lines and the like are shorter: less is not looked at unless the archive ends there.
const FRAME_BYTES: usize = 8 << 10;

/// Bytes of a sequence line: the words around it, two names of 63 bytes and a number are far below.
const SEQUENCE_LINE_BYTES: usize = 1024;

/// Bytes of any other line that is no row: 1,600 columns of 63 bytes, quotes doubled, are below.
const LINE_BYTES: usize = 1 << 19;

/// Bytes of a statement of the old formats: a field has at most 1 GB, and at most every byte is doubled.
const STATEMENT_BYTES: usize = 3 << 30;

/// How closely rows are looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Depth {
    /// Every field of every row is checked.
    Whole,
    /// Only what a row changes is looked for, in an archive that was checked before.
    Subjects,
}

/// How changes are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Slony-I 2.2: rows of `sl_log_archive`.
    Rows,
    /// Slony-I 1.2.11 to 2.1: one statement each.
    Statements,
}

/// Reads an archive. After a fault it is not to be asked again.
pub(super) struct Reader {
    words: Words,
    depth: Depth,
    place: Place,
    header: Option<Header>,
    format: Option<Format>,
    keys: Keys,
    /// The node that wrote the archive.
    node: u32,
    /// Whether the last statement was an empty line.
    blank: bool,
    /// The table whose copy is going on.
    series: Vec<u8>,
    copied: Option<Key>,
    /// Bytes and lines of the windows before.
    bytes: u64,
    lines: u64,
}

/// What begins lines of this cluster.
struct Words {
    cluster: String,
    expected: crate::model::ArchiveName,
    namespace: String,
    log: String,
    sync: String,
    number: String,
    finish: String,
    sequences: String,
}

impl Words {
    fn of(expected: &Expected<'_>) -> Self {
        let namespace = header::namespace(expected.cluster);
        let sync = sequence_line::sync_prefix(expected.cluster);
        Self {
            cluster: expected.cluster.to_owned(),
            expected: expected.name,
            log: format!("COPY {namespace}.\"sl_log_archive\""),
            number: sync.trim_end_matches('\'').to_owned(),
            sync,
            finish: table_copy::finish_prefix(expected.cluster),
            sequences: format!("{namespace}.sl_sequence_offline"),
            namespace,
        }
    }
}

/// Where in an archive the reader stands.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Header,
    Body,
    LogRows,
    /// Behind `delete`: the `copy` of the same table has to follow, or may if it was `delete from only`.
    Deleted {
        only: bool,
    },
    TableRows {
        columns: usize,
        deleted: bool,
    },
    /// Behind the rows: `finishTableAfterCopy` of the same table has to follow, if `delete` had come before.
    Copied {
        deleted: bool,
    },
    End,
}

/// The window at hand.
struct Text<'w> {
    bytes: &'w [u8],
    /// Whether the archive ends with it.
    last: bool,
}

impl<'w> Text<'w> {
    fn from(&self, at: usize) -> &'w [u8] {
        self.bytes.get(at..).unwrap_or_default()
    }

    /// Whether the frame of an archive, or a short line, lies whole in the window if it begins at `at`.
    fn holds_frame(&self, at: usize) -> bool {
        self.last || self.bytes.len() - at >= FRAME_BYTES
    }
}

/// How far a step came.
enum Next {
    /// The next statement begins here.
    At(usize),
    /// The next one begins here, and goes on behind the window.
    Wait(usize),
}

type Step = Result<Next, ArchiveFault>;

impl Reader {
    pub(super) fn new(expected: &Expected<'_>, depth: Depth, mut keys: Keys) -> Self {
        keys.begin_again();
        Self {
            words: Words::of(expected),
            depth,
            place: Place::Header,
            header: None,
            format: None,
            keys,
            node: expected.name.node.0,
            blank: false,
            series: Vec::new(),
            copied: None,
            bytes: 0,
            lines: 0,
        }
    }

    /// Reads the statements that lie whole in `window`, which begins where the last call ended; `last`: the archive ends
    /// with it. Returns how many bytes that were.
    pub(super) fn read(
        &mut self,
        window: &[u8],
        last: bool,
        found: &mut Vec<Found>,
    ) -> Result<usize, ArchiveFault> {
        let text = Text { bytes: window, last };
        let mut at = 0;
        while self.place != Place::End {
            let next = match self.place {
                Place::LogRows => self.log_rows(&text, at, found)?,
                Place::TableRows { columns, deleted } => {
                    self.table_rows(&text, at, (columns, deleted), found)?
                }
                Place::Header => self.header(&text, at)?,
                Place::Body | Place::Deleted { .. } | Place::Copied { .. } | Place::End => {
                    self.body(&text, at, found)?
                }
            };
            match next {
                Next::At(next) => at = next,
                Next::Wait(next) if last => return Err(self.ends(&text, next)),
                Next::Wait(next) => return Ok(next),
            }
        }
        Ok(at)
    }

    /// Goes on to the next window: the first `done` bytes of this one have been read.
    pub(super) fn pass(&mut self, window: &[u8], done: usize) {
        let passed = window.get(..done).unwrap_or_default();
        self.bytes += passed.len() as u64;
        self.lines += memchr::memchr_iter(b'\n', passed).count() as u64;
    }

    /// Bytes of the windows before.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Whether the trailer was read.
    pub(super) fn ended(&self) -> bool {
        self.place == Place::End
    }

    /// The header, how changes are written (`None`: there is none), and what occurs.
    pub(super) fn finish(self) -> (Option<Header>, Option<Format>, Keys) {
        (self.header, self.format, self.keys)
    }

    fn header(&mut self, text: &Text<'_>, at: usize) -> Step {
        if !text.holds_frame(at) {
            return Ok(Next::Wait(at));
        }
        let expected = Expected { cluster: &self.words.cluster, name: self.words.expected };
        let (header, length) = header::read(text.from(at), &expected)?;
        if !header.has_role {
            self.format = Some(Format::Statements);
        }
        self.header = Some(header);
        self.place = Place::Body;
        Ok(Next::At(at + length))
    }

    fn log_rows(&mut self, text: &Text<'_>, mut at: usize, found: &mut Vec<Found>) -> Step {
        let lines = self.lines;
        while let Some(length) = memchr::memchr(b'\n', text.from(at)) {
            let end = at + length + 1;
            let line = text.bytes.get(at..at + length).unwrap_or_default();
            let number = || lines + line_of(text.bytes, at);
            if line == br"\." {
                found.push(Found { statement: Statement::EndOfCopy, start: at, end });
                self.place = Place::Body;
                return Ok(Next::At(end));
            }
            let row = match self.depth {
                Depth::Whole => Row::check(line),
                Depth::Subjects => Row::find(line),
            };
            let row = row.map_err(|what| ArchiveFault { line: number(), what })?;
            let statement = match row.command() {
                Command::Change => Statement::LogRow(self.keys.row(&row, number)),
                Command::ScriptEnd => Statement::LogScriptEnd(self.keys.end_script()),
                Command::Script => match script_of_row(row.arguments(), self.node) {
                    Some((script, here)) => Statement::LogScript(self.keys.script(&script, here, number)),
                    None => {
                        let what = format!("a script without a statement: `{}`", excerpt(row.arguments()));
                        return Err(ArchiveFault { line: number(), what });
                    }
                },
            };
            match found.last_mut() {
                // Rows of one table, one after the other, are one piece.
                Some(before) if before.statement == statement && before.end == at => before.end = end,
                _ => found.push(Found { statement, start: at, end }),
            }
            at = end;
        }
        Ok(Next::Wait(at))
    }

    fn table_rows(
        &mut self,
        text: &Text<'_>,
        mut at: usize,
        (columns, deleted): (usize, bool),
        found: &mut Vec<Found>,
    ) -> Step {
        while let Some(length) = memchr::memchr(b'\n', text.from(at)) {
            let end = at + length + 1;
            let row = text.bytes.get(at..at + length).unwrap_or_default();
            if row == br"\." {
                found.push(Found { statement: Statement::EndOfCopy, start: at, end });
                self.place = Place::Copied { deleted };
                return Ok(Next::At(end));
            }
            let fields = match self.depth {
                Depth::Whole => copy_text::fields(row),
                Depth::Subjects => Some(columns),
            };
            if fields != Some(columns) {
                let said = fields
                    .map_or("escapes that the server does not write".to_owned(), |n| format!("{n} fields"));
                let what = format!("expected a row of {columns} fields, found {said}: `{}`", excerpt(row));
                return Err(self.fault(text, at, what));
            }
            match found.last_mut() {
                Some(before) if before.statement == Statement::TableRow && before.end == at => {
                    before.end = end
                }
                _ => found.push(Found { statement: Statement::TableRow, start: at, end }),
            }
            at = end;
        }
        Ok(Next::Wait(at))
    }

    fn body(&mut self, text: &Text<'_>, at: usize, found: &mut Vec<Found>) -> Step {
        // Sequence lines, copies and the trailer are looked at whole.
        if !text.holds_frame(at) {
            return Ok(Next::Wait(at));
        }
        let rest = text.from(at);
        let was_blank = std::mem::replace(&mut self.blank, rest.starts_with(b"\n"));
        match (self.place, rest) {
            (_, []) => return Ok(Next::Wait(at)),
            (Place::Deleted { only: false } | Place::Copied { deleted: true }, _) => {
                return self.line(text, at, found);
            }
            (Place::Deleted { only: true }, _) if !rest.starts_with(b"copy ") => self.place = Place::Body,
            (Place::Copied { deleted: false }, _) => self.place = Place::Body,
            _ => {}
        }
        if rest.starts_with(b"\n") {
            found.push(Found { statement: Statement::Blank, start: at, end: at + 1 });
            return Ok(Next::At(at + 1));
        }
        if rest.starts_with(DASHES) && rest.get(DASHES.len()) == Some(&b'\n') {
            if !was_blank {
                return Err(self.fault(text, at, "expected an empty line before the trailer".to_owned()));
            }
            if !text.last {
                self.blank = was_blank;
                return Ok(Next::Wait(at));
            }
            header::read_trailer(rest, self.lines + line_of(text.bytes, at), &self.words.namespace)?;
            self.place = Place::End;
            return Ok(Next::At(text.bytes.len()));
        }
        let of_lines = [&b"--"[..], b"COPY ", b"copy ", b"delete from ", b"select "];
        if of_lines.iter().any(|word| rest.starts_with(word)) {
            return self.line(text, at, found);
        }
        self.statement(text, at, found)
    }

    /// A statement that slon writes in one line, whatever the format.
    fn line(&mut self, text: &Text<'_>, at: usize, found: &mut Vec<Found>) -> Step {
        let Some(line) = self.whole_line(text, at)? else { return Ok(Next::Wait(at)) };
        self.no_zero(text, at, line)?;
        let end = at + line.len() + 1;
        let number = self.lines;
        let number = || number + line_of(text.bytes, at);
        let words = &self.words;
        let statement = match self.place {
            Place::Deleted { .. } => match (table_copy::copy(line), self.copied) {
                (Some(TableCopy { series, columns }), Some(key)) if series == self.series => {
                    self.place = Place::TableRows { columns, deleted: true };
                    Statement::TableCopy(key)
                }
                _ => return Err(self.expected_of_block(text, at, "`copy ... (...) from stdin;`")),
            },
            Place::Copied { .. } => match (table_copy::finish(line, words.finish.as_bytes()), self.copied) {
                (Some(series), Some(key)) if series == self.series => {
                    self.place = Place::Body;
                    Statement::Finish(key)
                }
                _ => {
                    let wanted = "`select ....finishTableAfterCopy(N); analyze ...;`";
                    return Err(self.expected_of_block(text, at, wanted));
                }
            },
            _ if is_event(line) => {
                if line == b"-- DDL_SCRIPT" {
                    self.set_format(Format::Statements, text, at)?;
                }
                Statement::Event
            }
            _ if is_log_copy(line, words.log.as_bytes()) => {
                self.set_format(Format::Rows, text, at)?;
                self.place = Place::LogRows;
                Statement::LogCopy
            }
            _ if line.starts_with(b"COPY ") && self.format != Some(Format::Statements) => {
                let what = "expected a COPY of the known columns of sl_log_archive";
                return Err(self.fault(text, at, format!("{what}: `{}`", excerpt(line))));
            }
            _ => {
                if let Some(series) = table_copy::delete(line) {
                    let only = line.starts_with(b"delete from only ");
                    let key = self.keys.table(&series, number);
                    self.place = Place::Deleted { only: only || self.format == Some(Format::Statements) };
                    self.series = series;
                    self.copied = Some(key);
                    Statement::Delete(key)
                } else if let Some(TableCopy { series, columns }) =
                    table_copy::copy(line).filter(|_| self.format != Some(Format::Rows))
                {
                    // Without the `delete`, as other tools may write it.
                    let key = self.keys.table(&series, number);
                    self.place = Place::TableRows { columns, deleted: false };
                    self.series = series;
                    self.copied = Some(key);
                    Statement::TableCopy(key)
                } else if let Some(series) = table_copy::finish(line, words.finish.as_bytes())
                    .filter(|_| self.format != Some(Format::Rows))
                {
                    Statement::Finish(self.keys.table(&series, number))
                } else if let Some(line) = sequence_line::of_sync(line, words.sync.as_bytes()) {
                    Statement::Sequence(self.keys.sequence(&line.names, number))
                } else if let Some(line) = sequence_line::of_copy(line) {
                    Statement::SequenceCopy(self.keys.sequence(&line.names, number))
                } else {
                    return self.statement(text, at, found);
                }
            }
        };
        found.push(Found { statement, start: at, end });
        Ok(Next::At(end))
    }

    /// The line that begins at `at`, without its line feed; over more than one if a name holds a line feed. `None` if it
    /// does not end in the window.
    fn whole_line<'w>(&self, text: &Text<'w>, at: usize) -> Result<Option<&'w [u8]>, ArchiveFault> {
        let rest = text.from(at);
        let mut length = 0;
        loop {
            let more = rest.get(length..).unwrap_or_default();
            let Some(end) = memchr::memchr(b'\n', more) else {
                // Of the old formats it may be a statement, which has no limit.
                let long = rest.len() > LINE_BYTES && self.format == Some(Format::Rows);
                return if long { Err(self.unknown(text, at)) } else { Ok(None) };
            };
            length += end;
            let line = rest.get(..length).unwrap_or_default();
            let sync = self.words.sync.as_bytes();
            let (open, limit) = if line.starts_with(sync) {
                (sequence_line::of_sync(line, sync).is_none(), SEQUENCE_LINE_BYTES)
            } else {
                (table_copy::name_is_open(line), LINE_BYTES)
            };
            if !open {
                return Ok(Some(line));
            }
            if length > limit {
                return Err(self.unknown(text, at));
            }
            length += 1;
        }
    }

    /// A statement of the old formats.
    fn statement(&mut self, text: &Text<'_>, at: usize, found: &mut Vec<Found>) -> Step {
        if self.format == Some(Format::Rows) {
            return Err(self.unknown(text, at));
        }
        let blanks = text.from(at).iter().take_while(|byte| matches!(byte, b' ' | b'\t')).count();
        let start = at + blanks;
        let rest = text.from(start);
        let (read, length) = match legacy::read(rest, self.words.number.as_bytes()) {
            Err(what) => return Err(self.fault(text, start, what)),
            Ok(None) if !text.last && rest.len() < STATEMENT_BYTES => return Ok(Next::Wait(at)),
            // A statement of a script whose end cannot be told; a change that is cut off is none.
            Ok(None) if !begins_change(rest) => (Legacy::Unreadable, 0),
            Ok(None) => return Err(self.unknown(text, start)),
            Ok(Some(read)) => read,
        };
        if matches!(read, Legacy::Other) && calls_slony(rest.get(..length).unwrap_or_default()) {
            return Err(self.unknown(text, start));
        }
        let (statement, length) = match read {
            Legacy::Change { .. } | Legacy::Sequence { .. } => (read, length),
            Legacy::Other | Legacy::Unreadable => match self.script_statement(text, start, &read, length)? {
                Some(length) => (read, length),
                None => return Ok(Next::Wait(at)),
            },
        };
        let body = rest.get(..length).unwrap_or_default();
        let number = self.lines;
        let number = || number + line_of(text.bytes, start);
        self.set_format(Format::Statements, text, start)?;
        let statement = match statement {
            Legacy::Sequence { id, .. } => Some(Statement::SequenceNumber(self.keys.number(id, number))),
            Legacy::Change { table, .. } if is_sequence_table(table, &self.words.sequences) => {
                Some(Statement::SequenceTable)
            }
            Legacy::Change { verb: legacy::Verb::Truncate, table } => {
                self.keys.whole(table, number).map(Statement::Truncate)
            }
            Legacy::Change { table, .. } => self.keys.change(body, table, number).map(Statement::Change),
            Legacy::Other if is_session_role(body) => Some(Statement::SessionRole(self.keys.script_end())),
            Legacy::Other | Legacy::Unreadable => {
                Some(Statement::Script(self.keys.script(body, true, number)))
            }
        };
        let Some(statement) = statement else { return Err(self.unknown(text, start)) };
        let end = start + length;
        match self.end_of_line(text, end)? {
            None => return Ok(Next::Wait(at)),
            Some(next) => {
                // Without a semicolon it is not ended yet.
                let whole = body.ends_with(b";") && text.bytes.get(end) == Some(&b'\n');
                let end = if whole { next } else { end };
                found.push(Found { statement, start, end });
                Ok(Next::At(next))
            }
        }
    }

    /// Where the statement behind `end` begins: on the same line after blanks, or on the next.
    fn end_of_line(&self, text: &Text<'_>, end: usize) -> Result<Option<usize>, ArchiveFault> {
        let rest = text.from(end);
        let blanks = rest.iter().take_while(|byte| matches!(byte, b' ' | b'\t')).count();
        match rest.get(blanks) {
            None => Ok(None),
            Some(b'\n') => Ok(Some(end + blanks + 1)),
            Some(b'\r') => {
                Err(self.fault(text, end, "a carriage return at the end of a statement".to_owned()))
            }
            Some(_) => Ok(Some(end + blanks)),
        }
    }

    /// How long a statement is of which the reader of statements knows no more than that, or not even that: slon writes
    /// scripts as they came, and the last statement may lack its semicolon. `None` if that is not in the window.
    fn script_statement(
        &self,
        text: &Text<'_>,
        start: usize,
        read: &Legacy<'_>,
        length: usize,
    ) -> Result<Option<usize>, ArchiveFault> {
        let rest = text.from(start);
        let whole = matches!(read, Legacy::Other);
        if !whole && !text.last {
            return Ok(None);
        }
        let body = if whole { rest.get(..length).unwrap_or_default() } else { rest };
        let trailer = [b"\n", DASHES, b"\n-- End Of Archive Log\n"].concat();
        let ends = [&trailer[..], b"\nset session_replication_role to replica;"];
        let cut = ends.iter().filter_map(|end| memchr::memmem::find(body, end)).min();
        let length = match cut {
            // The empty line before is the trailer's.
            Some(cut) => body.get(..cut).unwrap_or_default().trim_ascii_end().len(),
            None if whole => length,
            None => return Err(self.unknown(text, start)),
        };
        self.no_zero(text, start, rest.get(..length).unwrap_or_default())?;
        if transaction_word(rest.get(..length).unwrap_or_default()) {
            let what = format!("a statement that begins or ends a transaction: `{}`", excerpt(rest));
            return Err(self.fault(text, start, what));
        }
        Ok(Some(length))
    }

    /// Neither SQL nor psql takes a zero byte; one shows that a disk or a copy has failed.
    fn no_zero(&self, text: &Text<'_>, at: usize, statement: &[u8]) -> Result<(), ArchiveFault> {
        if memchr::memchr(0, statement).is_none() {
            return Ok(());
        }
        Err(self.fault(text, at, format!("a zero byte in a statement: `{}`", excerpt(statement))))
    }

    fn set_format(&mut self, format: Format, text: &Text<'_>, at: usize) -> Result<(), ArchiveFault> {
        match self.format.replace(format) {
            Some(before) if before != format => {
                let what = "an archive of two formats: rows of sl_log_archive and statements";
                Err(self.fault(text, at, what.to_owned()))
            }
            _ => Ok(()),
        }
    }

    fn expected_of_block(&self, text: &Text<'_>, at: usize, wanted: &str) -> ArchiveFault {
        let (series, line) = (excerpt(&self.series), first_line(text.from(at)));
        self.fault(text, at, format!("expected {wanted} of `{series}`, found `{}`", excerpt(line)))
    }

    fn unknown(&self, text: &Text<'_>, at: usize) -> ArchiveFault {
        self.fault(text, at, format!("an unknown statement: `{}`", excerpt(first_line(text.from(at)))))
    }

    fn fault(&self, text: &Text<'_>, at: usize, what: String) -> ArchiveFault {
        ArchiveFault { line: self.lines + line_of(text.bytes, at), what }
    }

    /// The archive ends in the statement that begins at `at`.
    fn ends(&self, text: &Text<'_>, at: usize) -> ArchiveFault {
        let expected = match self.place {
            Place::LogRows => "a row of sl_log_archive or `\\.`",
            Place::TableRows { .. } => "a row of a table or `\\.`",
            _ => "a statement or the trailer",
        };
        ends(self.lines + line_of(text.bytes, at), text.from(at), expected)
    }
}

/// The number of the line in which a byte stands, from 1.
fn line_of(text: &[u8], at: usize) -> u64 {
    1 + memchr::memchr_iter(b'\n', text.get(..at).unwrap_or_default()).count() as u64
}

fn first_line(text: &[u8]) -> &[u8] {
    text.split(|byte| *byte == b'\n').next().unwrap_or_default()
}

fn is_event(text: &[u8]) -> bool {
    text.strip_prefix(b"-- ").is_some_and(|name| {
        !name.is_empty() && name.iter().all(|byte| byte.is_ascii_uppercase() || *byte == b'_')
    })
}

/// Whether a statement is one that changes rows.
fn begins_change(statement: &[u8]) -> bool {
    [&b"insert"[..], b"update", b"delete", b"truncate"].contains(&first_word(statement).as_slice())
}

/// Whether a statement calls a function of Slony-I that was not recognized: of another cluster, or spelled otherwise.
fn calls_slony(statement: &[u8]) -> bool {
    statement.starts_with(b"select \"_")
        && [&b"_offline("[..], b".finishTableAfterCopy("]
            .iter()
            .any(|call| memchr::memmem::find(statement, call).is_some())
}

/// `"_c".sl_sequence_offline`, as slon spells it.
fn is_sequence_table(table: &[u8], spelled: &str) -> bool {
    table == spelled.as_bytes()
}

fn is_session_role(statement: &[u8]) -> bool {
    matches!(
        statement,
        b"set session_replication_role to local;" | b"set session_replication_role to replica;"
    )
}

fn first_word(statement: &[u8]) -> Vec<u8> {
    statement.iter().take_while(|byte| byte.is_ascii_alphabetic()).map(u8::to_ascii_lowercase).collect()
}

/// Whether a statement would end the transaction of the site log, or begin another.
fn transaction_word(statement: &[u8]) -> bool {
    [&b"begin"[..], b"start", b"commit", b"end", b"rollback", b"abort"]
        .contains(&first_word(statement).as_slice())
}

/// `COPY "_c"."sl_log_archive" (...) FROM STDIN;` with exactly the known columns, however they are spaced.
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
