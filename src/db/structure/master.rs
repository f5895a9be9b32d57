//! The rows of series in the DRMS master tables of their schemas, and how they get to a site.

use std::collections::BTreeMap;

use tokio_postgres::{Client, Error};

use crate::model::{MASTER_TABLES, QualifiedName, Series, quote_identifier, quote_literal};

/// Each of the tables that is there and tells the series of a row, with its columns; those that the server computes
/// (`attgenerated` came with version 12) cannot be copied.
const COLUMNS: &str = "\
    select n.nspname::text, c.relname::text, array_agg(a.attname::text order by a.attnum) \
    from pg_catalog.pg_namespace n join pg_catalog.pg_class c on c.relnamespace = n.oid \
    join pg_catalog.pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped \
        and coalesce(pg_catalog.to_jsonb(a) ->> 'attgenerated', '') = '' \
    where n.nspname = any ($1::text[]::name[]) and c.relname = any ($2::text[]::name[]) and c.relkind in ('r', 'p') \
    group by n.nspname, c.relname having bool_or(a.attname = 'seriesname') \
    order by n.nspname, array_position($2, c.relname::text)";

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

/// One master table's rows for series of its schema. Load tables in the order given; delete in the reverse order, in case
/// the site has foreign keys between them.
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

/// The DRMS master tables that are there in the schemas of `series` and have a column `seriesname`. Rows belong to a
/// series if that column is its name, in whatever case of ASCII letters. They are asked for many series at once: a table without a fitting
/// index is read as a whole each time.
pub async fn master_rows(
    client: &Client,
    series: &[Series],
    overrides: &Overrides,
) -> Result<Vec<MasterRows>, Error> {
    let mut names: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for Series(QualifiedName { schema, name }) in series {
        names.entry(schema).or_default().push(format!("{schema}.{name}"));
    }
    let schemas: Vec<&str> = names.keys().copied().collect();
    let rows = client.query(COLUMNS, &[&schemas, &MASTER_TABLES.as_slice()]).await?;
    let tables = rows.iter().map(|row| {
        let table = QualifiedName { schema: row.try_get(0)?, name: row.try_get(1)? };
        let columns: Vec<String> = row.try_get(2)?;
        let values: Vec<String> = columns.iter().map(|column| overrides.of(&table.name, column)).collect();
        let columns: Vec<String> = columns.iter().map(|column| quote_identifier(column)).collect();
        let names = names.get(table.schema.as_str()).map(Vec::as_slice).unwrap_or_default();
        let (table_sql, its_rows) = (table.sql(), rows_of(names));
        Ok(MasterRows {
            delete: format!("delete from {table_sql} {its_rows};"),
            copy_in: format!("copy {table_sql} ({}) from stdin;", columns.join(", ")),
            copy_out: format!("copy (select {} from {table_sql} {its_rows}) to stdout", values.join(", ")),
            table,
        })
    });
    tables.collect()
}

/// `where` of the rows of these series. The server's `lower` is there for its index; it folds letters outside of ASCII by the
/// locale of the database, which the splitter does not know. So the second condition, which takes ASCII alone, decides.
fn rows_of(names: &[String]) -> String {
    let list = |of: &dyn Fn(&String) -> String| names.iter().map(of).collect::<Vec<_>>().join(", ");
    let by_locale = list(&|name| format!("lower({})", quote_literal(name)));
    let by_ascii = list(&|name| quote_literal(&name.to_ascii_lowercase()));
    let beyond = if names.iter().all(|name| name.is_ascii()) {
        String::new()
    } else {
        format!(" and lower(\"seriesname\" collate \"C\") in ({by_ascii})")
    };
    format!("where lower(\"seriesname\") in ({by_locale}){beyond}")
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
