//! How far slon has come, as a crash of the server would leave it.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::{Database, Session};
use crate::error::{Error, Result, Tried};
use crate::model::Counter;

/// How long the server may take to put on its disk what everybody sees: three times `wal_writer_delay`, which is
/// ten seconds at the most.
const PATIENCE: Duration = Duration::from_secs(45);

/// How often it is looked whether it has.
const PAUSE: Duration = Duration::from_millis(20);

impl Database {
    /// The number of the last archive whose transaction has committed, and stays so. slon names an archive before it commits;
    /// only up to here they are true.
    ///
    /// Where `synchronous_commit` is off, others see a commit before it is on disk. A crash of the server undoes it then, and slon
    /// writes an archive of the same number anew, with other rows: it is waited until the write-ahead log is on disk up to there.
    pub async fn committed(&self, session: &Session) -> Result<Counter> {
        let sql = format!(
            "select ac_num, case when current_setting('synchronous_commit') = 'off' and not pg_is_in_recovery()
                                 then pg_current_wal_insert_lsn()::text end
               from {}.sl_archive_counter",
            self.cluster_schema()
        );
        let row = session.client().query_one(&sql, &[]).await.tried("read sl_archive_counter")?;
        if let Some(place) = row.get::<_, Option<String>>(1) {
            until_on_disk(session, &place).await?;
        }
        Counter::from_database(row.get(0))
            .ok_or_else(|| Error::WrongDatabase("sl_archive_counter is negative".into()))
    }
}

/// Waits until the server's write-ahead log is on disk up to a place of it.
async fn until_on_disk(session: &Session, place: &str) -> Result<()> {
    let since = Instant::now();
    let sql = "select pg_current_wal_flush_lsn() >= $1::text::pg_lsn";
    loop {
        let row =
            session.client().query_one(sql, &[&place]).await.tried("read how far its log is on disk")?;
        if row.get(0) {
            return Ok(());
        }
        if since.elapsed() > PATIENCE {
            return Err(Error::Stopped(format!(
                "the server has not put its write-ahead log on disk up to {place} for {} s: what slon has committed since is not \
                 believed (`synchronous_commit` is off)",
                PATIENCE.as_secs()
            )));
        }
        sleep(PAUSE).await;
    }
}
