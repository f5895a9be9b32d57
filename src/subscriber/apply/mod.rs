//! A site log is applied: in one transaction with its counter, once, in order.

mod frame;

use std::io::{Read, Seek};

use bytes::Bytes;

use super::OnDrift;
use crate::db::site::{SiteDatabase, Transaction, change, feed_copy, feed_statement, roll_back};
use crate::error::{Error, Result};
use crate::model::{ArchiveName, Dialect};
use crate::spelling::legacy::Verb;
use crate::spelling::sql_text::{Part, SqlText};
use frame::{Frame, Kind, Opening};

/// Applies site logs to the database of a site.
pub struct Applier {
    database: SiteDatabase,
    on_drift: OnDrift,
    /// Whether a transaction may be open: its log has failed, or nobody waited for it to the end.
    is_open: bool,
    /// Whether something in a log may have changed the session.
    is_touched: bool,
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
        Self { database, on_drift, is_open: false, is_touched: false }
    }

    /// The database.
    pub fn database(&self) -> &SiteDatabase {
        &self.database
    }

    /// Applies a site log from its begin. If it fails, nothing of it has happened, unless the connection broke while it
    /// was committed: then the place in the database tells. The session can be used again, unless the connection is gone.
    pub async fn apply(
        &mut self,
        mut log: impl Read + Seek,
        name: ArchiveName,
        commit: Commit,
    ) -> Result<Applied> {
        let frame = Frame { cluster: self.database.cluster().to_owned(), name };
        frame.check_end(&mut log)?;
        let mut text = SqlText::new(log);
        let opening = frame.open(&mut text)?;
        self.clean().await?;
        self.is_open = true;
        let applied = self.transaction(&frame, &opening, &mut text, commit).await;
        match applied {
            Ok(_) => self.is_open = false,
            // What went wrong first is what counts; a session that cannot roll back is renewed by the next log, or gone.
            Err(_) => drop(self.clean().await),
        }
        applied
    }

    /// Ends what an earlier log has left open, and gives the session its settings back.
    async fn clean(&mut self) -> Result<()> {
        if self.is_open {
            roll_back(self.database.session()).await?;
            self.is_open = false;
        }
        if self.is_touched {
            self.database.renew().await?;
            self.is_touched = false;
        }
        Ok(())
    }

    async fn transaction<R: Read>(
        &mut self,
        frame: &Frame,
        opening: &Opening,
        text: &mut SqlText<R>,
        commit: Commit,
    ) -> Result<Applied> {
        let transaction = self.begin(frame, opening, commit).await?;
        let applied = self.changes(frame, opening, text).await?;
        frame.close(text)?;
        transaction.commit(self.database.session()).await?;
        Ok(applied)
    }

    /// Begins the transaction and takes the counter, which holds off everybody else.
    async fn begin(&self, frame: &Frame, opening: &Opening, commit: Commit) -> Result<Transaction> {
        let mut sql = String::new();
        if commit == Commit::Soon {
            sql += "set local synchronous_commit = off; ";
        }
        if !opening.is_psql && self.database.offline_objects().await?.are_ours {
            // The slony dialect does not say it, but its rows are in the encoding of the origin too.
            let format = Dialect::PSQL_FORMAT;
            sql += &format!("select {}.site_log_offline({format}); ", self.database.schema());
        }
        sql += &opening.settings;
        sql += &opening.tracking;
        let session = self.database.session();
        match Transaction::begin(session, &sql).await {
            Ok(transaction) => Ok(transaction),
            Err(error) => {
                roll_back(session).await?;
                Err(self.out_of_turn(frame).await?.unwrap_or(error))
            }
        }
    }

    /// Why a log was not taken, if its counter is the reason.
    async fn out_of_turn(&self, frame: &Frame) -> Result<Option<Error>> {
        let counter = frame.name.counter;
        Ok(match self.database.place().await? {
            None => Some(frame.stopped("this database has no place in the stream of logs")),
            Some(place) if place >= counter => {
                Some(frame.stopped(&format!("it has been applied before: this site is at {place}")))
            }
            Some(place) if place.next() < counter => Some(frame.stopped(&format!(
                "it comes too early: this site is at {place}, its next log is {}",
                place.next()
            ))),
            Some(_) => None,
        })
    }

    async fn changes<R: Read>(
        &mut self,
        frame: &Frame,
        opening: &Opening,
        text: &mut SqlText<R>,
    ) -> Result<Applied> {
        let mut applied = Applied::default();
        let _ = self.on_drift;
        // Logs of other makers do not say how literals of the old formats are to be read.
        let mut escapes = opening.is_psql;
        loop {
            let line = text.line();
            match text.part().map_err(|error| frame.fault(&error))? {
                None => return Err(frame.stopped("it ends without `commit;`")),
                Some(Part::Comment(b"-- DDL_SCRIPT")) if !escapes => {
                    escapes = true;
                    text.escape_backslashes();
                    self.escape_backslashes().await?;
                }
                Some(Part::Comment(_) | Part::EndOfRows) => {}
                Some(Part::Command(command)) => frame.command(line, command)?,
                Some(Part::Rows(rows)) => return Err(frame.unexpected(line, rows, "a statement")),
                Some(Part::Statement(statement)) => match frame.kind(line, statement)? {
                    Kind::Commit => return Ok(applied),
                    Kind::Role => {}
                    kind => {
                        self.is_touched |= kind == Kind::Other;
                        if matches!(kind, Kind::Change(_)) && !escapes {
                            escapes = true;
                            self.escape_backslashes().await?;
                        }
                        let rows = change(self.database.session(), statement).await?;
                        if let Kind::Change(Verb::Insert | Verb::Update | Verb::Delete) = kind {
                            applied.rows += rows;
                        }
                    }
                },
                Some(Part::Copy(statement)) => {
                    let statement = statement.to_vec();
                    let of_rows = frame.is_rows(line, &statement)?;
                    if of_rows && !opening.is_psql && !self.database.offline_objects().await?.take_rows {
                        return Err(frame.stopped(
                            "the offline objects of this site would not apply its rows; ask the data centre for others \
                             (offline-sql)",
                        ));
                    }
                    self.is_touched = true;
                    let session = self.database.session();
                    let mut lines = 0;
                    let copied = feed_copy(session, &statement, || {
                        match text.part().map_err(|error| frame.fault(&error))? {
                            Some(Part::Rows(rows)) => {
                                lines += memchr::memchr_iter(b'\n', rows).count() as u64;
                                Ok(Some(Bytes::copy_from_slice(rows)))
                            }
                            _ => Ok(None),
                        }
                    })
                    .await?;
                    // Of the rows of changes none stays.
                    applied.rows += if of_rows { lines } else { copied };
                }
            }
        }
    }

    /// From here on literals are read as those of the old formats are written.
    async fn escape_backslashes(&self) -> Result<()> {
        let sql = b"select pg_catalog.set_config('standard_conforming_strings', 'off', true), \
                    pg_catalog.set_config('escape_string_warning', 'off', true)";
        feed_statement(self.database.session(), sql).await
    }
}
