//! The comments on a table and on everything that is made with it.

use tokio_postgres::{Client, Error};

use super::table::Table;
use crate::model::{QualifiedName, quote_identifier, quote_literal};

/// Kind, schema, name and text, for the table ($1), its parts and the sequences ($2).
const COMMENTS: &str = "\
    with object as ( \
        select 1 as place, 'table' as kind, 'pg_class' as catalog, $1::oid as oid, \
            0 as part, null::name as schema, null::name as name \
        union all select 2, 'column', 'pg_class', $1, a.attnum, null, a.attname \
        from pg_catalog.pg_attribute a where a.attrelid = $1 and a.attnum > 0 and not a.attisdropped \
        union all select 3, 'constraint', 'pg_constraint', k.oid, 0, null, k.conname \
        from pg_catalog.pg_constraint k where k.conrelid = $1 and k.contype in ('c', 'p', 'u', 'x') \
        union all select 4, 'index', 'pg_class', c.oid, 0, n.nspname, c.relname \
        from pg_catalog.pg_index i join pg_catalog.pg_class c on c.oid = i.indexrelid \
        join pg_catalog.pg_namespace n on n.oid = c.relnamespace where i.indrelid = $1 and i.indisvalid \
        union all select 5, 'sequence', 'pg_class', c.oid, 0, n.nspname, c.relname \
        from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace \
        where c.oid = any ($2::oid[]) \
        union all select 6, 'statistics', 'pg_statistic_ext', s.oid, 0, n.nspname, s.stxname \
        from pg_catalog.pg_statistic_ext s join pg_catalog.pg_namespace n on n.oid = s.stxnamespace \
        where s.stxrelid = $1 \
    ) \
    select o.kind, o.schema::text, o.name::text, d.description \
    from object o join pg_catalog.pg_description d on d.objoid = o.oid and d.objsubid = o.part \
        and d.classoid = ('pg_catalog.' || o.catalog)::pg_catalog.regclass \
    order by o.place, o.part, o.schema, o.name";

/// `comment on ... is ...;` for each comment.
pub(super) async fn comments(client: &Client, table: &Table) -> Result<Vec<String>, Error> {
    let generators: Vec<u32> = table.generators.iter().map(|generator| generator.oid).collect();
    let mut statements = Vec::new();
    for row in client.query(COMMENTS, &[&table.oid, &generators]).await? {
        let kind: &str = row.try_get(0)?;
        let name: Option<String> = row.try_get(2)?;
        let object = match (kind, row.try_get(1)?, name) {
            (_, Some(schema), Some(name)) => QualifiedName { schema, name }.sql(),
            ("column", _, Some(name)) => format!("{}.{}", table.name.sql(), quote_identifier(&name)),
            (_, _, Some(name)) => format!("{} on {}", quote_identifier(&name), table.name.sql()),
            (_, _, None) => table.name.sql(),
        };
        let text = quote_literal(row.try_get(3)?);
        statements.push(format!("comment on {kind} {object} is {text};"));
    }
    Ok(statements)
}
