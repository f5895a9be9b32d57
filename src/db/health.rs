//! What the cluster's own tables say of this node, and of what is subscribed.

use std::time::Duration;

use super::{Database, Session};
use crate::error::{Error, Result, Tried};
use crate::model::{Counter, Series, SlonyNode};

/// How the log-shipping node stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Health {
    /// Its number.
    pub node: SlonyNode,
    /// The last archive that is committed.
    pub committed: Counter,
    /// How long ago that was.
    pub archived: Duration,
    /// How long ago the newest event of another node happened there; `None` if there is none.
    pub event: Option<Duration>,
    /// How many sets it receives.
    pub sets: u64,
    /// Whether its own slon has a session with the database. Those of other nodes have one too.
    pub has_slon: bool,
}

/// What became of a series.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// Its changes come through the archives.
    Replicated,
    /// There is no such table.
    Gone,
    /// It is replicated under another name now.
    Renamed(String),
    /// No set that this node receives has it.
    NotReplicated,
    /// Its set originates at this node: such changes never come into an archive.
    OwnSet(i32),
}

/// Asks how the node stands.
pub async fn health(db: &Database, session: &Session) -> Result<Health> {
    let node = db.local_node(session).await?;
    let committed = db.committed(session).await?;
    let cluster = db.cluster_schema();
    let sql = format!(
        "select (select extract(epoch from now() - ac_timestamp)::bigint from {cluster}.sl_archive_counter),
                (select extract(epoch from now() - max(ev_timestamp))::bigint from {cluster}.sl_event where ev_origin <> $1),
                (select count(*) from {cluster}.sl_subscribe where sub_receiver = $1 and sub_active),
                exists (select from {cluster}.sl_nodelock join pg_stat_activity on pid = nl_backendpid
                         where nl_nodeid = $1 and datname = current_database())"
    );
    let row = session.client().query_one(&sql, &[&number(node)]).await;
    let row = row.tried("ask how the Slony node stands")?;
    let ago = |seconds: i64| Duration::from_secs(u64::try_from(seconds).unwrap_or_default());
    Ok(Health {
        node,
        committed,
        archived: row
            .get::<_, Option<i64>>(0)
            .map(ago)
            .ok_or_else(|| Error::WrongDatabase("sl_archive_counter is empty".into()))?,
        event: row.get::<_, Option<i64>>(1).map(ago),
        sets: u64::try_from(row.get::<_, i64>(2)).unwrap_or_default(),
        has_slon: row.get(3),
    })
}

/// Asks what became of series; the answers are in the order of the question.
pub async fn standings(
    db: &Database,
    session: &Session,
    node: SlonyNode,
    series: &[Series],
) -> Result<Vec<Standing>> {
    let schemas: Vec<&str> = series.iter().map(|series| series.0.schema.as_str()).collect();
    let tables: Vec<&str> = series.iter().map(|series| series.0.name.as_str()).collect();
    let cluster = db.cluster_schema();
    let sql = format!(
        "select s.sub_set is not null, o.set_id, c.oid is not null,
                (select format('%I.%I', m.nspname, d.relname)
                   from {cluster}.sl_table r join pg_class d on d.oid = r.tab_reloid
                   join pg_namespace m on m.oid = d.relnamespace
                  where r.tab_nspname = nsp and r.tab_relname = rel and (m.nspname, d.relname) <> (nsp, rel)
                  limit 1)
           from unnest($1::text[], $2::text[]) with ordinality as asked(nsp, rel, at)
           left join pg_namespace n on n.nspname = asked.nsp
           left join pg_class c on c.relnamespace = n.oid and c.relname = asked.rel and c.relkind in ('r', 'p')
           left join {cluster}.sl_table t on t.tab_reloid = c.oid
           left join {cluster}.sl_subscribe s on s.sub_set = t.tab_set and s.sub_receiver = $3 and s.sub_active
           left join {cluster}.sl_set o on o.set_id = t.tab_set and o.set_origin = $3
          order by asked.at"
    );
    let rows = session.client().query(&sql, &[&schemas, &tables, &number(node)]).await;
    let standing = |row: &tokio_postgres::Row| {
        let (received, own, there): (bool, Option<i32>, bool) = (row.get(0), row.get(1), row.get(2));
        match (received, own, row.get::<_, Option<String>>(3)) {
            (true, ..) => Standing::Replicated,
            (false, Some(set), _) => Standing::OwnSet(set),
            (false, None, Some(name)) => Standing::Renamed(name),
            (false, None, None) if there => Standing::NotReplicated,
            (false, None, None) => Standing::Gone,
        }
    };
    Ok(rows.tried("ask what became of the series")?.iter().map(standing).collect())
}

/// Those of the series that are unlogged tables here: a crash of this server empties them.
pub async fn unlogged(session: &Session, series: &[Series]) -> Result<Vec<Series>> {
    let schemas: Vec<&str> = series.iter().map(|series| series.0.schema.as_str()).collect();
    let tables: Vec<&str> = series.iter().map(|series| series.0.name.as_str()).collect();
    let sql = "select nsp, rel from unnest($1::text[], $2::text[]) with ordinality as asked(nsp, rel, at)
                 join pg_namespace n on n.nspname = asked.nsp
                 join pg_class c on c.relnamespace = n.oid and c.relname = asked.rel and c.relpersistence = 'u'
                order by asked.at";
    let rows = session.client().query(sql, &[&schemas, &tables]).await;
    let rows = rows.tried("ask which series are unlogged tables")?;
    Ok(rows.iter().map(|row| Series::new(row.get::<_, String>(0), row.get::<_, String>(1))).collect())
}

fn number(node: SlonyNode) -> i32 {
    i32::try_from(node.0).unwrap_or(i32::MAX)
}
