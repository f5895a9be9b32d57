//! How large tables are, as the catalog estimates it.

use super::Session;
use crate::error::{Result, Tried};
use crate::model::Series;

/// What is known of a table without reading it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct TableSize {
    /// Its rows, as they were counted last; `None`: never.
    pub rows: Option<u64>,
    /// What it takes on disk, without its indexes.
    pub bytes: u64,
}

/// Rows and bytes of the table `c` for [`TableSize::new`]. A table that was never counted says -1 or, before PostgreSQL 14, 0.
pub(super) const COLUMNS: &str = "case when c.reltuples < 0 or c.reltuples = 0 and pg_relation_size(c.oid) > 0 then null \
                                       else c.reltuples::float8 end, \
                                  pg_table_size(c.oid)";

impl TableSize {
    /// What [`COLUMNS`] give.
    pub(super) fn new(rows: Option<f64>, bytes: Option<i64>) -> Self {
        // An estimate of more rows than fit has lost its digits long before.
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "an estimate, not negative"
        )]
        let rows = rows.filter(|rows| *rows >= 0.0).map(|rows| rows as u64);
        Self { rows, bytes: bytes.and_then(|bytes| u64::try_from(bytes).ok()).unwrap_or_default() }
    }
}

/// Asks for the sizes of series, all in one query; the answers are in the order of the question. One that is not there is empty.
pub async fn sizes(session: &Session, series: &[Series]) -> Result<Vec<TableSize>> {
    if series.is_empty() {
        return Ok(Vec::new());
    }
    let schemas: Vec<&str> = series.iter().map(|series| series.0.schema.as_str()).collect();
    let tables: Vec<&str> = series.iter().map(|series| series.0.name.as_str()).collect();
    let sql = format!(
        "select {COLUMNS}
           from unnest($1::text[], $2::text[]) with ordinality as asked(nsp, rel, at)
           left join pg_namespace n on n.nspname = asked.nsp
           left join pg_class c on c.relnamespace = n.oid and c.relname = asked.rel and c.relkind in ('r', 'p')
          order by asked.at"
    );
    let rows =
        session.client().query(&sql, &[&schemas, &tables]).await.tried("ask how large the series are")?;
    Ok(rows.iter().map(|row| TableSize::new(row.get(0), row.get(1))).collect())
}
