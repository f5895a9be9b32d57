//! The heartbeat table: written at a primary, read wherever it is replicated to. Name and columns are those of plusmoin.

use std::time::Duration;

use tokio_postgres::Client;
use tokio_postgres::error::SqlState;

use super::{Session, connect};
use crate::config::DatabaseConfig;
use crate::error::{Error, Result, Tried};
use crate::model::{Beat, Moment};

/// What nobody else's settings may change about these few short statements. A primary whose synchronous standby is gone still
/// writes: it is that standby which is to be found lost.
const SETTINGS: &str = "set client_encoding = 'UTF8'; set lock_timeout = 0; set synchronous_commit = local; set statement_timeout = ";

/// The largest number that a timeout of PostgreSQL may have, in milliseconds.
const LONGEST_TIMEOUT: u128 = i32::MAX as u128;

/// plusmoin makes `tstamp` a bigint, which is found and kept; a fraction of a second is lost in it.
const CREATE: &str =
    "create table if not exists heartbeat (cluster_id int, master text, tstamp double precision)";

/// What two get who make the same table at once.
const IS_MADE: [SqlState; 2] = [SqlState::UNIQUE_VIOLATION, SqlState::DUPLICATE_TABLE];

/// Connects to a server for its heartbeat. No statement goes on there for longer than `limit`: the server does not notice that nobody
/// waits any more, and a heartbeat that waits for a lock would be written when it is old, with one more waiting every round.
pub async fn connect_for_heartbeat(config: &DatabaseConfig, limit: Duration) -> Result<Session> {
    let settings = format!("{SETTINGS}{}", limit.as_millis().clamp(1, LONGEST_TIMEOUT));
    Ok(connect::open_within(config, "subscription_manager monitor", &settings, limit).await?.driven())
}

/// Whether the server is a standby, by the statement that is configured.
pub async fn is_standby(session: &Session, statement: &str) -> Result<bool> {
    let row = session.client().query_one(statement, &[]).await.tried("ask whether this is a standby")?;
    let is_standby: Option<Option<bool>> = row.try_get(0).ok();
    is_standby.flatten().ok_or_else(|| {
        Error::WrongDatabase(format!(
            "`{statement}` gives neither true nor false, as is_slave_statement or monitor_standby_statement must"
        ))
    })
}

/// The heartbeat that has come to a standby; `None` if none has.
pub async fn read_heartbeat(session: &Session) -> Result<Option<Beat>> {
    let there = "select to_regclass('heartbeat') is not null";
    let there = session.client().query_one(there, &[]).await.tried("look for the heartbeat table")?;
    if !there.get::<_, bool>(0) {
        return Ok(None);
    }
    let sql = "select cluster_id::int8, master::text, round(tstamp * 1000)::int8 from heartbeat limit 1";
    let row = session.client().query_opt(sql, &[]).await.tried("read the heartbeat")?;
    let beat = row.and_then(|row| {
        let (cluster, primary): (Option<i64>, Option<String>) = (row.get(0), row.get(1));
        let at = u64::try_from(row.get::<_, Option<i64>>(2)?).ok()?;
        Some(Beat { cluster: cluster?, primary: primary?, at: Moment(at) })
    });
    Ok(beat)
}

/// Writes the heartbeat of a primary; table and row are made where they are missing.
pub async fn write_heartbeat(session: &Session, beat: &Beat) -> Result<()> {
    write(session.client(), beat).await.tried("write the heartbeat")
}

/// Finds out whether a server would take its heartbeat, and leaves nothing there.
pub async fn try_heartbeat(session: &Session, beat: &Beat) -> Result<()> {
    let client = session.client();
    let attempt = async {
        client.batch_execute("begin").await?;
        match write(client, beat).await {
            // Another one has made the table at this moment, which ends the transaction: it can be written to.
            Err(error) if error.code() == Some(&SqlState::IN_FAILED_SQL_TRANSACTION) => {}
            written => written?,
        }
        client.batch_execute("rollback").await
    };
    attempt.await.tried("write the heartbeat")
}

async fn write(client: &Client, beat: &Beat) -> Result<(), tokio_postgres::Error> {
    let cluster = i32::try_from(beat.cluster).unwrap_or(i32::MAX);
    let at = i64::try_from(beat.at.0).unwrap_or(i64::MAX);
    let sql = "update heartbeat set cluster_id = $1, master = $2, tstamp = $3::int8 / 1000.0";
    // Asked first: a notice for every round would fill the server's log, and `create` needs rights that `update` does not.
    let there = client.query_one("select to_regclass('heartbeat') is not null", &[]).await?;
    if !there.get::<_, bool>(0) {
        match client.batch_execute(CREATE).await {
            // Another one makes it at this moment, which `if not exists` does not see.
            Err(error) if error.code().is_some_and(|code| IS_MADE.contains(code)) => {}
            created => created?,
        }
    }
    if client.execute(sql, &[&cluster, &beat.primary, &at]).await? == 0 {
        let sql = "insert into heartbeat (cluster_id, master, tstamp) values ($1, $2, $3::int8 / 1000.0)";
        client.execute(sql, &[&cluster, &beat.primary, &at]).await?;
    }
    Ok(())
}
