//! The indexes of tables, those behind its constraints among them: the table clusters on one, is replicated by one,
//! and keeps statistics of their columns.

use tokio_postgres::{Client, Error, Row};

use super::grouped::{self, Grouped};
use crate::model::{QualifiedName, quote_identifier};

/// An index that is not valid (a `create index concurrently` that failed) is not there for queries, so not for us.
const INDEXES: &str = "\
    select n.nspname::text, c.relname::text, pg_catalog.pg_get_indexdef(i.indexrelid), \
        exists (select from pg_catalog.pg_constraint k where k.conindid = i.indexrelid \
            and k.conrelid = i.indrelid and k.contype in ('p', 'u', 'x')), \
        i.indisclustered, i.indisreplident, \
        array(select a.attnum::int from pg_catalog.pg_attribute a \
            where a.attrelid = i.indexrelid and a.attstattarget >= 0 order by a.attnum), \
        array(select a.attstattarget::int from pg_catalog.pg_attribute a \
            where a.attrelid = i.indexrelid and a.attstattarget >= 0 order by a.attnum), i.indrelid as of_table \
    from pg_catalog.pg_index i join pg_catalog.pg_class c on c.oid = i.indexrelid \
    join pg_catalog.pg_namespace n on n.oid = c.relnamespace \
    where i.indrelid = any ($1) and i.indisvalid order by c.relname";

/// One index.
pub(super) struct Index {
    pub(super) name: QualifiedName,
    pub(super) is_replica_identity: bool,
    /// `CREATE INDEX ...`, without a semicolon.
    definition: String,
    /// A constraint makes it.
    is_constraint: bool,
    is_clustered: bool,
    /// Number of a column in the index, and its statistics target.
    statistics: Vec<(i32, i32)>,
}

/// The valid indexes of the tables with these oids, by name.
pub(super) async fn indexes(client: &Client, tables: &[u32]) -> Result<Grouped<Index>, Error> {
    grouped::read(client, INDEXES, tables, Index::from_row).await
}

impl Index {
    fn from_row(row: &Row) -> Result<Self, Error> {
        let (numbers, targets): (Vec<i32>, Vec<i32>) = (row.try_get(6)?, row.try_get(7)?);
        Ok(Self {
            name: QualifiedName { schema: row.try_get(0)?, name: row.try_get(1)? },
            is_replica_identity: row.try_get(5)?,
            definition: row.try_get(2)?,
            is_constraint: row.try_get(3)?,
            is_clustered: row.try_get(4)?,
            statistics: numbers.into_iter().zip(targets).collect(),
        })
    }

    /// The index, unless a constraint makes it, and what is set on it.
    pub(super) fn create(&self, table: &str) -> Vec<String> {
        let mut statements = Vec::new();
        if !self.is_constraint {
            statements.push(format!("{};", self.definition));
        }
        let name = self.name.sql();
        statements.extend(self.statistics.iter().map(|(column, target)| {
            format!("alter index {name} alter column {column} set statistics {target};")
        }));
        if self.is_clustered {
            statements.push(format!("alter table {table} cluster on {};", quote_identifier(&self.name.name)));
        }
        statements
    }

    /// `create index if not exists ...;`, nothing if a constraint makes it.
    pub(super) fn create_if_missing(&self) -> Option<String> {
        let (create, rest) = self.definition.split_once("INDEX ")?;
        (!self.is_constraint).then(|| format!("{create}INDEX if not exists {rest};"))
    }
}
