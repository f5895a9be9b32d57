//! The fixed parts of the SQL that a subscriber applies with plain `psql -f`. Pure text; the rows come from the database.

use super::offline::offline_objects;
use crate::model::{Counter, Node, Sequence, Series, TextStyle, quote_identifier, quote_literal};
use crate::protocol::Site;

/// What every file begins with. psql must never go on after a fault: it would read rows as SQL.
fn begin(owner: &str) -> String {
    format!(
        "\\set ON_ERROR_STOP on\n\
         start transaction;\n\
         set local client_encoding = 'UTF8';\n\
         set local standard_conforming_strings = on;\n\
         set local datestyle = ISO;\n\
         set local intervalstyle = postgres;\n\
         set local array_nulls = on;\n\
         set local lc_monetary = 'C';\n\
         set local check_function_bodies = off;\n\
         set local client_min_messages = warning;\n\
         set local search_path = pg_catalog;\n\
         set local role {};\n",
        quote_identifier(owner)
    )
}

/// `<node>.createns.sql` around the SQL of its schemas.
pub(super) fn createns(owner: &str, schemas: &str) -> String {
    format!("{}{schemas}commit;\n-- end of createns\n", begin(owner))
}

/// What the fixed parts depend on.
pub(super) struct Frame<'a> {
    /// The subscriber.
    pub node: &'a Node,
    /// The role that owns everything at the site.
    pub owner: &'a str,
    /// The Slony cluster.
    pub cluster: &'a str,
    /// Of the database at which archives are written.
    pub style: &'a TextStyle,
    /// Whether the site has been set up before.
    pub site: Site,
    /// The state that the SQL holds.
    pub cut: Counter,
    /// Whether a known site must not be past the cut: only where the SQL holds rows.
    pub fenced: bool,
    /// The last log that can hold rows of a series which the node had before and now gets anew: a site that has not
    /// applied it would apply those rows on top of the new ones.
    pub floor: Option<Counter>,
}

impl Frame<'_> {
    /// The beginning of `<node>.subscribe_series.sql`, up to the first series.
    pub(super) fn head(&self) -> String {
        let Self { node, owner, cluster, style, cut, .. } = self;
        format!(
            "{}-- subscription of {node} to Slony cluster {cluster}, the state of archive {cut}\n{}{}{}",
            begin(owner),
            offline_objects(cluster, style),
            self.refusal(),
            self.tracking()
        )
    }

    /// Stops at a database that follows another node: a new site's SQL would take its place in the stream from it, that of
    /// a known one bring a state which does not go with that place. One that does not know its node goes on.
    fn refusal(&self) -> String {
        let (schema, node) = (self.schema(), quote_literal(self.node.as_str()));
        block(&format!(
            "declare
  known text := (select node from {schema}.site_node order by noted desc limit 1);
begin
  if known <> {node} and exists (select from {schema}.sl_archive_tracking) then
    raise exception 'this database was subscribed as the node %, this SQL is for the node %', known, {node}
      using hint = 'look at the configuration; if the node was renamed: update site_node in the schema of the cluster';
  end if;
end"
        ))
    }

    /// The cluster's schema at the site.
    fn schema(&self) -> String {
        quote_identifier(&format!("_{}", self.cluster))
    }

    /// A new site starts at the cut. A known one stays where it is, which must not be past the cut: what it had applied
    /// after that would be missing in the new series. Without a new series it may be anywhere: it goes on applying logs
    /// while its request is open.
    fn tracking(&self) -> String {
        let (schema, node) = (self.schema(), quote_literal(self.node.as_str()));
        let table = format!("{schema}.sl_archive_tracking");
        let (cut, floor) = (self.cut, self.floor.unwrap_or_default());
        match self.site {
            Site::New => format!(
                "delete from {table};\n\
                 insert into {table} (at_counter, at_created, at_applied) values ({cut}, now(), now());\n\
                 delete from {schema}.site_node;\n\
                 insert into {schema}.site_node (node) values ({node});\n"
            ),
            Site::Known if !self.fenced => String::new(),
            Site::Known => block(&format!(
                "declare
  at bigint := (select at_counter from {table});
begin
  if at is null then
    raise exception 'this database has no place in the archive stream: ask as a new site';
  elsif at > {cut} then
    raise exception 'this database is at archive %, the SQL holds the state of {cut}: ask again', at;
  elsif at < {floor} then
    raise exception 'this database is at archive %: apply the logs up to {floor} first, then this SQL', at;
  end if;
end"
            )),
        }
    }

    /// The end of `<node>.subscribe_series.sql`.
    pub(super) fn tail(&self) -> String {
        format!("commit;\n-- end of the subscription of {}\n", self.node)
    }
}

