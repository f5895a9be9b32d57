//! Rows of the DRMS master tables, which describe series: each goes to the nodes that have the series.
//!
//! `drms_series`, `drms_keyword`, `drms_link` and `drms_segment` of a schema hold the metadata of its series, by the column
//! `seriesname`, which spells `Schema.Table` in whatever case. A site has the rows of its series only.

use crate::model::{MASTER_TABLES, QualifiedName, SERIES_NAME, SITE_SETTINGS};
use crate::spelling::array;
use crate::spelling::copy_text::escape;
use crate::spelling::legacy;
use crate::spelling::row::{Row, series_key};

/// Whether this table (by its [`crate::spelling::row::series_key`]) is a master table.
pub(super) fn is_master(table: &[u8]) -> bool {
    let name = table.rsplit(|byte| *byte == b'\t').next().unwrap_or_default();
    MASTER_TABLES.iter().any(|table| table.as_bytes() == name)
}

/// The schema of a table, from its [`crate::spelling::row::series_key`].
pub(super) fn schema(table: &[u8]) -> &[u8] {
    table.split(|byte| *byte == b'\t').next().unwrap_or_default()
}

/// The series that a row of a master table describes, empty if it is none of this schema; `None` if the row does not say.
pub(super) fn series_of_row(row: &Row<'_>) -> Option<Vec<u8>> {
    let elements = array::decode(row.arguments())?;
    // Of an update what counts is the key, behind the changes: it says which row the sites have.
    let changes = if row.is_update() { row.changes() } else { 0 };
    let (pairs, _) = elements.as_chunks::<2>();
    let named = |[column, value]: &[Option<Vec<u8>>; 2]| {
        (column.as_deref() == Some(SERIES_NAME.as_bytes())).then(|| value.clone()).flatten()
    };
    let keys = pairs.get(changes..).unwrap_or_default();
    let renamed = pairs.get(..changes).unwrap_or_default().iter().find_map(named);
    let name = keys.iter().find_map(named).or_else(|| renamed.clone())?;
    same_series(row.series(), &name, renamed.as_deref())
}

/// The same for a statement of the old formats, which changes the master table `table`.
pub(super) fn series_of_change(table: &[u8], statement: &[u8]) -> Option<Vec<u8>> {
    let name = legacy::seriesname(statement)?;
    let renamed = legacy::assigned(statement).and_then(|(found, keys)| {
        let changes = found.len().checked_sub(keys).and_then(|changes| found.get(..changes));
        let is_it = |(column, _): &&legacy::Assigned| column == SERIES_NAME.as_bytes();
        changes?.iter().find(is_it)?.1.clone()
    });
    same_series(table, &name, renamed.as_deref())
}

/// The series that a row describes by its key. One that comes to describe another series is for those who have that one too,
/// which lack the row: then it is not one series that the row tells.
fn same_series(table: &[u8], name: &[u8], changed: Option<&[u8]>) -> Option<Vec<u8>> {
    let series = described(table, name);
    let stays = changed.is_none_or(|changed| described(table, changed) == series);
    stays.then_some(series)
}

/// `seriesname` as a [`described_key`]; empty if it is in another schema than its master table. Letters outside of ASCII are
/// what they are, here and in the dump (`db::structure`): only the server's locale could fold them.
fn described(table: &[u8], seriesname: &[u8]) -> Vec<u8> {
    let mut parts = seriesname.splitn(2, |byte| *byte == b'.');
    let mut of = Vec::new();
    escape(parts.next().unwrap_or_default(), &mut of);
    let schema = schema(table);
    match parts.next() {
        Some(name) if of.eq_ignore_ascii_case(schema) => {
            let mut series = schema.to_vec();
            series.push(b'\t');
            escape(&name.to_ascii_lowercase(), &mut series);
            series
        }
        _ => Vec::new(),
    }
}

/// A series as its rows in the master tables of its schema are looked up: the schema as it is, the name in small letters.
pub(super) fn described_key(series: &QualifiedName) -> Vec<u8> {
    series_key(series.schema.as_bytes(), series.name.to_ascii_lowercase().as_bytes())
}

