//! The SQL of a request is applied: all files in one transaction, with a row that says so.

use std::path::{Path, PathBuf};

use bytes::Bytes;

use super::statement::{Fate, fate, is_needless};
use crate::db::site::{SiteDatabase, SiteRequest, Transaction, feed_copy, feed_statement};
use crate::disk;
use crate::error::{Error, Result};
use crate::model::{Node, Series};
use crate::spelling::sql_text::{Part, SqlText, SqlTextError};
use crate::subscriber::Progress;

/// What is applied.
pub(super) struct Sql<'a> {
    /// The files, in this order.
    pub(super) files: &'a [PathBuf],
    /// What is noted of them; its series are those which the SQL must make.
    pub(super) request: SiteRequest,
    /// The node, if the SQL brings the place in the stream.
    pub(super) brings_place: Option<&'a Node>,
    /// Told how far it is.
    pub(super) progress: &'a Progress,
}

impl Sql<'_> {
    /// Applies it over a session of its own. When it returns, it is applied and committed, which was asked of the
    /// database afterwards. If it fails, nothing of it has happened, unless the connection broke at the very end: the
    /// database knows.
    pub(super) async fn apply(self, database: &SiteDatabase) -> Result<u64> {
        let there = database.existing(&self.request.series).await?;
        if !there.is_empty() {
            return Err(Error::Refused(format!(
                "{} came to be in this database while the request was open: rename or drop it, then ask again",
                listed(&there)
            )));
        }
        let transaction = Transaction::begin(database.session(), "").await?;
        let mut rows = 0;
        for file in self.files {
            rows += self.file(database, file).await?;
        }
        let made = database.existing(&self.request.series).await?;
        let missing: Vec<Series> =
            self.request.series.iter().filter(|series| !made.contains(series)).cloned().collect();
        if !missing.is_empty() {
            return Err(Error::Refused(format!(
                "the SQL of the data centre does not make {}",
                listed(&missing)
            )));
        }
        database.note_request(&self.request).await?;
        if let Some(node) = self.brings_place {
            database.note_node(node).await?;
        }
        transaction.commit(database.session()).await?;
        // COMMIT of a transaction that has failed is answered well.
        let known = database.requests().await?;
        if known.iter().any(|known| known.request == self.request.request) {
            return Ok(rows);
        }
        Err(Error::Stopped("the transaction of the SQL was rolled back".into()))
    }

    async fn file(&self, database: &SiteDatabase, path: &Path) -> Result<u64> {
        let session = database.session();
        let told = |bytes| self.progress.bytes(bytes);
        let mut text = SqlText::new(disk::open_text(path, &told)?);
        // The session reads literals so, and what would change that is refused.
        text.take_backslashes_as_plain();
        let mut rows = 0;
        let said = |what: &str| Error::Stopped(format!("`{}`: {what}", path.display()));
        let fault = |error: SqlTextError| said(&error.to_string());
        loop {
            let line = text.line();
            match text.part().map_err(fault)? {
                None => return Ok(rows),
                Some(Part::Comment(_) | Part::Rows(_) | Part::EndOfRows) => {}
                Some(Part::Command(command)) if is_needless(command) => {}
                Some(Part::Command(_)) => {
                    return Err(said(&format!("line {line}: a command of psql, which is not carried out")));
                }
                Some(Part::Statement(statement)) => match fate(statement) {
                    Fate::Run => feed_statement(session, statement).await?,
                    Fate::LeaveOut => {}
                    Fate::Refuse => {
                        return Err(said(&format!("line {line}: a statement that ends the transaction")));
                    }
                    Fate::Reword => {
                        let what = "a statement that would turn `standard_conforming_strings` off";
                        return Err(said(&format!("line {line}: {what}")));
                    }
                },
                Some(Part::Copy(statement)) => {
                    let statement = statement.to_vec();
                    rows += feed_copy(session, &statement, || match text.part().map_err(fault)? {
                        Some(Part::Rows(piece)) => {
                            self.progress.rows(memchr::memchr_iter(b'\n', piece).count() as u64);
                            Ok(Some(Bytes::copy_from_slice(piece)))
                        }
                        _ => Ok(None),
                    })
                    .await?;
                }
            }
        }
    }
}

/// Whether a failure may pass by itself, so that the same is tried again instead of giving the request up.
pub(super) fn is_temporary(error: &Error) -> bool {
    match error {
        Error::Line { .. } | Error::Disk { .. } | Error::Silent(_) | Error::Cancelled | Error::Busy(_) => {
            true
        }
        Error::Database { source, .. } => source.code().is_none_or(|code| {
            // Connections, deadlocks, disk and memory, an administrator, the system below.
            let class = code.code().get(..2).unwrap_or_default();
            ["08", "40", "53", "57", "58"].contains(&class) || code.code() == "55P03"
        }),
        _ => false,
    }
}

/// Series for a message.
pub(super) fn listed(series: &[Series]) -> String {
    series.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}
