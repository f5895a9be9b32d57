//! Extended statistics of tables (`create statistics`).

use tokio_postgres::{Client, Error, Row};

use super::grouped::{self, Grouped};
use crate::model::QualifiedName;

/// `stxstattarget` came with version 13.
const STATISTICS: &str = "\
    select n.nspname::text, s.stxname::text, pg_catalog.pg_get_statisticsobjdef(s.oid), \
        (pg_catalog.to_jsonb(s) ->> 'stxstattarget')::int, s.stxrelid as of_table \
    from pg_catalog.pg_statistic_ext s join pg_catalog.pg_namespace n on n.oid = s.stxnamespace \
    where s.stxrelid = any ($1) order by n.nspname, s.stxname";

/// The statements that make the statistics objects of the tables with these oids.
pub(super) async fn statistics(client: &Client, tables: &[u32]) -> Result<Grouped<String>, Error> {
    grouped::read(client, STATISTICS, tables, statements).await
}

fn statements(row: &Row) -> Result<String, Error> {
    let name = QualifiedName { schema: row.try_get(0)?, name: row.try_get(1)? };
    let create = format!("{};", row.try_get::<_, &str>(2)?);
    let target = row.try_get::<_, Option<i32>>(3)?.filter(|target| *target >= 0);
    Ok(match target {
        Some(target) => format!("{create}\nalter statistics {} set statistics {target};", name.sql()),
        None => create,
    })
}
