//! The rows of a series in the DRMS master tables of its schema, and how they get to a site.

use tokio_postgres::{Client, Error};

use crate::model::{MASTER_TABLES, QualifiedName, Series, quote_identifier, quote_literal};

/// Each of the tables that is there and tells the series of a row, with its columns; those that the server computes
/// (`attgenerated` came with version 12) cannot be copied.
const COLUMNS: &str = "\
    select c.relname::text, array_agg(a.attname::text order by a.attnum) \
    from pg_catalog.pg_namespace n join pg_catalog.pg_class c on c.relnamespace = n.oid \
    join pg_catalog.pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped \
        and coalesce(pg_catalog.to_jsonb(a) ->> 'attgenerated', '') = '' \
    where n.nspname = $1::text::name and c.relname = any ($2::text[]::name[]) and c.relkind in ('r', 'p') \
    group by c.relname having bool_or(a.attname = 'seriesname') \
    order by array_position($2, c.relname::text)";

/// What a site wants its row of `drms_series` to say. `None` keeps the source's value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Overrides {
    /// Whether the storage units go to tape.
    pub archive: Option<i32>,
    /// How long storage units stay on disk, in days.
    pub retention: Option<i32>,
    /// The group of tapes.
    pub tapegroup: Option<i32>,
    /// The role that owns the series at the site.
    pub owner: String,
}

/// One master table's rows for a series. Load tables in the order given; delete in the reverse order, in case the site
/// has foreign keys between them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MasterRows {
    /// The table, at the source and at the site.
    pub table: QualifiedName,
    /// `delete from ...;` the rows of the series: makes the load repeatable.
    pub delete: String,
    /// `copy ... from stdin;` for the site; the rows and `\.` follow.
    pub copy_in: String,
    /// `copy (...) to stdout` for the source, in text format; the overrides are in it.
    pub copy_out: String,
}

/// The DRMS master tables in the schema of `series` that are there and have a column `seriesname`. Rows belong to the
/// series if that column is its name, in whatever case.
pub async fn master_rows(
    client: &Client,
    series: &Series,
    overrides: &Overrides,
) -> Result<Vec<MasterRows>, Error> {
    let schema = &series.0.schema;
    let name = quote_literal(&format!("{schema}.{}", series.0.name));
    let rows = client.query(COLUMNS, &[schema, &MASTER_TABLES.as_slice()]).await?;
    let tables = rows.iter().map(|row| {
        let (table, columns): (String, Vec<String>) = (row.try_get(0)?, row.try_get(1)?);
        let own = |column: &str| overrides.of(&table, column);
        let values: Vec<String> = columns.iter().map(|column| own(column)).collect();
        let names: Vec<String> = columns.iter().map(|column| quote_identifier(column)).collect();
        let table = QualifiedName { schema: schema.clone(), name: table };
        let its_rows = format!("from {} where lower(\"seriesname\") = lower({name})", table.sql());
        Ok(MasterRows {
            delete: format!("delete {its_rows};"),
            copy_in: format!("copy {} ({}) from stdin;", table.sql(), names.join(", ")),
            copy_out: format!("copy (select {} {its_rows}) to stdout", values.join(", ")),
            table,
        })
    });
    tables.collect()
}

impl Overrides {
    /// What to select for a column: the column, or the value that the site wants.
    fn of(&self, table: &str, column: &str) -> String {
        let number = match (table, column) {
            ("drms_series", "archive") => self.archive,
            ("drms_series", "retention") => self.retention,
            ("drms_series", "tapegroup") => self.tapegroup,
            ("drms_series", "owner") => return quote_literal(&self.owner),
            _ => None,
        };
        number.map_or_else(|| quote_identifier(column), |number| number.to_string())
    }
}
