//! What this node has confirmed to the others: every event that slon has applied, archived or not; and what comes to it at all.

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

/// A table of a set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReplicatedTable {
    /// The table by the name that it has now.
    pub series: Series,
    /// Its set.
    pub set: i32,
    /// The Slony node where the set begins.
    pub origin: u64,
    /// Whether its changes come to this node.
    pub is_received: bool,
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
    /// The tables of all sets.
    pub tables: Vec<ReplicatedTable>,
    /// The Slony node that this is.
    pub local: u64,
    /// Its last own event.
    pub own_event: Option<u64>,
    /// Sets of which nothing came for a while since: it gave them to another origin (`true`), or subscribed to them without a copy.
    pub returned: Vec<(i32, bool)>,
}

/// Reads what was confirmed from these events on, by Slony node, as it stands at one moment: slon raises the counter and writes the
/// confirmation in one transaction, if it archives at all.
pub async fn confirmations(
    db: &Database,
    session: &Session,
    since: &BTreeMap<u64, u64>,
) -> Result<Confirmations> {
    let local = db.local_node(session).await?.0;
    let begin = "begin isolation level repeatable read read only";
    session.client().batch_execute(begin).await.tried("begin to read `sl_confirm`")?;
    let read = read(db, session, since, u64::from(local)).await;
    // Also after a failure: without it the session answers nothing any more.
    let ended = session.client().batch_execute("rollback").await.tried("end to read `sl_confirm`");
    let read = read?;
    ended.map(|()| read)
}

async fn read(
    db: &Database,
    session: &Session,
    since: &BTreeMap<u64, u64>,
    node: u64,
) -> Result<Confirmations> {
    let cluster = db.cluster_schema();
    let local = i32::try_from(node).unwrap_or(i32::MAX);
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
    let client = session.client();
    let rows = client.query(&sql, &[&local, &origins, &events]).await.tried("read `sl_confirm`")?;
    let committed = rows.first().and_then(|row| Counter::from_database(row.get(0)));
    let sql = format!(
        "select s.set_id, s.set_origin::int8 from {cluster}.sl_set s
           join {cluster}.sl_subscribe r on r.sub_set = s.set_id where r.sub_receiver = $1"
    );
    let sets = client.query(&sql, &[&local]).await.tried("read `sl_set`")?;
    let sql = format!(
        "select e.ev_data1, e.ev_type = 'MOVE_SET' from {cluster}.sl_event e
           join unnest($2::int8[], $3::int8[]) s (origin, event) on s.origin = e.ev_origin and e.ev_seqno > s.event
          where e.ev_type = 'MOVE_SET' and e.ev_origin = $1
             or e.ev_type = 'ENABLE_SUBSCRIPTION' and e.ev_data3 = $4 and e.ev_data5 like 't%'"
    );
    let returned = client.query(&sql, &[&local, &origins, &events, &node.to_string()]).await;
    let returned = returned.tried("read `sl_event`")?;
    let one = |row: &Row| Some((row.get::<_, Option<&str>>(0)?.parse().ok()?, row.get(1)));
    let sql = format!("select max(ev_seqno) from {cluster}.sl_event where ev_origin = $1");
    let own_event = client.query_one(&sql, &[&local]).await.tried("read `sl_event`")?;
    Ok(Confirmations {
        committed: committed.ok_or_else(|| Error::WrongDatabase("sl_archive_counter is empty".into()))?,
        events: rows.iter().filter_map(confirmation).collect(),
        sets: sets.iter().filter_map(|row| Some((row.get(0), unsigned(row, 1)?))).collect(),
        tables: tables(&cluster, session, local).await?,
        local: node,
        own_event: unsigned(&own_event, 0),
        returned: returned.iter().filter_map(one).collect(),
    })
}

fn confirmation(row: &Row) -> Option<Confirmation> {
    let transaction = row.get::<_, Option<i64>>(3)?;
    Some(Confirmation { origin: unsigned(row, 1)?, event: unsigned(row, 2)?, transaction, kind: row.get(4) })
}

fn unsigned(row: &Row, at: usize) -> Option<u64> {
    row.get::<_, Option<i64>>(at).and_then(|number| u64::try_from(number).ok())
}

/// The tables of all sets, by the names that they have now: archives call them so.
async fn tables(cluster: &str, session: &Session, local: i32) -> Result<Vec<ReplicatedTable>> {
    let sql = format!(
        "select n.nspname::text, c.relname::text, t.tab_set, o.set_origin::int8,
                o.set_origin <> $1 and s.sub_set is not null
           from {cluster}.sl_table t
           join {cluster}.sl_set o on o.set_id = t.tab_set
           join pg_class c on c.oid = t.tab_reloid
           join pg_namespace n on n.oid = c.relnamespace
           left join {cluster}.sl_subscribe s on s.sub_set = t.tab_set and s.sub_receiver = $1 and s.sub_active"
    );
    let rows = session.client().query(&sql, &[&local]).await.tried("read `sl_table`")?;
    let table = |row: &Row| {
        let series = Series::new(row.get::<_, String>(0), row.get::<_, String>(1));
        Some(ReplicatedTable { series, set: row.get(2), origin: unsigned(row, 3)?, is_received: row.get(4) })
    };
    Ok(rows.iter().filter_map(table).collect())
}
