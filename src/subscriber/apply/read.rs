//! A log that is read as for a database, without one: for who wants to know what could come to it, whatever is in the log.

use std::io::{Read, Seek};

use bytes::Bytes;
use futures_util::FutureExt as _;

use super::body::Body;
use super::change::{Change, Values};
use super::frame::Frame;
use super::taker::Taker;
use crate::error::{Error, Result};
use crate::model::ArchiveName;
use crate::spelling::row::Row;
use crate::spelling::sql_text::SqlText;

/// What would come to the database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Given {
    /// A statement, as it stands.
    Statement(Vec<u8>),
    /// A piece of a copy, as it stands.
    Rows(Vec<u8>),
    /// A change of a row.
    Change {
        /// The row or statement that it is read from.
        text: Vec<u8>,
        /// Its columns.
        names: Vec<Vec<u8>>,
        /// Their values; `None` is NULL.
        values: Vec<Option<Vec<u8>>>,
    },
}

/// Reads a site log of this cluster to its end.
pub fn read_log(mut log: impl Read + Seek, cluster: &str, name: ArchiveName) -> Result<Vec<Given>> {
    let frame = Frame { cluster: cluster.to_owned(), name };
    frame.check_end(&mut log)?;
    let mut text = SqlText::new(log);
    let opening = frame.open(&mut text)?;
    let mut reader = Reader { given: Vec::new(), change: Change::empty() };
    for sql in [&opening.settings, &opening.tracking] {
        reader.given.push(Given::Statement(sql.clone().into_bytes()));
    }
    let body = Body { frame: &frame, opening: &opening, take_rows: true };
    // Nothing is waited for.
    let read = body.apply(&mut text, &mut reader).now_or_never();
    read.unwrap_or_else(|| Err(Error::Stopped(format!("{} was not read to its end", frame.name))))?;
    frame.close(&mut text)?;
    Ok(reader.given)
}

/// Keeps what is given.
struct Reader {
    given: Vec<Given>,
    change: Change,
}

impl Reader {
    /// The change that was read last, if it was one.
    fn keep(&mut self, text: &[u8], is_change: bool) {
        let text = text.to_vec();
        self.given.push(if is_change {
            let names = all(&self.change.names).into_iter().map(Option::unwrap_or_default).collect();
            Given::Change { text, names, values: all(&self.change.values) }
        } else {
            Given::Rows(text)
        });
    }
}

fn all(values: &Values) -> Vec<Option<Vec<u8>>> {
    (0..values.len()).map(|at| values.at(at).map(<[u8]>::to_vec)).collect()
}

impl Taker for Reader {
    async fn begin_rows(&mut self, copy: &[u8]) -> Result<()> {
        self.other(copy, false).await
    }

    async fn row(&mut self, line: &[u8], row: &Row<'_>) -> Result<()> {
        let is_change = self.change.read_row(row);
        self.keep(line, is_change);
        Ok(())
    }

    async fn statement(&mut self, statement: &[u8]) -> Result<()> {
        if self.change.read_statement(statement) {
            self.keep(statement, true);
            return Ok(());
        }
        self.other(statement, false).await
    }

    async fn other(&mut self, statement: &[u8], _: bool) -> Result<()> {
        self.given.push(Given::Statement(statement.to_vec()));
        Ok(())
    }

    async fn copy(
        &mut self,
        statement: &[u8],
        mut rows: impl FnMut() -> Result<Option<Bytes>>,
    ) -> Result<()> {
        self.other(statement, false).await?;
        while let Some(piece) = rows()? {
            self.given.push(Given::Rows(piece.to_vec()));
        }
        Ok(())
    }

    async fn flush(&mut self) -> Result<()> {
        Ok(())
    }
}
