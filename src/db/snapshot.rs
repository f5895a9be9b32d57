//! One view of the data at an exact place of the archive stream, without keeping anybody from writing.
//!
//! slon raises `sl_archive_counter.ac_num` in the transaction that applies the changes of the archive. A transaction of
//! level REPEATABLE READ that reads `ac_num` therefore sees the data up to that archive and nothing after it.

use std::collections::HashMap;
use std::time::Duration;

use tokio_postgres::error::SqlState;

use super::{Database, Session, structure};
use crate::error::{Error, Result, Tried};
use crate::model::{Counter, Sequence, Series};

/// How long a lock is waited for. ACCESS SHARE only meets ACCESS EXCLUSIVE: a TRUNCATE or DDL, which is short; whoever
/// waits longer stands in a queue in which slon may stand too.
const LOCK_TIMEOUT: Duration = Duration::from_secs(2);

/// A transaction that holds its series in ACCESS SHARE mode.
pub struct Snapshot {
    session: Session,
}

/// Where the stream was cut, and what belongs to the series there.
pub struct Cut {
    /// The snapshot holds everything up to this archive.
    pub counter: Counter,
    /// The sequences of each series.
    pub sequences: HashMap<Series, Vec<Sequence>>,
}

impl Snapshot {
    /// Begins the transaction and locks the series against DDL, so that structure and data belong together. `LOCK`
    /// takes no snapshot yet: that is for [`Snapshot::cut`].
    pub async fn begin(session: Session, series: &[Series]) -> Result<Self> {
        let mut sql = format!(
            "begin isolation level repeatable read read only; set local lock_timeout = '{}ms'; ",
            LOCK_TIMEOUT.as_millis()
        );
        if !series.is_empty() {
            let tables: Vec<String> = series.iter().map(Series::sql).collect();
            sql.push_str(&format!("lock table {} in access share mode", tables.join(", ")));
        }
        match session.client().batch_execute(&sql).await {
            Err(error) if error.code() == Some(&SqlState::UNDEFINED_TABLE) => {
                Err(Error::Refused(format!("a series vanished meanwhile: {}", said(&error))))
            }
            result => result.tried("lock the series").map(|()| Self { session }).map_err(without_locks),
        }
    }

    /// Takes the snapshot. The caller holds the hold, so that no archive after the cut is split before the request is in
    /// the registry.
    pub async fn cut(&self, db: &Database, series: &[Series]) -> Result<Cut> {
        let counter = db.committed(&self.session).await?;
        let sequences =
            structure::sequences(self.session.client(), series).await.tried("read the sequences")?;
        Ok(Cut { counter, sequences })
    }

    /// The session in the snapshot.
    pub fn session(&self) -> &Session {
        &self.session
    }

    /// Proves that the transaction is alive to its end: after a failure every statement is refused, whereas COMMIT
    /// "succeeds".
    pub async fn prove(self) -> Result<()> {
        self.session.client().query_one("select 1", &[]).await.tried("end the snapshot")?;
        self.session.client().batch_execute("rollback").await.tried("end the snapshot")
    }
}

/// A server whose table of locks is full has room for fewer series: its "out of memory" names the setting, in every
/// language, and is no reason to try the same again.
pub fn without_locks(error: Error) -> Error {
    const SETTING: &str = "max_locks_per_transaction";
    let is_full = |source: &tokio_postgres::Error| {
        let hint = source.as_db_error().and_then(|said| said.hint());
        source.code() == Some(&SqlState::OUT_OF_MEMORY) && hint.is_some_and(|hint| hint.contains(SETTING))
    };
    match &error {
        Error::Database { source, .. } if is_full(source) => Error::Refused(format!(
            "too many series for one request: ask for some of them first, or let the operator of the data centre raise \
             {SETTING} in its PostgreSQL"
        )),
        _ => error,
    }
}

/// Who waits for a lock that this backend holds; `None` if nobody does.
pub async fn first_waiter(session: &Session, backend: i32) -> Result<Option<String>> {
    // pg_locks shows every role who waits; what pg_stat_activity says of others needs a right that we may not have.
    let sql = "select l.pid, coalesce(nullif(a.application_name, ''), a.usename::text, 'somebody')
                 from (select distinct pid from pg_locks where not granted) l
                 left join pg_stat_activity a on a.pid = l.pid
                where $1 = any (pg_blocking_pids(l.pid)) limit 1";
    let row = session.client().query_opt(sql, &[&backend]).await.tried("look for waiting backends")?;
    Ok(row.map(|row| format!("{} (process {})", row.get::<_, String>(1), row.get::<_, i32>(0))))
}

fn said(error: &tokio_postgres::Error) -> String {
    error.as_db_error().map_or_else(|| error.to_string(), |db| db.message().to_owned())
}
