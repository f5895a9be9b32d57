//! What makes a series at a site, read from PostgreSQL's catalog (versions 10 to 17) and written as SQL.
//!
//! The dump asks here for the series that it sends, many at a time: [`structures`] for the tables themselves,
//! [`master_rows`] for their rows in the DRMS master tables, [`values`] for their sequences, [`namespaces`] for the schemas. Quoting is [`crate::model`]'s; expressions,
//! constraints and indexes come from the server's own `pg_get_...` functions, fully qualified.
//!
//! Left out on purpose: triggers (Slony's and the users'), rules, foreign keys, row security, owner, privileges,
//! security labels, table spaces, access methods, publications, inheritance, and that a table is `unlogged`. A table that inherits, a partition or a
//! table made `of` a type becomes a plain table with all its columns and constraints. Types, collations, functions and
//! extensions that the table uses must be at the site.

mod columns;
mod comments;
mod constraints;
mod generator;
mod grants;
mod grouped;
mod indexes;
mod master;
mod namespace;
mod options;
mod sequences;
mod statistics;
mod table;

use std::collections::HashMap;

use tokio_postgres::{Client, Error};

use crate::model::{QualifiedName, Sequence, Series};

pub use master::{MasterRows, Overrides, master_rows};
pub use namespace::namespaces;
pub use sequences::{SequenceValues, sequences, values};

use generator::Generator;
use table::{Clash, Table};

/// What makes one series at a site, read in one transaction's view of the catalog.
///
/// Both texts are for plain `psql -f`, in one transaction: nothing in them stands where psql reads a backslash
/// command. They say `create table`, not `if not exists`: a site that still has the table must not take another for
/// it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Structure {
    /// The sequences made with it (those of identity columns and `<series>_seq` among them), by column, then name.
    pub sequences: Vec<Sequence>,
    /// The columns for COPY, not quoted: all that are not generated, in order.
    pub copy_columns: Vec<String>,
    /// Sequences, the table with its checks, column settings.
    pub before_data: String,
    /// What is cheaper or only possible with the rows there: keys, exclusions, indexes, checks that old rows may fail,
    /// then sequence ownership, statistics and comments.
    pub after_data: String,
}

/// Reads the structures of `series` by as many queries for all as for one; those that are no tables have no entry. The
/// caller asks for some hundreds at a time: all are in memory at once.
///
/// The caller has begun a transaction, and keeps the tables from being altered by locks. The settings that decide how
/// the server spells names and values are set for the rest of it: `search_path` is `pg_catalog`,
/// `standard_conforming_strings` on, `datestyle` and `intervalstyle` are what every server reads.
pub async fn structures(client: &Client, series: &[Series]) -> Result<HashMap<Series, Structure>, Error> {
    settle(client).await?;
    let mut names: Vec<QualifiedName> = series.iter().map(|series| series.0.clone()).collect();
    names.sort_unstable();
    names.dedup();
    let tables = Table::read(client, &names).await?;
    let oids: Vec<u32> = tables.iter().map(|table| table.oid).collect();
    let mut statistics = statistics::statistics(client, &oids).await?;
    let mut comments = comments::comments(client, &tables).await?;
    let of = |table: Table| {
        let rest = [statistics.remove(&table.oid), comments.remove(&table.oid)];
        (Series(table.name.clone()), Structure::of(&table, rest.into_iter().flatten().flatten()))
    };
    Ok(tables.into_iter().map(of).collect())
}

impl Structure {
    /// `rest`: the statements that follow everything else.
    fn of(table: &Table, rest: impl Iterator<Item = String>) -> Self {
        let (constraints, indexes) = (&table.constraints, &table.indexes);
        let name = table.name.sql();

        let mut before = vec!["set local standard_conforming_strings = on;".to_owned()];
        before.extend(table.generators.iter().filter_map(Generator::create));
        before.push(table.create(Clash::Fail));
        before.extend(table.columns.iter().flat_map(|column| column.settings(&name)));

        let late = constraints.iter().filter(|constraint| !constraint.is_inline());
        let mut after: Vec<String> = late.map(|constraint| constraint.add(&name)).collect();
        after.extend(indexes.iter().flat_map(|index| index.create(&name)));
        after.extend(table.replica_identity());
        after.extend(table.generators.iter().filter_map(|generator| generator.own(&name)));
        after.extend(rest);

        let copied = table.columns.iter().filter(|column| !column.is_generated());
        Self {
            sequences: table.generators.iter().map(|generator| generator.sequence.clone()).collect(),
            copy_columns: copied.map(|column| column.name.clone()).collect(),
            before_data: lines(&before),
            after_data: lines(&after),
        }
    }
}

/// Sets, until the transaction ends, what decides the server's spelling: names with their schema, literals as the
/// standard has them, dates and floating point numbers that every server reads back as they were.
async fn settle(client: &Client) -> Result<(), Error> {
    client
        .batch_execute(
            "set local search_path = pg_catalog; set local standard_conforming_strings = on; \
             set local datestyle = iso; set local intervalstyle = postgres; set local extra_float_digits = 3; \
             set local lc_monetary = 'C'",
        )
        .await
}

fn lines(statements: &[String]) -> String {
    statements.iter().flat_map(|statement| [statement.as_str(), "\n"]).collect()
}
