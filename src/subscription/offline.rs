//! The offline replication objects of a site: what site logs call, in the schema `"_<cluster>"`.
//!
//! The SQL stands beside this file as people read SQL; here the names are filled in.

use std::collections::BTreeMap;

use crate::model::{Dialect, Sequence, SeriesList, TextStyle, quote_identifier, quote_literal};

const OBJECTS: &str = include_str!("offline.sql");

/// The SQL that makes the offline objects of a cluster at a site, for PostgreSQL 10 and later. `style` is that of the
/// database at which archives are written.
///
/// The role that runs it owns the objects; it needs no special rights, but to create the schema if that is not there.
/// Run again, or at a site made by `slony1_dump.sh`, it changes functions and the trigger only: tables keep their
/// rows, `sl_archive_tracking` above all. It begins and ends no transaction, and it does not enter the first row of
/// `sl_archive_tracking`: who loads the data knows the counter.
pub fn offline_objects(cluster: &str, style: &TextStyle) -> String {
    let schema = format!("_{cluster}");
    fill(
        OBJECTS,
        &[
            ("@BODY@", &dollar_quote(&[&schema, &style.encoding, &style.intervals, &style.money])),
            ("@SCHEMA@", &quote_identifier(&schema)),
            ("@SCHEMA_NAME@", &quote_literal(&schema)),
            ("@ENCODING@", &quote_literal(&style.encoding)),
            ("@INTERVALS@", &quote_literal(&style.intervals)),
            ("@MONEY@", &quote_literal(&style.money)),
            ("@FORMAT@", &Dialect::PSQL_FORMAT.to_string()),
        ],
    )
}

/// The numbers by which archives of Slony-I before 2.2 call the sequences of a node, for its offline objects.
pub fn sequence_numbers(cluster: &str, numbers: &BTreeMap<u32, Sequence>, list: &SeriesList) -> String {
    let has = |sequence: &Sequence| list.iter().any(|series| series.sequences.contains(sequence));
    let of_node = numbers.iter().filter(|(_, sequence)| has(sequence));
    super::sql::sequence_numbers(cluster, of_node.map(|(number, sequence)| (*number, sequence)))
}

/// Replaces the marks from left to right, once: what is filled in is not searched again.
fn fill(text: &str, marks: &[(&str, &str)]) -> String {
    let mut filled = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('@') {
        let (before, from) = rest.split_at(at);
        filled.push_str(before);
        let mark = marks.iter().find_map(|(mark, value)| Some((from.strip_prefix(mark)?, *value)));
        let (after, value) = mark.unwrap_or((from.strip_prefix('@').unwrap_or_default(), "@"));
        filled.push_str(value);
        rest = after;
    }
    filled.push_str(rest);
    filled
}

/// A dollar quote that none of the texts can end.
fn dollar_quote(texts: &[&str]) -> String {
    let mut tag = "body".to_owned();
    while texts.iter().any(|text| text.contains(&format!("${tag}$"))) {
        tag.push('_');
    }
    format!("${tag}$")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_quoted_wherever_they_stand() {
        let sql = offline_objects("o\"d'd@FORMAT@", &TextStyle::usual("LATIN1"));
        assert!(sql.contains("create table if not exists \"_o\"\"d'd@FORMAT@\".sl_archive_tracking"));
        assert!(sql.contains("nspname = '_o\"d''d@FORMAT@'"));
        assert!(sql.contains("set_config('client_encoding', 'LATIN1', true)"));
        let odd = offline_objects("a$body$b", &TextStyle::usual("UTF8"));
        assert!(odd.contains("as $body_$"));
        assert!(odd.contains("\"_a$body$b\""), "{odd}");
    }
}
