//! A table as the catalog has it, with everything that `create table` says.

use tokio_postgres::{Client, Error};

use super::columns::{self, Column};
use super::constraints::{self, Constraint};
use super::generator::{self, Generator};
use super::indexes::{self, Index};
use super::options;
use crate::model::{QualifiedName, quote_identifier};

const TABLE: &str = "\
    select c.oid, c.relpersistence = 'u', c.relreplident::text, c.reloptions, toast.reloptions \
    from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace \
    left join pg_catalog.pg_class toast on toast.oid = c.reltoastrelid \
    where n.nspname = $1::text::name and c.relname = $2::text::name and c.relkind in ('r', 'p')";

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
    unlogged: bool,
    options: Vec<String>,
    /// `pg_class.relreplident`
    replica_identity: String,
}

impl Table {
    /// Reads the table; fails if there is none of this name.
    pub(super) async fn read(client: &Client, name: &QualifiedName) -> Result<Self, Error> {
        let row = client.query_one(TABLE, &[&name.schema, &name.name]).await?;
        let oid = row.try_get(0)?;
        let mut options = options::list("", row.try_get(3)?);
        options.extend(options::list("toast.", row.try_get(4)?));
        Ok(Self {
            oid,
            name: name.clone(),
            columns: columns::columns(client, oid).await?,
            generators: generator::generators(client, name).await?,
            constraints: constraints::constraints(client, oid).await?,
            indexes: indexes::indexes(client, oid).await?,
            unlogged: row.try_get(1)?,
            options,
            replica_identity: row.try_get(2)?,
        })
    }

    /// `create table ...;` with the columns and the constraints that can stand in it.
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
            "create {}table {}{} ({}\n){};",
            if self.unlogged { "unlogged " } else { "" },
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
