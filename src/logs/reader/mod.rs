//! A reader of archives, window by window, in bytes of whatever encoding. Whatever it does not know is a fault: nothing is
//! dropped in silence.

mod line;
mod statement;
mod text;

use std::cell::Cell;

use super::keys::{Keys, script_of_row};
use super::statement::{Found, Key, Statement};
use crate::spelling::copy_text;
use crate::spelling::fault::{ArchiveFault, excerpt};
use crate::spelling::header::{self, Expected, Header};
use crate::spelling::lines::ends;
use crate::spelling::row::{Command, Row};
use crate::spelling::sequence_line;
use crate::spelling::table_copy;
use text::Text;

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
    /// Whether the archive is the copy of a set: nothing but slon's own statements is in it.
    is_copy: bool,
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
            is_copy: false,
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
        let text = Text { bytes: window, last, lines: self.lines, counted: Cell::default() };
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
        if !self.ended() {
            self.lines += memchr::memchr_iter(b'\n', passed).count() as u64;
        }
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
        while let Some(length) = memchr::memchr(b'\n', text.from(at)) {
            let end = at + length + 1;
            let line = text.bytes.get(at..at + length).unwrap_or_default();
            let number = || text.line(at);
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
                Command::Script => {
                    let Some((script, here)) = script_of_row(row.arguments(), self.node) else {
                        let what = format!("a script without a statement: `{}`", excerpt(row.arguments()));
                        return Err(ArchiveFault { line: number(), what });
                    };
                    Statement::LogScript(self.keys.script(&script, here, number))
                }
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
                return Err(text.fault(at, what));
            }
            match found.last_mut() {
                Some(before) if before.statement == Statement::TableRow && before.end == at => {
                    before.end = end;
                }
                _ => found.push(Found { statement: Statement::TableRow, start: at, end }),
            }
            at = end;
        }
        Ok(Next::Wait(at))
    }

    fn set_format(&mut self, format: Format, text: &Text<'_>, at: usize) -> Result<(), ArchiveFault> {
        match self.format.replace(format) {
            Some(before) if before != format => {
                let what = "an archive of two formats: rows of sl_log_archive and statements";
                Err(text.fault(at, what.to_owned()))
            }
            _ => Ok(()),
        }
    }

    fn expected_of_block(&self, text: &Text<'_>, at: usize, wanted: &str) -> ArchiveFault {
        let (series, line) = (excerpt(&self.series), text::first_line(text.from(at)));
        text.fault(at, format!("expected {wanted} of `{series}`, found `{}`", excerpt(line)))
    }

    /// The archive ends in the statement that begins at `at`.
    fn ends(&self, text: &Text<'_>, at: usize) -> ArchiveFault {
        let expected = match self.place {
            Place::LogRows => "a row of sl_log_archive or `\\.`",
            Place::TableRows { .. } => "a row of a table or `\\.`",
            _ => "a statement or the trailer",
        };
        ends(text.line(at), text.from(at), expected)
    }
}
