//! Rows of the DRMS master tables, which describe series: each goes to the nodes that have the series.
//!
//! `drms_series`, `drms_keyword`, `drms_link` and `drms_segment` of a schema hold the metadata of its series, by the column
//! `seriesname`, which spells `Schema.Table` in whatever case. A site has the rows of its series only.

use crate::model::{MASTER_TABLES, SERIES_NAME, SITE_SETTINGS};
use crate::spelling::array;
use crate::spelling::copy_text::escape;
use crate::spelling::legacy;
use crate::spelling::row::Row;

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
    let name = keys.iter().find_map(named).or_else(|| pairs.iter().find_map(named))?;
    Some(described(row.series(), &name))
}

/// The same for a statement of the old formats, which changes the master table `table`.
pub(super) fn series_of_change(table: &[u8], statement: &[u8]) -> Option<Vec<u8>> {
    Some(described(table, &legacy::seriesname(statement)?))
}

/// `seriesname` as a [`crate::spelling::row::series_key`]; empty if it is in another schema than its master table.
fn described(table: &[u8], seriesname: &[u8]) -> Vec<u8> {
    let lower = seriesname.to_ascii_lowercase();
    let mut parts = lower.splitn(2, |byte| *byte == b'.');
    let mut series = Vec::with_capacity(lower.len());
    escape(parts.next().unwrap_or_default(), &mut series);
    match parts.next() {
        Some(name) if series == schema(table) => {
            series.push(b'\t');
            escape(name, &mut series);
            series
        }
        _ => Vec::new(),
    }
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
            ("drms_series", "U", 1, "{seriesname,hmi.new,seriesname,hmi.M_45s}", Some("hmi\tm_45s")),
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
