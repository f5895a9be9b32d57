//! What was read of many tables by one query, by table again.

use std::collections::HashMap;

use tokio_postgres::{Client, Error, Row};

/// The things of each table, in the order in which they came.
pub(super) type Grouped<T> = HashMap<u32, Vec<T>>;

/// Runs a query about the tables with these oids, its only parameter. Its column `of_table` tells whose a row is.
pub(super) async fn read<T>(
    client: &Client,
    query: &str,
    tables: &[u32],
    from_row: impl Fn(&Row) -> Result<T, Error>,
) -> Result<Grouped<T>, Error> {
    group(&client.query(query, &[&tables]).await?, from_row)
}

/// The same for rows that are there.
pub(super) fn group<T>(
    rows: &[Row],
    from_row: impl Fn(&Row) -> Result<T, Error>,
) -> Result<Grouped<T>, Error> {
    let mut grouped = Grouped::new();
    for row in rows {
        grouped.entry(row.try_get("of_table")?).or_insert_with(Vec::new).push(from_row(row)?);
    }
    Ok(grouped)
}
