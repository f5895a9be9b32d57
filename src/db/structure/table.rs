//! Tables as the catalog has them, with everything that `create table` says.

use tokio_postgres::{Client, Error, Row};

use super::columns::{self, Column};
use super::constraints::{self, Constraint};
use super::generator::{self, Generator};
use super::indexes::{self, Index};
use super::options;
use crate::model::{QualifiedName, quote_identifier};

const TABLES: &str = "\
    select c.oid, c.relreplident::text, c.reloptions, toast.reloptions, w.schema, w.name \
    from unnest($1::text[], $2::text[]) with ordinality w(schema, name, place) \
    join pg_catalog.pg_namespace n on n.nspname = w.schema::name \
    join pg_catalog.pg_class c on c.relnamespace = n.oid and c.relname = w.name::name and c.relkind in ('r', 'p') \
    left join pg_catalog.pg_class toast on toast.oid = c.reltoastrelid \
    order by w.place";

/// What `create table` does where one of that name is there already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Clash {
    /// It fails.
    Fail,
    /// It keeps what is there (`if not exists`). All constraints stand in the statement, as none can be added later
    /// without failing the second time.
    Keep,
}

/// A table and its parts.
pub(super) struct Table {
    pub(super) oid: u32,
    pub(super) name: QualifiedName,
    pub(super) columns: Vec<Column>,
    pub(super) generators: Vec<Generator>,
    pub(super) constraints: Vec<Constraint>,
    pub(super) indexes: Vec<Index>,
    options: Vec<String>,
    /// `pg_class.relreplident`
    replica_identity: String,
}

impl Table {
    /// Reads the tables of these names, each given once, in their order, by as many queries for all as for one. Names that are no tables
    /// are left out.
    pub(super) async fn read(client: &Client, names: &[QualifiedName]) -> Result<Vec<Self>, Error> {
        let (schemas, simple_names) = halves(names);
        let rows = client.query(TABLES, &[&schemas, &simple_names]).await?;
        let mut tables = rows.iter().map(Self::from_row).collect::<Result<Vec<_>, _>>()?;
        let oids: Vec<u32> = tables.iter().map(|table| table.oid).collect();
        let mut columns = columns::columns(client, &oids).await?;
        let mut generators = generator::generators(client, names).await?;
        let mut constraints = constraints::constraints(client, &oids).await?;
        let mut indexes = indexes::indexes(client, &oids).await?;
        for table in &mut tables {
            table.columns = columns.remove(&table.oid).unwrap_or_default();
            table.generators = generators.remove(&table.oid).unwrap_or_default();
            table.constraints = constraints.remove(&table.oid).unwrap_or_default();
            table.indexes = indexes.remove(&table.oid).unwrap_or_default();
        }
        Ok(tables)
    }

    /// Without its parts.
    fn from_row(row: &Row) -> Result<Self, Error> {
        let mut options = options::list("", row.try_get(2)?);
        options.extend(options::list("toast.", row.try_get(3)?));
        Ok(Self {
            oid: row.try_get(0)?,
            name: QualifiedName { schema: row.try_get(4)?, name: row.try_get(5)? },
            columns: Vec::new(),
            generators: Vec::new(),
            constraints: Vec::new(),
            indexes: Vec::new(),
            options,
            replica_identity: row.try_get(1)?,
        })
    }

    /// `create table ...;` with the columns and the constraints that can stand in it. Never `unlogged`: a crash of the site's
    /// server would empty it, and its place in the stream of logs would say that nothing is missing.
    pub(super) fn create(&self, clash: Clash) -> String {
        let constraints = self.constraints.iter().filter(|c| clash == Clash::Keep || c.is_inline());
        let parts: Vec<String> = self
            .columns
            .iter()
            .map(|column| column.definition(&self.generators))
            .chain(constraints.map(Constraint::definition))
            .map(|part| format!("\n    {part}"))
            .collect();
        format!(
            "create table {}{} ({}\n){};",
            if clash == Clash::Keep { "if not exists " } else { "" },
            self.name.sql(),
            parts.join(","),
            options::with_clause(&self.options),
        )
    }

    /// `alter table ... replica identity ...;` if it is not the default one.
    pub(super) fn replica_identity(&self) -> Option<String> {
        let identity = match self.replica_identity.as_str() {
            "n" => "nothing".to_owned(),
            "f" => "full".to_owned(),
            // The index may have been dropped since; that is "nothing" to the server.
            "i" => match self.indexes.iter().find(|index| index.is_replica_identity) {
                Some(index) => format!("using index {}", quote_identifier(&index.name.name)),
                None => "nothing".to_owned(),
            },
            _ => return None,
        };
        Some(format!("alter table only {} replica identity {identity};", self.name.sql()))
    }
}

/// Schemas and simple names, for a query that takes them as two arrays.
pub(super) fn halves(names: &[QualifiedName]) -> (Vec<&str>, Vec<&str>) {
    names.iter().map(|name| (name.schema.as_str(), name.name.as_str())).unzip()
}
