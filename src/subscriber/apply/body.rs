//! The body of a site log, part by part, from the header to `commit;`.

use std::io::Read;

use bytes::Bytes;

use super::frame::{Frame, Kind, Opening};
use super::taker::Taker;
use crate::error::Result;
use crate::spelling::row::Row;
use crate::spelling::sql_text::{Part, SqlText};

/// From here on literals are read as those of the old formats are written.
const ESCAPES: &[u8] = b"select pg_catalog.set_config('standard_conforming_strings', 'off', true), \
    pg_catalog.set_config('escape_string_warning', 'off', true)";

/// What is known of a log whose header has been read.
pub(super) struct Body<'a> {
    pub(super) frame: &'a Frame,
    pub(super) opening: &'a Opening,
    /// Whether the offline objects apply the rows of changes.
    pub(super) take_rows: bool,
}

impl Body<'_> {
    /// Makes its changes, up to `commit;`, which is left to the caller.
    pub(super) async fn apply<R: Read>(&self, text: &mut SqlText<R>, changes: &mut impl Taker) -> Result<()> {
        // Logs of other makers do not say how literals of the old formats are to be read.
        let mut escapes = self.opening.is_psql;
        loop {
            let line = text.line();
            match text.part().map_err(|error| self.frame.fault(&error))? {
                None => return Err(self.frame.stopped("it ends without `commit;`")),
                Some(Part::Comment(b"-- DDL_SCRIPT")) if !escapes => {
                    escapes = true;
                    changes.other(ESCAPES, false).await?;
                    text.escape_backslashes();
                }
                Some(Part::Comment(_) | Part::EndOfRows) => {}
                Some(Part::Command(command)) => self.frame.command(line, command)?,
                Some(Part::Rows(rows)) => return Err(self.frame.unexpected(line, rows, "a statement")),
                Some(Part::Statement(statement)) => match self.frame.kind(line, statement)? {
                    Kind::Commit => return changes.flush().await,
                    Kind::Role => {}
                    Kind::Change => {
                        if !escapes {
                            changes.other(ESCAPES, false).await?;
                        }
                        changes.statement(statement).await?;
                        if !escapes {
                            escapes = true;
                            text.escape_backslashes();
                        }
                    }
                    Kind::Call => changes.other(statement, false).await?,
                    Kind::Other => changes.other(statement, true).await?,
                },
                Some(Part::Copy(statement)) => {
                    let statement = statement.to_vec();
                    if self.frame.is_rows(line, &statement)? {
                        changes.begin_rows(&statement).await?;
                        self.rows(text, changes).await?;
                    } else {
                        changes.copy(&statement, || self.piece(text)).await?;
                    }
                }
            }
        }
    }

    /// The next piece of the copy of a table.
    fn piece<R: Read>(&self, text: &mut SqlText<R>) -> Result<Option<Bytes>> {
        match text.part().map_err(|error| self.frame.fault(&error))? {
            Some(Part::Rows(rows)) => Ok(Some(Bytes::copy_from_slice(rows))),
            _ => Ok(None),
        }
    }

    /// The rows of changes.
    async fn rows<R: Read>(&self, text: &mut SqlText<R>, changes: &mut impl Taker) -> Result<()> {
        if !self.take_rows {
            return Err(self.frame.stopped(
                "the offline objects of this site would not apply its rows; ask the data centre for others (offline-sql)",
            ));
        }
        loop {
            let first = text.line();
            let Some(Part::Rows(rows)) = text.part().map_err(|error| self.frame.fault(&error))? else {
                return Ok(());
            };
            for (number, line) in (first..).zip(rows.split_inclusive(|byte| *byte == b'\n')) {
                let line = line.strip_suffix(b"\n").unwrap_or(line);
                let row =
                    Row::check(line).map_err(|what| self.frame.stopped(&format!("line {number}: {what}")))?;
                changes.row(line, &row).await?;
            }
        }
    }
}
