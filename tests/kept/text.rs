//! Archives of Slony-I 2.2, and the site logs that must become of them.

const DASHES: &str = "------------------------------------------------------------------";
const COPY: &str = "COPY \"_jsoc\".\"sl_log_archive\" ( log_origin, log_txid,log_tableid,log_actionseq,log_tablenspname, \
                    log_tablerelname, log_cmdtype, log_cmdupdncols,log_cmdargs) FROM STDIN;\n";

/// The series of which every archive has a row.
pub(crate) const SERIES: [&str; 3] = ["a.x", "a.y", "a.z"];

/// A statement that is about no table: what becomes of it, an operator decides.
pub(crate) const UNDECIDED: &str = "1\t9\t\\N\t9\t\\N\t\\N\tS\t\\N\t{\"create function a.f() returns int as $$ select 1 $$ language sql;\",\"\",\"\"}\n";

/// The end of the script with that statement.
const END: &str = "1\t9\t\\N\t10\t\\N\t\\N\ts\t\\N\t{}\n";

/// The row of a series in an archive.
pub(crate) fn row(series: &str, counter: u64) -> String {
    let (schema, table) = series.split_once('.').unwrap();
    format!("1\t{counter}\t1\t{counter}\t{schema}\t{table}\tI\t0\t{{n,{counter}}}\n")
}

/// The rows of several.
pub(crate) fn rows(series: &[&str], counter: u64) -> String {
    series.iter().map(|series| row(series, counter)).collect()
}

/// An archive with a row of each series.
pub(crate) fn archive(counter: u64) -> String {
    archive_of(counter, &rows(&SERIES, counter))
}

/// An archive with the statement before the rows of all series.
pub(crate) fn undecided(counter: u64) -> String {
    archive_of(counter, &(UNDECIDED.to_owned() + END + &rows(&SERIES, counter)))
}

/// An archive with these rows.
pub(crate) fn archive_of(counter: u64, rows: &str) -> String {
    archive_with(counter, &block(rows))
}

/// An archive with this body.
pub(crate) fn archive_with(counter: u64, body: &str) -> String {
    frame(counter, "set session_replication_role to replica;\nstart transaction;\n", body)
}

/// The site log of a node with these series.
pub(crate) fn log(counter: u64, series: &[&str]) -> String {
    log_of(counter, &rows(series, counter))
}

/// The site log of a node with these series that gets the statement too.
pub(crate) fn log_with_statement(counter: u64, series: &[&str]) -> String {
    log_of(counter, &(UNDECIDED.to_owned() + END + &rows(series, counter)))
}

/// A site log with these rows.
pub(crate) fn log_of(counter: u64, rows: &str) -> String {
    log_with(counter, &block(rows))
}

/// A site log with this body.
pub(crate) fn log_with(counter: u64, body: &str) -> String {
    let begin = "start transaction;\nselect \"_jsoc\".site_log_offline(1);\n";
    format!("\\set ON_ERROR_STOP on\n{}-- EOL\n", frame(counter, begin, body))
}

/// The site log of an archive that slon never wrote.
pub(crate) fn empty_log(counter: u64) -> String {
    let event = format!("-- Node 1, Event {}", 5_000_000_000 + counter);
    log_with(counter, "").replace(&event, "-- Node 0, Event 0").replace(CREATED, "1970-01-01 00:00:00+00")
}

const CREATED: &str = "2026-11-20 21:39:46.151991+00";

/// What stands between header and trailer where there are such rows.
fn block(rows: &str) -> String {
    if rows.is_empty() { String::new() } else { format!("{COPY}{rows}\\.\n") }
}

fn frame(counter: u64, begin: &str, body: &str) -> String {
    format!(
        "{DASHES}\n-- Slony-I log shipping archive\n-- Node 1, Event {}\n{DASHES}\n{begin}\
         select \"_jsoc\".archiveTracking_offline('{counter}', '{CREATED}');\n\
         -- end of log archiving header\n{DASHES}\n-- start of Slony-I data\n{DASHES}\n{body}\n{DASHES}\n\
         -- End Of Archive Log\n{DASHES}\ncommit;\nvacuum analyze \"_jsoc\".sl_archive_tracking;\n",
        5_000_000_000 + counter
    )
}
