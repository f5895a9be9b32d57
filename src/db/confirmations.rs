//! What this node has confirmed to the others: every event that slon has applied, archived or not.

use std::collections::BTreeMap;

use tokio_postgres::Row;

use super::{Database, Session};
use crate::error::{Error, Result, Tried};
use crate::model::{Counter, Series};

/// One event of another Slony node that is applied here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Confirmation {
    /// The Slony node where it happened.
    pub origin: u64,
    /// Its number there.
    pub event: u64,
    /// The transaction that applied it; a group of SYNCs has one.
    pub transaction: i64,
    /// Its kind, such as `SYNC`; `None`: Slony-I has forgotten the event already.
    pub kind: Option<String>,
}

/// What was confirmed at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Confirmations {
    /// The last archive that had committed then.
    pub committed: Counter,
    /// From the events on that were asked for, as far as Slony-I still remembers them: it forgets the oldest after ten minutes and
    /// more.
    pub events: Vec<Confirmation>,
    /// The sets that this node receives, each with the Slony node that it comes from.
    pub sets: Vec<(i32, u64)>,
}

/// Reads what was confirmed from these events on, by Slony node. Counter and events are seen by one statement, hence at one moment:
/// slon raises the one and writes the other in one transaction, if it archives at all.
pub async fn confirmations(
    db: &Database,
    session: &Session,
    since: &BTreeMap<u64, u64>,
) -> Result<Confirmations> {
    let cluster = db.cluster_schema();
    let local = i32::try_from(db.local_node(session).await?.0).unwrap_or(i32::MAX);
    let number = |number: &u64| i64::try_from(*number).unwrap_or(i64::MAX);
    let (origins, events): (Vec<i64>, Vec<i64>) =
        since.iter().map(|(origin, event)| (number(origin), number(event))).unzip();
    let sql = format!(
        "select n.ac_num, c.con_origin::int8, c.con_seqno, c.xmin::text::int8, e.ev_type::text
           from {cluster}.sl_archive_counter n
           left join {cluster}.sl_confirm c on c.con_received = $1 and c.con_seqno >= coalesce(
                (select s.event from unnest($2::int8[], $3::int8[]) s (origin, event) where s.origin = c.con_origin), 0)
           left join {cluster}.sl_event e on e.ev_origin = c.con_origin and e.ev_seqno = c.con_seqno"
    );
    let rows = session.client().query(&sql, &[&local, &origins, &events]).await;
    let rows = rows.tried("read `sl_confirm`")?;
    let committed = rows.first().and_then(|row| Counter::from_database(row.get(0)));
    let sql = format!(
        "select s.set_id, s.set_origin::int8 from {cluster}.sl_set s
           join {cluster}.sl_subscribe r on r.sub_set = s.set_id where r.sub_receiver = $1"
    );
    let sets = session.client().query(&sql, &[&local]).await.tried("read `sl_set`")?;
    Ok(Confirmations {
        committed: committed.ok_or_else(|| Error::WrongDatabase("sl_archive_counter is empty".into()))?,
        events: rows.iter().filter_map(confirmation).collect(),
        sets: sets.iter().filter_map(|row| Some((row.get(0), unsigned(row, 1)?))).collect(),
    })
}

fn confirmation(row: &Row) -> Option<Confirmation> {
    let transaction = row.get::<_, Option<i64>>(3)?;
    Some(Confirmation { origin: unsigned(row, 1)?, event: unsigned(row, 2)?, transaction, kind: row.get(4) })
}

fn unsigned(row: &Row, at: usize) -> Option<u64> {
    row.get::<_, Option<i64>>(at).and_then(|number| u64::try_from(number).ok())
}

/// The series of all sets, each with its set and the Slony node that the set comes from.
pub async fn series_of_sets(db: &Database, session: &Session) -> Result<Vec<(Series, i32, u64)>> {
    let cluster = db.cluster_schema();
    let sql = format!(
        "select t.tab_nspname::text, t.tab_relname::text, s.set_id, s.set_origin::int8
           from {cluster}.sl_table t join {cluster}.sl_set s on s.set_id = t.tab_set"
    );
    let rows = session.client().query(&sql, &[]).await.tried("read `sl_table`")?;
    let series = |row: &Row| Series::new(row.get::<_, String>(0), row.get::<_, String>(1));
    Ok(rows.iter().filter_map(|row| Some((series(row), row.get(2), unsigned(row, 3)?))).collect())
}
