//! How far the Slony nodes are behind each other: `sl_status`, which shows a node's own events only, for the events of all.

use std::time::Duration;

use super::{Database, Session};
use crate::error::{Result, Tried};
use crate::model::SlonyNode;

/// One node, and one whose events it confirms.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lag {
    /// Whose events.
    pub origin: SlonyNode,
    /// Who confirms them.
    pub receiver: SlonyNode,
    /// How many it has not confirmed.
    pub events: u64,
    /// How old the oldest of them is; 0 if there are none.
    pub time: Duration,
}

/// Asks for all pairs of nodes, as far as this node knows.
pub async fn lags(db: &Database, session: &Session) -> Result<Vec<Lag>> {
    let cluster = db.cluster_schema();
    let sql = format!(
        "select con_origin, con_received, greatest(last - confirmed, 0),
                (select greatest(extract(epoch from now() - ev_timestamp), 0)::int8 from {cluster}.sl_event
                  where ev_origin = con_origin and ev_seqno > confirmed order by ev_seqno limit 1)
           from (select con_origin, con_received, max(con_seqno) as confirmed,
                        (select max(ev_seqno) from {cluster}.sl_event where ev_origin = con_origin) as last
                   from {cluster}.sl_confirm group by 1, 2) pairs
           join {cluster}.sl_node o on o.no_id = con_origin and o.no_active
           join {cluster}.sl_node r on r.no_id = con_received and r.no_active
          where con_origin <> con_received
          order by 1, 2"
    );
    let rows = session.client().query(&sql, &[]).await.tried("ask how far the Slony nodes are behind")?;
    let node = |number: i32| SlonyNode(u32::try_from(number).unwrap_or_default());
    let lag = |row: &tokio_postgres::Row| Lag {
        origin: node(row.get(0)),
        receiver: node(row.get(1)),
        events: u64::try_from(row.get::<_, Option<i64>>(2).unwrap_or_default()).unwrap_or_default(),
        time: Duration::from_secs(
            u64::try_from(row.get::<_, Option<i64>>(3).unwrap_or_default()).unwrap_or_default(),
        ),
    };
    Ok(rows.iter().map(lag).collect())
}