/// A row (without its line feed) of a master table for a site that has the series: an update of `drms_series` without the
/// columns that the site decides. `None` if it stays as it is.
pub(super) fn without_site_settings(row: &[u8]) -> Option<Vec<u8>> {
    let row = Row::find(row).ok()?;
    if !row.is_update() || !row.series().ends_with(b"\tdrms_series") {
        return None;
    }
    let mut elements = array::decode(row.arguments())?;
    let mut changes = row.changes();
    let mut at = 0;
    while at < changes {
        let column = elements.get(2 * at)?.as_deref().unwrap_or_default();
        if SITE_SETTINGS.iter().any(|setting| setting.as_bytes() == column) {
            elements.drain(2 * at..2 * at + 2);
            changes -= 1;
        } else {
            at += 1;
        }
    }
    (changes < row.changes()).then(|| row.with(changes, &array::encode(&elements)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(table: &str, command: &str, changes: usize, arguments: &str) -> String {
        format!("1\t17\t3\t44\thmi\t{table}\t{command}\t{changes}\t{arguments}")
    }

    #[test]
    fn a_row_describes_its_series() {
        for (table, command, changes, arguments, expected) in [
            ("drms_series", "I", 0, "{seriesname,hmi.M_45s,retention,3}", Some("hmi\tm_45s")),
            ("drms_keyword", "D", 0, "{keywordname,x,seriesname,hmi.M_45s}", Some("hmi\tm_45s")),
            ("drms_series", "U", 1, "{seriesname,hmi.new,seriesname,hmi.M_45s}", None),
            ("drms_series", "U", 1, "{seriesname,HMI.m_45s,seriesname,hmi.M_45s}", Some("hmi\tm_45s")),
            ("drms_series", "U", 1, "{retention,3,seriesname,HMI.M_45S}", Some("hmi\tm_45s")),
            ("drms_series", "U", 1, "{seriesname,hmi.new,id,7}", Some("hmi\tnew")),
            ("drms_series", "I", 0, "{seriesname,mdi.fd}", Some("")),
            ("drms_series", "I", 0, "{seriesname,nodot}", Some("")),
            ("drms_series", "I", 0, "{seriesname,NULL}", None),
            ("drms_series", "T", 0, "{}", None),
        ] {
            let text = row(table, command, changes, arguments);
            let row = Row::check(text.as_bytes()).unwrap();
            assert!(is_master(row.series()));
            assert_eq!(series_of_row(&row).as_deref(), expected.map(str::as_bytes), "{text}");
        }
        let described_in = |table: &[u8], name: &str| described(table, name.as_bytes());
        assert_eq!(described_in(b"HMI\tdrms_series", "hmi.M"), b"HMI\tm");
        assert_eq!(
            described_in("h\u{c9}\tdrms_series".as_bytes(), "H\u{c9}.\u{c9}M"),
            "h\u{c9}\t\u{c9}m".as_bytes()
        );
        assert_eq!(described_in("h\u{c9}\tdrms_series".as_bytes(), "h\u{e9}.m"), b"");
        assert!(!is_master(b"hmi\tm_45s") && !is_master(b"drms_series\tx"));
    }

    #[test]
    fn a_site_keeps_its_settings() {
        for (arguments, changes, left, expected) in [
            (
                "{retention,3,author,\"a b\",archive,1,seriesname,x.y}",
                3,
                1,
                "{author,\"a b\",seriesname,x.y}",
            ),
            ("{tapegroup,1,seriesname,x.y}", 1, 0, "{seriesname,x.y}"),
        ] {
            let text = row("drms_series", "U", changes, arguments);
            let expected = row("drms_series", "U", left, expected) + "\n";
            assert_eq!(without_site_settings(text.as_bytes()).unwrap(), expected.into_bytes());
        }
        for text in [
            row("drms_series", "U", 1, "{author,x,retention,3}"),
            row("drms_series", "I", 0, "{retention,3,seriesname,x.y}"),
            row("drms_keyword", "U", 1, "{archive,3,seriesname,x.y}"),
        ] {
            assert_eq!(without_site_settings(text.as_bytes()), None);
        }
    }
}
