//! A site log is applied: in one transaction with its counter, once, in order.

use std::io::Read;

use bytes::Bytes;

use super::OnDrift;
use crate::db::site::{SiteDatabase, feed_copy, feed_statement};
use crate::error::{Error, Result};
use crate::model::ArchiveName;
use crate::spelling::sql_text::{Part, SqlText, SqlTextError};

/// Applies site logs to the database of a site.
pub struct Applier {
    database: SiteDatabase,
    on_drift: OnDrift,
}

/// When a transaction is on disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Commit {
    /// When it ends; and with it all before it.
    Now,
    /// Soon after: a crash of the server may take it back, and its counter with it. For all but the last of many logs.
    Soon,
}

/// What a log did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Applied {
    /// Rows that were inserted, updated or deleted.
    pub rows: u64,
    /// Changes that met no row, each in words.
    pub drift: Vec<String>,
}

impl Applier {
    /// Over a session of its own.
    pub fn new(database: SiteDatabase, on_drift: OnDrift) -> Self {
        Self { database, on_drift }
    }

    /// The database.
    pub fn database(&self) -> &SiteDatabase {
        &self.database
    }

    /// Applies a site log. If it fails, nothing of it has happened; the session can be used again, unless the connection
    /// is gone.
    pub async fn apply(&mut self, log: impl Read, name: ArchiveName, commit: Commit) -> Result<Applied> {
        let _ = (self.on_drift, commit);
        let session = self.database.session();
        let mut text = SqlText::new(log);
        let mut rows = 0;
        let fault = |error: SqlTextError| Error::Stopped(format!("site log {name}: {error}"));
        loop {
            match text.part().map_err(fault)? {
                None => return Ok(Applied { rows, drift: Vec::new() }),
                Some(Part::Comment(_) | Part::Command(_) | Part::Rows(_) | Part::EndOfRows) => {}
                Some(Part::Statement(statement)) => feed_statement(session, statement).await?,
                Some(Part::Copy(statement)) => {
                    let statement = statement.to_vec();
                    rows += feed_copy(session, &statement, || match text.part().map_err(fault)? {
                        Some(Part::Rows(rows)) => Ok(Some(Bytes::copy_from_slice(rows))),
                        _ => Ok(None),
                    })
                    .await?;
                }
            }
        }
    }
}
