//! The comments on tables and on everything that is made with them.

use tokio_postgres::{Client, Error, Row};

use super::grouped::{self, Grouped};
use super::table::Table;
use crate::model::{QualifiedName, quote_identifier, quote_literal};

/// Kind, schema, name and text, for the tables ($1), their parts and the sequences ($2) of each ($3). What has no schema
/// of its own is named by that of its table.
const COMMENTS: &str = "\
    with object as ( \
        select t.oid as of_table, 1 as place, 'table' as kind, 'pg_class' as catalog, t.oid, \
            0 as part, null::name as schema, null::name as name \
        from unnest($1::oid[]) t(oid) \
        union all select a.attrelid, 2, 'column', 'pg_class', a.attrelid, a.attnum, null, a.attname \
        from pg_catalog.pg_attribute a where a.attrelid = any ($1) and a.attnum > 0 and not a.attisdropped \
        union all select k.conrelid, 3, 'constraint', 'pg_constraint', k.oid, 0, null, k.conname \
        from pg_catalog.pg_constraint k where k.conrelid = any ($1) and k.contype in ('c', 'p', 'u', 'x') \
        union all select i.indrelid, 4, 'index', 'pg_class', c.oid, 0, n.nspname, c.relname \
        from pg_catalog.pg_index i join pg_catalog.pg_class c on c.oid = i.indexrelid \
        join pg_catalog.pg_namespace n on n.oid = c.relnamespace where i.indrelid = any ($1) and i.indisvalid \
        union all select q.of_table, 5, 'sequence', 'pg_class', c.oid, 0, n.nspname, c.relname \
        from unnest($2::oid[], $3::oid[]) q(oid, of_table) join pg_catalog.pg_class c on c.oid = q.oid \
        join pg_catalog.pg_namespace n on n.oid = c.relnamespace \
        union all select s.stxrelid, 6, 'statistics', 'pg_statistic_ext', s.oid, 0, n.nspname, s.stxname \
        from pg_catalog.pg_statistic_ext s join pg_catalog.pg_namespace n on n.oid = s.stxnamespace \
        where s.stxrelid = any ($1) \
    ) \
    select o.kind, o.schema::text, o.name::text, d.description, tn.nspname::text, t.relname::text, o.of_table \
    from object o join pg_catalog.pg_description d on d.objoid = o.oid and d.objsubid = o.part \
        and d.classoid = ('pg_catalog.' || o.catalog)::pg_catalog.regclass \
    join pg_catalog.pg_class t on t.oid = o.of_table join pg_catalog.pg_namespace tn on tn.oid = t.relnamespace \
    order by o.place, o.part, o.schema, o.name";

/// `comment on ... is ...;` for each comment of these tables.
pub(super) async fn comments(client: &Client, tables: &[Table]) -> Result<Grouped<String>, Error> {
    let oids: Vec<u32> = tables.iter().map(|table| table.oid).collect();
    let sequences =
        tables.iter().flat_map(|table| table.generators.iter().map(|generator| (generator.oid, table.oid)));
    let (sequences, owners): (Vec<u32>, Vec<u32>) = sequences.unzip();
    let rows = client.query(COMMENTS, &[&oids, &sequences, &owners]).await?;
    grouped::group(&rows, statement)
}

fn statement(row: &Row) -> Result<String, Error> {
    let kind: &str = row.try_get(0)?;
    let name: Option<String> = row.try_get(2)?;
    let table = QualifiedName { schema: row.try_get(4)?, name: row.try_get(5)? }.sql();
    let object = match (kind, row.try_get(1)?, name) {
        (_, Some(schema), Some(name)) => QualifiedName { schema, name }.sql(),
        ("column", _, Some(name)) => format!("{table}.{}", quote_identifier(&name)),
        (_, _, Some(name)) => format!("{} on {table}", quote_identifier(&name)),
        (_, _, None) => table,
    };
    let text = quote_literal(row.try_get(3)?);
    Ok(format!("comment on {kind} {object} is {text};"))
}
