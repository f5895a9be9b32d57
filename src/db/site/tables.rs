//! What a table of a site is, as far as it matters to those who change its rows.

use std::fmt::Write as _;

use tokio_postgres::types::Type;

use super::SiteDatabase;
use crate::error::{Result, Tried};

/// A table.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "facts that have nothing to do with one another")]
pub struct SiteTable {
    /// An ordinary table without rules and row security: COPY and INSERT do the same to it.
    pub is_plain: bool,
    /// Has children or partitions, or is one.
    pub has_family: bool,
    /// Has triggers of the site, which see each change.
    pub has_triggers: bool,
    /// Has a trigger that may turn a change of a row away.
    pub may_turn_away: bool,
    /// Has triggers of PostgreSQL itself: foreign keys, its own or those of others to it.
    pub has_references: bool,
    /// Has a unique index of an expression or of a part of its rows, or an exclusion: which columns matter to it is not
    /// known.
    pub has_odd_index: bool,
    /// Its columns.
    pub columns: Vec<SiteColumn>,
}

/// A column.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "facts that have nothing to do with one another")]
pub struct SiteColumn {
    /// Its name, in UTF-8.
    pub name: Vec<u8>,
    /// The number of its type.
    pub of_type: u32,
    /// The array type for SQL, if arrays of it stand for columns of values one to one and a comma parts them: boxes are
    /// parted by something else.
    pub array: Option<String>,
    /// It computes itself.
    pub is_generated: bool,
    /// `generated always as identity`.
    pub is_always: bool,
    /// It gets a value where none is given.
    pub has_default: bool,
    /// A unique index holds it.
    pub is_unique: bool,
    /// Two spellings of its values that the server prints are two values, and the other way round.
    pub is_canonical: bool,
}

/// The types whose output depends on no setting and whose equality is that of the bytes: int2, int4, int8, uuid; text and
/// varchar, where their collation is deterministic.
const CANONICAL: &str =
    "(a.atttypid in (20, 21, 23, 2950) or a.atttypid in (25, 1043) and a.attcollation in (100, 950, 951))";

impl SiteDatabase {
    /// Looks at a table; `None` if there is none of this name. `since_12`: whether PostgreSQL knows generated columns.
    pub async fn table(&self, schema: &str, name: &str, since_12: bool) -> Result<Option<SiteTable>> {
        let client = self.session.client();
        let rows = client.query_typed(&query(since_12), &[(&schema, Type::NAME), (&name, Type::NAME)]).await;
        let rows = rows.tried(format!("look at {schema}.{name}"))?;
        let Some(first) = rows.first() else { return Ok(None) };
        let mut table = SiteTable {
            is_plain: first.get(0),
            has_family: first.get(1),
            has_triggers: first.get(2),
            may_turn_away: first.get(3),
            has_references: first.get(4),
            has_odd_index: first.get(5),
            columns: Vec::new(),
        };
        for row in &rows {
            // A table without columns has one row without a name.
            let Some(name) = row.get(6) else { continue };
            table.columns.push(SiteColumn {
                name,
                of_type: row.get(7),
                array: row.get::<_, Option<Vec<u8>>>(8).and_then(|name| String::from_utf8(name).ok()),
                is_generated: row.get(9),
                is_always: row.get(10),
                has_default: row.get(11),
                is_unique: row.get(12),
                is_canonical: row.get(13),
            });
        }
        Ok(Some(table))
    }
}

/// Names come as bytes: the encoding of the client is that of the log.
fn query(since_12: bool) -> String {
    let generated = if since_12 { "a.attgenerated <> ''" } else { "false" };
    let trigger =
        "exists (select from pg_catalog.pg_trigger t where t.tgrelid = c.oid and t.tgenabled <> 'D' and";
    let index = "exists (select from pg_catalog.pg_index i where i.indrelid = c.oid and";
    let mut sql = String::from(
        "select c.relkind = 'r' and not c.relhasrules and not c.relrowsecurity, \
         c.relhassubclass or c.relispartition or exists (select from pg_catalog.pg_inherits h where h.inhrelid = c.oid)",
    );
    // Writing to a string cannot fail.
    let _ = write!(
        sql,
        ", {trigger} not t.tgisinternal), {trigger} t.tgtype & 3 = 3), {trigger} t.tgisinternal), \
         {index} (i.indisexclusion or i.indisunique and (i.indexprs is not null or i.indpred is not null))), \
         pg_catalog.convert_to(a.attname::text, 'UTF8'), a.atttypid, \
         case when y.typtype in ('b', 'e', 'r') and y.typarray <> 0 and y.typdelim = ',' then \
             pg_catalog.convert_to(pg_catalog.format_type(y.typarray, -1), 'UTF8') end, \
         {generated}, a.attidentity = 'a', a.atthasdef or a.attidentity <> '', \
         {index} i.indisunique and a.attnum = any (i.indkey)), {CANONICAL} \
         from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace \
         left join pg_catalog.pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped \
         left join pg_catalog.pg_type y on y.oid = a.atttypid \
         where n.nspname = $1 and c.relname = $2 order by a.attnum"
    );
    sql
}
