//! The constraints of tables: CHECK, PRIMARY KEY, UNIQUE, EXCLUDE. Foreign keys and constraint triggers are left out.

use tokio_postgres::{Client, Error, Row};

use super::grouped::{self, Grouped};
use super::options;
use crate::model::quote_identifier;

/// Checks first, then keys.
const CONSTRAINTS: &str = "\
    select c.conname::text, c.contype::text, pg_catalog.pg_get_constraintdef(c.oid), c.convalidated, \
        c.condeferrable, c.condeferred, i.reloptions, c.conrelid as of_table \
    from pg_catalog.pg_constraint c left join pg_catalog.pg_class i on i.oid = c.conindid \
    where c.conrelid = any ($1) and c.contype in ('c', 'p', 'u', 'x') \
    order by pg_catalog.strpos('cpux', c.contype::text), c.conname";

/// One constraint.
pub(super) struct Constraint {
    name: String,
    definition: String,
    /// A CHECK that all rows are known to pass.
    checked: bool,
}

/// The constraints of the tables with these oids.
pub(super) async fn constraints(client: &Client, tables: &[u32]) -> Result<Grouped<Constraint>, Error> {
    grouped::read(client, CONSTRAINTS, tables, Constraint::from_row).await
}

impl Constraint {
    fn from_row(row: &Row) -> Result<Self, Error> {
        let (kind, definition) = (row.try_get::<_, &str>(1)?, row.try_get::<_, String>(2)?);
        let index_options = options::list("", row.try_get(6)?);
        let definition = match kind {
            "p" | "u" => with_options(&definition, &index_options, row.try_get(4)?, row.try_get(5)?),
            // That of EXCLUDE has its index's options in it.
            _ => definition,
        };
        Ok(Self { name: row.try_get(0)?, definition, checked: kind == "c" && row.try_get(3)? })
    }

    /// Whether it stands in `create table`: there COPY checks each row as it comes, where adding it later reads the
    /// whole table again. A NOT VALID one must wait, as rows may fail it; a key is built faster from all rows.
    pub(super) fn is_inline(&self) -> bool {
        self.checked
    }

    /// `constraint "name" ...`
    pub(super) fn definition(&self) -> String {
        format!("constraint {} {}", quote_identifier(&self.name), self.definition)
    }

    /// `alter table ... add constraint ...;`
    pub(super) fn add(&self, table: &str) -> String {
        format!("alter table only {table} add {};", self.definition())
    }
}

/// Puts the options of a key's index in, which `pg_get_constraintdef` leaves out: behind the columns, before the words
/// on deferring.
fn with_options(definition: &str, options: &[String], deferrable: bool, deferred: bool) -> String {
    let deferring = match (deferrable, deferred) {
        (_, true) => " DEFERRABLE INITIALLY DEFERRED",
        (true, false) => " DEFERRABLE",
        (false, false) => "",
    };
    let columns = definition.strip_suffix(deferring).unwrap_or(definition);
    format!("{columns}{}{}", options::with_clause(options), &definition[columns.len()..])
}
