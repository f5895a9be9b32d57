//! The columns of tables, in order, without those that were dropped.

use tokio_postgres::{Client, Error, Row};

use super::generator::Generator;
use super::grouped::{self, Grouped};
use super::options;
use crate::model::{QualifiedName, quote_identifier};

/// `to_jsonb(a)` gives null for a column of the catalog that this server does not have yet: `attgenerated` came with
/// version 12, `attcompression` with 14.
const COLUMNS: &str = "\
    select a.attname::text, pg_catalog.format_type(a.atttypid, a.atttypmod), a.attnotnull, \
        cn.nspname::text, co.collname::text, pg_catalog.pg_get_expr(d.adbin, d.adrelid), \
        a.attidentity::text, coalesce(pg_catalog.to_jsonb(a) ->> 'attgenerated', ''), \
        case when a.attstorage <> t.typstorage then case a.attstorage when 'p' then 'plain' \
            when 'e' then 'external' when 'm' then 'main' else 'extended' end end, \
        case pg_catalog.to_jsonb(a) ->> 'attcompression' when 'p' then 'pglz' when 'l' then 'lz4' end, \
        case when a.attstattarget >= 0 then a.attstattarget::int end, a.attoptions, a.attrelid as of_table \
    from pg_catalog.pg_attribute a join pg_catalog.pg_type t on t.oid = a.atttypid \
    left join pg_catalog.pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum \
    left join pg_catalog.pg_collation co on co.oid = a.attcollation and a.attcollation <> t.typcollation \
    left join pg_catalog.pg_namespace cn on cn.oid = co.collnamespace \
    where a.attrelid = any ($1) and a.attnum > 0 and not a.attisdropped order by a.attnum";

/// One column.
pub(super) struct Column {
    pub(super) name: String,
    /// With its modifiers: `numeric(10,2)`.
    type_name: String,
    not_null: bool,
    /// If it is not the one of the type.
    collation: Option<QualifiedName>,
    value: Value,
    /// If it is not the one of the type.
    storage: Option<String>,
    compression: Option<String>,
    statistics: Option<i32>,
    options: Vec<String>,
}

/// Where a value comes from that an insert does not give.
enum Value {
    Null,
    Default(String),
    /// Computed from other columns; the word says whether it is stored.
    Generated(String, &'static str),
    /// From the column's own sequence: `always` or `by default`.
    Identity(&'static str),
}

/// The columns of the tables with these oids.
pub(super) async fn columns(client: &Client, tables: &[u32]) -> Result<Grouped<Column>, Error> {
    grouped::read(client, COLUMNS, tables, Column::from_row).await
}

impl Column {
    fn from_row(row: &Row) -> Result<Self, Error> {
        let collation = match (row.try_get(3)?, row.try_get(4)?) {
            (Some(schema), Some(name)) => Some(QualifiedName { schema, name }),
            _ => None,
        };
        let (expression, identity, generated) =
            (row.try_get::<_, Option<String>>(5)?, row.try_get::<_, &str>(6)?, row.try_get::<_, &str>(7)?);
        let value = match (identity, generated, expression) {
            ("a", _, _) => Value::Identity("always"),
            ("d", _, _) => Value::Identity("by default"),
            (_, "", Some(expression)) => Value::Default(expression),
            (_, "v", Some(expression)) => Value::Generated(expression, "virtual"),
            (_, _, Some(expression)) => Value::Generated(expression, "stored"),
            (_, _, None) => Value::Null,
        };
        Ok(Self {
            name: row.try_get(0)?,
            type_name: row.try_get(1)?,
            not_null: row.try_get(2)?,
            collation,
            value,
            storage: row.try_get(8)?,
            compression: row.try_get(9)?,
            statistics: row.try_get(10)?,
            options: options::list("", row.try_get(11)?),
        })
    }

    /// Whether the server computes it, so that COPY must leave it out.
    pub(super) fn is_generated(&self) -> bool {
        matches!(self.value, Value::Generated(..))
    }

    /// The column as it stands in `create table`; an identity column's sequence is looked up in `generators`.
    pub(super) fn definition(&self, generators: &[Generator]) -> String {
        let collation = self.collation.as_ref().map(|name| format!(" collate {}", name.sql()));
        let value = match &self.value {
            Value::Null => String::new(),
            Value::Default(expression) => format!(" default {expression}"),
            Value::Generated(expression, kept) => format!(" generated always as ({expression}) {kept}"),
            Value::Identity(when) => {
                let options = generators.iter().find_map(|generator| generator.identity_of(&self.name));
                format!(" generated {when} as identity{}", options.unwrap_or_default())
            }
        };
        let not_null = if self.not_null { " not null" } else { "" };
        let collation = collation.unwrap_or_default();
        format!("{} {}{collation}{value}{not_null}", quote_identifier(&self.name), self.type_name)
    }

    /// What `create table` cannot say of the column: a statement for each.
    pub(super) fn settings(&self, table: &str) -> Vec<String> {
        let settings = [
            self.storage.as_ref().map(|storage| format!("set storage {storage}")),
            self.compression.as_ref().map(|method| format!("set compression {method}")),
            self.statistics.map(|target| format!("set statistics {target}")),
            (!self.options.is_empty()).then(|| format!("set ({})", self.options.join(", "))),
        ];
        let column = quote_identifier(&self.name);
        let alter = |setting| format!("alter table only {table} alter column {column} {setting};");
        settings.into_iter().flatten().map(alter).collect()
    }
}
