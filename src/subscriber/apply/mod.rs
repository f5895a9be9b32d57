//! A site log is applied: in one transaction with its counter, once, in order.

mod body;
mod change;
mod changes;
mod drift;
mod frame;
mod gather;
mod plan;
mod read;
mod statements;
mod taker;

use std::io::{Read, Seek};

use super::OnDrift;
use crate::db::site::{OfflineObjects, SiteDatabase, Transaction, roll_back};
use crate::error::{Error, Result};
use crate::model::{ArchiveName, Dialect};
use crate::spelling::sql_text::SqlText;
use body::Body;
use changes::{Changes, Setting};
use frame::{Frame, Opening};
pub use read::{Given, read_log};
use statements::Statements;

/// Applies site logs to the database of a site.
pub struct Applier {
    database: SiteDatabase,
    on_drift: OnDrift,
    /// Whether a transaction may be open: its log has failed, or nobody waited for it to the end.
    is_open: bool,
    /// Whether something in a log may have changed the session.
    is_touched: bool,
    statements: Statements,
    objects: Option<OfflineObjects>,
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
    /// Changes that met no row.
    pub drifted: u64,
    /// The first twenty of them, each in words; then how many more there are.
    pub drift: Vec<String>,
}

impl Applier {
    /// Over a session of its own.
    pub fn new(database: SiteDatabase, on_drift: OnDrift) -> Self {
        let statements = Statements::default();
        Self { database, on_drift, is_open: false, is_touched: false, statements, objects: None }
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
        if applied.is_err() {
            self.is_touched = true;
            self.statements.forget();
            self.objects = None;
            // What went wrong first is what counts. A session that cannot be cleaned is by the next log, or gone.
            drop(self.clean().await);
        } else {
            self.is_open = false;
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
        let objects = self.objects(opening).await?;
        let transaction = self.begin(frame, opening, objects, commit).await?;
        let mut changes = Changes::new(Setting {
            frame,
            database: &self.database,
            statements: &mut self.statements,
            on_drift: self.on_drift,
            objects: Some(objects).filter(|objects| objects.are_ours),
            is_utf8: transaction.is_utf8(),
        });
        let body = Body { frame, opening, take_rows: objects.take_rows };
        body.apply(text, &mut changes).await?;
        let Changes { count, is_touched, drift, .. } = changes;
        self.is_touched |= is_touched;
        frame.close(text)?;
        transaction.commit(self.database.session()).await?;
        Ok(Applied { rows: count, drifted: drift.count, drift: drift.told() })
    }

    /// The offline objects of the site. They are looked for once where the log calls those that it needs by itself.
    async fn objects(&mut self, opening: &Opening) -> Result<OfflineObjects> {
        let objects = match self.objects {
            Some(objects) if opening.is_psql => objects,
            _ => self.database.offline_objects().await?,
        };
        self.objects = Some(objects);
        Ok(objects)
    }

    /// Begins the transaction and takes the counter, which holds off everybody else.
    async fn begin(
        &self,
        frame: &Frame,
        opening: &Opening,
        objects: OfflineObjects,
        commit: Commit,
    ) -> Result<Transaction> {
        let mut sql = String::new();
        if commit == Commit::Soon {
            sql += "set local synchronous_commit = off; ";
        }
        if !opening.is_psql && objects.are_ours {
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
}
