//! Site logs, written here.

use std::fmt::Write as _;

pub use crate::support::log_row::row;

const DASHES: &str = "------------------------------------------------------------------";

fn schema(cluster: &str) -> String {
    format!("\"_{}\"", cluster.replace('"', "\"\""))
}

/// A log of the psql dialect with this body; an old one sets how its literals are read.
pub fn log(cluster: &str, counter: u64, is_old: bool, body: &str) -> String {
    let schema = schema(cluster);
    let old = "set local standard_conforming_strings to off;\nset local escape_string_warning to off;\n";
    let old = if is_old { old } else { "" };
    let opening = format!("start transaction;\nselect {schema}.site_log_offline(1);\n{old}");
    framed(cluster, counter, &format!("\\set ON_ERROR_STOP on\n@{opening}"), body)
}

/// A log of the slony dialect, with the line that sets the role.
pub fn slony_log(cluster: &str, counter: u64, body: &str) -> String {
    framed(cluster, counter, "@set session_replication_role to replica;\nstart transaction;\n", body)
}

fn framed(cluster: &str, counter: u64, opening: &str, body: &str) -> String {
    let schema = schema(cluster);
    let head = format!("{DASHES}\n-- Slony-I log shipping archive\n-- Node 1, Event 99\n{DASHES}\n");
    format!(
        "{}select {schema}.archiveTracking_offline('{counter}', '2026-11-20 21:41:14.173756+00');\n\
         -- end of log archiving header\n{DASHES}\n-- start of Slony-I data\n{DASHES}\n{body}\n{DASHES}\n\
         -- End Of Archive Log\n{DASHES}\ncommit;\nvacuum analyze {schema}.sl_archive_tracking;\n-- EOL\n",
        opening.replacen('@', &head, 1)
    )
}

/// A body of rows of `sl_log_archive`.
pub fn rows(cluster: &str, rows: &[String]) -> String {
    let mut text = format!(
        "COPY {}.\"sl_log_archive\" ( log_origin, log_txid,log_tableid,log_actionseq,\
         log_tablenspname, log_tablerelname, log_cmdtype, log_cmdupdncols,log_cmdargs) FROM STDIN;\n",
        schema(cluster)
    );
    for (at, row) in rows.iter().enumerate() {
        writeln!(text, "1\t17\t1\t{}\t{row}", at + 1).unwrap();
    }
    text + "\\.\n"
}
