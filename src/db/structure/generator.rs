//! A sequence with all its options, as a table or an identity column needs it.

use tokio_postgres::{Client, Error, Row};

use super::grouped::{self, Grouped};
use super::sequences::OF_TABLES;
use super::table::halves;
use crate::model::{QualifiedName, Sequence, quote_identifier};

/// The options of the sequences in `whole`, which a query in front of it makes.
pub(super) const OPTIONS: &str = "\
    select w.place, n.nspname::text, s.relname::text, w.link, a.attname::text, s.oid, \
        pg_catalog.format_type(q.seqtypid, null), q.seqstart, q.seqincrement, q.seqmin, q.seqmax, q.seqcache, \
        q.seqcycle, w.oid as of_table \
    from whole w join pg_catalog.pg_class s on s.oid = w.sequence and s.relkind = 'S' \
    join pg_catalog.pg_sequence q on q.seqrelid = s.oid join pg_catalog.pg_namespace n on n.oid = s.relnamespace \
    left join pg_catalog.pg_attribute a on a.attrelid = w.oid and a.attnum = w.linked \
    order by w.place, w.number, n.nspname, s.relname";

/// One sequence by its name, for [`OPTIONS`].
const NAMED: &str = "\
    with whole as ( \
        select 1::bigint as place, null::oid as oid, c.oid as sequence, 0 as number, null as link, null::int as linked \
        from pg_catalog.pg_class c join pg_catalog.pg_namespace m on m.oid = c.relnamespace \
        where m.nspname = $1::text::name and c.relname = $2::text::name \
    ) ";

/// A sequence with its options.
pub(super) struct Generator {
    pub(super) sequence: Sequence,
    pub(super) oid: u32,
    link: Link,
    type_name: String,
    /// `start with 1 increment by 1 ...`
    options: String,
}

/// How a sequence hangs on the table.
enum Link {
    /// It makes the values of this identity column, and is made with it.
    Identity(String),
    /// This column owns it.
    Owned(String),
    /// By its name or a default only.
    Loose,
}

/// The sequences of the tables of these names with their options.
pub(super) async fn generators(
    client: &Client,
    tables: &[QualifiedName],
) -> Result<Grouped<Generator>, Error> {
    let (schemas, names) = halves(tables);
    let rows = client.query(&format!("{OF_TABLES}{OPTIONS}"), &[&schemas, &names]).await?;
    grouped::group(&rows, Generator::from_row)
}

/// The sequence of that name, if there is one.
pub(super) async fn named(client: &Client, sequence: &Sequence) -> Result<Option<Generator>, Error> {
    let Sequence(QualifiedName { schema, name }) = sequence;
    let row = client.query_opt(&format!("{NAMED}{OPTIONS}"), &[schema, name]).await?;
    row.as_ref().map(Generator::from_row).transpose()
}

impl Generator {
    fn from_row(row: &Row) -> Result<Self, Error> {
        let link = match (row.try_get(3)?, row.try_get(4)?) {
            (Some("i"), Some(column)) => Link::Identity(column),
            (Some(_), Some(column)) => Link::Owned(column),
            _ => Link::Loose,
        };
        let number = |index| row.try_get::<_, i64>(index);
        let options = format!(
            "start with {} increment by {} minvalue {} maxvalue {} cache {} {}",
            number(7)?,
            number(8)?,
            number(9)?,
            number(10)?,
            number(11)?,
            if row.try_get(12)? { "cycle" } else { "no cycle" },
        );
        let sequence = Sequence::new(row.try_get::<_, String>(1)?, row.try_get::<_, String>(2)?);
        Ok(Self { sequence, oid: row.try_get(5)?, link, type_name: row.try_get(6)?, options })
    }

    /// `create sequence if not exists ...;`, nothing for the one of an identity column. A sequence that two series
    /// share is there already when the second comes.
    pub(super) fn create(&self) -> Option<String> {
        let (name, kind, options) = (self.sequence.sql(), &self.type_name, &self.options);
        let create = || format!("create sequence if not exists {name} as {kind} {options};");
        (!matches!(self.link, Link::Identity(_))).then(create)
    }

    /// ` (sequence name ...)`, if this is the sequence of that identity column.
    pub(super) fn identity_of(&self, column: &str) -> Option<String> {
        let is_its = matches!(&self.link, Link::Identity(own) if own == column);
        is_its.then(|| format!(" (sequence name {} {})", self.sequence.sql(), self.options))
    }

    /// `alter sequence ... owned by ...;` if a column owns it.
    pub(super) fn own(&self, table: &str) -> Option<String> {
        let Link::Owned(column) = &self.link else { return None };
        Some(format!("alter sequence {} owned by {table}.{};", self.sequence.sql(), quote_identifier(column)))
    }
}
