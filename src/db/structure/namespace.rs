//! The schemas of the series at a site, with their DRMS master tables: what NetDRMS' `createns` writes.

use tokio_postgres::{Client, Error};

use super::generator::{self, Generator};
use super::grants::Grants;
use super::indexes::Index;
use super::table::{Clash, Table};
use super::{lines, settle};
use crate::model::{MASTER_TABLES, QualifiedName, Sequence, quote_identifier, quote_literal};

/// What else belongs to the DRMS master tables of a schema: the sessions, of which no series has a row.
const SESSIONS: &str = "drms_session";

/// Numbers the sessions of DRMS.
const MASTER_SEQUENCE: &str = "drms_sessionid_seq";

/// Which of the names are there, in the order asked.
const PRESENT: &str = "\
    select c.relname::text from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace \
    where n.nspname = $1::text::name and c.relname = any ($2::text[]::name[]) and c.relkind in ('r', 'p') \
    order by array_position($2, c.relname::text)";

/// SQL of `createns.sql` for these schemas: idempotent on a site that has some or all of it. The caller adds the
/// transaction around it, and has begun one here; its settings become those of [`super::structures`].
///
/// For each schema: the schema; if the source has a table `admin.ns`, that table and its row for the schema, with
/// `dbusr` = `owner`; the DRMS master tables that the source has, without rows, with their indexes and sequences;
/// `usage` and `select` for the roles in `grant_to` (`public` is everyone). A role that is missing at the site is
/// skipped with a notice. What the site has stays as it is: so there are no comments and no ownership of sequences,
/// which only the owner of a table may set.
///
/// The role that runs it needs the right to create in the database and in the schemas: PostgreSQL asks for it even
/// where nothing is left to create.
pub async fn namespaces(
    client: &Client,
    schemas: &[&str],
    owner: &str,
    grant_to: &[String],
) -> Result<Vec<(String, String)>, Error> {
    settle(client).await?;
    let admin = present(client, "admin", &["ns"]).await?.pop();
    let mut texts = Vec::new();
    for schema in schemas {
        let mut statements = vec!["set local standard_conforming_strings = on;".to_owned()];
        let mut grants = Grants::default();
        if let Some(ns) = &admin {
            make_tables(client, "admin", std::slice::from_ref(ns), &mut statements, &mut grants).await?;
            statements.extend(insert(client, ns, schema, owner).await?);
        }
        let tables = present(client, schema, &[&MASTER_TABLES[..], &[SESSIONS]].concat()).await?;
        make_tables(client, schema, &tables, &mut statements, &mut grants).await?;
        statements.extend(grant_to.iter().map(|role| grants.to(role)));
        texts.push(((*schema).to_owned(), lines(&statements)));
    }
    Ok(texts)
}

async fn present(client: &Client, schema: &str, names: &[&str]) -> Result<Vec<QualifiedName>, Error> {
    let rows = client.query(PRESENT, &[&schema, &names]).await?;
    rows.iter().map(|row| Ok(QualifiedName { schema: schema.to_owned(), name: row.try_get(0)? })).collect()
}

/// The schema, and each table with its sequences and indexes.
async fn make_tables(
    client: &Client,
    schema: &str,
    tables: &[QualifiedName],
    statements: &mut Vec<String>,
    grants: &mut Grants,
) -> Result<(), Error> {
    statements.push(format!("create schema if not exists {};", quote_identifier(schema)));
    grants.schemas.push(quote_identifier(schema));
    for table in Table::read(client, tables).await? {
        statements.extend(table.generators.iter().filter_map(Generator::create));
        statements.push(table.create(Clash::Keep));
        statements.extend(table.indexes.iter().filter_map(Index::create_if_missing));
        grants.tables.push(table.name.sql());
        for generator in &table.generators {
            grants.add_sequence(generator.sequence.sql());
        }
    }
    if let Some(generator) = generator::named(client, &Sequence::new(schema, MASTER_SEQUENCE)).await?
        && grants.add_sequence(generator.sequence.sql())
    {
        statements.extend(generator.create());
    }
    Ok(())
}

/// The row of `admin.ns` for the schema, for a site that has none.
async fn insert(
    client: &Client,
    ns: &QualifiedName,
    schema: &str,
    owner: &str,
) -> Result<Option<String>, Error> {
    let tables = Table::read(client, std::slice::from_ref(ns)).await?;
    let Some(table) = tables.first() else { return Ok(None) };
    let columns: Vec<&str> =
        table.columns.iter().filter(|c| !c.is_generated()).map(|c| c.name.as_str()).collect();
    if !columns.contains(&"name") {
        return Ok(None);
    }
    let names: Vec<String> = columns.iter().map(|column| quote_identifier(column)).collect();
    let texts: Vec<String> = names.iter().map(|name| format!("{name}::text")).collect();
    let query = format!("select {} from {} where \"name\" = $1::text limit 1", texts.join(", "), ns.sql());
    let Some(row) = client.query_opt(&query, &[&schema]).await? else { return Ok(None) };
    let mut values = Vec::new();
    for (place, column) in columns.iter().enumerate() {
        let value = if *column == "dbusr" { Some(owner) } else { row.try_get(place)? };
        values.push(value.map_or_else(|| "null".to_owned(), quote_literal));
    }
    Ok(Some(format!(
        "insert into {table} ({}) select {}\n    where not exists (select 1 from {table} where \"name\" = {});",
        names.join(", "),
        values.join(", "),
        quote_literal(schema),
        table = ns.sql(),
    )))
}
