//! Statements of the old formats, and of scripts.

use super::super::statement::{Found, Statement};
use super::text::Text;
use super::{Format, Next, Reader, Step};
use crate::spelling::fault::{ArchiveFault, excerpt};
use crate::spelling::header::DASHES;
use crate::spelling::legacy::{self, Legacy};

/// Bytes of a statement of the old formats: a field has at most 1 GB, and at most every byte is doubled.
const STATEMENT_BYTES: usize = 3 << 30;

impl Reader {
    /// A statement of the old formats.
    pub(super) fn statement(&mut self, text: &Text<'_>, at: usize, found: &mut Vec<Found>) -> Step {
        if self.format == Some(Format::Rows) {
            return Err(text.unknown(at));
        }
        let blanks = text.from(at).iter().take_while(|byte| matches!(byte, b' ' | b'\t')).count();
        let start = at + blanks;
        let rest = text.from(start);
        let (read, length) = match legacy::read(rest, self.words.number.as_bytes()) {
            Err(what) => return Err(text.fault(start, what)),
            Ok(None) if !text.last && rest.len() < STATEMENT_BYTES => return Ok(Next::Wait(at)),
            // A statement of a script whose end cannot be told; a change that is cut off is none.
            Ok(None) if !begins_change(rest) => (Legacy::Unreadable, 0),
            Ok(None) => return Err(text.unknown(start)),
            Ok(Some(read)) => read,
        };
        let is_script = matches!(read, Legacy::Other | Legacy::Unreadable);
        if is_script && self.is_copy
            || matches!(read, Legacy::Other) && calls_slony(rest.get(..length).unwrap_or_default())
        {
            return Err(text.unknown(start));
        }
        let (statement, length) = match read {
            Legacy::Change { .. } | Legacy::Sequence { .. } => (read, length),
            Legacy::Other | Legacy::Unreadable => match script_statement(text, start, &read, length)? {
                Some(length) => (read, length),
                None => return Ok(Next::Wait(at)),
            },
        };
        let body = rest.get(..length).unwrap_or_default();
        text.no_zero(start, body)?;
        let number = || text.line(start);
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
        let Some(statement) = statement else { return Err(text.unknown(start)) };
        let end = start + length;
        match text.end_of_line(end)? {
            None => Ok(Next::Wait(at)),
            Some(next) => {
                // Without a semicolon it is not ended yet.
                let whole = body.ends_with(b";") && text.bytes.get(end) == Some(&b'\n');
                let end = if whole { next } else { end };
                found.push(Found { statement, start, end });
                Ok(Next::At(next))
            }
        }
    }
}

/// How long a statement is of which the reader of statements knows no more than that, or not even that: slon writes
/// scripts as they came, and the last statement may lack its semicolon. `None` if that is not in the window.
fn script_statement(
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
        None => return Err(text.unknown(start)),
    };
    if transaction_word(rest.get(..length).unwrap_or_default()) {
        let what = format!("a statement that begins or ends a transaction: `{}`", excerpt(rest));
        return Err(text.fault(start, what));
    }
    Ok(Some(length))
}

/// Whether a statement is one that changes rows.
fn begins_change(statement: &[u8]) -> bool {
    [&b"insert"[..], b"update", b"delete", b"truncate"].contains(&first_word(statement).as_slice())
}

/// Whether a statement is one of slon's own that was not recognized: of another cluster, spelled otherwise, or damaged.
fn calls_slony(statement: &[u8]) -> bool {
    statement.starts_with(b"select \"pg_catalog\".setval(")
        || (statement.starts_with(b"select \"_")
            && [&b"_offline("[..], b".finishTableAfterCopy("]
                .iter()
                .any(|call| memchr::memmem::find(statement, call).is_some()))
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
