//! The transaction of a site log. What has begun it must still be there when it ends: COMMIT of an aborted transaction
//! answers without an error, and one that ended early would have gone on without any.

use tokio_postgres::SimpleQueryMessage;

use crate::db::Session;
use crate::error::{Error, Result, Tried};

/// A transaction that has begun.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transaction {
    /// Its number at the server.
    number: String,
    /// Whether its bytes are UTF-8 for the server.
    is_utf8: bool,
}

const NUMBER: &str =
    "select pg_catalog.txid_current(), pg_catalog.current_setting('client_encoding') = 'UTF8'";

impl Transaction {
    /// Begins one and runs SQL in it. If that fails, the caller rolls back.
    pub async fn begin(session: &Session, sql: &str) -> Result<Self> {
        let sql = format!("begin isolation level read committed read write; {sql} {NUMBER}");
        let (number, is_utf8) = number(session, &sql, "begin a transaction").await?;
        Ok(Self { number, is_utf8 })
    }

    /// Whether its bytes are UTF-8 for the server.
    pub fn is_utf8(&self) -> bool {
        self.is_utf8
    }

    /// Ends it. If this returns no error, everything in it has been done.
    pub async fn commit(self, session: &Session) -> Result<()> {
        let (number, _) = number(session, NUMBER, "look for the transaction before it is committed").await?;
        if number != self.number {
            return Err(Error::Stopped("the transaction was ended by something in the log".into()));
        }
        session.client().batch_execute("commit").await.tried("commit")
    }
}

/// Takes back what is open. Nothing being open is no error.
pub async fn roll_back(session: &Session) -> Result<()> {
    session.client().batch_execute("rollback").await.tried("roll back")
}

/// Runs SQL whose last statement asks for the number of the transaction.
async fn number(session: &Session, sql: &str, action: &str) -> Result<(String, bool)> {
    let messages = session.client().simple_query(sql).await.tried(action)?;
    let last = messages.iter().rev().find_map(|message| match message {
        SimpleQueryMessage::Row(row) => Some((row.get(0)?.to_owned(), row.get(1) == Some("t"))),
        _ => None,
    });
    last.ok_or_else(|| Error::Stopped(format!("{action}: no answer")))
}
