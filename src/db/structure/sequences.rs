//! The sequences that belong to a series: owned by a column (serial), behind an identity column, called by a default,
//! or just named `<series>_seq`.

use std::collections::HashMap;

use tokio_postgres::{Client, Error};

use super::generator::OPTIONS;
use crate::model::{Sequence, Series};

/// All sequences of all tables asked for, by the table's place in the question, then by column, then by name.
///
/// A sequence that is merely named after the table is not its own if another table owns it: `a.b_id` of type serial
/// makes `a_b_id_seq`, which is not the sequence of the table `a_b_id`.
///
/// `offset 0` keeps the order of the joins: the planner of a catalog that was never analyzed would walk all defaults
/// of the database for each table. The casts to `name` let the old servers (10, 11) use their indexes.
pub(super) const OF_TABLES: &str = "\
    with asked as ( \
        select w.place, c.oid, c.relnamespace, c.relname \
        from unnest($1::text[], $2::text[]) with ordinality w(schema, name, place) \
        join pg_catalog.pg_namespace n on n.nspname = w.schema::name \
        join pg_catalog.pg_class c on c.relnamespace = n.oid \
            and c.relname = w.name::name and c.relkind in ('r', 'p') \
    ), found as ( \
        select a.place, a.oid, d.objid as sequence, d.refobjsubid as number, d.deptype::text as link \
        from asked a join pg_catalog.pg_depend d on d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass \
            and d.refobjid = a.oid and d.refobjsubid > 0 \
            and d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass and d.deptype in ('a', 'i') \
        union all \
        select a.place, a.oid, d.refobjid, f.adnum, null from asked a \
        cross join lateral (select f.oid, f.adnum from pg_catalog.pg_attrdef f where f.adrelid = a.oid offset 0) f \
        cross join lateral (select d.refobjid from pg_catalog.pg_depend d \
            where d.classid = 'pg_catalog.pg_attrdef'::pg_catalog.regclass and d.objid = f.oid \
            and d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass offset 0) d \
        union all \
        select a.place, a.oid, s.oid, null, null \
        from asked a join pg_catalog.pg_class s on s.relnamespace = a.relnamespace \
            and s.relname = (a.relname::text || '_seq')::name and s.relkind = 'S' \
            and s.relname::text = a.relname::text || '_seq' \
        where not exists (select from pg_catalog.pg_depend d \
            where d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass and d.objid = s.oid \
            and d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass and d.refobjid <> a.oid \
            and d.deptype in ('a', 'i')) \
    ), whole as ( \
        select place, oid, sequence, min(number) as number, max(link) as link, \
            min(number) filter (where link is not null) as linked \
        from found group by place, oid, sequence \
    ) ";

/// The sequences of each of `series`, in one query. Every name asked for has an entry; it is empty for a table
/// without sequences, and for a name that is no table.
pub async fn sequences(client: &Client, series: &[Series]) -> Result<HashMap<Series, Vec<Sequence>>, Error> {
    let schemas: Vec<&str> = series.iter().map(|series| series.0.schema.as_str()).collect();
    let names: Vec<&str> = series.iter().map(|series| series.0.name.as_str()).collect();
    let mut found: HashMap<Series, Vec<Sequence>> =
        series.iter().map(|series| (series.clone(), Vec::new())).collect();
    for row in client.query(&format!("{OF_TABLES}{OPTIONS}"), &[&schemas, &names]).await? {
        let place = usize::try_from(row.try_get::<_, i64>(0)?).unwrap_or_default();
        let asked = series.get(place.wrapping_sub(1)).and_then(|series| found.get_mut(series));
        let sequence = Sequence::new(row.try_get::<_, String>(1)?, row.try_get::<_, String>(2)?);
        // The same series asked for twice has its sequences once.
        if let Some(sequences) = asked.filter(|sequences| !sequences.contains(&sequence)) {
            sequences.push(sequence);
        }
    }
    Ok(found)
}

/// Where each sequence is: its last value, and whether that was given out.
pub type SequenceValues = HashMap<Sequence, (i64, bool)>;

/// Where each of `sequences` is. One query for all; sequences are outside of every snapshot.
pub async fn values(client: &Client, sequences: &[Sequence]) -> Result<SequenceValues, Error> {
    if sequences.is_empty() {
        return Ok(SequenceValues::new());
    }
    let one = |(place, sequence): (usize, &Sequence)| {
        format!("select {place}::bigint, last_value, is_called from {}", sequence.sql())
    };
    let queries: Vec<String> = sequences.iter().enumerate().map(one).collect();
    let mut values = SequenceValues::new();
    for row in client.query(&queries.join(" union all "), &[]).await? {
        let place = usize::try_from(row.try_get::<_, i64>(0)?).unwrap_or(usize::MAX);
        if let Some(sequence) = sequences.get(place) {
            values.insert(sequence.clone(), (row.try_get(1)?, row.try_get(2)?));
        }
    }
    Ok(values)
}