/// The numbers by which archives of Slony-I before 2.2 call sequences.
pub(super) fn sequence_numbers<'s>(
    cluster: &str,
    numbers: impl IntoIterator<Item = (u32, &'s Sequence)>,
) -> String {
    let table = format!("{}.sl_sequence_offline", quote_identifier(&format!("_{cluster}")));
    let number = |(number, Sequence(name)): (u32, &Sequence)| {
        let (schema, name) = (quote_literal(&name.schema), quote_literal(&name.name));
        format!(
            "delete from {table} where seq_id = {number};\n\
             insert into {table} (seq_id, seq_relname, seq_nspname) values ({number}, {name}, {schema});\n"
        )
    };
    numbers.into_iter().map(number).collect()
}

/// The line before the rows of a series.
pub(super) fn copy_in(series: &Series, columns: &[String], encoding: &str) -> String {
    format!("copy {} ({}) from stdin{};\n", series.sql(), quoted(columns), in_encoding(encoding))
}

/// The query that gives those rows.
pub(super) fn copy_out(series: &Series, columns: &[String], encoding: &str) -> String {
    format!("copy {} ({}) to stdout{}", series.sql(), quoted(columns), in_encoding(encoding))
}

/// Rows travel in the encoding of the data centre's database, as in its archives: one that does not know its own encoding
/// (`SQL_ASCII`) cannot convert them, and the site converts from any other.
fn in_encoding(encoding: &str) -> String {
    match encoding {
        "UTF8" => String::new(),
        other => format!(" (encoding {})", quote_literal(other)),
    }
}

/// What follows the rows: their end, and the proof that all of them arrived.
pub(super) fn after_rows(series: &Series, rows: u64) -> String {
    let check = block(&format!(
        "declare
  n bigint := (select count(*) from only {});
begin
  if n <> {rows} then
    raise exception '% rows of a series arrived instead of {rows}: fetch the SQL again', n;
  end if;
end",
        series.sql()
    ));
    format!("\\.\n{check}")
}

/// Sets a sequence to what it is at the data centre.
pub(super) fn set_sequence(sequence: &Sequence, value: i64, is_called: bool) -> String {
    format!("select setval({}::regclass, {value}, {is_called});\n", quote_literal(&sequence.sql()))
}

/// Lets the configured roles read a series; one that the site does not have is skipped.
pub(super) fn grants(series: &Series, roles: &[String]) -> String {
    let grant = |role: &String| {
        let statement = format!("grant select on {} to {}", series.sql(), quote_identifier(role));
        block(&format!(
            "begin
  if exists (select from pg_roles where rolname = {}) then
    execute {};
  end if;
end",
            quote_literal(role),
            quote_literal(&statement)
        ))
    };
    roles.iter().map(grant).collect()
}

/// An anonymous block. Its body is a quoted literal, not dollar-quoted: a name in it may hold any dollar quote.
fn block(body: &str) -> String {
    format!("do {};\n", quote_literal(body))
}

fn quoted(columns: &[String]) -> String {
    columns.iter().map(|column| quote_identifier(column)).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_stops_at_the_first_fault() {
        let node: Node = "nso".parse().unwrap();
        for (site, fenced) in [(Site::New, false), (Site::Known, true), (Site::Known, false)] {
            let cut = Counter::parse("7").unwrap();
            let frame = Frame {
                node: &node,
                owner: "slony",
                cluster: "jsoc",
                style: &TextStyle::usual("UTF8"),
                site,
                cut,
                fenced,
                floor: None,
            };
            let is_free = site == Site::Known && !fenced;
            assert_eq!(frame.tracking().is_empty(), is_free, "a site without new rows may go on");
            assert!(frame.head().starts_with("\\set ON_ERROR_STOP on\nstart transaction;\n"));
            assert!(frame.tail().starts_with("commit;\n"));
        }
        assert!(createns("slony", "").starts_with("\\set ON_ERROR_STOP on\n"));
    }

    #[test]
    fn names_are_quoted_everywhere() {
        let series = Series::new("Odd Schema", "We\"ird");
        let columns = ["select".to_owned(), "v\"q".to_owned()];
        assert_eq!(
            copy_in(&series, &columns, "UTF8"),
            "copy \"Odd Schema\".\"We\"\"ird\" (\"select\", \"v\"\"q\") from stdin;\n"
        );
        assert!(copy_out(&series, &columns, "LATIN1").ends_with(" to stdout (encoding 'LATIN1')"));
        let sequence = Sequence::new("s", "it's");
        assert_eq!(
            set_sequence(&sequence, 5, true),
            "select setval('\"s\".\"it''s\"'::regclass, 5, true);\n"
        );
    }
}
