//! Statements that slon writes in one line, whatever the format.

use super::super::statement::{Found, Statement};
use super::text::Text;
use super::{Format, Next, Place, Reader, Step};
use crate::spelling::fault::{ArchiveFault, excerpt};
use crate::spelling::header::{self, DASHES};
use crate::spelling::row::is_log_copy;
use crate::spelling::sequence_line;
use crate::spelling::table_copy::{self, TableCopy};

/// Bytes of a sequence line: the words around it, two names of 63 bytes and a number are far below.
const SEQUENCE_LINE_BYTES: usize = 1024;

/// Bytes of any other line that is no row: 1,600 columns of 63 bytes, quotes doubled, are below.
const LINE_BYTES: usize = 1 << 19;

impl Reader {
    /// What stands between blocks of rows.
    pub(super) fn body(&mut self, text: &Text<'_>, at: usize, found: &mut Vec<Found>) -> Step {
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
                return Err(text.fault(at, "expected an empty line before the trailer".to_owned()));
            }
            if !text.last {
                self.blank = was_blank;
                return Ok(Next::Wait(at));
            }
            header::read_trailer(rest, text.line(at), &self.words.namespace)?;
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
        text.no_zero(at, line)?;
        let end = at + line.len() + 1;
        let number = || text.line(at);
        let words = &self.words;
        let statement = match self.place {
            Place::Deleted { .. } => match (table_copy::copy(line), self.copied) {
                (Some(TableCopy { series, columns }), Some(key)) if series == self.series => {
                    self.place = Place::TableRows { columns, deleted: true };
                    self.keys.copied(key);
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
                self.is_copy |= line == b"-- ENABLE_SUBSCRIPTION";
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
                return Err(text.fault(at, format!("{what}: `{}`", excerpt(line))));
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
                return if long { Err(text.unknown(at)) } else { Ok(None) };
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
                return Err(text.unknown(at));
            }
            length += 1;
        }
    }
}

fn is_event(text: &[u8]) -> bool {
    text.strip_prefix(b"-- ").is_some_and(|name| {
        !name.is_empty() && name.iter().all(|byte| byte.is_ascii_uppercase() || *byte == b'_')
    })
}
