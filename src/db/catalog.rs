//! What the catalogs of PostgreSQL and Slony say of series.

use std::collections::BTreeMap;

use super::{Database, Session};
use crate::error::{Result, Tried};
use crate::model::{Sequence, Series, TextStyle, quote_identifier};

/// Whether a series can be subscribed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Replication {
    /// Its changes come through the archives of this node.
    Replicated,
    /// The table is there, but no set that this node receives has it.
    NotReplicated,
    /// There is no such table.
    Unknown,
}

/// Looks the series up, all in one query; the answers are in the order of the question.
///
/// A table counts as replicated if this node is an active receiver of its set: what originates here never comes into an
/// archive.
pub async fn replication(db: &Database, session: &Session, series: &[Series]) -> Result<Vec<Replication>> {
    let schemas: Vec<&str> = series.iter().map(|series| series.0.schema.as_str()).collect();
    let tables: Vec<&str> = series.iter().map(|series| series.0.name.as_str()).collect();
    let cluster = db.cluster_schema();
    let local = db.local_node(session).await?;
    let local = i32::try_from(local.0).unwrap_or(i32::MAX);
    let sql = format!(
        "select c.oid is not null, s.sub_set is not null
           from unnest($1::text[], $2::text[]) with ordinality as asked(nsp, rel, at)
           left join pg_namespace n on n.nspname = asked.nsp
           left join pg_class c on c.relnamespace = n.oid and c.relname = asked.rel and c.relkind in ('r', 'p')
           left join {cluster}.sl_table t on t.tab_reloid = c.oid
           left join {cluster}.sl_subscribe s on s.sub_set = t.tab_set and s.sub_receiver = $3 and s.sub_active
          order by asked.at"
    );
    let rows =
        session.client().query(&sql, &[&schemas, &tables, &local]).await.tried("look the series up")?;
    Ok(rows
        .iter()
        .map(|row| match (row.get(0), row.get(1)) {
            (true, true) => Replication::Replicated,
            (true, false) => Replication::NotReplicated,
            (false, _) => Replication::Unknown,
        })
        .collect())
}

/// The encoding of the database, in which slon writes its archives, and by what else its sessions read values: not as our session
/// has it, but as it would be.
pub async fn text_style(session: &Session) -> Result<TextStyle> {
    let sql = "select pg_encoding_to_char(d.encoding)::text, i.reset_val, m.reset_val
                 from pg_database d, pg_settings i, pg_settings m
                where d.datname = current_database() and i.name = 'IntervalStyle' and m.name = 'lc_monetary'";
    let row = session.client().query_one(sql, &[]).await.tried("read the database's encoding")?;
    Ok(TextStyle { encoding: row.get(0), intervals: row.get(1), money: row.get(2) })
}

/// The numbers by which Slony-I before 2.2 calls sequences in its archives.
pub async fn sequence_numbers(session: &Session, cluster: &str) -> Result<BTreeMap<u32, Sequence>> {
    let cluster = quote_identifier(&format!("_{cluster}"));
    let sql = format!("select seq_id, seq_nspname::text, seq_relname::text from {cluster}.sl_sequence");
    let rows = session.client().query(&sql, &[]).await.tried("read the numbers of the sequences")?;
    let number = |row: &tokio_postgres::Row| u32::try_from(row.get::<_, i32>(0)).ok();
    let sequence =
        |row: &tokio_postgres::Row| Sequence::new(row.get::<_, String>(1), row.get::<_, String>(2));
    Ok(rows.iter().filter_map(|row| Some((number(row)?, sequence(row)))).collect())
}

/// Whether Slony-I still remembers an event of the two kinds whose archive it commits before it writes it.
pub async fn commits_before_it_writes(db: &Database, session: &Session) -> Result<bool> {
    let cluster = db.cluster_schema();
    let sql = format!(
        "select exists (select from {cluster}.sl_event where ev_type in ('ACCEPT_SET', 'FAILOVER_NODE', 'FAILOVER_SET'))"
    );
    Ok(session.client().query_one(&sql, &[]).await.tried("read `sl_event`")?.get(0))
}
