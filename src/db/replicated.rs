//! What Slony-I replicates.

use super::size::COLUMNS;
use super::{Database, Session, TableSize};
use crate::error::{Result, Tried};
use crate::model::Series;

/// A series in a set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReplicatedSeries {
    /// The series, as the table is called now.
    pub series: Series,
    /// Its set.
    pub set: i32,
    /// The Slony node that it comes from.
    pub origin: i32,
    /// Whether this node receives the set: only then its changes come into the archives.
    pub is_received: bool,
    /// How large it is.
    pub size: TableSize,
}

/// Every series of every set that is there, all in one query, in the order of their names.
pub async fn replicated(db: &Database, session: &Session) -> Result<Vec<ReplicatedSeries>> {
    let cluster = db.cluster_schema();
    let local = db.local_node(session).await?;
    let local = i32::try_from(local.0).unwrap_or(i32::MAX);
    let sql = format!(
        "select n.nspname::text, c.relname::text, t.tab_set, o.set_origin, s.sub_set is not null, {COLUMNS}
           from {cluster}.sl_table t
           join pg_class c on c.oid = t.tab_reloid
           join pg_namespace n on n.oid = c.relnamespace
           join {cluster}.sl_set o on o.set_id = t.tab_set
           left join {cluster}.sl_subscribe s on s.sub_set = t.tab_set and s.sub_receiver = $1 and s.sub_active
          order by 1, 2"
    );
    let rows = session.client().query(&sql, &[&local]).await.tried("ask what is replicated")?;
    let one = |row: &tokio_postgres::Row| ReplicatedSeries {
        series: Series::new(row.get::<_, String>(0), row.get::<_, String>(1)),
        set: row.get(2),
        origin: row.get(3),
        is_received: row.get(4),
        size: TableSize::new(row.get(5), row.get(6)),
    };
    Ok(rows.iter().map(one).collect())
}
