//! Extended statistics of a table (`create statistics`).

use tokio_postgres::{Client, Error};

use crate::model::QualifiedName;

/// `stxstattarget` came with version 13.
const STATISTICS: &str = "\
    select n.nspname::text, s.stxname::text, pg_catalog.pg_get_statisticsobjdef(s.oid), \
        (pg_catalog.to_jsonb(s) ->> 'stxstattarget')::int \
    from pg_catalog.pg_statistic_ext s join pg_catalog.pg_namespace n on n.oid = s.stxnamespace \
    where s.stxrelid = $1 order by n.nspname, s.stxname";

/// The statements that make the statistics objects of the table with this oid.
pub(super) async fn statistics(client: &Client, table: u32) -> Result<Vec<String>, Error> {
    let mut statements = Vec::new();
    for row in client.query(STATISTICS, &[&table]).await? {
        let name = QualifiedName { schema: row.try_get(0)?, name: row.try_get(1)? };
        statements.push(format!("{};", row.try_get::<_, &str>(2)?));
        if let Some(target) = row.try_get::<_, Option<i32>>(3)?.filter(|target| *target >= 0) {
            statements.push(format!("alter statistics {} set statistics {target};", name.sql()));
        }
    }
    Ok(statements)
}
